//! What is good once in a fleet: a token that its service knows, and a proof beside it.

use crate::proofs::{BOUND, CLIENT, HERE, good, reading, with_token};
use crate::support::shared::Shared;
use crate::world::{Ask, NOW, compiled, token};
use scopegate::base::time::UnixSeconds;
use scopegate::config::Loaded;
use scopegate::decision::{Decision, Need, Reason};
use scopegate::facts::Pool;
use scopegate::policy::FleetClaim;
use scopegate::replay_store::{RequestClaims, RequestStore, SharedStore};
use serde_json::{Value, json};

/// What became of a request so far.
#[derive(Debug, PartialEq)]
enum Judged {
    Passed,
    Refused(Reason),
    Asks(FleetClaim),
}

/// A gate whose requests are good once.
struct Gate {
    loaded: Loaded,
    store: SharedStore,
}

impl Gate {
    /// One whose store is there since `born`.
    fn start(members: Value, dpop: Value, born: i64) -> Self {
        let loaded = compiled(&reading(dpop, members));
        let pools = [Pool::Tokens, Pool::Proofs];
        let store = SharedStore::open(Box::new(Shared::default()), &pools, 100_000, UnixSeconds(born)).unwrap();
        Self { loaded, store }
    }

    fn of_request<'g>(&'g self, claims: &'g RequestClaims) -> RequestStore<'g> {
        RequestStore { store: &self.store, service: self.loaded.settings.replay.service.as_ref(), claims }
    }

    fn judge(&self, ask: &Ask, claims: &RequestClaims) -> Judged {
        match ask.decide_after(&self.loaded.policy, &self.of_request(claims)) {
            Decision::Allow(_) => Judged::Passed,
            Decision::Deny(refusal) => Judged::Refused(refusal.denial.reason()),
            Decision::Await(pending) => match pending.need {
                Need::FirstUse(claim) => Judged::Asks(claim),
                need => panic!("{need:?}"),
            },
            other @ (Decision::Serve(_) | Decision::Receive(_)) => panic!("{other:?}"),
        }
    }

    /// A request that gets this answer each time that it asks.
    fn serve(&self, ask: &Ask, is_first: bool) -> Judged {
        let claims = RequestClaims::default();
        for _ in 0..3 {
            match self.judge(ask, &claims) {
                Judged::Asks(claim) => claims.answer(&claim, is_first),
                judged => return judged,
            }
        }
        panic!("it asks without end")
    }
}

fn in_fleet(proofs: &str) -> Gate {
    let service = json!({ "cluster": "a", "form": "webdis", "secret": { "env": "SECRET_32" } });
    let members = json!({ "default": { "single_use": true }, "replay": { "service": service } });
    Gate::start(members, json!({ "replay": proofs }), NOW - 100)
}

fn bound(jti: &str) -> String {
    token().claim("cnf", CLIENT.cnf()).claim("jti", jti).sign()
}

fn sent(token: &str, jti: &str) -> Ask {
    with_token(token).header("dpop", CLIENT.proof("GET", HERE, token, NOW).claim("jti", jti).sign())
}

#[test]
fn a_request_that_waits_for_the_word_on_its_token_keeps_its_proof() {
    for proofs in ["process", "service"] {
        let gate = in_fleet(proofs);
        let [first, second] = ["first", "second"].map(bound);
        assert_eq!(gate.serve(&sent(&first, "a"), true), Judged::Passed, "{proofs}");
        assert_eq!(gate.serve(&sent(&first, "b"), true), Judged::Refused(Reason::Replayed), "{proofs}");
        assert_eq!(gate.serve(&sent(&first, "a"), true), Judged::Refused(Reason::ProofReplayed), "{proofs}");
        // Of another request with the same proof at the same moment.
        let claims = RequestClaims::default();
        assert!(matches!(gate.judge(&sent(&second, "c"), &claims), Judged::Asks(_)), "{proofs}");
        assert_eq!(gate.serve(&sent(&second, "c"), true), Judged::Refused(Reason::ProofReplayed), "{proofs}");
    }
}

#[test]
fn a_request_that_the_service_does_not_answer_uses_neither_token_nor_proof_up() {
    for proofs in ["process", "service"] {
        let (gate, token, claims) = (in_fleet(proofs), bound("first"), RequestClaims::default());
        let ask = sent(&token, "a");
        assert!(matches!(gate.judge(&ask, &claims), Judged::Asks(_)));
        gate.of_request(&claims).give_back();
        assert_eq!(gate.serve(&ask, true), Judged::Passed, "{proofs}");
    }
}

/// In the other order a thief with a proof that was used could use up the token of its holder.
#[test]
fn a_proof_that_has_been_used_uses_no_token_up() {
    let rules = json!([{ "match": { "path": "/orders", "methods": ["GET"] }, "single_use": true }]);
    let once = Gate::start(json!({ "rules": rules }), json!({}), NOW - 100);
    let token = bound("first");
    let elsewhere = |jti: &str| {
        let proof = CLIENT.proof("POST", HERE, &token, NOW).claim("jti", jti).sign();
        Ask { method: "POST".to_owned(), ..with_token(&token).header("dpop", proof) }
    };
    assert_eq!(once.serve(&elsewhere("a"), true), Judged::Passed);
    assert_eq!(once.serve(&sent(&token, "a"), true), Judged::Refused(Reason::ProofReplayed));
    assert_eq!(once.serve(&sent(&token, "b"), true), Judged::Passed);
    assert_eq!(once.serve(&sent(&token, "c"), true), Judged::Refused(Reason::Replayed));
}

/// A store that is made anew cannot know whether a proof of a clock that is ahead was made before it.
#[test]
fn after_a_restart_only_a_proof_of_a_clock_that_is_ahead_passes_once_more() {
    let ahead = |seconds: i64| with_token(&BOUND).header("dpop", good().claim("iat", NOW + seconds).sign());
    let at = |mut ask: Ask, seconds: i64| {
        ask.now = NOW + seconds;
        ask
    };
    let invalid = Judged::Refused(Reason::InvalidProof);
    for (max_ahead, again) in [("10s", Judged::Passed), ("0s", invalid)] {
        let start = |born| Gate::start(json!({}), json!({ "max_ahead": max_ahead }), born);
        let (before, after) = (start(NOW - 100), start(NOW + 2));
        assert_eq!(before.serve(&ahead(0), true), Judged::Passed);
        assert_eq!(after.serve(&at(ahead(0), 3), true), Judged::Refused(Reason::InvalidProof));
        assert_eq!(
            before.serve(&ahead(7), true),
            if max_ahead == "10s" { Judged::Passed } else { Judged::Refused(Reason::InvalidProof) }
        );
        assert_eq!(after.serve(&at(ahead(7), 3), true), again, "{max_ahead}");
        assert_eq!(after.serve(&at(ahead(3), 3), true), Judged::Passed, "{max_ahead}");
    }
}
