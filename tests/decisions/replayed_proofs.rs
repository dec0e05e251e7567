//! A proof is good once (RFC 9449 section 11.1), and only one that is good is used up.

use crate::support::issuer::with_signature;
use crate::support::prover::{Proof, Prover};
use crate::world::{Ask, NOW, config, configured_keys, get, policy, token};
use scopegate::base::base64url;
use scopegate::base::time::UnixSeconds;
use scopegate::crypto::Algorithm;
use scopegate::decision::{Decision, Reason};
use scopegate::engine::decide;
use scopegate::facts::{Claim, Claimed, Facts, Pool, ReplayStore};
use scopegate::policy::{CacheLimits, Policy};
use scopegate::token_cache::TokenCache;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::sync::LazyLock;

static CLIENT: LazyLock<Prover> = LazyLock::new(|| Prover::new(Algorithm::Es256));
static OTHER: LazyLock<Prover> = LazyLock::new(|| Prover::new(Algorithm::Es256));
static BOUND: LazyLock<String> = LazyLock::new(|| token().claim("cnf", CLIENT.cnf()).sign());
static BOUND_TO_OTHER: LazyLock<String> = LazyLock::new(|| token().claim("cnf", OTHER.cnf()).sign());

const HERE: &str = "https://api.example.com/orders";

/// What a claim was made of.
type Made = (Vec<Vec<u8>>, Vec<Vec<u8>>, UnixSeconds, Option<UnixSeconds>);

/// Remembers what has been claimed, or answers what it is told to.
#[derive(Default)]
struct Store {
    claims: RefCell<Vec<Made>>,
    answer: Cell<Option<Claimed>>,
}

impl ReplayStore for Store {
    fn claim(&self, claim: &Claim<'_>, _now: UnixSeconds) -> Claimed {
        assert_eq!(claim.pool, Pool::Proofs);
        if let Some(answer) = self.answer.get() {
            return answer;
        }
        let owned = |parts: &[&[u8]]| parts.iter().map(|part| part.to_vec()).collect::<Vec<_>>();
        let made = (owned(claim.id), owned(claim.principal), claim.until, claim.made_at);
        let is_there = self.claims.borrow().iter().any(|(id, ..)| *id == made.0);
        self.claims.borrow_mut().push(made);
        if is_there { Claimed::Again } else { Claimed::First }
    }
}

fn reading(members: Value) -> Policy {
    let mut config = config(members);
    config["dpop"] = json!({ "origins": ["https://api.example.com"] });
    policy(&config)
}

fn good() -> Proof<'static> {
    CLIENT.proof("GET", HERE, &BOUND, NOW)
}

fn sent(token: &str, proof: &str) -> Ask {
    get("/orders").header("authorization", format!("DPoP {token}")).header("dpop", proof)
}

fn judged(ask: &Ask, policy: &Policy, store: &Store) -> Option<Reason> {
    match ask.decide_after(policy, store) {
        Decision::Allow(_) => None,
        Decision::Deny(refusal) => Some(refusal.denial.reason()),
        other => panic!("undecided: {other:?}"),
    }
}

#[test]
fn a_proof_is_good_once() {
    let (policy, store) = (reading(json!({})), Store::default());
    let proof = good().sign();
    assert_eq!(judged(&sent(&BOUND, &proof), &policy, &store), None);
    for _ in 0..3 {
        assert_eq!(judged(&sent(&BOUND, &proof), &policy, &store), Some(Reason::ProofReplayed));
    }
    // A remembered token changes nothing.
    let (cache, keys) = (TokenCache::new(CacheLimits::default()), configured_keys(&policy));
    let replay: &dyn ReplayStore = &store;
    let again =
        || sent(&BOUND, &proof).judge(&keys, &cache, |view, facts| decide(&policy, view, &Facts { replay, ..*facts }));
    assert!(
        (0..3).all(|_| matches!(again(), Decision::Deny(refusal) if refusal.denial.reason() == Reason::ProofReplayed))
    );
}

