//! Opaque tokens: a real provider, npm `oidc-provider`, says what they mean; and an issuer that misbehaves in every way.

use crate::provider::Provider;
use crate::support::client::{get_with, head, try_send};
use crate::support::envoy::{Envoy, Gate, cluster, resources};
use crate::support::issuer::now;
use crate::support::outage::{Conduct, Unreliable};
use crate::support::server::Server;
use crate::support::wait::eventually;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

const RESOURCE: &str = "https://opaque.example.com";
/// It has to be encoded as a form, and again for HTTP Basic.
const SECRET: &str = "a b:c/%+&";

/// A gate whose issuer at this address is asked, with these members of `introspection` and of the issuer.
fn start(issuer: &str, address: SocketAddr, terms: Value, members: Value) -> (Envoy, Server) {
    let mut introspection = json!({
        "uri": format!("http://{address}/token/introspection"), "cluster": "issuer", "client_id": "gate",
        "secret": { "env": "CLIENT_SECRET" }, "timeout": "5s",
    });
    introspection.as_object_mut().unwrap().extend(terms.as_object().unwrap().clone());
    let mut entry =
        json!({ "issuer": issuer, "name": "provider", "audiences": [RESOURCE], "introspection": introspection });
    entry.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let configuration = json!({
        "issuers": [entry],
        "rules": [{ "match": { "path_separated_prefix": "/write" }, "scopes": ["orders:write"] }],
        "forward": { "headers": { "x-auth-scope": "scope", "x-auth-client": "client_id" } },
    });
    let variables = json!({ "CLIENT_SECRET": SECRET, "WRONG": "wrong" });
    let plugin = json!({ "vm_config": { "environment_variables": { "key_values": variables } } });
    let upstream = Server::echo(0).unwrap();
    let clusters = [cluster("upstream", upstream.address), cluster("issuer", address)];
    let gate = Gate { plugin, ..Gate::new(configuration) };
    (Envoy::try_start(&resources(&[gate], &clusters), 1).unwrap_or_else(|log| panic!("{log}")), upstream)
}

#[test]
fn a_real_provider_says_what_its_opaque_tokens_mean() {
    let provider = Provider::start();
    let ask = |terms: Value, members: Value| start(&provider.issuer, provider.address, terms, members);
    let (envoy, _upstream) = ask(json!({ "cache": "1s" }), json!({ "required_claims": ["client_id"] }));
    let token = provider.token(RESOURCE, "orders:read");
    assert!(!token.contains('.'), "it is opaque: {} characters", token.len());
    let echoed = get_with(envoy.address(), "/orders", &token).echoed();
    assert_eq!(echoed.headers("x-auth-scope"), ["orders:read"]);
    assert_eq!(echoed.headers("x-auth-client"), ["demo"]);
    assert!(echoed.headers("authorization").is_empty(), "the token is stripped");
    let missing = get_with(envoy.address(), "/write", &token);
    assert_eq!(missing.status, 403);
    assert!(missing.header("www-authenticate").unwrap().contains("insufficient_scope"));
    let other = provider.token(RESOURCE, "orders:write");
    assert_eq!(get_with(envoy.address(), "/write", &other).status, 200);
    assert_eq!(get_with(envoy.address(), "/orders", "made-up").status, 401);
    envoy.wait_for_log("reason=inactive unverified_issuer=provider");
    // Revoked there is refused here, once the answer is no longer remembered.
    provider.form("/token/revocation", &format!("token={token}"));
    eventually("the revoked token is refused", || get_with(envoy.address(), "/orders", &token).status == 401);
    assert!(!envoy.log().contains(&token) && !envoy.log().contains("a b:c"), "neither token nor secret is logged");

    let token = provider.token(RESOURCE, "orders:read");
    let (strict, _upstream) = ask(json!({}), json!({}));
    assert_eq!(get_with(strict.address(), "/orders", &token).status, 401);
    strict.wait_for_log("reason=missing_claim");
    let (wrong, _upstream) = ask(json!({ "secret": { "env": "WRONG" } }), json!({ "required_claims": ["client_id"] }));
    let refused = get_with(wrong.address(), "/orders", &token);
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")));
    wrong.wait_for_log("introspection: provider answered 401, not 200: its opaque tokens are refused");
}

fn answer(body: &Value) -> Conduct {
    Conduct::answer("200 OK", "content-type: application/json\r\n", body.to_string().as_bytes())
}

/// An active token of alice, with these members.
fn active(members: Value) -> Value {
    let mut body =
        json!({ "active": true, "token_type": "Bearer", "sub": "alice", "aud": RESOURCE, "exp": now() + 300 });
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    body
}

