//! Keys from an issuer: fetched, refreshed, waited for, and missing.

use crate::support::client::{Response, connect, get, get_with, head, read_response};
use crate::support::envoy::{Envoy, Gate, cluster, resources};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, now};
use crate::support::outage::{Conduct, Unreliable};
use crate::support::server::{Answer, Server};
use crate::support::wait::eventually;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::io::{BufReader, Write as _};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// An issuer's key server that answers what it is told to.
pub struct KeyServer {
    pub server: Server,
    pub answer: Arc<Mutex<Answer>>,
    /// While this is set no answer is sent.
    held: Arc<AtomicBool>,
    pub requests: Arc<AtomicUsize>,
}

impl KeyServer {
    pub fn start(answer: Answer) -> Self {
        let (answer, held) = (Arc::new(Mutex::new(answer)), Arc::new(AtomicBool::new(false)));
        let requests = Arc::new(AtomicUsize::new(0));
        let (answers, holding, count) = (Arc::clone(&answer), Arc::clone(&held), Arc::clone(&requests));
        let server = Server::start(0, move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            while holding.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(5));
            }
            answers.lock().unwrap().clone()
        });
        Self { server: server.unwrap(), answer, held, requests }
    }

    /// A server that answers only when it is released.
    pub fn held(answer: Answer) -> Self {
        let server = Self::start(answer);
        server.held.store(true, Ordering::SeqCst);
        server
    }

    pub fn release(&self) {
        self.held.store(false, Ordering::SeqCst);
    }

    pub fn keys(issuer: &Issuer) -> Answer {
        Answer::json(&issuer.jwks())
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.release();
    }
}

