//! The issuers whose tokens are accepted, and what their tokens must always meet.

use super::{Endpoint, ImpliedScopes, Introspection, SenderConstraint, StatusListPolicy, TokenHeader, TokenPlace};
use crate::base::time::Seconds;
use crate::crypto::AlgorithmSet;
use crate::jose::{ClaimPath, KeySet, type_name};
use std::rc::Rc;

/// The position of an issuer in the policy. Keys are looked up by it, so that the same `kid` under two issuers
/// never crosses (RFC 8725 section 3.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IssuerId(pub usize);

/// An issuer of tokens.
#[derive(Debug)]
pub struct Issuer {
    /// Compared with `iss` exactly, byte by byte (RFC 7519 section 4.1.1).
    pub issuer: String,
    /// Its name in audit records and in requirements.
    pub name: String,
    /// A token must name one of these, exactly (RFC 7519 section 4.1.3).
    pub audiences: Vec<String>,
    /// The claims that hold the audience; the first one present decides.
    pub audience_claims: Vec<ClaimPath>,
    /// Where the keys come from.
    pub keys: KeySource,
    /// The algorithms that it may sign with.
    pub algorithms: AlgorithmSet,
    /// The accepted JOSE `typ`.
    pub token_types: TokenTypes,
    /// Whether ID tokens are accepted where `JWT` or a missing `typ` is.
    pub id_tokens: bool,
    /// The difference between clocks that is tolerated.
    pub leeway: Seconds,
    /// The longest `exp - iat`.
    pub max_lifetime: Option<Seconds>,
    /// Claims that must be present, beyond `iss`, `exp` and the audience.
    pub required_claims: Vec<ClaimPath>,
    /// Claims that hold scopes; the scopes of all are combined.
    pub scope_claims: Vec<ClaimPath>,
    /// Scopes that include others.
    pub implies: ImpliedScopes,
    /// What is asked of the senders of its tokens. No requirement asks less.
    pub sender_constraint: SenderConstraint,
    /// How the `status` claim is honoured; `None` where it is not.
    pub status_list: Option<StatusListPolicy>,
    /// The header of its tokens; `None`: `authorization`.
    pub token_header: Option<TokenHeader>,
    /// Whether its tokens may also be among the subprotocols of a WebSocket handshake.
    pub websocket_protocol: bool,
    /// How it is asked about opaque tokens; `None` where it has none.
    pub introspection: Option<Introspection>,
}

impl Issuer {
    /// Whether its tokens may be in this place.
    #[must_use]
    pub fn has_tokens_in(&self, place: TokenPlace<'_>) -> bool {
        match place {
            TokenPlace::Authorization => self.token_header.is_none(),
            TokenPlace::Header(header) => self.token_header.as_ref() == Some(header),
            TokenPlace::WebSocketProtocol => self.websocket_protocol,
            TokenPlace::Cookie(_) => true,
        }
    }
}

/// Where an issuer's keys come from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// From the configuration: an inline key set, configured secrets, or both.
    Configured(Rc<KeySet>),
    /// From a document that is fetched.
    Remote(RemoteKeys),
}

/// A key set that is fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteKeys {
    /// Where it is.
    pub origin: KeyOrigin,
    /// How long a set is used before it is fetched again.
    pub refresh: Seconds,
    /// The timeout, in milliseconds.
    pub timeout_ms: u32,
    /// How long good keys outlive an issuer that cannot be reached.
    pub max_stale: Seconds,
    /// How often a token with an unknown `kid` may cause a fetch, beyond a burst of three.
    pub unknown_kid_interval: Seconds,
}

/// Where a key set is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyOrigin {
    /// At this address.
    Document(Endpoint),
    /// Where the issuer's metadata says (RFC 8414, OpenID Connect Discovery 1.0).
    Discovery {
        /// The addresses where the metadata may be, in order.
        metadata: Vec<Endpoint>,
        /// The Envoy cluster that serves the key set.
        jwks_cluster: String,
    },
}

impl RemoteKeys {
    /// The Envoy clusters that requests are sent to.
    #[must_use]
    pub fn clusters(&self) -> Vec<&str> {
        match &self.origin {
            KeyOrigin::Document(endpoint) => vec![&endpoint.cluster],
            KeyOrigin::Discovery { metadata, jwks_cluster } => {
                let mut clusters: Vec<&str> =
                    metadata.first().map(|endpoint| endpoint.cluster.as_str()).into_iter().collect();
                if !clusters.contains(&jwks_cluster.as_str()) {
                    clusters.push(jwks_cluster);
                }
                clusters
            }
        }
    }
}

/// Accepted values of the JOSE header parameter `typ`
/// ([RFC 7515 section 4.1.9](https://www.rfc-editor.org/rfc/rfc7515#section-4.1.9)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenTypes {
    /// Media types in lower case, without `application/`.
    types: Vec<String>,
    /// Whether a token without `typ` is accepted.
    missing: bool,
}

impl TokenTypes {
    /// The set of these names; `missing` means no `typ`.
    #[must_use]
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut set = Self::default();
        for name in names {
            if name == "missing" {
                set.missing = true;
            } else {
                set.types.push(type_name(name).to_ascii_lowercase());
            }
        }
        set
    }

    /// The accepted types, without `application/`.
    #[must_use]
    pub fn types(&self) -> &[String] {
        &self.types
    }

    /// Whether a token with this `typ` is accepted: any case, `application/` implied where there is no slash.
    #[must_use]
    pub fn accept(&self, typ: Option<&str>) -> bool {
        typ.map_or(self.missing, |typ| {
            let name = type_name(typ);
            self.types.iter().any(|known| known.eq_ignore_ascii_case(name))
        })
    }
}

/// Whether `typ` leaves open what kind of token it is: `JWT`, or nothing.
#[must_use]
pub fn is_generic_type(typ: Option<&str>) -> bool {
    typ.is_none_or(|typ| type_name(typ).eq_ignore_ascii_case("jwt"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_compared_as_media_types() {
        let strict = TokenTypes::new(["at+jwt"]);
        for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"] {
            assert!(strict.accept(Some(typ)), "{typ}");
        }
        for typ in ["JWT", "dpop+jwt", "logout+jwt", "secevent+jwt", "text/at+jwt", " at+jwt", "at+jwt ", ""] {
            assert!(!strict.accept(Some(typ)), "{typ:?}");
        }
        assert!(!strict.accept(None));
    }

    #[test]
    fn a_missing_type_is_accepted_only_where_it_is_written() {
        assert!(TokenTypes::new(["at+jwt", "missing"]).accept(None));
        assert!(!TokenTypes::new(["missing"]).accept(Some("missing")));
        assert!(TokenTypes::new(["JWT"]).accept(Some("jwt")));
    }

    #[test]
    fn application_is_implied_for_names_without_a_slash_only() {
        let types = TokenTypes::new(["text/token"]);
        assert!(types.accept(Some("Text/Token")));
        assert!(!types.accept(Some("application/text/token")));
        assert!(!TokenTypes::new(["at+jwt"]).accept(Some("application/application/at+jwt")));
    }
}
