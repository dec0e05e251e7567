//! Revoked tokens in a real Envoy: configured entries, lists that are fetched once for the process, outages.

use crate::keys::{in_background, statuses};
use crate::long_lists::binary;
use crate::support::client::{get_with, head};
use crate::support::envoy::{Envoy, Gate, cluster, resources, root};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, now};
use crate::support::outage::{Conduct, Unreliable};
use crate::support::server::{Answer, Server};
use crate::support::wait::eventually;
use scopegate::crypto::{Algorithm, sha256};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A configuration with this `revocation`.
fn config(issuer: &Issuer, revocation: Value) -> Value {
    json!({
        "issuers": [{ "issuer": ISSUER, "name": "demo", "audiences": [AUDIENCE], "jwks": { "inline": issuer.jwks() } }],
        "rules": [{ "match": { "path": "/public" }, "public": true }],
        "revocation": revocation,
    })
}

pub fn list(members: Value) -> Value {
    let mut list = json!({
        "name": "main", "uri": "http://lists.example.com/revoked", "cluster": "lists", "refresh": "1s", "timeout": "1s",
    });
    list.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    json!({ "lists": [list] })
}

pub struct World {
    pub envoy: Envoy,
    pub issuer: Issuer,
    _upstream: Server,
}

pub fn start(lists: std::net::SocketAddr, revocation: Value, workers: u32) -> World {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let upstream = Server::echo(0).unwrap();
    let clusters = [cluster("upstream", upstream.address), cluster("lists", lists)];
    let gate = Gate::new(config(&issuer, revocation));
    let envoy = Envoy::try_start(&resources(&[gate], &clusters), workers).unwrap_or_else(|log| panic!("{log}"));
    World { envoy, issuer, _upstream: upstream }
}

impl World {
    pub fn token(&self, id: &str) -> String {
        self.issuer.token(now()).claim("jti", id).sign()
    }

    pub fn status(&self, token: &str) -> u16 {
        get_with(self.envoy.address(), "/", token).status
    }

    fn statuses(&self, token: &str, count: usize) -> Vec<u16> {
        statuses(self.envoy.address(), token, count)
    }
}

pub fn lines(ids: &[&str]) -> Vec<u8> {
    let line = |id: &&str| format!("{}\n", json!({ "iss": ISSUER, "jti": id }));
    let head = format!("{}\n", json!({ "entries_at_least": ids.len() }));
    (head + &ids.iter().map(line).collect::<Vec<_>>().concat()).into_bytes()
}

/// A server with one document, which sends an `ETag` and 304 where it fits.
#[derive(Clone, Default)]
pub struct Published {
    document: Arc<Mutex<Vec<u8>>>,
    requests: Arc<AtomicUsize>,
    sent: Arc<AtomicUsize>,
}

impl Published {
    pub fn put(&self, document: Vec<u8>) {
        *self.document.lock().unwrap() = document;
    }

    pub fn serve(&self) -> Server {
        let this = self.clone();
        Server::start(0, move |received| {
            this.requests.fetch_add(1, Ordering::SeqCst);
            let body = this.document.lock().unwrap().clone();
            let etag = format!("\"{}\"", scopegate::base::base64url::encode(&sha256(&body)));
            let headers = vec![("etag".to_owned(), etag.clone())];
            if received.headers.iter().any(|(name, value)| name == "if-none-match" && *value == etag) {
                return Answer { status: 304, headers, body: Vec::new() };
            }
            this.sent.fetch_add(1, Ordering::SeqCst);
            Answer { status: 200, headers, body }
        })
        .unwrap()
    }
}

