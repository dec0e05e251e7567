//! Signed requests in a real Envoy: a signature is used once over all workers, and of a body that is not the one that was
//! signed the upstream never has all.

use crate::support::client::{Response, connect, head, read_response, send};
use crate::support::envoy::{Envoy, Gate, cluster, resources};
use crate::support::issuer::now;
use crate::support::only_wasm::needs_wasm;
use crate::support::signer::{EXAMPLE, KEY_ID, SECRET, Unsigned, hex};
use crate::support::wait::eventually;
use scopegate::crypto::sha256;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

/// A request as far as an upstream has it.
#[derive(Clone, Debug, Default)]
struct Seen {
    line: String,
    /// The bytes after the headers.
    bytes: usize,
    is_whole: bool,
}

/// An upstream that says what it has of each request, whole or not. It answers whole ones, and begins to answer `/early` at its headers.
struct Upstream {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Upstream {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let all = Arc::clone(&all);
                thread::spawn(move || while serve(&stream, &all).is_some() {});
            }
        });
        Self { address, seen }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The bodies that came whole since the last look.
    fn take_whole(&self) -> usize {
        self.seen.lock().unwrap().drain(..).filter(|seen| seen.is_whole).count()
    }
}

/// Reads one request, and notes what has come as it comes.
fn serve(mut stream: &TcpStream, all: &Mutex<Vec<Seen>>) -> Option<()> {
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line: &String| line != "\r\n") {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|size| *size > 0)?;
        lines.push(line);
    }
    let line = lines[0].trim_end().to_owned();
    let answers_early = line.contains("/early");
    let length = lines.iter().find_map(|line| line.strip_prefix("content-length: ")?.trim_end().parse::<usize>().ok());
    let is_chunked = lines.iter().any(|line| line == "transfer-encoding: chunked\r\n");
    let place = {
        let mut all = all.lock().unwrap();
        all.push(Seen { line, bytes: 0, is_whole: !is_chunked && length.unwrap_or_default() == 0 });
        all.len() - 1
    };
    // One that is complete would end the request.
    let (first, last) = if answers_early { ANSWER.split_at(ANSWER.len() - 1) } else { (&[][..], ANSWER) };
    stream.write_all(first).ok()?;
    let mut end = Vec::new();
    let mut part = vec![0; 65_536];
    loop {
        let is_whole = all.lock().unwrap().get(place).is_none_or(|seen| seen.is_whole);
        if is_whole {
            return stream.write_all(last).ok();
        }
        let size = reader.read(&mut part).ok().filter(|size| *size > 0)?;
        end.extend_from_slice(&part[..size]);
        end.drain(..end.len().saturating_sub(5));
        if let Some(seen) = all.lock().unwrap().get_mut(place) {
            seen.bytes += size;
            seen.is_whole = if is_chunked { end == *b"0\r\n\r\n" } else { Some(seen.bytes) == length };
        }
    }
}

/// Gates for signed orders: at `held`, bodies are read before the headers go on; at `lacking`, too, but the plugin does not
/// allow that; where it ends with `reporting`, refusals are reported alone.
fn envoy(upstream: &Upstream, workers: u32) -> Envoy {
    let gate = |name: &'static str, more: Value| {
        let aksk = json!({ "form": "sigv4", "regions": ["eu-west-1"], "services": ["orders"] });
        let identity = json!({ "id": "batch", "secrets": [{ "key_id": KEY_ID, "env": "SIGNING" }] });
        let mut configuration = json!({
            "credentials": [{ "name": "machines", "aksk": aksk, "identities": [identity] }],
            "default": { "credentials": "machines" },
            "route_metadata": "ignore",
            "limits": { "body_timeout": "1s" },
        });
        configuration.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let plugin = json!({
            "allow_on_headers_stop_iteration": !name.starts_with("lacking"),
            "vm_config": {
                "environment_variables": { "key_values": { "SIGNING": SECRET } },
            },
        });
        let upgrades = json!([{ "upgrade_type": "websocket" }, { "upgrade_type": "raw" }]);
        let connection_manager =
            json!({ "upgrade_configs": upgrades, "http_protocol_options": { "enable_trailers": true } });
        Gate { name, connection_manager, plugin, ..Gate::new(configuration) }
    };
    let gates = [
        gate("held", json!({})),
        gate("lacking", json!({})),
        gate("reporting", json!({ "report_only": true })),
        gate("lacking-reporting", json!({ "report_only": true })),
    ];
    let envoy = Envoy::try_start(&resources(&gates, &[cluster("upstream", upstream.address)]), workers).unwrap();
    // A signature of the second in which the store began could have been used before it.
    thread::sleep(std::time::Duration::from_secs(2));
    envoy
}

/// The headers of a signed request, with the digest of its body in one of them if `has_digest`.
fn signed(method: &str, target: &str, body: &[u8], has_digest: bool) -> Vec<(String, String)> {
    let headers = if has_digest { vec![("x-amz-content-sha256", hex(&sha256(body)))] } else { Vec::new() };
    let request = Unsigned { method, target, headers, body, at: now(), ..Unsigned::default() };
    EXAMPLE.sigv4(&request, ("eu-west-1", "orders"))
}

