//! Scopes that include others, by the word of the configuration.

use crate::world::{Ask, config, extend, get, policy, token, with_issuer};
use scopegate::decision::{Decision, Denial, Reason};
use scopegate::policy::Scope;
use serde_json::{Value, json};

/// An `admin` that is a `write`, which is a `read`.
fn gate(scopes: Value, members: Value) -> Value {
    let mut members = members;
    extend(&mut members, json!({ "default": { "scopes": scopes } }));
    with_issuer(json!({ "implies": { "admin": ["write", "audit"], "write": ["read"] } }), members)
}

fn holder(scopes: &str) -> Ask {
    get("/").bearer(token().claim("scope", scopes).sign())
}

fn named(ask: &Ask, config: &Value) -> String {
    match ask.decide(&policy(config)) {
        Decision::Deny(refusal) => match refusal.denial {
            Denial::InsufficientScope { scope, .. } => scope.iter().map(Scope::as_str).collect::<Vec<_>>().join(" "),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_token_has_what_its_scopes_include_and_nothing_else() {
    let lacks = Some(Reason::InsufficientScope);
    for (scopes, asked, refused) in [
        ("admin", json!(["admin"]), None),
        ("admin", json!(["write"]), None),
        ("admin", json!(["read"]), None),
        ("x admin", json!(["read", "audit", "write", "admin", "x"]), None),
        ("write", json!(["read"]), None),
        ("read", json!(["write"]), lacks),
        ("write", json!(["audit"]), lacks),
        ("write", json!(["admin"]), lacks),
        ("Admin", json!(["read"]), lacks),
        ("admin,x", json!(["read"]), lacks),
        ("", json!(["read"]), lacks),
        ("write", json!({ "any_of": ["audit", { "all_of": ["read", "write"] }] }), None),
        ("audit", json!({ "any_of": ["write", { "all_of": ["read", "audit"] }] }), lacks),
    ] {
        assert_eq!(holder(scopes).refused(&gate(asked.clone(), json!({}))), refused, "{scopes:?} {asked}");
    }
    assert_eq!(
        holder("admin").refused(&config(json!({ "default": { "scopes": ["read"] } }))),
        lacks,
        "unless it is written"
    );
}

#[test]
fn a_challenge_names_what_the_route_asks_for() {
    assert_eq!(named(&holder("read"), &gate(json!(["read", "write"]), json!({}))), "read write");
    // What is included counts where the nearest alternative is looked for.
    let either = json!({ "any_of": [{ "all_of": ["x", "y"] }, { "all_of": ["read", "z"] }] });
    assert_eq!(named(&holder("admin"), &gate(either.clone(), json!({}))), "read z");
    assert_eq!(named(&holder("other"), &gate(either, json!({}))), "x y");
}

#[test]
fn the_upstream_is_told_what_the_token_says() {
    let gate = gate(json!(["read"]), json!({ "forward": { "headers": { "x-scope": "scope" } } }));
    let grant = holder("admin x").granted(&gate);
    assert_eq!(
        grant.set.iter().map(|(name, value)| (&**name, value.as_str())).collect::<Vec<_>>(),
        [("x-scope", "admin x")]
    );
}

#[test]
fn scopes_of_one_issuer_include_nothing_at_another() {
    let mut config = gate(json!(["read"]), json!({}));
    let other = json!({ "issuer": "https://other.example.com/", "audiences": ["https://api.example.com"], "jwks": { "inline": crate::world::OTHER.jwks() } });
    config["issuers"].as_array_mut().unwrap().push(other);
    let of_other = crate::world::OTHER.token(crate::world::NOW).claim("iss", "https://other.example.com/");
    let ask = get("/").bearer(of_other.claim("scope", "admin").sign());
    assert_eq!(ask.refused(&config), Some(Reason::InsufficientScope));
    assert_eq!(holder("admin").refused(&config), None);
}
