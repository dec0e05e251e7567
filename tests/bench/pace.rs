//! A client that sends requests at a fixed rate, whether or not the answers keep up: `pace SECONDS SPINS (ADDRESS RATE
//! FILE)…`. The latency of a request counts from when it was due, so a stall is charged to every request that was due
//! in it, also to those that could not be sent meanwhile (no coordinated omission).

use super::load::CONNECTIONS;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// What is not counted at the beginning: connections are new, and memory is cold.
const LEAD: Duration = Duration::from_millis(200);
/// How long answers are waited for in the end.
const DRAIN: Duration = Duration::from_secs(2);

/// What came of one stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Answers a second, of requests that were due in the time.
    pub rate: f64,
    /// Latencies in microseconds.
    pub p50_us: f64,
    pub p99_us: f64,
    pub worst_us: f64,
    /// Answers by their status. 0 means no answer.
    pub statuses: BTreeMap<u16, u64>,
}

impl Outcome {
    fn to_json(&self) -> Value {
        json!({
            "rate": self.rate, "p50_us": self.p50_us, "p99_us": self.p99_us, "worst_us": self.worst_us,
            "statuses": self.statuses.iter().map(|(status, count)| (status.to_string(), json!(count)))
                .collect::<serde_json::Map<_, _>>(),
        })
    }

    /// What [`main`] printed.
    pub fn from_json(value: &Value) -> Option<Self> {
        let number = |name: &str| value[name].as_f64();
        let statuses = value["statuses"].as_object()?.iter();
        Some(Self {
            rate: number("rate")?,
            p50_us: number("p50_us")?,
            p99_us: number("p99_us")?,
            worst_us: number("worst_us")?,
            statuses: statuses.filter_map(|(status, count)| Some((status.parse().ok()?, count.as_u64()?))).collect(),
        })
    }
}

/// Sends what the arguments say, and prints an [`Outcome`] for each stream.
pub fn main(arguments: &[String]) {
    let seconds: f64 = arguments[0].parse().unwrap();
    let spins: bool = arguments[1].parse().unwrap();
    let streams = arguments[2..].chunks_exact(3).map(|words| {
        let requests = read_requests(&std::fs::read(&words[2]).unwrap());
        Paced::new(words[0].parse().unwrap(), words[1].parse().unwrap(), requests)
    });
    for outcome in run(streams.collect(), Duration::from_secs_f64(seconds), spins) {
        println!("{}", outcome.to_json());
    }
}

/// The requests in a file of [`super::load::write_requests`].
fn read_requests(mut content: &[u8]) -> Vec<Vec<u8>> {
    let mut requests = Vec::new();
    while let Some(end) = content.iter().position(|byte| *byte == b'\n') {
        let length: usize = std::str::from_utf8(&content[..end]).unwrap().parse().unwrap();
        let (request, rest) = content[end + 1..].split_at(length);
        requests.push(request.to_vec());
        content = rest;
    }
    requests
}

/// One stream: what is to be sent, and what has come.
pub struct Paced {
    address: SocketAddr,
    interval: Duration,
    requests: Vec<Vec<u8>>,
    connections: Vec<Connection>,
    /// How many have become due.
    due: u32,
    /// When those became due that are not sent yet, since the start.
    waiting: VecDeque<Duration>,
    sent: usize,
    latencies: Vec<Duration>,
    statuses: BTreeMap<u16, u64>,
}

struct Connection {
    stream: TcpStream,
    /// When the request became due that is being answered.
    due: Option<Duration>,
    received: Vec<u8>,
}

impl Connection {
    fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_nonblocking(true).unwrap();
        Self { stream, due: None, received: Vec::new() }
    }
}

