//! `scopegate token revoke --push`, against servers of the test.

use crate::support::issuer::{ISSUER, Issuer, now};
use crate::support::server::{Answer, Received, Server};
use crate::world::{Run, folder};
use scopegate::crypto::{Algorithm, PureVerifier, Verification, Verifier as _};
use scopegate::jose::{Compact, KeySet};
use scopegate::security_event::REVOCATION_EVENT;
use serde_json::{Value, json};
use std::fs::write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const PATH: &str = "/.well-known/scopegate/events";

/// A folder with a token, and the key of an operator, whose secret part is returned.
fn world() -> (PathBuf, String) {
    let folder = folder();
    write(folder.join("token.txt"), Issuer::new(Algorithm::Es256, "a").token(now()).claim("jti", "id-1").sign())
        .unwrap();
    let made = command(&["jwks", "generate", "--algorithm", "EdDSA", "--kid", "ops-1"], &folder);
    write(folder.join("ops.json"), &made.stdout).unwrap();
    let key: Value = serde_json::from_str(&made.stdout).unwrap();
    (folder, key["d"].as_str().unwrap().to_owned())
}

fn command(arguments: &[&str], folder: &Path) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scopegate"));
    command.args(arguments).current_dir(folder).env("NO_PROXY", "*");
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Run { stdout: text(output.stdout), stderr: text(output.stderr), status: output.status.code().unwrap() }
}

const OPERATOR: [&str; 4] = ["--key", "ops.json", "--operator", "ops"];

fn revoke(folder: &Path, more: &[&str]) -> Run {
    command(&[&["token", "revoke", "@token.txt"], more, &OPERATOR].concat(), folder)
}

/// A gate that keeps what it gets, and answers by the number of requests before.
fn gate(answer: impl Fn(usize) -> Answer + Send + Sync + 'static) -> (Server, Arc<Mutex<Vec<Received>>>) {
    let got = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&got);
    let server = Server::start(0, move |received| {
        let mut got = kept.lock().unwrap();
        got.push(received.clone());
        answer(got.len() - 1)
    });
    (server.unwrap(), got)
}

fn url(server: &Server) -> String {
    format!("http://{}{PATH}", server.address)
}

fn refusing(err: &str, description: &str) -> Answer {
    Answer { status: 400, ..Answer::json(&json!({ "err": err, "description": description })) }
}

/// The claims of an event, once its signature is good.
fn claims(folder: &Path, received: &Received) -> Value {
    assert_eq!((received.method.as_str(), received.target.as_str()), ("POST", PATH));
    assert!(received.headers.iter().any(|(name, value)| name == "content-type" && value == "application/secevent+jwt"));
    let set = command(&["jwks", "public", "ops.json"], folder).stdout;
    let keys = KeySet::parse(set.as_bytes(), 65_536, 4).unwrap();
    let compact = Compact::parse(&received.body).unwrap();
    assert_eq!((compact.header.typ.as_deref(), compact.header.kid.as_deref()), (Some("secevent+jwt"), Some("ops-1")));
    let verdict = PureVerifier.verify(&keys.keys()[0].key, Algorithm::EdDsa, compact.signing_input, &compact.signature);
    assert_eq!(verdict, Verification::Valid);
    let payload = received.body.split(|&byte| byte == b'.').nth(1).unwrap();
    serde_json::from_slice(&scopegate::base::base64url::decode(payload).unwrap()).unwrap()
}

