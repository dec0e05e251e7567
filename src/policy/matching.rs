//! The conditions of a rule, and whether a request meets them.

use super::path::Ambiguous;
use super::{PathForms, Requirement, Template};
use crate::request::RequestView;

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// When it applies.
    pub matching: Match,
    /// Its requirement.
    pub requirement: Requirement,
}

/// When a rule applies: all its conditions must hold.
#[derive(Debug, Default, PartialEq)]
pub struct Match {
    /// On the path, without the query.
    pub path: Option<PathMatch>,
    /// Whether the path is compared without regard to ASCII letter case.
    pub ignore_case: bool,
    /// On the name of the route that Envoy matched.
    pub route: Option<String>,
    /// On the name of its virtual host.
    pub virtual_host: Option<String>,
    /// On the host of the request.
    pub host: Option<HostMatch>,
    /// On the method.
    pub methods: Option<MethodSet>,
}

/// A condition on a path, with Envoy's names and meaning.
#[derive(Debug, PartialEq)]
pub enum PathMatch {
    /// The whole path.
    Exact(String),
    /// A plain string prefix: `/orders` matches `/orders-old` too.
    Prefix(String),
    /// Whole segments: `/orders` matches `/orders` and `/orders/1`.
    SeparatedPrefix(String),
    /// A template.
    Template(Template),
}

/// A condition on a host, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostMatch {
    /// This host.
    Exact(String),
    /// Any host that ends with this, such as `.example.com`, and is longer.
    Suffix(String),
}

/// Methods. GET covers HEAD.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct MethodSet(Vec<String>);

/// What a rule would have to judge can be read in more than one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ambiguity {
    /// The path.
    Path,
    /// The host: the text after it is not a port, or it has a character that a host cannot have.
    Host,
}

impl Match {
    pub(super) fn matches(
        &self,
        request: &RequestView<'_>,
        path: Option<&PathForms<'_>>,
        host: Option<&Result<Vec<u8>, Ambiguity>>,
    ) -> Result<bool, Ambiguity> {
        let names = self.route.as_deref().is_none_or(|name| request.route_name == Some(name))
            && self.virtual_host.as_deref().is_none_or(|name| request.virtual_host == Some(name))
            && self.methods.as_ref().is_none_or(|methods| methods.contains(request.method()));
        if !names {
            return Ok(false);
        }
        let host_holds = match (&self.host, host) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(wanted), Some(host)) => wanted.matches(host.as_ref().map_err(|ambiguity| *ambiguity)?),
        };
        if !host_holds {
            return Ok(false);
        }
        match (&self.path, path) {
            (None, _) => Ok(true),
            (Some(_), None) => Ok(false),
            (Some(condition), Some(path)) => {
                condition.test(path, self.ignore_case).map_err(|Ambiguous| Ambiguity::Path)
            }
        }
    }
}

impl PathMatch {
    fn test(&self, path: &PathForms<'_>, ignore_case: bool) -> Result<bool, Ambiguous> {
        let Self::Template(template) = self else {
            return path.test(|path| self.matches(path, ignore_case));
        };
        // Envoy's operators exclude some bytes, so another router may treat a path differently from the template:
        // `/admin/a|b` is below `/admin`, but does not match `/admin/*`.
        let matches = path.test(|path| template.matches(path))?;
        if path.test(|path| template.matches_any_byte(path))? == matches { Ok(matches) } else { Err(Ambiguous) }
    }

    fn matches(&self, path: &[u8], ignore_case: bool) -> bool {
        let same =
            |left: &[u8], right: &[u8]| if ignore_case { left.eq_ignore_ascii_case(right) } else { left == right };
        let begins = |prefix: &str| path.get(..prefix.len()).is_some_and(|start| same(start, prefix.as_bytes()));
        match self {
            Self::Exact(whole) => same(path, whole.as_bytes()),
            Self::Prefix(prefix) => begins(prefix),
            Self::SeparatedPrefix(prefix) => begins(prefix) && matches!(path.get(prefix.len()), None | Some(b'/')),
            Self::Template(template) => template.matches(path),
        }
    }
}

impl HostMatch {
    fn matches(&self, host: &[u8]) -> bool {
        match self {
            Self::Exact(wanted) => host == wanted.as_bytes(),
            Self::Suffix(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_bytes()),
        }
    }
}

impl MethodSet {
    /// The set of these names.
    #[must_use]
    pub const fn new(names: Vec<String>) -> Self {
        Self(names)
    }

