//! The ways in which an event comes to a real Envoy: whole, in pieces, slowly, too large, not at all, before there are keys.
//! None of it goes upstream.

use crate::events::{gate, upstream};
use crate::keys::{KeyServer, in_background};
use crate::support::client::{Response, connect, get_with, head, read_response, send};
use crate::support::envoy::{Envoy, Gate, cluster, resources};
use crate::support::events::{PATH, content_type, logout, push_logout, unique};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, now};
use crate::support::only_wasm::needs_wasm;
use crate::support::outage::{Conduct, Unreliable};
use crate::support::server::Server;
use crate::support::wait::eventually;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::io::{BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// An Envoy, and what reached its upstream.
struct World {
    envoy: Envoy,
    issuer: Issuer,
    reached: Arc<Mutex<Vec<String>>>,
    _upstream: Server,
}

impl World {
    fn start(prepare: impl FnOnce(&Issuer) -> (Gate, Vec<Value>)) -> Self {
        let issuer = Issuer::new(Algorithm::Es256, "a");
        let (upstream, reached) = upstream();
        let (gate, mut clusters) = prepare(&issuer);
        clusters.push(cluster("upstream", upstream.address));
        Self { envoy: Envoy::shared(&resources(&[gate], &clusters)), issuer, reached, _upstream: upstream }
    }

    /// One whose keys come from here.
    fn of_keys(address: SocketAddr, timeout: &str) -> Self {
        Self::start(|issuer| {
            let jwks = json!({
                "uri": "http://issuer.example.com/jwks.json", "cluster": "issuer", "timeout": timeout, "refresh": "1s",
            });
            let of_issuer = json!({ "issuer": ISSUER, "name": "demo", "audiences": [AUDIENCE], "jwks": jwks });
            (gate(issuer, json!({ "issuers": [of_issuer] })), vec![cluster("issuer", address)])
        })
    }

    fn address(&self) -> SocketAddr {
        self.envoy.address()
    }

    /// A logout token, and an access token of its session.
    fn session(&self) -> (String, String) {
        let sid = unique("s");
        (logout(&self.issuer).claim("sid", &*sid).sign(), self.issuer.token(now()).claim("sid", sid).sign())
    }

    fn refuses(&self, token: &str) -> bool {
        get_with(self.address(), "/", token).status == 401
    }

    /// No event went upstream.
    fn assert_none_upstream(&self) {
        let reached = self.reached.lock().unwrap();
        assert!(!reached.iter().any(|line| line.contains(PATH) || line.starts_with("POST")), "{reached:?}");
    }
}

/// Sends an event in some way, and returns the status of the answer.
type Way<'w> = &'w dyn Fn(&str) -> u16;

/// Its headers with this length, or in chunks.
fn headers(length: Option<usize>) -> Vec<u8> {
    let length = length.map(|length| length.to_string());
    let framing = length.as_deref().map_or(("transfer-encoding", "chunked"), |length| ("content-length", length));
    head("POST", PATH, &[content_type(true), framing])
}

fn chunked(body: &[u8], size: usize, trailers: &str) -> Vec<u8> {
    let chunk = |part: &[u8]| [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat();
    let end = format!("0\r\n{trailers}\r\n").into_bytes();
    [headers(None), body.chunks(size).map(chunk).collect::<Vec<_>>().concat(), end].concat()
}

/// Sends a request in pieces, with a pause after each.
fn in_pieces(address: SocketAddr, request: &[u8], size: usize) -> Response {
    let mut stream = connect(address);
    stream.set_nodelay(true).unwrap();
    for piece in request.chunks(size) {
        stream.write_all(piece).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    read_response(&mut BufReader::new(stream), false).unwrap()
}

/// The status that curl has, which sends a form with these further arguments.
fn curl(address: SocketAddr, more: &[&str], body: &[u8]) -> u16 {
    let url = format!("http://{address}{PATH}");
    let own =
        ["-s", "-o", "/dev/null", "-w", "%{http_code}", "--noproxy", "*", "--max-time", "20", "--data-binary", "@-"];
    let mut command = Command::new("curl");
    command.args(own).args(more).arg(&url).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut curl = command.spawn().unwrap();
    curl.stdin.take().unwrap().write_all(body).unwrap();
    let output = curl.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap().parse().unwrap()
}

#[test]
fn an_event_is_taken_in_whatever_pieces_it_comes_and_never_goes_upstream() {
    let world = World::start(|issuer| (gate(issuer, json!({})), Vec::new()));
    let address = world.address();
    let form = |token: &str| format!("state=1&logout_token={token}").into_bytes();
    let with_length = |body: &[u8]| [headers(Some(body.len())), body.to_vec()].concat();
    let ways: [(&str, Way<'_>); 9] = [
        ("whole", &|token| send(address, &with_length(&form(token))).status),
        ("in pieces", &|token| in_pieces(address, &with_length(&form(token)), 40).status),
        ("in chunks", &|token| send(address, &chunked(&form(token), 100, "")).status),
        ("in small chunks, in pieces", &|token| in_pieces(address, &chunked(&form(token), 7, ""), 30).status),
        ("with trailers", &|token| send(address, &chunked(&form(token), 100, "x-checksum: 1\r\n")).status),
        ("by curl", &|token| curl(address, &[], &form(token))),
        ("after 100 Continue", &|token| curl(address, &["-H", "expect: 100-continue"], &form(token))),
        ("over HTTP/2", &|token| curl(address, &["--http2-prior-knowledge"], &form(token))),
        ("over HTTP/2 without a length", &|token| {
            curl(address, &["--http2-prior-knowledge", "-H", "content-length:"], &form(token))
        }),
    ];
    for (what, way) in ways {
        let (event, token) = world.session();
        assert_eq!(get_with(address, "/", &token).status, 200, "{what}");
        assert_eq!(way(&event), 200, "{what}");
        eventually(what, || world.refuses(&token));
    }
    world.assert_none_upstream();
    assert_eq!(world.envoy.counter_of_at_least("scopegate.events_received", 9), 9);
    // Another path, and another method, are no events: they are judged like any request, and there is no token.
    let (event, token) = world.session();
    for (method, target) in [("POST", format!("{PATH}?x=1")), ("PUT", PATH.to_owned()), ("POST", format!("{PATH}/"))] {
        let body = form(&event);
        let head = head(method, &target, &[content_type(true), ("content-length", &body.len().to_string())]);
        assert_eq!(send(address, &[head, body].concat()).status, 401, "{method} {target}");
    }
    assert!(!world.refuses(&token));
    world.assert_none_upstream();
}

#[test]
fn a_body_that_is_too_large_or_does_not_come_revokes_nothing_and_stops_no_other_event() {
    let limits = json!({ "body_timeout": "1s" });
    let mut world = World::start(|issuer| (gate(issuer, json!({ "limits": limits })), Vec::new()));
    let address = world.address();
    let (event, token) = world.session();
    let large = format!("logout_token={event}&padding={}", "x".repeat(70_000)).into_bytes();
    let with_length = [headers(Some(large.len())), large.clone()].concat();
    assert_eq!(send(address, &with_length).status, 413);
    assert_eq!(send(address, &headers(Some(10 << 20))).status, 413, "before it has come");
    assert_eq!(send(address, &chunked(&large, 10_000, "")).status, 413, "in chunks");
    // One that is larger than what Envoy holds for it.
    let mut larger = connect(address);
    let _ =
        [&headers(None)[..], b"200000\r\n", &vec![b'x'; 2 << 20]].iter().try_for_each(|part| larger.write_all(part));
    assert_eq!(read_response(&mut BufReader::new(larger), false).map(|answer| answer.status), Some(413));
    for (what, request) in [("no body", headers(Some(0))), ("no chunk", chunked(b"", 1, ""))] {
        let answer = send(address, &request);
        assert_eq!((answer.status, answer.body.contains("invalid_request")), (400, true), "{what}: {answer:?}");
    }
    // Clients of whose body nothing comes, a part, and that go away meanwhile.
    let whole = push_logout(&event);
    let pushed: Vec<_> = [headers(Some(2000)).len(), whole.len() - 100]
        .map(|sent| {
            let mut stream = connect(address);
            let bytes = if sent == whole.len() - 100 { &whole } else { &headers(Some(2000)) };
            stream.write_all(&bytes[..sent]).unwrap();
            stream
        })
        .into();
    let mut slow = connect(address);
    let began = Instant::now();
    slow.write_all(&headers(Some(2000))).unwrap();
    let (other, other_token) = world.session();
    assert_eq!(send(address, &push_logout(&other)).status, 200, "another one is taken meanwhile");
    drop(pushed);
    let answer = read_response(&mut BufReader::new(slow), false).unwrap();
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!((1..4).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    eventually("the other one is refused", || world.refuses(&other_token));
    assert!(!world.refuses(&token));
    world.assert_none_upstream();
    assert!(world.envoy.counter_of_at_least("scopegate.denied.body_unreadable", 1) >= 1);
    assert_eq!(world.envoy.counter_of_at_least("scopegate.denied.body_too_large", 4), 4);
    assert!(world.envoy.is_alive() && !world.envoy.log().contains("panicked"));
}

#[test]
fn without_the_flag_of_the_plugin_no_event_is_taken_and_none_goes_upstream() {
    needs_wasm!();
    let world = World::start(|issuer| {
        let limits = json!({ "body_timeout": "1s" });
        let plugin = json!({ "allow_on_headers_stop_iteration": false });
        (Gate { plugin, ..gate(issuer, json!({ "limits": limits })) }, Vec::new())
    });
    let (event, token) = world.session();
    let answer = send(world.address(), &push_logout(&event));
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(world.envoy.counter_of_at_least("scopegate.denied.body_unreadable", 1), 1);
    world.envoy.wait_for_log("the plugin lacks allow_on_headers_stop_iteration: true");
    assert!(!world.refuses(&token));
    world.assert_none_upstream();
}

#[test]
fn an_event_waits_for_keys_and_counts_only_once_they_have_judged_it() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let keys = KeyServer::held(KeyServer::keys(&issuer));
    let mut world = World::of_keys(keys.server.address, "30s");
    world.issuer = issuer;
    let address = world.address();
    let sessions = [(); 3].map(|()| world.session());
    let forged = logout(&Issuer::new(Algorithm::Es256, "a")).claim("sid", "s").sign();
    let mut requests = sessions[..2].iter().map(|(event, _)| push_logout(event)).collect::<Vec<_>>();
    requests.push(push_logout(&forged));
    let waiting: Vec<_> = requests.into_iter().map(|request| in_background(address, request)).collect();
    // And one whose client goes away while it waits.
    let mut gone = connect(address);
    gone.write_all(&push_logout(&sessions[2].0)).unwrap();
    eventually("four wait", || world.envoy.counter("scopegate.waiting") == 4);
    drop(gone);
    eventually("it is gone", || world.envoy.counter("scopegate.waiting") == 3);
    assert!(waiting.iter().all(|waiting| !waiting.is_finished()));
    keys.release();
    let statuses: Vec<u16> = waiting.into_iter().map(|waiting| waiting.join().unwrap().status).collect();
    assert_eq!(statuses, [200, 200, 400]);
    eventually("both are refused", || sessions[..2].iter().all(|(_, token)| world.refuses(token)));
    assert!(!world.refuses(&sessions[2].1), "who goes away has had no answer, and would send it again");
    assert_eq!(send(address, &push_logout(&sessions[2].0)).status, 200);
    eventually("it is refused", || world.refuses(&sessions[2].1));
    world.assert_none_upstream();
    assert!(world.envoy.is_alive());
}

#[test]
fn an_event_without_keys_is_answered_503_and_is_taken_when_it_comes_again_with_them() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let server = Unreliable::start(Conduct::Refuses);
    let mut world = World::of_keys(server.address, "300ms");
    world.issuer = issuer;
    let (event, token) = world.session();
    let answer = send(world.address(), &push_logout(&event));
    assert_eq!((answer.status, answer.header("retry-after").is_some()), (503, true), "{answer:?}");
    assert!(world.envoy.counter_of_at_least("scopegate.denied.keys_unavailable", 1) >= 1);
    server.now(Conduct::answer("200 OK", "", world.issuer.jwks().to_string().as_bytes()));
    eventually("there are keys", || get_with(world.address(), "/", &token).status == 200);
    assert_eq!(send(world.address(), &push_logout(&event)).status, 200);
    eventually("it is refused", || world.refuses(&token));
    world.assert_none_upstream();
}

#[test]
fn one_event_that_is_sent_again_and_again_keeps_no_new_one_out() {
    let world = World::start(|issuer| (gate(issuer, json!({ "limits": { "events_per_second": 5 } })), Vec::new()));
    let address = world.address();
    let (captured, _) = world.session();
    let replay = push_logout(&captured);
    assert_eq!(send(address, &replay).status, 200);
    for turn in 0..4 {
        assert!((0..40).all(|_| send(address, &replay).status == 200));
        let (event, token) = world.session();
        assert_eq!(send(address, &push_logout(&event)).status, 200, "turn {turn}");
        eventually("it is refused", || world.refuses(&token));
    }
    // New ones are bounded: what is beyond comes again. In a second that nothing has been taken in yet.
    std::thread::sleep(Duration::from_secs(1));
    let events: Vec<Vec<u8>> = (0..40).map(|_| push_logout(&world.session().0)).collect();
    let answers: Vec<u16> = events.iter().map(|event| send(address, event).status).collect();
    let taken = answers.iter().filter(|status| **status == 200).count();
    assert!(answers.contains(&503) && (5..40).contains(&taken), "{answers:?}");
    assert!(world.envoy.counter_of_at_least("scopegate.denied.too_busy", 1) >= 1);
    eventually("there is room again", || send(address, &push_logout(&world.session().0)).status == 200);
}