pub fn remote(jwks: Value, members: Value) -> Value {
    let mut entry = json!({ "uri": "http://issuer.example.com/jwks.json?x=1", "cluster": "issuer" });
    entry.as_object_mut().unwrap().extend(jwks.as_object().unwrap().clone());
    let mut config = json!({ "issuers": [{ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": entry }] });
    config.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    config
}

pub fn start(gate: Gate, keys: &KeyServer) -> (Envoy, Server) {
    let upstream = Server::echo(0).unwrap();
    let clusters = [cluster("upstream", upstream.address), cluster("issuer", keys.server.address)];
    (Envoy::shared(&resources(&[gate], &clusters)), upstream)
}

/// The statuses of `count` requests with a token at once, each over a new connection, so that every worker gets some.
pub fn statuses(envoy: SocketAddr, token: &str, count: usize) -> Vec<u16> {
    let bearer = format!("Bearer {token}");
    let request = || in_background(envoy, head("GET", "/", &[("authorization", &bearer)]));
    let waiting: Vec<_> = (0..count).map(|_| request()).collect();
    waiting.into_iter().map(|waiting| waiting.join().unwrap().status).collect()
}

/// Sends a request and waits for its answer in another thread.
pub fn in_background(address: SocketAddr, request: Vec<u8>) -> std::thread::JoinHandle<Response> {
    std::thread::spawn(move || {
        let mut stream = connect(address);
        stream.write_all(&request).unwrap();
        read_response(&mut BufReader::new(stream), false).unwrap()
    })
}

#[test]
fn requests_wait_for_the_first_keys_and_nothing_of_them_goes_upstream_before() {
    // With allow_on_headers_stop_iteration a pause at the headers alone would let the body, and so the request, pass.
    for stop_iteration in [false, true] {
        let issuer = Issuer::new(Algorithm::Es256, "a");
        let keys = KeyServer::held(KeyServer::keys(&issuer));
        let mut gate = Gate::new(remote(json!({ "timeout": "30s" }), json!({})));
        gate.plugin = json!({ "allow_on_headers_stop_iteration": stop_iteration });
        let reached = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&reached);
        let upstream = Server::start(0, move |received| {
            log.lock().unwrap().push(received.target.clone());
            Answer::json(&json!({ "body": String::from_utf8_lossy(&received.body) }))
        })
        .unwrap();
        let clusters = [cluster("upstream", upstream.address), cluster("issuer", keys.server.address)];
        // A separate process: histograms cannot be told apart.
        let envoy = Envoy::start(&resources(&[gate], &clusters));
        let bearer = format!("Bearer {}", issuer.token(now()).sign());
        let body = "x".repeat(100_000);
        let post = |target: &str, authorization: &str| {
            let length = body.len().to_string();
            let mut request = head("POST", target, &[("authorization", authorization), ("content-length", &length)]);
            request.extend(body.as_bytes());
            request
        };
        let forged = format!("Bearer {}", Issuer::new(Algorithm::Es256, "a").token(now()).sign());
        let good = in_background(envoy.address(), post("/good", &bearer));
        let bad = in_background(envoy.address(), post("/forged", &forged));
        let chunked = in_background(envoy.address(), {
            let mut request = head("POST", "/chunked", &[("authorization", &forged), ("transfer-encoding", "chunked")]);
            request.extend(b"3\r\nabc\r\n0\r\nx-auth-subject: admin\r\n\r\n");
            request
        });
        let plain = in_background(envoy.address(), head("GET", "/plain", &[("authorization", &bearer)]));
        // What needs no keys is decided at once.
        assert_eq!(get(envoy.address(), "/", &[]).status, 401);
        assert_eq!(get_with(envoy.address(), "/", &issuer.token(now()).claim("exp", 1).sign()).status, 401);
        std::thread::sleep(Duration::from_millis(500));
        assert!(reached.lock().unwrap().is_empty(), "nothing reaches the upstream before there are keys");
        keys.release();
        let good = good.join().unwrap();
        assert_eq!(good.status, 200, "{stop_iteration}: {good:?}");
        // Four waited half a second. Histograms are put together every five.
        eventually("the waits are measured", || {
            let figures = envoy.metrics("scopegate_wait_ms");
            figures.get("count").is_some_and(|&count| (3.5..4.5).contains(&count) && figures["sum"] >= 4.0 * 400.0)
        });
        assert!(good.body.len() > body.len(), "the whole body arrived");
        assert_eq!(plain.join().unwrap().status, 200);
        assert_eq!(bad.join().unwrap().status, 401);
        assert_eq!(chunked.join().unwrap().status, 401);
        let mut targets = reached.lock().unwrap().clone();
        targets.sort_unstable();
        assert_eq!(targets, ["/good", "/plain"]);
    }
}

#[test]
fn without_keys_nothing_passes() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let redirect =
        Answer { status: 302, headers: vec![("location".into(), "http://other/jwks.json".into())], body: vec![] };
    let html = Answer { status: 200, headers: vec![], body: b"<html>".to_vec() };
    let large = Answer { status: 200, headers: vec![], body: vec![b' '; 2_000_000] };
    let marked = |issuer: &Issuer| {
        let body = format!("\u{feff}{}", issuer.jwks()).into_bytes();
        Answer { status: 200, headers: vec![], body }
    };
    let symmetric = Answer::json(&json!({ "keys": [{ "kty": "oct", "k": "AAAA", "kid": "a" }] }));
    for (case, answer) in [
        ("an error", Answer::status(500)),
        ("a redirect", redirect),
        ("a page", html),
        ("too large", large),
        ("nothing usable", symmetric),
        ("empty", Answer { status: 200, headers: vec![], body: vec![] }),
    ] {
        let keys = KeyServer::start(answer);
        let (mut envoy, _upstream) = start(
            Gate::new(remote(json!({}), json!({ "rules": [{ "match": { "path": "/public" }, "public": true }] }))),
            &keys,
        );
        let answer = get_with(envoy.address(), "/", &issuer.token(now()).sign());
        assert_eq!(answer.status, 503, "{case}: {answer:?}");
        assert!(answer.header("retry-after").is_some(), "{case}");
        assert_eq!(answer.header("www-authenticate"), None, "{case}");
        envoy.wait_for_log("could not be fetched");
        assert_eq!(get(envoy.address(), "/public", &[]).status, 200, "{case}");
        assert!(envoy.is_alive());
        // And when the issuer is back, so are we.
        *keys.answer.lock().unwrap() = if case == "a page" { marked(&issuer) } else { KeyServer::keys(&issuer) };
        eventually(case, || get_with(envoy.address(), "/", &issuer.token(now()).sign()).status == 200);
    }
}

#[test]
fn a_cluster_that_does_not_exist_or_does_not_answer_is_an_outage_and_no_trap() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let keys = KeyServer::held(KeyServer::keys(&issuer));
    for jwks in [json!({ "cluster": "nowhere" }), json!({ "timeout": "200ms" })] {
        let (mut envoy, _upstream) = start(Gate::new(remote(jwks.clone(), json!({}))), &keys);
        assert_eq!(get_with(envoy.address(), "/", &issuer.token(now()).sign()).status, 503, "{jwks}");
        assert_eq!(get(envoy.address(), "/", &[]).status, 401, "{jwks}");
        if jwks["cluster"] == "nowhere" {
            envoy.wait_for_log("could not be fetched: there is no cluster nowhere (GET http://");
            assert!(envoy.counter_of_at_least("scopegate.keys.fetches.no_cluster", 1) >= 1);
        }
        assert!(envoy.is_alive() && !envoy.log().contains("panicked"));
    }
}

#[test]
fn a_limited_number_of_requests_waits() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let keys = KeyServer::held(KeyServer::keys(&issuer));
    let (envoy, _upstream) =
        start(Gate::new(remote(json!({ "timeout": "30s" }), json!({ "limits": { "waiting_requests": 2 } }))), &keys);
    let bearer = format!("Bearer {}", issuer.token(now()).sign());
    let waiting: Vec<_> =
        (0..6).map(|_| in_background(envoy.address(), head("GET", "/", &[("authorization", &bearer)]))).collect();
    eventually("four are too many", || envoy.counter("scopegate.denied.too_busy") == 4);
    keys.release();
    let mut statuses: Vec<u16> = waiting.into_iter().map(|waiting| waiting.join().unwrap().status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 503, 503, 503, 503]);
    assert_eq!(envoy.counter("scopegate.denied.too_busy"), 4);
}