#[test]
fn neither_a_proof_that_is_signed_again_nor_one_that_is_written_otherwise_is_another() {
    let (policy, store) = (reading(json!({})), Store::default());
    let proof = good().claim("jti", "once");
    assert_eq!(judged(&sent(&BOUND, &proof.clone().sign()), &policy, &store), None);
    // Signed again, at another time, in another order, with more members, for another token and another address.
    let again = proof.clone().claim("iat", NOW + 5).claim("x", 1).header("kid", "y").sign();
    assert_eq!(judged(&sent(&BOUND, &again), &policy, &store), Some(Reason::ProofReplayed));
    let elsewhere = proof.clone().claim("htu", "https://api.example.com/other").sign();
    let elsewhere = Ask { target: Some("/other".to_owned()), ..sent(&BOUND, &elsewhere) };
    assert_eq!(judged(&elsewhere, &policy, &store), Some(Reason::ProofReplayed));
    // ECDSA gives each signature a second spelling: s, and n - s.
    let fresh = good();
    let signed = fresh.clone().sign();
    assert_eq!(judged(&sent(&BOUND, &signed), &policy, &store), None);
    let bytes = base64url::decode(signed.rsplit('.').next().unwrap().as_bytes()).unwrap();
    let header = serde_json::to_string(&fresh.header).unwrap();
    let claims = serde_json::to_string(&fresh.claims).unwrap();
    let malleated = with_signature(&header, &claims, &[&bytes[..32], &negated(&bytes[32..])].concat());
    assert_eq!(judged(&sent(&BOUND, &malleated), &policy, &store), Some(Reason::ProofReplayed));
}

/// The order of P-256 less this number.
fn negated(s: &[u8]) -> Vec<u8> {
    let order: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let mut borrow = 0_i16;
    let mut out = vec![0; 32];
    for at in (0..32).rev() {
        let difference = i16::from(order[at]) - i16::from(s[at]) - borrow;
        borrow = i16::from(difference < 0);
        out[at] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    out
}

#[test]
fn one_clients_ids_are_not_anothers() {
    let (policy, store) = (reading(json!({})), Store::default());
    let ours = good().claim("jti", "same").sign();
    let theirs = OTHER.proof("GET", HERE, &BOUND_TO_OTHER, NOW).claim("jti", "same").sign();
    assert_eq!(judged(&sent(&BOUND, &ours), &policy, &store), None);
    assert_eq!(judged(&sent(&BOUND_TO_OTHER, &theirs), &policy, &store), None);
}

#[test]
fn a_request_that_is_refused_uses_no_proof_up() {
    let members =
        json!({ "rules": [{ "match": { "path": "/orders", "methods": ["GET"] }, "scopes": ["orders:admin"] }] });
    let (strict, policy, store) = (reading(members), reading(json!({})), Store::default());
    let proof = good().sign();
    assert_eq!(judged(&sent(&BOUND, &proof), &strict, &store), Some(Reason::InsufficientScope));
    for bad in [good().claim("htm", "POST").sign(), good().sign_by(&OTHER.key), good().claim("iat", NOW - 99).sign()] {
        assert_eq!(judged(&sent(&BOUND, &bad), &policy, &store), Some(Reason::InvalidProof));
    }
    let expired = token().claim("cnf", CLIENT.cnf()).claim("exp", NOW - 60).sign();
    assert_eq!(judged(&sent(&expired, &proof), &policy, &store), Some(Reason::Expired));
    assert!(store.claims.borrow().is_empty());
    assert_eq!(judged(&sent(&BOUND, &proof), &policy, &store), None);
    // Nor do public routes and bearer tokens.
    let open = reading(json!({ "default": { "public": true } }));
    assert_eq!(judged(&sent(&BOUND, &proof), &open, &store), None);
    assert_eq!(judged(&get("/orders").bearer(token().sign()).header("dpop", &proof), &policy, &store), None);
    assert_eq!(store.claims.borrow().len(), 1);
}

#[test]
fn a_claim_names_the_key_and_lasts_as_long_as_the_proof_is_good() {
    let (policy, store) = (reading(json!({})), Store::default());
    assert_eq!(judged(&sent(&BOUND, &good().claim("jti", "a").claim("iat", NOW + 7).sign()), &policy, &store), None);
    let jkt = base64url::decode(CLIENT.jkt().as_bytes()).unwrap();
    let id = vec![b"enforced".to_vec(), jkt.clone(), b"a".to_vec()];
    let wanted = (id, vec![jkt], UnixSeconds(NOW + 7 + 61), Some(UnixSeconds(NOW + 7)));
    assert_eq!(*store.claims.borrow(), [wanted]);
}

#[test]
fn what_the_store_cannot_say_is_refused() {
    let policy = reading(json!({}));
    for (answer, wanted) in [
        (Claimed::First, None),
        (Claimed::Again, Some(Reason::ProofReplayed)),
        (Claimed::TooOld, Some(Reason::InvalidProof)),
        (Claimed::Unknown, Some(Reason::TooBusy)),
    ] {
        let store = Store { answer: Cell::new(Some(answer)), ..Store::default() };
        assert_eq!(judged(&sent(&BOUND, &good().sign()), &policy, &store), wanted, "{answer:?}");
    }
}
