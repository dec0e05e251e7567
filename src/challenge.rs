//! What a refused client is told: the only place with status codes.
//!
//! [RFC 6750 section 3](https://www.rfc-editor.org/rfc/rfc6750#section-3) for the challenge,
//! [RFC 9470 section 3](https://www.rfc-editor.org/rfc/rfc9470#section-3) for that of a step-up,
//! [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) for the body,
//! [RFC 9110 section 11](https://www.rfc-editor.org/rfc/rfc9110#section-11) for the grammar. Nothing of the request is
//! ever part of an answer.

use crate::decision::{Denial, Reason, StepUp};
use crate::policy::Scope;
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

/// Renders a refusal. `realm` is printable ASCII without `"` and `\`, which the configuration makes sure of.
#[must_use]
pub fn render(denial: &Denial, realm: &str, grpc: bool) -> Reply {
    Answer::of(denial).render(realm, grpc)
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
    /// The answer to a refusal.
    #[must_use]
    pub fn of(denial: &'d Denial) -> Self {
        answer(denial)
    }

    /// Renders it. `realm` is printable ASCII without `"` and `\`, which the configuration makes sure of.
    #[must_use]
    pub fn render(&self, realm: &str, grpc: bool) -> Reply {
        let mut headers = vec![("cache-control", "no-store".to_owned())];
        if let Some(challenge) = self.challenge.render(realm, self.text) {
            headers.push(("www-authenticate", challenge));
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
        let Self { reason, status, challenge, text, retry_after } = self;
        let owned = |scope: Cow<'_, [Scope]>| Cow::Owned(scope.into_owned());
        let challenge = match challenge {
            Challenge::None => Challenge::None,
            Challenge::Bare { scope } => Challenge::Bare { scope: owned(scope) },
            Challenge::Error { code, scope } => Challenge::Error { code, scope: owned(scope) },
            Challenge::StepUp(needed) => Challenge::StepUp(Cow::Owned(needed.into_owned())),
        };
        Answer { reason, status, challenge, text, retry_after }
    }
}

impl Challenge<'_> {
    fn render(&self, realm: &str, text: &str) -> Option<String> {
        let (code, more) = match self {
            Self::None => return None,
            Self::Bare { scope } => (None, of_scope(scope)),
            Self::Error { code, scope } => (Some(*code), of_scope(scope)),
            Self::StepUp(needed) => (Some("insufficient_user_authentication"), of_step_up(needed)),
        };
        let error = code.map_or_else(String::new, |code| format!(", error=\"{code}\", error_description=\"{text}\""));
        Some(format!("Bearer realm=\"{realm}\"{error}{more}"))
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
fn answer(denial: &Denial) -> Answer<'_> {
    const NO_SCOPE: Cow<'static, [Scope]> = Cow::Borrowed(&[]);
    let reason = denial.reason();
    let refused = |status, challenge, text| Answer { reason, status, challenge, text, retry_after: None };
    let invalid_token = |text| refused(401, Challenge::Error { code: "invalid_token", scope: NO_SCOPE }, text);
    let invalid_request = |text| refused(400, Challenge::Error { code: "invalid_request", scope: NO_SCOPE }, text);
    let unavailable =
        |seconds, text| Answer { reason, status: 503, challenge: Challenge::None, text, retry_after: Some(seconds) };
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
        Denial::BoundToAnother(_) | Denial::ProofMissing(_) | Denial::CertificateMismatch(_) => {
            invalid_token("The access token is bound, and the request does not prove that its sender holds the key")
        }
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
mod tests {
    use super::*;
    use crate::base::time::{Seconds, UnixSeconds};

    fn scope(text: &str) -> Vec<Scope> {
        text.split(' ').filter_map(Scope::new).collect()
    }

    fn challenge(denial: &Denial) -> Option<String> {
        let reply = render(denial, "api", false);
        reply.headers.into_iter().find(|(name, _)| *name == "www-authenticate").map(|(_, value)| value)
    }

    #[test]
    fn a_request_without_a_credential_learns_the_scope_and_no_error() {
        let denial = Denial::NoCredential { scope: scope("a b") };
        assert_eq!(challenge(&denial).as_deref(), Some("Bearer realm=\"api\", scope=\"a b\""));
        assert_eq!(challenge(&Denial::NoCredential { scope: vec![] }).as_deref(), Some("Bearer realm=\"api\""));
    }

    #[test]
    fn key_and_signature_failures_and_revocation_cannot_be_told_apart() {
        let answer = |denial| Reply { details: String::new(), ..render(&denial, "api", false) };
        for denial in [Denial::BadSignature, Denial::AlgorithmNotAllowed, Denial::Revoked("jti")] {
            assert_eq!(answer(denial), answer(Denial::UnknownKey));
        }
    }

    #[test]
    fn a_missing_scope_is_named() {
        let text = challenge(&Denial::InsufficientScope { scope: scope("a b") }).expect("a challenge");
        assert!(text.starts_with("Bearer realm=\"api\", error=\"insufficient_scope\""), "{text}");
        assert!(text.ends_with(", scope=\"a b\""), "{text}");
    }

    #[test]
    fn a_step_up_names_how_the_user_has_to_authenticate() {
        let needed = |acr_values: Option<&[&str]>, max_age: Option<u32>| {
            let acr_values = acr_values.map(|values| values.iter().map(|&value| value.to_owned()).collect());
            let needed = StepUp { claim: "acr", acr_values, max_age: max_age.map(Seconds) };
            challenge(&Denial::StepUpNeeded(Box::new(needed))).expect("a challenge")
        };
        let start = "Bearer realm=\"api\", error=\"insufficient_user_authentication\", error_description=\"The user has to \
                     authenticate anew, as this resource asks\"";
        for (acr_values, max_age, end) in [
            (Some(&["phr", "phrh"][..]), None, ", acr_values=\"phr phrh\""),
            (None, Some(300), ", max_age=\"300\""),
            (Some(&["phr"][..]), Some(60), ", acr_values=\"phr\", max_age=\"60\""),
            (Some(&[][..]), None, ""),
        ] {
            assert_eq!(needed(acr_values, max_age), format!("{start}{end}"));
        }
    }

    #[test]
    fn grpc_gets_one_line_and_its_own_status() {
        for (denial, status) in [
            (Denial::TokenInQuery, 3),
            (Denial::WrongAudience, 16),
            (Denial::Denied, 7),
            (Denial::PolicyUnreadable, 13),
            (Denial::HostFailure, 13),
            (Denial::TooBusy, 14),
        ] {
            let reply = render(&denial, "api", true);
            assert_eq!(reply.grpc_status, status);
            assert!(!reply.body.contains(['{', '\n']), "{}", reply.body);
        }
    }

    #[test]
    fn what_is_not_there_may_be_asked_for_again() {
        let reply = render(&Denial::KeysUnavailable, "api", false);
        assert_eq!(reply.status, 503);
        assert!(reply.headers.contains(&("retry-after", "5".to_owned())));
        assert_eq!(challenge(&Denial::KeysUnavailable), None);
    }

    #[test]
    fn statuses_are_those_of_the_standards() {
        for (denial, status) in [
            (Denial::NoCredential { scope: vec![] }, 401),
            (Denial::Expired { expired_at: UnixSeconds(1), now: UnixSeconds(2) }, 401),
            (Denial::BadSignature, 401),
            (Denial::Replayed, 401),
            (Denial::InsufficientScope { scope: scope("a") }, 403),
            (Denial::ClaimMismatch("tenant".into()), 403),
            (Denial::Denied, 403),
            (Denial::TokenInQuery, 400),
            (Denial::MultipleCredentials, 400),
            (Denial::AmbiguousHost, 400),
            (Denial::AmbiguousPath, 400),
            (Denial::PolicyUnreadable, 500),
            (Denial::HostFailure, 500),
            (Denial::TooBusy, 503),
        ] {
            assert_eq!(render(&denial, "api", false).status, status, "{denial:?}");
        }
    }
}
