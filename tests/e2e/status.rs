//! Token Status Lists in a real Envoy: lists that tokens name, fetched once for the process; outages; a zlib bomb.

use crate::keys::statuses;
use crate::support::client::get_with;
use crate::support::envoy::{Envoy, Gate, cluster, resources};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, now, sign_texts};
use crate::support::server::{Answer, Server};
use crate::support::wait::eventually;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use scopegate::base::base64url;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::io::Write as _;
use std::sync::{Arc, Mutex};

const PREFIX: &str = "http://status.example.com/lists/";

/// A server of status lists, as an issuer runs one.
#[derive(Clone)]
pub struct Lists {
    issuer: Arc<Issuer>,
    /// The statuses, of two bits each; `None` while it answers 500.
    statuses: Arc<Mutex<Option<Vec<u8>>>>,
    /// What it was asked: path and `accept`.
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl Lists {
    pub fn of(issuer: &Arc<Issuer>) -> Self {
        Self { issuer: Arc::clone(issuer), statuses: Arc::default(), asked: Arc::default() }
    }

    pub fn put(&self, statuses: impl Into<Option<Vec<u8>>>) {
        *self.statuses.lock().unwrap() = statuses.into();
    }

    fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    /// The Status List Token at a path.
    fn token(&self, path: &str, statuses: &[u8]) -> String {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(statuses).unwrap();
        let lst = base64url::encode(&encoder.finish().unwrap());
        let header = json!({ "alg": "ES256", "kid": "a", "typ": "statuslist+jwt" });
        let claims = json!({
            "iss": ISSUER, "sub": format!("http://status.example.com{path}"), "iat": now(), "exp": now() + 3600,
            "ttl": 3600, "status_list": { "bits": 2, "lst": lst },
        });
        sign_texts(&self.issuer.key, &header.to_string(), &claims.to_string())
    }

    pub fn serve(&self) -> Server {
        let this = self.clone();
        Server::start(0, move |received| {
            let header = |name: &str| {
                let found = received.headers.iter().find(|(other, _)| other == name);
                found.map(|(_, value)| value.clone()).unwrap_or_default()
            };
            let path = received.target.clone();
            this.asked.lock().unwrap().push((path.clone(), header("accept")));
            let Some(statuses) = this.statuses.lock().unwrap().clone() else { return Answer::status(500) };
            let headers = vec![("content-type".to_owned(), "application/statuslist+jwt".to_owned())];
            Answer { status: 200, headers, body: this.token(&path, &statuses).into_bytes() }
        })
        .unwrap()
    }
}

struct World {
    envoy: Envoy,
    lists: Lists,
    _servers: [Server; 2],
}

fn start(status_list: Value, workers: u32) -> World {
    let issuer = Arc::new(Issuer::new(Algorithm::Es256, "a"));
    let lists = Lists::of(&issuer);
    let mut status = json!({ "clusters": [{ "uri_prefix": PREFIX, "cluster": "status" }], "timeout": "5s" });
    status.as_object_mut().unwrap().extend(status_list.as_object().unwrap().clone());
    let config = json!({ "issuers": [{
        "issuer": ISSUER, "name": "demo", "audiences": [AUDIENCE], "jwks": { "inline": lists.issuer.jwks() },
        "status_list": status,
    }] });
    let servers = [Server::echo(0).unwrap(), lists.serve()];
    let clusters = [cluster("upstream", servers[0].address), cluster("status", servers[1].address)];
    let envoy = Envoy::try_start(&resources(&[Gate::new(config)], &clusters), workers);
    World { envoy: envoy.unwrap_or_else(|log| panic!("{log}")), lists, _servers: servers }
}

impl World {
    /// A token whose status is at this place.
    fn token(&self, index: u64, uri: &str) -> String {
        let status = json!({ "status_list": { "idx": index, "uri": uri } });
        self.lists.issuer.token(now()).claim("status", status).sign()
    }

    fn status(&self, token: &str) -> u16 {
        get_with(self.envoy.address(), "/", token).status
    }

