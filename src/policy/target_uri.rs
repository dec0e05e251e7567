//! Addresses as RFC 3986 compares them: normalised by its sections
//! [6.2.2](https://www.rfc-editor.org/rfc/rfc3986#section-6.2.2) and
//! [6.2.3](https://www.rfc-editor.org/rfc/rfc3986#section-6.2.3), without query and fragment.

use crate::base::text::{escape_value, hex_digit};

/// An `http` or `https` address, normalised. Two that are equal are one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetUri {
    authority: UriAuthority,
    /// Begins with `/`.
    path: Vec<u8>,
}

/// Who is asked, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
struct UriAuthority {
    is_https: bool,
    host: Vec<u8>,
    port: u16,
}

impl TargetUri {
    /// Reads an absolute address; its query and its fragment do not count. `None` for anything else: another scheme, user
    /// information, a host or a path with what stands in none.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let colon = text.iter().position(|&byte| byte == b':')?;
        let (scheme, rest) = text.split_at_checked(colon)?;
        let is_https = match scheme {
            scheme if scheme.eq_ignore_ascii_case(b"https") => true,
            scheme if scheme.eq_ignore_ascii_case(b"http") => false,
            _ => return None,
        };
        let rest = rest.strip_prefix(b"://")?;
        let end = rest.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end)?;
        let path = rest.split(|byte| b"?#".contains(byte)).next()?;
        Some(Self { authority: UriAuthority::parse(is_https, authority)?, path: normalise_path(path)? })
    }

    /// Its path, normalised.
    pub(super) fn path(&self) -> &[u8] {
        &self.path
    }

    /// Whether `authority` is its host and port; where it has no port, that of its scheme is meant.
    #[must_use]
    pub fn is_at(&self, authority: &[u8]) -> bool {
        UriAuthority::parse(self.authority.is_https, authority).is_some_and(|other| other == self.authority)
    }

    /// The address of a path below this one, whose own path ends before a `/`. No dot segment leads out of this one.
    #[must_use]
    pub fn join(&self, path: &[u8]) -> Option<Self> {
        let prefix = self.path.strip_suffix(b"/").unwrap_or(&self.path);
        let path = path.starts_with(b"/").then(|| normalise_path(path))??;
        Some(Self { authority: self.authority.clone(), path: [prefix, &path].concat() })
    }
}

impl UriAuthority {
    fn parse(is_https: bool, text: &[u8]) -> Option<Self> {
        let after_host = if text.first() == Some(&b'[') {
            text.iter().position(|&byte| byte == b']').and_then(|at| at.checked_add(1))?
        } else {
            text.iter().position(|&byte| byte == b':').unwrap_or(text.len())
        };
        let (host, port) = text.split_at_checked(after_host)?;
        if !is_host(host) {
            return None;
        }
        let default = if is_https { 443 } else { 80 };
        let port = match port {
            [] | [b':'] => default,
            [b':', digits @ ..] if digits.iter().all(u8::is_ascii_digit) => {
                std::str::from_utf8(digits).ok()?.parse().ok()?
            }
            _ => return None,
        };
        Some(Self { is_https, host: host.to_ascii_lowercase(), port })
    }
}

/// A name, an IPv4 address, or an IPv6 address in brackets. Nothing is decoded in it.
fn is_host(text: &[u8]) -> bool {
    if let Some(address) = text.strip_prefix(b"[") {
        let inner = address.strip_suffix(b"]");
        return inner.is_some_and(|inner| {
            !inner.is_empty() && inner.iter().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(byte))
        });
    }
    !text.is_empty() && text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(byte))
}

/// A path with its escapes in one spelling, and without dot segments; `None` when it holds what stands in no path.
fn normalise_path(path: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::with_capacity(path.len().max(1));
    let mut at = 0_usize;
    while let Some(&byte) = path.get(at) {
        at = at.saturating_add(1);
        if byte == b'%' {
            let value = escape_value(path.get(at).copied(), path.get(at.saturating_add(1)).copied())?;
            at = at.saturating_add(2);
            if is_unreserved(value) {
                decoded.push(value);
            } else {
                decoded.push(b'%');
                let digits = [hex_digit(value >> 4), hex_digit(value)];
                decoded.extend(digits.iter().filter_map(|digit| u8::try_from(*digit).ok()));
            }
        } else if is_unreserved(byte) || b"/!$&'()*+,;=:@".contains(&byte) {
            decoded.push(byte);
        } else {
            return None;
        }
    }
    match decoded.strip_prefix(b"/") {
        Some(rest) => Some(without_dot_segments(rest)),
        None => decoded.is_empty().then(|| b"/".to_vec()),
    }
}

/// The path of what stands after the first `/`, by RFC 3986 section 5.2.4.
fn without_dot_segments(rest: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut segments = rest.split(|&byte| byte == b'/').peekable();
    while let Some(segment) = segments.next() {
        let is_dot = matches!(segment, b"." | b"..");
        if segment == b".." {
            kept.pop();
        }
        if !is_dot {
            kept.push(segment);
        } else if segments.peek().is_none() {
            kept.push(b"");
        }
    }
    let mut path = Vec::with_capacity(rest.len().saturating_add(1));
    for segment in kept {
        path.push(b'/');
        path.extend_from_slice(segment);
    }
    if path.is_empty() { b"/".to_vec() } else { path }
}

