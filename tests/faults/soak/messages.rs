//! A million MCP calls and ten thousand that break off: memory stays flat.

use super::sample::resident;
use crate::support::client::{KeptClient, connect, head};
use crate::support::envoy::{Envoy, Gate, cluster, resources};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, now};
use crate::support::random::from_environment;
use crate::support::server::{Answer, Server};
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::SocketAddr;
use std::thread;

const CLIENTS: u64 = 4;
const MEBIBYTE: u64 = 1_048_576;
/// A page of a VM's memory.
const PAGE: u64 = 65_536;

fn gate(name: &'static str, issuer: &Issuer, holds: bool) -> Gate {
    let rules = json!([
        { "match": { "path": "/mcp" }, "mcp": { "tools": { "rules": [{ "tool": "debug", "deny": true }] }, "hold_headers": holds } },
    ]);
    let issuers = json!([{ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": issuer.jwks() } }]);
    let plugin = json!({ "allow_on_headers_stop_iteration": holds });
    Gate { name, plugin, ..Gate::new(json!({ "issuers": issuers, "rules": rules })) }
}

/// A request with a call of this tool, whose arguments take so many bytes.
fn call(token: &str, tool: &str, bytes: usize) -> Vec<u8> {
    let arguments = json!({ "text": "x".repeat(bytes) });
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool, "arguments": arguments } });
    let body = body.to_string();
    let (bearer, length) = (format!("Bearer {token}"), body.len().to_string());
    let headers = [("authorization", &*bearer), ("content-type", "application/json"), ("content-length", &length)];
    [head("POST", "/mcp", &headers), body.into_bytes()].concat()
}

#[test]
#[ignore = "a million calls take minutes: make soak"]
fn no_call_and_none_that_breaks_off_leaves_memory_behind() {
    let calls = from_environment("SCOPEGATE_CALLS", 1_000_000);
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let upstream = Server::start(0, |_| Answer::json(&json!({ "jsonrpc": "2.0", "id": 1, "result": {} }))).unwrap();
    let gates = [gate("gate", &issuer, false), gate("held", &issuer, true)];
    let all = resources(&gates, &[cluster("upstream", upstream.address)]);
    let envoy = Envoy::try_start(&all, 1).unwrap();
    let bare = Envoy::try_start(&without_filter(all), 1).unwrap();
    let token = issuer.token(now()).claim("exp", now() + 86_000).sign();
    let addresses = ["gate", "held"].map(|name| envoy.listener(name));
    let send = |count: u64| {
        thread::scope(|scope| {
            for client in 0..CLIENTS {
                let token = &token;
                scope.spawn(move || {
                    let requests = [("get_weather", 200, 200), ("get_weather", 40_000, 200), ("debug", 200, 403)];
                    let requests = requests.map(|(tool, bytes, status)| (call(token, tool, bytes), status));
                    let mut clients = addresses.map(KeptClient::new);
                    for number in 0..count / CLIENTS {
                        let client = &mut clients[usize::try_from((number + client) % 2).unwrap()];
                        // One in a hundred is long, and one in ten is refused.
                        let kind = if number % 100 == 99 {
                            1
                        } else if number % 10 == 9 {
                            2
                        } else {
                            0
                        };
                        let (request, status) = &requests[kind];
                        assert_eq!(client.send(request).status, *status);
                    }
                });
            }
        });
    };
    let abort = |addresses: [SocketAddr; 2], count: usize| {
        let request = call(&token, "get_weather", 2000);
        for number in 0..count {
            // After a part of the headers, or of the body.
            let end = 20 + number * 37 % (request.len() - 20);
            let mut connection = connect(addresses[number % 2]);
            connection.write_all(&request[..end]).unwrap();
        }
    };
    let vm = || envoy.counter("scopegate.vm.memory_bytes");
    send(50_000);
    let (vm_before, before) = (vm(), resident(envoy.process_id()));
    for part in 1..=4_u64 {
        send(calls / 4);
        println!("{} calls: VM {}, Envoy {}", part * calls / 4, vm(), resident(envoy.process_id()));
    }
    let after = resident(envoy.process_id());
    assert!(after < before + 4 * MEBIBYTE, "Envoy grew from {before} to {after}");
    // Envoy itself grows by connections that break off, so it is compared with one without the filter.
    let grown = |envoy: &Envoy| {
        let addresses = ["gate", "held"].map(|name| envoy.listener(name));
        abort(addresses, 1000);
        let before = resident(envoy.process_id());
        abort(addresses, 10_000);
        resident(envoy.process_id()).saturating_sub(before)
    };
    let [with, without] = [&envoy, &bare].map(grown);
    println!("10000 that break off: Envoy grew by {with} with the filter, and by {without} without it; VM {}", vm());
    assert!(with < without + 8 * MEBIBYTE, "{with} and {without}");
    assert!(vm() <= vm_before + PAGE, "the VM grew from {vm_before} to {}", vm());
}

/// These listeners, without the filter.
fn without_filter(mut resources: Value) -> Value {
    for listener in resources["listeners"].as_array_mut().unwrap() {
        let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
        let filters = manager["http_filters"].as_array_mut().unwrap();
        filters.retain(|filter| filter["name"] == "envoy.filters.http.router");
    }
    resources
}
