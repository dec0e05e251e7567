//! One worker beside two: what a request costs when two workers judge at once, and how many are answered.
//!
//! Nothing is pinned, so on two cores the load takes its share of both: throughput says less here than processor time.

use super::cases::Cases;
use super::contenders::{Behind, Contender, bare, contender};
use super::load::{self, Run};
use super::machine::Cores;
use super::measure::median;
use super::report::round;
use super::settings::Settings;
use super::start_workers;
use serde_json::{Map, Value, json};

/// The name of this part.
pub const NAME: &str = "scaling";
/// What is measured: a remembered token, and a request without one.
const CASES: [&str; 2] = ["hit-default", "reject-none"];

/// Measures it, prints it, and returns it.
pub fn measure(cases: &Cases, settings: &Settings) -> Value {
    let anywhere = Cores { pinned: None };
    println!("\n{NAME}: worker time of a request in us, and requests a second, with one worker and with two");
    let mut whole = Map::new();
    for name in CASES {
        let case = cases.make(name).expect("a case");
        let mut listeners = vec![bare()];
        listeners.extend(Contender::ALL.map(|who| contender(who, &case, Behind::DirectResponse)));
        let names = ["bare".to_owned()].into_iter().chain(Contender::ALL.map(|who| who.listener(name)));
        let names: Vec<String> = names.collect();
        let requests = load::write_requests(NAME, &case.requests());
        let mut runs: Vec<[Vec<Run>; 2]> = names.iter().map(|_| [Vec::new(), Vec::new()]).collect();
        for _ in 0..settings.starts {
            for (index, workers) in [1, 2].into_iter().enumerate() {
                let envoy = start_workers(&anywhere, &listeners, workers);
                for (listener, runs) in names.iter().zip(&mut runs) {
                    // What is remembered is remembered by each worker.
                    load::full_speed(&envoy, &anywhere, listener, &requests, 1);
                    for _ in 0..settings.rounds {
                        runs[index].push(load::full_speed(&envoy, &anywhere, listener, &requests, settings.seconds));
                    }
                }
            }
        }
        let rows = names.iter().zip(&runs).map(|(listener, runs)| (listener.clone(), row(listener, runs)));
        whole.insert(name.replace('-', "_"), Value::Object(rows.collect()));
    }
    Value::Object(whole)
}

/// One listener's line.
fn row(listener: &str, [one, two]: &[Vec<Run>; 2]) -> Value {
    let cost = |runs: &[Run]| median(runs.iter().map(|run| run.worker_us));
    let rate = |runs: &[Run]| median(runs.iter().map(|run| run.rate));
    let (cost_one, cost_two, rate_one, rate_two) = (cost(one), cost(two), rate(one), rate(two));
    println!(
        "{listener:<28}{cost_one:>8.1} us{cost_two:>8.1} us  x{:.2}{rate_one:>10.0}/s{rate_two:>10.0}/s  x{:.2}",
        cost_two / cost_one,
        rate_two / rate_one
    );
    json!({
        "one_worker_us": round(cost_one, 1),
        "two_workers_us": round(cost_two, 1),
        "one_worker_rps": round(rate_one, 0),
        "two_workers_rps": round(rate_two, 0),
    })
}
