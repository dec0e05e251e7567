//! How often a request enters the VM, and how often the VM calls the host: most of what a filter costs. Read from
//! Envoy's own trace of the module as shipped, so that a new call is noticed.

use crate::support::client::{connect, head, send};
use crate::support::envoy::{Envoy, Gate, cluster, module, resources};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, now};
use crate::support::only_wasm::needs_wasm;
use crate::support::outage::{Conduct, Unreliable};
use crate::support::server::Server;
use crate::support::wait::eventually;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::{Duration, Instant};

/// Each line begins with the thread: the main thread has its own VM, whose ticks come in between.
const TRACE: [&str; 4] = ["--component-log-level", "wasm:trace", "--log-format", "%t %v"];

#[test]
fn a_request_makes_as_many_host_calls_as_the_table_says() {
    needs_wasm!();
    let issuer = Issuer::new(Algorithm::Rs256, "a");
    let envoy = start(&issuer);
    let token = |scope| format!("Bearer {}", issuer.token(now()).scope(scope).sign());
    let (good, poor) = (token("orders:read"), token("orders:write"));
    let mut columns = Vec::new();
    for (what, gate, credential, status) in [
        ("hit-rules", "rules", Some(good.as_str()), 200),
        ("hit-default", "default", Some(good.as_str()), 200),
        ("hit-metadata", "metadata", Some(good.as_str()), 200),
        ("scope", "rules", Some(poor.as_str()), 403),
        ("none", "rules", None, 401),
        ("garbage", "rules", Some("Bearer garbage"), 401),
        ("public", "public", Some(good.as_str()), 200),
    ] {
        let headers: Vec<_> = credential.map(|credential| ("authorization", credential)).into_iter().collect();
        let request = head("GET", "/orders/1", &headers);
        // The first one of a token is no hit yet.
        assert_eq!(send(envoy.listener(gate), &request).status, status, "{what}");
        columns.push((what, trace_of_one(&envoy, gate, &request)));
    }
    // The other module is called for responses, too.
    let is_full = module().ends_with("scopegate-full.wasm");
    insta::assert_snapshot!(if is_full { "host_calls_of_the_full_module" } else { "host_calls" }, table(&columns));
}

/// How often each way to end is gone.
const ROUNDS: usize = 20;

