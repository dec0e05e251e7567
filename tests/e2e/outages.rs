//! Every outage of an issuer that we know of: good keys go on working, the log is told once, and recovery is automatic.
//! And an upstream that hangs.

use crate::keys::remote;
use crate::support::client::{connect, get, get_with, head};
use crate::support::envoy::{Envoy, Gate, cluster, resources};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, now};
use crate::support::outage::{Conduct, Unreliable};
use crate::support::server::Server;
use crate::support::wait::eventually;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::io::Write;
use std::time::{Duration, Instant};

/// What goes wrong, how it is counted, and the words of the log.
fn outages(issuer: &Issuer) -> Vec<(&'static str, Conduct, &'static str, &'static str)> {
    let good = issuer.jwks().to_string().into_bytes();
    let ok = |body: &[u8]| Conduct::answer("200 OK", "", body);
    let unusable = json!({ "keys": [{ "kty": "oct", "k": "AAAA", "kid": "a" }] }).to_string();
    let cut_off = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{{\"keys\":[", good.len());
    vec![
        ("the connection is refused", Conduct::Refuses, "unreachable", "cannot be reached"),
        ("the connection is closed", Conduct::HangsUp, "unreachable", "cannot be reached"),
        ("no answer", Conduct::Hangs, "timeout", "did not answer in time"),
        ("500", Conduct::answer("500 Oops", "", &good), "status", "answered 500, not 200"),
        ("404", Conduct::answer("404 Not Found", "", b""), "status", "answered 404, not 200"),
        (
            "a redirect",
            Conduct::answer("302 Found", "location: http://127.0.0.1/jwks.json\r\n", &good),
            "status",
            "answered 302, not 200",
        ),
        ("304 to whoever has no ETag", Conduct::answer("304 Not Modified", "", b""), "status", "answered 304, not 200"),
        ("an empty body", ok(b""), "invalid", "not a JSON Web Key Set: it is empty (GET http://"),
        (
            "a page",
            Conduct::answer("200 OK", "content-type: text/html\r\n", b"<!doctype html><title>Welcome</title>"),
            "invalid",
            "it is HTML or XML, such as a login page or an error (content-type text/html) (GET http://",
        ),
        (
            "compressed bytes",
            Conduct::answer("200 OK", "content-encoding: gzip\r\n", b"\x1f\x8b\x08\0\0\0\0\0"),
            "invalid",
            "it is compressed, and compression was not asked for (content-encoding gzip)",
        ),
        ("truncated JSON", ok(&good[..good.len() / 2]), "invalid", "not a JSON Web Key Set"),
        (
            "an answer that breaks off",
            Conduct::Says(cut_off.into_bytes()),
            "unreachable",
            "did not answer, broke off, or sent more than 32 MiB",
        ),
        ("ten MiB", ok(&vec![b' '; 10 << 20]), "too_large", "more than 1048576"),
        ("an endless slow body", Conduct::Drips, "", "could not be fetched"),
        ("an empty key set", ok(br#"{"keys":[]}"#), "invalid", "no key in it can be used"),
        ("a set without a usable key", ok(unusable.as_bytes()), "invalid", "no key in it can be used"),
    ]
}

const FAILURES: [&str; 6] = ["no_cluster", "unreachable", "timeout", "status", "too_large", "invalid"];

fn start(server: &Unreliable, jwks: Value, workers: u32) -> (Envoy, Server) {
    let upstream = Server::echo(0).unwrap();
    let clusters = [cluster("upstream", upstream.address), cluster("issuer", server.address)];
    let gate = Gate::new(remote(jwks, json!({ "rules": [{ "match": { "path": "/public" }, "public": true }] })));
    (Envoy::try_start(&resources(&[gate], &clusters), workers).unwrap_or_else(|log| panic!("{log}")), upstream)
}

fn failed(envoy: &Envoy, kind: &str) -> u64 {
    let kinds = FAILURES.iter().filter(|name| kind.is_empty() || **name == kind);
    kinds.map(|kind| envoy.counter(&format!("scopegate.keys.fetches.{kind}"))).sum()
}

#[test]
fn good_keys_go_on_working_through_every_outage_that_is_told_once_and_ends_by_itself() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let good = Conduct::answer("200 OK", "", issuer.jwks().to_string().as_bytes());
    let server = Unreliable::start(good.clone());
    let (mut envoy, _upstream) = start(&server, json!({ "refresh": "1s", "timeout": "300ms" }), 2);
    let status = || get_with(envoy.address(), "/", &issuer.token(now()).sign()).status;
    eventually("the first keys", || status() == 200);
    for (case, conduct, kind, words) in outages(&issuer) {
        let told = |text: &str| envoy.log().matches(text).count();
        let (before, counted) = (told("could not be fetched"), failed(&envoy, kind));
        let ended = told("can be fetched again");
        server.now(conduct);
        eventually(case, || failed(&envoy, kind) >= counted + 2);
        assert_eq!(status(), 200, "{case}: good keys outlive it");
        let unknown = issuer.token(now()).header("kid", format!("unknown in {case}")).sign();
        let began = Instant::now();
        let answer = get_with(envoy.address(), "/", &unknown);
        assert!([401, 503].contains(&answer.status), "{case}: {answer:?}");
        assert!(began.elapsed() < Duration::from_secs(2), "{case}: nothing hangs");
        assert_eq!(told("could not be fetched"), before + 1, "{case}: told once\n{}", envoy.log());
        let log = envoy.log();
        let line = log.lines().rfind(|line| line.contains("could not be fetched")).unwrap();
        assert!(line.contains(words), "{case}: {line}");
        server.now(good.clone());
        eventually(case, || told("can be fetched again") == ended + 1);
        assert_eq!(status(), 200, "{case}");
    }
    server.now(Conduct::Refuses);
    let age = || envoy.counter("scopegate.keys.age_seconds.https___issuer_example_com_");
    eventually("they are seen to grow older", || age() >= 2);
    assert!(envoy.is_alive() && !envoy.log().contains("panicked"));
}

#[test]
fn without_keys_a_request_is_answered_503_in_time_through_every_outage_and_200_after_it() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let good = Conduct::answer("200 OK", "", issuer.jwks().to_string().as_bytes());
    for (case, conduct, ..) in outages(&issuer) {
        let server = Unreliable::start(conduct);
        let (mut envoy, _upstream) = start(&server, json!({ "timeout": "500ms" }), 1);
        let began = Instant::now();
        let answer = get_with(envoy.address(), "/", &issuer.token(now()).sign());
        let waited = began.elapsed();
        assert_eq!(answer.status, 503, "{case}: {answer:?}");
        assert!(waited < Duration::from_millis(1500), "{case}: {waited:?}");
        assert!(answer.header("retry-after").is_some(), "{case}");
        assert_eq!(get(envoy.address(), "/public", &[]).status, 200, "{case}");
        assert_eq!(get(envoy.address(), "/", &[]).status, 401, "{case}");
        server.now(good.clone());
        eventually(case, || get_with(envoy.address(), "/", &issuer.token(now()).sign()).status == 200);
        assert!(envoy.is_alive() && !envoy.log().contains("panicked"), "{case}");
    }
}

#[test]
fn retries_back_off() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let server = Unreliable::start(Conduct::answer("500 Oops", "", b""));
    let (envoy, _upstream) = start(&server, json!({}), 4);
    std::thread::sleep(Duration::from_secs(8));
    // 0.25, 0.5, 1, 2, 4 s between attempts, each or half of it.
    let count = server.count();
    assert!((4..=9).contains(&count), "{count} attempts of four workers in 8 s");
    assert_eq!(get_with(envoy.address(), "/", &issuer.token(now()).sign()).status, 503);
}

#[test]
fn while_an_upstream_hangs_a_refusal_is_counted_within_a_tick() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let upstream = Unreliable::start(Conduct::Hangs);
    let configuration = json!({
        "issuers": [{ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": issuer.jwks() } }],
    });
    let envoy = Envoy::start(&resources(&[Gate::new(configuration)], &[cluster("upstream", upstream.address)]));
    let bearer = format!("Bearer {}", issuer.token(now()).sign());
    let mut hangs = connect(envoy.address());
    hangs.write_all(&head("GET", "/", &[("authorization", &bearer)])).unwrap();
    eventually("the request is with the upstream", || envoy.total("cluster.upstream.upstream_rq_active") == 1);
    for count in 1..=2 {
        assert_eq!(get(envoy.address(), "/", &[]).status, 401);
        assert_eq!(
            envoy.counter_of_at_least("scopegate.denied.no_credential", count),
            count,
            "no other request follows"
        );
    }
    assert_eq!(envoy.total("cluster.upstream.upstream_rq_active"), 1, "it still hangs");
}
