//! Events that issuers and operators send, and the requests that push them.

use super::client::head;
use super::issuer::{Issuer, Token, now};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

/// Where events are pushed.
pub const PATH: &str = "/.well-known/scopegate/events";
/// The name under which an issuer knows the gate.
pub const GATE: &str = "gate-1";
/// The event of a logout token.
pub const LOGOUT: &str = "http://schemas.openid.net/event/backchannel-logout";
pub const SESSION_REVOKED: &str = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
/// The event of an operator.
pub const ENTRY: &str = "urn:scopegate:event-type:revocation";

static NEXT: AtomicU64 = AtomicU64::new(0);

/// The `events` of a configuration whose issuer is called `demo`.
pub fn events() -> Value {
    json!({ "path": PATH, "issuers": { "demo": { "audience": GATE, "keep": "1h" } } })
}

/// A text that no other event has.
pub fn unique(what: &str) -> String {
    format!("{what}-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn token<'i>(issuer: &'i Issuer, kind: &str, events: Value) -> Token<'i> {
    let token = issuer.token(now()).header("typ", kind);
    let without = ["exp", "scope", "sub"].into_iter().fold(token, |token, name| token.claim(name, Value::Null));
    without.claim("aud", GATE).claim("jti", unique("event")).claim("events", events)
}

/// A logout token that names neither a session nor a user yet.
pub fn logout(issuer: &Issuer) -> Token<'_> {
    token(issuer, "logout+jwt", json!({ LOGOUT: {} })).claim("exp", now() + 120)
}

/// A Security Event Token: a session was revoked, or all of a user, as `sub_id` says.
pub fn revoked(issuer: &Issuer, sub_id: Value) -> Token<'_> {
    token(issuer, "secevent+jwt", json!({ SESSION_REVOKED: {} })).claim("sub_id", sub_id)
}

/// The event of an operator with this entry of a list.
pub fn ordered<'i>(operator: &'i Issuer, name: &str, entry: &Value) -> Token<'i> {
    token(operator, "secevent+jwt", json!({ ENTRY: entry })).claim("iss", name)
}

/// The header lines of a request that pushes an event, in the form of a logout token or not.
pub const fn content_type(is_logout: bool) -> (&'static str, &'static str) {
    ("content-type", if is_logout { "application/x-www-form-urlencoded" } else { "application/secevent+jwt" })
}

/// A request that pushes a Security Event Token.
pub fn push(token: &str) -> Vec<u8> {
    post(content_type(false), token.as_bytes())
}

/// A request that pushes a logout token.
pub fn push_logout(token: &str) -> Vec<u8> {
    post(content_type(true), format!("logout_token={token}").as_bytes())
}

/// A request to the path of events with this body.
pub fn post(content_type: (&str, &str), body: &[u8]) -> Vec<u8> {
    [&head("POST", PATH, &[content_type, ("content-length", &body.len().to_string())]), body].concat()
}
