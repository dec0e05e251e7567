//! What clients are told.

use super::*;
use crate::base::time::{Seconds, UnixSeconds};

fn scope(text: &str) -> Vec<Scope> {
    text.split(' ').filter_map(Scope::new).collect()
}

fn reply(denial: &Denial, grpc: bool) -> Reply {
    render(denial, &Trace::default(), &Terms::of_realm("api"), grpc)
}

fn challenge(denial: &Denial) -> Option<String> {
    let reply = reply(denial, false);
    reply.headers.into_iter().find(|(name, _)| *name == "www-authenticate").map(|(_, value)| value)
}

/// The challenges to a token of this scheme where these are admitted.
fn challenges(denial: &Denial, bearer: bool, dpop: bool, used: Option<CredentialKind>) -> Vec<String> {
    let trace = Trace { schemes: Schemes { bearer, dpop }, credential: used, ..Trace::default() };
    let terms = Terms { algs: "ES256 EdDSA".into(), ..Terms::of_realm("api") };
    let reply = render(denial, &trace, &terms, false);
    reply.headers.into_iter().filter(|(name, _)| *name == "www-authenticate").map(|(_, value)| value).collect()
}

#[test]
fn each_scheme_that_is_admitted_has_a_challenge_and_the_error_is_in_the_one_that_was_used() {
    let (bearer, dpop) = (Some(CredentialKind::Bearer), Some(CredentialKind::Dpop));
    let bare = ["Bearer realm=\"api\"", "DPoP realm=\"api\", algs=\"ES256 EdDSA\""];
    let nothing = Denial::NoCredential { scope: vec![] };
    assert_eq!(challenges(&nothing, true, true, None), bare);
    assert_eq!(challenges(&nothing, false, true, None), bare[1..]);
    assert_eq!(challenges(&nothing, true, false, None), bare[..1]);
    let scoped = challenges(&Denial::NoCredential { scope: scope("a") }, true, true, None);
    assert_eq!(scoped, ["Bearer realm=\"api\", scope=\"a\"", "DPoP realm=\"api\", scope=\"a\", algs=\"ES256 EdDSA\""]);
    let lacking = Denial::InsufficientScope { scope: scope("a"), missing: scope("a") };
    for (denial, code) in [
        (&Denial::BadSignature, "invalid_token"),
        (&Denial::BoundToAnother(""), "invalid_token"),
        (&Denial::NotBound, "invalid_token"),
        (&lacking, "insufficient_scope"),
        (&Denial::InvalidProof(""), "invalid_dpop_proof"),
        (&Denial::ProofMissing(""), "invalid_dpop_proof"),
        (&Denial::ProofReplayed, "invalid_dpop_proof"),
        (&Denial::UseNonce("n".into()), "use_dpop_nonce"),
    ] {
        let told = challenges(denial, true, true, dpop);
        assert_eq!(told[0], bare[0], "{denial:?}");
        assert!(told[1].starts_with(&format!("DPoP realm=\"api\", error=\"{code}\", ")), "{told:?}");
        assert!(told[1].ends_with(", algs=\"ES256 EdDSA\""), "{told:?}");
        assert_eq!(told.len(), 2);
        assert_eq!(challenges(denial, false, true, dpop), told[1..]);
    }
    for denial in [&Denial::BadSignature, &Denial::ProofMissing("")] {
        let told = challenges(denial, true, true, bearer);
        assert!(told[0].starts_with("Bearer realm=\"api\", error=\"invalid_token\", "), "{told:?}");
        assert_eq!(told[1], bare[1]);
    }
    // One that is not admitted has no challenge, and the error stands in one that is.
    let told = challenges(&Denial::NotBound, false, true, bearer);
    assert!(told.len() == 1 && told[0].starts_with("DPoP realm=\"api\", error=\"invalid_token\", "), "{told:?}");
    let told = challenges(&Denial::NotBound, true, false, dpop);
    assert!(told.len() == 1 && told[0].starts_with("Bearer realm=\"api\", error=\"invalid_token\", "), "{told:?}");
    let malformed = challenges(&Denial::MalformedHeader(""), true, true, None);
    assert!(malformed[0].contains("error=\"invalid_request\"") && malformed[1] == bare[1], "{malformed:?}");
    assert!(challenges(&Denial::Denied, true, true, dpop).is_empty());
}

#[test]
fn a_nonce_is_told_once() {
    let reply = reply(&Denial::UseNonce("abc".into()), false);
    let nonces: Vec<_> = reply.headers.iter().filter(|(name, _)| *name == "dpop-nonce").collect();
    assert_eq!(nonces, [&("dpop-nonce", "abc".to_owned())]);
    assert!(reply.headers.contains(&("cache-control", "no-store".to_owned())));
}

#[test]
fn a_request_without_a_credential_learns_the_scope_and_no_error() {
    let denial = Denial::NoCredential { scope: scope("a b") };
    assert_eq!(challenge(&denial).as_deref(), Some("Bearer realm=\"api\", scope=\"a b\""));
    assert_eq!(challenge(&Denial::NoCredential { scope: vec![] }).as_deref(), Some("Bearer realm=\"api\""));
}

#[test]
fn key_and_signature_failures_and_revocation_cannot_be_told_apart() {
    let answer = |denial| Reply { details: String::new(), ..reply(&denial, false) };
    for denial in [Denial::BadSignature, Denial::AlgorithmNotAllowed, Denial::Revoked("jti")] {
        assert_eq!(answer(denial), answer(Denial::UnknownKey));
    }
}

#[test]
fn a_missing_scope_is_named() {
    let text = challenge(&Denial::InsufficientScope { scope: scope("a b"), missing: scope("a") }).expect("a challenge");
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
        let reply = reply(&denial, true);
        assert_eq!(reply.grpc_status, status);
        assert!(!reply.body.contains(['{', '\n']), "{}", reply.body);
    }
}

#[test]
fn what_is_not_there_may_be_asked_for_again() {
    let reply = reply(&Denial::KeysUnavailable, false);
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
        (Denial::InsufficientScope { scope: scope("a"), missing: scope("a") }, 403),
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
        assert_eq!(reply(&denial, false).status, status, "{denial:?}");
    }
}
