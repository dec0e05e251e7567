//! What a hit is made of: Envoy alone, the way into the VM, each kind of host call, and our own code.

use super::cases::{Case, Cases};
use super::contenders::{Behind, Contender, bare, contender};
use super::hollow::{self, Call};
use super::load;
use super::machine::Cores;
use super::measure::{in_turn, median};
use super::report::round;
use super::settings::Settings;
use super::{start, work_directory};
use serde_json::{Value, json};

/// The name of this part.
pub const NAME: &str = "made-of";

/// One that is measured: what it is called, what it does more than the one before, its listener.
struct Step {
    name: String,
    what: &'static str,
    listener: Value,
}

/// Measures it, prints it, and returns it.
pub fn measure(cores: &Cores, cases: &Cases, settings: &Settings) -> Value {
    let case = |name| cases.make(name).expect("a case");
    let (rules, default) = (case("hit-rules"), case("hit-default"));
    let of = |who: Contender, case: &Case| (who.listener(case.name), contender(who, case, Behind::DirectResponse));
    let step = |(name, listener): (String, Value), what| Step { name, what, listener };
    let steps = [
        step(("bare".to_owned(), bare()), "Envoy alone"),
        step(empty(&rules, "enter", &[]), "into the VM and out of it, three times"),
        step(empty(&rules, "headers", &[Call::Headers]), "the header lines are read"),
        step(empty(&rules, "time", &[Call::Headers, Call::Time]), "the time is read"),
        step(empty(&rules, "edits", &[Call::Headers, Call::Time, Call::Edits]), "one header removed, one set"),
        step(of(Contender::Scopegate, &rules), "our own code: `hit-rules`"),
        step(
            empty(&rules, "metadata", &[Call::Headers, Call::Time, Call::Edits, Call::Metadata]),
            "as the calls above, and the metadata of route and virtual host read",
        ),
        step(
            empty(&rules, "record", &[Call::Headers, Call::Time, Call::Edits, Call::Metadata, Call::FilterState]),
            "a value put into filter state",
        ),
        step(of(Contender::Scopegate, &default), "our own code: `hit-default`"),
        step(of(Contender::Native, &rules), "`jwt_authn` + `rbac`: `hit-rules`"),
    ];
    let listeners: Vec<Value> = steps.iter().map(|step| step.listener.clone()).collect();
    let envoy = start(cores, &listeners);
    let requests = load::write_requests(rules.name, &rules.requests());
    let run = |step: &Step, seconds| load::full_speed(&envoy, cores, &step.name, &requests, seconds).worker_us;
    for step in &steps {
        run(step, 1);
    }
    let mut runs: Vec<Vec<f64>> = vec![Vec::new(); steps.len()];
    for number in 0..settings.rounds {
        let forwards = in_turn(number)[0] == 0;
        for place in 0..steps.len() {
            let index = if forwards { place } else { steps.len() - 1 - place };
            runs[index].push(run(&steps[index], settings.seconds));
        }
    }
    println!(
        "\n{NAME}: microseconds of the worker for each request, and the median ratio to Envoy alone in the same round"
    );
    let figures = steps.iter().zip(&runs).map(|(step, own)| {
        let ratio = median(own.iter().zip(&runs[0]).map(|(own, bare)| own / bare));
        let micros = median(own.iter().copied());
        println!("{micros:>8.1} {ratio:>6.2}  {:<24} {}", step.name, step.what);
        json!({ "step": step.name, "what": step.what, "worker_us": round(micros, 1), "ratio_to_bare": round(ratio, 2) })
    });
    figures.collect()
}

/// The listener of Scopegate in that case, with a module in its place that makes these calls and nothing else.
fn empty(case: &Case, name: &str, calls: &[Call]) -> (String, Value) {
    let path = work_directory().join(format!("{name}.wasm"));
    std::fs::write(&path, hollow::module(calls)).unwrap();
    let text = contender(Contender::Scopegate, case, Behind::DirectResponse).to_string();
    let module = super::support::envoy::module().to_string_lossy().into_owned();
    let listener = Contender::Scopegate.listener(case.name);
    let name = format!("{NAME}.{name}");
    let text = text.replace(&module, &path.to_string_lossy()).replace(&listener, &name);
    let text = text.replace("\"vm_id\":\"bench\"", &format!("\"vm_id\":\"{name}\""));
    (name, serde_json::from_str(&text).unwrap())
}
