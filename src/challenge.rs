//! What a refused client is told: the only place with status codes.
//!
//! [RFC 6750 section 3](https://www.rfc-editor.org/rfc/rfc6750#section-3) and
//! [RFC 9449 section 7.1](https://www.rfc-editor.org/rfc/rfc9449#section-7.1) for the challenges,
//! [RFC 9470 section 3](https://www.rfc-editor.org/rfc/rfc9470#section-3) for that of a step-up,
//! [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) for the body,
//! [RFC 9110 section 11](https://www.rfc-editor.org/rfc/rfc9110#section-11) for the grammar. Nothing of the request is
//! ever part of an answer.

use crate::decision::{CredentialKind, Denial, Reason, Schemes, StepUp, Trace};
use crate::policy::{Dpop, Policy, Scope};
use serde_json::json;
use std::borrow::Cow;

/// An answer in the place of the upstream's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// Header lines, content type included.
    pub headers: Vec<(&'static str, String)>,
    /// A problem document, or one line of text for gRPC, where it becomes the `grpc-message`.
    pub body: String,
    /// The gRPC status, for clients that speak gRPC.
    pub grpc_status: i32,
    /// `%RESPONSE_CODE_DETAILS%`: `scopegate_` and the reason.
    pub details: String,
}

/// Seconds after which a client should try again when keys are missing: about the time from a failed fetch to the next.
const RETRY_AFTER_KEYS: u32 = 5;
/// Seconds when a revocation list is missing: it is there as soon as it is fetched again.
const RETRY_AFTER_REVOCATIONS: u32 = 5;
/// Seconds when a worker is too busy: its budget is renewed every second.
const RETRY_AFTER_BUSY: u32 = 1;

/// Renders a refusal of a request that was judged so far.
#[must_use]
pub fn render(denial: &Denial, trace: Trace, terms: &Terms, grpc: bool) -> Reply {
    Answer::of(denial, trace).render(terms, grpc)
}

/// What challenges say that is the same for all refusals of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Printable ASCII without `"` and `\`, which the configuration makes sure of.
    pub realm: String,
    /// The names of the algorithms that proofs may be signed with, spaces between them.
    pub algs: String,
}

impl Terms {
    /// Those of a policy that reads no proofs.
    #[must_use]
    pub fn of_realm(realm: &str) -> Self {
        Self { realm: realm.to_owned(), algs: String::new() }
    }

    /// Those of a policy, with this `realm`.
    #[must_use]
    pub fn of(policy: &Policy, realm: &str) -> Self {
        let algs = policy.dpop.as_ref().map_or_else(String::new, Dpop::algorithm_names);
        Self { realm: realm.to_owned(), algs }
    }
}

/// Whether the query has to leave the request before it is refused: the operator's own access log would print it.
#[must_use]
pub const fn hides_query(denial: &Denial) -> bool {
    matches!(denial, Denial::TokenInQuery)
}

