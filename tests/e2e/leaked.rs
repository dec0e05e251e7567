//! A token has leaked: what a person sees who revokes it, in real Envoys.

use crate::long_lists::binary;
use crate::open_streams::{endless, open};
use crate::revocation::{Published, World, lines, list, start};
use crate::shipped::with_ports;
use crate::support::client::{get, get_with, head, send};
use crate::support::envoy::{Envoy, cluster, root};
use crate::support::issuer::{Issuer, now};
use crate::support::server::{Answer, Received, Server};
use crate::support::wait::eventually;
use scopegate::checks::fingerprint;
use scopegate::crypto::{Algorithm, sha256};
use serde_json::json;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const REVISION: &str = "scopegate.revocation.revision.main";

/// An empty folder of the test of that name.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The revision that the command prints of a file.
fn shown(file: &Path) -> u64 {
    let command = Command::new(env!("CARGO_BIN_EXE_scopegate")).args(["revocations", "show"]).arg(file).output();
    let text = String::from_utf8(command.unwrap().stdout).unwrap();
    let (_, rest) = text.split_once(": revision ").unwrap_or_else(|| panic!("{text}"));
    rest.split(',').next().unwrap().parse().unwrap()
}

#[test]
fn each_gate_shows_the_revision_that_the_command_prints_and_all_its_workers_the_same() {
    let published = Published::default();
    let file = folder("revisions").join("list");
    let server = published.serve();
    let gates: [World; 2] = [2, 3].map(|workers| start(server.address, list(json!({})), workers));
    let seen = || gates.each_ref().map(|gate| gate.envoy.counter(REVISION));
    let text = lines(&["a", "b"]);
    let (head, entries) = text.split_at(text.iter().position(|&byte| byte == b'\n').unwrap() + 1);
    // The same entries in other text, and a list of three pieces.
    let spaced = [head, b" ", entries].concat();
    let mut before = 0;
    for document in [text.clone(), spaced, binary(150_000, "a"), text.clone()] {
        std::fs::write(&file, &document).unwrap();
        published.put(document);
        let wanted = shown(&file);
        assert_ne!(wanted, before);
        eventually("both gates have it", || seen() == [wanted; 2]);
        // A worker that had the list before would show it now and then.
        std::thread::sleep(Duration::from_millis(1500));
        for _ in 0..20 {
            assert_eq!(seen(), [wanted; 2]);
            std::thread::sleep(Duration::from_millis(100));
        }
        before = wanted;
    }
    assert_eq!(gates[0].status(&gates[0].token("a")), 401);
}

/// A block of the page for a shell, and what the page says that it prints.
#[derive(Clone, Debug)]
struct Block {
    lines: String,
    printed: Option<String>,
}

/// The blocks of the section, in their order.
fn blocks() -> Vec<Block> {
    let page = std::fs::read_to_string(root().join("envoy/ON-CALL.md")).unwrap();
    let (_, section) = page.split_once("\n## A token has leaked\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let of = |text: &str| {
        let (lines, rest) = text.split_once("```").unwrap();
        let printed =
            rest.trim_start().strip_prefix("```text\n").map(|rest| rest.split("```").next().unwrap().to_owned());
        Block { lines: lines.to_owned(), printed }
    };
    section.split("```sh\n").skip(1).map(of).collect()
}

/// Text in which all numbers and all gaps are the same.
fn masked(text: &str) -> String {
    let mut masked = String::new();
    for character in text.trim().chars() {
        let next = match character {
            '0'..='9' => '0',
            '\n' => '\n',
            character if character.is_whitespace() => ' ',
            character => character,
        };
        if !(matches!(next, '0' | ' ') && masked.ends_with(next)) {
            masked.push(next);
        }
    }
    masked.replace(" \n", "\n")
}

/// Two gates with the shipped file, the list, a route of streams and an API key beside.
struct Night {
    folder: PathBuf,
    gates: [Envoy; 2],
    issuer: Issuer,
    fingerprint: String,
    _servers: [Server; 2],
}

