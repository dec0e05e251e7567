//! What a tool call costs that is judged, beside one that is let through by its headers: in worker time, with an upstream, since
//! the headers of some go on before their body is judged.

use super::calls::{Posted, call, rules, stateless_call, tool};
use super::cases::{Case, Cases};
use super::contenders::{Behind, Contender, contender};
use super::load;
use super::machine::Cores;
use super::measure::{in_turn, median};
use super::report::round;
use super::settings::Settings;
use super::start_with;
use super::support::envoy::cluster;
use super::support::server::{Answer, Server};
use serde_json::{Value, json};
use std::path::PathBuf;

/// The name of this part.
pub const NAME: &str = "mcp-held";
/// The tools that have a rule.
const FEW: usize = 10;
const MANY: usize = 1_000;
/// The sizes of the calls, in bytes.
const SIZES: [usize; 3] = [400, 4_000, 40_000];

/// What is done with a call.
#[derive(Clone, Copy, Debug)]
struct Kind {
    name: &'static str,
    what: &'static str,
    /// Whether its headers wait, where it is judged.
    holds: Option<bool>,
    tools: usize,
    /// Whether it is one of the revision whose headers repeat what it says.
    is_stateless: bool,
}

const KINDS: [Kind; 5] = [
    Kind { name: "headers-alone", what: "not judged", holds: None, tools: FEW, is_stateless: false },
    Kind { name: "held", what: "`hold_headers: true`", holds: Some(true), tools: FEW, is_stateless: false },
    Kind { name: "ahead", what: "`hold_headers: false`", holds: Some(false), tools: FEW, is_stateless: false },
    Kind { name: "stateless", what: "held, under 2026-07-28", holds: Some(true), tools: FEW, is_stateless: true },
    Kind { name: "many", what: "held, 1 000 tools with rules", holds: Some(true), tools: MANY, is_stateless: false },
];

impl Kind {
    fn listener(self) -> String {
        format!("{NAME}.{}", self.name)
    }

    fn posted(self, bytes: usize) -> Posted {
        let (tool, _) = tool(self.tools - 1);
        if self.is_stateless { stateless_call(&tool, bytes) } else { call(&tool, bytes) }
    }

    fn case(self, cases: &Cases) -> Case {
        let base = cases.make(if self.tools == MANY { "mcp-1000-rules" } else { "mcp-400" }).expect("a case");
        let mut scopegate = base.scopegate.clone();
        scopegate["rules"] = rules(self.tools, self.holds == Some(true));
        if self.holds.is_none() {
            scopegate["rules"][0].as_object_mut().expect("a rule").remove("mcp");
        }
        let plugin = json!({ "allow_on_headers_stop_iteration": self.holds == Some(true) });
        Case { scopegate, plugin, ..base }
    }
}

/// Measures all kinds in all sizes, prints the figures, and returns them.
pub fn measure(cores: &Cores, cases: &Cases, settings: &Settings) -> Value {
    let upstream = Server::start(0, |_| Answer::status(200)).expect("a server");
    let own = KINDS.map(|kind| kind.case(cases));
    let listeners: Vec<Value> = KINDS.iter().zip(&own).map(|(kind, case)| listener(*kind, case)).collect();
    let envoy = start_with(cores, &listeners, &[cluster("upstream", upstream.address)]);
    let requests: Vec<Vec<PathBuf>> = KINDS
        .iter()
        .zip(&own)
        .map(|(kind, case)| SIZES.iter().map(|&bytes| write_requests(*kind, case, bytes)).collect())
        .collect();
    let run = |kind: usize, size: usize, seconds| {
        load::full_speed(&envoy, cores, &KINDS[kind].listener(), &requests[kind][size], seconds)
    };
    let mut times = vec![vec![Vec::new(); SIZES.len()]; KINDS.len()];
    for kind in 0..KINDS.len() {
        run(kind, 0, 1);
    }
    for number in 0..settings.rounds {
        let forwards = in_turn(number)[0] == 0;
        for (size, _) in SIZES.iter().enumerate() {
            for place in 0..KINDS.len() {
                let kind = if forwards { place } else { KINDS.len() - 1 - place };
                times[kind][size].push(run(kind, size, settings.seconds).worker_us);
            }
        }
    }
    println!(
        "\n{NAME}: a tool call with an upstream, its worker time in us, and by how much above one that is not judged"
    );
    let figures = KINDS.iter().zip(&times).map(|(kind, own)| figures_of(*kind, own, &times[0]));
    figures.collect()
}

fn figures_of(kind: Kind, own: &[Vec<f64>], unjudged: &[Vec<f64>]) -> Value {
    let above =
        |size: usize| -> Vec<f64> { own[size].iter().zip(&unjudged[size]).map(|(own, other)| own - other).collect() };
    let (smallest, largest) = (above(0), above(SIZES.len() - 1));
    let bytes = (SIZES[SIZES.len() - 1] - SIZES[0]) as f64;
    let byte_ns = median(smallest.iter().zip(&largest).map(|(small, large)| (large - small) * 1e3 / bytes));
    let mut line = String::new();
    let mut sizes = Vec::new();
    for (size, bytes) in SIZES.iter().enumerate() {
        let (time, above) = (median(own[size].iter().copied()), median(above(size).into_iter()));
        line += &format!("{time:>9.1} {above:>7.1}");
        sizes.push(json!({ "bytes": bytes, "worker_us": round(time, 1), "above_us": round(above, 1) }));
    }
    println!("{line} {byte_ns:>6.2} ns a byte  {}", kind.what);
    json!({ "what": kind.what, "sizes": sizes, "byte_ns": round(byte_ns, 2) })
}

fn write_requests(kind: Kind, case: &Case, bytes: usize) -> PathBuf {
    let case = Case { posted: Some(kind.posted(bytes)), ..case.clone() };
    load::write_requests(&format!("{}.{bytes}", kind.listener()), &case.requests())
}

fn listener(kind: Kind, case: &Case) -> Value {
    let whole = contender(Contender::Scopegate, case, Behind::Upstream).to_string();
    let whole = whole.replace(&Contender::Scopegate.listener(case.name), &kind.listener());
    serde_json::from_str(&whole).expect("JSON")
}
