//! `envoy/oauth2.yaml`: a browser logs in at a real provider, outlives its access token and works on; pages of others cannot
//! use what it has.

use crate::provider::Provider;
use crate::support::client;
use crate::support::envoy::{Envoy, root};
use crate::support::node;
use crate::support::server::Server;
use serde_json::Value;
use std::process::Command;

/// How long an access token of the provider is good, in seconds.
const LIFETIME: &str = "4";

#[test]
#[ignore = "needs Chromium: make evidence-services"]
fn a_browser_logs_in_once_outlives_its_access_token_and_sends_nothing_for_other_pages() {
    let (upstream, other) = (Server::echo(0).unwrap(), Server::echo(0).unwrap());
    let provider = Provider::of_logins(LIFETIME);
    let mut text = std::fs::read_to_string(root().join("envoy/oauth2.yaml")).unwrap();
    for (from, to) in [
        ("port_value: 10000}", "port_value: 0}".to_owned()),
        ("port_value: 9901}", "port_value: 0}".to_owned()),
        ("port_value: 10001}", format!("port_value: {}}}", upstream.address.port())),
        ("port_value: 10002}", format!("port_value: {}}}", provider.address.port())),
        ("http://127.0.0.1:10002", provider.issuer.clone()),
        ("{environment_variable: OAUTH2_CLIENT_SECRET}", "{inline_string: demo-secret}".to_owned()),
        ("{environment_variable: OAUTH2_COOKIE_SECRET}", format!("{{inline_string: {}}}", "k".repeat(32))),
    ] {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, &to);
    }
    let envoy = Envoy::start_text(&text, 1).unwrap_or_else(|log| panic!("{log}"));
    let gate = format!("http://{}", envoy.address());
    let registered = client::request(provider.address, "POST", &format!("/test/login?{gate}/callback"), &[]);
    assert_eq!(registered.status, 200);
    let output = Command::new(node::binary())
        .arg(root().join("tests/e2e/browser_login.mjs"))
        .args([&gate, LIFETIME, &format!("http://{}", other.address)])
        .env("CHROMIUM", "chromium-headless-shell")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let told: Value = serde_json::from_str(&said)
        .unwrap_or_else(|_| panic!("{said}{}\n{}", String::from_utf8_lossy(&output.stderr), envoy.log()));
    let header = |echoed: &Value, name: &str| {
        let lines = echoed["headers"].as_array().unwrap();
        lines.iter().find(|line| line[0] == name).map(|line| line[1].as_str().unwrap().to_owned())
    };
    let of_script = |name: &str| {
        assert_eq!(told[name][0], 200, "{name}: {told}");
        serde_json::from_str::<Value>(told[name][1].as_str().unwrap()).unwrap()
    };
    let first = &told["first"];
    assert_eq!(header(first, "x-auth-subject").as_deref(), Some("alice"), "{told}");
    assert_eq!(header(first, "authorization"), None, "{told}");
    let issued = |echoed: &Value| header(echoed, "x-auth-issued").unwrap().parse::<i64>().unwrap();
    assert_eq!(issued(&of_script("script")), issued(first), "the same token");
    let lifetime: i64 = LIFETIME.parse().unwrap();
    assert!(issued(&of_script("later")) >= issued(first) + lifetime, "a new token: {told}");
    assert_eq!(told["address"], format!("{gate}/orders"), "without a new login");
    assert_eq!(header(&told["link"], "x-auth-subject").as_deref(), Some("alice"), "{told}");
    let log = envoy.wait_for_log("scopegate_cross_site");
    let line = log.lines().find(|line| line.contains("/from-another-page")).unwrap();
    assert!(line.contains("\"status\":403") && line.contains("scopegate_cross_site"), "{line}");
}
