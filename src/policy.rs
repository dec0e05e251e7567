//! The compiled policy: immutable, checked, ready to be asked. No serde, no host, no time, nothing left to parse.

mod authority;
mod discovery;
mod endpoint;
mod forward;
mod issuer;
mod matching;
mod path;
mod place;
mod published;
mod query;
mod request_part;
mod requirement;
mod revocation;
mod rule_index;
mod rules;
mod scope;
mod template;
mod uses;

pub use authority::Authority;
pub use discovery::jwks_endpoint;
pub use endpoint::Endpoint;
pub use forward::{Forward, ForwardBy, HeaderSource, IdentityHeader, TokenForwarding, same_header};
pub use issuer::{Issuer, IssuerId, KeyOrigin, KeySource, RemoteKeys, TokenTypes, is_generic_type};
pub use matching::{Ambiguity, HostMatch, Match, MethodSet, PathMatch, Rule};
pub use path::{PathForms, PathPolicy, is_unambiguous};
pub use place::{MethodPart, RequirementPlace, RequirementSource};
pub use published::{JUDGED_ROUTE, JUDGED_VIRTUAL_HOST, RECORD, identity_key};
pub use query::QueryPolicy;
pub use request_part::{HostPattern, RequestPart};
pub use requirement::{Access, ClaimCondition, Condition, Requirement, TokenRequirement};
pub use revocation::{RemoteList, RevocationPolicy, WhenStale};
pub use rules::{FoundRule, Rules};
pub use scope::{Scope, ScopeRule, ScopeSet};
pub use template::{PathVariable, Template, TemplateError};
pub use uses::Uses;

/// Everything that a request is judged by.
#[derive(Debug)]
pub struct Policy {
    /// Which optional facts it asks for.
    pub uses: Uses,
    /// Whose tokens are accepted. Never empty where a requirement asks for a token.
    pub issuers: Vec<Issuer>,
    /// Tried in order; the first match decides.
    pub rules: Rules,
    /// What holds when nothing else matches.
    pub default: Requirement,
    /// What becomes of requirements in route and virtual host metadata.
    pub route_metadata: RouteMetadata,
    /// What is looked for in query strings.
    pub query: QueryPolicy,
    /// What goes upstream.
    pub forward: Forward,
    /// Whether the names of the route and the virtual host that a request was judged by are published, so that a filter
    /// behind this one can compare them with those that serve it.
    pub seal: bool,
    /// The `realm` of challenges.
    pub realm: String,
    /// Whether CORS preflight requests pass without a token.
    pub bypass_cors_preflight: bool,
    /// Which ambiguous forms of a path are admitted.
    pub paths: PathPolicy,
    /// Whether nothing is refused, only counted.
    pub report_only: bool,
    /// Where signatures are checked.
    pub crypto: CryptoPlace,
    /// How many verified tokens are remembered.
    pub cache: CacheLimits,
    /// What is revoked.
    pub revocation: RevocationPolicy,
    /// Whether the workers of a process share what they fetch.
    pub shared_keys: SharedKeys,
    /// Bounds.
    pub limits: Limits,
    /// What an audit record says.
    pub audit: AuditPolicy,
}

/// What becomes of requirements in route and virtual host metadata.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RouteMetadata {
    /// They take the place of `rules` and `default`.
    #[default]
    Replace,
    /// They are added to what `rules` and `default` ask: both must hold.
    Restrict,
    /// They are not read.
    Ignore,
}

/// Where signatures are checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CryptoPlace {
    /// By the host what it can check, the rest in the VM.
    #[default]
    Auto,
    /// As `Auto`, but a host that cannot check signatures is an error.
    Host,
    /// All in the VM.
    Wasm,
}

/// How much the verified-token cache of one worker may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheLimits {
    /// Tokens; 0 turns the cache off.
    pub entries: usize,
    /// Bytes of memory, about.
    pub bytes: usize,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self { entries: 10_000, bytes: 8_388_608 }
    }
}

/// Whether the workers of a process share what they fetch, through memory that every plugin with the same `vm_id` can
/// write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SharedKeys {
    /// Where the plugin has a `vm_id`.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere: each worker fetches for itself.
    Never,
}

/// Bounds against hostile or broken input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The longest token, in bytes.
    pub token_bytes: usize,
    /// The largest key set document, in bytes.
    pub jwks_bytes: usize,
    /// The most keys in a set.
    pub jwks_keys: usize,
    /// The most requests of one worker that may wait for keys.
    pub waiting_requests: usize,
    /// The most denials of one worker that are logged in a second.
    pub denial_logs_per_second: u32,
    /// The share of each second, in percent, that one worker may spend on checking signatures in the VM.
    pub wasm_crypto_percent: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            token_bytes: 8192,
            jwks_bytes: 1_048_576,
            jwks_keys: 100,
            waiting_requests: 256,
            denial_logs_per_second: 10,
            wasm_crypto_percent: 50,
        }
    }
}

/// What an audit record says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditPolicy {
    /// How the subject is shown.
    pub subject: SubjectForm,
    /// For which decisions the record is put into Envoy's filter state.
    pub filter_state: FilterStateScope,
    /// In which form it is put there.
    pub record: RecordForm,
}

/// How the subject of a verified token is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SubjectForm {
    /// As it is.
    #[default]
    Plain,
    /// As `base64url(SHA-256(sub))[..22]`.
    Hash,
    /// Not at all.
    Omit,
}

/// In which form the audit record is put into Envoy's filter state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecordForm {
    /// Bytes: the text of a JSON object.
    #[default]
    Text,
    /// A `google.protobuf.Struct`.
    Object,
}

/// For which decisions the audit record is put into Envoy's filter state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FilterStateScope {
    /// All.
    #[default]
    All,
    /// Refusals only, those of report-only included.
    Denials,
    /// None.
    None,
}
