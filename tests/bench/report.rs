//! What came out: a table for people, a file for machines.

use super::chart::thousands;
use super::measure::{BUSY, Figures, Result};
use serde_json::{Map, Value, json};

/// The most that the 99th percentile may be of the native one, in the hit cases.
pub const P99_LIMIT: f64 = 1.1;
/// The same for the native module.
pub const MODULE_P99_LIMIT: f64 = 1.0;

/// Whether a result keeps to its target, where it has one.
pub fn keeps_target(result: &Result) -> Option<bool> {
    // As it is printed: two digits after the point.
    result.case.target.map(|target| round(result.ratio(), 2) >= target)
}

/// The least ratio of the native module's throughput to that of Envoy's own filters.
pub fn module_target(case: &str) -> Option<f64> {
    Some(match case {
        "hit-rules" | "hit-many" => 1.2,
        "hit-default" => 1.12,
        "hit-metadata" | "miss-es256" | "reject-signature" => 1.15,
        "miss-rs256" => 1.25,
        "miss-eddsa" => 1.4,
        "reject-expired" | "reject-scope" => 1.1,
        "reject-none" | "reject-garbage" => 1.0,
        "rules-10000" => 20.0,
        _ => return None,
    })
}

/// Whether the native module keeps to its target, where it has one.
pub fn module_keeps_target(result: &Result) -> Option<bool> {
    module_target(result.case.name).map(|target| round(result.module_ratio(), 2) >= target)
}

/// Whether the latency keeps to its limit.
pub fn keeps_p99(result: &Result) -> Option<bool> {
    result.p99_ratio().map(|ratio| round(ratio, 2) <= P99_LIMIT)
}

/// The heading of the table.
pub fn heading() -> String {
    format!(
        "{:<18} {:>9} {:>9} {:>6} {:>11} {:>6}      {:>9} {:>9} {:>6}      {:>8} {:>8} {:>6}",
        "case",
        "scopegate",
        "native",
        "ratio",
        "(rounds)",
        "target",
        "p99 us",
        "native",
        "ratio",
        "cpu us",
        "native",
        "ratio"
    )
}

/// A line of the table.
pub fn line(result: &Result) -> String {
    let (low, high) = result.spread();
    let target = result.case.target.map_or_else(|| "-".to_owned(), |target| format!("{target:.2}"));
    let micros = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.0}"));
    let mut line = format!(
        "{:<18} {:>9.0} {:>9.0} {:>6.2} {:>11} {:>6} {:<4} {:>9} {:>9} {:>6} {:<4} {:>8.1} {:>8.1} {:>6.2}",
        result.case.name,
        result.scopegate.rate(),
        result.native.rate(),
        result.ratio(),
        format!("{low:.2}-{high:.2}"),
        target,
        mark(keeps_target(result)),
        micros(result.scopegate.p99_us()),
        micros(result.native.p99_us()),
        result.p99_ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
        mark(keeps_p99(result)),
        result.scopegate.worker_us(),
        result.native.worker_us(),
        result.worker_ratio(),
    );
    let busy = result.scopegate.busy().min(result.module.busy()).min(result.native.busy());
    if busy < BUSY {
        line += &format!("  the worker was busy {:.0} % of the time only", busy * 100.0);
    }
    line += &format!(
        "\n{:<18} {:>9.0} {:>9} {:>6.2} {:>11} {:>6} {:<4} {:>9} {:>9} {:>6} {:<4} {:>8.1} {:>8} {:>6.2}  without a filter {:.1} us, so at most {:.2}",
        "  native module",
        result.module.rate(),
        "",
        result.module_ratio(),
        "",
        module_target(result.case.name).map_or_else(|| "-".to_owned(), |target| format!("{target:.2}")),
        mark(module_keeps_target(result)),
        micros(result.module.p99_us()),
        "",
        result.module_p99_ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}")),
        mark(result.module_p99_ratio().map(|ratio| round(ratio, 2) <= MODULE_P99_LIMIT)),
        result.module.worker_us(),
        "",
        result.module_worker_ratio(),
        result.bare_us(),
        result.ceiling(),
    );
    line
}

