//! What looking a token up in revocation lists costs: the same requests without a list, and with long ones.

use super::cases::{Case, Cases};
use super::contenders::{Behind, Contender, contender};
use super::load;
use super::machine::Cores;
use super::measure::{in_turn, median};
use super::report::round;
use super::settings::Settings;
use super::start_with;
use super::support::envoy::cluster;
use super::support::issuer::ISSUER;
use super::support::server::{Answer, Server};
use scopegate::base::time::UnixSeconds;
use scopegate::revocation::{Builder, Entry};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The name of this part.
pub const NAME: &str = "revocations";
/// How many entries a list has.
const ENTRIES: usize = 1_000_000;
/// What a request is looked up in.
const KINDS: [(&str, &[&str]); 3] =
    [("none", &[]), ("jti", &["jti"]), ("every_kind", &["jti", "fingerprint", "sub", "sid", "client_id", "kid"])];

/// Measures `hit-rules` with these lists, prints it, and returns it.
pub fn measure(cores: &Cores, cases: &Cases, settings: &Settings) -> Value {
    let case = cases.make("hit-rules").expect("a case");
    let documents = KINDS.map(|(_, kinds)| list(kinds));
    let server = Server::start(0, move |received| {
        let index = KINDS.iter().position(|(name, _)| received.target == format!("/{name}")).expect("one of the lists");
        Answer { status: 200, headers: Vec::new(), body: documents[index].clone() }
    })
    .unwrap();
    let listeners = KINDS.map(|(name, _)| listener(&case, name));
    let envoy = start_with(cores, &listeners, &[cluster("lists", server.address)]);
    let began = Instant::now();
    for (name, kinds) in KINDS {
        let gauge = format!("wasmcustom.scopegate.revocation.entries.{name}");
        while !kinds.is_empty() && envoy.stat(&gauge) != Some(ENTRIES as u64) {
            assert!(began.elapsed() < Duration::from_mins(1), "{name} has not come");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    let requests = load::write_requests(NAME, &case.requests());
    let run = |index: usize, seconds| load::full_speed(&envoy, cores, &gate_name(KINDS[index].0), &requests, seconds);
    for index in 0..KINDS.len() {
        run(index, 1);
    }
    let mut runs: [Vec<load::Run>; 3] = Default::default();
    for number in 0..settings.rounds {
        let forwards = in_turn(number)[0] == 0;
        for place in 0..KINDS.len() {
            let index = if forwards { place } else { KINDS.len() - 1 - place };
            runs[index].push(run(index, settings.seconds));
        }
    }
    println!("\n{NAME}: `hit-rules` with a list of 1 000 000 entries, and its throughput by that without a list");
    let figures = KINDS.iter().zip(&runs).map(|((name, kinds), own)| {
        let rate = median(own.iter().map(|run| run.rate));
        let ratio = median(own.iter().zip(&runs[0]).map(|(own, without)| own.rate / without.rate));
        println!("{rate:>9.0} {ratio:>6.2}  {name}");
        json!({ "entries_of": kinds, "rps": round(rate, 0), "ratio": round(ratio, 3) })
    });
    figures.collect()
}

fn gate_name(list: &str) -> String {
    format!("{NAME}.{list}")
}

/// A list in the binary form, of tokens that no request has.
fn list(kinds: &[&str]) -> Vec<u8> {
    let mut builder = Builder::new(UnixSeconds(0));
    for number in 0..ENTRIES {
        let Some(kind) = kinds.get(number % kinds.len().max(1)) else { break };
        let mut members = json!({ "iss": ISSUER, *kind: format!("another-{number}") });
        match *kind {
            // Without an issuer, and 128 bits in base64url.
            "fingerprint" => members = json!({ "fingerprint": format!("{number:021}A") }),
            "sub" | "client_id" => members["issued_before"] = json!(1),
            _ => {}
        }
        builder.add(&Entry::from_members(members.as_object().unwrap()).unwrap());
    }
    builder.finish().bytes().pieces().concat()
}

/// The listener of `hit-rules` with this list.
fn listener(case: &Case, list: &str) -> Value {
    let mut case = case.clone();
    if list != KINDS[0].0 {
        case.scopegate["revocation"] = json!({ "lists": [{
            "name": list, "uri": format!("http://lists.example.com/{list}"), "cluster": "lists", "refresh": "1h",
            "timeout": "10s", "max_bytes": 33_554_432,
        }] });
    }
    let whole = contender(Contender::Scopegate, &case, Behind::DirectResponse).to_string();
    let whole = whole.replace(&Contender::Scopegate.listener(case.name), &gate_name(list));
    serde_json::from_str(&whole).unwrap()
}
