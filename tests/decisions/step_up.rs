//! Step-up (RFC 9470): the user has to authenticate as the route asks, and recently enough.

use crate::world::{Ask, NOW, config, get, policy, token, with_issuer};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use scopegate::audit::AuditRecord;
use scopegate::challenge::{self, Terms};
use scopegate::config::{Node, requirement};
use scopegate::decision::{Decision, Reason};
use scopegate::policy::AuditSettings;
use serde_json::{Value, json};

fn ask(acr: Value, auth_time: Value) -> Ask {
    get("/").bearer(token().claim("acr", acr).claim("auth_time", auth_time).sign())
}

fn refused(ask: &Ask, default: Value) -> Option<Reason> {
    ask.refused(&config(json!({ "default": default })))
}

/// The challenge to a refusal.
fn challenge(ask: &Ask, config: &Value) -> (u16, String) {
    let Decision::Deny(refusal) = ask.decide(&policy(config)) else { panic!("passes: {ask:?}") };
    let reply = challenge::render(&refusal.denial, &refusal.trace, &Terms::of_realm("api"), false);
    let header = reply.headers.into_iter().find(|(name, _)| *name == "www-authenticate").unwrap();
    (reply.status, header.1)
}

#[test]
fn acr_must_be_one_of_the_values_exactly() {
    let asks = || json!({ "acr_values": ["phr", "urn:mace:incommon:iap:silver"] });
    for acr in ["phr", "urn:mace:incommon:iap:silver"] {
        assert_eq!(refused(&ask(json!(acr), Value::Null), asks()), None, "{acr}");
    }
    for acr in [
        Value::Null, // which leaves the claim out
        json!("PHR"),
        json!("phr "),
        json!("phr urn:mace:incommon:iap:silver"),
        json!(""),
        json!("0"),
        json!(0),
        json!(true),
        json!(["phr"]),
        json!({ "phr": true }),
    ] {
        assert_eq!(refused(&ask(acr.clone(), json!(NOW)), asks()), Some(Reason::StepUpNeeded), "{acr}");
    }
}

#[test]
fn auth_time_must_be_recent_and_not_in_the_future_with_leeway_for_both() {
    let asks = || json!({ "max_auth_age": "5m" });
    for at in [json!(NOW), json!(NOW - 300), json!(NOW - 310), json!(NOW + 10), json!(NOW as f64 - 0.5)] {
        assert_eq!(refused(&ask(Value::Null, at.clone()), asks()), None, "{at}");
    }
    for at in [
        Value::Null,
        json!(NOW - 311),
        json!(NOW + 11),
        json!(0),
        json!(-1),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(1e300),
        json!(-1e300),
        json!(NOW.to_string()),
        json!(true),
        json!([NOW]),
        json!({}),
    ] {
        assert_eq!(refused(&ask(json!("phr"), at.clone()), asks()), Some(Reason::StepUpNeeded), "{at}");
    }
    let strict = with_issuer(json!({ "leeway": "0s" }), json!({ "default": asks() }));
    for (at, reason) in
        [(NOW - 300, None), (NOW - 301, Some(Reason::StepUpNeeded)), (NOW, None), (NOW + 1, Some(Reason::StepUpNeeded))]
    {
        assert_eq!(ask(Value::Null, json!(at)).refused(&strict), reason, "{at}");
    }
}

#[test]
fn both_must_hold_and_the_challenge_names_all_that_is_asked() {
    let both = config(json!({ "default": { "acr_values": ["phr", "phrh"], "max_auth_age": "5m" } }));
    let wanted = "Bearer realm=\"api\", error=\"insufficient_user_authentication\", error_description=\"The user has to \
                  authenticate anew, as this resource asks\", acr_values=\"phr phrh\", max_age=\"300\"";
    assert_eq!(ask(json!("phrh"), json!(NOW)).refused(&both), None);
    for (acr, at) in [("phr", NOW - 900), ("pwd", NOW), ("pwd", NOW - 900)] {
        let ask = ask(json!(acr), json!(at));
        assert_eq!(ask.refused(&both), Some(Reason::StepUpNeeded), "{acr} {at}");
        assert_eq!(challenge(&ask, &both), (401, wanted.to_owned()), "{acr} {at}");
    }
    let old = challenge(&ask(json!("pwd"), json!(1)), &config(json!({ "default": { "max_auth_age": "1h" } }))).1;
    assert!(old.ends_with(", max_age=\"3600\"") && !old.contains("acr_values"), "{old}");
    let weak = challenge(&ask(json!("pwd"), json!(1)), &config(json!({ "default": { "acr_values": ["phr"] } }))).1;
    assert!(weak.ends_with(", acr_values=\"phr\"") && !weak.contains("max_age"), "{weak}");
}

