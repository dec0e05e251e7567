//! Events that are asked for, in a real Envoy: a transmitter (RFC 8936), four workers of which one asks, forged events, outages.

use crate::keys::statuses;
use crate::support::client::get_with;
use crate::support::envoy::{Envoy, Gate, cluster, resources};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, now};
use crate::support::server::{Answer, Received, Server};
use crate::support::wait::eventually;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A transmitter: what it has, and what it was told.
#[derive(Clone, Default)]
pub struct Transmitter(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    sets: BTreeMap<String, String>,
    acknowledged: Vec<String>,
    errors: BTreeMap<String, Value>,
    polls: Vec<Instant>,
    under_way: usize,
    most_under_way: usize,
    wrong: Vec<String>,
}

impl Transmitter {
    pub fn put(&self, id: &str, set: String) {
        self.0.lock().unwrap().sets.insert(id.to_owned(), set);
    }

    fn has_ack_of(&self, id: &str) -> bool {
        self.0.lock().unwrap().acknowledged.iter().any(|known| known == id)
    }

    fn error_of(&self, id: &str) -> Option<Value> {
        self.0.lock().unwrap().errors.get(id).cloned()
    }

    /// It closes each connection, so that one that has stopped answers nothing more.
    pub fn serve(&self, port: u16) -> Server {
        let this = self.clone();
        Server::start(port, move |received| {
            {
                let mut state = this.0.lock().unwrap();
                state.polls.push(Instant::now());
                state.under_way += 1;
                state.most_under_way = state.most_under_way.max(state.under_way);
            }
            // Longer than workers are apart.
            std::thread::sleep(Duration::from_millis(20));
            let mut state = this.0.lock().unwrap();
            state.under_way -= 1;
            let mut answer = state.answer(received);
            answer.headers.push(("connection".to_owned(), "close".to_owned()));
            answer
        })
        .unwrap()
    }
}

impl State {
    fn answer(&mut self, received: &Received) -> Answer {
        let header = |name: &str| received.headers.iter().find(|(other, _)| other == name).map(|(_, it)| it.as_str());
        let is_right = received.method == "POST"
            && received.target == "/poll"
            && header("authorization") == Some("Bearer of the stream")
            && header("content-type") == Some("application/json");
        let body: Value = serde_json::from_slice(&received.body).unwrap_or_default();
        if !is_right || body["returnImmediately"] != true {
            self.wrong.push(format!("{received:?}"));
            return Answer::status(401);
        }
        for id in body["ack"].as_array().into_iter().flatten() {
            let id = id.as_str().unwrap();
            self.acknowledged.push(id.to_owned());
            self.sets.remove(id);
        }
        for (id, error) in body["setErrs"].as_object().into_iter().flatten() {
            self.errors.insert(id.clone(), error.clone());
            self.sets.remove(id);
        }
        let most = usize::try_from(body["maxEvents"].as_u64().unwrap()).unwrap();
        let sets: BTreeMap<_, _> = self.sets.iter().take(most).collect();
        Answer::json(&json!({ "sets": sets, "moreAvailable": self.sets.len() > most }))
    }
}

struct World {
    envoy: Envoy,
    issuer: Issuer,
    transmitter: Transmitter,
    server: Option<Server>,
    _upstream: Server,
}

impl World {
    fn start(workers: u32) -> Self {
        let issuer = Issuer::new(Algorithm::Es256, "a");
        let (upstream, transmitter) = (Server::echo(0).unwrap(), Transmitter::default());
        let server = transmitter.serve(0);
        let poll = json!({
            "uri": "http://idp.example.com/poll", "cluster": "events", "interval": "1s", "timeout": "1s",
            "authorization": { "env": "EVENTS" },
        });
        let configuration = json!({
            "issuers":
                [{ "issuer": ISSUER, "name": "demo", "audiences": [AUDIENCE], "jwks": { "inline": issuer.jwks() } }],
            "events": { "issuers": { "demo": { "audience": "gate", "keep": "1h", "poll": poll } } },
        });
        let variables = json!({ "environment_variables": { "key_values": { "EVENTS": "Bearer of the stream" } } });
        let gate = Gate { plugin: json!({ "vm_config": variables }), ..Gate::new(configuration) };
        let clusters = [cluster("upstream", upstream.address), cluster("events", server.address)];
        let envoy = Envoy::try_start(&resources(&[gate], &clusters), workers).unwrap_or_else(|log| panic!("{log}"));
        Self { envoy, issuer, transmitter, server: Some(server), _upstream: upstream }
    }

    fn token(&self, id: &str) -> String {
        self.issuer.token(now()).claim("jti", id).sign()
    }