    fn statuses(&self, token: &str, count: usize) -> Vec<u16> {
        statuses(self.envoy.address(), token, count)
    }
}

#[test]
fn the_first_requests_wait_for_the_list_which_four_workers_fetch_once() {
    let world = start(json!({ "refresh": "1h", "timeout": "30s" }), 4);
    // 0 is VALID, 1 INVALID, 2 SUSPENDED, 3 is none that is known: two bits each, from the lowest.
    world.lists.put(vec![0b1110_0100]);
    let uri = format!("{PREFIX}7");
    let (valid, invalid) = (world.token(0, &uri), world.token(1, &uri));
    // A token that is refused anyway causes no fetch.
    let expired = world.lists.issuer.token(now()).claim("exp", 1);
    let expired = expired.claim("status", json!({ "status_list": { "idx": 0, "uri": uri } })).sign();
    assert_eq!((world.status(&expired), world.lists.count()), (401, 0));
    assert_eq!(world.statuses(&valid, 40), [200; 40]);
    assert_eq!(world.statuses(&invalid, 40), [401; 40]);
    for (index, wanted) in [(0, 200), (1, 401), (2, 401), (3, 401), (4, 401), (1 << 40, 401)] {
        assert_eq!(world.status(&world.token(index, &uri)), wanted, "{index}");
    }
    let asked = world.lists.asked.lock().unwrap().clone();
    assert_eq!(asked, [("/lists/7".to_owned(), "application/statuslist+jwt".to_owned())]);
    assert_eq!(world.envoy.counter_of_at_least("scopegate.status_list.fetches.updated", 1), 1);
    let log = world.envoy.wait_for_log("by its status, INVALID");
    assert!(log.contains("the status list http://status.example.com/lists/7 has 4 entries in 1 bytes"), "{log}");
    // Each worker that holds the list counts its four statuses.
    eventually("the gauges agree", || {
        let held = world.envoy.counter("scopegate.status_list.held");
        held >= 1 && world.envoy.counter("scopegate.status_list.entries.demo") == 4 * held
    });
    // Natively a worker that has no request shows none.
    eventually("the age", || {
        world.status(&invalid);
        world.envoy.counter("scopegate.status_list.age_seconds.demo") >= 1
    });
    let refused = get_with(world.envoy.address(), "/", &invalid);
    let forged = get_with(world.envoy.address(), "/", &Issuer::new(Algorithm::Es256, "a").token(now()).sign());
    assert_eq!(refused.header("www-authenticate"), forged.header("www-authenticate"), "as a bad signature");
    // What no prefix fits is never asked.
    for uri in ["http://evil.example.com/lists/7", "http://status.example.com/lists/../7"] {
        assert_eq!(world.status(&world.token(0, uri)), 503, "{uri}");
    }
    assert_eq!(world.lists.count(), 1);
}

#[test]
fn a_remembered_token_is_refused_by_four_workers_after_its_status_has_changed() {
    let world = start(json!({ "refresh": "1s" }), 4);
    world.lists.put(vec![0]);
    let uri = format!("{PREFIX}1?key=hidden-text");
    let (token, other) = (world.token(2, &uri), world.token(3, &uri));
    assert_eq!(world.statuses(&token, 40), [200; 40]);
    world.lists.put(vec![0b0001_0000]);
    eventually("all workers", || world.statuses(&token, 16) == [401; 16]);
    assert_eq!(world.statuses(&other, 16), [200; 16]);
    // What was suspended may come back.
    world.lists.put(vec![0b0010_0000]);
    assert_eq!(world.status(&token), 401);
    world.lists.put(vec![0]);
    eventually("all workers", || world.statuses(&token, 16) == [200; 16]);
    let log = world.envoy.wait_for_log("the status list http://status.example.com/lists/1 has");
    assert!(!log.contains("hidden-text"), "a query may hold a secret: {log}");
}

#[test]
fn a_bomb_is_an_outage_and_delays_no_request() {
    let mut world = start(json!({ "refresh": "1s", "timeout": "1s", "max_bytes": 65536 }), 2);
    let token = world.token(0, &format!("{PREFIX}1"));
    let plain = world.lists.issuer.token(now()).sign();
    // It answers with 500 first, then with 24 MB of zeros in 44 KB.
    assert_eq!(world.status(&token), 503);
    world.lists.put(vec![0; 24 << 20]);
    // Natively a worker that has no request takes no answer.
    eventually("the bomb", || {
        world.statuses(&plain, 4);
        world.envoy.counter("scopegate.status_list.fetches.too_large") >= 1
    });
    assert_eq!(world.statuses(&token, 8), [503; 8]);
    assert_eq!(world.statuses(&plain, 8), [200; 8]);
    let log = world.envoy.wait_for_log("it is longer than 65536 bytes");
    assert!(log.contains("reason=revocation_unavailable"), "{log}");
    world.lists.put(vec![0; 60_000]);
    eventually("the list", || world.statuses(&token, 8) == [200; 8]);
    // And a list that is there outlives its server.
    let failed = || world.envoy.counter("scopegate.status_list.fetches.status");
    let before = failed();
    world.lists.put(None);
    eventually("an outage", || {
        world.statuses(&plain, 4);
        failed() > before
    });
    assert_eq!(world.statuses(&token, 8), [200; 8]);
    assert!(world.envoy.is_alive());
}
