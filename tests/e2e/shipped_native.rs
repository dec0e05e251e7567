//! `envoy/native.yaml`, the file for the native module, in an Envoy that loads it.
#![allow(clippy::print_stderr, reason = "a test that is left out says so")]

use crate::shipped::with_ports;
use crate::support::client::{get, get_with, request};
use crate::support::envoy::{Envoy, root};
use crate::support::issuer::{Issuer, now};
use crate::support::server::{Answer, Server};
use crate::support::wait::eventually;
use scopegate::crypto::Algorithm;

/// The shipped file in Envoy; none where the tests are told of no native module.
fn start() -> Option<(Envoy, Issuer, [Server; 2])> {
    if std::env::var_os("SCOPEGATE_NATIVE").is_none() {
        eprintln!("left out: SCOPEGATE_NATIVE names no native module; `make evidence-native` does");
        return None;
    }
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let jwks = issuer.jwks();
    let keys = Server::start(0, move |_| Answer::json(&jwks)).unwrap();
    let upstream = Server::echo(0).unwrap();
    let shipped = std::fs::read_to_string(root().join("envoy/native.yaml")).unwrap();
    let shipped = with_ports(&shipped, &upstream, &keys);
    let envoy = Envoy::start_text(&shipped, 2).unwrap_or_else(|log| panic!("{log}"));
    Some((envoy, issuer, [upstream, keys]))
}

#[test]
fn the_shipped_file_of_the_native_module_does_what_it_says() {
    let Some((envoy, issuer, _servers)) = start() else { return };
    let token = |scope: &str| issuer.token(now()).scope(scope).sign();
    let status = |target: &str, scope: &str| get_with(envoy.address(), target, &token(scope)).status;
    assert_eq!(status("/orders/1", "orders:read"), 200, "by the configuration of the route");
    assert_eq!(status("/orders/1", "orders:write"), 403);
    let post = |scope: &str| {
        let bearer = format!("Bearer {}", token(scope));
        request(envoy.address(), "POST", "/orders/1", &[("authorization", &bearer)]).status
    };
    assert_eq!((post("orders:write"), post("orders:read")), (200, 403));
    assert_eq!(status("/reports", "admin"), 200);
    assert_eq!(status("/internal/x", "admin"), 403);
    assert_eq!(status("/anything", ""), 200);
    assert_eq!(get(envoy.address(), "/healthz", &[]).status, 200);
    assert_eq!(get(envoy.address(), "/healthz?access_token=x", &[]).status, 400);
    let passed = get_with(envoy.address(), "/orders/1", &token("orders:read")).echoed();
    assert_eq!(passed.headers("x-auth-subject"), ["alice"]);
    assert!(passed.headers("authorization").is_empty());
    // By the name that it has with Wasm.
    eventually("the refusal is counted", || envoy.counter("scopegate.denied.insufficient_scope") > 0);
}
