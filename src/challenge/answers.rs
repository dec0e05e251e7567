//! Each refusal with its status, its challenge and its words.

use super::texts::{LACKS_SCOPE, MAY_NOT, NOT_ACCEPTED, of_kind};
use super::{AUTHORIZATION_MALFORMED, Answer, Challenge, IN_AUTHORIZATION, Scheme};
use crate::decision::{CredentialKind, Denial, MessageFault, Schemes, Trace};
use crate::policy::Scope;
use std::borrow::Cow;

/// Seconds after which a client should try again when something that is fetched is missing, or a service does not answer: about
/// the time from a failed fetch to the next.
const RETRY_AFTER: u32 = 5;
/// Seconds when a worker is too busy: its budget is renewed every second.
const RETRY_AFTER_BUSY: u32 = 1;

/// The text gives the class of a failure, never which of the key and signature checks failed.
#[expect(clippy::too_many_lines, reason = "a row for each reason")]
pub(super) fn answer<'d>(denial: &'d Denial, told_in: Scheme, trace: &Trace) -> Answer<'d> {
    const NO_SCOPE: Cow<'static, [Scope]> = Cow::Borrowed(&[]);
    let unadorned = Answer {
        reason: denial.reason(),
        status: 401,
        challenge: Challenge::None,
        sources: None,
        schemes: Schemes::default(),
        resource: None,
        told_in,
        nonce: None,
        text: "",
        retry_after: None,
        rpc: None,
        event: None,
    };
    let refused = |status, challenge, text| Answer { status, challenge, text, ..unadorned.clone() };
    let invalid_token = |text| refused(401, Challenge::Error { code: "invalid_token", scope: NO_SCOPE }, text);
    let invalid_request = |text| refused(400, Challenge::Error { code: "invalid_request", scope: NO_SCOPE }, text);
    // RFC 9449 section 7.1 has a code of its own for proofs, which `Bearer` does not know.
    let proof_error = if told_in == Scheme::Dpop { "invalid_dpop_proof" } else { "invalid_token" };
    let invalid_proof = |text| refused(401, Challenge::Error { code: proof_error, scope: NO_SCOPE }, text);
    let unavailable = |seconds, text| Answer { status: 503, text, retry_after: Some(seconds), ..unadorned.clone() };
    let invalid_signature = |text| refused(401, Challenge::Error { code: "invalid_signature", scope: NO_SCOPE }, text);
    let told_in_signature = matches!(trace.credential, Some(CredentialKind::Aksk(_) | CredentialKind::Signature(_)));
    // Whose key it would have been, or that it was good, is not told: the bytes are the same.
    let invalid_secret = || {
        let code = if told_in_signature { "invalid_signature" } else { "invalid_key" };
        let challenge = Challenge::Error { code, scope: NO_SCOPE };
        refused(401, challenge, of_kind(trace, NOT_ACCEPTED))
    };
    let asks_token = trace.sources.is_none();
    match denial {
        Denial::NoCredential { scope } => {
            let text =
                if asks_token { IN_AUTHORIZATION } else { "This resource needs a credential, as the challenges say" };
            refused(401, Challenge::Bare { scope: scope.into() }, text)
        }
        Denial::MalformedCredential(_)
        | Denial::UnknownIdentity
        | Denial::WrongSecret { .. }
        | Denial::CredentialExpired { .. } => invalid_secret(),
        Denial::BadSignature if told_in_signature => invalid_signature(of_kind(trace, NOT_ACCEPTED)),
        Denial::Revoked(_) | Denial::Reused { step_up: None, .. }
            if trace.credential.and_then(CredentialKind::set).is_some() =>
        {
            invalid_secret()
        }
        Denial::TokenTooLarge | Denial::MalformedToken(_) => invalid_token("The access token is malformed"),
        Denial::UnknownIssuer | Denial::WrongType | Denial::MissingClaim(_) => {
            invalid_token("The access token is not one that this resource accepts")
        }
        Denial::WrongAudience => invalid_token("The access token is meant for another resource"),
        Denial::Expired { .. } => invalid_token("The access token expired"),
        Denial::NotYetValid { .. } | Denial::IssuedInFuture { .. } => {
            invalid_token("The access token is not valid yet")
        }
        Denial::LifetimeTooLong { .. } => invalid_token("The access token was issued for too long a time"),
        Denial::TooOld { .. } => invalid_token("The access token is too old"),
        Denial::NotBound => invalid_token("The access token is not bound to its sender as this resource asks"),
        Denial::BoundToAnother(_) | Denial::CertificateMismatch(_) => {
            invalid_token("The access token is bound to another sender")
        }
        Denial::ProofMissing(_) => invalid_proof("The access token is bound to a key, and needs a DPoP proof"),
        Denial::InvalidProof(_) => invalid_proof("The DPoP proof is not one of this request"),
        Denial::ProofReplayed => invalid_proof("The DPoP proof has been used before"),
        Denial::UseNonce(_) => refused(
            401,
            Challenge::Error { code: "use_dpop_nonce", scope: NO_SCOPE },
            "The DPoP proof needs the nonce of this answer",
        ),
        // A thief does not learn that the token is known to be stolen.
        Denial::AlgorithmNotAllowed
        | Denial::UnknownKey
        | Denial::BadSignature
        | Denial::Inactive
        | Denial::Reused { step_up: None, .. }
        | Denial::Revoked(_) => invalid_token("The access token could not be verified"),
        Denial::Replayed if told_in_signature => invalid_signature("The signature has been used"),
        Denial::Replayed => invalid_token("The access token has been used"),
        Denial::MalformedSignature(_) => invalid_signature("The signature is malformed"),
        Denial::SignatureIncomplete(_) => invalid_signature("The signature does not cover all that it has to"),
        Denial::BodyUnsigned(_) => invalid_signature("The signature does not cover the body"),
        Denial::Stale(_) => invalid_signature("The signature is too old, or from the future"),
        Denial::DigestMismatch => invalid_signature("The body is not the one that was signed"),
        Denial::BodyUnreadable => unavailable(RETRY_AFTER, "The body could not be read"),
        Denial::StepUpNeeded(needed) | Denial::Reused { step_up: Some(needed), .. } => refused(
            401,
            Challenge::StepUp(Cow::Borrowed(needed)),
            "The user has to authenticate anew, as this resource asks",
        ),
        Denial::InsufficientScope { scope, .. } => {
            let challenge = Challenge::Error { code: "insufficient_scope", scope: scope.into() };
            refused(403, challenge, of_kind(trace, LACKS_SCOPE))
        }
        Denial::ClaimMismatch(_) => refused(403, Challenge::Bare { scope: NO_SCOPE }, of_kind(trace, MAY_NOT)),
        Denial::Denied => refused(403, Challenge::None, "This resource is closed"),
        Denial::ForeignOrigin(_) => refused(403, Challenge::None, "A page of this origin must not send messages"),
        Denial::MisdirectedHost => refused(421, Challenge::None, "This host has no such server"),
        Denial::MethodNotAllowed => refused(405, Challenge::None, "The method is none of this resource"),
        Denial::UnsupportedMediaType(_) => {
            refused(415, Challenge::None, "A message is application/json in UTF-8, without Content-Encoding")
        }
        Denial::BodyTooLarge { .. } if told_in_signature => refused(413, Challenge::None, "The body is too large"),
        Denial::BodyTooLarge { .. } => refused(413, Challenge::None, "The message is too large"),
        Denial::InvalidMessage { fault: MessageFault::NotJson, .. } => {
            refused(400, Challenge::None, "The body is not JSON that every reader reads alike")
        }
        Denial::InvalidMessage { fault: MessageFault::NotMessage, .. } => {
            refused(400, Challenge::None, "The body is no message of the protocol")
        }
        Denial::InvalidMessage { fault: MessageFault::NoName, .. } => {
            refused(400, Challenge::None, "The message does not name what it is about, or its revision")
        }
        // Clients begin a new session at a 404 (MCP 2025-11-25, "Session Management").
        Denial::ForeignSession(_) => {
            refused(404, Challenge::None, "The session is none of this client, or it has ended")
        }
        Denial::UnusableList(_) => refused(502, Challenge::None, "The list of the server cannot be shown"),
        Denial::UnusableSession(_) => refused(502, Challenge::None, "The session that the server began cannot be used"),
        Denial::UnsupportedVersion(_) => refused(400, Challenge::None, "The version of the protocol is not accepted"),
        Denial::HeaderMismatch(_) => refused(400, Challenge::None, "The headers do not say what the body says"),
        // Clients of earlier revisions take a 404 for the end of their session.
        Denial::UnknownMethod { is_stateless } => {
            refused(if *is_stateless { 404 } else { 400 }, Challenge::None, "The method is unknown")
        }
        Denial::AmbiguousUri => refused(400, Challenge::None, "The URI can be read in more than one way"),
        Denial::NoMetadata => refused(404, Challenge::None, "No resource has its metadata here"),
        Denial::CrossSite(_) => refused(403, Challenge::None, "A page of another site must not send this request"),
        Denial::InvalidEvent(event) => Answer { event: Some(*event), ..refused(400, Challenge::None, event.why) },
        Denial::EventsFull => unavailable(RETRY_AFTER, "There is no room for what the event revokes"),
        Denial::TokenInQuery => invalid_request("An access token must not be sent in the query string"),
        Denial::MultipleCredentials => invalid_request("The request has more than one credential"),
        Denial::MalformedHeader(_) => invalid_request(AUTHORIZATION_MALFORMED),
        Denial::AmbiguousHost => refused(400, Challenge::None, "The host can be read in more than one way"),
        Denial::AmbiguousPath => refused(400, Challenge::None, "The path can be read in more than one way"),
        Denial::PolicyUnreadable => refused(500, Challenge::None, "The policy of this route cannot be read"),
        Denial::HostFailure => refused(500, Challenge::None, "The request could not be checked"),
        Denial::KeysUnavailable => unavailable(RETRY_AFTER, "The keys of the issuer are not available"),
        Denial::IdentitiesUnavailable => unavailable(RETRY_AFTER, "It cannot be found out whose the credential is"),
        Denial::RevocationUnavailable => unavailable(RETRY_AFTER, "The list of revoked tokens is not available"),
        Denial::ReplayUnavailable => {
            unavailable(RETRY_AFTER, "It cannot be found out whether the access token or its proof has been used")
        }
        Denial::IntrospectionUnavailable => unavailable(RETRY_AFTER, "The issuer does not answer"),
        Denial::TooBusy => unavailable(RETRY_AFTER_BUSY, "Too many requests wait to be checked"),
    }
}
