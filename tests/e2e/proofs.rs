//! DPoP through Envoy: RFC 9449, with several workers.

use crate::gate::configuration;
use crate::support::client::{Response, get, request};
use crate::support::envoy::{Envoy, Gate, cluster, resources};
use crate::support::issuer::{Issuer, now};
use crate::support::prover::Prover;
use crate::support::server::Server;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

const ORIGIN: &str = "https://api.example.com";

struct World {
    issuer: Issuer,
    client: Prover,
    envoy: Envoy,
    _upstream: Server,
}

impl World {
    /// An Envoy with a gate for each of these, and so many workers.
    fn start(gates: &[(&'static str, Value)], workers: u32, secret: Option<&str>) -> Self {
        let (issuer, client) = (Issuer::new(Algorithm::Es256, "a"), Prover::new(Algorithm::Es256));
        let upstream = Server::echo(0).unwrap();
        let gates: Vec<Gate> = gates
            .iter()
            .map(|(name, members)| {
                let mut gate = Gate { name, ..Gate::new(configuration(&issuer, members.clone())) };
                if let Some(secret) = secret {
                    gate.plugin =
                        json!({ "vm_config": { "environment_variables": { "key_values": { "NONCES": secret } } } });
                }
                gate
            })
            .collect();
        let resources = resources(&gates, &[cluster("upstream", upstream.address)]);
        let envoy = Envoy::try_start(&resources, workers).unwrap_or_else(|log| panic!("{log}"));
        // A proof of the second in which the store began could have been used before it.
        thread::sleep(Duration::from_secs(2));
        Self { issuer, client, envoy, _upstream: upstream }
    }

    fn bound(&self) -> String {
        self.issuer.token(now()).claim("cnf", self.client.cnf()).sign()
    }

    fn proof(&self, token: &str, target: &str) -> String {
        self.client.proof("GET", &format!("{ORIGIN}{target}"), token, now()).sign()
    }

    fn ask(&self, target: &str, token: &str, proof: &str) -> Response {
        ask(self.envoy.listener("gate"), target, token, proof)
    }
}

fn ask(address: SocketAddr, target: &str, token: &str, proof: &str) -> Response {
    get(address, target, &[("authorization", &format!("DPoP {token}")), ("dpop", proof)])
}

/// The values of all lines of a header.
fn lines<'a>(answer: &'a Response, name: &str) -> Vec<&'a str> {
    answer.headers.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect()
}

fn dpop(more: Value) -> Value {
    let mut dpop = json!({ "origins": [ORIGIN] });
    dpop.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({ "dpop": dpop })
}

#[test]
fn a_stolen_token_and_a_stolen_proof_are_of_no_use() {
    let world = World::start(&[("gate", dpop(json!({})))], 4, None);
    let token = world.bound();
    let proof = world.proof(&token, "/orders");
    let echoed = world.ask("/orders?x=1", &token, &proof).echoed();
    assert_eq!(echoed.headers("x-auth-subject"), ["alice"]);
    assert!(echoed.headers("authorization").is_empty(), "the token does not go on");
    // On other connections, which other workers have.
    for _ in 0..12 {
        let again = world.ask("/orders", &token, &proof);
        assert_eq!(again.status, 401);
        let challenges = lines(&again, "www-authenticate");
        assert_eq!(challenges[0], "Bearer realm=\"api\"");
        assert!(challenges[1].starts_with("DPoP realm=\"api\", error=\"invalid_dpop_proof\", "), "{challenges:?}");
        assert!(challenges[1].contains(", algs=\"RS256 "), "{challenges:?}");
    }
    let thief = Prover::new(Algorithm::Es256);
    let forged = thief.proof("GET", &format!("{ORIGIN}/orders"), &token, now()).sign();
    let bearer = format!("Bearer {token}");
    let elsewhere = world.proof(&token, "/admin");
    let scheme = format!("DPoP {token}");
    let twice = [world.proof(&token, "/orders"), world.proof(&token, "/orders")];
    for (answer, reason) in [
        (world.ask("/orders", &token, &forged), "bound_to_another"),
        (world.ask("/orders", &token, &elsewhere), "invalid_proof"),
        (get(world.envoy.address(), "/orders", &[("authorization", &scheme)]), "proof_missing"),
        (get(world.envoy.address(), "/orders", &[("authorization", &bearer)]), "proof_missing"),
        (
            get(
                world.envoy.address(),
                "/orders",
                &[("authorization", &scheme), ("dpop", &twice[0]), ("dpop", &twice[1])],
            ),
            "invalid_proof",
        ),
        (
            get(
                world.envoy.address(),
                "/orders",
                &[("authorization", &scheme), ("dpop", &elsewhere), ("x-forwarded-host", "api.example.com/admin")],
            ),
            "invalid_proof",
        ),
    ] {
        assert_eq!(answer.status, 401, "{reason}");
        world.envoy.wait_for_log(&format!("401 scopegate_{reason} "));
    }
    let log = world.envoy.log();
    for secret in [&token, &proof] {
        assert!(secret.split('.').all(|part| !log.contains(part)), "a part of the token or the proof is in the log");
    }
}

