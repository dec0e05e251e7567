//! The case with an opaque token that is remembered, and the endpoint that says what it means.

use super::cases::{Caches, Case, SCOPE};
use super::contenders::{CLIENT_SECRET, api_key_auth, native_client_policy};
use super::support::envoy::cluster;
use super::support::issuer::{AUDIENCE, now};
use super::support::server::{Answer, Server};
use serde_json::{Value, json};

const CLUSTER: &str = "introspection";
/// Tokens of the shape and length of Ory Hydra's: of alice, and of one without the scope.
const ALICE: &str = "ory_at_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG.0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";
const BOB: &str = "ory_at_another6789abcdefghijklmnopqrstuvwxyzABCDEF.0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";

/// The endpoint, and its cluster.
pub fn endpoint() -> (Server, Value) {
    let server = Server::start(0, |received| {
        let body = String::from_utf8_lossy(&received.body);
        let active = |sub: &str, scope: &str| {
            json!({ "active": true, "token_type": "Bearer", "sub": sub, "aud": AUDIENCE, "scope": scope, "exp": now() + 36_000 })
        };
        Answer::json(&match &body {
            body if body.contains(ALICE) => active("alice", SCOPE),
            body if body.contains(BOB) => active("bob", "another"),
            _ => json!({ "active": false }),
        })
    })
    .unwrap();
    let cluster = cluster(CLUSTER, server.address);
    (server, cluster)
}

/// As `hit-rules`, with an opaque token. No filter of Envoy asks an issuer, so what stands beside it is `api_key_auth`, which
/// knows the token as a key.
pub fn hit(base: Case) -> Case {
    let bearer = |token: &str| format!("Bearer {token}");
    let keys = [(ALICE, "alice"), (BOB, "bob")].map(|(token, client)| json!({ "key": token, "client": client }));
    Case {
        what: "a remembered opaque token, against `api_key_auth`, which asks no issuer",
        target: None,
        is_paced: false,
        issuer: json!({ "introspection": {
            "uri": "http://introspection.example.com/introspect", "cluster": CLUSTER, "client_id": "gate",
            "secret": { "env": CLIENT_SECRET }, "cache": "1h",
        } }),
        native_authentication: Some(api_key_auth(&keys)),
        native_policies: json!({ "client": native_client_policy("alice") }),
        credentials: vec![Some(bearer(ALICE))],
        refused: vec![
            ("a token without the scope", bearer(BOB), 403),
            ("a token that the issuer does not know", bearer("ory_at_unknown"), 401),
        ],
        caches: Caches::Apart,
        ..base
    }
}
