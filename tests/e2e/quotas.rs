//! `envoy/quotas.yaml`: Envoy's rate limits count by the identity that Scopegate found, and by nothing that a client writes.

use crate::shipped::with_ports;
use crate::support::client::get;
use crate::support::envoy::{Envoy, root};
use crate::support::issuer::{Issuer, now};
use crate::support::node;
use crate::support::server::{Answer, Server};
use scopegate::crypto::Algorithm;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// The requests that the file gives each subject in a minute.
const OF_SUBJECT: usize = 20;

/// A rate limit service, ended with the test.
struct Service {
    process: Child,
    port: String,
    /// The descriptors that it was asked for.
    asked: Receiver<String>,
}

impl Service {
    fn start(limit: usize) -> Self {
        let mut command = Command::new(node::binary());
        command.arg(root().join("tests/e2e/quotas.mjs")).arg(limit.to_string());
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = lines.next().unwrap().unwrap();
        let (send, asked) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(send.send(line))));
        Self { process, port: address.rsplit_once(':').unwrap().1.to_owned(), asked }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct World {
    envoy: Envoy,
    issuer: Issuer,
    _servers: [Server; 2],
}

/// The shipped file with this rate limit service.
fn start(service: &str) -> World {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let jwks = issuer.jwks();
    let keys = Server::start(0, move |_| Answer::json(&jwks)).unwrap();
    let upstream = Server::echo(0).unwrap();
    let shipped = std::fs::read_to_string(root().join("envoy/quotas.yaml")).unwrap();
    assert!(shipped.contains(&format!("max_tokens: {OF_SUBJECT},")) && shipped.contains("port_value: 10004}"));
    let text =
        with_ports(&shipped, &upstream, &keys).replace("port_value: 10004}", &format!("port_value: {service}}}"));
    let envoy = Envoy::start_text(&text, 2).unwrap_or_else(|log| panic!("{log}"));
    World { envoy, issuer, _servers: [upstream, keys] }
}

impl World {
    fn token(&self, subject: &str, client: &str) -> String {
        let token = self.issuer.token(now()).claim("sub", subject).claim("client_id", client);
        format!("Bearer {}", token.scope("orders:read").sign())
    }

    fn status(&self, token: &str, more: &[(&str, &str)]) -> u16 {
        get(self.envoy.address(), "/orders/1", &[&[("authorization", token)], more].concat()).status
    }
}

#[test]
fn each_subject_has_its_own_quota_and_no_client_spends_that_of_another() {
    let service = Service::start(1000);
    let world = start(&service.port);
    let (alice, bob) = (world.token("alice", "web"), world.token("bob", "web"));
    // Headers that a client writes change nothing: neither for whom it pretends to be, nor for itself.
    for number in 0..OF_SUBJECT {
        let pretended = format!("someone-{number}");
        let written = [("x-auth-subject", "bob"), ("x-auth-client", pretended.as_str())];
        assert_eq!(world.status(&alice, &written), 200, "{number}");
    }
    assert_eq!(world.status(&alice, &[("x-auth-subject", "somebody-else")]), 429);
    assert_eq!(world.status(&bob, &[]), 200, "bob has all of his");
    // More subjects than Envoy keeps buckets for by default, so that none gets a new one by them.
    for number in 0..30 {
        assert_eq!(world.status(&world.token(&format!("user-{number}"), "web"), &[]), 200);
    }
    assert_eq!(world.status(&alice, &[]), 429);
    // What is refused costs nothing: without a token, and with too few scopes.
    let carol = world.token("carol", "web");
    let poor = format!("Bearer {}", world.issuer.token(now()).claim("sub", "carol").scope("x").sign());
    for _ in 0..OF_SUBJECT {
        assert_eq!(get(world.envoy.address(), "/orders/1", &[("x-auth-subject", "carol")]).status, 401);
        assert_eq!(world.status(&poor, &[]), 403);
    }
    assert_eq!(world.status(&carol, &[]), 200);
    assert_eq!(get(world.envoy.address(), "/healthz", &[]).status, 200, "what has no identity has no such quota");
}

#[test]
fn the_rate_limit_service_is_asked_by_subject_client_and_credential() {
    let service = Service::start(2);
    let world = start(&service.port);
    let alice = world.token("alice", "web");
    let statuses: Vec<u16> = (0..3).map(|_| world.status(&alice, &[("x-auth-subject", "bob")])).collect();
    assert_eq!(statuses, [200, 200, 429]);
    assert_eq!(world.status(&world.token("bob", "web"), &[]), 200, "another subject");
    assert_eq!(world.status(&world.token("alice", "mobile"), &[]), 200, "another client");
    assert_eq!(get(world.envoy.address(), "/orders/1", &[]).status, 401);
    let asked: Vec<String> = (0..5).map(|_| service.asked.recv_timeout(Duration::from_secs(10)).unwrap()).collect();
    let of = |subject: &str, client: &str| {
        format!("scopegate subject {subject} client {client} credential bearer subject {subject}")
    };
    let [alice, bob, mobile] = [of("alice", "web"), of("bob", "web"), of("alice", "mobile")];
    assert_eq!(asked, [alice.clone(), alice.clone(), alice, bob, mobile]);
    assert!(service.asked.try_recv().is_err(), "a refused request asks nothing");
}

#[test]
fn without_the_service_the_local_limits_remain() {
    // A port that nothing listens at.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let world = start(&closed.to_string());
    let alice = world.token("alice", "web");
    let statuses: Vec<u16> = (0..=OF_SUBJECT).map(|_| world.status(&alice, &[])).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), OF_SUBJECT);
    assert_eq!(statuses.last(), Some(&429));
}
