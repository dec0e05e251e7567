//! A credential that more clients show than should.

use crate::support::shared::Shared;
use crate::world::{Ask, NOW, configured_keys, get, policy, token};
use scopegate::audit::AuditRecord;
use scopegate::challenge::{self, Terms};
use scopegate::config::{self, Node};
use scopegate::decision::{Decision, Denial, Grant, Reason, ReuseEvent};
use scopegate::engine::decide;
use scopegate::facts::{Facts, NoMemory};
use scopegate::policy::{AuditSettings, Policy, Requirement, ReuseAction};
use scopegate::sightings::{OfRequest, RequestSightings, SharedSightings};
use serde_json::{Value, json};

/// A gate: a policy and what it has counted.
struct Gate {
    policy: Policy,
    counts: SharedSightings,
}

impl Gate {
    fn new(members: Value) -> Self {
        Self::sharing(&Shared::default(), members)
    }

    fn sharing(shared: &Shared, members: Value) -> Self {
        let counts = SharedSightings::open(Box::new(shared.clone()), 100_000).unwrap();
        Self { policy: policy(&crate::world::config(members)), counts }
    }

    fn decide(&self, ask: &Ask) -> Decision {
        let own = RequestSightings::default();
        let sightings = OfRequest { all: Some(&self.counts), own: &own };
        let keys = configured_keys(&self.policy);
        let decision = ask.judge(&keys, &NoMemory, |view, facts| {
            decide(&self.policy, view, &Facts { sightings: &sightings, ..*facts })
        });
        self.counts.note_told(&own);
        decision
    }

    /// What is told of the clients of a request that passes.
    fn passes(&self, ask: &Ask) -> Option<ReuseEvent> {
        match self.decide(ask) {
            Decision::Allow(grant) => grant.trace.reuse,
            other => panic!("does not pass: {other:?}"),
        }
    }

    /// Why a request is refused, and what is told of its clients.
    fn refuses(&self, ask: &Ask) -> (Reason, Option<ReuseEvent>) {
        match self.decide(ask) {
            Decision::Deny(refusal) => (refusal.denial.reason(), refusal.trace.reuse),
            other => panic!("is not refused: {other:?}"),
        }
    }

    fn metadata(&self, requirement: Value) -> Requirement {
        config::requirement(&Node::from(requirement), &self.policy, &|_| None).unwrap()
    }
}

fn limit(max_clients: u8, action: &str) -> Value {
    json!({ "reuse": { "max_clients": max_clients, "action": action } })
}

/// A request with a good token from this address.
fn from(address: &str) -> Ask {
    from_with(address, &token().sign())
}

fn from_with(address: &str, token: &str) -> Ask {
    Ask { source_address: Some(address.into()), ..get("/orders").bearer(token).header("user-agent", "one") }
}

#[expect(clippy::unnecessary_wraps, reason = "what is compared is an Option")]
fn event(clients: u8, action: ReuseAction) -> Option<ReuseEvent> {
    Some(ReuseEvent { clients, window: scopegate::base::time::Seconds(600), action })
}

#[test]
fn clients_beyond_the_limit_are_told_once_each() {
    let gate = Gate::new(limit(2, "report"));
    for (address, told) in [
        ("192.0.2.1:1", None),
        ("192.0.2.77:2", None),
        ("198.51.100.1:1", None),
        ("203.0.113.1:1", event(3, ReuseAction::Report)),
        ("203.0.113.9:9", None),
        ("[2001:db8::1]:1", event(4, ReuseAction::Report)),
        ("[2001:db8:0:ff::2]:7", None),
        ("[2001:db8:0:100::2]:7", event(5, ReuseAction::Report)),
    ] {
        assert_eq!(gate.passes(&from(address)), told, "{address}");
    }
    let another = token().claim("jti", "another").sign();
    assert_eq!(gate.passes(&from_with("203.0.113.1:1", &another)), None, "it is another token");
}

#[test]
fn the_record_of_one_more_client_says_so_and_no_other_record_does() {
    let gate = Gate::new(limit(1, "report"));
    let record = |address: &str| {
        let decision = gate.decide(&from(address));
        let record = AuditRecord::of(&decision, &gate.policy, AuditSettings::default(), b"GET").unwrap();
        (serde_json::from_str::<Value>(&record.to_json()).unwrap(), record.to_line())
    };
    assert!(record("192.0.2.1:1").0.get("event").is_none());
    let (json, line) = record("198.51.100.1:1");
    for (name, wanted) in [
        ("decision", json!("allow")),
        ("event", json!("token_reuse")),
        ("clients", json!(2)),
        ("window", json!(600)),
        ("action", json!("report")),
        ("subject", json!("alice")),
    ] {
        assert_eq!(json[name], wanted, "{json}");
    }
    assert!(json["fingerprint"].is_string() && !json.to_string().contains("198.51"), "{json}");
    assert!(line.starts_with("decision=allow event=token_reuse clients=2 window=600 action=report issuer="), "{line}");
    assert!(record("198.51.100.1:1").0.get("event").is_none());
}

