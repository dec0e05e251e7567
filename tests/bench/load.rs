//! The two ways to load a listener: as fast as it answers (wrk), and at a fixed rate (a process of our own, see
//! [`super::pace`]). Each request of a case is sent byte for byte, in turn.

use super::machine::{self, Cores};
use super::pace;
use super::support::envoy::{Envoy, root};
use super::work_directory;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Connections of wrk, and of each stream at a fixed rate. With 16 a worker always has the next request waiting.
pub const CONNECTIONS: usize = 16;

/// Writes requests to a file that both tools read.
pub fn write_requests(name: &str, requests: &[Vec<u8>]) -> PathBuf {
    let path = work_directory().join(format!("{name}.requests"));
    let mut content = Vec::new();
    for request in requests {
        content.extend(format!("{}\n", request.len()).into_bytes());
        content.extend(request);
    }
    fs::write(&path, content).unwrap();
    path
}

/// The bytes of a request with this `authorization`.
pub fn request(path: &str, credential: Option<&str>) -> Vec<u8> {
    let line = credential.map(|credential| ("authorization", credential));
    request_with(path, line.as_slice())
}

/// The bytes of a request with these lines.
pub fn request_with(path: &str, lines: &[(&str, &str)]) -> Vec<u8> {
    request_of("GET", path, "application/json", lines)
}

/// The bytes of the head of a request with these lines.
pub fn request_of(method: &str, path: &str, accepted: &str, lines: &[(&str, &str)]) -> Vec<u8> {
    let mut text =
        format!("{method} {path} HTTP/1.1\r\nhost: api.example.com\r\nuser-agent: bench/1\r\naccept: {accepted}\r\n");
    for (name, value) in lines {
        text += &format!("{name}: {value}\r\n");
    }
    text += "\r\n";
    text.into_bytes()
}

/// What came of one run at full speed.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Requests that were answered.
    pub answered: u64,
    /// Requests a second.
    pub rate: f64,
    /// Microseconds of the worker's processor time for each request.
    pub worker_us: f64,
    /// The part of the time in which the worker was busy.
    pub busy: f64,
}

/// A load as fast as it is answered.
#[derive(Clone, Copy, Debug)]
pub struct Load<'a> {
    /// The process id of the Envoy whose worker is measured.
    pub measured: u32,
    /// Where the requests are sent.
    pub address: SocketAddr,
    pub requests: &'a Path,
    /// How long at most.
    pub seconds: u64,
    /// Whether it ends when each request has been sent once, and not when the time is over.
    pub is_once: bool,
}

/// Loads a listener as fast as it answers.
pub fn full_speed(envoy: &Envoy, cores: &Cores, listener: &str, requests: &Path, seconds: u64) -> Run {
    let (measured, address) = (envoy.process_id(), envoy.listener(listener));
    Load { measured, address, requests, seconds, is_once: false }.run(cores)
}

impl Load<'_> {
    /// Sends it.
    pub fn run(self, cores: &Cores) -> Run {
        let process = machine::find_process(self.measured, "envoy").expect("Envoy's process");
        let before = machine::worker_time(process);
        let url = format!("http://{}/", self.address);
        let script = root().join("tests/bench/wrk.lua");
        let (connections, duration) = (format!("-c{CONNECTIONS}"), format!("-d{}s", self.seconds));
        let arguments = ["wrk", "-t1", &connections, &duration, "--timeout", "5s", "-s"];
        let mut words = cores.for_load();
        words.extend(arguments.map(str::to_owned));
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).arg(script).arg(url).arg("--").arg(self.requests);
        let output = command.args(self.is_once.then_some("once")).output().expect("wrk");
        let text = String::from_utf8_lossy(&output.stdout);
        let summary = text.lines().find_map(|line| line.strip_prefix("summary "));
        let summary = summary.unwrap_or_else(|| panic!("wrk said {text}{}", String::from_utf8_lossy(&output.stderr)));
        let numbers: Vec<u64> = summary.split(' ').filter_map(|number| number.parse().ok()).collect();
        let [answered, duration_us, failed] = numbers[..] else { panic!("wrk said {summary}") };
        assert_eq!(failed, 0, "{}: requests without an answer", self.requests.display());
        let used = machine::worker_time(process).saturating_sub(before);
        let elapsed = Duration::from_micros(duration_us);
        Run {
            answered,
            rate: answered as f64 / elapsed.as_secs_f64(),
            worker_us: used.as_secs_f64() * 1e6 / answered as f64,
            busy: used.as_secs_f64() / elapsed.as_secs_f64(),
        }
    }
}

/// One stream of requests at a fixed rate.
#[derive(Clone, Debug)]
pub struct Stream<'a> {
    pub address: SocketAddr,
    pub requests: &'a Path,
    /// Requests a second.
    pub rate: f64,
}

/// Sends streams of requests side by side, each at its rate, from a separate process.
pub fn paced(cores: &Cores, streams: &[Stream<'_>], seconds: u64) -> Vec<pace::Outcome> {
    let mut words = cores.for_load();
    words.push(std::env::current_exe().unwrap().to_string_lossy().into_owned());
    words.extend(["pace".to_owned(), seconds.to_string(), cores.pinned.is_some().to_string()]);
    for stream in streams {
        words.push(stream.address.to_string());
        words.push(stream.rate.to_string());
        words.push(stream.requests.to_string_lossy().into_owned());
    }
    let output = Command::new(&words[0]).args(&words[1..]).output().expect("the paced client");
    let text = String::from_utf8_lossy(&output.stdout);
    let outcomes: Vec<_> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let outcomes: Vec<_> = outcomes.iter().filter_map(pace::Outcome::from_json).collect();
    assert_eq!(outcomes.len(), streams.len(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    outcomes
}
