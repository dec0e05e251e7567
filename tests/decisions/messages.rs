//! Bodies for an MCP server: what the gate lets through says to other readers of JSON what it says to the gate.

#[path = "../fuzz/support/mcp.rs"]
mod other;

use crate::support::bodies;
use crate::support::envoy::root;
use crate::support::hostile_bodies::{self, FORBIDDEN};
use crate::support::node;
use crate::support::random::Random;
use other::{Other, Said};
use scopegate::base::base64url;
use scopegate::mcp::message::{self, Message, Subject};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::process::Command;

#[test]
fn generated_bodies_say_the_same_to_another_reader_and_plain_messages_are_let_through() {
    let mut random = Random::new(Random::seed(2));
    let mut passed = 0;
    for _ in 0..20_000 {
        let body = bodies::body(&mut random);
        let text = String::from_utf8_lossy(&body);
        match (message::read(&body), other::read(&body)) {
            (Ok(message), Other::Message(said)) => {
                assert_eq!(Said::by(&message), said, "{text}");
                passed += 1;
            }
            (Err(_), Other::Refused) | (_, Other::OutOfRange) => {}
            (message, other) => panic!("{message:?}, but to another reader {other:?}: {text}"),
        }
    }
    assert!((7_000..16_000).contains(&passed), "{passed} pass: too few or too many to show anything");
}

#[test]
fn what_two_parsers_could_read_differently_is_refused_and_what_only_looks_alarming_is_not() {
    for (what, body) in hostile_bodies::refused() {
        if let Ok(message) = message::read(&body) {
            panic!("{what}: {message:?}");
        }
    }
    for (what, body) in hostile_bodies::passed() {
        let message = message::read(body.as_bytes()).unwrap_or_else(|fault| panic!("{what}: {fault:?}"));
        assert_eq!(message.subjects, [Subject::Tool("ok".into())], "{what}");
    }
    let plain = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{FORBIDDEN}"}}}}"#);
    assert_eq!(message::read(plain.as_bytes()).expect("a call").subjects, [Subject::Tool(FORBIDDEN.into())]);
}

/// What a server would execute.
fn executed(message: &Message<'_>) -> Value {
    let names: Vec<&str> = message.subjects.iter().map(Subject::name).chain(message.task_id.as_deref()).collect();
    json!([message.method, names, message.meta_version])
}

#[test]
#[ignore = "needs Go: make evidence-services"]
fn python_node_and_go_read_alike_what_is_let_through_of_100_000_bodies() {
    let mut random = Random::new(Random::seed(3));
    let bodies: Vec<Vec<u8>> = (0..100_000).map(|_| bodies::body(&mut random)).collect();
    let read: Vec<(&[u8], Value)> =
        bodies.iter().filter_map(|body| Some((&body[..], executed(&message::read(body).ok()?)))).collect();
    assert!(read.len() > 35_000, "{} pass", read.len());
    let target = root().join("target");
    let lines = target.join("messages-let-through.txt");
    let encoded: Vec<String> = read.iter().map(|(body, _)| base64url::encode(body)).collect();
    fs::write(&lines, encoded.join("\n") + "\n").expect("a file");
    let readers = root().join("tests/decisions/readers");
    let mut go = Command::new("go");
    go.arg("run").arg(readers.join("reader.go")).env("GOCACHE", target.join("go"));
    let mut python = Command::new("python3");
    python.arg(readers.join("reader.py"));
    let mut js = Command::new(node::binary());
    js.arg(readers.join("reader.mjs"));
    for (name, command) in [("Python", &mut python), ("Node", &mut js), ("Go", &mut go)] {
        let output = command.stdin(File::open(&lines).expect("the file")).output();
        let output = output.unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let answers = String::from_utf8(output.stdout).expect("UTF-8");
        assert_eq!(answers.lines().count(), read.len(), "{name}");
        for (answer, (body, wanted)) in answers.lines().zip(&read) {
            let answer: Value = serde_json::from_str(answer).expect("JSON");
            assert_eq!(answer, *wanted, "{name} reads {}", String::from_utf8_lossy(body));
        }
    }
    fs::remove_file(&lines).expect("the file");
}
