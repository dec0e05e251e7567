//! Scopes: RFC 6749 section 3.3, RFC 6750 section 3.1, RFC 9068 section 2.2.3.

use crate::world::{config, get, token, with_issuer};
use scopegate::decision::Reason;
use serde_json::{Value, json};

fn ask(scopes: Value, token_scope: Value) -> Option<Reason> {
    get("/")
        .bearer(token().claim("scope", token_scope).sign())
        .refused(&config(json!({ "default": { "scopes": scopes } })))
}

#[test]
fn all_scopes_of_a_list_are_needed_in_any_order() {
    assert_eq!(ask(json!(["a", "b"]), json!("b x a")), None);
    assert_eq!(ask(json!(["a", "b"]), json!("a")), Some(Reason::InsufficientScope));
    assert_eq!(ask(json!([]), Value::Null), None, "an empty list asks for any valid token");
}

#[test]
fn a_scope_is_never_taken_for_another() {
    for scope in [
        json!("orders:rea"),
        json!("orders:reads"),
        json!("Orders:Read"),
        json!("orders:*"),
        json!("*"),
        json!("orders"),
        json!("orders:read,x"),
        json!("x,orders:read"),
        json!("x\torders:read"),
        json!("x\u{a0}orders:read"),
        json!("x\norders:read"),
        json!(""),
        Value::Null,
        json!(1),
        json!({ "orders:read": true }),
        json!(["x orders:read"]),
        json!(["orders:read", 1]),
        json!([["orders:read"]]),
        json!(true),
    ] {
        assert_eq!(ask(json!(["orders:read"]), scope.clone()), Some(Reason::InsufficientScope), "{scope}");
    }
    for scope in [json!("orders:read"), json!("  x  orders:read "), json!(["x", "orders:read"])] {
        assert_eq!(ask(json!(["orders:read"]), scope.clone()), None, "{scope}");
    }
}

#[test]
fn alternatives_nest() {
    let rule = json!({ "any_of": ["admin", { "all_of": ["ops", "oncall"] }] });
    for scope in ["admin", "ops oncall", "admin ops"] {
        assert_eq!(ask(rule.clone(), json!(scope)), None, "{scope}");
    }
    for scope in ["ops", "oncall", ""] {
        assert_eq!(ask(rule.clone(), json!(scope)), Some(Reason::InsufficientScope), "{scope:?}");
    }
}

#[test]
fn a_refusal_names_what_is_needed() {
    let config = config(json!({ "default": { "scopes": { "any_of": [{ "all_of": ["ops", "oncall"] }, "admin"] } } }));
    assert_eq!(get("/").wanted(&config), "ops oncall");
    assert_eq!(get("/").bearer(token().scope("x").sign()).wanted(&config), "admin");
    assert_eq!(get("/").bearer(token().scope("ops").sign()).wanted(&config), "ops oncall");
}

#[test]
fn scope_claims_are_those_of_the_issuer_and_are_added_up() {
    let need = json!({ "default": { "scopes": ["a", "b"] } });
    let by_default = config(need.clone());
    let ask = |token: crate::support::issuer::Token<'_>, config: &Value| get("/").bearer(token.sign()).refused(config);
    assert_eq!(ask(token().scope("a").claim("scp", json!(["b"])), &by_default), None);
    assert_eq!(ask(token().scope("a").claim("roles", "b"), &by_default), Some(Reason::InsufficientScope));
    let roles = with_issuer(json!({ "scope_claims": [["realm_access", "roles"], "permissions"] }), need);
    let full = token().claim("realm_access", json!({ "roles": ["a"] })).claim("permissions", "b");
    assert_eq!(ask(full.clone(), &roles), None);
    assert_eq!(ask(full.claim("permissions", Value::Null).scope("a b"), &roles), Some(Reason::InsufficientScope));
}