/// An answer before it is rendered: everything of a refusal that the client is told. Two refusals with equal answers get
/// the same reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<'d> {
    reason: Reason,
    status: u16,
    challenge: Challenge<'d>,
    /// The schemes that are good here.
    schemes: Schemes,
    /// Whether an error is one of the scheme `DPoP`.
    is_dpop: bool,
    /// The nonce that the next proof must have.
    nonce: Option<Cow<'d, str>>,
    text: &'static str,
    retry_after: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Challenge<'d> {
    /// No `WWW-Authenticate` at all.
    None,
    /// Without an error, so that a client without a token learns what to bring and nothing else.
    Bare { scope: Cow<'d, [Scope]> },
    /// With an error code.
    Error { code: &'static str, scope: Cow<'d, [Scope]> },
    /// With how the user has to authenticate.
    StepUp(Cow<'d, StepUp>),
}

impl<'d> Answer<'d> {
    /// The answer to a refusal of a request that was judged so far.
    #[must_use]
    pub fn of(denial: &'d Denial, trace: Trace) -> Self {
        let schemes = trace.schemes;
        // An error is told in the scheme that was used. Where that is not admitted, or none was, in the first that is.
        let is_dpop = match trace.credential {
            Some(CredentialKind::Dpop) => schemes.dpop,
            Some(CredentialKind::Bearer) | None => !schemes.bearer,
        };
        let nonce = match denial {
            Denial::UseNonce(nonce) => Some(Cow::Borrowed(nonce.as_str())),
            _ => None,
        };
        Answer { schemes, is_dpop, nonce, ..answer(denial, is_dpop) }
    }

    /// Whether the same answer will be given again.
    #[must_use]
    pub const fn recurs(&self) -> bool {
        self.nonce.is_none()
    }

    /// Renders it.
    #[must_use]
    pub fn render(&self, terms: &Terms, grpc: bool) -> Reply {
        let mut headers = vec![("cache-control", "no-store".to_owned())];
        headers.extend(self.challenges(terms).into_iter().map(|challenge| ("www-authenticate", challenge)));
        if let Some(nonce) = &self.nonce {
            headers.push(("dpop-nonce", nonce.clone().into_owned()));
        }
        if let Some(seconds) = self.retry_after {
            headers.push(("retry-after", seconds.to_string()));
        }
        let (title, grpc_status) = match self.status {
            400 => ("Bad Request", 3),
            401 => ("Unauthorized", 16),
            403 => ("Forbidden", 7),
            503 => ("Service Unavailable", 14),
            _ => ("Internal Server Error", 13),
        };
        let body = if grpc {
            self.text.to_owned()
        } else {
            headers.push(("content-type", "application/problem+json".to_owned()));
            json!({ "title": title, "status": self.status, "detail": self.text }).to_string()
        };
        let details = format!("scopegate_{}", self.reason.name());
        Reply { status: self.status, headers, body, grpc_status, details }
    }

    /// The answer, owned.
    #[must_use]
    pub fn into_owned(self) -> Answer<'static> {
        let Self { reason, status, challenge, schemes, is_dpop, nonce, text, retry_after } = self;
        let owned = |scope: Cow<'_, [Scope]>| Cow::Owned(scope.into_owned());
        let challenge = match challenge {
            Challenge::None => Challenge::None,
            Challenge::Bare { scope } => Challenge::Bare { scope: owned(scope) },
            Challenge::Error { code, scope } => Challenge::Error { code, scope: owned(scope) },
            Challenge::StepUp(needed) => Challenge::StepUp(Cow::Owned(needed.into_owned())),
        };
        let nonce = nonce.map(|nonce| Cow::Owned(nonce.into_owned()));
        Answer { reason, status, challenge, schemes, is_dpop, nonce, text, retry_after }
    }

    /// A challenge for each scheme that is good here.
    fn challenges(&self, terms: &Terms) -> Vec<String> {
        let admitted = [(false, self.schemes.bearer), (true, self.schemes.dpop)].into_iter();
        admitted
            .filter(|(_, is_admitted)| *is_admitted)
            .filter_map(|(is_dpop, _)| self.challenge.render(is_dpop, is_dpop == self.is_dpop, terms, self.text))
            .collect()
    }
}

impl Challenge<'_> {
    /// The challenge of one scheme; an error is told in that scheme alone which it is one of.
    fn render(&self, is_dpop: bool, has_error: bool, terms: &Terms, text: &str) -> Option<String> {
        let (code, more) = match self {
            Self::None => return None,
            Self::Bare { scope } => (None, of_scope(scope)),
            Self::Error { .. } | Self::StepUp(_) if !has_error => (None, String::new()),
            Self::Error { code, scope } => (Some(*code), of_scope(scope)),
            Self::StepUp(needed) => (Some("insufficient_user_authentication"), of_step_up(needed)),
        };
        let error = code.map_or_else(String::new, |code| format!(", error=\"{code}\", error_description=\"{text}\""));
        let Terms { realm, algs } = terms;
        Some(if is_dpop {
            format!("DPoP realm=\"{realm}\"{error}{more}, algs=\"{algs}\"")
        } else {
            format!("Bearer realm=\"{realm}\"{error}{more}")
        })
    }
}

