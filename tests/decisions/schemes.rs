//! DPoP around the proof itself: which scheme a token comes with, what is asked of senders, and what refused clients and
//! operators are told (RFC 9449 sections 7.1 and 7.2).

use crate::proofs::{BOUND, CLIENT, HERE, good, plain, reading, sent, with_token};
use crate::world::{Ask, NOW, config, get, policy, token, with_issuer};
use scopegate::audit::AuditRecord;
use scopegate::base::base64url;
use scopegate::challenge::{self, Terms};
use scopegate::decision::{Decision, Reason};
use scopegate::policy::{AuditSettings, Policy};
use serde_json::json;

/// Section 7.2: a bound token that is sent as a bearer token could have been taken from its holder.
#[test]
fn no_token_is_sent_with_the_scheme_of_the_other_kind() {
    let downgraded = get("/orders").bearer(&*BOUND).header("dpop", good().sign());
    assert_eq!(downgraded.refused(&plain()), Some(Reason::ProofMissing));
    let unbound = token().sign();
    let proof = CLIENT.proof("GET", HERE, &unbound, NOW).sign();
    assert_eq!(with_token(&unbound).header("dpop", proof).refused(&plain()), Some(Reason::NotBound));
    assert_eq!(get("/orders").bearer(&unbound).refused(&plain()), None);
    let both = get("/orders").header("authorization", format!("Bearer {unbound}, DPoP {}", *BOUND));
    assert_eq!(both.refused(&plain()), Some(Reason::MultipleCredentials));
    let of_certificate = token().claim("cnf", json!({ "x5t#S256": base64url::encode(&[7; 32]) })).sign();
    let proof = CLIENT.proof("GET", HERE, &of_certificate, NOW).sign();
    let ask = with_token(&of_certificate).header("dpop", proof).certificate([7; 32]);
    assert_eq!(ask.refused(&plain()), Some(Reason::NotBound));
}

#[test]
fn a_key_and_a_certificate_both_have_to_be_proven() {
    let cnf = json!({ "jkt": CLIENT.jkt(), "x5t#S256": base64url::encode(&[7; 32]) });
    let bound = token().claim("cnf", cnf).sign();
    let ask = || with_token(&bound).header("dpop", CLIENT.proof("GET", HERE, &bound, NOW).sign());
    assert_eq!(ask().certificate([7; 32]).refused(&plain()), None);
    assert_eq!(ask().certificate([8; 32]).refused(&plain()), Some(Reason::CertificateMismatch));
    assert_eq!(with_token(&bound).certificate([7; 32]).refused(&plain()), Some(Reason::ProofMissing));
}

#[test]
fn without_dpop_a_token_that_is_bound_to_a_key_is_refused_and_the_log_says_which_line_is_missing() {
    let policy = policy(&config(json!({})));
    let decision = sent(good().sign()).decide(&policy);
    let record = AuditRecord::of(&decision, &policy, AuditSettings::default(), b"GET").unwrap();
    assert_eq!(record.outcome.words(), ("deny", Some("proof_missing")));
    assert!(record.to_line().contains("the configuration has no `dpop: {origins: [...]}`"), "{}", record.to_line());
}

#[test]
fn an_issuer_that_leaves_the_proof_to_another_gate_is_taken_at_its_word() {
    let ignoring = with_issuer(json!({ "sender_constraint": "ignore" }), json!({}));
    for ask in [with_token(&BOUND), sent("x"), get("/").bearer(&*BOUND), with_token(&token().sign())] {
        assert_eq!(ask.refused(&ignoring), None);
    }
}

#[test]
fn what_is_asked_of_senders_is_asked() {
    let unbound = || get("/orders").bearer(token().sign());
    let certified = || {
        let cnf = json!({ "x5t#S256": base64url::encode(&[7; 32]) });
        get("/orders").bearer(token().claim("cnf", cnf).sign()).certificate([7; 32])
    };
    let not_bound = Some(Reason::NotBound);
    for (constraint, wanted) in [
        ("if_bound", [None, None, None]),
        ("required", [not_bound, None, None]),
        ("dpop", [not_bound, not_bound, None]),
        ("mtls", [not_bound, None, not_bound]),
    ] {
        let config = reading(json!({}), json!({ "default": { "sender_constraint": constraint } }));
        let asked = [unbound(), certified(), sent(good().sign())];
        assert_eq!(asked.map(|ask| ask.refused(&config)), wanted, "{constraint}");
    }
}

/// The challenges of a refusal.
fn challenges(ask: &Ask, policy: &Policy) -> Vec<String> {
    let Decision::Deny(refusal) = ask.decide(policy) else { panic!("it is refused") };
    let reply = challenge::render(&refusal.denial, &refusal.trace, &Terms::of(policy, "api"), false);
    reply.headers.into_iter().filter(|(name, _)| *name == "www-authenticate").map(|(_, value)| value).collect()
}

