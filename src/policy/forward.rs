//! What goes upstream.

use crate::jose::ClaimPath;
use std::rc::Rc;

/// What goes upstream of a request that was allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forward {
    /// Whether the token does.
    pub token: TokenForwarding,
    /// Headers that are made of claims.
    pub headers: Vec<IdentityHeader>,
    /// Names of identity headers that nobody sets, in lower case: they are removed from every request.
    pub remove: Vec<String>,
    /// Who edits the request.
    pub by: ForwardBy,
}

/// Who edits the headers of a request that was allowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardBy {
    /// The filter. Envoy matches routes again after that.
    #[default]
    Filter,
    /// Envoy's router, as the route configuration says, once the route is final. The filter publishes the values as
    /// filter state, and removes only identity headers that the client sent.
    Router,
}

/// Whether the token goes upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenForwarding {
    /// It is removed: an upstream cannot lose what it never had.
    #[default]
    Strip,
    /// It stays.
    Keep,
}

/// A request header that is made of a claim, and that no client can set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityHeader {
    /// Its name, in lower case.
    pub name: Rc<str>,
    /// What it is made of.
    pub source: HeaderSource,
    /// Under which key of filter state the router finds its value. Envoy puts `wasm.` in front.
    pub key: Rc<str>,
}

/// What an identity header is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderSource {
    /// The scopes of the token, from all its scope claims, separated by a space.
    Scope,
    /// A claim.
    Claim(ClaimPath),
}

impl Forward {
    /// Whether there are identity headers: names that only the filter may set, or that nobody may.
    #[must_use]
    pub const fn has_identity_headers(&self) -> bool {
        !self.headers.is_empty() || !self.remove.is_empty()
    }

    /// Whether `name` is that of an identity header in any spelling: many upstreams read `_` as `-`, so a client
    /// could set `x_auth_subject`, or `x-auth_subject`, in the place of `x-auth-subject`.
    #[must_use]
    pub fn is_identity_header(&self, name: &[u8]) -> bool {
        self.headers.iter().any(|header| same_header(header.name.as_bytes(), name))
            || self.remove.iter().any(|removed| same_header(removed.as_bytes(), name))
    }
}

/// Whether two header names are the same to an upstream that reads `_` as `-`, in any letter case.
#[must_use]
pub fn same_header(left: &[u8], right: &[u8]) -> bool {
    let folded = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    left.len() == right.len() && left.iter().zip(right).all(|(&a, &b)| folded(a) == folded(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_identity_header_is_known() {
        let header = IdentityHeader {
            name: "x-auth-subject".into(),
            source: HeaderSource::Scope,
            key: "scopegate.subject".into(),
        };
        let remove = vec!["x-forwarded-user".to_owned()];
        let forward = Forward { headers: vec![header], remove, ..Forward::default() };
        for name in [
            "x-auth-subject",
            "x_auth_subject",
            "x-auth_subject",
            "x_auth-subject",
            "X-Auth-Subject",
            "X_Forwarded-User",
        ] {
            assert!(forward.is_identity_header(name.as_bytes()), "{name}");
        }
        for name in ["x-auth-subject2", "x-forwarded-use", "xauth-subject", "x-auth-subjec", ""] {
            assert!(!forward.is_identity_header(name.as_bytes()), "{name}");
        }
    }
}
