//! What report-only uses up: nothing that counts elsewhere, and nothing twice for one request.

use crate::support::prover::Prover;
use crate::support::shared::Shared;
use crate::world::{Ask, NOW, config, get, policy, reported, token};
use scopegate::base::time::UnixSeconds;
use scopegate::config::{self, Node};
use scopegate::crypto::Algorithm;
use scopegate::decision::{Decision, Reason};
use scopegate::facts::Pool;
use scopegate::policy::Policy;
use scopegate::replay_store::SharedStore;
use serde_json::{Value, json};
use std::sync::LazyLock;

static CLIENT: LazyLock<Prover> = LazyLock::new(|| Prover::new(Algorithm::Es256));

/// A gate, with what has been used.
struct Gate {
    policy: Policy,
    store: SharedStore,
}

/// What becomes of a request.
#[derive(Debug, PartialEq)]
enum Outcome {
    Passed,
    Reported(Reason),
    Refused(Reason),
}

impl Gate {
    fn sharing(shared: &Shared, members: Value) -> Self {
        let mut config = config(members);
        config["dpop"] = json!({ "origins": ["https://api.example.com"] });
        let pools = [Pool::Tokens, Pool::Proofs];
        // The store is older than every proof.
        let store = SharedStore::open(Box::new(shared.clone()), &pools, 100_000, UnixSeconds(NOW - 100)).unwrap();
        Self { policy: policy(&config), store }
    }

    fn judge(&self, ask: &Ask) -> Outcome {
        match ask.decide_after(&self.policy, &self.store) {
            Decision::Allow(grant) => reported(&grant).map_or(Outcome::Passed, Outcome::Reported),
            Decision::Deny(refusal) => Outcome::Refused(refusal.denial.reason()),
            other => panic!("undecided: {other:?}"),
        }
    }

    /// A request on a route whose metadata adds this.
    fn under(&self, ask: Ask, requirement: Value) -> Ask {
        ask.under(config::requirement(&Node::from(requirement), &self.policy, &|_| None).unwrap())
    }
}

/// A request with a token and a new proof for it.
fn proven(token: &str) -> Ask {
    let proof = CLIENT.proof("GET", "https://api.example.com/orders", token, NOW).sign();
    get("/orders").header("authorization", format!("DPoP {token}")).header("dpop", proof)
}

fn bound(jti: &str) -> String {
    token().claim("jti", jti).claim("cnf", CLIENT.cnf()).sign()
}

#[test]
fn a_proof_that_is_only_reported_is_not_used_up_where_it_counts() {
    let shared = Shared::default();
    let enforcing = Gate::sharing(&shared, json!({}));
    for members in [json!({ "report_only": true }), json!({ "default": { "report_only": true } })] {
        let reporting = Gate::sharing(&shared, members.clone());
        let ask = proven(&bound("1"));
        assert_eq!(reporting.judge(&ask), Outcome::Passed, "{members}");
        assert_eq!(reporting.judge(&ask), Outcome::Reported(Reason::ProofReplayed), "{members}");
        assert_eq!(
            enforcing.judge(&ask),
            Outcome::Passed,
            "{members}: a gate that reports stands before one that counts"
        );
        assert_eq!(enforcing.judge(&ask), Outcome::Refused(Reason::ProofReplayed), "{members}");
    }
}

#[test]
fn a_request_that_is_judged_for_what_metadata_adds_uses_its_proof_once() {
    let base = json!({ "single_use": true, "report_only": true });
    let shared = Shared::default();
    let gate = Gate::sharing(&shared, json!({ "route_metadata": "restrict", "default": base }));
    let token = bound("1");
    let adds_little = || gate.under(proven(&token), json!({ "scopes": [] }));
    assert_eq!(gate.judge(&adds_little()), Outcome::Passed);
    assert_eq!(gate.judge(&adds_little()), Outcome::Reported(Reason::Replayed), "with a proof of its own");
    let ask = adds_little();
    assert_eq!(gate.judge(&ask), Outcome::Reported(Reason::Replayed));
    assert_eq!(gate.judge(&ask), Outcome::Refused(Reason::ProofReplayed), "what metadata adds is enforced");
    let enforcing = Gate::sharing(&shared, json!({}));
    assert_eq!(enforcing.judge(&ask), Outcome::Refused(Reason::ProofReplayed), "so the proof counts as used elsewhere");
}

#[test]
fn the_reason_is_the_first_one_where_metadata_asks_single_use() {
    let members = json!({ "route_metadata": "restrict", "replay": {}, "default": { "report_only": true } });
    let gate = Gate::sharing(&Shared::default(), members);
    let token = bound("1");
    let once = || gate.under(proven(&token), json!({ "single_use": true }));
    assert_eq!(gate.judge(&once()), Outcome::Passed);
    let ask = once();
    assert_eq!(gate.judge(&ask), Outcome::Refused(Reason::Replayed), "the proof is new");
    assert_eq!(gate.judge(&ask), Outcome::Refused(Reason::ProofReplayed));
}
