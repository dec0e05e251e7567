//! The record as an object in a JSON access log: `audit.record`.

use crate::gate::configuration;
use crate::support::client::{connect, get, get_with, head};
use crate::support::envoy::{Envoy, Gate, cluster, listener, resources};
use crate::support::issuer::{Issuer, now};
use crate::support::server::Server;
use crate::support::wait::eventually;
use crate::support::xds::{Folder, discovered, extension};
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

/// A JSON access log that prints the record by this operator.
fn printing(operator: &str) -> Value {
    json!({ "access_log": [{
        "name": "stdout",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
            "log_format": { "json_format": { "path": "%PATH(NQ)%", "record": operator } },
        },
    }] })
}

/// How often the configuration changes.
const ROUNDS: usize = 8;

const AS_OBJECT: &str = "%TYPED_CEL(filter_state['wasm.scopegate'])%";
const AS_TEXT: &str = "%FILTER_STATE(wasm.scopegate:PLAIN)%";

/// A gate whose records have this form.
fn gate(name: &'static str, issuer: &Issuer, audit: &Value, operator: &str) -> Gate {
    let reported =
        json!({ "match": { "template": "/{gate}/reported" }, "report_only": true, "scopes": ["orders:write"] });
    let members = json!({ "audit": audit, "default": { "scopes": ["orders:read"] }, "rules": [reported] });
    Gate { name, connection_manager: printing(operator), ..Gate::new(configuration(issuer, members)) }
}

/// The records in the access log by path, once those of `count` requests are there. Envoy writes it every ten seconds.
fn records(envoy: &Envoy, count: usize) -> BTreeMap<String, Value> {
    let lines = || -> Vec<Value> {
        let log = envoy.log();
        let objects = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        objects.filter(|line| line["path"].is_string()).collect()
    };
    eventually("the access log", || lines().len() >= count);
    let found: BTreeMap<String, Value> = lines()
        .into_iter()
        .map(|mut line| (line["path"].as_str().unwrap().to_owned(), line["record"].take()))
        .collect();
    assert_eq!(found.len(), count, "{found:?}");
    found
}

#[test]
fn a_record_is_an_object_in_the_access_log_and_says_what_the_text_says() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let upstream = Server::echo(0).unwrap();
    // In one VM: two plugins that are the same to Envoy, and one of the other form.
    let in_one_vm = |gate: Gate| Gate { plugin: json!({ "vm_config": { "vm_id": "one" } }), ..gate };
    let gates = [
        gate("object", &issuer, &json!({ "record": "object" }), AS_OBJECT),
        gate("twin", &issuer, &json!({ "record": "object" }), AS_OBJECT),
        gate("text", &issuer, &json!({}), AS_TEXT),
    ]
    .map(in_one_vm);
    let envoy = Envoy::shared(&resources(&gates, &[cluster("upstream", upstream.address)]));
    let good = issuer.token(now());
    let cases = [
        ("allowed", Some(good.clone().sign())),
        ("hostile", Some(good.clone().claim("sub", "a\"b\\ é\r\n%{x}").sign())),
        ("long", Some(good.clone().claim("sub", "s".repeat(250)).sign())),
        ("scopeless", Some(good.clone().scope("other").sign())),
        ("expired", Some(good.clone().claim("exp", now() - 100).sign())),
        ("reported", Some(good.claim("aud", "other").claim("exp", now() - 100).sign())),
        ("missing", None),
    ];
    for (name, token) in &cases {
        for gate in ["object", "twin", "text"] {
            let (address, path) = (envoy.listener(gate), format!("/{gate}/{name}"));
            token.as_ref().map_or_else(|| get(address, &path, &[]), |token| get_with(address, &path, token));
        }
    }
    let records = records(&envoy, 3 * cases.len());
    for (name, _) in &cases {
        let [object, twin, text] = ["object", "twin", "text"].map(|gate| &records[&format!("/{gate}/{name}")]);
        assert!(object.is_object() && twin.is_object(), "{name}: {object} {twin}");
        let mut text: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
        if *name == "expired" {
            // Each names the time of its request.
            text["wanted"] = object["wanted"].clone();
        }
        assert_eq!(object, &text, "{name}");
        let wanted = match *name {
            "scopeless" => ("deny", json!("insufficient_scope")),
            "expired" => ("deny", json!("expired")),
            "missing" => ("deny", json!("no_credential")),
            "reported" => ("would_deny", json!("wrong_audience")),
            _ => ("allow", json!(null)),
        };
        assert_eq!((&object["decision"], &object["reason"]), (&json!(wanted.0), &wanted.1), "{name}: {object}");
        let further = json!(["expired", "insufficient_scope"]);
        let further = if *name == "reported" { further } else { Value::Null };
        assert_eq!(object["unverified_further_reasons"], further, "{name}: {object}");
        assert_eq!(
            object["subject"].is_string(),
            !["expired", "missing", "reported"].contains(name),
            "{name}: {object}"
        );
    }
}