#[test]
fn a_configured_entry_refuses_its_token_with_the_answer_of_a_bad_signature() {
    let nowhere = Server::echo(0).unwrap();
    let world = start(nowhere.address, json!({ "entries": [{ "iss": ISSUER, "jti": "stolen" }] }), 1);
    let refused = get_with(world.envoy.address(), "/", &world.token("stolen"));
    let forged = get_with(world.envoy.address(), "/", &Issuer::new(Algorithm::Es256, "a").token(now()).sign());
    assert_eq!((refused.status, forged.status), (401, 401));
    assert_eq!(refused.header("www-authenticate"), forged.header("www-authenticate"));
    assert_eq!(refused.body, forged.body);
    assert_eq!(world.status(&world.token("another")), 200);
    assert_eq!(world.envoy.counter_of_at_least("scopegate.denied.revoked", 1), 1);
    let log = world.envoy.wait_for_log("reason=revoked");
    assert!(log.contains("decision=deny reason=revoked issuer=demo subject=\"alice\" fingerprint="), "{log}");
}

#[test]
fn what_is_published_is_refused_by_four_workers_cached_or_not_and_fetched_once() {
    let published = Published::default();
    published.put(lines(&["old"]));
    let server = published.serve();
    let world = start(server.address, list(json!({})), 4);
    let (stolen, old) = (world.token("stolen"), world.token("old"));
    eventually("the first list", || world.status(&old) == 401);
    std::thread::sleep(Duration::from_secs(1));
    // Every worker has verified it, and remembers it.
    assert_eq!(world.statuses(&stolen, 40), [200; 40]);
    assert_eq!(world.statuses(&old, 40), [401; 40]);
    let mut delays = Vec::new();
    for round in 0..5 {
        let id = format!("stolen-{round}");
        let token = world.token(&id);
        assert_eq!(world.statuses(&token, 16), [200; 16]);
        published.put(lines(&["old", &id]));
        let began = Instant::now();
        eventually("the first refusal", || world.status(&token) == 401);
        let first = began.elapsed();
        eventually("all workers", || world.statuses(&token, 16) == [401; 16]);
        delays.push((first, began.elapsed()));
        assert_eq!(world.status(&stolen), 200);
    }
    println!("from publishing to the first refusal, and to that of every worker: {delays:?}");
    delays.sort();
    assert!(delays[delays.len() / 2].0 < Duration::from_millis(2500), "refresh is 1 s: {delays:?}");
    let (requests, sent) = (published.requests.load(Ordering::SeqCst), published.sent.load(Ordering::SeqCst));
    assert_eq!(sent, 6, "each document crosses the wire once, for four workers and the main thread");
    let counted = |outcome: &str, least: u64| {
        world.envoy.counter_of_at_least(&format!("scopegate.revocation.fetches.{outcome}"), least)
    };
    assert_eq!(counted("updated", 6), 6);
    let unchanged = u64::try_from(requests - sent).unwrap() - 1;
    assert!(counted("not_modified", unchanged) >= unchanged, "{requests}");
    assert_eq!(world.envoy.counter_of_at_least("scopegate.revocation.entries.main", 2), 2);
    assert_eq!(world.envoy.counter("scopegate.revocation.stale.main"), 0);
    assert!(world.envoy.counter("scopegate.revocation.age_seconds.main") <= 2);
}

