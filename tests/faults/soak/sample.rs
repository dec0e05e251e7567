//! What is seen in a few seconds.

use crate::stage::Stage;
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// What the clients saw since the last sample.
#[derive(Debug, Default)]
pub struct Window {
    gate: Vec<u64>,
    bare: Vec<u64>,
    pub requests: u64,
    pub hostile: u64,
    /// What was answered as it should not have been, by kind and status.
    pub wrong: BTreeMap<String, u64>,
}

impl Window {
    pub fn good(&mut self, time: Duration, status: u16) {
        self.requests += 1;
        self.gate.push(micros(time));
        self.count_wrong(status != 200, "a good token", status);
    }

    pub fn bare(&mut self, time: Duration, status: u16) {
        self.bare.push(micros(time));
        self.count_wrong(status != 200, "without the filter", status);
    }

    pub fn hostile(&mut self, what: &str, status: u16) {
        self.requests += 1;
        self.hostile += 1;
        // A refusal, and of the client's making: nothing here is ever down.
        self.count_wrong(!(400..500).contains(&status), what, status);
    }

    fn count_wrong(&mut self, wrong: bool, what: &str, status: u16) {
        if wrong {
            *self.wrong.entry(format!("{what}: {status}")).or_default() += 1;
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap()
}

/// What was done in the meantime.
#[derive(Debug, Default)]
pub struct Events {
    pub rotations: u64,
    pub revocations: u64,
    pub configurations: u64,
}

/// One sample.
#[derive(Debug, Default)]
pub struct Sample {
    pub second: u64,
    /// Bytes: the linear memory of one worker's VM, and what Envoy has in memory.
    pub vm_memory: u64,
    pub resident: u64,
    /// How many VMs there are in the process.
    pub vms: u64,
    /// Microseconds: requests with a good token, and requests without the filter.
    pub gate_p50: u64,
    pub gate_p99: u64,
    pub bare_p50: u64,
    pub bare_p99: u64,
    pub window: Window,
    pub events: Events,
}

impl Sample {
    pub fn take(second: u64, stage: &Stage, window: Window, events: Events) -> Self {
        let mut window = window;
        let [gate, bare] = [&mut window.gate, &mut window.bare].map(|times| {
            times.sort_unstable();
            let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
            (at(50), at(99))
        });
        Self {
            second,
            vm_memory: stage.envoy.counter("scopegate.vm.memory_bytes"),
            resident: resident(stage.envoy.process_id()),
            vms: stage.envoy.stat("wasm.envoy.wasm.runtime.v8.active").expect("a gauge of Envoy's"),
            gate_p50: gate.0,
            gate_p99: gate.1,
            bare_p50: bare.0,
            bare_p99: bare.1,
            window,
            events,
        }
    }
}

/// What the process named `envoy`, this one or one below it, has in memory, in bytes.
pub fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let value = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    if value("Name:") == Some("envoy") {
        let kilobytes = value("VmRSS:").and_then(|text| text.split(' ').next()).unwrap();
        return kilobytes.parse::<u64>().unwrap() * 1024;
    }
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    children.split_whitespace().map(|child| resident(child.parse().unwrap())).max().unwrap_or_default()
}

/// As comma-separated values.
pub fn csv(samples: &[Sample]) -> String {
    let mut text =
        "second,vm_memory_bytes,resident_bytes,vms,gate_p50_us,gate_p99_us,bare_p50_us,bare_p99_us,requests,hostile,wrong,\
        rotations,revocations,configurations\n"
            .to_owned();
    for sample in samples {
        let Sample { second, vm_memory, resident, vms, gate_p50, gate_p99, bare_p50, bare_p99, window, events } =
            sample;
        let wrong: u64 = window.wrong.values().sum();
        text += &format!(
            "{second},{vm_memory},{resident},{vms},{gate_p50},{gate_p99},{bare_p50},{bare_p99},{},{},{wrong},{},{},{}\n",
            window.requests, window.hostile, events.rotations, events.revocations, events.configurations
        );
    }
    text
}