#[test]
fn a_challenge_meets_the_clients_that_came_late_and_a_denial_meets_all() {
    let gate = Gate::new(limit(1, "challenge"));
    assert_eq!(gate.passes(&from("192.0.2.1:1")), None);
    assert_eq!(gate.refuses(&from("198.51.100.1:1")), (Reason::Reused, event(2, ReuseAction::Challenge)));
    assert_eq!(gate.refuses(&from("198.51.100.1:1")), (Reason::Reused, None), "it is told once");
    assert_eq!(gate.passes(&from("192.0.2.1:1")), None, "the first client goes on");
    let gate = Gate::new(limit(1, "deny"));
    assert_eq!(gate.passes(&from("192.0.2.1:1")), None);
    assert_eq!(gate.refuses(&from("198.51.100.1:1")), (Reason::Reused, event(2, ReuseAction::Deny)));
    assert_eq!(gate.refuses(&from("192.0.2.1:1")), (Reason::Reused, None), "the thief may have come first");
}

#[test]
fn what_is_beyond_the_limit_is_refused_by_every_worker_once_it_has_listened() {
    let shared = Shared::default();
    let [one, other] = [(); 2].map(|()| Gate::sharing(&shared, limit(1, "deny")));
    assert_eq!(one.passes(&from("192.0.2.1:1")), None);
    assert_eq!(other.refuses(&from("198.51.100.1:1")).0, Reason::Reused);
    one.counts.listen(scopegate::base::time::UnixSeconds(NOW));
    assert_eq!(one.refuses(&from("192.0.2.1:1")).0, Reason::Reused);
}

#[test]
fn a_client_is_its_network_its_agent_and_its_tls_as_far_as_they_count() {
    let one = |ask: Ask| -> (Ask, Ask) { (from("192.0.2.1:1"), ask) };
    let agent = |name: &str| Ask {
        source_address: Some("192.0.2.1:1".into()),
        ..get("/orders").bearer(token().sign()).header("user-agent", name)
    };
    for (client, (first, second), told) in [
        (json!({}), one(agent("two")), true),
        (json!({ "user_agent": false }), one(agent("two")), false),
        (json!({}), one(from("192.0.2.2:1")), false),
        (json!({ "ipv4_prefix": 32 }), one(from("192.0.2.2:1")), true),
        (json!({ "ipv4_prefix": 0 }), one(from("198.51.100.2:1")), false),
        (json!({}), one(from("192.0.2.1:1").certificate([1; 32])), true),
        (json!({ "tls": false }), one(from("192.0.2.1:1").certificate([1; 32])), false),
        // Where a proxy tells the address, its certificate is not the client's.
        (json!({}), (from("192.0.2.1:0"), from("192.0.2.1:0").certificate([1; 32])), false),
    ] {
        // A worker takes what has the same address and agent for one client, so another worker judges the second.
        let shared = Shared::default();
        let members = json!({ "reuse": { "max_clients": 1, "client": client } });
        let [a, b] = [(); 2].map(|()| Gate::sharing(&shared, members.clone()));
        assert_eq!(a.passes(&first), None);
        assert_eq!(b.passes(&second).is_some(), told, "{client} {second:?}");
    }
}

#[test]
fn exempt_addresses_are_neither_counted_nor_refused() {
    let gate = Gate::new(json!({
        "reuse": { "max_clients": 1, "action": "deny", "exempt": ["10.0.0.0/8", "2001:db8::/32"] },
    }));
    for address in ["10.1.2.3:1", "10.9.9.9:1", "[2001:db8::9]:1", "192.0.2.1:1"] {
        assert_eq!(gate.passes(&from(address)), None, "{address}");
    }
    assert_eq!(gate.refuses(&from("198.51.100.1:1")).0, Reason::Reused);
    assert_eq!(gate.passes(&from("10.1.2.3:1")), None);
}

