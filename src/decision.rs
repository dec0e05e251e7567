//! What the engine answers: effects as data. Knows no status codes and no sentences for people.

mod credential_kind;
mod event;
mod further;
mod held;
mod message;
mod mismatch;
mod need;
mod published;
mod response;
mod reuse;
mod served;
mod signed_body;
mod step_up;

pub use credential_kind::CredentialKind;
pub use event::{EventFault, EventRefusal, Received as ReceivedEvent};
pub use further::FurtherReasons;
pub use held::{Held, HeldStatus, HeldVoucher, OpenStream};
pub use message::{MessageFault, MessageTrace, MessageWanted, VersionMismatch};
pub use mismatch::{FailedCondition, Mismatch, Received};
pub use need::{Inquiry, Need, NeedKind, PasswordJob};
pub use published::{Judged, Published};
pub use response::{ResponseEdits, ShownLists};
pub use reuse::ReuseEvent;
pub use served::{MetadataPart, Served};
pub use signed_body::SignedBody;
pub use step_up::StepUp;

use crate::base::details::Details;
use crate::base::names::{Fingerprint, Subject};
use crate::base::time::{Seconds, UnixSeconds};
use crate::policy::{Authority, MethodPart, RequirementPlace, ResourceId, Scope, Source};
use crate::revocation::Entry;
use std::borrow::Cow;
use std::rc::Rc;

/// What becomes of a request. Each answer carries the [`Trace`] of what decided.
#[derive(Debug, PartialEq)]
pub enum Decision {
    /// It goes on.
    Allow(Grant),
    /// It is refused.
    Deny(Refusal),
    /// It is answered, and nothing is refused.
    Serve(Served),
    /// It brings events, which are taken once what they revoke is stored; it goes nowhere.
    Receive(Box<ReceivedEvent>),
    /// Fetch this and ask again from the start. Each kind of need is awaited at most once for a request.
    Await(Pending),
}

impl Decision {
    /// What decided.
    #[must_use]
    pub const fn trace(&self) -> &Trace {
        match self {
            Self::Allow(grant) => &grant.trace,
            Self::Deny(refusal) => &refusal.trace,
            Self::Serve(served) => &served.trace,
            Self::Receive(received) => &received.trace,
            Self::Await(pending) => &pending.trace,
        }
    }
}

/// What decided a request: found once, by the engine. Records, metrics and the command read it and derive nothing again.
///
/// The name of the token is not in it, since it costs a digest: [`TokenTrace`] computes it on demand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Where the requirement is; `None` where none was found.
    pub requirement: Option<RequirementPlace>,
    /// Where the metadata is that adds to it, in `restrict` mode.
    pub added: Option<RequirementPlace>,
    /// The authority that the credential names, as soon as it is found among those of the policy. The credential is proven
    /// only where [`TokenTrace::verified`] says so.
    pub authority: Option<Authority>,
    /// The kind of credential that was judged.
    pub credential: Option<CredentialKind>,
    /// The sources of credentials that are good here, in the order of the requirement; `None`: tokens alone.
    pub sources: Option<Rc<[Source]>>,
    /// The authentication schemes with which a token is good here.
    pub schemes: Schemes,
    /// The resource that challenges name.
    pub resource: Option<ResourceId>,
    /// The MCP message, where messages are judged.
    pub message: Option<Box<MessageTrace>>,
    /// The scopes that are needed, where they are shown whatever is decided.
    pub needed: Option<Box<[Scope]>>,
    /// That one more client than expected shows the credential.
    pub reuse: Option<ReuseEvent>,
}

/// The authentication schemes of tokens that a requirement admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schemes {
    /// `Bearer` (RFC 6750): of tokens that are bound to no key.
    pub bearer: bool,
    /// `DPoP` (RFC 9449): of tokens that are bound to a key.
    pub dpop: bool,
}

/// The scheme that needs nothing but a token.
impl Default for Schemes {
    fn default() -> Self {
        Self { bearer: true, dpop: false }
    }
}

impl Trace {
    /// Whether the name of a requirement has the request's method in it.
    #[must_use]
    pub fn names_method(&self) -> bool {
        [self.requirement, self.added].into_iter().flatten().any(|place| place.part == MethodPart::Own)
    }
}

/// A request that cannot be decided yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// What is missing.
    pub need: Need,
    /// What decides.
    pub trace: Trace,
    /// The credential that it presented.
    pub token: Option<TokenTrace>,
    /// Whether it goes on even if what is missing does not come.
    pub report_only: bool,
    /// What is done to its headers if they go on before their message is here.
    pub grant: Option<Box<Grant>>,
}

