//! What goes upstream.

use crate::jose::ClaimPath;
use std::rc::Rc;

/// What an allowed request carries upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forward {
    /// Whether the token goes upstream.
    pub token: TokenForwarding,
    /// Headers made from claims.
    pub headers: Vec<IdentityHeader>,
    /// Names of identity headers without a source, in lower case. They are only removed, from every request.
    pub remove: Vec<String>,
    /// Edits the request: the filter or the router.
    pub by: ForwardBy,
}

/// Edits the headers of an allowed request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardBy {
    /// The filter. Envoy matches routes again after the edit.
    #[default]
    Filter,
    /// Envoy's router, as the route configuration says, once the route is final. The filter publishes the values as
    /// filter state, and removes only identity headers that the client sent.
    Router,
}

/// Whether the token goes upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenForwarding {
    /// It is removed: an upstream cannot leak what it never had.
    #[default]
    Strip,
    /// It stays.
    Keep,
}

/// A request header that is made from a claim, and that no client can set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityHeader {
    /// Its name, in lower case.
    pub name: Rc<str>,
    /// Its source.
    pub source: HeaderSource,
    /// The key of filter state under which the router finds its value. Envoy adds the prefix `wasm.`.
    pub key: Rc<str>,
}

/// The source of an identity header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderSource {
    /// The scopes of the token, from all its scope claims, separated by a space.
    Scope,
    /// A claim.
    Claim(ClaimPath),
    /// The source of the credential: the name of its set, or `bearer`.
    Credential,
}

impl Forward {
    /// Whether there are identity headers, with or without a source.
    #[must_use]
    pub const fn has_identity_headers(&self) -> bool {
        !self.headers.is_empty() || !self.remove.is_empty()
    }

    /// Whether `name` is that of an identity header in any spelling: many upstreams read `_` as `-`, so a client could
    /// send `x_auth_subject`, or `x-auth_subject`, instead of `x-auth-subject`.
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
