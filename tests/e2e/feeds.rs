//! Keys are fetched once for the process, found where the issuer says, and fetched again when a token needs it.

use crate::keys::{in_background, remote};
use crate::support::client::{Response, get, get_with, head};
use crate::support::envoy::{Envoy, Gate, cluster, resources};
use crate::support::issuer::{AUDIENCE, Issuer, now};
use crate::support::server::{Answer, Received, Server};
use crate::support::wait::eventually;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// An issuer's server: documents by path, and what was asked for.
#[derive(Clone, Default)]
struct Documents {
    by_path: Arc<Mutex<BTreeMap<String, Answer>>>,
    asked: Arc<Mutex<Vec<Received>>>,
}

impl Documents {
    fn with(self, path: &str, answer: Answer) -> Self {
        self.by_path.lock().unwrap().insert(path.to_owned(), answer);
        self
    }

    fn put(&self, path: &str, answer: Answer) {
        self.by_path.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// Serves them, with 304 where the `ETag` fits.
    fn serve(&self) -> Server {
        let this = self.clone();
        Server::start(0, move |received| {
            this.asked.lock().unwrap().push(received.clone());
            let path = received.target.split('?').next().unwrap().to_owned();
            let answer = this.by_path.lock().unwrap().get(&path).cloned().unwrap_or_else(|| Answer::status(404));
            let header = |lines: &[(String, String)], name: &str| {
                lines.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone())
            };
            let etag = header(&answer.headers, "etag");
            if etag.is_some() && etag == header(&received.headers, "if-none-match") {
                return Answer { status: 304, body: Vec::new(), ..answer };
            }
            answer
        })
        .unwrap()
    }

    fn paths(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|received| received.target.clone()).collect()
    }

    fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

struct World {
    envoy: Envoy,
    documents: Documents,
    _servers: [Server; 2],
}

fn start(documents: Documents, configuration: Value, workers: u32) -> World {
    let (upstream, issuer) = (Server::echo(0).unwrap(), documents.serve());
    let clusters = [cluster("upstream", upstream.address), cluster("issuer", issuer.address)];
    let gate = Gate::new(configuration);
    let envoy = Envoy::try_start(&resources(&[gate], &clusters), workers).unwrap_or_else(|log| panic!("{log}"));
    World { envoy, documents, _servers: [upstream, issuer] }
}

fn keys_of(issuers: &[&Issuer]) -> Answer {
    let keys: Vec<Value> = issuers.iter().map(|issuer| issuer.key.to_public_jwk().into()).collect();
    Answer::json(&json!({ "keys": keys }))
}

fn with_header(mut answer: Answer, name: &str, value: &str) -> Answer {
    answer.headers.push((name.to_owned(), value.to_owned()));
    answer
}

impl World {
    fn status(&self, issuer: &Issuer) -> u16 {
        get_with(self.envoy.address(), "/", &issuer.token(now()).sign()).status
    }

    /// The statuses of `count` requests at once, each over a new connection, so that every worker gets some.
    fn statuses(&self, issuer: &Issuer, count: usize) -> Vec<u16> {
        let bearer = format!("Bearer {}", issuer.token(now()).sign());
        let request = || in_background(self.envoy.address(), head("GET", "/", &[("authorization", &bearer)]));
        let waiting: Vec<std::thread::JoinHandle<Response>> = (0..count).map(|_| request()).collect();
        waiting.into_iter().map(|waiting| waiting.join().unwrap().status).collect()
    }
}

const PATH: &str = "/jwks.json";

#[test]
fn four_workers_ask_the_issuer_once_and_all_have_the_keys_within_a_second() {
    let (old, new) = (Issuer::new(Algorithm::Es256, "old"), Issuer::new(Algorithm::Es256, "new"));
    let world =
        start(Documents::default().with(PATH, keys_of(&[&old])), remote(json!({ "refresh": "4s" }), json!({})), 4);
    assert_eq!(world.statuses(&old, 40), [200; 40]);
    assert_eq!(world.documents.count(), 1, "one fetch for four workers and the main thread");
    world.documents.put(PATH, keys_of(&[&old, &new]));
    eventually("the refresh", || world.documents.count() == 2);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(world.statuses(&new, 40), [200; 40], "every worker has it, without a fetch of its own");
    // 4 s, or up to a tenth less, for each refresh.
    std::thread::sleep(Duration::from_millis(7700));
    let count = world.documents.count();
    assert!((3..=5).contains(&count), "{count}");
    // Envoy 1.38 lets the main thread of a native module change no metric: a worker does, with its next request.
    world.statuses(&new, 8);
    let outcomes = ["updated", "unchanged", "not_modified"];
    let counted: u64 =
        outcomes.iter().map(|outcome| world.envoy.counter(&format!("scopegate.keys.fetches.{outcome}"))).sum();
    assert_eq!(counted, u64::try_from(count).unwrap());
    assert_eq!(world.envoy.counter_of_at_least("scopegate.keys.fetches.updated", 2), 2);
    assert_eq!(world.envoy.counter_of_at_least("scopegate.keys.in_use.https___issuer_example_com_", 2), 2);
    assert!(world.envoy.counter("scopegate.keys.age_seconds.https___issuer_example_com_") <= 5);
}