/// A request that goes on, and what is done to it first.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    /// Why it may pass.
    pub basis: Basis,
    /// What decided.
    pub trace: Trace,
    /// The credential that it presented.
    pub token: Option<TokenTrace>,
    /// Names of request headers to remove, as the request spells them; each is there.
    pub remove: Vec<Cow<'static, str>>,
    /// Request headers to set, after the removals.
    pub set: Vec<(Rc<str>, String)>,
    /// Lists of which an item is taken out: the header, and what stays of it, which is not empty.
    pub shortened: Vec<(&'static str, Vec<u8>)>,
    /// What others read of the decision.
    pub published: Option<Box<Published>>,
    /// How many identity headers were left out because a claim cannot be a header value.
    pub left_out: u32,
    /// What is done with the response; `None`: it goes to the client as it comes.
    pub response: Option<Box<ResponseEdits>>,
    /// What the body has to be, which is still to come; `None`: anything.
    pub signed_body: Option<Box<SignedBody>>,
    /// When its stream is closed, if that is still open; `None`: never.
    pub open: Option<Box<OpenStream>>,
}

impl Grant {
    /// The values that the router sets headers from.
    #[must_use]
    pub fn identity(&self) -> &[(Rc<str>, String)] {
        self.published.as_deref().map_or(&[], |published| &published.identity)
    }

    /// What it was judged by, where that is to be compared with what serves it.
    #[must_use]
    pub fn judged(&self) -> Option<&Judged> {
        self.published.as_deref().and_then(|published| published.judged.as_ref())
    }
}

/// Why a request may pass.
#[derive(Clone, Debug, PartialEq)]
pub enum Basis {
    /// Its credential meets everything.
    Token,
    /// The requirement is public.
    Public,
    /// It has no credential, and the requirement allows that.
    Missing,
    /// It is a CORS preflight.
    Preflight,
    /// It would have been refused, were this not report-only.
    ReportOnly(Denial),
}

/// A request that is refused.
#[derive(Debug, PartialEq)]
pub struct Refusal {
    /// Why.
    pub denial: Denial,
    /// What decided.
    pub trace: Trace,
    /// The credential that it presented, as far as it could be read.
    pub token: Option<TokenTrace>,
}

/// A credential as records name it: never by its text.
#[derive(Clone, Debug)]
pub struct TokenTrace {
    /// `base64url(SHA-256(signing input))[..22]` of a JWT; of an opaque token, `base64url(SHA-256(token))[..22]`, once its
    /// issuer has said that it made it. Nothing else has one: a digest of a secret could be compared with guesses.
    pub fingerprint: Option<Fingerprint>,
    /// Who issued it and for whom, once its signature has been checked, or its secret found.
    pub verified: Option<VerifiedIdentity>,
    /// Why it was refused: what it has, and what was wanted.
    pub mismatch: Option<Box<Mismatch>>,
    /// Whether it was remembered; `None` for what is never remembered.
    pub remembered: Option<bool>,
}

/// Whether it was remembered is no part of a decision, which remembering does not change.
impl PartialEq for TokenTrace {
    fn eq(&self, other: &Self) -> bool {
        (&self.fingerprint, &self.verified, &self.mismatch) == (&other.fingerprint, &other.verified, &other.mismatch)
    }
}

/// What is known of a credential that has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedIdentity {
    /// Its issuer, or its set.
    pub authority: Authority,
    /// Its `sub`.
    pub subject: Option<Rc<Subject>>,
    /// The id of the identity in its set.
    pub identity: Option<Rc<String>>,
    /// When its time is over.
    pub expires_at: Option<UnixSeconds>,
    /// What records show of it beside.
    pub details: Rc<Details>,
}

