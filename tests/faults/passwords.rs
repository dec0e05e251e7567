//! How long a wrong password takes in a real Envoy, and how long an unknown user.

use crate::answers::{THRESHOLD, welch_of};
use crate::support::client::{head, send};
use crate::support::envoy::{Envoy, Gate, cluster, resources};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer};
use crate::support::random::Random;
use crate::support::server::Server;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use scopegate::crypto::{Algorithm, PasswordHash};
use serde_json::json;
use std::time::Instant;

/// Measurements of each class.
const SAMPLES: usize = 500;

#[test]
#[ignore = "measures; make dudect runs it"]
fn the_time_of_a_refusal_does_not_tell_which_users_exist() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let upstream = Server::echo(0).unwrap();
    let hash = PasswordHash::bcrypt(b"right", 5, [7; 16]);
    let gate = Gate::new(json!({
        "issuers": [{ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": issuer.jwks() } }],
        "credentials": [{ "name": "staff", "basic": {},
                          "identities": [{ "id": "alice", "secrets": [{ "bcrypt": hash }] }] }],
        "default": { "credentials": "staff" },
    }));
    let envoy = Envoy::start(&resources(&[gate], &[cluster("upstream", upstream.address)]));
    let mut random = Random::new(Random::seed(1));
    let mut times: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
    let mut number = 0;
    while times.iter().any(|class| class.len() < SAMPLES) {
        let class = random.below(2);
        if times[class].len() >= SAMPLES {
            continue;
        }
        number += 1;
        // Both have five letters, and no password comes twice.
        let text = STANDARD.encode(format!("{}:{number:06}", ["alice", "nobod"][class]));
        let request = head("GET", "/", &[("authorization", &format!("Basic {text}"))]);
        let began = Instant::now();
        assert_eq!(send(envoy.address(), &request).status, 401);
        times[class].push(began.elapsed().as_nanos() as f64);
    }
    let refused =
        ["wrong_secret", "unknown_identity"].map(|reason| envoy.counter(&format!("scopegate.denied.{reason}")));
    assert_eq!(refused, [SAMPLES as u64; 2]);
    let t = welch_of(times);
    println!("Welch's t over {SAMPLES} refusals each of a wrong password and of an unknown user: {t:.2}");
    assert!(t.abs() < THRESHOLD, "the time tells users apart: {t}");
}