#[test]
fn it_is_judged_after_validity_and_before_scope() {
    let asks = || json!({ "acr_values": ["phr"], "scopes": ["x"], "claims": [{ "claim": "role", "equals": "admin" }] });
    let weak = || token().claim("acr", "pwd");
    let revoking = config(
        json!({ "default": asks(), "revocation": { "entries": [{ "iss": crate::support::issuer::ISSUER, "sub": "alice", "issued_before": NOW + 1 }] } }),
    );
    for (token, reason) in [
        (weak().claim("exp", NOW - 900), Reason::Expired),
        (weak().claim("aud", "other"), Reason::WrongAudience),
        (crate::world::OTHER.token(NOW).claim("acr", "pwd"), Reason::BadSignature),
        (weak(), Reason::StepUpNeeded),
        (weak().claim("acr", "phr"), Reason::InsufficientScope),
        (weak().claim("acr", "phr").scope("x"), Reason::ClaimMismatch),
    ] {
        assert_eq!(refused(&get("/").bearer(token.sign()), asks()), Some(reason));
    }
    assert_eq!(get("/").bearer(weak().sign()).refused(&revoking), Some(Reason::Revoked));
    // What is asked is told only to who has a valid token.
    let (status, text) = challenge(&get("/"), &config(json!({ "default": asks() })));
    assert_eq!((status, text.as_str()), (401, "Bearer realm=\"api\", scope=\"x\""));
}

#[test]
fn a_method_asks_for_itself_and_a_request_without_a_token_may_be_let_through() {
    let asks = || json!({ "methods": { "POST": { "acr_values": ["phr"] }, "DELETE": { "max_auth_age": "1m" } } });
    let with = |method: &str, acr: &str, at: i64| refused(&ask(json!(acr), json!(at)).method(method), asks());
    assert_eq!(with("GET", "pwd", 1), None);
    assert_eq!([with("POST", "pwd", NOW), with("POST", "phr", 1)], [Some(Reason::StepUpNeeded), None]);
    assert_eq!([with("DELETE", "phr", 1), with("DELETE", "pwd", NOW)], [Some(Reason::StepUpNeeded), None]);
    let optional = || json!({ "allow_missing": true, "acr_values": ["phr"] });
    assert_eq!(refused(&get("/"), optional()), None);
    assert_eq!(refused(&ask(json!("pwd"), json!(NOW)), optional()), Some(Reason::StepUpNeeded));
}

/// Under `restrict`: the requirement of the configuration, and what metadata adds.
fn restricted(base: Value, added: Value, ask: Ask) -> (Ask, Value) {
    let config = config(json!({ "route_metadata": "restrict", "default": base }));
    let added = requirement(&Node::from(added), &policy(&config), &|_| None).unwrap();
    (ask.under(added), config)
}

#[test]
fn metadata_that_restricts_adds_to_it_and_metadata_that_replaces_gives_its_own() {
    let base = || json!({ "acr_values": ["phrh", "phr", "mfa"], "max_auth_age": "1h" });
    let added = || json!({ "acr_values": ["mfa", "phr", "pwd"], "max_auth_age": "5m" });
    for (acr, at, passes) in [
        ("phr", NOW, true),
        ("mfa", NOW - 300, true),
        ("phrh", NOW, false),
        ("pwd", NOW, false),
        ("phr", NOW - 400, false),
    ] {
        let (ask, config) = restricted(base(), added(), ask(json!(acr), json!(at)));
        assert_eq!(ask.refused(&config), (!passes).then_some(Reason::StepUpNeeded), "{acr} {at}");
        if !passes {
            let text = challenge(&ask, &config).1;
            assert!(text.ends_with(", acr_values=\"phr mfa\", max_age=\"300\""), "what meets both: {text}");
        }
    }
    let replaced = config(json!({ "default": base() }));
    let added = requirement(&Node::from(json!({ "acr_values": ["pwd"] })), &policy(&replaced), &|_| None).unwrap();
    assert_eq!(ask(json!("pwd"), json!(1)).under(added.clone()).refused(&replaced), None);
    assert_eq!(ask(json!("phr"), json!(1)).under(added).refused(&replaced), Some(Reason::StepUpNeeded));
}