#[test]
fn only_what_is_valid_is_counted_and_it_is_counted_before_its_scopes() {
    let mut members = limit(1, "deny");
    members["default"] = json!({ "scopes": ["none:has"] });
    let gate = Gate::new(members);
    let forged = format!("{}x", token().sign());
    for address in ["192.0.2.1:1", "198.51.100.1:1", "203.0.113.1:1"] {
        assert_eq!(gate.refuses(&from_with(address, &forged)).1, None);
        let expired = token().claim("exp", NOW - 1000).sign();
        assert_eq!(gate.refuses(&from_with(address, &expired)), (Reason::Expired, None));
    }
    assert_eq!(gate.refuses(&from("192.0.2.1:1")), (Reason::InsufficientScope, None));
    assert_eq!(gate.refuses(&from("198.51.100.1:1")).0, Reason::Reused);
}

#[test]
fn a_requirement_counts_in_its_own_way_and_its_methods_as_it_does() {
    let mut members = limit(1, "deny");
    members["rules"] = json!([
        { "match": { "path": "/loose" }, "reuse": { "max_clients": 3, "action": "deny" }, "methods": { "PUT": {} } },
    ]);
    let gate = Gate::new(members);
    let loose = |address: &str, method: &str| Ask { target: Some("/loose".to_owned()), ..from(address).method(method) };
    for (address, method) in [("192.0.2.1:1", "GET"), ("198.51.100.1:1", "PUT"), ("203.0.113.1:1", "GET")] {
        assert_eq!(gate.passes(&loose(address, method)), None);
    }
    assert_eq!(gate.passes(&from("192.0.2.1:1")), None, "it was counted elsewhere");
    assert_eq!(gate.refuses(&loose("[2001:db8::1]:1", "PUT")).0, Reason::Reused);
    assert_eq!(gate.refuses(&from("198.51.100.1:1")).0, Reason::Reused);
    // What the default is without a word is counted too, and so is what metadata replaces.
    let under = Ask { ..from("192.0.2.1:1") }.under(gate.metadata(json!({ "scopes": [] })));
    assert_eq!(gate.refuses(&under).0, Reason::Reused);
}

#[test]
fn metadata_counts_where_there_is_room_to() {
    let gate = Gate::new(json!({}));
    let error = config::requirement(&Node::from(limit(1, "deny")), &gate.policy, &|_| None).unwrap_err();
    assert!(error.to_string().contains("reuse_pairs"), "{error}");
    let gate = Gate::new(json!({ "limits": { "reuse_pairs": 1000 } }));
    let requirement = gate.metadata(limit(1, "deny"));
    assert_eq!(gate.passes(&from("192.0.2.1:1").under(requirement.clone())), None);
    assert_eq!(gate.refuses(&from("198.51.100.1:1").under(requirement)).0, Reason::Reused);
}

#[test]
fn report_only_reports_what_it_would_refuse() {
    let mut members = limit(1, "deny");
    members["report_only"] = true.into();
    let gate = Gate::new(members);
    gate.passes(&from("192.0.2.1:1"));
    let Decision::Allow(grant) = gate.decide(&from("198.51.100.1:1")) else { panic!("refused") };
    assert_eq!(crate::world::reported(&grant), Some(Reason::Reused));
    let Grant { trace, .. } = grant;
    assert_eq!(trace.reuse, event(2, ReuseAction::Deny));
}

#[test]
fn the_answer_asks_for_another_token_or_for_the_user() {
    let rendered = |members: Value| {
        let gate = Gate::new(members);
        // Tokens of this issuer have `acr`.
        let token = token().claim("acr", "phr").sign();
        gate.passes(&from_with("192.0.2.1:1", &token));
        let Decision::Deny(refusal) = gate.decide(&from_with("198.51.100.1:1", &token)) else { panic!("passes") };
        assert!(matches!(refusal.denial, Denial::Reused { .. }));
        let reply = challenge::render(&refusal.denial, &refusal.trace, &Terms::of(&gate.policy, "api"), false);
        let challenge = reply.headers.iter().find(|(name, _)| *name == "www-authenticate").unwrap().1.clone();
        (reply.status, challenge)
    };
    let (status, plain) = rendered(limit(1, "challenge"));
    assert_eq!(status, 401);
    assert!(plain.contains(r#"error="invalid_token""#) && !plain.contains("client"), "{plain}");
    let mut members = limit(1, "challenge");
    members["default"] = json!({ "acr_values": ["phr"] });
    let (status, step_up) = rendered(members.clone());
    assert_eq!(status, 401);
    assert!(step_up.contains(r#"error="insufficient_user_authentication""#), "{step_up}");
    assert!(step_up.contains(r#"acr_values="phr""#), "{step_up}");
    members["reuse"]["action"] = "deny".into();
    assert!(rendered(members).1.contains(r#"error="invalid_token""#), "a new authentication does not help");
}
