//! The checks by name.

use crate::decision::{Denial, Reason};

/// The check that gives a reason. A new reason must be added here, since there is no wildcard.
pub(super) const fn check_of(reason: Reason) -> &'static str {
    match reason {
        Reason::InvalidEvent | Reason::EventsFull => "event",
        Reason::TokenInQuery => "query",
        Reason::PolicyUnreadable | Reason::HostFailure | Reason::AmbiguousPath | Reason::AmbiguousHost => "rule",
        Reason::NoMetadata => "metadata",
        Reason::Denied | Reason::CrossSite => "access",
        Reason::ForeignOrigin | Reason::MisdirectedHost | Reason::MethodNotAllowed => "transport",
        Reason::NoCredential | Reason::MalformedHeader | Reason::MultipleCredentials => "credential",
        Reason::MalformedCredential
        | Reason::UnknownIdentity
        | Reason::IdentitiesUnavailable
        | Reason::WrongSecret
        | Reason::MalformedSignature
        | Reason::SignatureIncomplete
        | Reason::BodyUnsigned
        | Reason::Stale
        | Reason::CredentialExpired => "identity",
        Reason::TokenTooLarge | Reason::MalformedToken => "form",
        Reason::Inactive | Reason::IntrospectionUnavailable => "introspection",
        Reason::UnknownIssuer | Reason::AlgorithmNotAllowed => "issuer",
        Reason::WrongType => "type",
        Reason::WrongAudience => "audience",
        Reason::Expired | Reason::NotYetValid | Reason::IssuedInFuture | Reason::LifetimeTooLong | Reason::TooOld => {
            "time"
        }
        Reason::MissingClaim => "claims",
        Reason::UnknownKey
        | Reason::BadSignature
        | Reason::DigestMismatch
        | Reason::BodyUnreadable
        | Reason::KeysUnavailable
        | Reason::TooBusy => "signature",
        Reason::Revoked | Reason::RevocationUnavailable => "revocation",
        Reason::NotBound
        | Reason::BoundToAnother
        | Reason::ProofMissing
        | Reason::InvalidProof
        | Reason::UseNonce
        | Reason::CertificateMismatch => "sender",
        Reason::StepUpNeeded => "step-up",
        Reason::Reused => "clients",
        Reason::InsufficientScope => "scopes",
        Reason::ClaimMismatch => "conditions",
        Reason::ForeignSession => "session",
        Reason::UnusableSession | Reason::UnusableList => "response",
        Reason::UnsupportedMediaType
        | Reason::BodyTooLarge
        | Reason::InvalidMessage
        | Reason::UnsupportedVersion
        | Reason::HeaderMismatch
        | Reason::UnknownMethod
        | Reason::AmbiguousUri => "message",
        Reason::ProofReplayed | Reason::Replayed | Reason::ReplayUnavailable => "once",
    }
}

/// The check that made a denial.
pub(super) fn check_of_denial(denial: &Denial) -> &'static str {
    match denial {
        // Without `exp` there is no time to judge.
        Denial::MissingClaim(claim) if claim == "exp" => "time",
        // The claim that names a status list is read where the status is looked up.
        Denial::MalformedToken(why) if why.starts_with("`status") => "revocation",
        other => check_of(other.reason()),
    }
}
