//! A token that more clients show than should, and that is revoked for it: for the rest of its life, on all workers.

use crate::introspection::{OPAQUE, active, opaque};
use crate::support::issuer::ISSUER;
use crate::support::shared::Shared;
use crate::world::{Ask, NOW, config, configured_keys, get, policy, reported, token};
use proptest::prelude::*;
use scopegate::audit::AuditRecord;
use scopegate::base::time::UnixSeconds;
use scopegate::challenge::{self, Terms};
use scopegate::checks::fingerprint;
use scopegate::config::{self, Node};
use scopegate::decision::{Decision, Denial, Reason};
use scopegate::engine::decide;
use scopegate::event_store::{Enters, SharedEvents};
use scopegate::facts::{Facts, NoMemory};
use scopegate::policy::{AuditSettings, Policy, Uses};
use scopegate::revocation::{Entry, Revocations};
use scopegate::sightings::{OfRequest, RequestSightings, SharedSightings};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const LIFE: i64 = 7200;
const LEEWAY: i64 = 10;

/// A worker: a policy, what it has counted, and what it has heard of what is revoked.
struct Worker {
    policy: Policy,
    counts: SharedSightings,
    store: SharedEvents,
    revoked: Revocations,
}

impl Worker {
    fn new(shared: &Shared, members: Value) -> Self {
        Self {
            policy: policy(&config(members)),
            counts: SharedSightings::open(Box::new(shared.clone()), 100_000).unwrap(),
            store: SharedEvents::open(Box::new(shared.clone()), 1000).unwrap(),
            revoked: Revocations::none(),
        }
    }

    fn tick(&mut self, now: i64) {
        self.counts.listen(UnixSeconds(now));
        if let Some(told) = self.store.listen(UnixSeconds(now)) {
            self.revoked = self.revoked.followed_by(Vec::new(), Some(told), true);
        }
    }

    /// Decides, and does as the shell does: what is to be revoked is entered.
    fn decide(&mut self, ask: &Ask) -> Decision {
        let own = RequestSightings::default();
        let sightings = OfRequest { all: Some(&self.counts), own: &own };
        let keys = configured_keys(&self.policy);
        let decision = ask.judge(&keys, &NoMemory, |view, facts| {
            decide(&self.policy, view, &Facts { sightings: &sightings, revocations: &self.revoked, ..*facts })
        });
        self.counts.note_told(&own);
        if let Some(entry) = to_revoke(&decision) {
            self.store.enter(std::slice::from_ref(entry), Enters::Anyone, UnixSeconds(ask.now)).unwrap();
            self.tick(ask.now);
        }
        decision
    }

    fn reason(&mut self, ask: &Ask) -> Option<Reason> {
        match self.decide(ask) {
            Decision::Allow(_) => None,
            Decision::Deny(refusal) => Some(refusal.denial.reason()),
            other => panic!("undecided: {other:?}"),
        }
    }
}

fn to_revoke(decision: &Decision) -> Option<&Entry> {
    match decision {
        Decision::Deny(refusal) => match &refusal.denial {
            Denial::Reused { revoked, .. } => revoked.as_deref(),
            _ => None,
        },
        _ => None,
    }
}

fn revoking(max_clients: u8) -> Value {
    json!({ "reuse": { "max_clients": max_clients, "action": "revoke" } })
}

/// A request with a token of this `jti`, or without one, from this client at this time.
fn show(id: Option<&str>, client: u8, now: i64) -> Ask {
    let token = token().claim("exp", NOW + LIFE).claim("jti", id.map_or(Value::Null, Value::from)).sign();
    Ask { source_address: Some(format!("192.0.{client}.1:1").into()), now, ..get("/orders").bearer(token) }
}

#[test]
fn a_token_that_too_many_clients_show_is_revoked_by_its_jti_until_its_end() {
    let mut worker = Worker::new(&Shared::default(), revoking(1));
    assert!(worker.policy.uses.has(Uses::EVENTS), "there is a store");
    assert_eq!(worker.reason(&show(Some("a"), 1, NOW)), None);
    let decision = worker.decide(&show(Some("a"), 2, NOW));
    let wanted = Entry::token(ISSUER.to_owned(), "a".to_owned()).until(UnixSeconds(NOW + LIFE + LEEWAY));
    assert_eq!(to_revoke(&decision), Some(&wanted));
    let record = AuditRecord::of(&decision, &worker.policy, AuditSettings::default(), b"GET").unwrap();
    let line = record.to_line();
    assert!(
        line.starts_with("decision=deny reason=reused event=token_reuse clients=2 window=600 action=revoke "),
        "{line}"
    );
    let Decision::Deny(refusal) = decision else { panic!("passes") };
    let reply = challenge::render(&refusal.denial, &refusal.trace, &Terms::of(&worker.policy, "api"), false);
    assert_eq!(reply.status, 401);
    // Long after the window, to the last second of the token.
    for now in [NOW, NOW + 5000, NOW + LIFE + LEEWAY - 1] {
        worker.tick(now);
        assert_eq!(worker.reason(&show(Some("a"), 1, now)), Some(Reason::Revoked), "{now}");
    }
    worker.tick(NOW + LIFE + LEEWAY);
    assert_eq!(worker.reason(&show(Some("a"), 1, NOW + LIFE + LEEWAY)), Some(Reason::Expired));
    assert_eq!(worker.reason(&show(Some("b"), 1, NOW)), None, "another token of the same user");
}

