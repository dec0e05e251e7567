//! The header lines of a request, as a router reads them.

use super::Unresolved;

/// Header lines with lower-case names, pseudo-headers included.
#[derive(Clone, Debug)]
pub struct Lines<'r> {
    sent: &'r [(String, String)],
    /// Whether the authority is the request's own.
    names_host: bool,
    /// The authority, where the connection manager has changed it.
    authority: Option<String>,
    /// Names whose lines are unknown, and why; an empty name stands in for all.
    hidden: Vec<(String, &'static str)>,
}

/// The header whose lines are joined by semicolons.
const COOKIE: &str = "cookie";

/// Headers that the connection manager sets, removes or changes before the first match, by name or by prefix.
const CHANGED: &[&str] = &[
    ":protocol",
    ":scheme",
    "connection",
    "expect",
    "forwarded",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-envoy-",
    "x-forwarded-",
    "x-request-id",
];

impl<'r> Lines<'r> {
    /// The lines as the client sends them.
    #[must_use]
    pub const fn new(lines: &'r [(String, String)]) -> Self {
        Self { sent: lines, names_host: true, authority: None, hidden: Vec::new() }
    }

    /// These lines without a known host: the authority is only a stand-in.
    #[must_use]
    pub fn without_host(self) -> Self {
        Self { names_host: false, ..self }
    }

    pub(super) const fn names_host(&self) -> bool {
        self.names_host
    }

    pub(super) fn with_authority(&self, authority: String) -> Self {
        Self { authority: Some(authority), ..self.clone() }
    }

    pub(super) fn hide(&mut self, name: &str, why: &'static str) {
        self.hidden.push((name.to_ascii_lowercase(), why));
    }

    /// The first line of a pseudo-header or another header.
    fn first(&self, name: &str) -> Option<&str> {
        self.sent.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn method(&self) -> &str {
        self.first(":method").unwrap_or_default()
    }

    /// The target; a CONNECT without a path has none.
    pub(super) fn target(&self) -> Option<&str> {
        self.first(":path").filter(|path| self.method() != "CONNECT" || path.starts_with('/'))
    }

    pub(super) fn authority(&self) -> Option<&str> {
        self.authority.as_deref().or_else(|| self.first(":authority"))
    }

    /// The values of all lines of a header, or why they are unknown.
    pub(super) fn values(&self, name: &str) -> Result<Vec<&str>, Unresolved> {
        let name = name.to_ascii_lowercase();
        if name == ":authority" || name == "host" {
            if !self.names_host {
                return Err(Unresolved(super::UNNAMED_HOST.to_owned()));
            }
            return Ok(self.authority().into_iter().collect());
        }
        if name == ":path" {
            return Ok(self.target().into_iter().collect());
        }
        let changed = |entry: &&&str| if entry.ends_with('-') { name.starts_with(**entry) } else { name == **entry };
        if CHANGED.iter().find(changed).is_some() {
            return Err(Unresolved(format!("the header {name}, which the connection manager sets")));
        }
        let is_hidden = |hidden: &str| hidden.is_empty() || hidden == name || hidden == "_" && name.contains('_');
        if let Some((_, why)) = self.hidden.iter().find(|(hidden, _)| is_hidden(hidden)) {
            return Err(Unresolved(format!("the header {name}, which {why}")));
        }
        Ok(self.sent.iter().filter(|(other, _)| *other == name).map(|(_, value)| value.as_str()).collect())
    }

    /// All cookies in one line.
    pub(super) fn cookies(&self) -> Result<String, Unresolved> {
        self.values(COOKIE).map(|values| values.join("; "))
    }
}

/// Header lines as one value.
pub(super) fn joined(name: &str, values: &[&str]) -> String {
    values.join(if name.eq_ignore_ascii_case(COOKIE) { "; " } else { "," })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_envoy_reads_them() {
        let lines: Vec<(String, String)> = [
            (":method", "GET"),
            (":path", "/a"),
            (":authority", "a:80"),
            ("x", "1"),
            ("x", "2"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
        let lines = Lines::new(&lines);
        let read = |name: &str| lines.values(name).expect("known");
        assert_eq!(read("X"), ["1", "2"]);
        assert_eq!((joined("x", &read("x")), lines.cookies()), ("1,2".to_owned(), Ok("a=1; b=2".to_owned())));
        assert_eq!((read("host"), read(":authority")), (vec!["a:80"], vec!["a:80"]));
        assert!(read("y").is_empty());
        for name in ["x-request-id", "x-forwarded-for", "X-Envoy-Internal", ":scheme"] {
            assert!(lines.values(name).is_err(), "{name}");
        }
    }
}