#[test]
fn without_sharing_each_worker_fetches_for_itself() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let documents = Documents::default().with(PATH, keys_of(&[&issuer]));
    let world = start(documents, remote(json!({}), json!({ "shared_keys": "never" })), 4);
    assert_eq!(world.statuses(&issuer, 40), [200; 40]);
    eventually("four workers and the main thread", || world.documents.count() == 5);
    // Without a vm_id, as in Istio, `auto` is the same.
    let documents = Documents::default().with(PATH, keys_of(&[&issuer]));
    let (upstream, server) = (Server::echo(0).unwrap(), documents.serve());
    let mut gate = Gate::new(remote(json!({}), json!({})));
    gate.plugin = json!({ "vm_config": { "vm_id": "" } });
    let clusters = [cluster("upstream", upstream.address), cluster("issuer", server.address)];
    let envoy = Envoy::try_start(&resources(&[gate], &clusters), 4).unwrap_or_else(|log| panic!("{log}"));
    // Natively a worker's gate begins with its first request.
    eventually("four workers and the main thread", || {
        get(envoy.address(), "/", &[]);
        documents.count() == 5
    });
}

#[test]
fn a_token_of_a_key_that_was_published_a_moment_ago_is_good_at_once_on_every_worker() {
    let (old, new) = (Issuer::new(Algorithm::Es256, "old"), Issuer::new(Algorithm::Es256, "new"));
    let world = start(Documents::default().with(PATH, keys_of(&[&old])), remote(json!({}), json!({})), 4);
    assert_eq!(world.status(&old), 200);
    world.documents.put(PATH, keys_of(&[&old, &new]));
    assert_eq!(world.statuses(&new, 40), [200; 40]);
    assert_eq!(world.documents.count(), 2, "the first, and one for all that waited");
}