const fn mark(kept: Option<bool>) -> &'static str {
    match kept {
        Some(true) => "ok",
        Some(false) => "MISS",
        None => "",
    }
}

/// The table in Markdown, as tests/bench/README.md has it.
pub fn markdown(results: &[Result]) -> String {
    let mut table = "| case | Wasm | module | native | Wasm / native | target | module / native | target | p99, Wasm | p99, module | p99, native |\n".to_owned();
    table += "|---|---|---|---|---|---|---|---|---|---|---|\n";
    for result in results {
        let micros = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{} µs", thousands(value)));
        table += &format!(
            "| `{}`: {} | {} | {} | {} | **{:.2}** | {} | **{:.2}** | {} | {} | {} | {} |\n",
            result.case.name,
            result.case.what,
            thousands(result.scopegate.rate()),
            thousands(result.module.rate()),
            thousands(result.native.rate()),
            result.ratio(),
            result.case.target.map_or_else(String::new, |target| format!("{target:.2}")),
            result.module_ratio(),
            module_target(result.case.name).map_or_else(String::new, |target| format!("{target:.2}")),
            micros(result.scopegate.p99_us()),
            micros(result.module.p99_us()),
            micros(result.native.p99_us()),
        );
    }
    table
}

/// All of it, for machines.
pub fn json(results: &[Result], rest: Map<String, Value>) -> Value {
    let cases: Vec<Value> = results
        .iter()
        .map(|result| {
            json!({
                "name": result.case.name,
                "what": result.case.what,
                "scopegate_rps": round(result.scopegate.rate(), 0),
                "native_rps": round(result.native.rate(), 0),
                "module_rps": round(result.module.rate(), 0),
                "module_ratio": round(result.module_ratio(), 3),
                "module_target": module_target(result.case.name),
                "module_ok": module_keeps_target(result),
                "module_p50_us": result.module.p50_us().map(|value| round(value, 0)),
                "module_p99_us": result.module.p99_us().map(|value| round(value, 0)),
                "module_p99_ratio": result.module_p99_ratio().map(|value| round(value, 3)),
                "module_p99_ok": result.module_p99_ratio().map(|ratio| round(ratio, 2) <= MODULE_P99_LIMIT),
                "module_worker_us": round(result.module.worker_us(), 2),
                "module_worker_ratio": round(result.module_worker_ratio(), 3),
                "module_found_in_cache": found(&result.module),
                "worker_ratio": round(result.worker_ratio(), 3),
                "ratio": round(result.ratio(), 3),
                "ratio_low": round(result.spread().0, 3),
                "ratio_high": round(result.spread().1, 3),
                "target": result.case.target,
                "ok": keeps_target(result),
                "paced_rps": result.paced_at(),
                "scopegate_p50_us": result.scopegate.p50_us().map(|value| round(value, 0)),
                "native_p50_us": result.native.p50_us().map(|value| round(value, 0)),
                "scopegate_p99_us": result.scopegate.p99_us().map(|value| round(value, 0)),
                "native_p99_us": result.native.p99_us().map(|value| round(value, 0)),
                "p99_ratio": result.p99_ratio().map(|value| round(value, 3)),
                "p99_ok": keeps_p99(result),
                "scopegate_worker_us": round(result.scopegate.worker_us(), 2),
                "native_worker_us": round(result.native.worker_us(), 2),
                "bare_worker_us": round(result.bare_us(), 2),
                "ceiling": round(result.ceiling(), 3),
                "scopegate_found_in_cache": found(&result.scopegate),
                "native_found_in_cache": found(&result.native),
                "worker_busy": round(result.scopegate.busy().min(result.module.busy()).min(result.native.busy()), 3),
            })
        })
        .collect();
    let mut whole = rest;
    whole.insert("cases".into(), cases.into());
    Value::Object(whole)
}

fn found(figures: &Figures) -> Option<f64> {
    figures.found.map(|found| round(found, 4))
}

/// With `digits` digits after the point.
pub fn round(value: f64, digits: i32) -> f64 {
    let factor = 10_f64.powi(digits);
    (value * factor).round() / factor
}