#[test]
fn requests_wait_for_the_first_list_as_many_as_may_and_as_long_as_its_timeout() {
    let server = Unreliable::start(Conduct::Hangs);
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let upstream = Server::echo(0).unwrap();
    let clusters = [cluster("upstream", upstream.address), cluster("lists", server.address)];
    let mut settings = config(&issuer, list(json!({ "timeout": "3s" })));
    settings["limits"] = json!({ "waiting_requests": 2 });
    let envoy =
        Envoy::try_start(&resources(&[Gate::new(settings)], &clusters), 1).unwrap_or_else(|log| panic!("{log}"));
    let bearer = |token: String| format!("Bearer {token}");
    let good = bearer(issuer.token(now()).claim("jti", "good").sign());
    let stolen = bearer(issuer.token(now()).claim("jti", "stolen").sign());
    let send = |bearer: &str| in_background(envoy.address(), head("GET", "/", &[("authorization", bearer)]));
    let waiting = [send(&good), send(&stolen)];
    eventually("both wait", || envoy.counter("scopegate.waiting") == 2);
    // Who fails an earlier check does not wait, and who finds no place is told so.
    let expired = issuer.token(now()).claim("exp", 1).sign();
    let forged = Issuer::new(Algorithm::Es256, "a").token(now()).sign();
    for bad in [expired, forged] {
        assert_eq!(get_with(envoy.address(), "/", &bad).status, 401);
    }
    let third = send(&good).join().unwrap();
    assert_eq!((third.status, third.header("retry-after").is_some()), (503, true), "{third:?}");
    assert!(waiting.iter().all(|waiting| !waiting.is_finished()));
    // The first attempt is let go of, and the next one brings the list.
    let given_up = Instant::now();
    let statuses = waiting.map(|waiting| waiting.join().unwrap().status);
    assert_eq!(statuses, [503; 2], "the list has not come within its timeout");
    assert!(given_up.elapsed() < Duration::from_secs(20), "{:?}", given_up.elapsed());
    eventually("both kinds are counted", || {
        let counted = |reason: &str| envoy.counter(&format!("scopegate.denied.{reason}"));
        (counted("too_busy"), counted("revocation_unavailable")) == (1, 2)
    });
    eventually("the next attempt", || server.count() >= 2);
    let waiting = [send(&good), send(&stolen)];
    server.now(Conduct::answer("200 OK", "", &lines(&["stolen"])));
    eventually("the list", || envoy.counter("scopegate.revocation.stale.main") == 0);
    let _ = waiting.map(|waiting| waiting.join().unwrap().status);
    let answers = [send(&good), send(&stolen)].map(|request| request.join().unwrap().status);
    assert_eq!(answers, [200, 401]);
}

#[test]
fn a_request_that_waits_is_decided_by_the_list_that_comes() {
    let published = Published::default();
    published.put(lines(&["stolen"]));
    let this = published.clone();
    let slow = Server::start(0, move |_| {
        std::thread::sleep(Duration::from_secs(2));
        Answer { status: 200, headers: Vec::new(), body: this.document.lock().unwrap().clone() }
    })
    .unwrap();
    let world = start(slow.address, list(json!({ "timeout": "30s" })), 2);
    let (good, stolen) = (world.token("good"), world.token("stolen"));
    // Over separate connections, before the answer of the first fetch.
    let both = [&good, &stolen].map(|token| {
        in_background(world.envoy.address(), head("GET", "/", &[("authorization", &format!("Bearer {token}"))]))
    });
    assert_eq!(both.map(|waiting| waiting.join().unwrap().status), [200, 401]);
    assert_eq!(world.envoy.counter("scopegate.denied.revocation_unavailable"), 0);
}

const FAILURES: [&str; 5] = ["unreachable", "timeout", "status", "too_large", "invalid"];

fn failed(envoy: &Envoy, kind: &str) -> u64 {
    let kinds = FAILURES.iter().filter(|name| kind.is_empty() || **name == kind);
    kinds.map(|kind| envoy.counter(&format!("scopegate.revocation.fetches.{kind}"))).sum()
}

