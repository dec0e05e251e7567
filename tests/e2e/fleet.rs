//! Tokens and proofs that pass once in a whole fleet: two real Envoys, Webdis and Redis.

use crate::gate::configuration;
use crate::support::client::{Response, at_once, get, get_with, head, try_send};
use crate::support::envoy::{Envoy, Gate, cluster, resources, root};
use crate::support::issuer::{Issuer, now};
use crate::support::native;
use crate::support::outage::{Conduct, Unreliable};
use crate::support::prover::Prover;
use crate::support::redis::{Redis, Switch, Webdis};
use crate::support::server::{Answer, Server};
use crate::support::wait::eventually;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// 32 bytes in base64url.
const SECRET: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const AUTHORIZATION: &str = "Bearer of-the-store";

/// A gate whose default requirement is single use, with a service of this form and more fields.
fn gate(issuer: &Issuer, service: Value, more: Value) -> Gate {
    let secret = json!({ "env": "REPLAY_SECRET" });
    // A machine that is busy with tests is slow.
    let mut whole = json!({ "cluster": "store", "form": "webdis", "secret": secret, "timeout": "1s" });
    whole.as_object_mut().unwrap().extend(service.as_object().unwrap().clone());
    let mut members = json!({ "default": { "single_use": true }, "replay": { "service": whole } });
    members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let variables = json!({ "REPLAY_SECRET": SECRET, "STORE_AUTHORIZATION": AUTHORIZATION });
    Gate {
        plugin: json!({ "vm_config": { "environment_variables": { "key_values": variables } } }),
        ..Gate::new(configuration(issuer, members))
    }
}

fn envoy(gate: Gate, upstream: &Server, store: SocketAddr) -> Envoy {
    let clusters = [cluster("upstream", upstream.address), cluster("store", store)];
    Envoy::try_start(&resources(&[gate], &clusters), 2).unwrap_or_else(|log| panic!("{log}"))
}

/// The two Envoys of envoy/fleet/, each with its Webdis, and what they need.
struct Fleet {
    issuer: Issuer,
    envoys: [Envoy; 2],
    webdis: [Webdis; 2],
    _servers: (Server, Server),
}

impl Fleet {
    /// One as shipped, whose Webdis finds its Redis at this address.
    fn start(redis: SocketAddr) -> Self {
        let issuer = Issuer::new(Algorithm::Es256, "a");
        let jwks = issuer.jwks();
        let keys = Server::start(0, move |_| Answer::json(&jwks)).unwrap();
        let upstream = Server::echo(0).unwrap();
        let webdis = [Webdis::start(redis), Webdis::start(redis)];
        let shipped = std::fs::read_to_string(root().join("envoy/fleet/envoy.yaml")).unwrap();
        let envoys = webdis.each_ref().map(|webdis| {
            let own = crate::shipped::with_ports(&shipped, &upstream, &keys)
                .replace("port_value: 7379}", &format!("port_value: {}}}", webdis.address.port()))
                // A machine that is busy with tests is slow.
                .replace("secret: {env: REPLAY_SECRET}}", "secret: {env: REPLAY_SECRET}, timeout: 2s}")
                .replace("{host_env_keys: [REPLAY_SECRET]}", &format!("{{key_values: {{REPLAY_SECRET: {SECRET}}}}}"));
            Envoy::start_text(&own, 2).unwrap_or_else(|log| panic!("{log}"))
        });
        Self { issuer, envoys, webdis, _servers: (keys, upstream) }
    }

    fn addresses(&self) -> [SocketAddr; 2] {
        self.envoys.each_ref().map(Envoy::address)
    }

    fn token(&self, jti: &str) -> String {
        self.issuer.token(now()).claim("jti", jti).sign()
    }

    fn status(&self, envoy: usize, jti: &str) -> u16 {
        get_with(self.envoys[envoy].address(), "/payments", &self.token(jti)).status
    }

    /// Sends many tokens, each twice to each Envoy, while `happens` runs. Returns the statuses by token.
    fn under_load(&self, happens: impl FnOnce()) -> BTreeMap<String, Vec<u16>> {
        let (stop, statuses) = (AtomicBool::new(false), Mutex::new(BTreeMap::<String, Vec<u16>>::new()));
        thread::scope(|scope| {
            for worker in 0..4 {
                let (stop, statuses) = (&stop, &statuses);
                scope.spawn(move || {
                    for number in 0.. {
                        if stop.load(Ordering::SeqCst) {
                            return;
                        }
                        let jti = format!("{worker}-{number}");
                        let bearer = format!("Bearer {}", self.token(&jti));
                        let bytes = head("GET", "/payments", &[("authorization", &bearer)]);
                        for address in [self.addresses(), self.addresses()].concat() {
                            let began = Instant::now();
                            let status = try_send(address, &bytes).map_or(0, |answer| answer.status);
                            assert!(began.elapsed() < Duration::from_secs(10), "{jti} hung");
                            statuses.lock().unwrap().entry(jti.clone()).or_default().push(status);
                        }
                    }
                });
            }
            happens();
            stop.store(true, Ordering::SeqCst);
        });
        statuses.into_inner().unwrap()
    }
}

