//! What `lists: granted` costs in a real Envoy: `cargo bench --bench lists`, with `SCOPEGATE_WASM` the full module. A list of 100
//! tools (100 KB) and events of a stream go through a gate that filters and through one that does not, in turn. It fails when a
//! list takes 2 ms longer, or an event 1 ms, by the median of the differences.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a tool that stops at what it does not expect, measures time, and prints"
)]

#[path = "../support/mod.rs"]
mod support;

use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use support::client::{connect, head, read_response};
use support::envoy::{Envoy, Gate, cluster, resources};
use support::issuer::{AUDIENCE, ISSUER, Issuer, now};

const LIST_LIMIT: Duration = Duration::from_millis(2);
const EVENT_LIMIT: Duration = Duration::from_millis(1);
const LISTS: usize = 400;
const EVENTS: usize = 400;
const NAMES: [&str; 2] = ["all", "granted"];

/// A list of 100 tools of a kilobyte each, every fourth of which needs a further scope.
fn list() -> String {
    let tool = |number: usize| {
        let name = if number.is_multiple_of(4) { format!("delete_{number}") } else { format!("read_{number}") };
        let properties =
            json!({ "a": { "type": "string", "description": "x".repeat(800) }, "b": { "type": "integer" } });
        json!({ "name": name, "description": "A tool", "inputSchema": { "type": "object", "properties": properties } })
    };
    json!({ "jsonrpc": "2.0", "id": 1, "result": { "tools": (0..100).map(tool).collect::<Vec<_>>() } }).to_string()
}

/// An upstream that answers POST with the list, and GET with a stream of what it is told to send.
fn upstream(list: &str, streams: Sender<TcpStream>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{list}", list.len());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (answer, streams) = (answer.clone(), streams.clone());
            std::thread::spawn(move || serve(stream, &answer, &streams));
        }
    });
    address
}

fn serve(mut stream: TcpStream, answer: &str, streams: &Sender<TcpStream>) {
    stream.set_nodelay(true).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut head = String::new();
        while reader.read_line(&mut head).is_ok_and(|read| read > 2) {}
        if head.starts_with("GET") {
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
                .unwrap();
            streams.send(stream).unwrap();
            return;
        }
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let Some(length) = length.and_then(|text| text.parse().ok()) else { return };
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() || stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

fn gate(name: &'static str, issuer: &Issuer) -> Gate {
    let tools = json!({ "rules": [{ "tool": "delete_*", "scopes": ["write"] }] });
    let mcp = json!({ "lists": name, "tools": tools });
    let mut gate = Gate::new(json!({
        "issuers": [{ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": issuer.jwks() } }],
        "default": { "mcp": mcp }, "route_metadata": "ignore",
    }));
    gate.name = name;
    gate.routes[0]["route"]["timeout"] = json!("0s");
    gate
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Prints both medians. Returns how much longer what is filtered takes.
fn told(what: &str, times: [Vec<Duration>; 2]) -> Duration {
    let [all, granted] = times.map(median);
    let more = granted.saturating_sub(all);
    println!("{what:<32} {all:>10.1?} unfiltered {granted:>10.1?} filtered {more:>10.1?} longer");
    more
}

fn time_lists(envoy: &Envoy, bearer: &str) -> [Vec<Duration>; 2] {
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {} }).to_string();
    let length = message.len().to_string();
    let headers = [("authorization", bearer), ("content-type", "application/json"), ("content-length", &length)];
    let request = [head("POST", "/mcp", &headers), message.into_bytes()].concat();
    let mut connections = NAMES.map(|name| BufReader::new(connect(envoy.listener(name))));
    connections.iter().for_each(|connection| connection.get_ref().set_nodelay(true).unwrap());
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..LISTS {
        for (connection, times) in connections.iter_mut().zip(&mut times) {
            let start = Instant::now();
            connection.get_mut().write_all(&request).unwrap();
            let told = read_response(connection, false).unwrap();
            times.push(start.elapsed());
            assert_eq!(told.status, 200, "{told:?}");
        }
    }
    times
}

/// From when the upstream sends an event to when its first bytes are here.
fn time_events(envoy: &Envoy, bearer: &str, streams: &Receiver<TcpStream>, data: &str) -> [Vec<Duration>; 2] {
    let event = format!("data: {data}\n\n");
    let chunk = format!("{:x}\r\n{event}\r\n", event.len());
    let mut pairs = NAMES.map(|name| {
        let mut client = connect(envoy.listener(name));
        client.set_nodelay(true).unwrap();
        client.write_all(&head("GET", "/mcp", &[("authorization", bearer)])).unwrap();
        let mut reader = BufReader::new(client);
        let mut line = String::new();
        while reader.read_line(&mut line).unwrap() > 2 {
            line.clear();
        }
        (reader, streams.recv().unwrap())
    });
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..EVENTS {
        for ((reader, server), times) in pairs.iter_mut().zip(&mut times) {
            let start = Instant::now();
            server.write_all(chunk.as_bytes()).unwrap();
            let mut line = String::new();
            while !line.starts_with("data: ") {
                line.clear();
                assert!(reader.read_line(&mut line).unwrap() > 0);
            }
            times.push(start.elapsed());
        }
    }
    times
}

fn main() -> ExitCode {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let (sender, streams) = channel();
    let list = list();
    let address = upstream(&list, sender);
    let gates = NAMES.map(|name| gate(name, &issuer));
    let envoy = Envoy::start(&resources(&gates, &[cluster("upstream", address)]));
    let bearer = format!("Bearer {}", issuer.token(now()).sign());
    println!("a list of {} bytes", list.len());
    let lists = told("a list of 100 tools", time_lists(&envoy, &bearer));
    let note: Value =
        json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": { "data": "x".repeat(200) } });
    let events = told("an event of 300 bytes", time_events(&envoy, &bearer, &streams, &note.to_string()));
    let large = told("an event with a list", time_events(&envoy, &bearer, &streams, &list));
    let is_good = lists < LIST_LIMIT && events < EVENT_LIMIT && large < LIST_LIMIT;
    println!("{}", if is_good { "within the limits" } else { "beyond the limits" });
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
