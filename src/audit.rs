//! What operators see of a decision: a record, a log line, a counter. Never a token, a secret, or text of a request
//! that could forge a line.

mod encoding;
mod mismatch;

pub use encoding::listed;
pub use mismatch::Cause;

use crate::base::names::Subject;
use crate::base::protobuf::put_field;
use crate::base::text::{escaped, shown};
use crate::checks::fingerprint;
use crate::decision::{Basis, CredentialKind, Decision, Denial, FurtherReasons, Reason, TokenTrace};
use crate::policy::{AuditSettings, MethodPart, Policy, RequirementPlace, SubjectForm};
use encoding::{
    ENTRY_KEY, ENTRY_VALUE, JSON_BYTES, STRUCT_BYTES, STRUCT_FIELDS, Shown, VALUE_LIST, VALUE_STRING, VALUE_STRUCT,
    push_json, struct_list, struct_of,
};
use std::borrow::Cow;

/// What became of a request, as counters count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It went on.
    Allowed,
    /// It was refused.
    Denied(Reason),
    /// It went on, and would have been refused, were this not report-only.
    WouldDeny(Reason),
    /// It was answered with the metadata of a resource.
    Served,
}

/// The record of one decision.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditRecord<'d> {
    /// What became of the request.
    pub outcome: Outcome,
    further: FurtherReasons,
    /// Why the request was refused, or would have been.
    denial: Option<&'d Denial>,
    issuer: Option<&'d str>,
    identity: Option<Cow<'d, str>>,
    subject: Option<Cow<'d, str>>,
    fingerprint: Option<(&'static str, &'d str)>,
    unverified_issuer: Option<&'d str>,
    cause: Option<Cause<'d>>,
    is_verified: bool,
    requirement: Option<Cow<'static, str>>,
    added_requirement: Option<Cow<'static, str>>,
    credential: Option<CredentialKind>,
    set: Option<&'d str>,
    message: Option<MessageNames>,
    request: Option<RequestNames>,
}

/// What an MCP message is about.
#[derive(Clone, Debug, PartialEq, Eq)]
struct MessageNames {
    method: Option<String>,
    name: Option<String>,
}

/// What finds a request again.
#[derive(Clone, Debug, PartialEq, Eq)]
struct RequestNames {
    route: Option<String>,
    id: Option<String>,
}

impl Outcome {
    /// What became of a request; `None` while it is awaited.
    #[must_use]
    pub fn of(decision: &Decision) -> Option<Self> {
        match decision {
            Decision::Await(_) => None,
            Decision::Deny(refusal) => Some(Self::Denied(refusal.denial.reason())),
            Decision::Serve(_) => Some(Self::Served),
            Decision::Allow(grant) => Some(match &grant.basis {
                Basis::ReportOnly(denial) => Self::WouldDeny(denial.reason()),
                Basis::Token | Basis::Public | Basis::Missing | Basis::Preflight => Self::Allowed,
            }),
        }
    }

    /// The counter's name.
    #[must_use]
    pub fn counter(self) -> String {
        match self {
            Self::Allowed => "scopegate.allowed".to_owned(),
            Self::Denied(reason) => format!("scopegate.denied.{}", reason.name()),
            Self::WouldDeny(reason) => format!("scopegate.would_deny.{}", reason.name()),
            Self::Served => "scopegate.metadata_served".to_owned(),
        }
    }

    /// The word for it, and the reason.
    #[must_use]
    pub const fn words(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Allowed => ("allow", None),
            Self::Denied(reason) => ("deny", Some(reason.name())),
            Self::WouldDeny(reason) => ("would_deny", Some(reason.name())),
            Self::Served => ("serve", None),
        }
    }

    /// All outcomes there can be.
    pub fn all() -> impl Iterator<Item = Self> {
        let reasons = || Reason::ALL.iter().copied();
        [Self::Allowed, Self::Served]
            .into_iter()
            .chain(reasons().map(Self::Denied))
            .chain(reasons().map(Self::WouldDeny))
    }
}