/// None of these tokens passed twice, every request was answered, and some were in each of these ways.
fn assert_once(statuses: &BTreeMap<String, Vec<u16>>, some: &[u16]) {
    for (jti, answers) in statuses {
        assert!(answers.iter().filter(|status| **status == 200).count() <= 1, "{jti}: {answers:?}");
        assert!(answers.iter().all(|status| [200, 401, 503].contains(status)), "{jti}: {answers:?}");
    }
    let seen: BTreeSet<u16> = statuses.values().flatten().copied().collect();
    assert!(some.iter().all(|status| seen.contains(status)), "{seen:?}");
}

#[test]
#[ignore = "needs Redis and Webdis: make evidence-services"]
fn of_forty_requests_at_once_over_two_envoys_exactly_one_passes() {
    let redis = Redis::start();
    let webdis = Webdis::of(&redis);
    let (issuer, upstream) = (Issuer::new(Algorithm::Es256, "a"), Server::echo(0).unwrap());
    let start = || envoy(gate(&issuer, json!({}), json!({})), &upstream, webdis.address);
    let envoys = [start(), start()];
    let addresses = envoys.each_ref().map(Envoy::address);
    for round in 0..5 {
        let token = issuer.token(now()).claim("jti", round.to_string()).claim("exp", now() + 100).sign();
        let statuses = at_once(&addresses, 40, &token);
        let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
        assert_eq!((count(200), count(401)), (1, 39), "round {round}: {statuses:?}");
    }
    let sum = |name: &str| envoys.iter().map(|envoy| envoy.counter(name)).sum::<u64>();
    // What a process has seen costs no callout: two for each token, however many requests come.
    assert_eq!((sum("scopegate.replay.service.first"), sum("scopegate.replay.service.again")), (5, 5));
    // Redis learns no token, and remembers each until every Envoy refuses it.
    assert_eq!(redis.ask(&["DBSIZE"]), ":5");
    let key = redis.ask(&["RANDOMKEY"]);
    assert!(key.starts_with("scopegate:tokens:") && key.len() == 60, "{key}");
    let left: i64 = redis.ask(&["TTL", &key]).trim_start_matches(':').parse().unwrap();
    assert!((100..=120).contains(&left), "100 seconds, 10 of leeway, 10 of clocks: {left}");
}

#[test]
#[ignore = "needs Redis and Webdis: make evidence-services"]
fn the_shipped_fleet_lets_a_token_pass_once_and_its_redis_and_webdis_let_nothing_else_in() {
    let redis = Redis::start();
    let fleet = Fleet::start(SocketAddr::from(([127, 0, 0, 1], redis.port)));
    assert_eq!([fleet.status(0, "a"), fleet.status(1, "a"), fleet.status(0, "a")], [200, 401, 401]);
    assert_eq!([fleet.status(1, "b"), fleet.status(0, "b")], [200, 401]);
    let elsewhere = |envoy: usize| get_with(fleet.envoys[envoy].address(), "/", &fleet.token("a")).status;
    assert_eq!([elsewhere(0), elsewhere(1)], [200, 200], "where it is not asked, nothing is used");
    let webdis = &fleet.webdis[0];
    for command in ["GET/x", "DEL/x", "KEYS/*", "FLUSHALL", "CONFIG/GET/*", "INFO", "EVAL/x/0"] {
        assert_eq!(get(webdis.address, &format!("/{command}"), &[]).status, 403, "{command}");
    }
    let foreign = get(webdis.address, "/SET/other/1", &[]);
    assert!(foreign.body.contains("NOPERM"), "Redis itself lets no other key be set: {foreign:?}");
}

#[test]
#[ignore = "needs Redis and Webdis: make evidence-services"]
fn a_redis_that_is_killed_and_started_again_under_load_lets_nothing_pass_twice() {
    let mut redis = Redis::start();
    let fleet = Fleet::start(SocketAddr::from(([127, 0, 0, 1], redis.port)));
    assert_eq!([fleet.status(0, "before")], [200]);
    let statuses = fleet.under_load(|| {
        thread::sleep(Duration::from_secs(2));
        redis.kill();
        thread::sleep(Duration::from_secs(2));
        redis.run();
        thread::sleep(Duration::from_secs(3));
    });
    assert_once(&statuses, &[200, 401, 503]);
    eventually("tokens pass again", || fleet.status(0, &format!("after-{:?}", Instant::now())) == 200);
    assert_eq!([fleet.status(1, "before"), fleet.status(0, "before")], [401, 401], "a restart forgets nothing");
    fleet.envoys[0].wait_for_log("scopegate_replay_unavailable");
    fleet.envoys[0].wait_for_log("replay: the service of the fleet answers again");
}

