//! What is saved where the record of a request that passes is not left in the filter state: `audit.filter_state: denials`
//! beside `all`, with every other default.

use super::cases::{Case, Cases};
use super::contenders::{Behind, Contender, contender};
use super::load::{self, Run};
use super::machine::Cores;
use super::measure::{median, two_in_turn};
use super::report::round;
use super::settings::Settings;
use super::start;
use super::support::envoy::merge;
use serde_json::{Value, json};

/// The name of this part.
pub const NAME: &str = "recorded";
const CASE: &str = "hit-default";
const KINDS: [&str; 2] = ["all", "denials"];
const CONTENDERS: [Contender; 2] = [Contender::Scopegate, Contender::Module];

/// Measures it in several starts, prints the figures, and returns them.
pub fn measure(cores: &Cores, cases: &Cases, settings: &Settings) -> Value {
    let case = cases.make(CASE).expect("a case");
    let all = CONTENDERS.iter().flat_map(|who| KINDS.map(|kind| listener(*who, &case, kind)));
    let listeners: Vec<Value> = all.collect();
    let requests = load::write_requests(NAME, &case.requests());
    let mut whole = CONTENDERS.map(|_| <[Vec<Run>; 2]>::default());
    for _ in 0..settings.starts {
        let envoy = start(cores, &listeners);
        for (who, runs) in CONTENDERS.iter().zip(&mut whole) {
            let run =
                |index: usize, seconds| load::full_speed(&envoy, cores, &name(*who, KINDS[index]), &requests, seconds);
            for (runs, more) in runs.iter_mut().zip(two_in_turn(settings, run)) {
                runs.extend(more);
            }
        }
    }
    println!(
        "\n{NAME}: `{CASE}`, the worker's time for a request in us with `all` and `denials`, and `all` by `denials`"
    );
    let figures = CONTENDERS.iter().zip(&whole).map(|(who, runs)| {
        let [all, denials] = runs.each_ref().map(|runs| median(runs.iter().map(|run| run.worker_us)));
        let pairs = || runs[0].iter().zip(&runs[1]);
        let ratio = median(pairs().map(|(all, denials)| all.worker_us / denials.worker_us));
        let gain = median(pairs().map(|(all, denials)| denials.rate / all.rate));
        println!("{all:>9.1} {denials:>9.1} {ratio:>6.3} ({gain:.3} by throughput)  {}", who.listener(CASE));
        json!({
            "listener": who.listener(CASE),
            "all_us": round(all, 1),
            "denials_us": round(denials, 1),
            "ratio": round(ratio, 3),
            "throughput_ratio": round(gain, 3),
        })
    });
    figures.collect()
}

fn name(who: Contender, kind: &str) -> String {
    format!("{NAME}.{kind}.{}", who.listener(CASE))
}

fn listener(who: Contender, case: &Case, kind: &str) -> Value {
    let mut own = case.clone();
    merge(&mut own.scopegate, &json!({ "audit": { "filter_state": kind } }));
    let whole = contender(who, &own, Behind::DirectResponse).to_string();
    serde_json::from_str(&whole.replace(&who.listener(CASE), &name(who, kind))).unwrap()
}
