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
/// The slowest hundredth of some hundred requests is a few of them, and varies more.
const SLOWEST: f64 = 1.5;

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
        // What is not there is no ratio, and not flat either.
        if before <= 0.0 || after <= 0.0 {
            problems.push(format!("{what} was not seen: {before:.2}, then {after:.2}"));
        } else if ratio > limit {
            problems.push(format!("{what} rose from {before:.2} to {after:.2}"));
        }
    };
    // A context that outlives its stream would be seen here: a worker has some hundred thousand streams in half an hour.
    compare("VM memory, MiB", MEMORY, &|sample| sample.vm_memory as f64 / 1_048_576.0);
    compare("memory of Envoy, MiB", MEMORY, &|sample| sample.resident as f64 / 1_048_576.0);
    compare("VMs", 1.0, &|sample| sample.vms as f64);
    compare("latency, as a multiple of that without the filter", LATENCY, &|sample| {
        sample.gate_p50 as f64 / sample.bare_p50.max(1) as f64
    });
    compare("99th percentile, as a multiple of that without the filter", SLOWEST, &|sample| {
        sample.gate_p99 as f64 / sample.bare_p99.max(1) as f64
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

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::soak::sample::Sample;

    fn samples(of: impl Fn(u64) -> Sample) -> Vec<Sample> {
        (1..=30).map(of).collect()
    }

    fn flat(second: u64) -> Sample {
        let mebibyte = 1_048_576;
        Sample {
            second,
            vm_memory: mebibyte,
            resident: 100 * mebibyte,
            vms: 5,
            gate_p50: 300,
            gate_p99: 2000,
            bare_p50: 200,
            bare_p99: 1500,
            ..Sample::default()
        }
    }

    #[test]
    fn what_rises_or_is_not_seen_any_more_is_a_problem() {
        let problems = |of: fn(u64) -> Sample| judge(&samples(of)).problems;
        assert_eq!(problems(flat), Vec::<String>::new());
        assert_eq!(
            problems(|second| Sample { vm_memory: flat(second).vm_memory + 20_000 * second, ..flat(second) }),
            ["VM memory, MiB rose from 1.25 to 1.48"]
        );
        assert_eq!(
            problems(|second| Sample { vm_memory: 0, ..flat(second) }),
            ["VM memory, MiB was not seen: 0.00, then 0.00"]
        );
        assert_eq!(problems(|second| Sample { vms: 5 + second / 20, ..flat(second) }), ["VMs rose from 5.00 to 6.00"]);
        assert_eq!(
            problems(|second| Sample { gate_p99: 1500 + 200 * second, ..flat(second) }),
            ["99th percentile, as a multiple of that without the filter rose from 2.73 to 4.33"]
        );
        assert_eq!(
            problems(|second| {
                let mut sample = flat(second);
                sample.window.hostile("expired", if second == 7 { 200 } else { 401 });
                sample
            }),
            ["second 7: 1 times expired: 200"]
        );
    }
}
