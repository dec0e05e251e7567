//! How long a refusal takes in a real Envoy: of a wrong password and of an unknown user, and of a wrong signature and of an
//! unknown key.

use crate::answers::{THRESHOLD, welch_of};
use crate::support::client::{head, send};
use crate::support::envoy::{Envoy, Gate, cluster, resources};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, now};
use crate::support::random::Random;
use crate::support::server::Server;
use crate::support::signer::{Signer, Unsigned};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use scopegate::crypto::{Algorithm, PasswordHash};
use serde_json::{Value, json};
use std::time::Instant;

/// Measurements of each class.
const SAMPLES: usize = 500;

/// Welch's t of the times of two classes of refusals, which are counted for these reasons. `lines` makes the headers of a
/// request of a class, with a number that comes once.
fn welch_of_refusals(
    set: &Value,
    reasons: [&str; 2],
    mut lines: impl FnMut(usize, usize) -> Vec<(String, String)>,
) -> f64 {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let upstream = Server::echo(0).unwrap();
    let mut gate = Gate::new(json!({
        "issuers": [{ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": issuer.jwks() } }],
        "default": { "credentials": set["name"] },
        "credentials": [set],
    }));
    gate.plugin = json!({ "vm_config": { "environment_variables": { "key_values": { "SECRET": "a secret of twenty and more" } } } });
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
        let lines = lines(class, number);
        let lines: Vec<(&str, &str)> = lines.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let request = head("GET", "/orders", &lines);
        let began = Instant::now();
        assert_eq!(send(envoy.address(), &request).status, 401);
        times[class].push(began.elapsed().as_nanos() as f64);
    }
    let wanted = SAMPLES as u64;
    let refused = reasons.map(|reason| envoy.counter_of_at_least(&format!("scopegate.denied.{reason}"), wanted));
    assert_eq!(refused, [wanted; 2]);
    welch_of(times)
}

#[test]
#[ignore = "measures; make dudect runs it"]
fn the_time_of_a_refusal_does_not_tell_which_users_exist() {
    let hash = PasswordHash::bcrypt(b"right", 5, [7; 16]);
    let set =
        json!({ "name": "staff", "basic": {}, "identities": [{ "id": "alice", "secrets": [{ "bcrypt": hash }] }] });
    let t = welch_of_refusals(&set, ["wrong_secret", "unknown_identity"], |class, number| {
        // Both have five letters, and no password comes twice.
        let text = STANDARD.encode(format!("{}:{number:06}", ["alice", "nobod"][class]));
        vec![("authorization".to_owned(), format!("Basic {text}"))]
    });
    println!("Welch's t over {SAMPLES} refusals each of a wrong password and of an unknown user: {t:.2}");
    assert!(t.abs() < THRESHOLD, "the time tells users apart: {t}");
}

#[test]
#[ignore = "measures; make dudect runs it"]
fn the_time_of_a_refusal_does_not_tell_which_keys_exist() {
    let sigv4 = json!({ "aksk": { "form": "sigv4", "regions": ["eu-west-1"], "services": ["orders"] } });
    for (form, mut set) in [
        ("sigv4", sigv4),
        ("apinto", json!({ "aksk": { "form": "apinto" } })),
        ("message", json!({ "signature": { "nonce": "optional" } })),
    ] {
        set["name"] = json!("machines");
        set["identities"] = json!([{ "id": "KEY-ALICE", "secrets": [{ "env": "SECRET" }] }]);
        let t = welch_of_refusals(&set, ["bad_signature", "unknown_identity"], |class, number| {
            // No secret comes twice, and none is good.
            let (key_id, secret) = (["KEY-ALICE", "KEY-NOBOD"][class], format!("a secret of twenty: {number:06}"));
            let signer = Signer { key_id, secret: &secret };
            let request = Unsigned { at: now(), ..Unsigned::default() };
            match form {
                "sigv4" => signer.sigv4(&request, ("eu-west-1", "orders")),
                "apinto" => signer.apinto(&request),
                _ => signer.message(&request, &format!(";created={}", request.at)),
            }
        });
        println!("Welch's t over {SAMPLES} refusals each of a wrong signature and of an unknown key, {form}: {t:.2}");
        assert!(t.abs() < THRESHOLD, "the time tells keys apart: {t}");
    }
}
