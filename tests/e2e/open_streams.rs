//! Streams that are still open when the time of their token is over: closed, whatever they are, and the others go on.

use crate::gate::configuration;
use crate::support::client::{connect, head};
use crate::support::envoy::{Envoy, Gate, cluster, resources, root};
use crate::support::issuer::{Issuer, now};
use crate::support::node;
use scopegate::crypto::Algorithm;
use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An upstream whose answers never end: it switches protocols where it is asked to, and sends a line ten times a second.
pub fn endless() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || talk(stream));
        }
    });
    address
}

fn talk(mut stream: TcpStream) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let head: Vec<String> = lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let upgrades = head.iter().any(|line| line.eq_ignore_ascii_case("upgrade: websocket"));
    let answer = if upgrades {
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"
    } else {
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
    };
    let mut sent = stream.write_all(answer.as_bytes());
    while sent.is_ok() {
        sent = stream.write_all(b"data: x\n\n");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The time in seconds.
pub fn clock() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// Opens a stream over HTTP/1.1. Says when it has ended, and what was read of it.
pub fn open(address: SocketAddr, token: &str, more: &[(&str, &str)]) -> mpsc::Receiver<(f64, String)> {
    let (says, hears) = mpsc::channel();
    let mut stream = connect(address);
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let bearer = format!("Bearer {token}");
    let headers: Vec<(&str, &str)> =
        [("authorization", bearer.as_str())].into_iter().chain(more.iter().copied()).collect();
    stream.write_all(&head("GET", "/", &headers)).unwrap();
    std::thread::spawn(move || {
        let mut read = Vec::new();
        // A connection that is reset is an end, too.
        let _ = stream.read_to_end(&mut read);
        let _ = says.send((clock(), String::from_utf8_lossy(&read).into_owned()));
    });
    hears
}

/// Opens a stream for each token on one connection over HTTP/2, and prints when and how each ends.
pub fn open_http2(address: SocketAddr, tokens: &[&str]) -> Child {
    let mut command = Command::new(node::binary());
    command.arg(root().join("tests/e2e/open_streams_http2.mjs")).arg(format!("http://{address}")).args(tokens);
    command.stdout(Stdio::piped()).spawn().unwrap()
}

#[test]
fn streams_of_every_kind_end_when_their_token_would_be_refused_and_others_go_on() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let mut members = configuration(&issuer, json!({ "default": { "close_streams": "expiry" } }));
    members["issuers"][0]["leeway"] = json!("1s");
    let mut gate = Gate::new(members);
    gate.routes[0]["route"]["timeout"] = json!("0s");
    gate.connection_manager["upgrade_configs"] = json!([{ "upgrade_type": "websocket" }]);
    let envoy = Envoy::shared(&resources(&[gate], &[cluster("upstream", endless())]));
    let began = now();
    let short = issuer.token(began).claim("exp", began + 3).sign();
    let long = issuer.token(began).sign();
    let upgrade = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let ending = [open(envoy.address(), &short, &upgrade), open(envoy.address(), &short, &[])];
    let lasting = [open(envoy.address(), &long, &upgrade), open(envoy.address(), &long, &[])];
    let mut http2 = open_http2(envoy.address(), &[&short, &long]);
    let over = f64::from(u32::try_from(began + 4).unwrap());
    // Not earlier; a machine that is busy is late.
    let in_time = |ended: f64| (over..over + 10.0).contains(&ended);
    for (stream, status) in ending.iter().zip(["HTTP/1.1 101", "HTTP/1.1 200"]) {
        let (ended, read) = stream.recv_timeout(Duration::from_secs(20)).unwrap();
        assert!(read.starts_with(status) && read.contains("data: x"), "{read}");
        assert!(in_time(ended), "it ended {} seconds after its time", ended - over);
        // A chunked answer has no last chunk: it cannot be taken for one that is complete.
        assert!(!read.ends_with("0\r\n\r\n"), "{read}");
    }
    let mut told = String::new();
    BufReader::new(http2.stdout.take().unwrap()).read_line(&mut told).unwrap();
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&told["stream"], &told["status"]), (&json!(0), &json!(200)), "{told}");
    assert!(in_time(told["at"].as_f64().unwrap()), "{told}");
    std::thread::sleep(Duration::from_secs(2));
    assert!(lasting.iter().all(|stream| stream.try_recv().is_err()), "the others go on");
    assert!(http2.try_wait().unwrap().is_none(), "the connection and its other stream go on");
    assert_eq!(envoy.counter("scopegate.streams.closed.expiry"), 3);
    assert_eq!(envoy.counter("scopegate.streams.open"), 3);
    let _ = http2.kill();
    let _ = http2.wait();
    assert!(!envoy.log().contains("panicked"), "{}", envoy.log());
}