/// `unreserved` of RFC 3986 section 2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Option<TargetUri> {
        TargetUri::parse(text.as_bytes())
    }

    #[test]
    fn spellings_of_one_address_are_equal() {
        let one = uri("https://api.example.com/a/b").expect("an address");
        for text in [
            "HTTPS://API.example.COM/a/b",
            "https://api.example.com:443/a/b",
            "https://api.example.com:/a/b",
            "https://api.example.com:0443/a/b",
            "https://api.example.com/%61/%62",
            "https://api.example.com/a/./b",
            "https://api.example.com/a/x/../b",
            "https://api.example.com/a/%2e/x/%2E%2e/b",
            "https://api.example.com/../a/b",
            "https://api.example.com/a/b?x=1",
            "https://api.example.com/a/b#x?y",
            "https://api.example.com/a/b?x#y",
        ] {
            assert_eq!(uri(text).as_ref(), Some(&one), "{text}");
        }
        assert_eq!(uri("https://a"), uri("https://a/"));
        assert_eq!(uri("http://a:80?x"), uri("http://a/"));
        assert_eq!(uri("https://a/%2f%c3%A9"), uri("https://a/%2F%C3%a9"));
    }

    #[test]
    fn other_addresses_are_not() {
        let one = uri("https://api.example.com/a/b").expect("an address");
        for text in [
            "http://api.example.com/a/b",
            "https://api.example.com:8443/a/b",
            "https://api.example.com:80/a/b",
            "https://api.example.com.evil.com/a/b",
            "https://evil-api.example.com/a/b",
            "https://api.example.com./a/b",
            "https://api.example.com/A/b",
            "https://api.example.com/a/b/",
            "https://api.example.com/a//b",
            "https://api.example.com/a",
            "https://api.example.com/a%2Fb",
            "https://api.example.com/%2561/b",
            "https://api.example.com/a/b%3Fx",
            "https://api.example.com/a/b;x",
        ] {
            let other = uri(text);
            assert!(other.is_some() && other.as_ref() != Some(&one), "{text}");
        }
    }

    #[test]
    fn what_is_no_absolute_address_is_none() {
        for text in [
            "",
            "/a/b",
            "//api.example.com/a",
            "api.example.com/a",
            "https:/a",
            "https:a",
            "https://",
            "https:///a",
            "ftp://a/",
            " https://a/",
            "https://user@a/",
            "https://user:x@a/",
            "https://a@b/",
            "https://a:1:2/",
            "https://a:+443/",
            "https://a:65536/",
            "https://a:x/",
            "https://a\\b/",
            "https://a%62/",
            "https://é/",
            "https://a b/",
            "https://[::1/",
            "https://[]/",
            "https://[::1]x/",
            "https://a/b c",
            "https://a/\\b",
            "https://a/é",
            "https://a/%",
            "https://a/%6",
            "https://a/%zz",
            "https://a/\"",
            "https://a/\n",
        ] {
            assert_eq!(uri(text), None, "{text:?}");
        }
        assert_eq!(uri("https://[::1]:443/").map(|uri| uri.path), Some(b"/".to_vec()));
    }

    #[test]
    fn dot_segments_go_as_rfc_3986_says() {
        for (path, wanted) in [
            ("/a/b/c/./../../g", "/a/g"),
            ("/..", "/"),
            ("/.", "/"),
            ("/../../a", "/a"),
            ("/a/..", "/"),
            ("/a/.", "/a/"),
            ("/a/b/..", "/a/"),
            ("/a//..", "/a/"),
            ("/a//../b", "/a/b"),
            ("/...", "/..."),
            ("/.a/..b", "/.a/..b"),
            ("//", "//"),
        ] {
            assert_eq!(normalise_path(path.as_bytes()), Some(wanted.as_bytes().to_vec()), "{path}");
        }
    }

    #[test]
    fn an_origin_may_have_a_path_of_its_own_which_no_path_leads_out_of() {
        let at = |origin: &str, path: &str| uri(origin).and_then(|origin| origin.join(path.as_bytes()));
        assert_eq!(at("https://a", "/b"), uri("https://a/b"));
        assert_eq!(at("https://a/", "/b"), uri("https://a/b"));
        assert_eq!(at("https://a/svc", "/b"), uri("https://a/svc/b"));
        assert_eq!(at("https://a/svc/", "/"), uri("https://a/svc/"));
        for path in ["/../b", "/..//../b", "/%2e%2e/b", "/x/../../b", "/./b"] {
            assert_eq!(at("https://a/svc", path), uri("https://a/svc/b"), "{path}");
        }
        assert_eq!(at("https://a", "*"), None);
        assert_eq!(at("https://a", ""), None);
    }

    #[test]
    fn an_authority_is_compared_with_its_default_port() {
        let https = uri("https://api.example.com").expect("an address");
        for authority in ["api.example.com", "API.example.com:443", "api.example.com:"] {
            assert!(https.is_at(authority.as_bytes()), "{authority}");
        }
        for authority in ["", "api.example.com:80", "api.example.com.", "x@api.example.com", "api.example.com/"] {
            assert!(!https.is_at(authority.as_bytes()), "{authority}");
        }
        assert!(uri("http://a:8080").is_some_and(|uri| uri.is_at(b"a:8080") && !uri.is_at(b"a")));
    }
}