#[test]
fn every_gate_gets_the_entry_signed_for_it_and_the_list_gets_it_too() {
    let (folder, secret) = world();
    let ((one, of_one), (two, of_two)) = (gate(|_| Answer::status(202)), gate(|_| Answer::status(202)));
    let (first, second) = (url(&one), format!("gate-2={}", url(&two)));
    let run = revoke(&folder, &["--reason", "stolen", "--push", &first, "--push", &second, "--audience", "gate-1"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert_eq!(run.stdout.lines().count(), 1, "{run:?}");
    let entry: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&entry["iss"], &entry["jti"], &entry["reason"]), (&json!(ISSUER), &json!("id-1"), &json!("stolen")));
    let told = format!("{first}: taken\n{}: taken\n2 of 2 gates have taken it\n", url(&two));
    assert_eq!(run.stderr, told);
    let mut ids = Vec::new();
    for (got, audience) in [(of_one, "gate-1"), (of_two, "gate-2")] {
        let got = got.lock().unwrap();
        assert_eq!(got.len(), 1);
        let event = claims(&folder, &got[0]);
        assert_eq!((&event["iss"], &event["aud"]), (&json!("ops"), &json!(audience)));
        assert_eq!(event["events"], json!({ REVOCATION_EVENT: entry }));
        assert!(now().abs_diff(event["iat"].as_i64().unwrap()) < 60, "{event}");
        ids.push(event["jti"].as_str().unwrap().to_owned());
        let set = String::from_utf8(got[0].body.clone()).unwrap();
        assert!(!run.stderr.contains(set.rsplit('.').next().unwrap()), "{run:?}");
    }
    assert!(ids[0] != ids[1] && ids[0].len() == 22, "{ids:?}");
    assert!(!format!("{run:?}").contains(&secret), "{run:?}");
}

#[test]
fn a_gate_that_does_not_take_it_is_named_and_the_entry_is_printed_even_so() {
    let (folder, _) = world();
    let (good, _) = gate(|_| Answer::status(202));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (silent, dead) = (TcpListener::bind("127.0.0.1:0").unwrap(), format!("http://{closed}{PATH}"));
    let silent = format!("http://{}{PATH}", silent.local_addr().unwrap());
    for (answer, wanted) in [
        (
            refusing("invalid_audience", "its `aud` is not this gate"),
            "refused: invalid_audience: its `aud` is not this gate",
        ),
        (refusing("invalid_key", "a\nb\u{1b}[0m"), "refused: invalid_key: a%0Ab%1B[0m"),
        (Answer::status(404), "not taken: status 404 in place of 202: is this the path of its `events`?"),
        (Answer::status(200), "not taken: status 200 in place of 202"),
        (Answer { headers: vec![("location".into(), "/else".into())], ..Answer::status(302) }, "not taken: status 302"),
    ] {
        let (bad, got) = gate(move |_| answer.clone());
        let run = revoke(&folder, &["--push", &url(&good), "--push", &url(&bad), "--audience", "a"]);
        assert_eq!((run.status, run.stdout.lines().count()), (1, 1), "{run:?}");
        assert!(run.stderr.contains(&format!("{}: {wanted}", url(&bad))), "{wanted}: {run:?}");
        assert!(run.stderr.ends_with("\n1 of 2 gates have taken it\n") && run.stderr.contains(": taken\n"), "{run:?}");
        assert_eq!(got.lock().unwrap().len(), 1, "it is not sent again: {wanted}");
    }
    let start = Instant::now();
    let run = revoke(&folder, &["--push", &dead, "--push", &silent, "--push", &silent, "--audience", "a"]);
    assert_eq!((run.status, run.stdout.lines().count()), (1, 1), "{run:?}");
    assert!(run.stderr.contains(&format!("{dead}: not reached: ")), "{run:?}");
    assert!(run.stderr.contains(&format!("{silent}: not reached: no answer in time")), "{run:?}");
    assert!(start.elapsed() < Duration::from_secs(9), "two silent gates are asked at the same time");
}