/// The fingerprint on the page, and its gates.
const PRINTED: &str = "FvdA9cRn0Ls45XKidPuQiq";
const GATES: [&str; 2] = ["gate-1:9902", "gate-2:9902"];
/// The hosts of the gates for events.
const EVENTS: [&str; 2] = ["gate-1", "gate-2"];
const KEY: &str = "a-key-of-a-partner";

fn edited(text: &str, streams: SocketAddr, operator: &str) -> String {
    let mut digest = String::new();
    sha256(KEY.as_bytes()).iter().for_each(|byte| write!(digest, "{byte:02x}").unwrap());
    let settings = format!(
        "                    revocation: {{lists: [{{name: main, uri: 'http://127.0.0.1:10002/revoked.jsonl', cluster: issuer, refresh: 1s}}]}}
                    events: {{path: /.well-known/scopegate/events, operators: {{ops: {{audience: gates, signed_by: {operator}}}}}}}
                    credentials: [{{name: partners, api_key: {{header: x-api-key}}, identities: [{{id: acme-1, secrets: [{{sha256: {digest}}}]}}]}}]
                    rules:
                    - match: {{path: /partners}}
                      credentials: partners
"
    );
    let route = "              routes:
              - name: streams
                match: {prefix: /, headers: [{name: x-stream, present_match: true}]}
                route: {cluster: streams, timeout: 0s}
                metadata: {filter_metadata: {scopegate: {scopes: [], close_streams: revocation}}}
";
    let cluster = format!("  clusters:\n  - {}\n", cluster("streams", streams));
    let holds = "                failure_policy: FAIL_RELOAD                # keep: never FAIL_OPEN\n";
    let held = format!("{holds}                allow_on_headers_stop_iteration: true\n");
    let edits = [
        (holds, held.as_str()),
        ("                    rules:\n", settings.as_str()),
        ("              routes:\n", route),
        ("  clusters:\n", &cluster),
    ];
    edits.iter().fold(text.to_owned(), |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text.replace(from, to)
    })
}

/// Makes the key of an operator, and returns the key set with the public one.
fn operator(file: &Path) -> String {
    let run = |arguments: &[&str]| {
        let made = Command::new(env!("CARGO_BIN_EXE_scopegate")).args(arguments).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        String::from_utf8(made.stdout).unwrap()
    };
    std::fs::write(file, run(&["jwks", "generate", "--algorithm", "EdDSA", "--kid", "ops-1"])).unwrap();
    let mut key: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    key.as_object_mut().unwrap().remove("d");
    json!({ "keys": [key] }).to_string()
}

impl Night {
    fn start() -> Self {
        let folder = folder("leaked");
        std::fs::create_dir_all(folder.join("lists")).unwrap();
        let issuer = Issuer::new(Algorithm::Es256, "a");
        let operator = operator(&folder.join("ops.json"));
        let (jwks, list) = (issuer.jwks(), folder.join("lists/revoked.jsonl"));
        let serve = move |received: &Received| match received.target.as_str() {
            "/revoked.jsonl" => match std::fs::read(&list) {
                Ok(body) => Answer { status: 200, headers: Vec::new(), body },
                Err(_) => Answer::status(404),
            },
            _ => Answer::json(&jwks),
        };
        let (keys, upstream) = (Server::start(0, serve).unwrap(), Server::echo(0).unwrap());
        let shipped = std::fs::read_to_string(root().join("envoy/envoy.yaml")).unwrap();
        let text = with_ports(&edited(&shipped, endless(), &operator), &upstream, &keys);
        std::fs::write(folder.join("envoy.yaml"), &text).unwrap();
        let gates = [1, 2].map(|workers| Envoy::start_text(&text, workers).unwrap_or_else(|log| panic!("{log}")));
        Self { folder, gates, issuer, fingerprint: String::new(), _servers: [keys, upstream] }
    }

