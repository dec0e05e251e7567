//! What a log line adds to the members of a record.

use crate::decision::Denial;
use crate::policy::Scope;

/// What the log line adds for people who look for the cause: numbers, and names from the configuration. Nothing of the
/// request.
pub(super) fn detail(denial: &Denial) -> Option<String> {
    match denial {
        Denial::Expired { expired_at, now } | Denial::CredentialExpired { expired_at, now } => {
            Some(format!("{} s ago", now.0.saturating_sub(expired_at.0)))
        }
        Denial::NotYetValid { not_before: at, now } | Denial::IssuedInFuture { issued_at: at, now } => {
            Some(format!("{} s ahead", at.0.saturating_sub(now.0)))
        }
        Denial::LifetimeTooLong { limit } | Denial::TooOld { limit } => Some(format!("limit {} s", limit.0)),
        Denial::MissingClaim(claim) | Denial::ClaimMismatch(claim) => Some(claim.clone()),
        Denial::SignatureIncomplete(name) => Some(format!("{name} is not signed")),
        Denial::StepUpNeeded(needed) => Some(needed.claim.to_owned()),
        Denial::Revoked(by) => Some(format!("by {by}")),
        Denial::MalformedHeader(why)
        | Denial::MalformedCredential(why)
        | Denial::MalformedSignature(why)
        | Denial::BodyUnsigned(why)
        | Denial::Stale(why)
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
        Denial::InvalidEvent(event) => Some(event.why.to_owned()),
        Denial::BodyTooLarge { limit } => Some(format!("limit {limit} bytes")),
        Denial::InsufficientScope { scope, .. } => {
            let names: Vec<&str> = scope.iter().map(Scope::as_str).collect();
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
        | Denial::DigestMismatch
        | Denial::BodyUnreadable
        | Denial::KeysUnavailable
        | Denial::RevocationUnavailable
        | Denial::IdentitiesUnavailable
        | Denial::NotBound
        | Denial::UseNonce(_)
        | Denial::ProofReplayed
        | Denial::TooBusy
        | Denial::EventsFull
        | Denial::Reused { .. }
        | Denial::Replayed
        | Denial::ReplayUnavailable => None,
    }
}
