//! The compiled policy: immutable and checked, with nothing left to parse. No serde, no host, no time.

mod api_keys;
mod audit;
mod authority;
mod certificates;
mod close_streams;
mod cookie;
mod credential_rule;
mod credential_set;
mod csrf;
mod discovery;
mod dpop;
mod endpoint;
mod forward;
mod forwarded_certificate;
mod implied_scopes;
mod introspection;
mod issuer;
mod matching;
mod mcp;
mod passwords;
mod path;
mod place;
mod prefixes;
mod published;
mod query;
mod remote_identities;
mod replay_service;
mod request_part;
mod requirement;
mod resource;
mod reuse;
mod revocation;
mod rule_index;
mod rules;
mod scope;
mod security_events;
mod sender_constraint;
mod settings;
mod signatures;
mod status_list;
mod target_uri;
mod template;
mod token_place;
mod uses;

pub use api_keys::{ApiKeys, KeyPlace, Secret, Secrets, in_order};
pub use audit::{
    AuditField, AuditFields, AuditSettings, FilterStateScope, LogSample, LogScope, RecordForm, Salt, SubjectForm,
};
pub use authority::{Authority, BEARER};
pub use certificates::{Certificates, digest_of_dns, digest_of_uri};
pub use close_streams::{CloseStreams, WhenFull};
pub use cookie::{COOKIE, Cookie, HOST_PREFIX};
pub use credential_rule::{Choice, CredentialRule, Source};
pub use credential_set::{AUTHORIZATION, CredentialSet, Identity, SIGNATURE_HEADERS, SetId, SetKind};
pub use csrf::Csrf;
pub use discovery::jwks_endpoint;
pub use dpop::{Dpop, NoncePolicy};
pub use endpoint::Endpoint;
pub use forward::{Forward, ForwardBy, HeaderSource, IdentityHeader, TokenForwarding, same_header};
pub use forwarded_certificate::{CertificateHeader, ForwardedCertificate, TrustedPeer};
pub use implied_scopes::ImpliedScopes;
pub use introspection::Introspection;
pub use issuer::{Issuer, IssuerId, KeyOrigin, KeySource, RemoteKeys, TokenTypes, is_generic_type};
pub use matching::{Ambiguity, HostMatch, Match, MethodSet, PathMatch, Rule};
pub use mcp::{
    DEFAULT_BODY_BYTES, Item, ItemRule, ItemRules, Items, Listed, Lists, MAX_SESSION_ID, Mcp, Pattern, Refused,
    SESSION_ID, SessionBinding, SessionKeys, server_session_id,
};
pub use passwords::{MAX_PASSWORD, MAX_USER, Passwords, UserSecrets, WrittenSecrets};
pub use path::{PathForms, PathPolicy, is_unambiguous};
pub use place::{MethodPart, RequirementPlace, RequirementSource};
pub use published::{JUDGED_ROUTE, JUDGED_VIRTUAL_HOST, RECORD, identity_key};
pub use query::QueryPolicy;
pub use remote_identities::{FetchedSet, HolderKind, IdentityTerms};
pub use replay_service::{FleetClaim, Pool, ReplayPlace, ReplayService, ServiceForm};
pub use request_part::{HostPattern, RequestPart};
pub use requirement::{Access, ClaimCondition, Condition, Requirement, TokenRequirement};
pub use resource::{NoIdentifier, Resource, ResourceId, ResourceIdentifier};
pub use reuse::{ClientForm, MAX_CLIENTS, Reuse, ReuseAction, Space};
pub use revocation::{RemoteList, RevocationSettings, WhenStale};
pub use rules::{FoundRule, Rules};
pub use scope::{Scope, ScopeRule, ScopeSet};
pub use security_events::{EventKeys, EventPoll, EventSource, SecurityEvents};
pub use sender_constraint::SenderConstraint;
pub use settings::{CacheLimits, CryptoPlace, Limits, ReplaySettings, Settings, SharedKeys};
pub use signatures::{
    MAX_KEY_ID, SharedKey, SignatureForm, SignatureReplay, SignatureTerms, Signatures, SigningKey, SigningMaterial,
};
pub use status_list::{ListCluster, StatusListPolicy};
pub use target_uri::TargetUri;
pub use template::{PathVariable, Template, TemplateError};
pub use token_place::{TokenHeader, TokenPlace, TokenPlaces, WEBSOCKET_PROTOCOL};
pub use uses::Uses;

use std::rc::Rc;

/// The default of `limits.token_bytes`.
pub const DEFAULT_TOKEN_BYTES: usize = 8192;