    /// A token of this user, session and client.
    fn token(&self, [subject, session, client]: [&str; 3]) -> String {
        let token = self.issuer.token(now()).claim("sub", subject).claim("sid", session).claim("client_id", client);
        token.claim("jti", format!("{subject}-{session}-{client}")).scope("orders:read").sign()
    }

    /// The statuses of a request with each token, the same in both gates.
    fn statuses(&self, tokens: &[String]) -> Vec<u16> {
        let status = |gate: &Envoy, token: &String| get_with(gate.address(), "/orders/1", token).status;
        let [first, second] =
            self.gates.each_ref().map(|gate| tokens.iter().map(|token| status(gate, token)).collect());
        if first == second { first } else { Vec::new() }
    }

    /// Text of the page with what is its own here.
    fn here(&self, text: &str) -> String {
        let of = |text: String, (name, gate): (&str, &Envoy)| text.replace(name, &gate.admin().to_string());
        let text = GATES.into_iter().zip(&self.gates).fold(text.to_owned(), of);
        let api = format!("http://{}/orders/1", self.gates[0].address());
        let of_events = |text: String, (name, gate): (&str, &Envoy)| {
            text.replace(&format!("https://{name}.example.com/"), &format!("http://{}/", gate.address()))
        };
        let text = EVENTS.into_iter().zip(&self.gates).fold(text, of_events);
        text.replace("https://api.example.com/orders/1", &api)
            .replace("/srv/revocations", &self.folder.to_string_lossy())
            .replace(PRINTED, &self.fingerprint)
    }

    /// Runs a block after the first one, with this on its standard input, and returns what it printed, as the page has it.
    fn run(&self, setup: &Block, block: &Block, input: &str) -> String {
        let path = PathBuf::from(env!("CARGO_BIN_EXE_scopegate"));
        let path = format!("{}:{}", path.parent().unwrap().display(), std::env::var("PATH").unwrap());
        let lines = self.here(&format!("{}{}", setup.lines, block.lines));
        let mut shell = Command::new("sh");
        shell.args(["-ec", &lines]).env("PATH", path).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut shell = shell.spawn().unwrap();
        shell.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let done = shell.wait_with_output().unwrap();
        assert!(done.status.success(), "{lines}");
        let printed = String::from_utf8(done.stdout).unwrap().replace(&self.fingerprint, PRINTED);
        let of = |text: String, (name, gate): (&str, &Envoy)| text.replace(&gate.admin().to_string(), name);
        let printed = GATES.into_iter().zip(&self.gates).fold(printed, of);
        let of_events = |text: String, (name, gate): (&str, &Envoy)| {
            text.replace(&format!("http://{}/", gate.address()), &format!("https://{name}.example.com/"))
        };
        EVENTS.into_iter().zip(&self.gates).fold(printed, of_events)
    }
}