    /// An event of this `jti` about the token of that `jti`.
    fn event(issuer: &Issuer, id: &str, about: &str) -> String {
        let event = "https://schemas.openid.net/secevent/oauth/event-type/tokens-revoked";
        let token = issuer.token(now()).header("typ", "secevent+jwt").claim("aud", "gate").claim("jti", id);
        let subject = json!({ "format": "jwt_id", "iss": ISSUER, "jti": about });
        token.claim("exp", Value::Null).claim("sub_id", subject).claim("events", json!({ event: {} })).sign()
    }

    fn publish(&self, id: &str, about: &str) {
        self.transmitter.put(id, Self::event(&self.issuer, id, about));
    }

    fn status(&self, token: &str) -> u16 {
        get_with(self.envoy.address(), "/", token).status
    }

    fn statuses(&self, token: &str, count: usize) -> Vec<u16> {
        statuses(self.envoy.address(), token, count)
    }
}

#[test]
fn a_polled_event_refuses_its_token_on_four_workers_of_which_one_asks() {
    let world = World::start(4);
    let other = world.token("other");
    let (mut delays, began_at) = (Vec::new(), Instant::now());
    for round in 0..5 {
        let id = format!("stolen-{round}");
        let token = world.token(&id);
        assert_eq!(world.statuses(&token, 16), [200; 16]);
        world.publish(&format!("event-{round}"), &id);
        let began = Instant::now();
        eventually("the first refusal", || world.status(&token) == 401);
        let first = began.elapsed();
        eventually("all workers", || world.statuses(&token, 16) == [401; 16]);
        delays.push((began.elapsed(), first));
    }
    println!("from an event to the refusal by every worker, and to the first: {delays:?}");
    delays.sort();
    assert!(delays[delays.len() / 2].0 < Duration::from_secs(2), "the interval is 1 s: {delays:?}");
    assert_eq!(world.statuses(&other, 16), [200; 16]);
    eventually("all are acknowledged", || (0..5).all(|round| world.transmitter.has_ack_of(&format!("event-{round}"))));
    let took = began_at.elapsed();
    let state = world.transmitter.0.lock().unwrap();
    assert_eq!(state.most_under_way, 1, "two workers asked at the same time");
    assert!(state.wrong.is_empty(), "{:?}", state.wrong);
    let most = usize::try_from(took.as_millis() / 900).unwrap() + 6;
    assert!(state.polls.len() <= most, "{} polls in {took:?}", state.polls.len());
    println!("{} polls in {took:?}", state.polls.len());
    drop(state);
    assert_eq!(world.envoy.counter_of_at_least("scopegate.events.polled.taken", 5), 5);
    assert!(world.envoy.counter("scopegate.events.polls.without_events") > 0);
    assert!(world.envoy.stat("wasmcustom.scopegate.events.age_seconds.demo").is_some_and(|age| age <= 2));
}

#[test]
fn a_forged_event_is_reported_to_the_transmitter_and_revokes_nothing() {
    let world = World::start(2);
    let token = world.token("mine");
    let forged = World::event(&Issuer::new(Algorithm::Es256, "a"), "forged", "mine");
    world.transmitter.put("forged", forged);
    world.publish("good", "another");
    eventually("the error", || world.transmitter.error_of("forged").is_some());
    assert_eq!(world.transmitter.error_of("forged").unwrap()["err"], "invalid_key");
    eventually("the good one is acknowledged", || world.transmitter.has_ack_of("good"));
    assert!(!world.transmitter.has_ack_of("forged"));
    assert_eq!(world.statuses(&token, 8), [200; 8]);
    assert_eq!(world.envoy.counter_of_at_least("scopegate.events.polled.refused", 1), 1);
    world.envoy.wait_for_log("events: 1 of demo were refused; the first: invalid_key: no key verifies its signature");
}

#[test]
fn a_transmitter_that_was_away_is_asked_again_and_what_it_kept_counts() {
    let mut world = World::start(2);
    let (before, kept) = (world.token("before"), world.token("kept"));
    world.publish("e1", "before");
    eventually("the first event", || world.statuses(&before, 8) == [401; 8]);
    let server = world.server.take().unwrap();
    let port = server.address.port();
    drop(server);
    world.publish("e2", "kept");
    world.envoy.wait_for_log("events: demo could not be asked");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(world.statuses(&kept, 8), [200; 8]);
    assert_eq!(world.statuses(&before, 8), [401; 8], "what was revoked is");
    world.server = Some(world.transmitter.serve(port));
    let began = Instant::now();
    eventually("the event that was kept", || world.statuses(&kept, 8) == [401; 8]);
    println!("{:?} after the transmitter came back", began.elapsed());
    let log = world.envoy.wait_for_log("events: demo answers again");
    assert_eq!(log.matches("could not be asked").count(), 1, "told once");
    assert_eq!(log.matches("answers again").count(), 1);
    assert_eq!(world.transmitter.0.lock().unwrap().most_under_way, 1);
    eventually("it is acknowledged", || world.transmitter.has_ack_of("e2"));
}
