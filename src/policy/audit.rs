//! What audit records say, and where they go.

use crate::crypto::{SHA256_BYTES, hmac, sha256};
use std::fmt;

/// What an audit record says, and where it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditSettings {
    /// How the subject is shown.
    pub subject: SubjectForm,
    /// What the hash of the subject is keyed with, if it is.
    pub salt: Option<Salt>,
    /// For which decisions the record is put into Envoy's filter state.
    pub filter_state: FilterStateScope,
    /// In which form it is put there.
    pub record: RecordForm,
    /// Its members.
    pub fields: AuditFields,
    /// Which decisions have a line in Envoy's log.
    pub log: LogScope,
    /// Of the requests that are not refused, one in so many has a line, if they have any.
    pub log_sample: LogSample,
}

/// How the subject of a verified token is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SubjectForm {
    /// As it is.
    #[default]
    Plain,
    /// As `base64url(SHA-256(sub))[..22]`, or `base64url(HMAC-SHA-256(salt, sub))[..22]`.
    Hash,
    /// Not at all.
    Omit,
}

/// What the hash of a subject is keyed with: without it, guesses cannot be compared with the hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt([u8; SHA256_BYTES]);

impl Salt {
    /// That of a secret.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(sha256(secret))
    }

    /// The hash of a subject.
    #[must_use]
    pub fn hash(&self, subject: &[u8]) -> [u8; SHA256_BYTES] {
        hmac(&self.0, subject)
    }
}

/// Shows nothing of it.
impl fmt::Debug for Salt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Salt")
    }
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

/// Which decisions have a line in Envoy's log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogScope {
    /// None.
    Off,
    /// Refusals only, those of report-only included.
    #[default]
    Denials,
    /// All.
    All,
}

/// One in this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogSample(pub u32);

impl Default for LogSample {
    fn default() -> Self {
        Self(1)
    }
}

/// A member of an audit record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditField {
    /// Its name.
    pub name: &'static str,
    /// A comma, and the beginning of a JSON member of this name, which is text.
    pub json: &'static str,
    bit: u64,
}

macro_rules! audit_fields {
    ($($field:ident $bit:literal $name:literal,)*) => {
        impl AuditField {
            $(
                #[doc = concat!("`", $name, "`.")]
                pub const $field: Self =
                    Self { name: $name, json: concat!(",\"", $name, "\":\""), bit: 1 << $bit };
            )*
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$field,)*];
        }
    };
}

audit_fields! {
    DECISION 0 "decision",
    REASON 1 "reason",
    FURTHER_REASONS 2 "further_reasons",
    UNVERIFIED_FURTHER_REASONS 3 "unverified_further_reasons",
    TIME 4 "time",
    ISSUER 5 "issuer",
    SUBJECT 6 "subject",
    FINGERPRINT 7 "fingerprint",
    UNVERIFIED_FINGERPRINT 8 "unverified_fingerprint",
    UNVERIFIED_ISSUER 9 "unverified_issuer",
    MEMBER 10 "member",
    RECEIVED 11 "received",
    UNVERIFIED_RECEIVED 12 "unverified_received",
    WANTED 13 "wanted",
    REQUIREMENT 14 "requirement",
    ADDED_REQUIREMENT 15 "added_requirement",
    CREDENTIAL 16 "credential",
    CREDENTIAL_SET 17 "credential_set",
    IDENTITY 18 "identity",
    CLIENT_ID 19 "client_id",
    JTI_HASH 20 "jti_hash",
    KID 21 "kid",
    ALGORITHM 22 "algorithm",
    VERIFIED_BY 23 "verified_by",
    CACHE 24 "cache",
    EXPIRES_IN 25 "expires_in",
    TOKEN_AGE 26 "token_age",
    SCOPES 27 "scopes",
    SCOPES_NEEDED 28 "scopes_needed",
    SCOPES_MISSING 29 "scopes_missing",
    STATUS 30 "status",
    MCP 31 "mcp",
    METHOD 32 "method",
    VIRTUAL_HOST 33 "virtual_host",
    CLIENT_NETWORK 34 "client_network",
    ROUTE 35 "route",
    REQUEST_ID 36 "request_id",
    EVENT 37 "event",
    CLIENTS 38 "clients",
    WINDOW 39 "window",
    ACTION 40 "action",
    OPERATOR 41 "operator",
    EVENT_ID 42 "event_id",
    ENTRIES 43 "entries",
    WITHOUT_EFFECT 44 "without_effect",
}

