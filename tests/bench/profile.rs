//! Where the worker's time goes, by samples of `perf`: how much of it is in Envoy, in the code that V8 made of the
//! module, and in the kernel.

use super::cases::Case;
use super::contenders::Contender;
use super::load;
use super::machine::{self, Cores};
use super::support::envoy::Envoy;
use super::work_directory;
use std::process::Command;

/// Samples a second.
const FREQUENCY: &str = "4999";

/// Loads each contender once more, and prints what `perf` saw.
pub fn show(envoy: &Envoy, cores: &Cores, case: &Case) {
    let requests = load::write_requests(case.name, &case.requests());
    let process = machine::find_process(envoy.process_id(), "envoy").expect("Envoy's process");
    let seconds = case.settings.seconds.max(3);
    for who in Contender::ALL {
        let listener = who.listener(case.name);
        let file = work_directory().join(format!("{listener}.perf"));
        let (process, time) = (process.to_string(), (seconds - 1).to_string());
        let mut perf = Command::new("perf");
        perf.args(["record", "-q", "-e", "cpu-clock", "-F", FREQUENCY, "-g", "-p", &process, "-o"]).arg(&file);
        let mut perf = perf.args(["--", "sleep", &time]).spawn().expect("perf");
        let run = load::full_speed(envoy, cores, &listener, &requests, seconds);
        perf.wait().expect("perf");
        println!("\n{listener}: {:.1} us of the worker for each request", run.worker_us);
        report(&file, &["--sort", "dso"]);
        report(&file, &["--sort", "dso,symbol"]);
    }
}

fn report(file: &std::path::Path, options: &[&str]) {
    let mut perf = Command::new("perf");
    perf.args(["report", "--stdio", "--no-children", "-g", "none", "--percent-limit", "0.8", "-i"]).arg(file);
    let output = perf.args(options).output().expect("perf");
    let text = String::from_utf8_lossy(&output.stdout);
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        println!("{}", line.chars().take(150).collect::<String>());
    }
}