    /// The names, as configured.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// Whether the set covers `method`. Methods are case-sensitive (RFC 9110 section 9.1).
    #[must_use]
    pub fn contains(&self, method: &[u8]) -> bool {
        let named = |wanted: &[u8]| self.0.iter().any(|name| name.as_bytes() == wanted);
        named(method) || method == b"HEAD" && named(b"GET")
    }
}

/// A host as rules name it: lower case, without port and without one trailing dot.
///
/// # Errors
/// [`Ambiguity::Host`] if this is not a host with or without a port: it is unknown which virtual host serves it.
pub(super) fn normal_host(authority: &[u8]) -> Result<Vec<u8>, Ambiguity> {
    let (host, port) = match authority.iter().rposition(|&byte| byte == b':') {
        // In `[::1]` the last colon belongs to the address.
        Some(colon) if !authority.ends_with(b"]") => authority.split_at(colon),
        _ => (authority, &b""[..]),
    };
    let digits = port.strip_prefix(b":").unwrap_or_default();
    let port_is_plain = port.is_empty() || !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let host = host.strip_suffix(b".").unwrap_or(host);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
    let host_is_plain = match host.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]")) {
        Some(address) => {
            !address.is_empty() && address.iter().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(byte))
        }
        None => host.iter().all(is_name) && !host.ends_with(b".") && !host.is_empty(),
    };
    if port_is_plain && host_is_plain { Ok(host.to_ascii_lowercase()) } else { Err(Ambiguity::Host) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_lose_case_port_and_one_trailing_dot() {
        for (authority, wanted) in [
            ("API.Example.com", "api.example.com"),
            ("api.example.com:8443", "api.example.com"),
            ("api.example.com.:443", "api.example.com"),
            ("api.example.com.", "api.example.com"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
        ] {
            assert_eq!(normal_host(authority.as_bytes()).as_deref(), Ok(wanted.as_bytes()), "{authority}");
        }
        for authority in
            ["", ":80", "a:", "a:x", "a:80x", "a..", "a@b", "u:p@a", "a b", "a,b", "é", "[::1", "[x]", "[]", "a:1:2"]
        {
            assert_eq!(normal_host(authority.as_bytes()), Err(Ambiguity::Host), "{authority}");
        }
        assert!(HostMatch::Suffix(".example.com".into()).matches(b"a.b.example.com"));
        assert!(!HostMatch::Suffix(".example.com".into()).matches(b"example.com"));
        assert!(!HostMatch::Suffix(".example.com".into()).matches(b"evilexample.com"));
        assert!(!HostMatch::Suffix(".example.com".into()).matches(b".example.com"), "something stands before it");
        for authority in ["[::x]", "[::1 ]", "[a@::1]"] {
            assert_eq!(normal_host(authority.as_bytes()), Err(Ambiguity::Host), "{authority}");
        }
    }

    #[test]
    fn get_covers_head_and_no_other_method_does() {
        let set = |names: &[&str]| MethodSet::new(names.iter().map(|&name| name.to_owned()).collect());
        for (names, method, wanted) in [
            (&["GET"][..], "HEAD", true),
            (&["POST", "GET"], "HEAD", true),
            (&["POST"], "HEAD", false),
            (&["HEAD"], "GET", false),
            (&["GET"], "head", false),
            (&["GET"], "POST", false),
            (&[], "HEAD", false),
        ] {
            assert_eq!(set(names).contains(method.as_bytes()), wanted, "{names:?} {method}");
        }
    }

    #[test]
    fn path_conditions_mean_what_they_mean_in_envoy() {
        let separated = PathMatch::SeparatedPrefix("/orders".into());
        assert!(separated.matches(b"/orders", false));
        assert!(separated.matches(b"/orders/1", false));
        assert!(!separated.matches(b"/orders-old", false));
        assert!(!separated.matches(b"/Orders", false));
        assert!(separated.matches(b"/Orders/1", true));
        assert!(PathMatch::Prefix("/orders".into()).matches(b"/orders-old", false));
        for shorter in [&b"/"[..], b"/order", b""] {
            assert!(!PathMatch::Prefix("/orders".into()).matches(shorter, false), "{shorter:?}");
            assert!(!separated.matches(shorter, false), "{shorter:?}");
        }
        assert!(!PathMatch::Exact("/orders".into()).matches(b"/orders/", false));
    }
}