#[test]
#[ignore = "needs Redis and Webdis: make evidence-services"]
fn a_failover_to_a_replica_under_load_lets_nothing_pass_twice() {
    let mut redis = Redis::start();
    let replica = Redis::start();
    assert_eq!(redis.ask(&["CONFIG", "SET", "masteruser", "test", "masterauth", "test"]), "+OK");
    assert_eq!(replica.ask(&["CONFIG", "SET", "masteruser", "test", "masterauth", "test"]), "+OK");
    assert_eq!(replica.ask(&["REPLICAOF", "127.0.0.1", &redis.port.to_string()]), "+OK");
    eventually("the replica follows", || replica.ask(&["INFO", "replication"]).contains("master_link_status:up"));
    let switch = Switch::to(&redis);
    let fleet = Fleet::start(switch.address);
    assert_eq!([fleet.status(0, "before"), fleet.status(1, "before")], [200, 401]);
    let statuses = fleet.under_load(|| {
        thread::sleep(Duration::from_secs(2));
        // Redis waits until the replica has everything, so nothing that was claimed is lost.
        assert_eq!(redis.ask(&["FAILOVER"]), "+OK");
        eventually("the replica has taken over", || replica.ask(&["INFO", "replication"]).contains("role:master"));
        switch.lead_to(&replica);
        redis.kill();
        thread::sleep(Duration::from_secs(3));
    });
    assert_once(&statuses, &[200, 401]);
    eventually("tokens pass again", || fleet.status(0, &format!("after-{:?}", Instant::now())) == 200);
    assert_eq!([fleet.status(1, "before"), fleet.status(0, "before")], [401, 401]);
}

#[test]
#[ignore = "needs Redis and Webdis: make evidence-services"]
fn a_proof_is_good_once_in_the_fleet_where_that_is_asked() {
    const ORIGIN: &str = "https://api.example.com";
    let redis = Redis::start();
    let webdis = Webdis::of(&redis);
    let (issuer, upstream) = (Issuer::new(Algorithm::Es256, "a"), Server::echo(0).unwrap());
    let start = |replay: &str| {
        let more = json!({ "default": { "scopes": [] }, "dpop": { "origins": [ORIGIN], "replay": replay } });
        envoy(gate(&issuer, json!({}), more), &upstream, webdis.address)
    };
    let client = Prover::new(Algorithm::Es256);
    let token = issuer.token(now()).claim("cnf", client.cnf()).sign();
    for (replay, second) in [("service", 401), ("process", 200)] {
        let envoys = [start(replay), start(replay)];
        // A proof of the second in which the store began could have been used before it.
        thread::sleep(Duration::from_secs(2));
        let proof = client.proof("GET", &format!("{ORIGIN}/"), &token, now()).sign();
        let ask = |envoy: &Envoy| -> Response {
            get(envoy.address(), "/", &[("authorization", &format!("DPoP {token}")), ("dpop", &proof)])
        };
        assert_eq!(envoys.each_ref().map(|envoy| ask(envoy).status), [200, second], "{replay}");
        assert_eq!(ask(&envoys[0]).status, 401, "{replay}");
    }
    let key = redis.ask(&["RANDOMKEY"]);
    assert!(key.starts_with("scopegate:proofs:"), "{key}");
    assert_eq!(redis.ask(&["DBSIZE"]), ":1");
}

