//! Report-only without keys and lists. The tables are in `cases/report_only.yaml`.

use crate::world::{Ask, NOW, awaited, config, get, policy, reported, token, with_issuer};
use scopegate::base::time::UnixSeconds;
use scopegate::config::{Node, requirement};
use scopegate::decision::{Decision, Denial, Need, Reason};
use scopegate::engine::end_wait;
use scopegate::facts::{Awaited, KeyRing};
use scopegate::policy::IssuerId;
use scopegate::request::RequestView;
use scopegate::revocation::Revocations;
use serde_json::{Value, json};
use std::rc::Rc;

/// Report-only for everything, and for a requirement.
fn reporting() -> [Value; 2] {
    [json!({ "report_only": true }), json!({ "default": { "report_only": true } })]
}

fn remote(members: Value) -> Value {
    let jwks = json!({ "jwks": { "uri": "https://idp.example.com/jwks", "cluster": "idp" } });
    with_issuer(jwks, members)
}

fn would_deny(decision: &Decision) -> Option<Reason> {
    match decision {
        Decision::Allow(grant) => reported(grant),
        other => panic!("not passed: {other:?}"),
    }
}

#[test]
fn a_request_waits_for_keys_as_where_they_are_enforced_and_is_reported_when_it_has() {
    for members in reporting() {
        let policy = policy(&remote(members.clone()));
        let none = KeyRing::default();
        let good = get("/").bearer(token().sign());
        assert_eq!(awaited(&good.decide_with(&policy, &none)), Some(&Need::Keys(IssuerId(0))), "{members}");
        for awaited in [Awaited::Yes, Awaited::InVain] {
            let again = Ask { awaited, ..good.clone() }.decide_with(&policy, &none);
            assert_eq!(would_deny(&again), Some(Reason::KeysUnavailable), "{members} {awaited:?}");
        }
        // What is wrong with a token anyway is reported without keys.
        let expired = get("/").bearer(token().claim("exp", NOW - 1000).sign());
        assert_eq!(would_deny(&expired.decide_with(&policy, &none)), Some(Reason::Expired), "{members}");
    }
}

#[test]
fn a_request_waits_for_an_unknown_kid_and_is_reported_when_it_has() {
    for members in reporting() {
        let policy = policy(&remote(members.clone()));
        let mut ring = KeyRing::default();
        ring.set(IssuerId(0), Some(Rc::default()));
        let ask = get("/").bearer(token().header("kid", "new").sign());
        let first = ask.decide_with(&policy, &ring);
        assert_eq!(awaited(&first), Some(&Need::Kid(IssuerId(0), "new".to_owned())), "{members}");
        for (awaited, reason) in [(Awaited::Yes, Reason::UnknownKey), (Awaited::InVain, Reason::KeysUnavailable)] {
            let again = Ask { awaited, ..ask.clone() }.decide_with(&policy, &ring);
            assert_eq!(would_deny(&again), Some(reason), "{members} {awaited:?}");
        }
    }
}

#[test]
fn a_request_waits_for_a_revocation_list_and_is_reported_when_it_has() {
    for members in reporting() {
        let policy = policy(&config(members.clone()));
        let revocations = Some(Revocations::new(Vec::new(), false));
        let ask = Ask { revocations, ..get("/").bearer(token().sign()) };
        assert_eq!(awaited(&ask.decide(&policy)), Some(&Need::Revocations), "{members}");
        let again = Ask { awaited_lists: Awaited::Yes, ..ask }.decide(&policy);
        assert_eq!(would_deny(&again), Some(Reason::RevocationUnavailable), "{members}");
    }
}

#[test]
fn a_wait_that_ends_early_refuses_or_reports_for_its_reason_with_the_token_named() {
    let ask = get("/").bearer(token().sign());
    let headers: [(&[u8], &[u8]); 1] = [(b":path", b"/")];
    let view = RequestView { headers: &headers, route_name: None, virtual_host: None, ends_with_headers: true };
    let end = |members: Value| {
        let policy = policy(&remote(members));
        let Decision::Await(pending) = ask.decide_with(&policy, &KeyRing::default()) else { panic!("it waits") };
        let (trace, named) = (pending.trace.clone(), pending.token.clone());
        let decision = end_wait(&policy, &view, &UnixSeconds(NOW), pending, Denial::TooBusy);
        assert_eq!(*decision.trace(), trace);
        (decision, named)
    };
    for members in reporting() {
        let (decision, named) = end(members.clone());
        assert_eq!(would_deny(&decision), Some(Reason::TooBusy), "{members}");
        assert!(matches!(decision, Decision::Allow(grant) if grant.token == named && named.is_some()), "{members}");
    }
    let (decision, named) = end(json!({}));
    let Decision::Deny(refusal) = decision else { panic!("{decision:?}") };
    assert_eq!((refusal.denial, &refusal.token), (Denial::TooBusy, &named));
}

#[test]
fn what_metadata_adds_to_a_requirement_that_reports_is_refused_when_its_keys_do_not_come() {
    let members = json!({ "route_metadata": "restrict", "default": { "report_only": true } });
    let policy = policy(&remote(members));
    let added = requirement(&Node::from(json!({ "scopes": ["b"] })), &policy, &|_| None).unwrap();
    let ask = get("/").bearer(token().sign()).under(added);
    let first = ask.decide_with(&policy, &KeyRing::default());
    assert!(matches!(&first, Decision::Await(pending) if !pending.report_only), "{first:?}");
    let again = Ask { awaited: Awaited::Yes, ..ask }.decide_with(&policy, &KeyRing::default());
    assert!(matches!(&again, Decision::Deny(refusal) if refusal.denial == Denial::KeysUnavailable), "{again:?}");
}