/// A stream may end in every way: no context outlives it, nor does anything wait for one that is gone.
#[test]
fn every_context_that_is_created_is_deleted() {
    needs_wasm!();
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let (upstream, keys) = (Server::echo(0).unwrap(), Unreliable::start(Conduct::Hangs));
    let gate = |name, jwks: Value| Gate {
        name,
        ..Gate::new(json!({ "issuers": [{ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": jwks }] }))
    };
    let remote = json!({ "uri": "http://issuer.example.com/keys", "cluster": "issuer", "timeout": "30s" });
    let gates = [gate("keys", json!({ "inline": issuer.jwks() })), gate("waits", remote)];
    let clusters = [cluster("upstream", upstream.address), cluster("issuer", keys.address)];
    let bootstrap = json!({
        "admin": { "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } } },
        "static_resources": resources(&gates, &clusters),
    });
    let envoy = Envoy::launch(&bootstrap.to_string(), 1, &[], &TRACE).unwrap_or_else(|log| panic!("{log}"));
    let bearer = format!("Bearer {}", issuer.token(now()).sign());
    let with = |method, more: &[(&str, &str)]| {
        let lines: Vec<_> = [("authorization", bearer.as_str())].into_iter().chain(more.iter().copied()).collect();
        head(method, "/", &lines)
    };
    let body = with("POST", &[("content-length", "100")]);
    let kinds = [
        ("allowed", "keys", with("GET", &[])),
        ("refused", "keys", head("GET", "/", &[])),
        ("allowed, and cut off in its body", "keys", body.clone()),
        ("refused, and cut off in its body", "keys", head("POST", "/", &[("content-length", "100")])),
        ("cut off in its headers", "keys", b"GET / HTTP/1.1\r\nhost: a\r\nx: ".to_vec()),
        ("waiting", "waits", with("GET", &[])),
        ("waiting, and cut off in its body", "waits", body),
    ];
    // All but the one whose headers never end are asked about.
    let asked = || envoy.log().matches("[host->vm] proxy_on_request_headers(").count();
    for round in 1..=ROUNDS {
        let waiting = kinds.iter().map(|(_, gate, request)| {
            let mut connection = connect(envoy.listener(gate));
            connection.write_all(request).unwrap();
            connection
        });
        let connections: Vec<_> = waiting.collect();
        eventually("all are asked about", || asked() == round * (kinds.len() - 1));
        eventually("two wait", || envoy.counter("scopegate.waiting") == 2);
        drop(connections);
        eventually("none waits", || envoy.counter("scopegate.waiting") == 0);
    }
    // Those of streams: a root context has no parent.
    let contexts = |call: &str| {
        let log = envoy.log();
        let lines = log.lines().filter_map(|line| Some(line.split_once(call)?.1.split_once(')')?.0.to_owned()));
        lines.filter(|arguments| !arguments.ends_with(", 0")).collect::<Vec<_>>()
    };
    let of = |call| contexts(&format!("[host->vm] proxy_on_{call}("));
    eventually("all are deleted", || of("context_create").len() == of("delete").len());
    // Each gate has its own VM, so a number means one context of each.
    let [created, deleted] = ["context_create", "delete"].map(|call| {
        let mut numbers: Vec<String> = of(call).iter().map(|all| all.split(',').next().unwrap().to_owned()).collect();
        numbers.sort();
        numbers
    });
    assert_eq!(created, deleted);
    assert!(created.len() >= ROUNDS * (kinds.len() - 1), "{}", created.len());
}

/// What a column of the table is made of: calls by direction and name.
type Calls = BTreeMap<String, u32>;

fn start(issuer: &Issuer) -> Envoy {
    let rule = |requirement: Value| {
        let mut rule = requirement;
        rule["match"] = json!({ "path_separated_prefix": "/orders" });
        json!({ "rules": [rule] })
    };
    let lean = json!({ "route_metadata": "ignore", "audit": { "filter_state": "none" } });
    let gate = |name, parts: &[&Value]| {
        let mut configuration = json!({
            "issuers": [{ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": issuer.jwks() } }],
            "forward": { "headers": { "x-auth-subject": "sub" } },
            // As many are logged in a second as under load: next to none.
            "limits": { "denial_logs_per_second": 0 },
        });
        for part in parts {
            configuration.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
        }
        let gate = Gate { name, ..Gate::new(configuration) };
        let mut route = json!({ "match": { "prefix": "/" }, "direct_response": { "status": 200 } });
        if name == "metadata" {
            route["metadata"] = json!({ "filter_metadata": { "scopegate": { "scopes": ["orders:read"] } } });
        }
        gate.routes(json!([route]))
    };
    let scopes = rule(json!({ "scopes": ["orders:read"] }));
    let public = rule(json!({ "public": true }));
    let gates = [
        gate("rules", &[&scopes, &lean]),
        gate("default", &[&scopes]),
        gate("metadata", &[&json!({ "audit": { "filter_state": "none" } })]),
        gate("public", &[&public, &lean]),
    ];
    let bootstrap = json!({
        "admin": { "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } } },
        "static_resources": resources(&gates, &[]),
    });
    Envoy::launch(&bootstrap.to_string(), 1, &[], &TRACE).unwrap_or_else(|log| panic!("Envoy did not start:\n{log}"))
}

/// The calls of one request, once nothing of those before it is left.
fn trace_of_one(envoy: &Envoy, gate: &str, request: &[u8]) -> Calls {
    let whole = |log: &str| requests(log).len();
    let deadline = Instant::now() + Duration::from_secs(10);
    let wait_for = |count: usize| {
        while whole(&envoy.log()) < count {
            assert!(Instant::now() < deadline, "the trace has fewer than {count} requests");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let sent = envoy.log().matches("[host->vm] proxy_on_request_headers(").count();
    wait_for(sent);
    send(envoy.listener(gate), request);
    wait_for(sent + 1);
    requests(&envoy.log()).pop().unwrap()
}

/// The calls of each request whose stream has ended, in the order of their ends.
fn requests(log: &str) -> Vec<Calls> {
    let mut open: BTreeMap<&str, Calls> = BTreeMap::new();
    let mut ended = Vec::new();
    let mut in_tick: BTreeMap<&str, bool> = BTreeMap::new();
    for line in log.lines() {
        let Some((thread, text)) = line.split_once(' ') else { continue };
        if text.starts_with("[host->vm] proxy_on_tick(") {
            in_tick.insert(thread, true);
        } else if text.starts_with("[host<-vm] proxy_on_tick ") {
            in_tick.insert(thread, false);
        }
        let Some((direction, call)) = text.split_once("] ") else { continue };
        if in_tick.get(thread) == Some(&true) || !direction.contains("->") {
            continue;
        }
        let name = call.split('(').next().unwrap_or(call).trim_start_matches("env.").trim_start_matches("proxy_");
        let from = if direction == "[host->vm" { "into the VM" } else { "to the host" };
        if name == "on_context_create" {
            open.insert(thread, Calls::new());
        }
        let Some(calls) = open.get_mut(thread) else { continue };
        *calls.entry(format!("{from}: {name}")).or_default() += 1;
        if name == "on_delete" {
            ended.extend(open.remove(thread).filter(|calls| calls.contains_key("into the VM: on_request_headers")));
        }
    }
    ended
}

fn table(columns: &[(&str, Calls)]) -> String {
    let names: BTreeSet<&String> = columns.iter().flat_map(|(_, calls)| calls.keys()).collect();
    let row = |title: &str, cells: Vec<String>| {
        let aligned = |cell: &String| format!("{cell:>13}");
        format!("{title:<44}{}\n", cells.iter().map(aligned).collect::<Vec<_>>().concat())
    };
    let mut text = row("", columns.iter().map(|(what, _)| (*what).to_owned()).collect());
    for name in names {
        let cell = |calls: &Calls| calls.get(name).map_or_else(|| "-".to_owned(), ToString::to_string);
        text += &row(name, columns.iter().map(|(_, calls)| cell(calls)).collect());
    }
    for direction in ["into the VM", "to the host"] {
        let sum =
            |calls: &Calls| calls.iter().filter(|(name, _)| name.starts_with(direction)).map(|(_, n)| n).sum::<u32>();
        text += &row(&format!("{direction}, all"), columns.iter().map(|(_, calls)| sum(calls).to_string()).collect());
    }
    text
}