#[test]
fn a_service_that_does_not_answer_as_redis_does_lets_nothing_pass_and_nothing_hangs() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let upstream = Server::echo(0).unwrap();
    let store = Unreliable::start(Conduct::Refuses);
    let envoy = envoy(gate(&issuer, json!({}), json!({})), &upstream, store.address);
    let first = br#"{"SET":[true,"OK"]}"#;
    let ok = |body: &[u8]| Conduct::answer("200 OK", "", body);
    for (number, (what, conduct)) in [
        ("the connection is refused", Conduct::Refuses),
        ("the connection is closed", Conduct::HangsUp),
        ("no answer", Conduct::Hangs),
        ("an endless answer", Conduct::Drips),
        ("403", Conduct::answer("403 Forbidden", "", first)),
        ("201", Conduct::answer("201 Created", "", first)),
        ("an error of Redis", ok(br#"{"SET":[false,"OOM command not allowed"]}"#)),
        ("the answer of another form", ok(br#"{"result":"OK"}"#)),
        ("a page", ok(b"<!doctype html>")),
        ("nothing", ok(b"")),
    ]
    .into_iter()
    .enumerate()
    {
        store.now(conduct);
        let began = Instant::now();
        let token = issuer.token(now()).claim("jti", number.to_string()).sign();
        let answer = get_with(envoy.address(), "/", &token);
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")), "{what}: {answer:?}");
        assert!(began.elapsed() < Duration::from_secs(5), "{what}");
        // It has used nothing up.
        store.now(ok(first));
        assert_eq!(get_with(envoy.address(), "/", &token).status, 200, "{what}");
        assert_eq!(get_with(envoy.address(), "/", &token).status, 401, "{what}");
    }
    envoy.wait_for_log("503 scopegate_replay_unavailable");
    assert_eq!(envoy.counter_of_at_least("scopegate.denied.replay_unavailable", 10), 10);
}

#[test]
fn a_service_of_a_cluster_that_does_not_exist_lets_nothing_pass() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let upstream = Server::echo(0).unwrap();
    let gate = gate(&issuer, json!({ "cluster": "nowhere" }), json!({}));
    let envoy = envoy(gate, &upstream, upstream.address);
    assert_eq!(get_with(envoy.address(), "/", &issuer.token(now()).sign()).status, 503);
    // Natively the main thread asks for a worker, which is told no more than that there is no answer.
    if !native::is_tested() {
        envoy.wait_for_log("the service of the fleet there is no cluster nowhere");
        assert_eq!(envoy.counter("scopegate.replay.service.no_cluster"), 1);
    }
}

/// A stand-in for the Redis REST API of Upstash: `POST /` with a command as a JSON array.
fn upstash() -> Server {
    let keys = Mutex::new(BTreeSet::new());
    let answer = move |received: &crate::support::server::Received| {
        let value = |name: &str| received.headers.iter().find(|(other, _)| other == name).map(|(_, it)| it.as_str());
        if value("authorization") != Some(AUTHORIZATION) {
            return Answer::status(401);
        }
        let command: Vec<String> = serde_json::from_slice(&received.body).unwrap();
        let [set, key, _, nx, ex, _] = &command[..] else { return Answer::status(400) };
        let is_known = [set, nx, ex] == ["SET", "NX", "EX"] && (received.method == "POST" && received.target == "/");
        if !is_known {
            return Answer::status(400);
        }
        let is_first = keys.lock().unwrap().insert(key.clone());
        Answer::json(&json!({ "result": if is_first { json!("OK") } else { Value::Null } }))
    };
    Server::start(0, answer).unwrap()
}

#[test]
fn the_redis_rest_form_of_upstash_is_spoken_with_its_authorization() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let (upstream, store) = (Server::echo(0).unwrap(), upstash());
    let start = |more: Value| {
        let mut service = json!({ "form": "upstash", "uri": "http://eu1-name-12345.upstash.io" });
        service.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        envoy(gate(&issuer, service, json!({})), &upstream, store.address)
    };
    let known = json!({ "authorization": { "env": "STORE_AUTHORIZATION" } });
    let envoys = [start(known.clone()), start(known), start(json!({}))];
    let token = issuer.token(now()).sign();
    let statuses = envoys.each_ref().map(|envoy| get_with(envoy.address(), "/", &token).status);
    assert_eq!(statuses, [200, 401, 503], "the last one is not authorised");
    assert!(envoys.iter().all(|envoy| !envoy.log().contains("of-the-store")), "a secret is in no log");
}

/// The proof is claimed in its own Envoy, and the request is judged again once the service has answered for the token.
#[test]
fn a_token_of_a_key_that_is_good_once_passes_once_in_the_fleet() {
    const ORIGIN: &str = "https://api.example.com";
    let (issuer, client) = (Issuer::new(Algorithm::Es256, "a"), Prover::new(Algorithm::Es256));
    let (upstream, store) = (Server::echo(0).unwrap(), upstash());
    let service = json!({ "form": "upstash", "authorization": { "env": "STORE_AUTHORIZATION" } });
    let more = json!({ "dpop": { "origins": [ORIGIN] } });
    let envoys = [(); 2].map(|()| envoy(gate(&issuer, service.clone(), more.clone()), &upstream, store.address));
    // A proof of the second in which the store began could have been used before it.
    thread::sleep(Duration::from_secs(2));
    let token = issuer.token(now()).claim("cnf", client.cnf()).sign();
    let ask = |envoy: &Envoy| {
        let proof = client.proof("GET", &format!("{ORIGIN}/"), &token, now()).sign();
        get(envoy.address(), "/", &[("authorization", &format!("DPoP {token}")), ("dpop", &proof)]).status
    };
    assert_eq!([ask(&envoys[0]), ask(&envoys[1]), ask(&envoys[0])], [200, 401, 401]);
    envoys.iter().for_each(|envoy| drop(envoy.wait_for_log("reason=replayed")));
}
