//! Redirects that Envoy follows itself: the filters run again over the headers as the first pass left them.

use crate::gate::configuration;
use crate::support::client::get_with;
use crate::support::envoy::{Envoy, Gate, cluster, resources};
use crate::support::issuer::{Issuer, now};
use crate::support::server::{Answer, Received, Server};
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// An upstream that redirects `/to/x` to `/x`, and everything else is an answer; it keeps what it received.
fn upstream() -> (Server, Arc<Mutex<Vec<Received>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&seen);
    let server = Server::start(0, move |received| {
        kept.lock().unwrap().push(received.clone());
        let Some(target) = received.target.strip_prefix("/to") else { return Answer::status(200) };
        let host = received.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host")).unwrap().1.clone();
        Answer { status: 302, headers: vec![("location".into(), format!("http://{host}{target}"))], body: Vec::new() }
    });
    (server.unwrap(), seen)
}

/// An Envoy that follows redirects, and the routes that they lead to.
fn start(issuer: &Issuer, upstream: &Server, token: &str) -> Envoy {
    let route = |name: &str, action: Value, requirement: Value| {
        json!({
            "name": name, "match": { "path_separated_prefix": format!("/{name}") }, "route": action,
            "metadata": { "filter_metadata": { "scopegate": requirement } },
        })
    };
    let plain = || json!({ "cluster": "upstream" });
    let following = json!({ "cluster": "upstream", "internal_redirect_policy": { "max_internal_redirects": 2 } });
    let mut configuration = configuration(issuer, json!({}));
    configuration["forward"]["token"] = token.into();
    let gate = Gate::new(configuration).routes(json!([
        route("to", following, json!({ "scopes": ["orders:read"] })),
        route("public", plain(), json!({ "public": true })),
        route("orders", plain(), json!({ "scopes": ["orders:read"] })),
        route("optional", plain(), json!({ "allow_missing": true })),
        route("admin", plain(), json!({ "scopes": ["admin"] })),
        route("closed", plain(), json!({ "deny": true })),
    ]));
    Envoy::shared(&resources(&[gate], &[cluster("upstream", upstream.address)]))
}

fn values(received: &Received, name: &str) -> Vec<String> {
    let lines = received.headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
    lines.map(|(_, value)| value.clone()).collect()
}

#[test]
fn a_redirect_that_envoy_follows_is_judged_again_by_the_route_that_it_leads_to() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let (server, seen) = upstream();
    let envoy = start(&issuer, &server, "keep");
    let ask = |target: &str| {
        seen.lock().unwrap().clear();
        let status = get_with(envoy.address(), target, &issuer.token(now()).sign()).status;
        (status, seen.lock().unwrap().clone())
    };
    // The first pass sets the identity, and the second sets it anew: once.
    let (status, seen) = ask("/to/orders");
    assert_eq!((status, seen.len()), (200, 2));
    for received in &seen {
        assert_eq!(values(received, "x-auth-subject"), ["alice"], "{received:?}");
        assert_eq!(values(received, "x-auth-scope"), ["orders:read"], "{received:?}");
    }
    // A public route verifies nothing, so no identity reaches it, not even that of the first pass.
    let (status, seen) = ask("/to/public");
    assert_eq!((status, seen.len()), (200, 2));
    assert_eq!(values(&seen[0], "x-auth-subject"), ["alice"]);
    assert_eq!(
        (values(&seen[1], "x-auth-subject"), values(&seen[1], "x-auth-scope")),
        (vec![], vec![]),
        "{:?}",
        seen[1]
    );
    // What the second route asks is asked.
    for (target, wanted) in [("/to/admin", 403), ("/to/closed", 403)] {
        let (status, seen) = ask(target);
        assert_eq!((status, seen.len()), (wanted, 1), "{target}: the upstream saw the first request alone");
    }
    assert_eq!(envoy.counter_of_at_least("scopegate.denied.insufficient_scope", 1), 1);
    assert_eq!(envoy.counter_of_at_least("scopegate.denied.denied", 1), 1);
}

#[test]
fn a_stripped_token_is_gone_when_envoy_follows_a_redirect() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let (server, seen) = upstream();
    let envoy = start(&issuer, &server, "strip");
    assert_eq!(get_with(envoy.address(), "/to/orders", &issuer.token(now()).sign()).status, 401);
    assert_eq!(envoy.counter_of_at_least("scopegate.denied.no_credential", 1), 1, "`check` says so: judged-twice");
    // Where no token is needed the request goes on, without the identity that the first pass set.
    for target in ["/to/public", "/to/optional"] {
        seen.lock().unwrap().clear();
        assert_eq!(get_with(envoy.address(), target, &issuer.token(now()).sign()).status, 200, "{target}");
        let seen = seen.lock().unwrap().clone();
        assert_eq!((seen.len(), values(&seen[1], "x-auth-subject")), (2, vec![]), "{target}: {:?}", seen[1]);
    }
}
