//! The machine: its cores, and what a thread has used of them.

use serde_json::{Value, json};
use std::fs;
use std::process::Command;
use std::time::Duration;

/// Where things run: Envoy on one core, what loads it on another, where there are two.
#[derive(Clone, Debug)]
pub struct Cores {
    /// Envoy's, and that of the load.
    pub pinned: Option<(usize, usize)>,
}

impl Cores {
    /// The first two cores that this process may use.
    pub fn find() -> Self {
        let there = Command::new("taskset").arg("--version").output().is_ok_and(|output| output.status.success());
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or_default();
        let mut cores = allowed.trim().split(',').flat_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let number = |text: &str| text.parse::<usize>().unwrap_or_default();
            number(first)..=number(last)
        });
        let pinned = cores.next().zip(cores.next()).filter(|_| there);
        Self { pinned }
    }

    /// The command that pins what follows to Envoy's core.
    pub fn for_envoy(&self) -> Vec<String> {
        pin(self.pinned.map(|(envoy, _)| envoy))
    }

    /// The command that pins what follows to the core of the load.
    pub fn for_load(&self) -> Vec<String> {
        pin(self.pinned.map(|(_, load)| load))
    }

    /// In words.
    pub fn describe(&self) -> String {
        match self.pinned {
            Some((envoy, load)) => format!("Envoy pinned to core {envoy}, the load to core {load}"),
            None => "nothing pinned: that takes two cores and taskset".to_owned(),
        }
    }
}

fn pin(core: Option<usize>) -> Vec<String> {
    core.map_or_else(Vec::new, |core| vec!["taskset".to_owned(), "-c".to_owned(), core.to_string()])
}

/// The processor, its cores and the memory, in words.
pub fn describe() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.trim_start().strip_prefix(':'));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let version = kernel.split('-').next().unwrap_or_default();
    let virtual_machine = if cpu.contains(" hypervisor") { ", a virtual machine" } else { "" };
    let model = model.unwrap_or(" unknown processor").trim();
    format!("{model}, {cores} cores{virtual_machine}, Linux {}", version.trim())
}

/// The process named `name` at or below `root`.
pub fn find_process(root: u32, name: &str) -> Option<u32> {
    let comm = fs::read_to_string(format!("/proc/{root}/comm")).ok()?;
    if comm.trim() == name {
        return Some(root);
    }
    let children = fs::read_to_string(format!("/proc/{root}/task/{root}/children")).ok()?;
    children.split_whitespace().filter_map(|child| child.parse().ok()).find_map(|child| find_process(child, name))
}

/// The processor time that Envoy's workers have used so far.
pub fn worker_time(envoy: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{envoy}/task")).into_iter().flatten().flatten();
    let used = threads.map(|thread| thread.path()).filter_map(|thread| {
        let comm = fs::read_to_string(thread.join("comm")).ok()?;
        let times = fs::read_to_string(thread.join("schedstat")).ok()?;
        let used = times.split_whitespace().next()?.parse().ok()?;
        comm.starts_with("wrk:worker_").then(|| Duration::from_nanos(used))
    });
    used.sum()
}

/// How noisy the machine was: what others took of it, by what the kernel counts.
#[derive(Clone, Copy, Debug)]
pub struct Noise {
    stolen: u64,
    all: u64,
    load: f64,
}

impl Noise {
    /// Begins to look.
    pub fn begin() -> Self {
        let (stolen, all) = stolen_of_all(&fs::read_to_string("/proc/stat").unwrap_or_default());
        Self { stolen, all, load: load_average() }
    }

    /// The percentage of processor time since then that went to other virtual machines.
    fn stolen_percent(self) -> f64 {
        let (stolen, all) = stolen_of_all(&fs::read_to_string("/proc/stat").unwrap_or_default());
        let percent = (stolen - self.stolen) as f64 * 100.0 / (all - self.all).max(1) as f64;
        (percent * 100.0).round() / 100.0
    }

    /// In words.
    pub fn describe(self) -> String {
        let (before, after, stolen) = (self.load, load_average(), self.stolen_percent());
        format!(
            "noise: load average {before} before and {after} after (2 is the bench's own), {stolen} % of the time stolen"
        )
    }

    /// For machines.
    pub fn json(self) -> Value {
        json!({ "load_before": self.load, "load_after": load_average(), "stolen_percent": self.stolen_percent() })
    }
}

/// Of `/proc/stat`: the ticks that went to other virtual machines, and all.
pub fn stolen_of_all(stat: &str) -> (u64, u64) {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu ")).unwrap_or_default();
    // What guests used is counted in the first two already.
    let ticks: Vec<u64> = line.split_whitespace().take(8).filter_map(|word| word.parse().ok()).collect();
    (ticks.get(7).copied().unwrap_or_default(), ticks.iter().sum())
}

fn load_average() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(f64::NAN)
}
