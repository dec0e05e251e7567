//! The module beside an earlier one, in one Envoy: what a change costs that should cost nothing. `BEFORE` names the file of
//! the earlier one.

use super::cases::{Case, Cases};
use super::contenders::{Behind, Contender, contender};
use super::load;
use super::machine::Cores;
use super::measure::{median, two_in_turn};
use super::report::round;
use super::settings::Settings;
use super::start;
use super::support::envoy::module;
use serde_json::{Value, json};

/// The name of this part.
pub const NAME: &str = "before";
/// The variable with the file of the earlier module.
pub const VARIABLE: &str = "BEFORE";
const CASES: [&str; 5] = ["hit-rules", "hit-default", "reject-none", "reject-scope", "miss-es256"];

/// Measures both, prints their figures, and returns them.
pub fn measure(cores: &Cores, cases: &Cases, settings: &Settings) -> Value {
    let Some(before) = std::env::var(VARIABLE).ok().filter(|path| !path.is_empty()) else {
        println!("\n{NAME}: {VARIABLE} names no earlier module, so nothing is measured");
        return Value::Null;
    };
    let before = std::fs::canonicalize(&before).unwrap_or_else(|error| panic!("{VARIABLE}={before}: {error}"));
    let cases: Vec<Case> = CASES.iter().filter_map(|name| cases.make(name)).collect();
    let names = |case: &Case| ["now", NAME].map(|which| format!("{}.{which}", case.name));
    let listeners = cases.iter().flat_map(|case| {
        let [now, earlier] = names(case);
        let whole = contender(Contender::Scopegate, case, Behind::DirectResponse).to_string();
        let under = |name: &str| whole.replace(&Contender::Scopegate.listener(case.name), name);
        // A virtual machine of its own.
        let earlier = under(&earlier)
            .replace(&*module().to_string_lossy(), &before.to_string_lossy())
            .replace("\"vm_id\":\"bench\"", "\"vm_id\":\"before\"");
        [under(&now), earlier].map(|text| serde_json::from_str(&text).unwrap())
    });
    let envoy = start(cores, &listeners.collect::<Vec<Value>>());
    println!("\n{NAME}: the worker's time for a request in us, now and before, and now by before");
    let figures = cases.iter().map(|case| {
        let requests = load::write_requests(NAME, &case.requests());
        let names = names(case);
        let run = |index: usize, seconds| load::full_speed(&envoy, cores, &names[index], &requests, seconds);
        let runs = two_in_turn(settings, run);
        let [now, earlier] = runs.each_ref().map(|runs| median(runs.iter().map(|run| run.worker_us)));
        let pairs = runs[0].iter().zip(&runs[1]);
        let ratio = median(pairs.map(|(now, earlier)| now.worker_us / earlier.worker_us));
        println!("{now:>9.1} {earlier:>9.1} {ratio:>6.3}  {}", case.name);
        json!({ "case": case.name, "now_us": round(now, 1), "before_us": round(earlier, 1), "ratio": round(ratio, 3) })
    });
    figures.collect()
}