#[test]
fn a_token_without_a_jti_is_revoked_by_its_fingerprint() {
    let mut worker = Worker::new(&Shared::default(), revoking(1));
    let ask = show(None, 1, NOW);
    assert_eq!(worker.reason(&ask), None);
    let mut other = ask.clone();
    other.source_address = Some("192.0.9.1:1".into());
    let decision = worker.decide(&other);
    let header = other.headers.iter().find(|(name, _)| name == "authorization").unwrap().1.clone();
    let token = String::from_utf8(header).unwrap().trim_start_matches("Bearer ").to_owned();
    let name = fingerprint(token.rsplit_once('.').unwrap().0.as_bytes());
    let wanted = Entry::fingerprint(name).unwrap().until(UnixSeconds(NOW + LIFE + LEEWAY));
    assert_eq!(to_revoke(&decision), Some(&wanted));
    assert_eq!(worker.reason(&ask), Some(Reason::Revoked));
}

#[test]
fn no_other_action_and_no_requirement_that_only_reports_revokes() {
    for action in ["report", "challenge", "deny"] {
        let mut worker = Worker::new(&Shared::default(), json!({ "reuse": { "max_clients": 1, "action": action } }));
        assert!(!worker.policy.uses.has(Uses::EVENTS), "{action}: no store");
        for client in 1..5 {
            assert_eq!(to_revoke(&worker.decide(&show(Some("a"), client, NOW))), None, "{action}");
        }
    }
    let default = json!({ "report_only": true });
    for members in [json!({ "report_only": true }), json!({ "default": default })] {
        let mut all = revoking(1);
        all.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let mut worker = Worker::new(&Shared::default(), all);
        worker.decide(&show(Some("a"), 1, NOW));
        for client in 2..5 {
            let Decision::Allow(grant) = worker.decide(&show(Some("a"), client, NOW)) else { panic!("refused") };
            assert_eq!(reported(&grant), Some(Reason::Reused), "{members}");
        }
        assert_eq!(worker.reason(&show(Some("a"), 1, NOW)), None, "{members}");
    }
}

#[test]
fn a_requirement_that_revokes_counts_apart_from_one_that_denies() {
    let mut members = revoking(1);
    members["rules"] = json!([{ "match": { "path": "/deny" }, "reuse": { "max_clients": 1, "action": "deny" } }]);
    let mut worker = Worker::new(&Shared::default(), members);
    let denied = |client| Ask { target: Some("/deny".to_owned()), ..show(Some("a"), client, NOW) };
    assert_eq!(worker.reason(&denied(1)), None);
    assert_eq!(worker.reason(&denied(2)), Some(Reason::Reused));
    assert_eq!(worker.reason(&show(Some("a"), 3, NOW)), None, "it was not counted here");
    assert_eq!(worker.reason(&show(Some("a"), 4, NOW)), Some(Reason::Reused));
    assert_eq!(worker.reason(&denied(1)), Some(Reason::Revoked), "everywhere");
}

#[test]
fn metadata_revokes_where_there_is_a_store() {
    let metadata = |policy: &Policy| config::requirement(&Node::from(revoking(1)), policy, &|_| None);
    let worker = Worker::new(&Shared::default(), json!({ "limits": { "reuse_pairs": 1000 } }));
    let error = metadata(&worker.policy).unwrap_err().to_string();
    assert!(error.contains("has a reuse that revokes") && error.contains("event_entries"), "{error}");
    let limits = json!({ "limits": { "reuse_pairs": 1000, "event_entries": 1000 } });
    let mut worker = Worker::new(&Shared::default(), limits);
    let requirement = metadata(&worker.policy).unwrap();
    assert_eq!(worker.reason(&show(Some("a"), 1, NOW).under(requirement.clone())), None);
    assert_eq!(worker.reason(&show(Some("a"), 2, NOW).under(requirement)), Some(Reason::Reused));
    assert_eq!(worker.reason(&show(Some("a"), 1, NOW)), Some(Reason::Revoked));
}