/// What goes wrong, how it is counted, and the words of the log.
fn outages() -> Vec<(&'static str, Conduct, &'static str, &'static str)> {
    let good = lines(&["stolen", "other"]);
    let ok = |body: &[u8]| Conduct::answer("200 OK", "", body);
    let cut_off = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{{\"iss\"", good.len());
    let whole = good.len() - 1;
    let missing_line = good[..whole].iter().rposition(|&byte| byte == b'\n').unwrap();
    vec![
        ("the connection is refused", Conduct::Refuses, "unreachable", "cannot be reached"),
        ("no answer", Conduct::Hangs, "timeout", "did not answer in time"),
        ("500", Conduct::answer("500 Oops", "", &good), "status", "answered 500, not 200"),
        ("404", Conduct::answer("404 Not Found", "", b""), "status", "answered 404, not 200"),
        ("a redirect", Conduct::answer("302 Found", "location: /x\r\n", &good), "status", "answered 302, not 200"),
        ("an empty body", ok(b""), "invalid", "it is empty"),
        ("a page", ok(b"<!doctype html><title>Welcome</title>"), "invalid", "it is neither JSON Lines"),
        ("a key set", ok(br#"{"keys":[]}"#), "invalid", "line 1: names nothing"),
        ("truncated JSON", ok(&good[..good.len() - 9]), "invalid", "line 3: is not JSON"),
        ("a line too few", ok(&good[..=missing_line]), "invalid", "its end is missing"),
        (
            "an answer that breaks off",
            Conduct::Says(cut_off.into_bytes()),
            "unreachable",
            "did not answer, broke off, or sent more than 32 MiB",
        ),
        ("ten MiB", ok(&vec![b' '; 10 << 20]), "too_large", "more than 1048576"),
        ("an endless slow body", Conduct::Drips, "", "could not be fetched"),
        ("a binary list that is cut", ok(&binary(10, "a")[..100]), "invalid", "it is not the binary form"),
    ]
}

#[test]
fn a_list_goes_on_refusing_through_every_outage_that_is_told_once_and_ends_by_itself() {
    let good = Conduct::answer("200 OK", "", &lines(&["stolen"]));
    let server = Unreliable::start(good.clone());
    let mut world = start(server.address, list(json!({ "timeout": "300ms", "max_bytes": 1_048_576 })), 2);
    let (stolen, other) = (world.token("stolen"), world.token("another"));
    eventually("the first list", || world.status(&stolen) == 401);
    for (case, conduct, kind, words) in outages() {
        let told = |text: &str| world.envoy.log().matches(text).count();
        let (before, counted) = (told("could not be fetched"), failed(&world.envoy, kind));
        let ended = told("can be fetched again");
        server.now(conduct);
        eventually(case, || failed(&world.envoy, kind) >= counted + 2);
        assert_eq!((world.status(&stolen), world.status(&other)), (401, 200), "{case}: the list outlives it");
        assert_eq!(told("could not be fetched"), before + 1, "{case}: told once\n{}", world.envoy.log());
        let log = world.envoy.log();
        let line = log.lines().rfind(|line| line.contains("could not be fetched")).unwrap();
        assert!(line.contains(words), "{case}: {line}");
        server.now(good.clone());
        eventually(case, || told("can be fetched again") == ended + 1);
    }
    server.now(Conduct::Refuses);
    eventually("it is seen to grow older", || world.envoy.counter("scopegate.revocation.age_seconds.main") >= 2);
    assert!(world.envoy.is_alive() && !world.envoy.log().contains("panicked"));
}

#[test]
fn a_list_that_is_missing_or_too_old_refuses_everybody_unless_it_is_told_not_to() {
    for (when_stale, status) in [("deny", 503), ("allow", 200)] {
        let server = Unreliable::start(Conduct::answer("500 Oops", "", b""));
        let timing = json!({ "timeout": "300ms", "max_stale": "2s", "when_stale": when_stale });
        let world = start(server.address, list(timing), 2);
        let (stolen, other) = (world.token("stolen"), world.token("another"));
        let answer = get_with(world.envoy.address(), "/", &other);
        assert_eq!(answer.status, status, "{when_stale}: there has never been a list");
        assert_eq!(answer.header("retry-after").is_some(), status == 503);
        assert_eq!(get_with(world.envoy.address(), "/public", &other).status, 200, "a public route needs none");
        server.now(Conduct::answer("200 OK", "", &lines(&["stolen"])));
        eventually("the list", || world.status(&stolen) == 401 && world.status(&other) == 200);
        eventually("it is shown", || world.envoy.counter("scopegate.revocation.stale.main") == 0);
        server.now(Conduct::Refuses);
        eventually("it is too old", || world.envoy.counter("scopegate.revocation.stale.main") == 1);
        eventually("on every worker", || world.statuses(&other, 12) == [status; 12]);
        assert_eq!(world.status(&stolen), 401, "what is known to be revoked stays so");
        world.envoy.wait_for_log("the revocation list main is older than it may be");
        server.now(Conduct::answer("200 OK", "", &lines(&["stolen"])));
        eventually("it is back", || world.statuses(&other, 12) == [200; 12]);
    }
}

/// The blocks of the guide's section on revoking that are for a shell.
fn shell_blocks() -> Vec<String> {
    let guide = std::fs::read_to_string(root().join("envoy/GUIDE.md")).unwrap();
    let (_, section) = guide.split_once("\n## Revoking a token\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    section.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

/// The nginx of a folder, which it is told to stop however the test ends.
struct Nginx(PathBuf);

impl Drop for Nginx {
    fn drop(&mut self) {
        if let Ok(pid) = std::fs::read_to_string(self.0.join("target/revocations.pid")) {
            let _ = Command::new("kill").arg(pid.trim()).status();
        }
    }
}

#[test]
fn the_lines_of_the_guide_revoke_a_token_with_nginx_as_the_server() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("revoking-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("envoy")).unwrap();
    std::fs::create_dir_all(folder.join("bin")).unwrap();
    // A port that is free, and where the example has its own. nginx drops its rights to those of the user `nobody`, who
    // must be able to read the list.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let here = |text: &str| text.replace("10003", &port.to_string());
    let conf = std::fs::read_to_string(root().join("envoy/revocations.conf")).unwrap();
    assert!(conf.contains("listen 127.0.0.1:10003;"));
    std::fs::write(folder.join("envoy/revocations.conf"), here(&conf)).unwrap();
    let _ = std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_scopegate"), folder.join("bin/scopegate"));
    let path = format!("{}:{}", folder.join("bin").display(), std::env::var("PATH").unwrap());
    let run = |lines: &str| {
        // What the server would print goes where ours goes: it holds it open for as long as it runs.
        let mut shell = Command::new("sh");
        let status = shell.args(["-ec", lines]).current_dir(&folder).env("PATH", &path).stdin(Stdio::null()).status();
        assert!(status.unwrap().success(), "{lines}");
    };
    let blocks = shell_blocks();
    let [serve, revoke, from_log] = &blocks[..] else { panic!("three blocks: {blocks:?}") };
    let _nginx = Nginx(folder.clone());
    run(serve);
    let address = format!("127.0.0.1:{port}").parse().unwrap();
    let uri = format!("http://127.0.0.1:{port}/revoked.jsonl");
    let world =
        start(address, json!({ "lists": [{ "name": "main", "uri": uri, "cluster": "lists", "refresh": "2s" }] }), 2);
    let (stolen, other) = (world.token("stolen"), world.token("other"));
    eventually("the empty list", || world.status(&stolen) == 200);
    std::fs::write(folder.join("token.txt"), &stolen).unwrap();
    run(revoke);
    let began = Instant::now();
    eventually("the refusal", || world.status(&stolen) == 401);
    println!("refused {:?} after the list was built, with a refresh of 2 s", began.elapsed());
    assert_eq!(world.status(&other), 200);
    world.envoy.wait_for_log("reason=revoked");
    let record = json!({
        "decision": "allow", "subject": "alice", "client_id": "web", "fingerprint": "0123456789abcdefghijkl", "expires_in": 60,
    });
    std::fs::write(folder.join("access.log"), json!({ "scopegate": record }).to_string() + "\n").unwrap();
    run(from_log);
    let entries = std::fs::read_to_string(folder.join("target/entries.jsonl")).unwrap();
    let named: Vec<bool> = ["0123456789abcdefghijkl", "FvdA9cRn0Ls45XKidPuQiq"]
        .map(|fingerprint| entries.contains(&format!("\"fingerprint\":\"{fingerprint}\"")))
        .to_vec();
    assert_eq!(named, [true, true], "{entries}");
    eventually("nginx says that nothing has changed", || {
        world.envoy.counter("scopegate.revocation.fetches.not_modified") > 0
    });
}