/// Which members an audit record has, as far as they are known. `decision` is always one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditFields {
    bits: u64,
    /// Whether they are the standard ones.
    is_standard: bool,
}

impl AuditFields {
    /// What names the decision, what decided, and the credential; nothing that a client or a person wrote.
    pub const MINIMAL: Self = Self::of(&[
        AuditField::REASON,
        AuditField::FINGERPRINT,
        AuditField::UNVERIFIED_FINGERPRINT,
        AuditField::REQUIREMENT,
        AuditField::ADDED_REQUIREMENT,
        AuditField::CREDENTIAL,
        AuditField::CREDENTIAL_SET,
        AuditField::IDENTITY,
        AuditField::STATUS,
        AuditField::EVENT,
        AuditField::CLIENTS,
        AuditField::WINDOW,
        AuditField::ACTION,
        AuditField::ENTRIES,
        AuditField::WITHOUT_EFFECT,
    ]);
    /// What costs no further call of the host, and is not in Envoy's access log anyway.
    pub const STANDARD: Self = Self { bits: Self::standard(), is_standard: true };
    /// All.
    pub const FULL: Self = Self::of(AuditField::ALL);

    /// These, and `decision`.
    #[must_use]
    pub const fn of(mut fields: &[AuditField]) -> Self {
        let mut bits = AuditField::DECISION.bit;
        while let [first, rest @ ..] = fields {
            bits |= first.bit;
            fields = rest;
        }
        Self { bits, is_standard: false }
    }

    const fn standard() -> u64 {
        let further = Self::of(&[
            AuditField::FURTHER_REASONS,
            AuditField::UNVERIFIED_FURTHER_REASONS,
            AuditField::ISSUER,
            AuditField::SUBJECT,
            AuditField::UNVERIFIED_ISSUER,
            AuditField::MEMBER,
            AuditField::RECEIVED,
            AuditField::UNVERIFIED_RECEIVED,
            AuditField::WANTED,
            AuditField::CLIENT_ID,
            AuditField::CACHE,
            AuditField::EXPIRES_IN,
            AuditField::SCOPES_NEEDED,
            AuditField::SCOPES_MISSING,
            AuditField::MCP,
            AuditField::OPERATOR,
            AuditField::EVENT_ID,
        ]);
        Self::MINIMAL.bits | further.bits
    }

    /// Whether this is one of them.
    #[must_use]
    pub const fn has(self, field: AuditField) -> bool {
        self.bits & field.bit != 0
    }

    /// Those of a log line. Envoy's log, unlike its access log, says nothing else of the request.
    #[must_use]
    pub const fn of_log_line(self) -> Self {
        if self.is_standard {
            Self { bits: self.bits | AuditField::ROUTE.bit | AuditField::REQUEST_ID.bit, ..self }
        } else {
            self
        }
    }

    /// Whether records of requests that are not refused for their scopes say which ones are needed. Those that are
    /// refused for them know them anyway.
    #[must_use]
    pub const fn show_all_needs(self) -> bool {
        !self.is_standard && self.has(AuditField::SCOPES_NEEDED)
    }
}

impl Default for AuditFields {
    fn default() -> Self {
        Self::STANDARD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_has_a_bit_of_its_own() {
        let bits = AuditField::ALL.iter().fold(0, |bits, field| bits ^ field.bit);
        assert_eq!(bits.count_ones(), u32::try_from(AuditField::ALL.len()).expect("a few"));
    }

    #[test]
    fn each_set_holds_the_smaller_one() {
        let held = |large: AuditFields, small: AuditFields| large.bits & small.bits == small.bits;
        assert!(held(AuditFields::STANDARD, AuditFields::MINIMAL) && held(AuditFields::FULL, AuditFields::STANDARD));
        assert!(AuditFields::of(&[]).has(AuditField::DECISION));
    }

    #[test]
    fn a_log_line_finds_the_request_again_unless_its_fields_are_chosen() {
        for (fields, wanted) in [(AuditFields::STANDARD, true), (AuditFields::MINIMAL, false)] {
            assert!(!fields.has(AuditField::ROUTE));
            assert_eq!(fields.of_log_line().has(AuditField::ROUTE), wanted);
            assert_eq!(fields.of_log_line().has(AuditField::REQUEST_ID), wanted);
        }
    }
}
