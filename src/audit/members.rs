//! The members of a record: which there are, in their order.

use super::{AuditField, AuditFields, AuditRecord, CredentialKind, Denial, Scope, Shown, fingerprint};
use crate::base::names::Fingerprint;
use crate::base::text::SHOWN_BYTES;
use crate::base::time::{UnixSeconds, rfc3339};
use crate::decision::{Reason, ReuseEvent, VerifiedIdentity};

/// The event that one more client than expected shows a credential.
const TOKEN_REUSE: &str = "token_reuse";
/// The most scopes of a credential that a record lists. Those that are longer than what is shown are left out.
const LISTED_SCOPES: usize = 32;

impl AuditRecord<'_> {
    /// Shows each member of `fields` that has a value, in order. It is called for every request that gets a record.
    pub(super) fn each_member(&self, fields: AuditFields, show: &mut dyn FnMut(AuditField, Shown<'_>)) {
        let mut all = Members { fields, show };
        let (decision, reason) = self.outcome.words();
        all.plain(AuditField::DECISION, Some(decision));
        all.plain(AuditField::REASON, reason);
        if let Some(ReuseEvent { clients, window, action }) = self.trace.reuse {
            all.plain(AuditField::EVENT, Some(TOKEN_REUSE));
            all.number(AuditField::CLIENTS, Some(clients.into()));
            all.number(AuditField::WINDOW, Some(window.0.into()));
            all.plain(AuditField::ACTION, Some(action.name()));
        }
        all.reasons(AuditField::FURTHER_REASONS, &self.further.certain);
        all.reasons(AuditField::UNVERIFIED_FURTHER_REASONS, &self.further.unverified);
        if let Some(now_ms) = self.seen.now_ms().filter(|_| fields.has(AuditField::TIME)) {
            all.text(AuditField::TIME, Some(&rfc3339(now_ms)));
        }
        all.text(AuditField::ISSUER, self.issuer);
        if let Some(taken) = &self.taken {
            all.text(AuditField::OPERATOR, taken.operator);
            all.text(AuditField::EVENT_ID, Some(&taken.id));
            all.number(AuditField::ENTRIES, Some(taken.entries));
            all.number(AuditField::WITHOUT_EFFECT, Some(taken.without_effect));
        }
        all.text(AuditField::SUBJECT, self.subject.as_deref());
        self.name_token(&mut all);
        all.text(AuditField::UNVERIFIED_ISSUER, self.unverified_issuer);
        if let Some(cause) = &self.cause {
            let verified = self.verified.is_some();
            let received = if verified { AuditField::RECEIVED } else { AuditField::UNVERIFIED_RECEIVED };
            all.text(AuditField::MEMBER, Some(&cause.member));
            all.text(received, cause.received.as_deref());
            all.text(AuditField::WANTED, cause.wanted.as_deref());
        }
        all.text(AuditField::REQUIREMENT, self.requirement.as_deref());
        all.text(AuditField::ADDED_REQUIREMENT, self.added_requirement.as_deref());
        all.plain(AuditField::CREDENTIAL, self.trace.credential.map(CredentialKind::name));
        all.text(AuditField::CREDENTIAL_SET, self.set);
        all.text(AuditField::IDENTITY, self.identity.as_deref());
        if let Some(verified) = self.verified {
            self.describe(verified, &mut all);
        }
        let remembered = self.token.and_then(|token| token.remembered);
        all.plain(AuditField::CACHE, remembered.map(|remembered| if remembered { "hit" } else { "miss" }));
        self.list_scopes(&mut all);
        all.number(AuditField::STATUS, self.seen.status().map(i64::from));
        if let Some(message) = &self.message {
            let members = [("method", &message.method), ("name", &message.name)];
            let members: Vec<(&str, &str)> =
                members.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
            if !members.is_empty() {
                all.show(AuditField::MCP, Shown::Members(&members));
            }
        }
        all.text(AuditField::METHOD, self.seen.method());
        all.text(AuditField::VIRTUAL_HOST, self.seen.virtual_host());
        all.text(AuditField::CLIENT_NETWORK, self.seen.client_network());
        all.text(AuditField::ROUTE, self.seen.route());
        all.text(AuditField::REQUEST_ID, self.seen.id());
    }

    fn name_token(&self, all: &mut Members<'_>) {
        let field = if self.verified.is_some() { AuditField::FINGERPRINT } else { AuditField::UNVERIFIED_FINGERPRINT };
        // A digest that is not shown is not computed.
        if all.fields.has(field) {
            let fingerprint = self.token.and_then(|token| token.fingerprint.as_ref());
            all.plain(field, fingerprint.map(Fingerprint::as_str));
        }
    }

    /// What a verified credential says: what is not verified has none of these members.
    fn describe(&self, verified: &VerifiedIdentity, all: &mut Members<'_>) {
        let details = &*verified.details;
        all.text(AuditField::CLIENT_ID, details.client_id.as_deref());
        if all.fields.has(AuditField::JTI_HASH) {
            all.plain(AuditField::JTI_HASH, details.token_id_digest(fingerprint));
        }
        all.text(AuditField::KID, details.key_id.as_deref());
        all.plain(AuditField::ALGORITHM, details.algorithm);
        all.plain(AuditField::VERIFIED_BY, details.by_host.map(|by_host| if by_host { "host" } else { "module" }));
        let Some(now_ms) = self.seen.now_ms() else { return };
        let now = i64::try_from(now_ms / 1000).unwrap_or(i64::MAX);
        all.number(AuditField::EXPIRES_IN, verified.expires_at.map(|UnixSeconds(at)| at.saturating_sub(now)));
        all.number(AuditField::TOKEN_AGE, details.issued_at.map(|UnixSeconds(at)| now.saturating_sub(at)));
    }

    fn list_scopes(&self, all: &mut Members<'_>) {
        let granted = self.verified.map(|verified| &*verified.details.scopes).filter(|scopes| !scopes.is_empty());
        if let Some(scopes) = granted.filter(|_| all.fields.has(AuditField::SCOPES)) {
            let scopes: Vec<&str> =
                scopes.split(' ').filter(|scope| scope.len() <= SHOWN_BYTES).take(LISTED_SCOPES).collect();
            all.show(AuditField::SCOPES, Shown::Texts(&scopes));
        }
        let (needed, missing) = match self.denial {
            Some(Denial::InsufficientScope { scope, missing }) => (Some(&**scope), &**missing),
            Some(Denial::NoCredential { scope }) => (Some(&**scope), &[][..]),
            _ => (self.trace.needed.as_deref(), &[][..]),
        };
        all.scopes(AuditField::SCOPES_NEEDED, needed.unwrap_or_default());
        all.scopes(AuditField::SCOPES_MISSING, missing);
    }
}

