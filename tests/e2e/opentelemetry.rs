//! The record in OpenTelemetry access logs, by Envoy's own exporter: envoy/opentelemetry.yaml with a collector.

use crate::shipped::with_ports;
use crate::support::client::{get, get_with};
use crate::support::envoy::{Envoy, root};
use crate::support::issuer::{Issuer, now};
use crate::support::node;
use crate::support::records::{misfits, schema};
use crate::support::server::{Answer, Server};
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A collector, which ends with the test.
struct Collector {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    port: u16,
}

impl Collector {
    fn start() -> Self {
        let mut command = Command::new(node::binary());
        command.arg(root().join("tests/e2e/collector.mjs")).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines.next().unwrap().unwrap().parse().unwrap();
        Self { process, lines, port }
    }

    fn receive(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().expect("the collector ended").unwrap()).unwrap()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_collector_receives_the_record_of_each_request_as_the_body_of_a_log_record() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let jwks = issuer.jwks();
    let keys = Server::start(0, move |_| Answer::json(&jwks)).unwrap();
    let upstream = Server::echo(0).unwrap();
    let mut collector = Collector::start();
    let file = fs::read_to_string(root().join("envoy/opentelemetry.yaml")).unwrap();
    let bootstrap =
        with_ports(&file, &upstream, &keys).replace("port_value: 4317}", &format!("port_value: {}}}", collector.port));
    let envoy = Envoy::start_text(&bootstrap, 1).unwrap_or_else(|log| panic!("{log}"));
    let good = issuer.token(now()).scope("orders:read").claim("client_id", "app").sign();
    let poor = issuer.token(now()).scope("other").sign();
    let token_in_query = format!("/q?access_token={good}");
    let mut received = Vec::new();
    for (path, token, status) in [("/a?x=secret", Some(&good), 200), ("/b", Some(&poor), 403), ("/c", None, 401)] {
        let answer =
            token.map_or_else(|| get(envoy.address(), path, &[]), |token| get_with(envoy.address(), path, token));
        assert_eq!(answer.status, status, "{path}");
        received.push(collector.receive());
    }
    assert_eq!(get(envoy.address(), &token_in_query, &[]).status, 400);
    received.push(collector.receive());
    let schema = schema();
    let wanted = [
        ("allow", json!(null), "/a", "200"),
        ("deny", json!("insufficient_scope"), "/b", "403"),
        ("deny", json!("no_credential"), "/c", "401"),
        ("deny", json!("token_in_query"), "/q", "400"),
    ];
    for (log, (decision, reason, path, status)) in received.iter().zip(wanted) {
        let record: Value = serde_json::from_str(log["body"].as_str().unwrap()).unwrap();
        assert_eq!(misfits("record", &record, &schema), Vec::<String>::new(), "{log}");
        assert_eq!((&record["decision"], &record["reason"]), (&json!(decision), &reason), "{log}");
        assert_eq!(
            (&log["attributes"]["url.path"], &log["attributes"]["http.response.status_code"]),
            (&json!(path), &json!(status))
        );
        assert_eq!(log["resource"]["service.name"], "scopegate", "{log}");
        let text = log.to_string();
        assert!(!text.contains("secret") && good.split('.').all(|part| !text.contains(part)), "{text}");
    }
    let first: Value = serde_json::from_str(received[0]["body"].as_str().unwrap()).unwrap();
    assert_eq!((&first["client_id"], &first["subject"]), (&json!("app"), &json!("alice")), "{first}");
}
