//! Passwords that are remembered as good, and stop to be: their user is on a revocation list, or has a new hash.

use crate::dynamic::World;
use crate::gate::configuration;
use crate::passwords::htpasswd;
use crate::support::client::{Response, get};
use crate::support::envoy::{Envoy, Gate, cluster, resources};
use crate::support::issuer::Issuer;
use crate::support::outage::{Conduct, Unreliable};
use crate::support::server::Server;
use crate::support::wait::eventually;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// Two workers: each remembers by itself.
const WORKERS: u32 = 2;
/// Requests over connections of their own, so that both workers get some.
const REQUESTS: u32 = 16;

fn users(issuer: &Issuer, lines: &[String], members: Value) -> Value {
    let mut all = json!({
        "credentials": [{ "name": "staff", "basic": {}, "htpasswd": lines.join("\n") }],
        "default": { "credentials": "staff" },
    });
    all.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    configuration(issuer, all)
}

fn ask(address: SocketAddr, user: &str) -> Response {
    let basic = format!("Basic {}", STANDARD.encode(user));
    get(address, "/orders", &[("authorization", &basic), ("connection", "close")])
}

/// Whether the answer to each of some requests is this.
fn all_answer(address: SocketAddr, user: &str, status: u16) -> bool {
    (0..REQUESTS).all(|_| ask(address, user).status == status)
}

#[test]
fn a_remembered_password_is_refused_once_its_user_is_on_a_list() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let list = |entries: &[Value]| {
        let head = json!({ "entries_at_least": entries.len() });
        let lines = [&[head], entries].concat().iter().map(|line| format!("{line}\n")).collect::<Vec<_>>().concat();
        Conduct::answer("200 OK", "", lines.as_bytes())
    };
    let lists = Unreliable::start(list(&[]));
    let revocation = json!({ "lists": [{
        "name": "main", "uri": "http://lists.example.com/revoked", "cluster": "lists", "refresh": "1s", "timeout": "1s",
    }] });
    let lines = [htpasswd("ann", "a", 5), htpasswd("bob", "b", 5)];
    let upstream = Server::echo(0).unwrap();
    let clusters = [cluster("upstream", upstream.address), cluster("lists", lists.address)];
    let gate = Gate::new(users(&issuer, &lines, json!({ "revocation": revocation })));
    let envoy = Envoy::try_start(&resources(&[gate], &clusters), WORKERS).unwrap_or_else(|log| panic!("{log}"));
    let address = envoy.address();
    eventually("both users pass", || ask(address, "ann:a").status == 200 && ask(address, "bob:b").status == 200);
    assert!(all_answer(address, "ann:a", 200), "it is remembered");
    lists.now(list(&[json!({ "credential": "staff", "id": "ann" }), json!({ "credential": "other", "id": "bob" })]));
    eventually("the user who is on the list is refused", || all_answer(address, "ann:a", 401));
    let log = envoy.wait_for_log("reason=revoked subject=\"ann\"");
    assert!(log.contains("credential=basic credential_set=staff"), "{log}");
    assert!(all_answer(address, "bob:b", 200), "another set is on the list, not this one");
    lists.now(list(&[]));
    eventually("off the list, the password is good again", || all_answer(address, "ann:a", 200));
}

#[test]
fn a_new_hash_ends_the_old_password_and_a_wrong_one_that_is_right_now_passes_at_once() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let [old, new, bob] = [("ann", "old"), ("ann", "new"), ("bob", "b")].map(|(user, text)| htpasswd(user, text, 5));
    let plugin = |ann: &String| Gate::new(users(&issuer, &[ann.clone(), bob.clone()], json!({}))).plugin();
    let routes = json!([{ "match": { "prefix": "/" }, "route": { "cluster": "upstream" } }]);
    let world = World::start_plugin(&plugin(&old), &routes, &[]);
    let address = world.address();
    assert!(all_answer(address, "ann:old", 200) && all_answer(address, "bob:b", 200), "they are remembered as good");
    assert!(all_answer(address, "ann:new", 401), "it is remembered as wrong");
    for (ann, [good, bad]) in [(&new, ["ann:new", "ann:old"]), (&old, ["ann:old", "ann:new"])] {
        world.change_plugin(&plugin(ann));
        // Each worker takes the configuration by itself. From its first answer under the new one there is no other.
        eventually("the old password is refused", || all_answer(address, bad, 401));
        assert!(all_answer(address, good, 200) && all_answer(address, "bob:b", 200));
        assert!(all_answer(address, bad, 401));
    }
}
