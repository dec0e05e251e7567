//! The command reads what Envoy writes: its access log with the record as an object and as text, and its own log.

use crate::shipped::with_ports;
use crate::support::client::{get, get_with};
use crate::support::envoy::{Envoy, root};
use crate::support::issuer::{Issuer, now};
use crate::support::server::{Answer, Server};
use crate::support::wait::eventually;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::process::Command;

/// The figures of what a shipped Envoy logs of five requests, with this edit of its file.
fn figures(edit: impl Fn(String) -> String) -> (Value, String, String) {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let jwks = issuer.jwks();
    let keys = Server::start(0, move |_| Answer::json(&jwks)).unwrap();
    let upstream = Server::echo(0).unwrap();
    let shipped = std::fs::read_to_string(root().join("envoy/envoy.yaml")).unwrap();
    let text = edit(with_ports(&shipped, &upstream, &keys));
    // As Envoy itself writes a line, with its time.
    let format = ["--log-format", "[%Y-%m-%d %T.%e][%t][%l][%n] [%g:%#] %v"];
    let envoy = Envoy::launch(&text, 1, &[], &format).unwrap_or_else(|log| panic!("{log}"));
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("logs-{}", envoy.address().port()));
    std::fs::create_dir_all(&folder).unwrap();
    let good = issuer.token(now()).scope("orders:read").sign();
    for _ in 0..2 {
        assert_eq!(get_with(envoy.address(), "/orders/1", &good).status, 200);
    }
    let poor = issuer.token(now()).scope("orders:write").sign();
    assert_eq!(get_with(envoy.address(), "/orders/1", &poor).status, 403);
    assert_eq!(get_with(envoy.address(), "/orders/1", &issuer.token(0).sign()).status, 401);
    assert_eq!(get(envoy.address(), "/orders/1", &[]).status, 401);
    let fingerprint = scopegate::checks::fingerprint(poor.rsplit_once('.').unwrap().0.as_bytes());
    let log = folder.join("envoy.log");
    // Envoy writes the access log every ten seconds.
    eventually("the access log", || {
        let written = envoy.log();
        std::fs::write(&log, &written).unwrap();
        written.lines().filter(|line| line.starts_with('{')).count() >= 5
    });
    std::fs::write(folder.join("envoy.yaml"), &text).unwrap();
    let said = |arguments: &[&str]| {
        let command =
            Command::new(env!("CARGO_BIN_EXE_scopegate")).args(arguments).current_dir(&folder).output().unwrap();
        assert!(command.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&command.stderr));
        String::from_utf8(command.stdout).unwrap()
    };
    let told = said(&["report", "envoy.log", "--policy", "envoy.yaml", "--json"]);
    let told = serde_json::from_str(&told).unwrap();
    let revoked = said(&["token", "revoke", "--log", "envoy.log", "--where", "reason=insufficient_scope"]);
    assert_eq!(serde_json::from_str::<Value>(&revoked).unwrap()["fingerprint"], fingerprint.as_str());
    (told, said(&["tail", "--no-follow", "envoy.log"]), said(&["matrix", "envoy.yaml", "--used", "envoy.log"]))
}

#[test]
fn the_command_reads_the_logs_of_the_shipped_envoy_and_counts_each_decision_once() {
    let as_text = |text: String| {
        let edited =
            text.replace("%TYPED_CEL(filter_state['wasm.scopegate'])%", "%FILTER_STATE(wasm.scopegate:PLAIN)%");
        assert_ne!(edited, text);
        let (from, to) = ("record: object", "record: text");
        assert!(edited.contains(from), "{edited}");
        edited.replace(from, to)
    };
    for (told, shown, matrix) in [figures(|text| text), figures(as_text)] {
        let denied = json!({ "insufficient_scope": 1, "expired": 1, "no_credential": 1 });
        let decisions = json!({ "requests": 5, "allowed": 2, "served": 0, "denied": denied, "would_deny": {} });
        assert_eq!(told["decisions"], decisions, "{told}");
        assert_eq!((&told["log"]["seen_again"], &told["log"]["unreadable_lines"]), (&json!(3), &json!(0)), "{told}");
        assert_eq!(told["log"]["records_without_time"], 0, "{told}");
        let routes = told["routes"]["rows"].as_array().unwrap();
        assert_eq!((routes.len(), &routes[0]["name"]), (1, &json!("orders")), "{told}");
        assert_eq!(shown.lines().count(), 6, "{shown}");
        for reason in ["allow", "insufficient_scope", "expired", "no_credential"] {
            assert!(shown.contains(reason), "{reason}: {shown}");
        }
        let of_orders = matrix.lines().find(|line| line.starts_with("route orders")).unwrap();
        assert!(of_orders.contains("5 requests, 3 refused"), "{matrix}");
    }
}
