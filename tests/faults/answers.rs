//! What a client learns from an answer, and from how long a comparison takes.

use crate::stage::published;
use crate::support::client::{get_with, head, send};
use crate::support::envoy::{Envoy, Gate, cluster, resources};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, now};
use crate::support::outage::{Conduct, Unreliable};
use crate::support::random::Random;
use crate::support::server::Server;
use crate::support::wait::eventually;
use scopegate::base::base64url;
use scopegate::crypto::{Algorithm, PureVerifier, Verification, VerificationKey, Verifier as _};
use serde_json::json;
use std::hint::black_box;
use std::time::Instant;

/// Status, headers but the date, and body.
type Said = (u16, Vec<(String, String)>, String);

/// What a token is answered, when it has been counted under this reason.
fn answer(envoy: &Envoy, reason: &str, token: &str) -> Said {
    let name = format!("scopegate.denied.{reason}");
    let before = envoy.counter(&name);
    let answer = send(envoy.address(), &head("GET", "/", &[("authorization", &format!("Bearer {token}"))]));
    eventually(reason, || envoy.counter(&name) == before + 1);
    let headers = answer.headers.into_iter().filter(|(name, _)| name != "date").collect();
    (answer.status, headers, answer.body)
}

#[test]
fn no_such_key_bad_signature_and_revoked_have_one_answer_to_the_last_byte() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let upstream = Server::echo(0).unwrap();
    let server = Unreliable::start(published(&[&issuer]));
    let fetched = json!({ "uri": "http://issuer.example.com/jwks.json", "cluster": "issuer", "timeout": "500ms" });
    for keys in [json!({ "inline": issuer.jwks() }), fetched] {
        let gate = Gate::new(json!({
            "issuers": [{ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": keys }],
            "revocation": { "entries": [{ "iss": ISSUER, "jti": "stolen" }] },
        }));
        let clusters = [cluster("upstream", upstream.address), cluster("issuer", server.address)];
        let envoy = Envoy::start(&resources(&[gate], &clusters));
        let token = || issuer.token(now());
        let good = token().sign();
        eventually("keys", || get_with(envoy.address(), "/", &good).status == 200);
        let (input, signature) = good.rsplit_once('.').unwrap();
        let mut bits = base64url::decode(signature.as_bytes()).unwrap();
        bits[5] ^= 1;
        let stolen = token().claim("jti", "stolen").sign();
        let refused = [
            ("unknown_key", token().header("kid", "another").sign()),
            ("bad_signature", format!("{input}.{}", base64url::encode(&bits))),
            ("bad_signature", Issuer::new(Algorithm::Es256, "a").token(now()).sign()),
            ("revoked", stolen.clone()),
            // The second time it is remembered that its signature is good.
            ("revoked", stolen),
        ];
        let answers = refused.map(|(reason, token)| answer(&envoy, reason, &token));
        for answer in &answers {
            assert_eq!(*answer, answers[0]);
        }
        assert_eq!(answers[0].0, 401);
    }
}

#[test]
fn while_the_issuer_is_down_an_unknown_key_is_answered_503_and_a_bad_signature_401() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let upstream = Server::echo(0).unwrap();
    let server = Unreliable::start(published(&[&issuer]));
    let gate = Gate::new(json!({ "issuers": [{
        "issuer": ISSUER, "audiences": [AUDIENCE],
        "jwks": { "uri": "http://issuer.example.com/jwks.json", "cluster": "issuer", "timeout": "500ms" },
    }] }));
    let clusters = [cluster("upstream", upstream.address), cluster("issuer", server.address)];
    let envoy = Envoy::start(&resources(&[gate], &clusters));
    eventually("keys", || get_with(envoy.address(), "/", &issuer.token(now()).sign()).status == 200);
    server.now(Conduct::Refuses);
    let unknown = issuer.token(now()).header("kid", "rotated").sign();
    assert_eq!(answer(&envoy, "keys_unavailable", &unknown).0, 503, "it may be a new key: who asks later may pass");
    let forged = Issuer::new(Algorithm::Es256, "a").token(now()).sign();
    assert_eq!(answer(&envoy, "bad_signature", &forged).0, 401);
}

/// Measurements of each class.
const SAMPLES: usize = 200_000;
/// What is said to be a difference: dudect's own threshold is 4.5, and a leak of a byte is far beyond both.
pub const THRESHOLD: f64 = 10.0;

/// Welch's t of the times that `run` takes for a tag that is wrong in its first byte, and for one that is wrong in its
/// last. The classes come in random turn, and the slowest hundredth, in which something else happened, is left out.
fn welch(tag: [u8; 32], mut run: impl FnMut(&[u8])) -> f64 {
    let mut random = Random::new(Random::seed(1));
    let wrong_at = |place: usize| {
        let mut tag = tag;
        tag[place] ^= 0x55;
        tag
    };
    let tags = [wrong_at(0), wrong_at(31)];
    let mut times: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..2 * SAMPLES {
        let class = random.below(2);
        let began = Instant::now();
        run(black_box(&tags[class]));
        times[class].push(began.elapsed().as_nanos() as f64);
    }
    welch_of(times)
}

/// Welch's t of the times of two classes, of which the slowest hundredth is left out.
pub fn welch_of(times: [Vec<f64>; 2]) -> f64 {
    let [(mean, spread), (other_mean, other_spread)] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times.truncate(times.len() / 100 * 99);
        let count = times.len() as f64;
        let mean = times.iter().sum::<f64>() / count;
        let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    });
    (mean - other_mean) / (spread + other_spread).sqrt()
}

#[test]
#[ignore = "it measures nanoseconds, and wants a machine for itself: make dudect"]
fn the_comparison_of_an_hmac_takes_as_long_wherever_it_differs() {
    let (secret, message) = ([7; 32], b"header.payload");
    let key = VerificationKey::from_secret(Algorithm::Hs256, &secret).unwrap();
    let tag = hmac_sha256::HMAC::mac(message, secret);
    assert!(matches!(PureVerifier.verify(&key, Algorithm::Hs256, message, &tag), Verification::Valid));
    let ours = welch(tag, |tag| {
        let _ = black_box(PureVerifier.verify(&key, Algorithm::Hs256, black_box(message), tag));
    });
    let leaky = welch(tag, |given| {
        let tag = black_box(hmac_sha256::HMAC::mac(black_box(message), secret));
        let _ = black_box(tag.iter().zip(given).all(|(left, right)| black_box(left) == black_box(right)));
    });
    println!("Welch's t over {SAMPLES} measurements of each class: {ours:.2}; of a comparison that leaks: {leaky:.2}");
    assert!(leaky.abs() > THRESHOLD, "a comparison that leaks is not told apart: {leaky}");
    assert!(ours.abs() < THRESHOLD, "it leaks: {ours}");
}