impl Paced {
    /// A stream of `rate` requests a second.
    pub fn new(address: SocketAddr, rate: f64, requests: Vec<Vec<u8>>) -> Self {
        Self {
            address,
            interval: Duration::from_secs_f64(1.0 / rate),
            requests,
            connections: (0..CONNECTIONS).map(|_| Connection::open(address)).collect(),
            due: 0,
            waiting: VecDeque::new(),
            sent: 0,
            latencies: Vec::new(),
            statuses: BTreeMap::new(),
        }
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.connections.iter().all(|connection| connection.due.is_none())
    }

    fn become_due(&mut self, now: Duration, end: Duration) {
        loop {
            let next = self.interval * self.due;
            if next > now || next >= end {
                return;
            }
            self.waiting.push_back(next);
            self.due += 1;
        }
    }

    fn send(&mut self) {
        for connection in self.connections.iter_mut().filter(|connection| connection.due.is_none()) {
            let Some(due) = self.waiting.pop_front() else { return };
            let request = &self.requests[self.sent % self.requests.len()];
            self.sent += 1;
            // A request is small against the buffer of an idle connection: it goes in one piece.
            if connection.stream.write_all(request).is_err() {
                *connection = Connection::open(self.address);
                *self.statuses.entry(0).or_default() += 1;
            } else {
                connection.due = Some(due);
            }
        }
    }

    fn receive(&mut self, start: Instant) {
        let mut buffer = [0; 16_384];
        for connection in &mut self.connections {
            let Some(due) = connection.due else { continue };
            let status = match connection.stream.read(&mut buffer) {
                Ok(0) => Some(0),
                Ok(count) => {
                    connection.received.extend(&buffer[..count]);
                    status_of_whole(&connection.received)
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => None,
                Err(_) => Some(0),
            };
            let Some(status) = status else { continue };
            if status == 0 {
                *connection = Connection::open(self.address);
            }
            connection.received.clear();
            connection.due = None;
            if due >= LEAD {
                self.latencies.push(start.elapsed().saturating_sub(due));
                *self.statuses.entry(status).or_default() += 1;
            }
        }
    }

    fn finish(mut self, seconds: Duration) -> Outcome {
        // What was due and has no answer has waited for all of the end.
        let unanswered =
            self.waiting.len() + self.connections.iter().filter(|connection| connection.due.is_some()).count();
        if unanswered > 0 {
            *self.statuses.entry(0).or_default() += unanswered as u64;
            self.latencies.extend(std::iter::repeat_n(DRAIN, unanswered));
        }
        self.latencies.sort_unstable();
        let at = |part: f64| {
            let index = (self.latencies.len() as f64 * part) as usize;
            let latency = self.latencies.get(index).or(self.latencies.last());
            latency.map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e6)
        };
        let answered = self.statuses.iter().filter(|(status, _)| **status != 0).map(|(_, count)| *count).sum::<u64>();
        Outcome {
            rate: answered as f64 / seconds.as_secs_f64(),
            p50_us: at(0.5),
            p99_us: at(0.99),
            worst_us: at(1.0),
            statuses: self.statuses,
        }
    }
}

/// The status of an answer, once it is there whole.
fn status_of_whole(received: &[u8]) -> Option<u16> {
    let end = received.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&received[..end]).ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let status = head.split(' ').nth(1)?.parse().ok()?;
    (received.len() >= end + length.unwrap_or_default()).then_some(status)
}

/// Runs streams side by side for so long. `spins` says that this process has a core for itself.
pub fn run(mut streams: Vec<Paced>, seconds: Duration, spins: bool) -> Vec<Outcome> {
    let start = Instant::now();
    let end = LEAD + seconds;
    loop {
        let now = start.elapsed();
        for stream in &mut streams {
            stream.become_due(now, end);
            stream.send();
            stream.receive(start);
        }
        if now >= end && (streams.iter().all(Paced::is_idle) || now >= end + DRAIN) {
            break;
        }
        if !spins {
            std::thread::yield_now();
        }
    }
    streams.into_iter().map(|stream| stream.finish(seconds)).collect()
}
