//! `make bench`: Scopegate, as Wasm and as a native module, beside Envoy's own filters in one real Envoy, doing the same work.
//!
//! One worker on one core, the load from another process on another core. It prints a table and writes
//! `results.json`, `chart.svg` and `table.md` under `target/bench`; a part of a run writes `results-partial.json` alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool that stops at what it does not expect, measures time, and prints"
)]

mod before;
mod calls;
mod cases;
pub(crate) mod chart;
pub(crate) mod contenders;
mod edits;
mod flood;
mod footprint;
mod held;
mod hollow;
pub(crate) mod load;
mod looked_up;
pub(crate) mod machine;
mod made_of;
pub(crate) mod measure;
mod opaque;
pub(crate) mod pace;
mod profile;
mod proof;
mod recorded;
mod report;
mod scaling;
pub(crate) mod settings;
mod signed;
mod stolen;
#[path = "../support/mod.rs"]
mod support;
mod tokens;

use cases::{Case, Cases};
use contenders::{Behind, Contender, bare, contender, environment};
use machine::Cores;
use serde_json::{Map, Value, json};
use settings::Settings;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use support::envoy::{Envoy, root};

/// Where tokens are kept, and results go.
fn work_directory() -> PathBuf {
    let path = root().join("target/bench");
    fs::create_dir_all(&path).unwrap();
    path
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((first, rest)) = arguments.split_first()
        && first == "pace"
    {
        pace::main(rest);
        return ExitCode::SUCCESS;
    }
    match Settings::read(arguments.into_iter()) {
        Ok(settings) => {
            bench(&settings);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn bench(settings: &Settings) {
    let cores = Cores::find();
    println!("{}; {}", machine::describe(), cores.describe());
    println!(
        "{} starts of Envoy, in each {} rounds of {} s; tokens are signed once, which takes a while the first time",
        settings.starts, settings.rounds, settings.seconds
    );
    let mut whole = Map::new();
    whole.insert("machine".into(), json!(machine::describe()));
    whole.insert("pinned".into(), json!(cores.pinned.is_some()));
    whole.insert("starts".into(), json!(settings.starts));
    whole.insert("rounds".into(), json!(settings.rounds));
    whole.insert("seconds".into(), json!(settings.seconds));
    let cases = Cases::new(settings.clone());
    let noise = machine::Noise::begin();
    let results = compare(&cores, settings, &cases, &mut whole);
    // A part that fails below takes nothing of these away.
    save(&results, &whole, settings.is_whole);
    for flood in [flood::TOKENS, flood::PASSWORDS] {
        if settings.wants(flood.name) {
            whole.insert(flood.name.replace('-', "_"), flood::measure(&flood, &cores, &cases, settings));
        }
    }
    if settings.wants(made_of::NAME) {
        whole.insert(made_of::NAME.replace('-', "_"), made_of::measure(&cores, &cases, settings));
    }
    if settings.wants(edits::NAME) {
        whole.insert(edits::NAME.into(), edits::measure(&cores, &cases, settings));
    }
    if settings.wants(recorded::NAME) {
        whole.insert(recorded::NAME.into(), recorded::measure(&cores, &cases, settings));
    }
    if settings.wants(stolen::NAME) {
        whole.insert(stolen::NAME.into(), stolen::measure(&cores, &cases, settings));
    }
    if settings.wants(before::NAME) {
        whole.insert(before::NAME.into(), before::measure(&cores, &cases, settings));
    }
    if settings.wants(looked_up::NAME) {
        whole.insert(looked_up::NAME.into(), looked_up::measure(&cores, &cases, settings));
    }
    if settings.wants(held::NAME) {
        whole.insert(held::NAME.replace('-', "_"), held::measure(&cores, &cases, settings));
    }
    if settings.wants(scaling::NAME) {
        whole.insert(scaling::NAME.into(), scaling::measure(&cases, settings));
    }
    if settings.wants(footprint::NAME) {
        whole.insert(footprint::NAME.into(), footprint::measure(&cores, &cases));
    }
    println!("\n{}", noise.describe());
    whole.insert("noise".into(), noise.json());
    save(&results, &whole, settings.is_whole);
    if !settings.is_whole {
        println!(
            "a part of a run: target/bench/{PARTIAL} has it; results.json, chart.svg and table.md stay as they were"
        );
    }
}

/// The results of a part of a run, and of a whole one that is not at its end.
const PARTIAL: &str = "results-partial.json";

/// Writes what there is so far; in the place of a whole run's results only what is whole.
fn save(results: &[measure::Result], whole: &Map<String, Value>, is_whole: bool) {
    let write = |name: &str, text: String| fs::write(work_directory().join(name), text).unwrap();
    let name = if is_whole { "results.json" } else { PARTIAL };
    if is_whole {
        write("chart.svg", chart::draw(results, &machine::describe()));
        write("table.md", report::markdown(results));
    }
    write(name, serde_json::to_string_pretty(&report::json(results, whole.clone())).unwrap() + "\n");
}

/// Measures the cases that are wanted, each contender in turn.
fn compare(cores: &Cores, settings: &Settings, cases: &Cases, whole: &mut Map<String, Value>) -> Vec<measure::Result> {
    let cases: Vec<Case> = settings.parts.iter().filter_map(|part| cases.make(part)).collect();
    if cases.is_empty() {
        return Vec::new();
    }
    let (_introspection, cluster) = opaque::endpoint();
    proof::prove(&cases, &cluster);
    println!("all three give the same answers, and send the same upstream\n");
    let mut listeners = vec![bare()];
    for case in &cases {
        listeners.extend(Contender::ALL.map(|who| contender(who, case, Behind::DirectResponse)));
    }
    let mut results: Vec<measure::Result> = cases.iter().map(measure::Result::new).collect();
    let mut alone = Vec::new();
    for start in 0..settings.starts {
        let envoy = start_with(cores, &listeners, std::slice::from_ref(&cluster));
        let requests = load::write_requests("bare", &[load::request(&cases[0].path, None)]);
        let bare = load::full_speed(&envoy, cores, "bare", &requests, settings.seconds);
        println!(
            "\nstart {}; Envoy alone: {:.0} requests a second, {:.1} us each\n",
            start + 1,
            bare.rate,
            bare.worker_us
        );
        alone.push(bare.rate);
        whole.insert("bare_rps".into(), json!(report::round(measure::median(alone.iter().copied()), 0)));
        println!("{}", report::heading());
        for result in &mut results {
            measure::case(&envoy, cores, result, start);
            println!("{}", report::line(result));
            if settings.profile && start == 0 {
                profile::show(&envoy, cores, &result.case);
            }
        }
        save(&results, whole, false);
    }
    results
}

/// One Envoy with one worker and these listeners.
fn start(cores: &Cores, listeners: &[Value]) -> Envoy {
    start_with(cores, listeners, &[])
}

/// One Envoy with `workers` workers and these listeners.
fn start_workers(cores: &Cores, listeners: &[Value], workers: u32) -> Envoy {
    launch(cores, listeners, &[], workers)
}

/// The bootstrap with these clusters.
fn start_with(cores: &Cores, listeners: &[Value], clusters: &[Value]) -> Envoy {
    launch(cores, listeners, clusters, 1)
}

fn launch(cores: &Cores, listeners: &[Value], clusters: &[Value], workers: u32) -> Envoy {
    let bootstrap = json!({
        "admin": { "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } } },
        "static_resources": { "listeners": listeners, "clusters": clusters },
    });
    let pin = cores.for_envoy();
    let pin: Vec<&str> = pin.iter().map(String::as_str).collect();
    let started = Envoy::launch_in(&environment(), &bootstrap.to_string(), workers, &pin, &[]);
    started.unwrap_or_else(|log| panic!("Envoy did not start:\n{log}"))
}