#[test]
fn a_gate_that_asks_for_it_again_gets_it_four_times_at_most() {
    let (folder, _) = world();
    let busy = || Answer { headers: vec![("retry-after".into(), "0".into())], ..Answer::status(503) };
    let (late, of_late) = gate(move |before| if before < 2 { busy() } else { Answer::status(202) });
    let (never, of_never) = gate(move |_| busy());
    let run = revoke(&folder, &["--push", &url(&late), "--push", &url(&never), "--audience", "a"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.stderr.contains(&format!("{}: taken\n", url(&late))), "{run:?}");
    assert!(run.stderr.contains(&format!("{}: not taken: status 503, 4 times\n", url(&never))), "{run:?}");
    let ids = |got: &Mutex<Vec<Received>>| -> Vec<Value> {
        got.lock().unwrap().iter().map(|received| claims(&folder, received)["jti"].clone()).collect()
    };
    let sent = ids(&of_late);
    assert!(sent.len() == 3 && sent[0] == sent[2], "the same event comes again: {sent:?}");
    assert_eq!(ids(&of_never).len(), 4);
}

#[test]
fn each_entry_of_a_log_is_an_event_and_one_that_is_refused_keeps_back_no_other() {
    let (folder, _) = world();
    let record = |fingerprint: &str| json!({ "scopegate": { "decision": "allow", "subject": "alice", "fingerprint": fingerprint } });
    let lines: Vec<String> = ["A", "B", "C"].iter().map(|one| record(&one.repeat(22)).to_string()).collect();
    write(folder.join("access.log"), lines.join("\n")).unwrap();
    let of_log = |address: &str| {
        let more = [
            "token",
            "revoke",
            "--log",
            "access.log",
            "--where",
            "subject=alice",
            "--audience",
            "a",
            "--push",
            address,
        ];
        command(&[&more, &OPERATOR[..]].concat(), &folder)
    };
    let (all, got) = gate(|_| Answer::status(202));
    let run = of_log(&url(&all));
    assert_eq!((run.status, run.stdout.lines().count(), got.lock().unwrap().len()), (0, 3, 3), "{run:?}");
    assert_eq!(run.stderr, format!("{}: taken, all 3\n1 of 1 gates have taken it\n", url(&all)));
    for (event, line) in got.lock().unwrap().iter().zip(run.stdout.lines()) {
        let entry: Value = serde_json::from_str(line).unwrap();
        assert_eq!(claims(&folder, event)["events"], json!({ REVOCATION_EVENT: entry }));
    }
    let (some, got) = gate(|before| if before == 0 { refusing("invalid_request", "no") } else { Answer::status(202) });
    let run = of_log(&url(&some));
    assert_eq!((run.status, run.stdout.lines().count(), got.lock().unwrap().len()), (1, 3, 3), "{run:?}");
    assert!(run.stderr.contains(": taken, 2 of 3; the first that was not: refused: invalid_request: no\n"), "{run:?}");
    // What is wrong with the key or the audience is wrong with all of them.
    let (none, got) = gate(|_| refusing("invalid_key", "no"));
    let run = of_log(&url(&none));
    assert_eq!((run.status, got.lock().unwrap().len()), (1, 1), "{run:?}");
    assert!(run.stderr.contains(": taken, 0 of 3; "), "{run:?}");
}

#[test]
fn what_cannot_be_sent_is_said_before_anything_is_sent_or_printed() {
    let (folder, secret) = world();
    let (good, got) = gate(|_| Answer::status(202));
    write(folder.join("text.json"), "\"s3cret\"").unwrap();
    write(folder.join("public.json"), command(&["jwks", "public", "ops.json"], &folder).stdout).unwrap();
    let (url, key) = (url(&good), ["--push", "--key", "--operator"]);
    for (arguments, wanted) in [
        (
            vec!["--push", &url, "--key", "ops.json", "--operator", "ops"],
            "say the audience of that gate with --audience",
        ),
        (
            vec!["--push", "ftp://a/", "--key", "ops.json", "--operator", "ops", "--audience", "a"],
            "--push: only http:// and",
        ),
        (
            vec!["--push", "http://u:hunter2@a/", "--key", "ops.json", "--operator", "ops", "--audience", "a"],
            "a user name or",
        ),
        (vec!["--push", &url, "--key", "none.json", "--operator", "ops", "--audience", "a"], "cannot read none.json"),
        (
            vec!["--push", &url, "--key", "text.json", "--operator", "ops", "--audience", "a"],
            "text.json is not a JSON Web Key",
        ),
        (
            vec!["--push", &url, "--key", "public.json", "--operator", "ops", "--audience", "a"],
            "public.json is a key set; give one private key",
        ),
        (vec!["--push", &url, "--key", "ops.json", "--audience", "a"], key[2]),
        (vec!["--push", &url, "--operator", "ops", "--audience", "a"], key[1]),
        (vec!["--key", "ops.json", "--operator", "ops"], key[0]),
    ] {
        let run = command(&[&["token", "revoke", "@token.txt"], &arguments[..]].concat(), &folder);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{arguments:?}: {run:?}");
        assert!(run.stderr.contains(wanted), "{arguments:?}: {run:?}");
        assert!(["hunter2", "s3cret", &secret].iter().all(|text| !run.stderr.contains(text)), "{run:?}");
    }
    assert_eq!(got.lock().unwrap().len(), 0);
}