#[test]
fn where_no_record_is_asked_for_the_access_log_has_null() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let upstream = Server::echo(0).unwrap();
    let gates = [
        gate("none", &issuer, &json!({ "record": "object", "filter_state": "none" }), AS_OBJECT),
        gate("denials", &issuer, &json!({ "record": "object", "filter_state": "denials" }), AS_OBJECT),
    ];
    let envoy = Envoy::shared(&resources(&gates, &[cluster("upstream", upstream.address)]));
    let token = issuer.token(now()).sign();
    get(envoy.listener("none"), "/none/refused", &[]);
    get_with(envoy.listener("denials"), "/denials/allowed", &token);
    get(envoy.listener("denials"), "/denials/refused", &[]);
    let records = records(&envoy, 3);
    assert_eq!((&records["/none/refused"], &records["/denials/allowed"]), (&json!(null), &json!(null)));
    let refused = json!({ "decision": "deny", "reason": "no_credential", "requirement": "default", "status": 401 });
    assert_eq!(records["/denials/refused"], refused);
}

#[test]
fn a_request_that_outlives_its_configuration_is_logged_in_the_form_that_it_was_judged_under() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let upstream = Server::echo(0).unwrap();
    let files = Folder::new();
    let plugin = |form: &str| gate("gate", &issuer, &json!({ "record": form }), AS_OBJECT).plugin();
    files.put("scopegate.json", &[extension("scopegate", &plugin("object"))]);
    let filters = [discovered("scopegate", &files.source("scopegate.json"))];
    let routes = json!([{ "match": { "prefix": "/" }, "route": { "cluster": "upstream" } }]);
    let gate = listener("gate", &filters, &routes, &json!({}), &printing(AS_OBJECT));
    let envoy = Envoy::shared(&json!({ "listeners": [gate], "clusters": [cluster("upstream", upstream.address)] }));
    let bearer = format!("Bearer {}", issuer.token(now()).sign());
    for round in 0..ROUNDS {
        let reloads = || envoy.total("extension_config_discovery.http_filter.scopegate.config_reload");
        let before = reloads();
        let path = format!("/round/{round}");
        let mut open = connect(envoy.address());
        let headers = [("authorization", bearer.as_str()), ("content-length", "1"), ("connection", "close")];
        open.write_all(&head("POST", &path, &headers)).unwrap();
        eventually("it was judged", || envoy.counter("scopegate.allowed") >= u64::try_from(2 * round + 1).unwrap());
        let form = if round % 2 == 0 { "text" } else { "object" };
        files.put("scopegate.json", &[extension("scopegate", &plugin(form))]);
        eventually("the new configuration", || reloads() > before);
        let next = format!("/next/{round}");
        get(envoy.address(), &next, &[("authorization", &bearer)]);
        open.write_all(b"x").unwrap();
        let mut answer = String::new();
        open.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    let records = records(&envoy, 2 * ROUNDS);
    for round in 0..ROUNDS {
        let [old, new] = ["round", "next"].map(|kind| &records[&format!("/{kind}/{round}")]);
        let was_object = round % 2 == 0;
        assert_eq!((old.is_object(), new.is_object()), (was_object, !was_object), "{round}: {old} {new}");
        assert!(!was_object || old["subject"] == "alice", "{old}");
    }
}