impl<'d> AuditRecord<'d> {
    /// The record of `decision`; `None` while it is awaited. `method` is that of the request; it is read only where
    /// [`Trace::names_method`](crate::decision::Trace::names_method) says so.
    #[must_use]
    pub fn of(decision: &'d Decision, policy: &'d Policy, settings: AuditSettings, method: &[u8]) -> Option<Self> {
        let outcome = Outcome::of(decision)?;
        let (denial, token) = match decision {
            Decision::Await(_) => return None,
            Decision::Deny(refusal) => (Some(&refusal.denial), refusal.token.as_ref()),
            Decision::Serve(_) => (None, None),
            Decision::Allow(grant) => match &grant.basis {
                Basis::ReportOnly(denial) => (Some(denial), grant.token.as_ref()),
                Basis::Token | Basis::Public | Basis::Missing | Basis::Preflight => (None, grant.token.as_ref()),
            },
        };
        let verified = token.and_then(|token| token.verified.as_ref());
        let trace = decision.trace();
        let path = |place: RequirementPlace| match place.part {
            MethodPart::Own => place.path(&shown(method)),
            MethodPart::Enclosing | MethodPart::Get => place.path(""),
        };
        Some(Self {
            outcome,
            further: FurtherReasons::default(),
            denial,
            issuer: verified.and_then(|identity| policy.issuer_name(identity.authority)),
            identity: verified
                .and_then(|verified| verified.identity.as_ref())
                .or(match denial {
                    Some(Denial::WrongSecret { identity }) => Some(identity),
                    _ => None,
                })
                .map(|id| escaped(id.as_bytes())),
            subject: verified
                .and_then(|identity| identity.subject.as_deref())
                .and_then(|subject| subject_form(subject, settings.subject)),
            fingerprint: token.and_then(named),
            unverified_issuer: match (denial, verified) {
                (Some(_), None) => trace.authority.and_then(|authority| policy.issuer_name(authority)),
                _ => None,
            },
            cause: denial.and_then(|denial| Some(Cause::of(denial, token?.mismatch.as_deref()?, policy, settings))),
            is_verified: verified.is_some(),
            requirement: trace.requirement.map(path),
            added_requirement: trace.added.map(path),
            credential: trace.credential,
            set: trace.credential.and_then(CredentialKind::set).and_then(|set| policy.set_name(set)),
            message: trace.message.as_deref().map(|message| MessageNames {
                method: message.method.as_deref().map(|method| shown(method.as_bytes())),
                name: message.name.as_deref().map(|name| shown(name.as_bytes())),
            }),
            request: None,
        })
    }

    /// The record with what finds the request again: the route and `x-request-id`.
    #[must_use]
    pub fn with_request(self, route: Option<&[u8]>, id: Option<&[u8]>) -> Self {
        Self { request: Some(RequestNames { route: route.map(shown), id: id.map(shown) }), ..self }
    }

    /// The record with the reasons beyond the first.
    #[must_use]
    pub fn with_further(self, further: FurtherReasons) -> Self {
        Self { further, ..self }
    }

