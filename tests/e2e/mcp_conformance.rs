//! The conformance tests of MCP (npm `@modelcontextprotocol/conformance`) see the same server with a gate before it as without.

use crate::gate::configuration;
use crate::mcp_clients::{free_port, server};
use crate::support::envoy::{Envoy, Gate, cluster, resources};
use crate::support::issuer::Issuer;
use crate::support::node;
use crate::support::xds::Folder;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

/// How each check of each scenario ended.
type Checks = BTreeMap<(String, usize), String>;

/// What the revision requires of a server, told of the one at this address.
fn checks(address: SocketAddr, revision: &str) -> Checks {
    let folder = Folder::new();
    let output = folder.path("results");
    let mut command = Command::new(node::binary());
    command.arg(node::packages().join("node_modules/@modelcontextprotocol/conformance/dist/index.js"));
    command.args(["server", "--url", &format!("http://{address}/mcp"), "--requirements", revision]);
    command.arg("--output-dir").arg(&output).stdout(Stdio::null()).stderr(Stdio::null());
    // It fails where a check does, and this server does not have everything.
    command.status().unwrap();
    let mut all = Checks::new();
    for scenario in std::fs::read_dir(&output).unwrap() {
        let scenario = scenario.unwrap();
        let name = scenario.file_name().into_string().unwrap();
        // The moment comes after it.
        let name = name.rsplitn(7, '-').last().unwrap();
        let text = std::fs::read_to_string(scenario.path().join("checks.json")).unwrap();
        let list: Vec<Value> = serde_json::from_str(&text).unwrap();
        for (place, check) in list.iter().enumerate() {
            all.insert((name.to_owned(), place), format!("{} {}", check["id"], check["status"]));
        }
    }
    all
}

/// A gate that reads every message, of pages of its own origin too, and asks for no token.
fn gate(server: SocketAddr, holds: bool, versions: &[&str]) -> (Envoy, SocketAddr) {
    let at = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let mcp = json!({
        "origins": [format!("http://{at}")], "hosts": ["127.0.0.1"], "versions": versions, "hold_headers": holds,
    });
    let rule = json!({ "match": { "path": "/mcp" }, "allow_missing": true, "mcp": mcp });
    let mut gate = Gate::new(configuration(&issuer, json!({ "rules": [rule], "default": { "deny": true } })));
    gate.plugin = json!({ "allow_on_headers_stop_iteration": holds });
    gate.routes = json!([{ "match": { "prefix": "/" }, "route": { "cluster": "server", "timeout": "0s" } }]);
    let mut all = resources(&[gate], &[cluster("server", server)]);
    all["listeners"][0]["address"]["socket_address"]["port_value"] = at.port().into();
    (Envoy::start(&all), at)
}

#[test]
#[ignore = "needs PyPI mcp, for the server: make evidence-services"]
fn every_check_ends_through_the_gate_as_it_does_without() {
    let sessions = ["2025-03-26", "2025-06-18", "2025-11-25"];
    for (revision, versions, least) in [("2025-11-25", &sessions[..], 55), ("2026-07-28", &["2026-07-28"], 125)] {
        let (_server, address) = server();
        let direct = checks(address, revision);
        let good = direct.values().filter(|check| check.ends_with("\"SUCCESS\"")).count();
        assert!(good >= least, "{revision}: the server passes {good} checks: {direct:#?}");
        for holds in [true, false] {
            let (_server, address) = server();
            let (_envoy, address) = gate(address, holds, versions);
            let gated = checks(address, revision);
            let differ: Vec<_> = direct
                .iter()
                .filter(|(key, check)| gated.get(*key) != Some(*check))
                .map(|(key, check)| (key, check, gated.get(key)))
                .collect();
            assert!(differ.is_empty() && direct.len() == gated.len(), "{revision} {holds}: {differ:#?}");
        }
    }
}
