//! Identities that change, in a real Envoy: a key is issued, rotated and withdrawn at a server, and Envoy's configuration stays
//! as it is; outages, and documents that are not to be believed.

use crate::keys::in_background;
use crate::support::client::{Response, get, get_with, head, send};
use crate::support::envoy::{Envoy, Gate, cluster, resources};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, now, sign_texts};
use crate::support::server::{Answer, Server};
use crate::support::wait::eventually;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use scopegate::crypto::{Algorithm, PasswordHash, sha256};
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

const KEY: &str = "acme-0123456789abcdef";
const NEXT: &str = "acme-next-0123456789a";
const OTHER: &str = "other-0123456789abcdef";

static SIGNER: LazyLock<Issuer> = LazyLock::new(|| Issuer::new(Algorithm::Es256, "ids"));

/// A server with one document; it answers 500 where there is none.
#[derive(Clone, Default)]
struct Published {
    document: Arc<Mutex<Option<String>>>,
    /// How often it was asked.
    asked: Arc<Mutex<usize>>,
}

impl Published {
    fn put(&self, document: impl Into<Option<String>>) {
        *self.document.lock().unwrap() = document.into();
    }

    fn count(&self) -> usize {
        *self.asked.lock().unwrap()
    }

    fn serve(&self) -> Server {
        let this = self.clone();
        Server::start(0, move |_| {
            *this.asked.lock().unwrap() += 1;
            let Some(document) = this.document.lock().unwrap().clone() else { return Answer::status(500) };
            Answer { status: 200, headers: Vec::new(), body: document.into_bytes() }
        })
        .unwrap()
    }
}

fn identity(id: &str, keys: &[&str]) -> Value {
    let hex = |key: &str| sha256(key.as_bytes()).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let secrets: Vec<Value> = keys.iter().map(|key| json!({ "sha256": hex(key) })).collect();
    json!({ "id": id, "scopes": ["orders:read"], "secrets": secrets })
}

fn written(identities: &[Value]) -> String {
    json!({ "identities": identities }).to_string()
}

/// A document that an issuer has signed, at this time.
fn signed(signer: &Issuer, iat: i64, identities: &[Value]) -> String {
    let header = json!({ "alg": "ES256", "kid": "ids", "typ": "scopegate-identities+jwt" });
    let claims = json!({ "sub": "partners", "iat": iat, "identities": identities });
    sign_texts(&signer.key, &header.to_string(), &claims.to_string())
}

struct World {
    envoy: Envoy,
    issuer: Issuer,
    published: Published,
    _servers: [Server; 2],
}

/// A gate whose partners have keys.
fn start(published: Published, members: Value, workers: u32) -> World {
    start_with(published, json!({ "api_key": { "header": "x-api-key" } }), members, workers)
}

/// A gate whose partners have credentials of this kind.
fn start_with(published: Published, kind: Value, members: Value, workers: u32) -> World {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let mut identities =
        json!({ "uri": "http://ids.example.com/partners", "cluster": "ids", "refresh": "1s", "timeout": "2s" });
    identities.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let mut set = json!({ "name": "partners", "identities": identities });
    set.as_object_mut().unwrap().extend(kind.as_object().unwrap().clone());
    let config = json!({
        "issuers": [{ "issuer": ISSUER, "name": "demo", "audiences": [AUDIENCE], "jwks": { "inline": issuer.jwks() } }],
        "credentials": [set],
        "default": { "credentials": { "any_of": ["bearer", "partners"] }, "scopes": ["orders:read"] },
        "forward": { "headers": { "x-auth-subject": "sub" } },
    });
    let servers = [Server::echo(0).unwrap(), published.serve()];
    let clusters = [cluster("upstream", servers[0].address), cluster("ids", servers[1].address)];
    let envoy = Envoy::try_start(&resources(&[Gate::new(config)], &clusters), workers);
    World { envoy: envoy.unwrap_or_else(|log| panic!("{log}")), issuer, published, _servers: servers }
}

impl World {
    fn reply(&self, key: &str) -> Response {
        send(self.envoy.address(), &head("GET", "/", &[("x-api-key", key)]))
    }

    fn status(&self, key: &str) -> u16 {
        self.reply(key).status
    }

    /// The statuses of so many requests at once, each over a connection of its own, so that every worker gets some.
    fn statuses(&self, key: &str, count: usize) -> Vec<u16> {
        let request = || in_background(self.envoy.address(), head("GET", "/", &[("x-api-key", key)]));
        let waiting: Vec<_> = (0..count).map(|_| request()).collect();
        waiting.into_iter().map(|waiting| waiting.join().unwrap().status).collect()
    }

    /// Waits until every one of many requests with a key gets this status.
    fn all_get(&self, key: &str, status: u16) {
        eventually(&format!("{status} for {key}"), || self.statuses(key, 12) == [status; 12]);
    }

    fn token(&self) -> u16 {
        get_with(self.envoy.address(), "/", &self.issuer.token(now()).sign()).status
    }
}

