//! Whether it stayed flat: the last two fifths against the two fifths before them. The first fifth is for warming up.

use super::sample::Sample;

/// What is said of the whole run.
pub struct Verdict {
    pub text: String,
    pub problems: Vec<String>,
}

/// By how much something may be higher at the end.
const MEMORY: f64 = 1.05;
/// The machine has other work to do: both latencies are taken at the same time, and their ratio is compared.
const LATENCY: f64 = 1.25;

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

pub fn judge(samples: &[Sample]) -> Verdict {
    assert!(samples.len() >= 10, "too short to judge: {} samples", samples.len());
    let fifth = samples.len() / 5;
    let (middle, last) = samples[fifth..].split_at((samples.len() - fifth) / 2);
    let mut problems = Vec::new();
    let mut text = String::new();
    let mut compare = |what: &str, limit: f64, of: &dyn Fn(&Sample) -> f64| {
        let [before, after] = [middle, last].map(|part| median(part.iter().map(of)));
        let ratio = after / before;
        text += &format!("{what}: {before:.2}, then {after:.2} ({ratio:.3})\n");
        if ratio > limit {
            problems.push(format!("{what} rose from {before:.2} to {after:.2}"));
        }
    };
    compare("VM memory, MiB", MEMORY, &|sample| sample.vm_memory as f64 / 1_048_576.0);
    compare("memory of Envoy, MiB", MEMORY, &|sample| sample.resident as f64 / 1_048_576.0);
    compare("VMs", 1.0, &|sample| sample.vms as f64);
    compare("latency, as a multiple of that without the filter", LATENCY, &|sample| {
        sample.gate_p50 as f64 / sample.bare_p50.max(1) as f64
    });
    compare("latency, ms", f64::INFINITY, &|sample| sample.gate_p50 as f64 / 1000.0);
    let sum = |of: fn(&Sample) -> u64| samples.iter().map(of).sum::<u64>();
    text += &format!(
        "{} requests in {} s, {} of them hostile; {} rotations, {} revocations, {} configurations\n",
        sum(|sample| sample.window.requests),
        samples.last().map_or(0, |sample| sample.second),
        sum(|sample| sample.window.hostile),
        sum(|sample| sample.events.rotations),
        sum(|sample| sample.events.revocations),
        sum(|sample| sample.events.configurations),
    );
    for sample in samples {
        for (what, count) in &sample.window.wrong {
            problems.push(format!("second {}: {count} times {what}", sample.second));
        }
    }
    Verdict { text, problems }
}
