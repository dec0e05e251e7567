//! Events, who sends them, and what their sender is told.

use crate::support::issuer::{ISSUER, Issuer, Token};
use crate::world::{Ask, DEMO, NOW, Sent, config, extend, get};
use scopegate::challenge::{Terms, received, render};
use scopegate::crypto::Algorithm;
use scopegate::decision::Decision;
use scopegate::policy::Policy;
use scopegate::revocation::Entry;
use serde_json::{Value, json};
use std::sync::LazyLock;

pub const PATH: &str = "/.well-known/scopegate/events";
pub const SESSION_REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
pub const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";
pub const OPERATION: &str = "urn:scopegate:event-type:revocation";
pub const SET_TYPE: &str = "application/secevent+jwt";
pub const FORM_TYPE: &str = "application/x-www-form-urlencoded";

/// An operator, whose key has the `kid` of the issuers'.
pub static OPERATOR: LazyLock<Issuer> = LazyLock::new(|| Issuer::new(Algorithm::EdDsa, "a"));

/// Events of the issuer, with these members in its entry, and of an operator.
pub fn events_of(entry: Value) -> Value {
    let mut of_issuer = json!({ "audience": "gate-1", "keep": "1h" });
    extend(&mut of_issuer, entry);
    let of_operator = json!({ "audience": ["gate-1", "gates"], "signed_by": OPERATOR.jwks() });
    json!({ "events": { "path": PATH, "issuers": { "demo": of_issuer }, "operators": { "ops": of_operator } } })
}

pub fn taking() -> Value {
    config(events_of(json!({})))
}

/// A token of an event that ends the sessions of alice.
pub fn set() -> Token<'static> {
    let claims = DEMO.token(NOW).header("typ", "secevent+jwt").claim("aud", "gate-1").claim("jti", "e-1");
    let claims = claims.claim("sub", Value::Null).claim("exp", Value::Null).claim("scope", Value::Null);
    claims.claim("events", json!({ SESSION_REVOKED: {} })).claim("sub_id", user("alice"))
}

/// A token that ends a session of alice.
pub fn logout() -> Token<'static> {
    let token = set().header("typ", "logout+jwt").claim("events", json!({ LOGOUT: {} })).claim("exp", NOW + 120);
    token.claim("sub_id", Value::Null).claim("sub", "alice").claim("sid", "s-1")
}

/// A token of an operator.
pub fn operation(entry: Value) -> Token<'static> {
    let token = OPERATOR.token(NOW).header("typ", "secevent+jwt").claim("iss", "ops").claim("aud", "gates");
    let token = token.claim("sub", Value::Null).claim("exp", Value::Null).claim("scope", Value::Null);
    token.claim("jti", "o-1").claim("events", json!({ OPERATION: entry }))
}

pub fn user(sub: &str) -> Value {
    json!({ "format": "iss_sub", "iss": ISSUER, "sub": sub })
}

pub fn push(body: impl Into<Vec<u8>>) -> Ask {
    Ask { body: Sent::Whole(body.into()), ..get(PATH).method("POST") }
}

pub fn push_set(token: Token<'_>) -> Ask {
    push(token.sign()).header("content-type", SET_TYPE)
}

pub fn push_logout(token: Token<'_>) -> Ask {
    push(format!("logout_token={}", token.sign())).header("content-type", FORM_TYPE)
}

/// What an entry revokes, in a line.
fn shown(entry: &Entry) -> String {
    let members = Value::Object(entry.to_members());
    let after = |name: &str| members[name].as_i64().map_or_else(String::new, |at| format!(" {name} {:+}", at - NOW));
    let whose = match members["iss"].as_str() {
        Some(ISSUER) | None => String::new(),
        Some(other) => format!(" of {other}"),
    };
    let (kind, name) = (entry.kind().member(), entry.name());
    format!("{kind} {name}{whose}{}{}", after("issued_before"), after("until"))
}

/// What the sender is told, and what is revoked.
pub fn told(decision: &Decision) -> String {
    match decision {
        Decision::Receive(event) => {
            let entries: Vec<_> = event.entries.iter().map(shown).collect();
            let idle =
                if event.without_effect > 0 { format!(", {} in vain", event.without_effect) } else { String::new() };
            format!("{}: [{}]{idle}", received(event).status, entries.join("; "))
        }
        Decision::Deny(refusal) => {
            let reply = render(&refusal.denial, &refusal.trace, &Terms::default(), false);
            let body: Value = serde_json::from_str(&reply.body).unwrap();
            let text = |name: &str| body[name].as_str().map(str::to_owned);
            let code = text("err").or_else(|| text("error")).unwrap_or_else(|| reply.details.clone());
            let why = text("description").or_else(|| text("error_description")).or_else(|| text("detail")).unwrap();
            format!("{} {code}: {why}", reply.status)
        }
        other => format!("{other:?}"),
    }
}

#[track_caller]
pub fn assert_told(cases: impl IntoIterator<Item = (&'static str, Ask, &'static str)>, policy: &Policy) {
    let told = cases.into_iter().map(|(case, ask, wanted)| (case, told(&ask.decide(policy)), wanted));
    let wrong: Vec<_> = told.filter(|(_, told, wanted)| told != wanted).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