#[test]
fn beside_a_key_the_token_is_counted_and_revoked() {
    let key = "k".repeat(24);
    let digest = crate::credentials::hex_sha256(key.as_bytes());
    let mut members = revoking(1);
    members["credentials"] = json!([{
        "name": "partners", "api_key": { "header": "x-api-key" }, "identities": [{ "id": "p", "secrets": [{ "sha256": digest }] }],
    }]);
    let for_get = json!({ "credentials": "partners", "reuse": { "max_clients": 1, "action": "deny" } });
    members["default"] = json!({ "credentials": { "all_of": ["partners", "bearer"] }, "methods": { "GET": for_get } });
    let mut worker = Worker::new(&Shared::default(), members);
    let with_key = |client| show(Some("a"), client, NOW).method("POST").header("x-api-key", &key);
    assert_eq!(worker.reason(&with_key(1)), None);
    let wanted = Entry::token(ISSUER.to_owned(), "a".to_owned()).until(UnixSeconds(NOW + LIFE + LEEWAY));
    assert_eq!(to_revoke(&worker.decide(&with_key(2))), Some(&wanted));
    assert_eq!(worker.reason(&with_key(1)), Some(Reason::Revoked));
}

#[test]
fn an_opaque_token_that_too_many_clients_show_is_revoked_until_its_end_and_one_without_an_end_never_passes() {
    let policy = opaque(json!({}), json!({ "reuse": { "max_clients": 1, "action": "revoke" } }));
    let counts = SharedSightings::open(Box::new(Shared::default()), 1000).unwrap();
    let decided = |address: &str, exp: Value| {
        let ask = Ask { source_address: Some(address.into()), ..get("/").bearer(OPAQUE) };
        let own = RequestSightings::default();
        let (said, sightings) = (active(json!({ "exp": exp })), OfRequest { all: Some(&counts), own: &own });
        let keys = configured_keys(&policy);
        ask.judge(&keys, &NoMemory, |view, facts| {
            decide(&policy, view, &Facts { introspections: &said, sightings: &sightings, ..*facts })
        })
    };
    let Decision::Deny(refusal) = decided("192.0.2.1:1", Value::Null) else { panic!("passes") };
    assert_eq!(refusal.denial, Denial::MissingClaim("exp".into()));
    assert!(matches!(decided("192.0.2.1:1", json!(NOW + 300)), Decision::Allow(_)));
    let Decision::Deny(refusal) = decided("198.51.100.1:1", json!(NOW + 300)) else { panic!("passes") };
    let Denial::Reused { revoked: Some(entry), .. } = refusal.denial else { panic!("{:?}", refusal.denial) };
    let wanted = Entry::fingerprint(fingerprint(OPAQUE.as_bytes())).unwrap().until(UnixSeconds(NOW + 310));
    assert_eq!(*entry, wanted);
}

proptest! {
    /// Two workers, and clients that come and go for longer than the window: no token is refused that never had more clients
    /// than it may, and once one has been refused, no worker that has ticked since lets it pass again.
    #[test]
    fn what_is_refused_once_never_passes_again(
        steps in proptest::collection::vec((0_usize..2, 0_u8..5, 0_u8..2, 0_i64..200, any::<bool>()), 1..60),
        max_clients in 1_u8..4,
    ) {
        let shared = Shared::default();
        let mut workers = [(); 2].map(|()| Worker::new(&shared, revoking(max_clients)));
        let mut now = NOW;
        let mut clients: [BTreeSet<u8>; 2] = Default::default();
        // Of each token whether it has been refused, and whether each worker has ticked since.
        let mut refused = [None::<[bool; 2]>; 2];
        for (number, client, name, wait, ticks) in steps {
            now += wait;
            if ticks {
                workers[number].tick(now);
                refused.iter_mut().flatten().for_each(|known| known[number] = true);
            }
            let token = usize::from(name);
            clients[token].insert(client);
            let reason = workers[number].reason(&show(Some(&name.to_string()), client, now));
            match reason {
                None => prop_assert!(!refused[token].is_some_and(|known| known[number]), "it passes again"),
                Some(reason) => {
                    prop_assert!(matches!(reason, Reason::Reused | Reason::Revoked), "{reason:?}");
                    prop_assert!(clients[token].len() > usize::from(max_clients), "too few clients");
                    refused[token].get_or_insert([false; 2])[number] = true;
                }
            }
        }
    }
}
