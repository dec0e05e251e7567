//! Report-only while keys are missing: requests wait as where it is enforced, and pass whatever comes of it.

use crate::keys::{KeyServer, in_background, remote, start};
use crate::support::client::{get_with, head};
use crate::support::envoy::{Envoy, Gate, cluster, resources};
use crate::support::issuer::{Issuer, now};
use crate::support::outage::{Conduct, Unreliable};
use crate::support::server::{Answer, Server};
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Report-only for everything, and for a requirement.
fn reporting() -> [Value; 2] {
    [json!({ "report_only": true }), json!({ "default": { "report_only": true } })]
}

#[test]
fn before_the_first_keys_a_good_token_waits_and_is_allowed_when_they_come() {
    for mut members in reporting() {
        members["forward"] = json!({ "headers": { "x-auth-subject": "sub" } });
        let issuer = Issuer::new(Algorithm::Es256, "a");
        let keys = KeyServer::held(KeyServer::keys(&issuer));
        let (envoy, _upstream) = start(Gate::new(remote(json!({ "timeout": "30s" }), members.clone())), &keys);
        let forged = Issuer::new(Algorithm::Es256, "a").token(now()).sign();
        let waiting = [issuer.token(now()).sign(), forged].map(|token| {
            let bearer = format!("Bearer {token}");
            let body = [("authorization", bearer.as_str()), ("x-auth-subject", "admin"), ("content-length", "3")];
            let mut request = head("POST", "/", &body);
            request.extend(b"abc");
            in_background(envoy.address(), request)
        });
        std::thread::sleep(Duration::from_millis(300));
        assert!(waiting.iter().all(|request| !request.is_finished()), "{members}: both wait");
        keys.release();
        let [good, forged] = waiting.map(|request| request.join().unwrap().echoed());
        assert_eq!(good.headers("x-auth-subject"), ["alice"], "{members}");
        assert!(forged.headers("x-auth-subject").is_empty(), "{members}");
        assert_eq!(envoy.counter_of_at_least("scopegate.allowed", 1), 1, "{members}");
        assert_eq!(envoy.counter_of_at_least("scopegate.would_deny.bad_signature", 1), 1, "{members}");
        assert_eq!(envoy.counter("scopegate.would_deny.keys_unavailable"), 0, "{members}: no false alarm");
    }
}

#[test]
fn with_an_issuer_that_does_not_answer_a_request_passes_at_the_deadline_once() {
    for members in reporting() {
        let issuer = Issuer::new(Algorithm::Es256, "a");
        let server = Unreliable::start(Conduct::Hangs);
        let reached = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&reached);
        let upstream = Server::start(0, move |received| {
            log.lock().unwrap().push(String::from_utf8_lossy(&received.body).into_owned());
            Answer::json(&json!({}))
        })
        .unwrap();
        let clusters = [cluster("upstream", upstream.address), cluster("issuer", server.address)];
        let members = [members, json!({ "limits": { "waiting_requests": 1 } })]
            .into_iter()
            .flat_map(|members| members.as_object().unwrap().clone())
            .collect();
        let gate = Gate::new(remote(json!({ "timeout": "2s" }), Value::Object(members)));
        let envoy = Envoy::shared(&resources(&[gate], &clusters));
        let token = issuer.token(now()).sign();
        let bearer = format!("Bearer {token}");
        let mut request = head("POST", "/", &[("authorization", &bearer), ("content-length", "7")]);
        request.extend(b"waiting");
        let began = Instant::now();
        let waiting = in_background(envoy.address(), request);
        std::thread::sleep(Duration::from_millis(300));
        assert!(reached.lock().unwrap().is_empty() && !waiting.is_finished(), "it waits");
        assert_eq!(get_with(envoy.address(), "/", &token).status, 200, "one for whom there is no room passes at once");
        assert!(began.elapsed() < Duration::from_millis(1800) && !waiting.is_finished(), "{:?}", began.elapsed());
        assert_eq!(waiting.join().unwrap().status, 200);
        assert_eq!(*reached.lock().unwrap(), ["", "waiting"], "the upstream sees each once, with its body");
        assert_eq!(envoy.counter_of_at_least("scopegate.would_deny.keys_unavailable", 1), 1);
        assert_eq!(envoy.counter_of_at_least("scopegate.would_deny.too_busy", 1), 1);
        assert_eq!(envoy.counter("scopegate.denied.keys_unavailable"), 0);
        envoy.wait_for_log("decision=would_deny reason=keys_unavailable");
    }
}