fn of_scope(scope: &[Scope]) -> String {
    let names: Vec<&str> = scope.iter().map(Scope::as_str).collect();
    if names.is_empty() { String::new() } else { format!(", scope=\"{}\"", names.join(" ")) }
}

/// Without a value of `acr` that would do there is none to name.
fn of_step_up(needed: &StepUp) -> String {
    let values = needed.acr_values.as_ref().filter(|values| !values.is_empty());
    let values = values.map_or_else(String::new, |values| format!(", acr_values=\"{}\"", values.join(" ")));
    let age = needed.max_age.map_or_else(String::new, |age| format!(", max_age=\"{}\"", age.0));
    values + &age
}

/// The text gives the class of a failure, never which of the key and signature checks failed.
fn answer(denial: &Denial, is_dpop: bool) -> Answer<'_> {
    const NO_SCOPE: Cow<'static, [Scope]> = Cow::Borrowed(&[]);
    let reason = denial.reason();
    let unadorned = Answer {
        reason,
        status: 401,
        challenge: Challenge::None,
        schemes: Schemes::default(),
        is_dpop,
        nonce: None,
        text: "",
        retry_after: None,
    };
    let refused = |status, challenge, text| Answer { status, challenge, text, ..unadorned.clone() };
    let invalid_token = |text| refused(401, Challenge::Error { code: "invalid_token", scope: NO_SCOPE }, text);
    let invalid_request = |text| refused(400, Challenge::Error { code: "invalid_request", scope: NO_SCOPE }, text);
    // RFC 9449 section 7.1 has a code of its own for proofs, which `Bearer` does not know.
    let proof_error = if is_dpop { "invalid_dpop_proof" } else { "invalid_token" };
    let invalid_proof = |text| refused(401, Challenge::Error { code: proof_error, scope: NO_SCOPE }, text);
    let unavailable = |seconds, text| Answer { status: 503, text, retry_after: Some(seconds), ..unadorned.clone() };
    match denial {
        Denial::NoCredential { scope } => refused(
            401,
            Challenge::Bare { scope: scope.into() },
            "This resource needs an access token in the Authorization header",
        ),
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
        Denial::AlgorithmNotAllowed | Denial::UnknownKey | Denial::BadSignature | Denial::Revoked(_) => {
            invalid_token("The access token could not be verified")
        }
        Denial::Replayed => invalid_token("The access token has been used"),
        Denial::StepUpNeeded(needed) => refused(
            401,
            Challenge::StepUp(Cow::Borrowed(needed)),
            "The user has to authenticate anew, as this resource asks",
        ),
        Denial::InsufficientScope { scope } => refused(
            403,
            Challenge::Error { code: "insufficient_scope", scope: scope.into() },
            "The access token lacks a scope that this resource needs",
        ),
        Denial::ClaimMismatch(_) => {
            refused(403, Challenge::Bare { scope: NO_SCOPE }, "The access token does not permit this request")
        }
        Denial::Denied => refused(403, Challenge::None, "This resource is closed"),
        Denial::TokenInQuery => invalid_request("An access token must not be sent in the query string"),
        Denial::MultipleCredentials => invalid_request("The request has more than one credential"),
        Denial::MalformedHeader(_) => invalid_request("The Authorization header is malformed"),
        Denial::AmbiguousHost => refused(400, Challenge::None, "The host can be read in more than one way"),
        Denial::AmbiguousPath => refused(400, Challenge::None, "The path can be read in more than one way"),
        Denial::PolicyUnreadable => refused(500, Challenge::None, "The policy of this route cannot be read"),
        Denial::HostFailure => refused(500, Challenge::None, "The request could not be checked"),
        Denial::KeysUnavailable => unavailable(RETRY_AFTER_KEYS, "The keys of the issuer are not available"),
        Denial::RevocationUnavailable => {
            unavailable(RETRY_AFTER_REVOCATIONS, "The list of revoked tokens is not available")
        }
        Denial::TooBusy => unavailable(RETRY_AFTER_BUSY, "Too many requests wait to be checked"),
    }
}

#[cfg(test)]
mod tests;
