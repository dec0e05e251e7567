//! What it costs that the route which serves is the route that was judged: a hit whose headers the filter edits, one
//! whose headers the router edits, and one after the seal; with an upstream, so that the router's edits are in the
//! figures.

use super::cases::{Case, Cases};
use super::contenders::{Behind, Contender, contender};
use super::load;
use super::machine::Cores;
use super::measure::{in_turn, median};
use super::report::round;
use super::settings::Settings;
use super::start_with;
use super::support::envoy::{cluster, merge, root};
use super::support::server::{Answer, Server};
use super::support::yaml::documents;
use serde_json::{Value, json};

/// The name of this part.
pub const NAME: &str = "edits";
/// What edits, and whether the seal follows.
const KINDS: [(&str, bool); 3] = [("filter", false), ("router", false), ("filter", true)];
const CASES: [&str; 2] = ["hit-rules", "hit-default"];

/// Measures both cases, prints their figures, and returns them.
pub fn measure(cores: &Cores, cases: &Cases, settings: &Settings) -> Value {
    CASES.iter().map(|name| measure_case(cores, &cases.make(name).expect("a case"), settings)).collect()
}

fn measure_case(cores: &Cores, case: &Case, settings: &Settings) -> Value {
    let upstream = Server::start(0, |_| Answer::status(200)).unwrap();
    let listeners: Vec<Value> = KINDS.iter().map(|kind| listener(case, *kind)).collect();
    let envoy = start_with(cores, &listeners, &[cluster("upstream", upstream.address)]);
    let requests = load::write_requests(NAME, &case.requests());
    let run =
        |index: usize, seconds| load::full_speed(&envoy, cores, &gate_name(case, KINDS[index]), &requests, seconds);
    for index in 0..KINDS.len() {
        run(index, 1);
    }
    let mut runs: [Vec<load::Run>; KINDS.len()] = Default::default();
    for number in 0..settings.rounds {
        let forwards = in_turn(number)[0] == 0;
        for place in 0..KINDS.len() {
            let index = if forwards { place } else { KINDS.len() - 1 - place };
            runs[index].push(run(index, settings.seconds));
        }
    }
    println!(
        "\n{NAME}: `{}` with an upstream, its worker time a request in us, and by that of the filter's edits",
        case.name
    );
    let figures = KINDS.iter().zip(&runs).map(|(kind, own)| {
        let time = median(own.iter().map(|run| run.worker_us));
        let ratio = median(own.iter().zip(&runs[0]).map(|(own, filter)| own.worker_us / filter.worker_us));
        println!("{time:>9.1} {ratio:>6.2}  {}", words(*kind));
        json!({ "case": case.name, "edits": words(*kind), "worker_us": round(time, 1), "ratio": round(ratio, 3) })
    });
    figures.collect()
}

fn words((by, sealed): (&str, bool)) -> String {
    format!("by: {by}{}", if sealed { ", sealed" } else { "" })
}

fn gate_name(case: &Case, (by, sealed): (&str, bool)) -> String {
    format!("{NAME}.{}.{by}.{sealed}", case.name)
}

/// The listener of a case in which this one edits.
fn listener(case: &Case, kind: (&str, bool)) -> Value {
    let (by, sealed) = kind;
    let mut own = case.clone();
    merge(&mut own.scopegate, &json!({ "seal": sealed, "forward": { "by": by } }));
    if by == "router" {
        let value = "%FILTER_STATE(wasm.scopegate.subject:PLAIN)%";
        let edits = json!({
            "request_headers_to_remove": ["authorization", "x-auth-subject"],
            "request_headers_to_add": [{
                "header": { "key": "x-auth-subject", "value": value }, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }],
        });
        own.scopegate_routes.iter_mut().for_each(|route| merge(route, &edits));
    }
    let whole = contender(Contender::Scopegate, &own, Behind::Upstream).to_string();
    let whole = whole.replace(&Contender::Scopegate.listener(case.name), &gate_name(case, kind));
    let mut whole: Value = serde_json::from_str(&whole).unwrap();
    if sealed {
        let filters = &mut whole["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"];
        filters.as_array_mut().unwrap().insert(1, documents(&root().join("envoy/seal.yaml"))[0][0].clone());
    }
    whole
}