/// The bytes of the headers of a request, with these beside.
fn headers(method: &str, target: &str, signed: &[(String, String)], more: &[(&str, &str)]) -> Vec<u8> {
    let own = signed.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    head(method, target, &own.chain(more.iter().copied()).collect::<Vec<_>>())
}

fn post(target: &str, signed: &[(String, String)], body: &[u8]) -> Vec<u8> {
    [&headers("POST", target, signed, &[("content-length", &body.len().to_string())]), body].concat()
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

/// Sends a large request to its end, or until it is answered.
fn send_large(address: SocketAddr, head: &[u8], body: &[u8]) -> Option<Response> {
    let mut stream = connect(address);
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let answer = thread::spawn(move || read_response(&mut reader, false));
    let _ = [head].into_iter().chain(body.chunks(1 << 20)).try_for_each(|part| stream.write_all(part));
    answer.join().unwrap()
}

/// The status of a signed POST over HTTP/2, on a connection of its own; 0 where curl was still sending when it was refused, and
/// takes the reset for the answer.
fn over_http2(address: SocketAddr, signed: &[(String, String)], body: &[u8]) -> u16 {
    let mut curl = Command::new("curl");
    curl.args([
        "-s",
        "-o",
        "-",
        "-w",
        "%{stderr}%{http_code}",
        "--http2-prior-knowledge",
        "--noproxy",
        "*",
        "--max-time",
        "20",
    ]);
    curl.args(["-X", "POST", "--data-binary", "@-", "-H", "host: api.example.com", "-H", "content-type:"]);
    curl.args(signed.iter().flat_map(|(name, value)| ["-H".to_owned(), format!("{name}: {value}")]));
    let curl =
        curl.arg(format!("http://{address}/orders")).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut curl = curl.spawn().unwrap();
    let _ = curl.stdin.take().unwrap().write_all(body);
    let output = curl.wait_with_output().unwrap();
    String::from_utf8(output.stderr).unwrap().parse().unwrap()
}

#[test]
fn of_requests_with_one_signature_at_once_over_two_workers_exactly_one_passes() {
    const REQUESTS: usize = 24;
    let upstream = Upstream::start();
    let envoy = envoy(&upstream, 2);
    let address = envoy.listener("held");
    for (has_digest, http2) in [(true, false), (false, false), (true, true), (false, true)] {
        let body = format!("{{\"qty\":2,\"digest\":{has_digest},\"http2\":{http2}}}").into_bytes();
        let signed = signed("POST", "/orders", &body, has_digest);
        let (bytes, barrier) = (post("/orders", &signed, &body), Barrier::new(REQUESTS));
        let ask = || {
            barrier.wait();
            if http2 { over_http2(address, &signed, &body) } else { send(address, &bytes).status }
        };
        let statuses: Vec<u16> = thread::scope(|scope| {
            let threads: Vec<_> = (0..REQUESTS).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
        let refused = count(401) + if http2 { count(0) } else { 0 };
        assert_eq!((count(200), refused), (1, REQUESTS - 1), "{has_digest}, {http2}: {statuses:?}");
        assert_eq!(upstream.take_whole(), 1, "{has_digest}, {http2}");
    }
    let refused = u64::try_from(4 * (REQUESTS - 1)).unwrap();
    assert_eq!(envoy.counter_of_at_least("scopegate.denied.replayed", refused), refused);
}

#[test]
fn of_fifty_megabytes_whose_last_byte_is_another_the_upstream_never_has_all() {
    const SIZE: usize = 50_000_000;
    let upstream = Upstream::start();
    let envoy = envoy(&upstream, 1);
    let address = envoy.listener("held");
    let body: Vec<u8> = b"0123456789".iter().copied().cycle().take(SIZE).collect();
    let mut other = body.clone();
    *other.last_mut().unwrap() = b'x';
    let digest = hex(&sha256(&body));
    let signed = |target: &str| {
        let stated = vec![("x-amz-content-sha256", digest.clone())];
        let request = Unsigned { method: "POST", target, headers: stated, at: now(), ..Unsigned::default() };
        EXAMPLE.sigv4(&request, ("eu-west-1", "orders"))
    };
    let length = SIZE.to_string();
    let with_length = |target: &str| headers("POST", target, &signed(target), &[("content-length", &length)]);
    assert_eq!(send_large(address, &with_length("/orders/1"), &body).unwrap().status, 200);
    let refused = send_large(address, &with_length("/orders/2"), &other).unwrap();
    assert_eq!(refused.status, 401);
    assert!(refused.body.contains("The body is not the one that was signed"), "{refused:?}");
    let in_chunks = headers("POST", "/orders/3", &signed("/orders/3"), &[("transfer-encoding", "chunked")]);
    let chunks = [chunk(&other), b"0\r\n\r\n".to_vec()].concat();
    assert_eq!(send_large(address, &in_chunks, &chunks).unwrap().status, 401);
    assert_ne!(over_http2(address, &signed("/orders"), &other), 200);
    // An answer of the upstream has begun, so the stream is reset, and the log says why.
    assert!(send_large(address, &with_length("/early"), &other).is_none(), "no whole answer");
    let refused = "scopegate.denied.digest_mismatch";
    assert_eq!(envoy.counter_of_at_least(refused, 4), 4);
    let seen = upstream.seen();
    assert_eq!(seen.iter().filter(|seen| seen.is_whole).map(|seen| seen.bytes).collect::<Vec<_>>(), [SIZE], "{seen:?}");
    assert_eq!(seen.len(), 5, "{seen:?}");
    assert!(seen.iter().all(|seen| seen.is_whole || seen.line.contains("/3") || seen.bytes < SIZE), "{seen:?}");
    envoy.wait_for_log("reason=digest_mismatch");
}

#[test]
fn no_byte_follows_a_request_that_was_signed_without_a_body() {
    let upstream = Upstream::start();
    let envoy = envoy(&upstream, 1);
    let address = envoy.listener("held");
    let get = signed("GET", "/orders", b"", true);
    assert_eq!(send(address, &headers("GET", "/orders", &get, &[])).status, 200, "it may be sent again");
    let ask = |more: &[(&str, &str)], body: &[u8]| {
        let told = send(address, &[headers("GET", "/orders", &get, more), body.to_vec()].concat());
        (told.status, upstream.seen().iter().map(|seen| seen.bytes).sum::<usize>())
    };
    assert_eq!(ask(&[("transfer-encoding", "chunked")], &chunk(b"a body without an end")), (401, 0));
    assert_eq!(ask(&[("content-length", "3")], b"ab"), (401, 0), "nor of a longer one");
    for protocol in ["websocket", "raw"] {
        let handshake = [("connection", "upgrade"), ("upgrade", protocol)];
        assert_eq!(ask(&handshake, b"what nobody has signed"), (401, 0), "{protocol}");
    }
    assert_eq!(
        ask(&[("transfer-encoding", "chunked")], b"0\r\nx-trailer: 1\r\n\r\n").0,
        401,
        "trailers are not signed"
    );
}

#[test]
fn without_the_flag_of_the_plugin_a_body_that_has_to_be_held_is_unreadable() {
    needs_wasm!();
    let upstream = Upstream::start();
    let envoy = envoy(&upstream, 1);
    let body = b"{\"qty\":2}";
    let held = send(envoy.listener("lacking"), &post("/orders", &signed("POST", "/orders", body, false), body));
    assert_eq!(held.status, 503, "{held:?}");
    assert!(upstream.seen().is_empty(), "{:?}", upstream.seen());
    assert_eq!(envoy.counter_of_at_least("scopegate.denied.body_unreadable", 1), 1);
    envoy.wait_for_log("the plugin lacks allow_on_headers_stop_iteration: true");
    let address = envoy.listener("lacking-reporting");
    let reported = send(address, &post("/orders", &signed("POST", "/orders", body, false), body));
    assert_eq!(reported.status, 200, "{reported:?}");
    assert_eq!(upstream.seen().last().map(|seen| (seen.bytes, seen.is_whole)), Some((body.len(), true)));
    assert_eq!(envoy.counter_of_at_least("scopegate.would_deny.body_unreadable", 1), 1);
    let stated = send(envoy.listener("lacking"), &post("/orders", &signed("POST", "/orders", body, true), body));
    assert_eq!(stated.status, 200, "with the digest in a header nothing is held: {stated:?}");
}

#[test]
fn where_refusals_are_reported_alone_another_body_goes_on_and_is_reported() {
    let upstream = Upstream::start();
    let envoy = envoy(&upstream, 1);
    let address = envoy.listener("reporting");
    for (number, has_digest) in [true, false].into_iter().enumerate() {
        let target = format!("/orders/{number}");
        let told = send(address, &post(&target, &signed("POST", &target, b"{\"qty\":2}", has_digest), b"{\"qty\":3}"));
        assert_eq!(told.status, 200, "{has_digest}: {told:?}");
    }
    eventually("both bodies are there", || upstream.seen().iter().filter(|seen| seen.is_whole).count() == 2);
    for reason in ["digest_mismatch", "bad_signature"] {
        let counter = format!("scopegate.would_deny.{reason}");
        assert_eq!(envoy.counter_of_at_least(&counter, 1), 1, "{reason}");
    }
    let again = signed("POST", "/orders", b"{\"qty\":2}", true);
    let statuses = [(); 2].map(|()| send(address, &post("/orders", &again, b"{\"qty\":2}")).status);
    assert_eq!(statuses, [200, 200]);
    assert_eq!(envoy.counter_of_at_least("scopegate.would_deny.replayed", 1), 1);
}