#[test]
fn of_a_proof_that_is_sent_many_times_at_once_one_passes() {
    let world = World::start(&[("gate", dpop(json!({})))], 4, None);
    let token = world.bound();
    for round in 0..10 {
        let proof = world.proof(&token, "/");
        let passed = thread::scope(|scope| {
            let asking: Vec<_> = (0..16).map(|_| scope.spawn(|| world.ask("/", &token, &proof).status)).collect();
            let statuses: Vec<u16> = asking.into_iter().map(|asked| asked.join().unwrap()).collect();
            assert!(statuses.iter().all(|status| [200, 401].contains(status)), "{statuses:?}");
            statuses.iter().filter(|status| **status == 200).count()
        });
        assert_eq!(passed, 1, "round {round}");
    }
    assert_eq!(world.envoy.counter_of_at_least("scopegate.denied.proof_replayed", 150), 150);
}

#[test]
fn proofs_of_every_usual_algorithm_pass_and_forged_ones_do_not() {
    let world = World::start(&[("gate", dpop(json!({})))], 1, None);
    for algorithm in
        [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::Es384, Algorithm::Es512, Algorithm::EdDsa]
    {
        let client = Prover::new(algorithm);
        let token = world.issuer.token(now()).claim("cnf", client.cnf()).sign();
        let proof = || client.proof("GET", &format!("{ORIGIN}/"), &token, now());
        assert_eq!(world.ask("/", &token, &proof().sign()).status, 200, "{}", algorithm.name());
        let forged = proof().sign_by(&Prover::new(algorithm).key);
        assert_eq!(world.ask("/", &token, &forged).status, 401, "{}", algorithm.name());
    }
}

#[test]
fn a_nonce_is_asked_for_and_every_gate_with_the_secret_takes_it() {
    let secret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    let nonce = dpop(json!({ "nonce": { "secret": { "env": "NONCES" } } }));
    let world = World::start(&[("gate", nonce.clone()), ("other", nonce)], 4, Some(secret));
    let token = world.bound();
    let target = format!("{ORIGIN}/");
    let with = |nonce: Option<&str>| {
        let proof = world.client.proof("GET", &target, &token, now());
        nonce.map_or(proof.clone(), |nonce| proof.claim("nonce", nonce)).sign()
    };
    let asked = world.ask("/", &token, &with(None));
    assert_eq!((asked.status, asked.header("cache-control")), (401, Some("no-store")));
    let challenges = lines(&asked, "www-authenticate");
    assert!(challenges[1].starts_with("DPoP realm=\"api\", error=\"use_dpop_nonce\", "), "{challenges:?}");
    let [nonce] = lines(&asked, "dpop-nonce")[..] else { panic!("one nonce: {asked:?}") };
    for name in ["gate", "other"] {
        for _ in 0..4 {
            assert_eq!(ask(world.envoy.listener(name), "/", &token, &with(Some(nonce))).status, 200, "{name}");
        }
    }
    let made_up = world.ask("/", &token, &with(Some("made-up")));
    assert_eq!((made_up.status, lines(&made_up, "dpop-nonce").len()), (401, 1));
    assert!(!world.envoy.log().contains(secret));
}

#[test]
fn a_route_asks_for_proofs_and_methods_are_compared() {
    let rules = json!([{ "match": { "path": "/bound" }, "sender_constraint": "dpop" }]);
    let mut members = dpop(json!({ "algorithms": ["ES256"] }));
    members["rules"] = rules;
    let world = World::start(&[("gate", members)], 1, None);
    let unbound = format!("Bearer {}", world.issuer.token(now()).sign());
    assert_eq!(get(world.envoy.address(), "/", &[("authorization", &unbound)]).status, 200);
    let refused = get(world.envoy.address(), "/bound", &[("authorization", &unbound)]);
    let challenges = lines(&refused, "www-authenticate");
    assert_eq!((refused.status, challenges.len()), (401, 1));
    assert!(
        challenges[0].starts_with("DPoP realm=\"api\", error=\"invalid_token\"")
            && challenges[0].ends_with("algs=\"ES256\"")
    );
    let token = world.bound();
    let scheme = format!("DPoP {token}");
    for (method, htm, status) in [("PUT", "PUT", 200), ("PUT", "GET", 401), ("DELETE", "delete", 401)] {
        let proof = world.client.proof(htm, &format!("{ORIGIN}/bound"), &token, now()).sign();
        let answer = request(world.envoy.address(), method, "/bound", &[("authorization", &scheme), ("dpop", &proof)]);
        assert_eq!(answer.status, status, "{method} {htm}");
    }
}
