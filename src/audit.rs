//! What operators see of a decision: a record, a log line, a counter. Never a token, a secret, or text of a request
//! that could forge a line.

mod detail;
mod encoding;
mod event;
mod members;
mod mismatch;
mod outcome;
mod seen;

pub use encoding::listed;
pub use mismatch::Cause;
pub use outcome::Outcome;
pub use seen::Seen;

use crate::base::base64url;
use crate::base::names::Subject;
use crate::base::protobuf::put_field;
use crate::base::text::{escaped, shown};
use crate::checks::{FINGERPRINT_CHARACTERS, fingerprint};
use crate::decision::{Basis, CredentialKind, Decision, Denial, FurtherReasons, TokenTrace, Trace, VerifiedIdentity};
use crate::policy::{AuditField, AuditFields, AuditSettings, MethodPart, Policy, RequirementPlace, Scope, SubjectForm};
use detail::detail;
use encoding::{ENTRY_KEY, ENTRY_VALUE, JSON_BYTES, STRUCT_BYTES, STRUCT_FIELDS, Shown};
use event::Taken;
use std::borrow::Cow;

/// The record of one decision.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditRecord<'d> {
    /// What became of the request.
    pub outcome: Outcome,
    /// Which members it has.
    fields: AuditFields,
    further: FurtherReasons,
    /// Why the request was refused, or would have been.
    denial: Option<&'d Denial>,
    trace: &'d Trace,
    token: Option<&'d TokenTrace>,
    verified: Option<&'d VerifiedIdentity>,
    issuer: Option<&'d str>,
    identity: Option<Cow<'d, str>>,
    subject: Option<Cow<'d, str>>,
    unverified_issuer: Option<&'d str>,
    cause: Option<Cause<'d>>,
    requirement: Option<Cow<'static, str>>,
    added_requirement: Option<Cow<'static, str>>,
    set: Option<&'d str>,
    message: Option<MessageNames>,
    taken: Option<Box<Taken<'d>>>,
    seen: Seen,
}

/// What an MCP message is about.
#[derive(Clone, Debug, PartialEq, Eq)]
struct MessageNames {
    method: Option<String>,
    name: Option<String>,
}

impl<'d> AuditRecord<'d> {
    /// The record of `decision`; `None` while it is awaited. `method` is that of the request; it is read only where
    /// [`Trace::names_method`] says so.
    #[must_use]
    pub fn of(decision: &'d Decision, policy: &'d Policy, settings: AuditSettings, method: &[u8]) -> Option<Self> {
        let outcome = Outcome::of(decision)?;
        let (denial, token) = match decision {
            Decision::Await(_) => return None,
            Decision::Deny(refusal) => (Some(&refusal.denial), refusal.token.as_ref()),
            Decision::Serve(_) | Decision::Receive(_) => (None, None),
            Decision::Allow(grant) => match &grant.basis {
                Basis::ReportOnly(denial) => (Some(denial), grant.token.as_ref()),
                Basis::Token | Basis::Public | Basis::Missing | Basis::Preflight => (None, grant.token.as_ref()),
            },
        };
        let verified = token.and_then(|token| token.verified.as_ref());
        let trace = decision.trace();
        let event = Taken::of(decision, policy);
        let path = |place: RequirementPlace| match place.part {
            MethodPart::Own => place.path(&shown(method)),
            MethodPart::Enclosing | MethodPart::Get => place.path(""),
        };
        Some(Self {
            outcome,
            fields: settings.fields,
            further: FurtherReasons::default(),
            denial,
            trace,
            token,
            verified,
            issuer: match &event {
                Some(event) => event.issuer,
                None => verified.and_then(|identity| policy.issuer_name(identity.authority)),
            },
            identity: verified
                .and_then(|verified| verified.identity.as_ref())
                .or(match denial {
                    Some(Denial::WrongSecret { identity }) => Some(identity),
                    _ => None,
                })
                .map(|id| escaped(id.as_bytes())),
            subject: verified
                .and_then(|identity| identity.subject.as_deref())
                .and_then(|subject| subject_form(subject, settings)),
            unverified_issuer: match (denial, verified) {
                (Some(_), None) => trace.authority.and_then(|authority| policy.issuer_name(authority)),
                _ => None,
            },
            cause: denial.and_then(|denial| Some(Cause::of(denial, token?.mismatch.as_deref()?, policy, settings))),
            requirement: trace.requirement.map(path),
            added_requirement: trace.added.map(path),
            set: trace.credential.and_then(CredentialKind::set).and_then(|set| policy.set_name(set)),
            message: trace.message.as_deref().map(|message| MessageNames {
                method: message.method.as_deref().map(|method| shown(method.as_bytes())),
                name: message.name.as_deref().map(|name| shown(name.as_bytes())),
            }),
            taken: event,
            seen: Seen::default(),
        })
    }

    /// The record with what the host knows of the request.
    #[must_use]
    pub fn with_seen(mut self, seen: Seen) -> Self {
        self.add_seen(seen);
        self
    }

    /// Adds what the host knows of the request.
    pub fn add_seen(&mut self, seen: Seen) {
        self.seen = seen;
    }

    /// The record with the reasons beyond the first.
    #[must_use]
    pub fn with_further(mut self, further: FurtherReasons) -> Self {
        self.add_further(further);
        self
    }

    /// Adds the reasons beyond the first.
    pub fn add_further(&mut self, further: FurtherReasons) {
        self.further = further;
    }

    /// The record as a JSON object, for Envoy's filter state.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut text = String::with_capacity(JSON_BYTES);
        self.each_member(self.fields, &mut |field, value| value.push_member(field, &mut text));
        text.push('}');
        text
    }

    /// The record as a `google.protobuf.Struct` in protobuf's encoding, with the members of the JSON object.
    #[must_use]
    #[inline(never)]
    pub fn to_struct(&self) -> Vec<u8> {
        let (mut message, mut entry, mut text) = (Vec::with_capacity(STRUCT_BYTES), Vec::new(), Vec::new());
        self.each_member(self.fields, &mut |field, value| {
            text.clear();
            value.put_value(&mut text);
            entry.clear();
            put_field(&mut entry, ENTRY_KEY, field.name.as_bytes());
            put_field(&mut entry, ENTRY_VALUE, &text);
            put_field(&mut message, STRUCT_FIELDS, &entry);
        });
        message
    }

    /// The record as one log line.
    #[must_use]
    #[inline(never)]
    pub fn to_line(&self) -> String {
        let mut line = String::new();
        self.each_member(self.fields.of_log_line(), &mut |field, value| {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(field.name);
            line.push('=');
            value.push_to_line(field.name, &mut line);
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
        self.cause.as_ref().map(|cause| cause.sentence(self.verified.is_some()))
    }

    /// The cause, or else what the log line adds for people who look for it.
    #[must_use]
    pub fn why(&self) -> Option<String> {
        self.cause().or_else(|| self.denial.and_then(detail))
    }
}

fn subject_form(subject: &Subject, settings: AuditSettings) -> Option<Cow<'_, str>> {
    let hash = |text: &[u8]| match settings.salt {
        None => fingerprint(text),
        Some(salt) => {
            let mut hash = base64url::encode(&salt.hash(text));
            hash.truncate(FINGERPRINT_CHARACTERS);
            hash
        }
    };
    match settings.subject {
        SubjectForm::Plain => Some(escaped(subject.as_str().as_bytes())),
        SubjectForm::Hash => Some(subject.digest(hash).into()),
        SubjectForm::Omit => None,
    }
}
