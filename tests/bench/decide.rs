//! How long the engine takes to decide, natively: the same code as in the module, without Envoy and without a VM.
//! `cargo bench --bench decide`. It fails when a decision among 10 000 rules takes more than 1.2 times one among 10.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a tool that stops at what it does not expect, measures time, and prints"
)]

#[path = "../support/mod.rs"]
mod support;

use scopegate::base::time::UnixSeconds;
use scopegate::config::{self, Node};
use scopegate::crypto::{Algorithm, PureVerifier};
use scopegate::decision::Decision;
use scopegate::engine::decide;
use scopegate::facts::{Facts, KeyRing, NoMemory, TokenMemory};
use scopegate::policy::{CacheLimits, IssuerId, KeySource, Policy};
use scopegate::request::RequestView;
use scopegate::revocation::{Builder, Entry, Revocations};
use scopegate::token_cache::TokenCache;
use serde_json::{Value, json};
use std::hint::black_box;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};
use support::issuer::{AUDIENCE, ISSUER, Issuer, now};

/// How much slower a decision may be among a thousand times as many rules.
const LIMIT: f64 = 1.2;
/// How long a batch is, and how many there are of each decision.
const BATCH: Duration = Duration::from_millis(4);
const BATCHES: usize = 101;

/// What is decided over and over.
struct Question<'a> {
    what: &'static str,
    policy: &'a Policy,
    keys: KeyRing,
    memory: &'a dyn TokenMemory,
    revocations: &'a Revocations,
    now: UnixSeconds,
    path: String,
    credential: Option<String>,
    /// Whether the answer is to be Allow.
    allowed: bool,
}

impl Question<'_> {
    fn ask(&self) -> Decision {
        let mut headers: Vec<(&[u8], &[u8])> = vec![
            (b":authority", b"api.example.com"),
            (b":path", self.path.as_bytes()),
            (b":method", b"GET"),
            (b":scheme", b"http"),
            (b"user-agent", b"bench/1"),
            (b"accept", b"application/json"),
            (b"x-forwarded-proto", b"http"),
            (b"x-request-id", b"9be49319-3a0f-4e1a-8f0a-0d1f5d4b7a10"),
        ];
        headers.extend(self.credential.as_ref().map(|value| (&b"authorization"[..], value.as_bytes())));
        let view = RequestView { headers: &headers, route_name: None, virtual_host: None, ends_with_headers: true };
        let offline = Facts::offline(&self.now, &self.keys, &PureVerifier, self.revocations);
        let facts = Facts { memory: self.memory, ..offline };
        decide(self.policy, &view, &facts)
    }

    /// Nanoseconds of one decision, over `count` of them.
    fn time(&self, count: u32) -> f64 {
        let start = Instant::now();
        for _ in 0..count {
            black_box(black_box(self).ask());
        }
        start.elapsed().as_nanos() as f64 / f64::from(count)
    }
}

fn main() -> ExitCode {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let [few, many] = [10, 10_000].map(|count| policy(&issuer, count));
    let cache = TokenCache::new(CacheLimits::default());
    let token = |scope: &str| issuer.token(now()).claim("exp", now() + 3_600).claim("jti", "id").scope(scope);
    let (none, million) = (Revocations::none(), revoked(1_000_000));
    let bearer = |token: String| Some(format!("Bearer {token}"));
    let last = |count: usize| (format!("/service-{:05}/1", count - 1), bearer(token(&scope(count - 1)).sign()));
    let expired = token("x").claim("iat", now() - 900).claim("exp", now() - 600).sign();
    let (memory, now): (&dyn TokenMemory, _) = (&cache, UnixSeconds(now()));
    let question = |what, policy, memory, (path, credential), allowed| {
        let keys = keys(policy);
        Question { what, policy, keys, memory, revocations: &none, now, path, credential, allowed }
    };
    let on_last = |credential| (last(10).0, credential);
    let questions = [
        question("a remembered token, the last of 10 rules", &few, memory, last(10), true),
        question("a remembered token, the last of 10 000 rules", &many, memory, last(10_000), true),
        Question {
            revocations: &million,
            ..question("the same of 10, with 1 000 000 revoked by jti", &few, memory, last(10), true)
        },
        question("a token that is verified, ES256", &few, &NoMemory, last(10), true),
        question("a public route", &few, memory, ("/open".to_owned(), None), true),
        question("no token", &few, memory, on_last(None), false),
        question("`Bearer` and what is no token", &few, memory, on_last(Some("Bearer garbage".to_owned())), false),
        question("an expired token", &few, memory, on_last(bearer(expired)), false),
        question("a token without the scope", &few, memory, on_last(bearer(token("x").sign())), false),
    ];
    let mut batches = Vec::new();
    for question in &questions {
        let allowed = matches!(question.ask(), Decision::Allow(_));
        assert_eq!(allowed, question.allowed, "{}: {:?}", question.what, question.ask());
        let once = question.time(20).max(1.0);
        let count = (BATCH.as_nanos() as f64 / once).clamp(1.0, 1e6);
        batches.push((format!("{count:.0}").parse().unwrap(), Vec::new()));
    }
    // In turn, so that what slows the machine down for a while slows all.
    for _ in 0..BATCHES {
        for (question, (count, times)) in questions.iter().zip(&mut batches) {
            times.push(question.time(*count));
        }
    }
    // The fastest batch is the one that nothing disturbed, also on a machine with other work.
    let mut fastest = Vec::new();
    for (question, (_, times)) in questions.iter().zip(&mut batches) {
        times.sort_by(f64::total_cmp);
        println!("{:<46} {:>10.0} ns (median {:.0})", question.what, times[0], times[times.len() / 2]);
        fastest.push(times[0]);
    }
    let ratio = fastest[1] / fastest[0];
    println!("10 000 rules against 10: {ratio:.2}, at most {LIMIT}");
    if ratio <= LIMIT { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A list of `count` tokens that no request has.
fn revoked(count: usize) -> Revocations {
    let mut builder = Builder::new(UnixSeconds(0));
    (0..count).for_each(|number| builder.add(&Entry::token(ISSUER.to_owned(), format!("another-{number}"))));
    Revocations::new(vec![Rc::new(builder.finish())], true)
}

fn scope(number: usize) -> String {
    format!("service-{number:05}:read")
}

fn policy(issuer: &Issuer, count: usize) -> Policy {
    let rule = |number: usize| json!({ "match": { "path_separated_prefix": format!("/service-{number:05}") }, "scopes": [scope(number)] });
    let mut rules: Vec<Value> = (0..count).map(rule).collect();
    rules.insert(0, json!({ "match": { "path": "/open" }, "public": true }));
    let configuration = json!({
        "issuers": [{ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": issuer.jwks() } }],
        "rules": rules,
        "forward": { "headers": { "x-auth-subject": "sub" } },
    });
    config::compile(&Node::from(configuration), &|_| None).unwrap().policy
}

fn keys(policy: &Policy) -> KeyRing {
    let mut ring = KeyRing::default();
    for (index, issuer) in policy.issuers.iter().enumerate() {
        if let KeySource::Configured(keys) = &issuer.keys {
            ring.set(IssuerId(index), Some(Rc::clone(keys)));
        }
    }
    ring
}