/// Everything that judges a request. What the shell and the command need beside it is in [`Settings`].
#[derive(Debug)]
pub struct Policy {
    /// The optional facts that it uses.
    pub uses: Uses,
    /// The issuers whose tokens are accepted. Never empty if a requirement asks for a token.
    pub issuers: Vec<Issuer>,
    /// Where requests have their tokens.
    pub token_places: TokenPlaces,
    /// The resources that requirements name, and that clients find the issuers of.
    pub resources: Vec<Resource>,
    /// The sets of credentials beside tokens.
    pub credentials: Vec<CredentialSet>,
    /// Tried in order; the first match decides.
    pub rules: Rules,
    /// Applies when no rule matches.
    pub default: Requirement,
    /// How requirements in route and virtual host metadata apply.
    pub route_metadata: RouteMetadata,
    /// Which query parameters are refused.
    pub query: QueryPolicy,
    /// What goes upstream.
    pub forward: Forward,
    /// Whether the names of the route and virtual host that a request was judged by are published, so that a later
    /// filter can compare them with those that serve it.
    pub seal: bool,
    /// How proofs of possession are judged; without it no token that is bound to a key is accepted.
    pub dpop: Option<Dpop>,
    /// Where the certificate of a client is found whose TLS connection ends at another proxy; without it, that of the
    /// connection counts alone.
    pub forwarded_certificate: Option<ForwardedCertificate>,
    /// Whether CORS preflight requests pass without a token.
    pub bypass_cors_preflight: bool,
    /// Which ambiguous forms of a path are admitted.
    pub paths: PathPolicy,
    /// How clients are counted that show one credential, where a requirement does not say so itself.
    pub reuse: Option<Rc<Reuse>>,
    /// The events that revoke; `None`: none are taken.
    pub events: Option<SecurityEvents>,
    /// Whether nothing is refused, only counted.
    pub report_only: bool,
    /// The longest token, in bytes.
    pub token_bytes: usize,
    /// The longest body that is read whole before the signature of its request is judged, in bytes.
    pub signed_body_bytes: u32,
}

impl Policy {
    /// The first field that is met only where the module is called for responses, by its path.
    #[must_use]
    pub fn needs_responses(&self) -> Option<String> {
        let of_rules = self.rules.as_slice().iter().enumerate();
        let of_default = || Some(["default.", &self.default.needs_responses()?].concat());
        of_rules
            .map(|(index, rule)| {
                Some(["rules[", &index.to_string(), "].", &rule.requirement.needs_responses()?].concat())
            })
            .find_map(|field| field)
            .or_else(of_default)
    }

    /// Whether a value begins as the keys of a set do.
    #[must_use]
    pub fn is_key(&self, value: &[u8]) -> bool {
        let places = self.credentials.iter().flat_map(CredentialSet::key_places);
        places.filter_map(|place| place.prefix.as_deref()).any(|prefix| value.starts_with(prefix.as_bytes()))
    }

    /// The sets whose identities are in a document, in their order.
    pub fn remote_sets(&self) -> impl Iterator<Item = &CredentialSet> {
        self.credentials.iter().filter(|set| set.remote.is_some())
    }

    /// The cookies that hold tokens.
    pub fn cookies(&self) -> impl Iterator<Item = &Cookie> {
        self.credentials.iter().filter_map(CredentialSet::cookie)
    }

    /// Whether a cookie of this name holds tokens.
    #[must_use]
    pub fn is_cookie(&self, name: &[u8]) -> bool {
        self.cookies().any(|cookie| cookie.name.as_bytes() == name)
    }

    /// The lists of which a credential is taken out, once each.
    #[must_use]
    pub fn credential_lists(&self) -> Vec<&'static str> {
        let of_cookies = self.cookies().next().map(|_| COOKIE);
        let of_sockets = self.token_places.websocket_protocol.then_some(WEBSOCKET_PROTOCOL);
        of_cookies.into_iter().chain(of_sockets).collect()
    }

    /// The headers that hold a credential and nothing else, once each: those of tokens, and those of sets.
    #[must_use]
    pub fn credential_headers(&self) -> Vec<&str> {
        let mut headers: Vec<&str> = self.token_places.authorization.then_some(AUTHORIZATION).into_iter().collect();
        let of_tokens = self.token_places.headers.iter().map(|header| header.name.as_str());
        for header in of_tokens.chain(self.credentials.iter().flat_map(CredentialSet::headers)) {
            if !headers.contains(&header) {
                headers.push(header);
            }
        }
        headers
    }

    /// Whether credentials have places other than `authorization`.
    #[must_use]
    pub const fn uses_other_places(&self) -> bool {
        !self.credentials.is_empty() || self.token_places.has_others()
    }

    /// Whether some header may not be among trailers.
    fn bars_trailers(&self) -> bool {
        let credentials = !self.report_only && (self.token_places.authorization || self.uses_other_places());
        credentials || self.forward.has_identity_headers() || self.forwarded_certificate.is_some()
    }

    /// Whether a header may not be among trailers, which nothing judges: an identity header, one with a client's
    /// certificate, and where requests are refused, one that can hold a credential or a session id (RFC 9110 section 6.5.1).
    #[must_use]
    pub fn is_barred_trailer(&self, name: &[u8]) -> bool {
        let is_credential = || {
            let mut places = self.credential_headers();
            places.extend(self.credential_lists());
            places.iter().any(|place| same_header(place.as_bytes(), name))
        };
        let is_barred = || is_credential() || same_header(SESSION_ID.as_bytes(), name);
        self.forward.is_identity_header(name)
            || self.forwarded_certificate.as_ref().is_some_and(|of| of.is_header(name))
            || !self.report_only && is_barred()
    }
}

/// How requirements in route and virtual host metadata apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RouteMetadata {
    /// They replace `rules` and `default`.
    #[default]
    Replace,
    /// They are added to `rules` and `default`: both must be met.
    Restrict,
    /// They are not read.
    Ignore,
}
