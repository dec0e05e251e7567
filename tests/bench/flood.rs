//! A flood of tokens whose signatures only the VM can check, beside requests that should not suffer from it.

use super::cases::Cases;
use super::contenders::{Behind, connection_manager, one_route};
use super::load::{self, Stream};
use super::machine::Cores;
use super::pace::Outcome;
use super::report::round;
use super::settings::Settings;
use super::start;
use super::support::envoy::Gate;
use super::support::issuer::{AUDIENCE, ISSUER};
use super::tokens::with_changed_signature;
use base64::Engine as _;
use scopegate::crypto::Algorithm;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// A part: its name, what floods, and how many requests a second.
#[derive(Debug)]
pub struct Flood {
    pub name: &'static str,
    what: &'static str,
    rate: f64,
}

/// Each token takes the VM a millisecond, so these would take a worker four times over.
pub const TOKENS: Flood =
    Flood { name: "wasm-crypto", what: "PS256 tokens with bad signatures, which only the VM can check", rate: 4_000.0 };
/// Each password takes the VM half a second.
pub const PASSWORDS: Flood =
    Flood { name: "passwords", what: "wrong passwords, of bcrypt with a cost of 12", rate: 1_000.0 };

/// Requests a second of each of the others.
const OTHER_RATE: f64 = 500.0;
/// Of another password, by `htpasswd -B -C 12`.
const BCRYPT: &str = "$2y$12$TohZV1yd1wvNE8XYIoaG6uAbIhchghXUFtnWXz3.0Fh/iMkUsD7ua";
/// What is sent, the flood last.
const CLASSES: [&str; 4] = ["cached", "checked by the host", "public", "the flood"];
const OTHERS: usize = CLASSES.len() - 1;

/// Measures the others alone and under the flood, prints both, and returns them.
///
/// # Panics
/// When one of the others is refused.
pub fn measure(flood: &Flood, cores: &Cores, cases: &Cases, settings: &Settings) -> Value {
    let is_of_passwords = flood.name == PASSWORDS.name;
    let [by_host, by_vm] = [Algorithm::Rs256, Algorithm::Ps256].map(|algorithm| cases.mint(algorithm));
    let keys = [&by_host, &by_vm].map(|mint| mint.issuer.key.to_public_jwk());
    let mut configuration = json!({
        "issuers": [{ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": { "keys": keys } } }],
        "rules": [{ "match": { "path_separated_prefix": "/open" }, "public": true }],
        "default": { "scopes": ["orders:read"] },
        "forward": { "headers": { "x-auth-subject": "sub" } },
    });
    if settings.has("cache") {
        // Next to none of the tokens that are new to it: the host has to check them.
        configuration["cache"] = json!({ "entries": 100 });
    }
    if is_of_passwords {
        configuration["credentials"] = json!([{ "name": "staff", "basic": {}, "identities": [
            { "id": "ann", "scopes": ["orders:read"], "secrets": [{ "bcrypt": BCRYPT }] }] }]);
        configuration["default"]["credentials"] = json!({ "any_of": ["bearer", "staff"] });
    }
    let gate = Gate { name: flood.name, connection_manager: connection_manager(), ..Gate::new(configuration) };
    let envoy = start(cores, &[gate.routes(Behind::DirectResponse.finish(&one_route())).listener()]);
    let address = envoy.listener(flood.name);

    let with_token = |token: &String| load::request("/orders/1", Some(&format!("Bearer {token}")));
    let guess = |number: usize| {
        let text = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("ann:guess-{number}")));
        load::request("/orders/1", Some(&text))
    };
    let flooding = if is_of_passwords {
        (0..by_vm.tokens.len()).map(guess).collect()
    } else {
        by_vm.tokens.iter().map(|token| with_token(&with_changed_signature(token))).collect()
    };
    let requests: [Vec<Vec<u8>>; 4] = [
        by_host.tokens[..1].iter().map(with_token).collect(),
        by_host.tokens[1..].iter().map(with_token).collect(),
        vec![load::request("/open", None)],
        flooding,
    ];
    let mut files: Vec<PathBuf> = Vec::new();
    for (index, requests) in requests.iter().enumerate() {
        files.push(load::write_requests(&format!("{}-{index}", flood.name), requests));
    }
    let rate = |index| if index < OTHERS { OTHER_RATE } else { flood.rate };
    let run = |classes: usize| {
        let stream = |index: usize| Stream { address, requests: files[index].as_path(), rate: rate(index) };
        let streams: Vec<Stream<'_>> = (0..classes).map(stream).collect();
        load::paced(cores, &streams, settings.seconds.max(3))
    };
    let (alone, flooded) = (run(OTHERS), run(CLASSES.len()));
    for (class, outcome) in CLASSES.into_iter().zip(&flooded).take(OTHERS) {
        // 0 means no answer in time, which shows in the figures.
        let refused = outcome.statuses.keys().any(|status| ![0, 200].contains(status));
        assert!(!refused, "{class}: {:?}", outcome.statuses);
    }
    print(flood, &alone, &flooded);
    let classes = CLASSES.into_iter().enumerate().map(|(index, class)| {
        let flooded = &flooded[index];
        json!({
            "class": class,
            "asked_rps": rate(index),
            "alone_p99_us": alone.get(index).map(|outcome| round(outcome.p99_us, 0)),
            "flooded_rps": round(flooded.rate, 0),
            "flooded_p50_us": round(flooded.p50_us, 0),
            "flooded_p99_us": round(flooded.p99_us, 0),
            "statuses": flooded.statuses.iter().map(|(status, count)| (status.to_string(), json!(count)))
                .collect::<Map<_, _>>(),
        })
    });
    classes.collect()
}

fn print(flood: &Flood, alone: &[Outcome], flooded: &[Outcome]) {
    println!("\n{}: {} {} a second", flood.name, flood.rate, flood.what);
    println!("{:<20} {:>10} {:>10} {:>12} {:>10}  answers", "", "alone: rps", "p99 us", "flooded: rps", "p99 us");
    for (index, class) in CLASSES.into_iter().enumerate() {
        let cells = |outcome: Option<&Outcome>| {
            let dash = || ["-".to_owned(), "-".to_owned()];
            outcome.map_or_else(dash, |outcome| [outcome.rate, outcome.p99_us].map(|value| format!("{value:.0}")))
        };
        let ([rate, p99], [rate_flooded, p99_flooded]) = (cells(alone.get(index)), cells(flooded.get(index)));
        println!(
            "{class:<20} {rate:>10} {p99:>10} {rate_flooded:>12} {p99_flooded:>10}  {:?}",
            flooded[index].statuses
        );
    }
}
