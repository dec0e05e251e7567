//! The part of a request that a claim is compared with: a tenant that the path or the host names.
//!
//! An upstream takes the tenant from the path or the host with its own code. So a value passes only if every way to
//! read it gives the same name: decoded once it is plain text, and nothing in it ends a segment or can be decoded
//! again.

use super::matching::normal_host;
use super::template::PathVariable;
use crate::base::text::percent_decode;
use crate::request::RequestView;
use std::borrow::Cow;
use std::fmt;

/// A part of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestPart {
    /// The value of a variable of the template by which the rule matched.
    Path(PathVariable),
    /// What `*` matches in this pattern.
    Host(HostPattern),
}

/// A pattern with one `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// `*`: the whole host.
    Whole,
    /// `*` followed by this, such as `.example.com` in lower case: one label before it.
    LabelBefore(String),
}

impl RequestPart {
    /// Its value in a request; `None` if the request has none, or one that readers may read differently.
    #[must_use]
    pub fn value<'a>(&self, request: &RequestView<'a>) -> Option<Cow<'a, str>> {
        match self {
            Self::Path(variable) => plain_text(variable.find(request.path()?)?),
            Self::Host(pattern) => pattern.value(&normal_host(request.authority()?).ok()?).map(Cow::Owned),
        }
    }
}

/// The field of a condition and its value.
impl fmt::Display for RequestPart {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(variable) => write!(formatter, "equals_path {}", variable.name()),
            Self::Host(pattern) => write!(formatter, "equals_host {pattern}"),
        }
    }
}

/// The part as it is configured.
impl fmt::Display for HostPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => formatter.write_str("*"),
            Self::LabelBefore(rest) => write!(formatter, "*{rest}"),
        }
    }
}

impl HostPattern {
    fn value(&self, host: &[u8]) -> Option<String> {
        let part = match self {
            Self::Whole => host,
            Self::LabelBefore(rest) => {
                host.strip_suffix(rest.as_bytes()).filter(|label| !label.is_empty() && !label.contains(&b'.'))?
            }
        };
        std::str::from_utf8(part).ok().map(str::to_owned)
    }
}

/// A segment, percent-decoded once.
fn plain_text(segment: &[u8]) -> Option<Cow<'_, str>> {
    let text = if segment.contains(&b'%') {
        Cow::Owned(String::from_utf8(percent_decode(segment)).ok()?)
    } else {
        Cow::Borrowed(std::str::from_utf8(segment).ok()?)
    };
    text.chars().all(is_plain).then_some(text)
}

/// Whether a character is safe: no reader cuts a segment at it, decodes it again or trims it. `a%2Fb` would be `a` to a
/// reader that decodes first, and so would `a;b` to one that drops parameters.
fn is_plain(character: char) -> bool {
    !character.is_control() && !character.is_whitespace() && !matches!(character, '/' | '\\' | ';' | '%' | '?' | '#')
}

#[cfg(test)]
mod tests {
    use super::super::Template;
    use super::*;

    fn in_path(template: &str, name: &str, path: &str) -> Option<String> {
        let part = RequestPart::Path(Template::parse(template).unwrap().variable(name).unwrap());
        let headers: [(&[u8], &[u8]); 1] = [(b":path", path.as_bytes())];
        let view = RequestView { headers: &headers, route_name: None, virtual_host: None, ends_with_headers: true };
        part.value(&view).map(Cow::into_owned)
    }

    #[test]
    fn a_variable_is_the_segment_in_its_place_decoded_once() {
        for (template, path, wanted) in [
            ("/tenants/{t}/**", "/tenants/acme/x", "acme"),
            ("/{t}/**", "/acme/b", "acme"),
            ("/*/{t}", "/x/acme?t=other", "acme"),
            ("/a/{t}.json", "/a/acme.json", "acme"),
            ("/a/{t}.json", "/a/x.json.json", "x.json"),
            ("/a/{t}", "/a/caf%C3%A9", "café"),
            ("/a/{t}", "/a/%61cme", "acme"),
            ("/a/{t}", "/a/a%40b.c", "a@b.c"),
            ("/a/{t}", "/a/AcMe", "AcMe"),
        ] {
            assert_eq!(in_path(template, "t", path).as_deref(), Some(wanted), "{template} {path}");
        }
        assert_eq!(in_path("/{a}/{b}/{c}", "b", "/1/2/3").as_deref(), Some("2"));
    }

    #[test]
    fn a_segment_that_readers_may_take_for_another_has_no_value() {
        for segment in [
            "a%2Fb", "a%5Cb", "a;b", "a%3Bb", "a%25b", "a%2541", "a%3Fb", "a%23b", "a%20", "%09a", "a%0A", "a%C2%A0",
            "a%FF", "a%C3", "a%00", "a%7F", "a%C2%85", "a%zz", "",
        ] {
            assert_eq!(in_path("/a/{t}/**", "t", &format!("/a/{segment}/x")), None, "{segment}");
        }
        // A reader that decodes first takes `other` for the tenant.
        for (template, path) in [("/{a}/{t}", "/x%2Fother/acme"), ("/a/*/{t}/**", "/a/%61%2fother/acme/b")] {
            assert_eq!(in_path(template, "t", path), None, "{path}");
        }
        assert_eq!(in_path("/a/{t}/**", "t", "/a/acme/b%2Fc").as_deref(), Some("acme"), "what follows moves nothing");
        assert_eq!(in_path("/a/{t}", "t", "/a"), None);
        assert_eq!(in_path("/a/{t}.json", "t", "/a/acme.xml"), None);
    }

    #[test]
    fn a_pattern_gives_one_label_or_the_whole_host() {
        let label = HostPattern::LabelBefore(".example.com".to_owned());
        for (pattern, authority, wanted) in [
            (&label, "acme.example.com", Some("acme")),
            (&label, "ACME.Example.com.:8443", Some("acme")),
            (&label, "a.acme.example.com", None),
            (&label, "example.com", None),
            (&label, ".example.com", None),
            (&label, "acme.example.com.evil.com", None),
            (&label, "acmeexample.com", None),
            (&label, "acme.example.com:x", None),
            (&HostPattern::Whole, "Shop.acme.com:443", Some("shop.acme.com")),
            (&HostPattern::Whole, "a@shop.acme.com", None),
        ] {
            let headers: [(&[u8], &[u8]); 1] = [(b":authority", authority.as_bytes())];
            let view = RequestView { headers: &headers, route_name: None, virtual_host: None, ends_with_headers: true };
            let part = RequestPart::Host(pattern.clone());
            assert_eq!(part.value(&view).as_deref(), wanted, "{part} {authority}");
        }
    }
}