#[test]
fn a_person_who_follows_the_page_sees_what_it_says_and_the_token_is_refused_everywhere() {
    let mut night = Night::start();
    let tokens = [
        ["alice", "s-1", "web"],
        ["alice", "s-1", "app"],
        ["alice", "s-2", "app"],
        ["bob", "s-3", "web"],
        ["carol", "s-4", "app"],
    ];
    let tokens = tokens.map(|names| night.token(names));
    let leaked = &tokens[0];
    night.fingerprint = fingerprint(leaked.rsplit_once('.').unwrap().0.as_bytes());
    let all = blocks();
    let [
        setup,
        name,
        find,
        report,
        token,
        session,
        user,
        client,
        key,
        by_name,
        push,
        publish,
        compare,
        refused,
        streams,
        identity,
        throw,
    ] = &all[..]
    else {
        panic!("{} blocks", all.len())
    };
    let says = |block: &Block, input: &str| {
        let printed = night.run(setup, block, input);
        assert_eq!(masked(&printed), masked(block.printed.as_deref().unwrap_or_default()), "{}", block.lines);
        printed
    };
    // There has been a list before.
    std::fs::write(night.folder.join("entries.jsonl"), "").unwrap();
    night.run(setup, publish, "");
    eventually("the empty list", || night.statuses(&tokens[4..]) == [200]);
    let poor = get_with(night.gates[0].address(), "/orders/1", leaked);
    assert_eq!(poor.status, 200);
    let poor =
        send(night.gates[0].address(), &head("POST", "/orders/1", &[("authorization", &format!("Bearer {leaked}"))]));
    assert_eq!(poor.status, 403);
    // Envoy writes its access log every ten seconds.
    eventually("the access log", || {
        let log = night.gates[0].log();
        let of_token: Vec<&str> = log.lines().filter(|line| line.starts_with('{') && line.contains("alice")).collect();
        std::fs::write(night.folder.join("access.log"), of_token.join("\n") + "\n").unwrap();
        of_token.len() == 2
    });
    assert_eq!(night.statuses(&tokens), [200; 5]);
    let stream = open(night.gates[0].address(), leaked, &[("x-stream", "1")]);
    let other = open(night.gates[1].address(), &tokens[4], &[("x-stream", "1")]);
    says(name, leaked);
    says(find, "");
    says(report, "");
    says(token, "");
    says(push, "");
    let told = Instant::now();
    eventually("it is refused before the list is there", || night.statuses(&tokens) == [401, 200, 200, 200, 200]);
    assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
    says(publish, "");
    let has_list = || masked(&night.run(setup, compare, "")) == masked(compare.printed.as_deref().unwrap());
    let numbers = || {
        let printed = night.run(setup, compare, "");
        let mut lines = printed.lines();
        let (_, file) = lines.next().unwrap().split_once("revision ").unwrap();
        let file = file.split(',').next().unwrap().to_owned();
        lines.map(|line| line.rsplit(' ').next().unwrap() == file).collect::<Vec<_>>()
    };
    assert!(has_list());
    eventually("both gates have the list", || numbers() == [true; 2]);
    eventually("it is refused", || night.statuses(&tokens) == [401, 200, 200, 200, 200]);
    assert!(says(refused, "").starts_with("401\n"));
    eventually("it is counted", || says(refused, "").contains("gate-1:9902 scopegate_denied{reason=\"revoked\"} 2"));
    let (_, read) = stream.recv_timeout(Duration::from_secs(10)).expect("the stream ends");
    assert!(read.contains("data: x"), "{read}");
    eventually("it is counted", || says(streams, "").contains("gate-1:9902 scopegate_streams_closed_revocation{} 1\n"));
    assert!(other.try_recv().is_err(), "another stream goes on");
    for (block, wanted) in [
        (session, [401, 401, 200, 200, 200]),
        (user, [401, 401, 401, 200, 200]),
        (by_name, [401, 401, 401, 200, 200]),
        (client, [401, 401, 401, 401, 200]),
    ] {
        says(block, "");
        night.run(setup, publish, "");
        eventually(&block.lines, || numbers() == [true; 2] && night.statuses(&tokens) == wanted);
        // Who logs in again is let in, unless the client is meant.
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(night.statuses(&[night.token(["alice", "s-9", "other"])]), [200], "{}", block.lines);
    }
    let of_key = || get(night.gates[1].address(), "/partners", &[("x-api-key", KEY)]).status;
    assert_eq!(of_key(), 200);
    says(identity, "");
    night.run(setup, publish, "");
    eventually("the key of the partner is refused", || of_key() == 401);
    assert_eq!(night.statuses(&tokens[4..]), [200]);
    says(key, "");
    night.run(setup, publish, "");
    eventually("all tokens of the key", || night.statuses(&tokens) == [401; 5]);
    other.recv_timeout(Duration::from_secs(10)).expect("the other stream ends");
    says(throw, "");
    assert!(!night.folder.join("token.txt").exists());
    let entries = std::fs::read_to_string(night.folder.join("entries.jsonl")).unwrap();
    assert_eq!(entries.lines().count(), 7, "{entries}");
    assert!(entries.lines().all(|entry| entry.contains("\"reason\":\"incident 4711\"")), "{entries}");
    assert!(!entries.contains(leaked.as_str()));
}
