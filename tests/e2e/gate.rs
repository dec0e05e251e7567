//! The main job: who passes, what the upstream sees, what a refused client is told, what operators see.

use crate::support::client::{get, get_with, head, request, send};
use crate::support::envoy::{Envoy, Gate, cluster, resources};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, now};
use crate::support::server::Server;
use scopegate::crypto::Algorithm;
use serde_json::json;

#[test]
fn a_good_token_passes_and_the_upstream_sees_who_it_is_and_not_the_token() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let upstream = Server::echo(0).unwrap();
    let gate = Gate::new(json!({
        "issuers": [{ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": issuer.jwks() } }],
        "default": { "scopes": ["orders:read"] },
        "forward": { "headers": { "x-auth-subject": "sub", "x-auth-scope": "scope" } },
    }));
    let envoy = Envoy::start(&resources(&[gate], &[cluster("upstream", upstream.address)]));
    let echoed = get_with(envoy.address(), "/orders", &issuer.token(now()).sign()).echoed();
    assert_eq!(echoed.headers("x-auth-subject"), ["alice"]);
    assert_eq!(echoed.headers("x-auth-scope"), ["orders:read"]);
    assert!(echoed.headers("authorization").is_empty());
    let refused = get(envoy.address(), "/orders", &[]);
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"api\", scope=\"orders:read\""));
    let _ = (head("GET", "/", &[]), request(envoy.address(), "HEAD", "/", &[]), send(envoy.address(), &head("GET", "/", &[])));
    assert_eq!(envoy.counter("scopegate.allowed"), 1);
}