    /// The record as a JSON object, for Envoy's filter state.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = String::with_capacity(JSON_BYTES);
        self.each_member(&mut |name, value| {
            text.push_str(if text.is_empty() { "{\"" } else { ",\"" });
            text.push_str(name);
            text.push_str("\":");
            match value {
                Shown::Text(value) => push_json(&mut text, value),
                Shown::Reasons(reasons) => {
                    for (index, reason) in reasons.iter().enumerate() {
                        text.push(if index == 0 { '[' } else { ',' });
                        push_json(&mut text, reason.name());
                    }
                    text.push(']');
                }
                Shown::Members(members) => {
                    for (index, (name, value)) in members.iter().enumerate() {
                        text.push_str(if index == 0 { "{\"" } else { ",\"" });
                        text.push_str(name);
                        text.push_str("\":");
                        push_json(&mut text, value);
                    }
                    text.push('}');
                }
            }
        });
        text.push('}');
        text
    }

    /// The record as a `google.protobuf.Struct` in protobuf's encoding, with the members of the JSON object.
    #[must_use]
    pub fn to_struct(&self) -> Vec<u8> {
        let (mut message, mut entry, mut text) = (Vec::with_capacity(STRUCT_BYTES), Vec::new(), Vec::new());
        self.each_member(&mut |name, value| {
            text.clear();
            match value {
                Shown::Text(value) => put_field(&mut text, VALUE_STRING, value.as_bytes()),
                Shown::Reasons(reasons) => put_field(&mut text, VALUE_LIST, &struct_list(reasons)),
                Shown::Members(members) => put_field(&mut text, VALUE_STRUCT, &struct_of(members)),
            }
            entry.clear();
            put_field(&mut entry, ENTRY_KEY, name.as_bytes());
            put_field(&mut entry, ENTRY_VALUE, &text);
            put_field(&mut message, STRUCT_FIELDS, &entry);
        });
        message
    }

    /// The record as one log line.
    #[must_use]
    pub fn to_line(&self) -> String {
        let mut line = String::new();
        self.each_member(&mut |name, value| {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(name);
            line.push('=');
            match value {
                Shown::Reasons(reasons) => line.push_str(&listed(reasons)),
                Shown::Members(members) => {
                    // In quotes, as text of the request is.
                    let each: Vec<String> = members.iter().map(|(name, value)| format!("{name}:\"{value}\"")).collect();
                    line.push_str(&each.join(","));
                }
                // Text of the token, or of several words: in quotes, which it cannot hold, it cannot look like further fields.
                Shown::Text(value) if QUOTED.contains(&name) => {
                    line.push('"');
                    line.push_str(value);
                    line.push('"');
                }
                Shown::Text(value) => line.push_str(value),
            }
        });
        if let Some(detail) = self.denial.and_then(detail) {
            line.push_str(" (");
            line.push_str(&detail);
            line.push(')');
        }
        line
    }

    /// Why the token was refused: what it has, and what was wanted.
    #[must_use]
    pub fn cause(&self) -> Option<String> {
        self.cause.as_ref().map(|cause| cause.sentence(self.is_verified))
    }

    /// The cause, or else what the log line adds for people who look for it.
    #[must_use]
    pub fn why(&self) -> Option<String> {
        self.cause().or_else(|| self.denial.and_then(detail))
    }

    const fn received_name(&self) -> &'static str {
        if self.is_verified { "received" } else { "unverified_received" }
    }

    /// Shows each member that has a value, in order. It is called for every request that gets a record.
    fn each_member(&self, show: &mut dyn FnMut(&'static str, Shown<'_>)) {
        let (decision, reason) = self.outcome.words();
        let (cause, request) = (self.cause.as_ref(), self.request.as_ref());
        let (fingerprint, fingerprint_text) = self.fingerprint.unzip();
        let mut text = |name, value: Option<&str>| value.into_iter().for_each(|value| show(name, Shown::Text(value)));
        text("decision", Some(decision));
        text("reason", reason);
        let further =
            [("further_reasons", &self.further.certain), ("unverified_further_reasons", &self.further.unverified)];
        for (name, reasons) in further.into_iter().filter(|(_, reasons)| !reasons.is_empty()) {
            show(name, Shown::Reasons(reasons));
        }
        let mut text = |name, value: Option<&str>| value.into_iter().for_each(|value| show(name, Shown::Text(value)));
        text("issuer", self.issuer);
        text("subject", self.subject.as_deref());
        text(fingerprint.unwrap_or_default(), fingerprint_text);
        text("unverified_issuer", self.unverified_issuer);
        text("member", cause.map(|cause| &*cause.member));
        text(self.received_name(), cause.and_then(|cause| cause.received.as_deref()));
        text("wanted", cause.and_then(|cause| cause.wanted.as_deref()));
        text("requirement", self.requirement.as_deref());
        text("added_requirement", self.added_requirement.as_deref());
        text("credential", self.credential.map(CredentialKind::name));
        text("credential_set", self.set);
        text("identity", self.identity.as_deref());
        if let Some(message) = &self.message {
            let members = [("method", &message.method), ("name", &message.name)];
            let members: Vec<(&str, &str)> =
                members.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
            if !members.is_empty() {
                show("mcp", Shown::Members(&members));
            }
        }
        let mut text = |name, value: Option<&str>| value.into_iter().for_each(|value| show(name, Shown::Text(value)));
        text("route", request.and_then(|request| request.route.as_deref()));
        text("request_id", request.and_then(|request| request.id.as_deref()));
    }
}