/// Shows the members that are wanted. Not inlined, since there are many.
struct Members<'s> {
    fields: AuditFields,
    show: &'s mut dyn FnMut(AuditField, Shown<'_>),
}

impl Members<'_> {
    #[inline(never)]
    fn show(&mut self, field: AuditField, value: Shown<'_>) {
        if self.fields.has(field) {
            (self.show)(field, value);
        }
    }

    /// Text that is printed as it is: words of this source, and digests.
    #[inline(never)]
    fn plain(&mut self, field: AuditField, value: Option<&str>) {
        if let Some(value) = value {
            self.show(field, Shown::Plain(value));
        }
    }

    #[inline(never)]
    fn text(&mut self, field: AuditField, value: Option<&str>) {
        if let Some(value) = value {
            self.show(field, Shown::Text(value));
        }
    }

    /// A number of either sign; one that does not fit is shown as the nearest that does.
    #[inline(never)]
    fn number(&mut self, field: AuditField, value: Option<i64>) {
        if let Some(value) = value {
            let nearest = if value < 0 { i32::MIN } else { i32::MAX };
            self.show(field, Shown::Number(i32::try_from(value).unwrap_or(nearest)));
        }
    }

    #[inline(never)]
    fn reasons(&mut self, field: AuditField, reasons: &[Reason]) {
        if !reasons.is_empty() {
            let names: Vec<&str> = reasons.iter().map(|reason| reason.name()).collect();
            self.show(field, Shown::Texts(&names));
        }
    }

    #[inline(never)]
    fn scopes(&mut self, field: AuditField, scopes: &[Scope]) {
        if !scopes.is_empty() && self.fields.has(field) {
            let names: Vec<&str> = scopes.iter().map(Scope::as_str).collect();
            self.show(field, Shown::Texts(&names));
        }
    }
}