#[test]
fn an_issuer_that_misbehaves_lets_nothing_pass_and_is_asked_again() {
    let ok = |body: &str| Conduct::answer("200 OK", "", body.as_bytes());
    let good = active(json!({})).to_string();
    let server = Unreliable::start(ok(&good));
    let terms = json!({ "timeout": "500ms", "cache": "0s" });
    let (mut envoy, _upstream) = start("https://issuer.example.com", server.address, terms, json!({}));
    let address = envoy.address();
    let status = || get_with(address, "/", "opaque").status;
    assert_eq!(status(), 200);
    let twice = good.replacen('{', r#"{"active":false,"#, 1);
    let padded = format!("{good}{}", " ".repeat(65_536));
    let elsewhere = format!("location: http://{}/elsewhere\r\n", server.address);
    for (what, conduct) in [
        ("the connection is refused", Conduct::Refuses),
        ("the connection is closed", Conduct::HangsUp),
        ("no answer", Conduct::Hangs),
        ("an endless slow body", Conduct::Drips),
        ("500", Conduct::answer("500 Oops", "", good.as_bytes())),
        ("401", Conduct::answer("401 Unauthorized", "", good.as_bytes())),
        ("a redirect", Conduct::answer("302 Found", &elsewhere, good.as_bytes())),
        ("201", Conduct::answer("201 Created", "", good.as_bytes())),
        ("active as text", ok(&good.replace("true", "\"true\""))),
        ("active twice", ok(&twice)),
        ("no active", ok(&good.replace("active", "alive"))),
        ("a page", ok("<!doctype html><title>Welcome</title>")),
        ("an empty body", ok("")),
        ("truncated JSON", ok(&good[..good.len() / 2])),
        ("more than 64 KiB", ok(&padded)),
        ("30 MB", Conduct::answer("200 OK", "", &vec![b' '; 30_000_000])),
    ] {
        server.now(conduct);
        assert_eq!(status(), 503, "{what}");
    }
    for (what, members) in [
        ("another issuer", json!({ "iss": "https://other.example.com" })),
        ("a refresh token", json!({ "token_type": "refresh_token" })),
        ("no type", json!({ "token_type": null })),
        ("another audience", json!({ "aud": "https://other.example.com" })),
        ("expired", json!({ "exp": now() - 60 })),
        ("not active", json!({ "active": false })),
    ] {
        server.now(answer(&active(members)));
        let token = format!("opaque-{}", what.replace(' ', "-"));
        assert_eq!(get_with(address, "/", &token).status, 401, "{what}");
    }
    server.now(ok(&good));
    assert_eq!(status(), 200, "it goes on by itself");
    for request in &*server.requests.lock().unwrap() {
        assert!(request.starts_with("POST /token/introspection HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("content-type: application/x-www-form-urlencoded"), "{request}");
    }
    envoy.wait_for_log("introspection: provider answers again");
    assert!(envoy.is_alive());
}

/// The status of a request with this token.
fn status_of(address: SocketAddr, token: &str) -> u16 {
    let bytes = head("GET", "/", &[("authorization", &format!("Bearer {token}")), ("connection", "close")]);
    try_send(address, &bytes).map_or(0, |answer| answer.status)
}

#[test]
fn equal_tokens_at_one_moment_are_one_question_and_random_ones_a_hundred_a_second() {
    let server = Unreliable::start(Conduct::Hangs);
    let terms = json!({ "timeout": "2s" });
    let (mut envoy, _upstream) = start("https://issuer.example.com", server.address, terms, json!({}));
    let (address, barrier) = (envoy.address(), Arc::new(Barrier::new(20)));
    let threads: Vec<_> = (0..20)
        .map(|_| {
            let barrier = Arc::clone(&barrier);
            thread::spawn(move || {
                barrier.wait();
                status_of(address, "equal")
            })
        })
        .collect();
    let statuses: Vec<u16> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(statuses, [503; 20]);
    assert_eq!(server.count(), 1, "one question for all");
    server.now(answer(&json!({ "active": false })));
    let started = Instant::now();
    let client = |client: u32| -> Vec<u16> {
        (0..150).map(|number| status_of(address, &format!("{client}-{number}"))).collect()
    };
    let statuses: Vec<u16> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|number| scope.spawn(move || client(number))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(statuses.iter().all(|status| matches!(status, 401 | 503)), "{statuses:?}");
    let seconds = usize::try_from(started.elapsed().as_secs()).unwrap() + 2;
    assert!(server.count() <= 1 + 100 * seconds, "{} questions in {seconds} s", server.count());
    server.now(answer(&active(json!({}))));
    thread::sleep(Duration::from_secs(1));
    assert_eq!(status_of(address, "good"), 200);
    assert!(envoy.is_alive());
}