/// Members that a log line has in quotes.
const QUOTED: [&str; 10] = [
    "identity",
    "subject",
    "member",
    "received",
    "unverified_received",
    "wanted",
    "requirement",
    "added_requirement",
    "route",
    "request_id",
];

fn named(token: &TokenTrace) -> Option<(&'static str, &str)> {
    let name = if token.verified.is_some() { "fingerprint" } else { "unverified_fingerprint" };
    token.fingerprint.as_ref().map(|fingerprint| (name, fingerprint.as_str()))
}

fn subject_form(subject: &Subject, form: SubjectForm) -> Option<Cow<'_, str>> {
    match form {
        SubjectForm::Plain => Some(escaped(subject.as_str().as_bytes())),
        SubjectForm::Hash => Some(subject.digest(fingerprint).into()),
        SubjectForm::Omit => None,
    }
}

/// What the log line adds for people who look for the cause: numbers, and names from the configuration. Nothing of the
/// request.
fn detail(denial: &Denial) -> Option<String> {
    match denial {
        Denial::Expired { expired_at, now } | Denial::CredentialExpired { expired_at, now } => {
            Some(format!("{} s ago", now.0.saturating_sub(expired_at.0)))
        }
        Denial::NotYetValid { not_before: at, now } | Denial::IssuedInFuture { issued_at: at, now } => {
            Some(format!("{} s ahead", at.0.saturating_sub(now.0)))
        }
        Denial::LifetimeTooLong { limit } | Denial::TooOld { limit } => Some(format!("limit {} s", limit.0)),
        Denial::MissingClaim(claim) | Denial::ClaimMismatch(claim) => Some(claim.clone()),
        Denial::StepUpNeeded(needed) => Some(needed.claim.to_owned()),
        Denial::Revoked(by) => Some(format!("by {by}")),
        Denial::MalformedHeader(why)
        | Denial::MalformedCredential(why)
        | Denial::MalformedToken(why)
        | Denial::BoundToAnother(why)
        | Denial::ProofMissing(why)
        | Denial::InvalidProof(why)
        | Denial::CertificateMismatch(why)
        | Denial::CrossSite(why)
        | Denial::ForeignOrigin(why)
        | Denial::UnsupportedMediaType(why)
        | Denial::InvalidMessage { why, .. }
        | Denial::ForeignSession(why)
        | Denial::UnusableSession(why)
        | Denial::UnusableList(why)
        | Denial::HeaderMismatch(why) => Some((*why).to_owned()),
        Denial::BodyTooLarge { limit } => Some(format!("limit {limit} bytes")),
        Denial::InsufficientScope { scope } => {
            let names: Vec<&str> = scope.iter().map(crate::policy::Scope::as_str).collect();
            Some(format!("needs {}", names.join(" ")))
        }
        Denial::TokenInQuery
        | Denial::PolicyUnreadable
        | Denial::HostFailure
        | Denial::AmbiguousPath
        | Denial::AmbiguousHost
        | Denial::NoMetadata
        | Denial::Denied
        | Denial::MisdirectedHost
        | Denial::MethodNotAllowed
        | Denial::UnsupportedVersion(_)
        | Denial::UnknownMethod { .. }
        | Denial::AmbiguousUri
        | Denial::NoCredential { .. }
        | Denial::MultipleCredentials
        | Denial::UnknownIdentity
        | Denial::WrongSecret { .. }
        | Denial::TokenTooLarge
        | Denial::Inactive
        | Denial::IntrospectionUnavailable
        | Denial::UnknownIssuer
        | Denial::AlgorithmNotAllowed
        | Denial::WrongType
        | Denial::WrongAudience
        | Denial::UnknownKey
        | Denial::BadSignature
        | Denial::KeysUnavailable
        | Denial::RevocationUnavailable
        | Denial::IdentitiesUnavailable
        | Denial::NotBound
        | Denial::UseNonce(_)
        | Denial::ProofReplayed
        | Denial::TooBusy
        | Denial::Replayed
        | Denial::ReplayUnavailable => None,
    }
}