#[test]
fn a_client_that_leaves_while_it_waits_leaves_no_trace() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let keys = KeyServer::held(KeyServer::keys(&issuer));
    let (mut envoy, _upstream) =
        start(Gate::new(remote(json!({ "timeout": "30s" }), json!({ "limits": { "waiting_requests": 1 } }))), &keys);
    let bearer = format!("Bearer {}", issuer.token(now()).sign());
    for _ in 0..5 {
        let mut stream = connect(envoy.address());
        stream.write_all(&head("GET", "/gone", &[("authorization", &bearer)])).unwrap();
        std::thread::sleep(Duration::from_millis(60));
        drop(stream);
        std::thread::sleep(Duration::from_millis(60));
    }
    let mut waiting = None;
    eventually("the one place is free", || {
        let request = in_background(envoy.address(), head("GET", "/", &[("authorization", &bearer)]));
        std::thread::sleep(Duration::from_millis(200));
        // A request that finds no place is answered at once.
        let has_place = !request.is_finished();
        waiting = has_place.then_some(request);
        has_place
    });
    keys.release();
    assert_eq!(waiting.unwrap().join().unwrap().status, 200);
    assert!(envoy.is_alive() && !envoy.log().contains("panicked"));
}

#[test]
fn keys_are_refreshed_and_an_outage_does_not_wipe_them() {
    let (old, new) = (Issuer::new(Algorithm::Es256, "old"), Issuer::new(Algorithm::Es256, "new"));
    let keys = KeyServer::start(KeyServer::keys(&old));
    let (envoy, _upstream) = start(Gate::new(remote(json!({ "refresh": "1s" }), json!({}))), &keys);
    let status = |issuer: &Issuer| get_with(envoy.address(), "/", &issuer.token(now()).sign()).status;
    eventually("the first keys", || status(&old) == 200);
    assert_eq!(status(&new), 401);
    *keys.answer.lock().unwrap() = Answer::status(500);
    let before = keys.requests.load(Ordering::SeqCst);
    eventually("two refreshes that fail", || keys.requests.load(Ordering::SeqCst) > before + 2);
    assert_eq!(status(&old), 200, "good keys outlive an outage");
    *keys.answer.lock().unwrap() = KeyServer::keys(&new);
    eventually("the new key", || status(&new) == 200);
    eventually("the old key is withdrawn", || status(&old) == 401);
}

#[test]
fn keys_that_are_too_old_are_not_used() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let keys = KeyServer::start(KeyServer::keys(&issuer));
    let (envoy, _upstream) = start(Gate::new(remote(json!({ "refresh": "1s", "max_stale": "1s" }), json!({}))), &keys);
    let status = || get_with(envoy.address(), "/", &issuer.token(now()).sign()).status;
    eventually("the first keys", || status() == 200);
    *keys.answer.lock().unwrap() = Answer::status(500);
    eventually("the keys are gone", || status() == 503);
    *keys.answer.lock().unwrap() = KeyServer::keys(&issuer);
    eventually("the keys are back", || status() == 200);
}

#[test]
fn a_request_whose_key_is_known_does_not_wait() {
    let (issuer, unknown) = (Issuer::new(Algorithm::Es256, "a"), Issuer::new(Algorithm::Es256, "unknown"));
    let good = Conduct::answer("200 OK", "", issuer.jwks().to_string().as_bytes());
    let server = Unreliable::start(good);
    let upstream = Server::echo(0).unwrap();
    let gate = Gate::new(remote(json!({ "timeout": "10s" }), json!({})));
    let clusters = [cluster("upstream", upstream.address), cluster("issuer", server.address)];
    let envoy = Envoy::shared(&resources(&[gate], &clusters));
    let status = |issuer: &Issuer| get_with(envoy.address(), "/", &issuer.token(now()).sign()).status;
    assert_eq!(status(&issuer), 200);
    server.now(Conduct::Hangs);
    let bearer = format!("Bearer {}", unknown.token(now()).sign());
    let waiting = in_background(envoy.address(), head("GET", "/", &[("authorization", &bearer)]));
    let waits = || envoy.counter("scopegate.waiting");
    eventually("one waits, for a fetch", || waits() == 1 && server.requests.lock().unwrap().len() == 2);
    assert_eq!([0; 10].map(|_| status(&issuer)), [200; 10]);
    assert_eq!(waits(), 1, "all of them have been answered, and the fetch is still under way");
    assert_eq!(waiting.join().unwrap().status, 503);
}
