//! What the filter takes: its size, the time until Envoy answers, as Wasm and as a native module, and the linear memory of
//! one VM.

use super::cases::{Case, Cases};
use super::contenders::{Behind, Contender, bare, contender};
use super::load::{self, Stream};
use super::machine::{self, Cores};
use super::measure::median;
use super::report::round;
use super::start;
use super::support::client::{head, try_send};
use super::support::envoy::{Envoy, module};
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The name of this part.
pub const NAME: &str = "footprint";
/// The most that the linear memory may be with a full cache, in MiB.
pub const MEMORY_LIMIT_MIB: f64 = 12.0;
/// The longest time from the start of Envoy to its first answer with the native module, in milliseconds.
const MODULE_START_LIMIT_MS: f64 = 200.0;
/// How often starts are measured.
const STARTS: usize = 3;
/// Tokens a second while the cache is filled.
const FILLING_RATE: f64 = 1_000.0;
/// How often that is tried again.
const FILLINGS: usize = 3;

/// Measures it, prints it, and returns it.
pub fn measure(cores: &Cores, cases: &Cases) -> Value {
    let size = std::fs::metadata(module()).unwrap().len();
    let case = |name| cases.make(name).expect("a case");
    let idle = case("hit-rules");
    let rules = case("rules-10000");
    let alone = starts(|| (start(cores, &[bare()]), "bare".to_owned()));
    let with_filter = |who: Contender, case: &Case| starts(|| gate(cores, who, case));
    let (started, started_rules) =
        (with_filter(Contender::Scopegate, &idle), with_filter(Contender::Scopegate, &rules));
    let (natively, natively_rules) = (with_filter(Contender::Module, &idle), with_filter(Contender::Module, &rules));

    let (envoy, _) = gate(cores, Contender::Scopegate, &idle);
    let memory_idle = linear_memory(&envoy);
    let filled = fill(&envoy, cores, cases, &idle);
    let memory_filled = linear_memory(&envoy);
    drop(envoy);
    let (envoy, _) = gate(cores, Contender::Scopegate, &rules);
    let memory_rules = linear_memory(&envoy);

    let mebibytes = |bytes: u64| round(bytes as f64 / f64::from(1 << 20), 2);
    println!("\n{NAME}");
    println!("{size:>12} bytes of Wasm");
    println!(
        "{started:>12.0} ms from the start of Envoy to its first answer, {alone:.0} without the filter, {started_rules:.0} with 10 000 rules"
    );
    println!(
        "{natively:>12.0} ms with the native module, {natively_rules:.0} with 10 000 rules; the limit is {MODULE_START_LIMIT_MS}: {}",
        if natively <= MODULE_START_LIMIT_MS { "ok" } else { "MISS" }
    );
    println!("{:>12} MiB of linear memory of a VM when idle", mebibytes(memory_idle));
    println!(
        "{:>12} MiB with {} tokens in the cache; the limit is {MEMORY_LIMIT_MIB}: {}",
        mebibytes(memory_filled),
        filled.map_or_else(|| "10 000".to_owned(), |count| count.to_string()),
        if mebibytes(memory_filled) <= MEMORY_LIMIT_MIB { "ok" } else { "MISS" }
    );
    println!("{:>12} MiB with 10 000 rules", mebibytes(memory_rules));
    json!({
        "wasm_bytes": size,
        "start_ms": round(started, 0),
        "start_without_filter_ms": round(alone, 0),
        "start_10000_rules_ms": round(started_rules, 0),
        "module_start_ms": round(natively, 0),
        "module_start_10000_rules_ms": round(natively_rules, 0),
        "memory_idle_mib": mebibytes(memory_idle),
        "memory_10000_tokens_mib": mebibytes(memory_filled),
        "tokens_in_cache": filled,
        "memory_10000_rules_mib": mebibytes(memory_rules),
    })
}

/// An Envoy with nothing but Scopegate.
fn gate(cores: &Cores, who: Contender, case: &Case) -> (Envoy, String) {
    let listener = contender(who, case, Behind::DirectResponse);
    (start(cores, &[listener]), who.listener(case.name))
}

/// Milliseconds from the start of Envoy to its first answer: the median of some starts.
fn starts(start: impl Fn() -> (Envoy, String)) -> f64 {
    median((0..STARTS).map(|_| {
        let began = Instant::now();
        let (envoy, listener) = start();
        let request = head("GET", "/", &[]);
        while try_send(envoy.listener(&listener), &request).is_none() {
            assert!(began.elapsed() < Duration::from_mins(1), "{listener} does not answer");
        }
        began.elapsed().as_secs_f64() * 1e3
    }))
}

/// Has 10 000 tokens remembered. Returns how many are, where the module tells.
fn fill(envoy: &Envoy, cores: &Cores, cases: &Cases, case: &Case) -> Option<u64> {
    let mint = cases.mint(Algorithm::Rs256);
    let requests: Vec<_> = mint.tokens.iter().map(|token| case.request(Some(&format!("Bearer {token}")))).collect();
    let file = load::write_requests(NAME, &requests);
    let address = envoy.listener(&Contender::Scopegate.listener(case.name));
    let seconds = (requests.len() as f64 / FILLING_RATE).ceil() as u64;
    let send = || {
        let stream = Stream { address, requests: &file, rate: FILLING_RATE };
        load::paced(cores, &[stream], seconds).remove(0)
    };
    // A slow machine does not answer all of them in time at once.
    let mut outcome = send();
    for _ in 0..FILLINGS {
        if outcome.statuses.keys().eq([&200]) {
            break;
        }
        outcome = send();
    }
    assert!(outcome.statuses.keys().eq([&200]), "{:?}", outcome.statuses);
    let count = |what| envoy.stat(&format!("wasmcustom.scopegate.cache.{what}"));
    Some(count("misses")?.saturating_sub(count("evictions")?))
}

/// The linear memory of the largest VM, in bytes: what is writable right before the part that V8 keeps free behind
/// it, so that no 32-bit address of the module leaves it.
fn linear_memory(envoy: &Envoy) -> u64 {
    /// Behind a memory V8 reserves what a 32-bit address and a 32-bit offset can reach, less what is in use.
    const LEAST_RESERVED: u64 = 4 << 30;
    let process = machine::find_process(envoy.process_id(), "envoy").expect("Envoy's process");
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let mut before = (0, 0, "");
    let mut largest = 0;
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let (range, access) = (words.next().unwrap(), words.next().unwrap());
        let (first, end) = range.split_once('-').unwrap();
        let [first, end] = [first, end].map(|text| u64::from_str_radix(text, 16).unwrap());
        if access == "---p" && end - first >= LEAST_RESERVED && before.1 == first && before.2 == "rw-p" {
            largest = largest.max(first - before.0);
        }
        before = (first, end, access);
    }
    assert!(largest > 0, "no linear memory is to be seen in Envoy's memory map");
    largest
}
