//! The URL of a request to sign, in the form in which it is sent.

use crate::base::text::{escape_value, percent_encode};

/// What RFC 3986 lets stand in a path or a query as it is, beside what is unreserved.
const STAYS: &[u8] = b"!$&'()*+,;=:@/?";

/// Where a request goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// `http` or `https`.
    pub(super) scheme: &'static str,
    /// The host in lower case, with its port unless that is the one of the scheme.
    pub(super) authority: String,
    /// The path with its query.
    pub(super) path: String,
}

impl Target {
    /// Reads a URL. Characters that cannot be sent are percent-encoded, and escapes are in upper case.
    ///
    /// # Errors
    /// When it has something that no request carries.
    pub(super) fn read(url: &str) -> Result<Self, String> {
        const WANTED: &str = "URL: write https://HOST/PATH";
        let (scheme, rest) = url.split_once("://").ok_or(WANTED)?;
        let (scheme, port) = match scheme {
            scheme if scheme.eq_ignore_ascii_case("https") => ("https", ":443"),
            scheme if scheme.eq_ignore_ascii_case("http") => ("http", ":80"),
            _ => return Err(format!("URL: {scheme} is neither http nor https")),
        };
        if rest.contains('#') {
            return Err("URL: what follows # is never sent, so it cannot be signed: leave it out, or write %23".into());
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, path) = rest.split_at_checked(end).ok_or(WANTED)?;
        if host.contains('@') {
            return Err("URL: a user in it is sent in authorization, and cannot be signed: leave it out".into());
        }
        if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:[]".contains(&byte)) {
            return Err("URL: its host is not one in ASCII (write a name in another script as xn--...)".into());
        }
        let host = host.to_ascii_lowercase();
        let authority = host.strip_suffix(port).unwrap_or(&host).to_owned();
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Self { scheme, authority, path: format!("{slash}{}", sendable(path)) })
    }
}

/// `text` with every character encoded that cannot be sent. What is encoded already stays so.
fn sendable(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match after {
            [high, low, after @ ..] if *first == b'%' && escape_value(Some(*high), Some(*low)).is_some() => {
                out.extend([b'%', high.to_ascii_uppercase(), low.to_ascii_uppercase()]);
                rest = after;
            }
            _ => percent_encode(&[*first], STAYS, &mut out),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_as_it_is_sent() {
        for (url, scheme, authority, path) in [
            ("https://api.example.com/orders?b=2&a=1", "https", "api.example.com", "/orders?b=2&a=1"),
            ("HTTPS://API.example.com:443", "https", "api.example.com", "/"),
            ("http://localhost:443/", "http", "localhost:443", "/"),
            ("http://[::1]:80?a", "http", "[::1]", "/?a"),
            (
                "https://a/b c/%c3%a9/%zz/é?q={x}&r=[1]|\"",
                "https",
                "a",
                "/b%20c/%C3%A9/%25zz/%C3%A9?q=%7Bx%7D&r=%5B1%5D%7C%22",
            ),
            ("https://a/b/../c//d?x=%", "https", "a", "/b/../c//d?x=%25"),
        ] {
            let read = Target { scheme, authority: authority.to_owned(), path: path.to_owned() };
            assert_eq!(Target::read(url), Ok(read), "{url}");
        }
    }

    #[test]
    fn what_no_request_carries_is_refused_by_its_name() {
        for (url, named) in [
            ("/orders", "https://HOST/PATH"),
            ("ftp://a/b", "ftp"),
            ("https://a/b#c", "#"),
            ("https://user:secret@a/b", "a user"),
            ("https:///b", "host"),
            ("https://bücher.example/b", "host"),
            ("https://a b/", "host"),
        ] {
            let why = Target::read(url).expect_err(url);
            assert!(why.contains(named) && !why.contains("secret"), "{url}: {why}");
        }
    }
}
