//! `envoy/events.yaml`: of two gates each hears what an issuer posts once, and the list has what one of them has missed.

use crate::events::upstream;
use crate::revocation::Published;
use crate::support::client::{at_once, get, send};
use crate::support::envoy::{Envoy, module, root};
use crate::support::events::{LOGOUT, PATH, logout, push_logout};
use crate::support::issuer::{ISSUER, Issuer, now};
use crate::support::server::{Answer, Server};
use crate::support::wait::eventually;
use scopegate::crypto::Algorithm;
use serde_json::json;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

/// A port that is free.
fn free() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A list of these sessions.
fn list(sessions: &[&str]) -> Vec<u8> {
    let lines = sessions.iter().map(|sid| format!("{}\n", json!({ "iss": ISSUER, "sid": sid })));
    format!("{}\n{}", json!({ "entries_at_least": sessions.len() }), lines.collect::<String>()).into_bytes()
}

#[test]
fn an_event_that_is_posted_once_reaches_both_gates_and_the_list_has_what_one_missed() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let jwks = issuer.jwks();
    let keys = Server::start(0, move |_| Answer::json(&jwks)).unwrap();
    let (upstream, reached) = upstream();
    let published = Published::default();
    published.put(list(&[]));
    let lists = published.serve();
    let text = std::fs::read_to_string(root().join("envoy/events.yaml")).unwrap();
    let gates = [free(), free()];
    let start = |[own, other]: [u16; 2]| {
        let mut text = text.replace("target/scopegate.wasm", &module().to_string_lossy());
        for (from, to) in [
            (9901, 0),
            (10000, own),
            (10010, other),
            (10005, 0),
            (10001, upstream.address.port()),
            (10002, keys.address.port()),
            (10003, lists.address.port()),
        ] {
            let from = format!("port_value: {from}}}");
            assert!(text.contains(&from), "{from}");
            text = text.replace(&from, &format!("port_value: {to}}}"));
        }
        assert!(text.contains("refresh: 10s"));
        let envoy = Envoy::start_text(&text.replace("refresh: 10s", "refresh: 1s"), 2);
        envoy.unwrap_or_else(|log| panic!("{log}"))
    };
    let [first, second] = [start(gates), start([gates[1], gates[0]])];
    let [one, other]: [SocketAddr; 2] = [&first, &second].map(|envoy| envoy.listener("main"));
    let answers = |address: SocketAddr, token: &str, status: u16| at_once(&[address], 24, token) == [status; 24];
    let token = |sid: &str| issuer.token(now()).claim("sid", sid).sign();
    let event = |sid: &str| push_logout(&logout(&issuer).claim("sid", sid).sign());
    let [a, b, c] = ["a", "b", "c"].map(token);
    eventually("both have keys and the list", || {
        [&a, &b, &c].iter().all(|token| answers(one, token, 200) && answers(other, token, 200))
    });

    // Posted to the listener of one.
    let answer = send(first.listener("events"), &event("a"));
    let told = Instant::now();
    assert_eq!(answer.status, 200, "{answer:?}");
    while !(answers(one, &a, 401) && answers(other, &a, 401)) {
        assert!(told.elapsed() < Duration::from_secs(2), "{}", second.log());
    }
    println!("both gates refuse it {:?} after the answer", told.elapsed());
    assert_eq!(get(first.listener("events"), "/", &[]).status, 404);
    let forged = logout(&Issuer::new(Algorithm::Es256, "a")).claim("sid", "b").sign();
    assert_eq!(send(first.listener("events"), &push_logout(&forged)).status, 400, "the gate's own answer");

    // Posted to one gate alone: the other does not hear of it, before the list says so.
    assert_eq!(send(other, &event("b")).status, 200);
    eventually("the one that heard it refuses", || answers(other, &b, 401));
    std::thread::sleep(Duration::from_secs(2));
    assert!(answers(one, &b, 200), "nothing tells it");
    published.put(list(&["b"]));
    eventually("the list tells it", || answers(one, &b, 401));

    // One that is down answers nothing, and the other takes the event.
    drop(second);
    assert_eq!(send(first.listener("events"), &event("c")).status, 200);
    eventually("the one that is there refuses", || answers(one, &c, 401));
    let second = start([gates[1], gates[0]]);
    let other = second.listener("main");
    eventually("it is back, and has missed that", || answers(other, &c, 200));
    published.put(list(&["b", "c"]));
    eventually("the list tells it", || answers(other, &c, 401));
    let reached = reached.lock().unwrap();
    assert!(!reached.iter().any(|line| line.contains(PATH) || line.contains(LOGOUT)), "{reached:?}");
}