#[test]
fn a_challenge_names_each_scheme_that_the_route_admits() {
    let rules = json!([{ "match": { "path": "/dpop" }, "sender_constraint": "dpop" }, { "match": { "path": "/scoped" }, "scopes": ["x"] }]);
    let policy = policy(&reading(json!({ "algorithms": ["ES256", "EdDSA"] }), json!({ "rules": rules })));
    let (bearer, dpop) = ("Bearer realm=\"api\"", "DPoP realm=\"api\", algs=\"ES256 EdDSA\"");
    assert_eq!(challenges(&get("/"), &policy), [bearer, dpop]);
    assert_eq!(challenges(&get("/dpop"), &policy), [dpop]);
    let downgraded = challenges(&get("/").bearer(&*BOUND), &policy);
    assert!(downgraded[0].contains("error=\"invalid_token\"") && downgraded[1] == dpop, "{downgraded:?}");
    let bad = challenges(&sent("x"), &policy);
    assert!(bad[0] == bearer && bad[1].contains("error=\"invalid_dpop_proof\""), "{bad:?}");
    let expired = token().claim("cnf", CLIENT.cnf()).claim("exp", NOW - 60).sign();
    let expired = challenges(&with_token(&expired), &policy);
    assert!(expired[0] == bearer && expired[1].contains("error=\"invalid_token\""), "{expired:?}");
    let proof = CLIENT.proof("GET", "https://api.example.com/scoped", &BOUND, NOW).sign();
    let scoped = Ask { target: Some("/scoped".to_owned()), ..with_token(&BOUND).header("dpop", proof) };
    let scoped = challenges(&scoped, &policy);
    assert!(scoped[0] == bearer && scoped[1].contains("error=\"insufficient_scope\""), "{scoped:?}");
    assert!(scoped[1].contains("scope=\"x\""), "{scoped:?}");
}

#[test]
fn a_challenge_names_dpop_only_where_some_token_can_be_in_authorization() {
    let mut config = plain();
    config["issuers"][0]["token_header"] = json!({ "name": "x-token" });
    assert_eq!(challenges(&get("/"), &policy(&config)), ["Bearer realm=\"api\""]);
    config["issuers"][0].as_object_mut().unwrap().remove("token_header");
    assert_eq!(challenges(&get("/"), &policy(&config)).len(), 2);
}

/// RFC 9449 section 7.1: a client that used `DPoP` is told so in `DPoP`, which is not offered otherwise.
#[test]
fn a_route_for_tokens_of_certificates_names_dpop_to_those_who_used_it() {
    let rules = json!([{ "match": { "path": "/mtls" }, "sender_constraint": "mtls" }]);
    let (bearer, dpop) = ("Bearer realm=\"api\"", "DPoP realm=\"api\"");
    let at = |ask: Ask| Ask { target: Some("/mtls".to_owned()), ..ask };
    let of_issuer = |constraint: &str| {
        let issuer = json!({ "sender_constraint": constraint });
        policy(&with_issuer(issuer, json!({ "rules": rules, "dpop": { "origins": ["https://api.example.com"] } })))
    };
    let schemes = |policy: &Policy, ask: &Ask| -> Vec<bool> {
        let known = challenges(ask, policy);
        assert!(
            known.iter().all(|challenge| challenge.starts_with(bearer) || challenge.starts_with(dpop)),
            "{known:?}"
        );
        [bearer, dpop].map(|scheme| known.iter().any(|challenge| challenge.starts_with(scheme))).to_vec()
    };
    for (constraint, elsewhere, here) in [
        ("if_bound", [true, true], [true, false]),
        ("required", [true, true], [true, false]),
        ("mtls", [true, false], [true, false]),
        ("dpop", [false, true], [false, true]),
    ] {
        let policy = of_issuer(constraint);
        assert_eq!(schemes(&policy, &get("/")), elsewhere, "{constraint}");
        assert_eq!(schemes(&policy, &at(get("/"))), here, "{constraint}");
        assert_eq!(schemes(&policy, &at(get("/").bearer("x"))), here, "{constraint}");
        let used = at(sent(good().sign()));
        assert_eq!(schemes(&policy, &used), [here[0], true], "{constraint}");
        let told = challenges(&used, &policy);
        assert!(told.last().unwrap().contains("error=\"invalid_token\""), "{constraint}: {told:?}");
        assert!(told.last().unwrap().contains("algs="), "{constraint}: {told:?}");
    }
}

#[test]
fn the_token_is_judged_before_the_proof_and_the_proof_before_the_scope() {
    let expired = token().claim("cnf", CLIENT.cnf()).claim("exp", NOW - 60).sign();
    assert_eq!(with_token(&expired).header("dpop", "x").refused(&plain()), Some(Reason::Expired));
    let scoped = reading(json!({}), json!({ "default": { "scopes": ["x"] } }));
    assert_eq!(sent("x").refused(&scoped), Some(Reason::InvalidProof));
    assert_eq!(sent(good().sign()).refused(&scoped), Some(Reason::InsufficientScope));
}

#[test]
fn no_record_and_no_answer_has_a_proof_a_key_or_a_jti() {
    let policy = policy(&plain());
    let proof = good().claim("jti", "a-secret-jti").claim("htm", "POST").sign();
    let decision = sent(&proof).decide(&policy);
    let record = AuditRecord::of(&decision, &policy, AuditSettings::default(), b"GET").unwrap();
    let Decision::Deny(refusal) = &decision else { panic!("it is refused") };
    let reply = challenge::render(&refusal.denial, &refusal.trace, &Terms::of(&policy, "api"), false);
    for text in [record.to_line(), record.to_json(), format!("{reply:?}"), format!("{decision:?}")] {
        for secret in [proof.split('.').nth(1).unwrap(), "a-secret-jti", &CLIENT.jkt(), "POST"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
    assert!(record.to_line().ends_with("(its htm is another method)"), "{}", record.to_line());
}
