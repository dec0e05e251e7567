//! What the guide shows against the reuse of tokens and the form of `scopegate test` cannot express: what has been used,
//! proofs, and records. The configurations are those of the guide, with the tests' issuer and secret.

use crate::support::issuer::{ISSUER, Token};
use crate::support::prover::Prover;
use crate::support::shared::Shared;
use crate::world::{Ask, DEMO, NOW, compiled, get, token};
use scopegate::audit::AuditRecord;
use scopegate::base::time::UnixSeconds;
use scopegate::challenge::{self, Terms};
use scopegate::config;
use scopegate::crypto::Algorithm;
use scopegate::decision::{Decision, Reason, Trace};
use scopegate::facts::Pool;
use scopegate::policy::Policy;
use scopegate::replay_store::SharedStore;
use serde_json::{Value, json};

const GUIDE: &str = include_str!("../../envoy/GUIDE.md");

/// The configuration that the guide has below this heading.
fn shown(heading: &str) -> Value {
    let (_, below) = GUIDE.split_once(&format!("\n### {heading}\n")).unwrap();
    let (_, block) = below.split_once("```yaml plugin\n").unwrap();
    let (text, _) = block.split_once("```").unwrap();
    let mut config = config::read_yaml(text).unwrap().value.to_json();
    config["issuers"][0]["issuer"] = ISSUER.into();
    config["issuers"][0]["jwks"] = json!({ "inline": DEMO.jwks() });
    if let Some(secret) = config.pointer_mut("/dpop/nonce/secret/env") {
        *secret = "SECRET_32".into();
    }
    config
}

fn gate(heading: &str) -> (Policy, SharedStore) {
    let pools = [Pool::Tokens, Pool::Proofs];
    let store = SharedStore::open(Box::new(Shared::default()), &pools, 100_000, UnixSeconds(NOW - 600)).unwrap();
    (compiled(&shown(heading)).policy, store)
}

fn refused(ask: &Ask, (policy, store): &(Policy, SharedStore)) -> Option<Reason> {
    match ask.decide_after(policy, store) {
        Decision::Allow(_) => None,
        Decision::Deny(refusal) => Some(refusal.denial.reason()),
        other => panic!("undecided: {other:?}"),
    }
}

#[test]
fn a_payment_that_is_sent_again_is_refused_and_other_requests_are_not() {
    let gate = gate("Replay");
    let sent = token().scope("payments:write").claim("jti", "1").sign();
    let payment = get("/payments").method("POST").bearer(&sent);
    assert_eq!(refused(&payment, &gate), None);
    assert_eq!(refused(&payment, &gate), Some(Reason::Replayed));
    for _ in 0..2 {
        assert_eq!(refused(&get("/orders").bearer(&sent), &gate), None);
    }
}

#[test]
fn a_stolen_token_is_of_no_use_without_the_key_and_a_stolen_proof_is_good_once() {
    const HERE: &str = "https://api.example.com/orders";
    let gate = gate("Theft by XSS");
    let [page, thief] = [(); 2].map(|()| Prover::new(Algorithm::Es256));
    let stolen = token().claim("cnf", page.cnf()).sign();
    let sent = |proof: String| get("/orders").header("authorization", format!("DPoP {stolen}")).header("dpop", proof);

    // The first proof gets a nonce, with which the next one is made.
    let Decision::Deny(refusal) = sent(page.proof("GET", HERE, &stolen, NOW).sign()).decide_after(&gate.0, &gate.1)
    else {
        panic!("a proof without a nonce passed")
    };
    assert_eq!(refusal.denial.reason(), Reason::UseNonce);
    let reply = challenge::render(&refusal.denial, &Trace::default(), &Terms::of_realm("demo"), false);
    let nonce = reply.headers.iter().find(|(name, _)| *name == "dpop-nonce").unwrap().1.clone();

    let made_by = |prover: &Prover| sent(prover.proof("GET", HERE, &stolen, NOW).claim("nonce", nonce.as_str()).sign());
    assert_eq!(refused(&made_by(&thief), &gate), Some(Reason::BoundToAnother));
    let own = made_by(&page);
    assert_eq!(refused(&own, &gate), None);
    assert_eq!(refused(&own, &gate), Some(Reason::ProofReplayed));
    assert_eq!(refused(&made_by(&page), &gate), None, "a new proof of the page");
}

#[test]
fn records_of_what_passes_and_of_what_is_refused_name_the_token_and_no_record_has_it_or_its_subject() {
    let loaded = compiled(&shown("Blind spots in logs"));
    let record = |token: Token<'_>, now: i64| {
        let ask = Ask { now, ..get("/").bearer(token.sign()) };
        let decision = ask.decide(&loaded.policy);
        let record = AuditRecord::of(&decision, &loaded.policy, loaded.settings.audit, b"GET").unwrap();
        serde_json::from_str::<Value>(&record.to_json()).unwrap()
    };
    let (allowed, expired) = (record(token(), NOW), record(token(), NOW + 3600));
    assert_eq!((&allowed["decision"], &expired["reason"]), (&json!("allow"), &json!("expired")));
    assert_eq!(allowed["fingerprint"], expired["unverified_fingerprint"]);
    assert!(allowed["fingerprint"].is_string());
    assert!(!allowed.to_string().contains("alice"), "{allowed}");
}
