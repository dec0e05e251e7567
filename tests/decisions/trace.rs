//! What a decision says of itself: which requirement decided, whose credential it judged, and of what kind.

use crate::support::records::{misfits, schema};
use crate::world::{Ask, NOW, config, configured_keys, extend, get, policy, token};
use scopegate::audit::AuditRecord;
use scopegate::decision::{CredentialKind, Trace};
use scopegate::policy::{AuditSettings, Authority, IssuerId, Requirement};
use serde_json::{Value, json};

fn trace(ask: &Ask, members: Value) -> Trace {
    ask.decide(&policy(&config(members))).trace().clone()
}

/// The places that decided, in words.
fn places(ask: &Ask, method: &str, members: Value) -> [Option<String>; 2] {
    let trace = trace(ask, members);
    [trace.requirement, trace.added].map(|place| place.map(|place| place.path(method).into_owned()))
}

fn rules() -> Value {
    json!({
        "default": { "methods": { "POST": { "deny": true } } },
        "rules": [
            { "match": { "path": "/a" }, "public": true },
            { "match": { "path_separated_prefix": "/b" }, "scopes": ["b"], "methods": { "GET": {} } },
        ],
    })
}

#[test]
fn a_decision_names_the_requirement_that_decided() {
    for (target, method, wanted) in [
        ("/a", "GET", "rules[0]"),
        ("/b/1", "GET", "rules[1].methods.GET"),
        ("/b/1", "HEAD", "rules[1].methods.GET"),
        ("/b/1", "PUT", "rules[1]"),
        ("/c", "GET", "default"),
        ("/c", "POST", "default.methods.POST"),
    ] {
        let ask = get(target).method(method).bearer(token().sign());
        assert_eq!(places(&ask, method, rules()), [Some(wanted.to_owned()), None], "{method} {target}");
    }
}

#[test]
fn metadata_decides_in_the_place_of_rules_or_is_added_to_them() {
    let ask = get("/b/1").under(Requirement::default());
    let with = |mode: &str| {
        let mut members = rules();
        extend(&mut members, json!({ "route_metadata": mode }));
        places(&ask, "GET", members)
    };
    assert_eq!(with("replace"), [Some("route metadata".to_owned()), None]);
    assert_eq!(with("restrict"), [Some("rules[1].methods.GET".to_owned()), Some("route metadata".to_owned())]);
    assert_eq!(with("ignore"), [Some("rules[1].methods.GET".to_owned()), None]);
    assert_eq!(places(&get("/b//1"), "GET", rules()), [None, None], "no rule can be chosen for an ambiguous path");
}

#[test]
fn a_decision_names_what_was_presented_as_far_as_it_was_read() {
    let seen = |ask: &Ask| {
        let trace = trace(ask, json!({}));
        (trace.credential, trace.authority)
    };
    let (bearer, demo) = (Some(CredentialKind::Bearer), Some(Authority::Issuer(IssuerId(0))));
    assert_eq!(seen(&get("/")), (None, None));
    assert_eq!(seen(&get("/").bearer("x")), (bearer, None));
    assert_eq!(seen(&get("/").bearer(token().claim("iss", "https://else.example.com/").sign())), (bearer, None));
    assert_eq!(seen(&get("/").bearer(token().claim("exp", NOW - 900).sign())), (bearer, demo));
    assert_eq!(seen(&get("/").bearer(token().header("alg", "none").sign())), (bearer, demo));
    assert_eq!(seen(&get("/").bearer(token().sign())), (bearer, demo));
}