macro_rules! denials {
    ($($(#[doc = $doc:literal])* $variant:ident $({ $($field:ident: $type:ty),* })? $(($tuple:ty))? => $name:literal,)*) => {
        /// Why a request is refused: a variant for each reason.
        ///
        /// Not `#[non_exhaustive]`: a new reason must break every `match` that gives it a status, a challenge and a
        /// counter.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Denial {
            $($(#[doc = $doc])* $variant $({
                $(
                    #[expect(missing_docs, reason = "the variant's text names its fields")]
                    $field: $type,
                )*
            })? $(($tuple))?,)*
        }

        /// A reason by name alone, for counters and audit records.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "the same as in Denial")]
        pub enum Reason { $($variant,)* }

        impl Reason {
            /// All reasons, in the order of the checks.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in counters, audit records and `%RESPONSE_CODE_DETAILS%`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }

        impl Denial {
            /// The reason by name.
            #[must_use]
            pub const fn reason(&self) -> Reason {
                match self { $(Self::$variant { .. } => Reason::$variant,)* }
            }
        }
    };
}

denials! {
    /// A token of events is refused.
    InvalidEvent(EventRefusal) => "invalid_event",
    /// There is no room for what an event revokes.
    EventsFull => "events_full",
    /// The query string holds a token (RFC 9700 section 4.3.2).
    TokenInQuery => "token_in_query",
    /// The requirement in route or virtual host metadata cannot be read.
    PolicyUnreadable => "policy_unreadable",
    /// The host did not hand the request over, or did not make the edits that the decision asks for.
    HostFailure => "host_failure",
    /// A rule would have to judge a path that can be read in more than one way.
    AmbiguousPath => "ambiguous_path",
    /// A rule would have to judge a host that is none.
    AmbiguousHost => "ambiguous_host",
    /// Clients look for metadata of resources there, and there is none.
    NoMetadata => "no_metadata",
    /// The requirement lets no request pass.
    Denied => "denied",
    /// A page of another site may have sent it with a credential that the browser adds; the text says why.
    CrossSite(&'static str) => "cross_site",
    /// A page may send no MCP messages; the text says why.
    ForeignOrigin(&'static str) => "foreign_origin",
    /// The MCP server has other hosts.
    MisdirectedHost => "misdirected_host",
    /// An MCP server is asked with POST, GET and DELETE alone.
    MethodNotAllowed => "method_not_allowed",
    /// No credential that is read here, or only a part of a combination; `scope` is what the route needs.
    NoCredential { scope: Vec<Scope> } => "no_credential",
    /// The `authorization` header does not follow its grammar; the text says where.
    MalformedHeader(&'static str) => "malformed_header",
    /// More than one credential (RFC 6750 section 2).
    MultipleCredentials => "multiple_credentials",
    /// An API key, or a user name and a password, cannot be one; the text says why.
    MalformedCredential(&'static str) => "malformed_credential",
    /// The signature of the request does not follow the grammar of its form, or can be read in more than one way; the text
    /// says where.
    MalformedSignature(&'static str) => "malformed_signature",
    /// Something that has to be signed is not; the text names it.
    SignatureIncomplete(String) => "signature_incomplete",
    /// The request has a body that its signature does not cover; the text says why.
    BodyUnsigned(&'static str) => "body_unsigned",
    /// The time of the signature is over, or has not come; the text says which.
    Stale(&'static str) => "stale",
    /// The body has to be read before the signature can be judged, and the host does not hand it over.
    BodyUnreadable => "body_unreadable",
    /// The API key or the user name is of no identity of its set.
    UnknownIdentity => "unknown_identity",
    /// The identities of its set are not there, or too old.
    IdentitiesUnavailable => "identities_unavailable",
    /// The password is not that of the user, who is configured.
    WrongSecret { identity: Rc<String> } => "wrong_secret",
    /// The time of the identity is over, or that of the secret.
    CredentialExpired { expired_at: UnixSeconds, now: UnixSeconds } => "credential_expired",
    /// The token is longer than the limit.
    TokenTooLarge => "token_too_large",
    /// The token is no JWT in compact serialization; the text says why.
    MalformedToken(&'static str) => "malformed_token",
    /// The token is opaque, and its issuer says that it is not active.
    Inactive => "inactive",
    /// The token is opaque, and its issuer did not say whether it is active.
    IntrospectionUnavailable => "introspection_unavailable",
    /// The token's `iss` is none of the configured issuers, or none that is good here.
    UnknownIssuer => "unknown_issuer",
    /// The token's `alg` is unknown, or not one that its issuer may use.
    AlgorithmNotAllowed => "algorithm_not_allowed",
    /// The token's `typ` is not accepted, or it is an ID token.
    WrongType => "wrong_type",
    /// The token is meant for another audience.
    WrongAudience => "wrong_audience",
    /// The token's time is over.
    Expired { expired_at: UnixSeconds, now: UnixSeconds } => "expired",
    /// The token's time has not come.
    NotYetValid { not_before: UnixSeconds, now: UnixSeconds } => "not_yet_valid",
    /// The token says that it was issued in the future.
    IssuedInFuture { issued_at: UnixSeconds, now: UnixSeconds } => "issued_in_future",
    /// The token was issued for longer than is accepted, or does not say when it was issued.
    LifetimeTooLong { limit: Seconds } => "lifetime_too_long",
    /// The token was issued too long ago, or does not say when.
    TooOld { limit: Seconds } => "too_old",
    /// A claim that must be there is not; the text names it.
    MissingClaim(String) => "missing_claim",
    /// The issuer has no key for the token's `kid` and `alg`.
    UnknownKey => "unknown_key",
    /// No candidate key verifies the signature.
    BadSignature => "bad_signature",
    /// The body is not the one whose digest has been signed (RFC 9530).
    DigestMismatch => "digest_mismatch",
    /// The issuer's keys are not there.
    KeysUnavailable => "keys_unavailable",
    /// Too many requests wait, the time set aside for signatures and passwords is used up, or the replay store has no room.
    TooBusy => "too_busy",
    /// The credential has been revoked; the text says by what the entry names it, or what its status list says.
    Revoked(&'static str) => "revoked",
    /// A revocation list or a status list is not there, or too old.
    RevocationUnavailable => "revocation_unavailable",
    /// The token is not bound to its sender, or not in the way that is asked for.
    NotBound => "not_bound",
    /// The token is bound to something that the sender cannot prove to hold here; the text says why.
    BoundToAnother(&'static str) => "bound_to_another",
    /// The token is bound to a key, and the request does not prove that its sender holds it; the text says why.
    ProofMissing(&'static str) => "proof_missing",
    /// The proof is none, or not of this request, or not of this token; the text says why.
    InvalidProof(&'static str) => "invalid_proof",
    /// The proof has no nonce, or one that is good no longer; the text is one that is.
    UseNonce(String) => "use_nonce",
    /// The token is bound to a certificate, and the connection has no or another one; the text says which.
    CertificateMismatch(&'static str) => "certificate_mismatch",
    /// The user has not authenticated as the requirement asks, or too long ago (RFC 9470).
    StepUpNeeded(Box<StepUp>) => "step_up_needed",
    /// More clients show the credential than may; `step_up` is what a new one is asked for beside, and `revoked` what is to be
    /// revoked for it.
    Reused { step_up: Option<Box<StepUp>>, revoked: Option<Box<Entry>> } => "reused",
    /// The token lacks a scope; `scope` is what the route needs, and `missing` what of it is not granted.
    InsufficientScope { scope: Vec<Scope>, missing: Vec<Scope> } => "insufficient_scope",
    /// A condition on a claim does not hold; the text names the claim.
    ClaimMismatch(String) => "claim_mismatch",
    /// The session id of an MCP client was not handed out to who sends it; the text says why it is known.
    ForeignSession(&'static str) => "foreign_session",
    /// The body of an MCP message is none in JSON, or it is compressed; the text says why.
    UnsupportedMediaType(&'static str) => "unsupported_media_type",
    /// An MCP message is longer than the limit, in bytes.
    BodyTooLarge { limit: u32 } => "body_too_large",
    /// The body is no MCP message that every reader reads alike; the text says why.
    InvalidMessage { fault: MessageFault, why: &'static str } => "invalid_message",
    /// The revision of MCP is not accepted.
    UnsupportedVersion(Box<VersionMismatch>) => "unsupported_version",
    /// The headers of an MCP message do not say what its body says; the text says which.
    HeaderMismatch(&'static str) => "header_mismatch",
    /// No revision of MCP has the method, and no rule names it.
    UnknownMethod { is_stateless: bool } => "unknown_method",
    /// A rule would have to judge a URI that servers read in more than one way.
    AmbiguousUri => "ambiguous_uri",
    /// The proof has been used before.
    ProofReplayed => "proof_replayed",
    /// The token is good once, and has been used.
    Replayed => "replayed",
    /// The service of the fleet did not say whether the token or the proof has been used.
    ReplayUnavailable => "replay_unavailable",
    /// The response of an MCP server has a session id that cannot be bound; the text says why.
    UnusableSession(&'static str) => "unusable_session",
    /// The response of an MCP server may hold a list, and cannot be read in one way; the text says why.
    UnusableList(&'static str) => "unusable_list",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_name_of_its_own() {
        let mut names: Vec<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Reason::ALL.len());
        assert_eq!(Denial::MissingClaim("sub".into()).reason().name(), "missing_claim");
    }
}