#[test]
fn random_key_ids_cause_three_fetches_and_delay_no_other_request() {
    let (issuer, new) = (Issuer::new(Algorithm::Es256, "a"), Issuer::new(Algorithm::Es256, "new"));
    let configuration = remote(json!({ "unknown_kid_interval": "5s" }), json!({}));
    let world = start(Documents::default().with(PATH, keys_of(&[&issuer])), configuration, 2);
    assert_eq!(world.status(&issuer), 200);
    let begin = Instant::now();
    let mut made_up = Vec::new();
    for number in 0..60 {
        let token = issuer.token(now()).header("kid", format!("random-{number}")).sign();
        made_up.push(get_with(world.envoy.address(), "/", &token).status);
        assert_eq!(world.status(&issuer), 200, "a client with a known key is not delayed");
    }
    assert!(made_up.iter().all(|status| *status == 401), "{made_up:?}");
    let allowed = 1 + 3 + usize::try_from(begin.elapsed().as_secs() / 5).unwrap();
    let count = world.documents.count();
    assert!((4..=allowed).contains(&count), "the first fetch, and three for 60 made-up key ids: {count}");
    // The freshly rotated key is found all the same, when the budget has some again.
    world.documents.put(PATH, keys_of(&[&issuer, &new]));
    eventually("the new key", || world.status(&new) == 200);
    assert!(begin.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_key_that_is_withdrawn_stops_working_within_one_refresh_cached_or_not() {
    let (old, new) = (Issuer::new(Algorithm::Es256, "old"), Issuer::new(Algorithm::Es256, "new"));
    let documents = Documents::default().with(PATH, keys_of(&[&old, &new]));
    let world = start(documents, remote(json!({ "refresh": "1s" }), json!({})), 4);
    let token = old.token(now()).sign();
    let statuses =
        |token: &str| -> Vec<u16> { (0..40).map(|_| get_with(world.envoy.address(), "/", token).status).collect() };
    assert_eq!(statuses(&token), [200; 40], "verified and remembered on every worker");
    world.documents.put(PATH, keys_of(&[&new]));
    std::thread::sleep(Duration::from_millis(1000 + 600));
    assert_eq!(statuses(&token), [401; 40], "the same token");
    assert_eq!(statuses(&old.token(now()).claim("sub", "bob").sign()), [401; 40], "another token");
    assert_eq!(statuses(&new.token(now()).sign()), [200; 40]);
}

#[test]
fn max_age_brings_the_next_fetch_forward_and_an_etag_saves_the_document() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let answer = with_header(keys_of(&[&issuer]), "etag", "\"v1\"");
    let answer = with_header(answer, "cache-control", "public, max-age=1");
    let world = start(Documents::default().with(PATH, answer), remote(json!({}), json!({})), 2);
    assert_eq!(world.status(&issuer), 200);
    let begin = Instant::now();
    while world.documents.count() < 2 {
        assert!(begin.elapsed() < Duration::from_secs(15), "at least every ten seconds, though refresh is 10 m");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(begin.elapsed() > Duration::from_secs(8), "and not more often");
    eventually("304 was taken", || world.envoy.counter("scopegate.keys.fetches.not_modified") == 1);
    let asked = world.documents.asked.lock().unwrap();
    let condition = |index: usize| asked[index].headers.iter().find(|(name, _)| name == "if-none-match").cloned();
    assert_eq!(condition(0), None);
    assert_eq!(condition(1).map(|(_, value)| value).as_deref(), Some("\"v1\""));
    drop(asked);
    assert_eq!(world.status(&issuer), 200);
}

fn discovered(issuer: &str, jwks_cluster: Option<&str>) -> Value {
    let mut discovery = json!({ "cluster": "issuer" });
    if let Some(cluster) = jwks_cluster {
        discovery["jwks_cluster"] = json!(cluster);
    }
    json!({ "issuers": [
        { "issuer": issuer, "name": "idp", "audiences": [AUDIENCE], "jwks": { "discovery": discovery, "timeout": "1s" } },
    ] })
}

fn metadata(issuer: &str, jwks_uri: &str) -> Answer {
    Answer::json(&json!({ "issuer": issuer, "jwks_uri": jwks_uri }))
}

#[test]
fn keys_are_found_where_the_metadata_says_on_the_cluster_that_the_configuration_names() {
    const OIDC: &str = "/realms/a/.well-known/openid-configuration";
    const OAUTH: &str = "/.well-known/oauth-authorization-server/realms/a";
    let name = "https://idp.example.com/realms/a";
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let token = || issuer.token(now()).claim("iss", name).sign();
    for (place, asked) in [(OIDC, vec![OIDC]), (OAUTH, vec![OIDC, OAUTH])] {
        let documents = Documents::default().with(place, metadata(name, "https://keys.example.com/k?v=1"));
        let keys = Documents::default().with("/k", keys_of(&[&issuer]));
        let (upstream, server, key_server) = (Server::echo(0).unwrap(), documents.serve(), keys.serve());
        let clusters = [
            cluster("upstream", upstream.address),
            cluster("issuer", server.address),
            cluster("keys", key_server.address),
        ];
        let envoy = Envoy::start(&resources(&[Gate::new(discovered(name, Some("keys")))], &clusters));
        assert_eq!(get_with(envoy.address(), "/", &token()).status, 200, "{place}");
        assert_eq!(documents.paths(), asked);
        assert_eq!(keys.paths(), ["/k?v=1"]);
        let hosts: Vec<_> = [&documents, &keys]
            .map(|served| served.asked.lock().unwrap()[0].headers.iter().find(|(name, _)| name == "host").cloned())
            .into_iter()
            .flatten()
            .map(|(_, host)| host)
            .collect();
        assert_eq!(hosts, ["idp.example.com", "keys.example.com"]);
    }
}

#[test]
fn metadata_that_is_not_the_issuers_gives_no_keys_and_says_why() {
    const OIDC: &str = "/.well-known/openid-configuration";
    let name = "https://idp.example.com";
    let issuer = Issuer::new(Algorithm::Es256, "a");
    for (answer, words) in [
        (
            metadata("https://idp.example.com/", "https://idp.example.com/k"),
            "is of the issuer https://idp.example.com/, not",
        ),
        (metadata(name, "http://idp.example.com/k"), "is not an https address"),
        (Answer { status: 200, headers: vec![], body: b"<html>".to_vec() }, "the metadata is not a JSON object"),
        (Answer::status(404), "its metadata: answered 404, not 200"),
    ] {
        let documents = Documents::default().with(OIDC, answer).with("/k", keys_of(&[&issuer]));
        let world = start(documents, discovered(name, None), 1);
        let token = issuer.token(now()).claim("iss", name).sign();
        assert_eq!(get_with(world.envoy.address(), "/", &token).status, 503, "{words}");
        world.envoy.wait_for_log(words);
        assert!(!world.documents.paths().contains(&"/k".to_owned()), "{words}");
    }
}

#[test]
fn a_key_that_cannot_be_used_costs_that_key_and_is_named() {
    let (good, bad) = (Issuer::new(Algorithm::Es256, "good"), Issuer::new(Algorithm::Es256, "bad\nkey"));
    let mut answer: Value = serde_json::from_slice(&keys_of(&[&bad, &good]).body).unwrap();
    answer["keys"][0]["use"] = json!("enc");
    let world =
        start(Documents::default().with(PATH, Answer::json(&answer)), remote(json!({ "refresh": "1s" }), json!({})), 2);
    assert_eq!((world.status(&good), world.status(&bad)), (200, 401));
    eventually("refreshes", || world.documents.count() > 3);
    let log = world.envoy.wait_for_log("(bad%0Akey, number 0) is left out: its use is not sig");
    assert_eq!(log.matches("is left out").count(), 1, "said once: {log}");
}