#[test]
fn a_record_says_what_decided_and_what_kind_of_credential_was_judged() {
    let said = |ask: &Ask, members: Value| {
        let policy = policy(&config(members));
        let decision = ask.decide(&policy);
        let record = AuditRecord::of(&decision, &policy, AuditSettings::default(), ask.method.as_bytes()).unwrap();
        let json: Value = serde_json::from_str(&record.to_json()).unwrap();
        ["requirement", "added_requirement", "credential"].map(|name| json.get(name).cloned().unwrap_or_default())
    };
    let bearer = || token().sign();
    for (ask, wanted) in [
        (get("/a"), [json!("rules[0]"), json!(null), json!(null)]),
        (get("/b"), [json!("rules[1].methods.GET"), json!(null), json!(null)]),
        (get("/b").method("HEAD").bearer(bearer()), [json!("rules[1].methods.GET"), json!(null), json!("bearer")]),
        (get("/b").method("PUT").bearer(bearer()), [json!("rules[1]"), json!(null), json!("bearer")]),
        (get("/c").method("POST"), [json!("default.methods.POST"), json!(null), json!(null)]),
        (get("/b//1"), [json!(null), json!(null), json!(null)]),
    ] {
        assert_eq!(said(&ask, rules()), wanted, "{ask:?}");
    }
    let mut restrict = rules();
    extend(&mut restrict, json!({ "route_metadata": "restrict" }));
    let ask = get("/b").bearer(bearer()).under(Requirement::default());
    assert_eq!(said(&ask, restrict), [json!("rules[1].methods.GET"), json!("route metadata"), json!("bearer")]);
}

#[test]
fn every_record_fits_the_published_schema() {
    let schema = schema();
    let expired = token().claim("exp", NOW - 900).sign();
    for ask in [
        get("/"),
        get("/?access_token=x"),
        get("/a"),
        get("/a//b"),
        get("/b").bearer(token().sign()),
        get("/b").method("PUT").bearer(token().sign()),
        get("/b").bearer(expired),
        get("/b").bearer("a.b.c"),
        get("/c").method("POST"),
        get("/").bearer(token().header("typ", "JWT").sign()),
        get("/").bearer(token().header("kid", "z").sign()),
        get("/").bearer(token().claim("aud", "x").sign()),
        get("/").bearer(token().claim("aud", "x").claim("exp", NOW - 900).sign()),
        get("/").bearer(token().claim("sub", "s\n\"".repeat(200)).sign()),
    ] {
        for report_only in [false, true] {
            let mut members = rules();
            extend(&mut members, json!({ "report_only": report_only }));
            let policy = policy(&config(members));
            let (decision, further) = ask.decide_further(&policy, &configured_keys(&policy));
            let record = AuditRecord::of(&decision, &policy, AuditSettings::default(), ask.method.as_bytes());
            let record = record.unwrap().with_further(further);
            let record = serde_json::from_str(&record.to_json()).unwrap();
            assert_eq!(misfits("record", &record, &schema), Vec::<String>::new(), "{ask:?}");
        }
    }
}

#[test]
fn the_schema_refuses_what_no_record_says() {
    let schema = schema();
    for record in [
        json!({}),
        json!({ "decision": "maybe" }),
        json!({ "decision": "deny", "status": "401" }),
        json!({ "decision": "deny", "status": 1 }),
        json!({ "decision": "deny", "status": 600 }),
        json!({ "decision": "deny", "time": "now" }),
        json!({ "decision": "allow", "scopes": vec!["a"; 33] }),
        json!({ "decision": "allow", "client_network": "203.0.113.77" }),
        json!({ "decision": "deny", "token": "eyJ" }),
        json!({ "decision": "allow", "mcp": { "arguments": {} } }),
        json!({ "decision": "deny", "scopes_needed": "a" }),
        json!({ "decision": "deny", "scopes_missing": [1] }),
        json!({ "decision": "allow", "fingerprint": "x".repeat(23) }),
    ] {
        assert!(!misfits("record", &record, &schema).is_empty(), "{record}");
    }
    let whole = json!({ "decision": "allow", "mcp": { "method": "tools/call", "name": "a" }, "scopes_needed": ["a"] });
    assert_eq!(misfits("record", &whole, &schema), Vec::<String>::new());
}
