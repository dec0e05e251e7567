//! User names and passwords in a real Envoy, with the hashes of htpasswd, and with curl.

use crate::gate::{configuration, start};
use crate::support::client::{get, get_with, head, send};
use crate::support::envoy::Gate;
use crate::support::issuer::{Issuer, now};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

/// A line of `htpasswd -B`, of this cost.
pub fn htpasswd(user: &str, password: &str, cost: u32) -> String {
    let mut process = Command::new("htpasswd")
        .args(["-i", "-n", "-B", "-C", &cost.to_string(), user])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    process.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
    String::from_utf8(process.wait_with_output().unwrap().stdout).unwrap().trim().to_owned()
}

fn gate(issuer: &Issuer, cost: u32, members: Value) -> Gate {
    let lines = [htpasswd("ann", "correct:horse", cost), "# staff".to_owned(), htpasswd("bob", "b", cost)];
    let mut all = json!({
        "credentials": [{ "name": "staff", "basic": {}, "scopes": ["orders:read"], "htpasswd": { "env": "STAFF" },
                          "identities": [{ "id": "bob", "subject": "Bob" }] }],
        "default": { "credentials": { "any_of": ["bearer", "staff"] }, "scopes": ["orders:read"] },
        "forward": { "headers": { "x-auth-subject": "sub", "x-auth-credential": "credential" } },
    });
    all.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let mut gate = Gate::new(configuration(issuer, all));
    gate.plugin = json!({ "vm_config": { "environment_variables": { "key_values": { "STAFF": lines.join("\n") } } } });
    gate
}

/// What `curl -u` says: the status, and the answer with its headers.
fn curl(address: SocketAddr, user: &str) -> (String, String) {
    let output = Command::new("curl")
        .args(["--silent", "--include", "--write-out", "\n%{http_code}", "--noproxy", "*", "--max-time", "30"])
        .args(["--user", user, &format!("http://{address}/orders")])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (text, status) = text.rsplit_once('\n').unwrap();
    (status.to_owned(), text.to_owned())
}

#[test]
fn curl_passes_with_a_password_of_htpasswd_and_the_upstream_sees_whose_it_is_and_not_the_password() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let (envoy, _upstream) = start(gate(&issuer, 5, json!({})));
    let address = envoy.address();
    for (user, subject) in [("ann:correct:horse", "ann"), ("bob:b", "Bob"), ("ann:correct:horse", "ann")] {
        let (status, text) = curl(address, user);
        assert_eq!(status, "200", "{text}");
        let names = format!(r#"["x-auth-subject","{subject}"]"#);
        assert!(text.contains(&names) && text.contains(r#"["x-auth-credential","staff"]"#), "{text}");
        assert!(!text.contains("\"authorization\""), "{text}");
    }
    let bytes = |user: &str| {
        let basic = format!("Basic {}", STANDARD.encode(user));
        let mut answer = send(address, &head("GET", "/orders", &[("authorization", &basic)]));
        answer.headers.retain(|(name, _)| name != "date");
        (answer.status, answer.headers, answer.body)
    };
    let wrong = bytes("ann:wrong");
    assert_eq!(wrong.0, 401);
    for user in [
        "ann:wrong",
        "nobody:wrong",
        "nobody:correct:horse",
        "ann:",
        ":",
        "ann",
        &format!("ann:{}", "x".repeat(45_000)),
    ] {
        assert_eq!(bytes(user), wrong, "{user:.40}");
    }
    let challenges: Vec<&str> =
        wrong.1.iter().filter(|(name, _)| name == "www-authenticate").map(|(_, value)| value.as_str()).collect();
    assert_eq!(challenges, ["Bearer realm=\"api\"", "Basic realm=\"api\", charset=\"UTF-8\""]);
    let token = issuer.token(now()).scope("orders:read").sign();
    assert_eq!(get_with(address, "/orders", &token).status, 200);
    let basic = format!("Basic {}", STANDARD.encode("bob:b"));
    let bearer = format!("Bearer {token}");
    for other in [&basic, &bearer] {
        let two = get(address, "/orders", &[("authorization", &basic), ("authorization", other)]);
        assert_eq!(two.status, 400, "two lines");
    }
    let log = envoy.wait_for_log("credential=basic credential_set=staff identity=\"ann\"");
    assert!(!log.contains("nobody") && !log.contains("horse") && !log.contains(&STANDARD.encode("bob:b")), "{log}");
}

#[test]
fn a_storm_of_wrong_passwords_leaves_every_other_request_its_answer() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let (envoy, _upstream) = start(gate(&issuer, 10, json!({ "limits": { "waiting_requests": 8 } })));
    let address = envoy.address();
    // It is remembered through the storm, whose guesses are others.
    assert_eq!(curl(address, "bob:b").0, "200");
    let token = issuer.token(now()).scope("orders:read").sign();
    let statuses = std::thread::scope(|scope| {
        let guess = |client: usize| {
            let of = move |number: usize| {
                let user = if number.is_multiple_of(2) { "ann" } else { "nobody" };
                let basic = format!("Basic {}", STANDARD.encode(format!("{user}:{client} {number}")));
                send(address, &head("GET", "/orders", &[("authorization", &basic)])).status
            };
            (0..6).map(of).collect::<Vec<u16>>()
        };
        let storm: Vec<_> = (0..16).map(|client| scope.spawn(move || guess(client))).collect();
        for _ in 0..40 {
            assert_eq!(get_with(address, "/orders", &token).status, 200, "a token");
        }
        for _ in 0..5 {
            assert_eq!(curl(address, "bob:b").0, "200", "a password that is remembered");
        }
        storm.into_iter().flat_map(|client| client.join().unwrap()).collect::<Vec<u16>>()
    });
    assert!(statuses.iter().all(|status| matches!(status, 401 | 503)), "{statuses:?}");
    assert!(statuses.contains(&401), "{statuses:?}");
    assert!(statuses.contains(&503), "no more than 8 wait: {statuses:?}");
    assert!(envoy.counter("scopegate.denied.too_busy") > 0);
}