#[test]
fn a_key_is_issued_rotated_and_withdrawn_and_envoy_keeps_its_configuration() {
    let published = Published::default();
    published.put(written(&[]));
    let world = start(published, json!({}), 3);
    world.all_get(KEY, 401);
    assert!(world.envoy.log().contains("the identity list of partners has 0 entries"), "{}", world.envoy.log());
    world.published.put(written(&[identity("acme", &[KEY])]));
    world.all_get(KEY, 200);
    assert!(world.reply(KEY).echoed().headers("x-auth-subject") == ["acme"], "{:?}", world.reply(KEY));
    assert_eq!(world.status(NEXT), 401);
    world.published.put(written(&[identity("acme", &[KEY, NEXT])]));
    world.all_get(NEXT, 200);
    assert_eq!(world.status(KEY), 200, "both are good while it is replaced");
    world.published.put(written(&[identity("acme", &[NEXT])]));
    world.all_get(KEY, 401);
    assert_eq!((world.status(NEXT), world.token()), (200, 200));
    assert!(world.envoy.counter("scopegate.denied.unknown_identity") > 0);
    assert_eq!(world.envoy.stat("wasmcustom.scopegate.identities.in_use.partners"), Some(1));
    assert_eq!(world.envoy.stat("wasmcustom.scopegate.identities.stale.partners"), Some(0));
}

#[test]
fn a_process_of_four_workers_fetches_once_and_the_first_requests_wait() {
    let published = Published::default();
    published.put(written(&[identity("acme", &[KEY])]));
    let world = start(published, json!({ "refresh": "1h" }), 4);
    assert_eq!(world.statuses(KEY, 40), [200; 40]);
    assert_eq!(world.published.count(), 1);
}

#[test]
fn a_server_that_is_down_takes_nothing_away_before_the_document_is_too_old() {
    let published = Published::default();
    published.put(written(&[identity("acme", &[KEY])]));
    let world = start(published, json!({ "max_stale": "5s" }), 2);
    world.all_get(KEY, 200);
    world.published.put(None);
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(4) {
        assert_eq!(world.status(KEY), 200, "after {:?}", since.elapsed());
        std::thread::sleep(Duration::from_millis(200));
    }
    world.all_get(KEY, 503);
    let reply = world.reply(KEY);
    assert!(reply.header("retry-after").is_some() && reply.header("www-authenticate").is_none(), "{reply:?}");
    assert_eq!(world.token(), 200, "tokens do not need it");
    assert_eq!(get(world.envoy.address(), "/", &[]).status, 401, "nothing is presented");
    assert!(world.envoy.counter("scopegate.denied.identities_unavailable") > 0);
    let log = world.envoy.log();
    for line in [
        "the identity list of partners could not be fetched: ",
        "the identity list of partners is older than it may be",
        "reason=identities_unavailable",
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
    assert_eq!(log.matches("is older than it may be").count(), 1, "said once for all workers: {log}");
    world.published.put(written(&[identity("acme", &[NEXT])]));
    world.all_get(NEXT, 200);
    assert_eq!(world.status(KEY), 401);
}

#[test]
fn before_the_first_document_only_its_keys_are_refused() {
    let world = start(Published::default(), json!({ "timeout": "100ms" }), 2);
    world.all_get(KEY, 503);
    assert_eq!(world.token(), 200);
    world.published.put(written(&[identity("acme", &[KEY])]));
    world.all_get(KEY, 200);
}

#[test]
fn a_document_that_is_not_to_be_believed_changes_nothing() {
    let published = Published::default();
    let start_at = now();
    published.put(signed(&SIGNER, start_at, &[identity("acme", &[KEY])]));
    let world = start(published, json!({ "signed_by": SIGNER.jwks() }), 2);
    world.all_get(KEY, 200);
    let thief = Issuer::new(Algorithm::Es256, "ids");
    let good = signed(&SIGNER, start_at + 1, &[identity("acme", &[NEXT])]);
    for (bad, why) in [
        (signed(&thief, start_at + 1, &[identity("evil", &[OTHER])]), "no key verifies it"),
        (written(&[identity("evil", &[OTHER])]), "it is not signed, and `signed_by` asks for a signature"),
        (signed(&SIGNER, start_at - 1, &[identity("acme", &[OTHER])]), "it was signed before the list that is in use"),
        (signed(&SIGNER, start_at + 1, &[json!({ "id": "acme", "secrets": [OTHER] })]), "is a secret as it is"),
        ("<html>".to_owned(), "it is not signed"),
    ] {
        world.published.put(bad);
        eventually(why, || world.envoy.log().contains(why));
        assert_eq!((world.statuses(OTHER, 8), world.statuses(KEY, 8)), (vec![401; 8], vec![200; 8]), "{why}");
    }
    assert!(!world.envoy.log().contains(OTHER), "a secret that was published by mistake is in no log");
    world.published.put(good);
    world.all_get(NEXT, 200);
    world.all_get(KEY, 401);
}

#[test]
fn a_password_that_was_remembered_ends_with_its_hash() {
    let hash = |password: &str| PasswordHash::bcrypt(password.as_bytes(), 5, [7; 16]);
    let user = |passwords: &[&str]| {
        let secrets: Vec<Value> = passwords.iter().map(|password| json!({ "bcrypt": hash(password) })).collect();
        json!({ "id": "ann", "scopes": ["orders:read"], "secrets": secrets })
    };
    let published = Published::default();
    published.put(written(&[user(&["one"])]));
    let world = start_with(published, json!({ "basic": {} }), json!({}), 1);
    let status = |password: &str| {
        let line = format!("Basic {}", STANDARD.encode(format!("ann:{password}")));
        send(world.envoy.address(), &head("GET", "/", &[("authorization", &line)])).status
    };
    eventually("the first password", || status("one") == 200);
    assert_eq!((status("one"), status("two")), (200, 401), "one is remembered as right, the other as wrong");
    world.published.put(written(&[user(&["one", "two"])]));
    eventually("the second password", || status("two") == 200);
    assert_eq!(status("one"), 200);
    world.published.put(written(&[user(&["two"])]));
    eventually("the first ends", || status("one") == 401);
    assert_eq!(status("two"), 200);
    world.published.put(written(&[]));
    eventually("the user is gone", || status("two") == 401);
}