#[test]
fn where_no_value_meets_both_nothing_passes_and_no_client_is_sent_to_authenticate_for_it() {
    for acr in [json!("phr"), json!("pwd"), json!("phr pwd"), json!(["phr", "pwd"]), Value::Null] {
        let (ask, config) =
            restricted(json!({ "acr_values": ["phr"] }), json!({ "acr_values": ["pwd"] }), ask(acr, json!(NOW)));
        assert_eq!(ask.refused(&config), Some(Reason::StepUpNeeded));
        let (status, text) = challenge(&ask, &config);
        assert!(status == 401 && text.ends_with("as this resource asks\""), "{text}");
    }
}

#[test]
fn a_record_names_the_claim_what_came_and_what_was_wanted() {
    let policy = policy(&config(json!({ "default": { "acr_values": ["phr", "phrh"], "max_auth_age": "5m" } })));
    for (acr, at, wanted) in [
        (json!("pwd"), json!(NOW), "acr is \"pwd\"; wanted: phr or phrh".to_owned()),
        (Value::Null, json!(NOW), "acr is missing; wanted: phr or phrh".to_owned()),
        (json!("phr"), json!(NOW - 900), format!("auth_time is {}; wanted: a time in the last 300 s", NOW - 900)),
        (json!("phr"), Value::Null, "auth_time is missing; wanted: a time in the last 300 s".to_owned()),
    ] {
        let decision = ask(acr, at).decide(&policy);
        let record = AuditRecord::of(&decision, &policy, AuditSettings::default(), b"GET").unwrap();
        assert_eq!(record.cause(), Some(wanted));
        assert!(record.to_line().contains("reason=step_up_needed issuer=demo subject=\"alice\" "));
    }
}

#[test]
fn values_that_no_challenge_can_list_are_refused_at_load() {
    for (asks, problem) in [
        (json!({ "acr_values": [] }), "default.acr_values: is an empty list"),
        (json!({ "acr_values": "phr" }), "default.acr_values: is text"),
        (json!({ "acr_values": ["phr phrh"] }), "default.acr_values[0]: is not a value of acr"),
        (json!({ "acr_values": ["a", "\"b"] }), "default.acr_values[1]: is not a value of acr"),
        (json!({ "acr_values": ["é"] }), "default.acr_values[0]: is not a value of acr"),
        (json!({ "acr_values": [1] }), "default.acr_values[0]: is a whole number"),
        (json!({ "max_auth_age": "0s" }), "default.max_auth_age: is 0s"),
        (json!({ "max_auth_age": 300 }), "default.max_auth_age: is a whole number"),
        (json!({ "public": true, "acr_values": ["a"] }), "default: has acr_values beside `public`"),
        (json!({ "deny": true, "max_auth_age": "5m" }), "default: has max_auth_age beside `deny`"),
    ] {
        let config = Node::from(config(json!({ "default": asks })));
        let error = scopegate::config::compile(&config, &|_| None).expect_err("a problem").to_string();
        assert!(error.contains(problem), "{error}");
    }
}

proptest! {
    #[test]
    fn asking_for_more_never_lets_more_pass(
        acr in select(vec![json!("a"), json!("b"), json!("c"), Value::Null, json!(1)]),
        at in select(vec![json!(NOW), json!(NOW - 100), json!(NOW - 1000), json!(NOW + 100), Value::Null, json!("x")]),
        values in subsequence(vec!["a", "b", "c"], 1..=3),
        fewer in subsequence(vec!["a", "b", "c"], 1..=3),
        ages in (select(vec![1_u32, 90, 900]), select(vec![1_u32, 90, 900])),
    ) {
        let base = || json!({ "acr_values": values, "max_auth_age": format!("{}s", ages.0) });
        let added = || json!({ "acr_values": fewer, "max_auth_age": format!("{}s", ages.1) });
        let alone = |asks: Value| refused(&ask(acr.clone(), at.clone()), asks).is_none();
        let (both, config) = restricted(base(), added(), ask(acr.clone(), at.clone()));
        prop_assert_eq!(both.refused(&config).is_none(), alone(base()) && alone(added()));
        let unasked = alone(json!({}));
        prop_assert!(unasked);
    }
}
