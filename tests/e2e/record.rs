//! The record as an object in a JSON access log: `audit.record`.

use crate::gate::configuration;
use crate::support::client::{connect, get, get_with, head};
use crate::support::envoy::{Envoy, Gate, cluster, listener, resources};
use crate::support::issuer::{Issuer, now};
use crate::support::only_wasm::needs_wasm;
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
    needs_wasm!();
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
        if let Some(left) = object.get("expires_in") {
            assert!(left.is_i64() && text["expires_in"].is_i64(), "{name}: {object} {text}");
            text["expires_in"] = left.clone();
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
    needs_wasm!();
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
    let refused = json!({ "decision": "deny", "reason": "no_credential", "requirement": "default",
        "scopes_needed": ["orders:read"], "status": 401 });
    assert_eq!(records["/denials/refused"], refused);
}

#[test]
fn a_request_that_outlives_its_configuration_is_logged_in_the_form_that_it_was_judged_under() {
    needs_wasm!();
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

#[test]
fn which_decisions_have_a_line_in_the_log_is_chosen_and_of_those_that_pass_one_in_so_many() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let upstream = Server::echo(0).unwrap();
    let audits = [
        ("denials", json!({})),
        ("all", json!({ "log": "all" })),
        ("sampled", json!({ "log": "all", "log_sample": 4 })),
        ("off", json!({ "log": "off" })),
        // What Envoy makes of `off` without quotes in YAML.
        ("false", json!({ "log": false })),
    ];
    let gates = audits.map(|(name, audit)| gate(name, &issuer, &audit, AS_TEXT));
    let envoy = Envoy::shared(&resources(&gates, &[cluster("upstream", upstream.address)]));
    let token = issuer.token(now()).sign();
    for name in ["denials", "all", "sampled", "off", "false"] {
        for at in 0..8 {
            let id = format!("{name}-passes-{at}");
            let bearer = format!("Bearer {token}");
            let headers = [("authorization", bearer.as_str()), ("x-request-id", id.as_str())];
            assert_eq!(get(envoy.listener(name), "/", &headers).status, 200);
        }
        let id = format!("{name}-refused");
        assert_eq!(get(envoy.listener(name), "/", &[("x-request-id", &id)]).status, 401);
    }
    // The last request that has a line.
    envoy.wait_for_log("request_id=\"sampled-refused\"");
    let log = envoy.log();
    let lines = |name: &str, what: &str| {
        let begins = format!("request_id=\"{name}-{what}");
        log.lines().filter(|line| line.contains("scopegate: decision=") && line.contains(&begins)).count()
    };
    let counts =
        ["denials", "all", "sampled", "off", "false"].map(|name| [lines(name, "passes"), lines(name, "refused")]);
    assert_eq!(counts, [[0, 1], [8, 1], [2, 1], [0, 0], [0, 0]]);
    let passed = log.lines().find(|line| line.contains("request_id=\"all-passes-0")).unwrap();
    assert!(passed.contains("scopegate: decision=allow issuer=") && passed.contains(" expires_in="), "{passed}");
    assert!(token.split('.').all(|part| !log.contains(part)), "no line has a part of the token");
}

#[test]
fn a_full_record_in_envoy_has_every_member_that_such_a_request_can_have() {
    needs_wasm!();
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let upstream = Server::echo(0).unwrap();
    let gates = [
        gate("object", &issuer, &json!({ "record": "object", "fields": "full" }), AS_OBJECT),
        gate("text", &issuer, &json!({ "fields": "full" }), AS_TEXT),
    ];
    let envoy = Envoy::shared(&resources(&gates, &[cluster("upstream", upstream.address)]));
    let token = issuer.token(now()).claim("jti", "j").claim("client_id", "app").sign();
    for gate in ["object", "text"] {
        for at in 0..2 {
            assert_eq!(get_with(envoy.listener(gate), &format!("/{gate}/{at}"), &token).status, 200);
        }
    }
    let records = records(&envoy, 4);
    for gate in ["object", "text"] {
        let [first, second] = [0, 1].map(|at| match &records[&format!("/{gate}/{at}")] {
            Value::String(text) => serde_json::from_str(text).unwrap(),
            object => object.clone(),
        });
        let names: Vec<&str> = first.as_object().unwrap().keys().map(String::as_str).collect();
        let wanted = [
            "algorithm",
            "cache",
            "client_id",
            "client_network",
            "credential",
            "decision",
            "expires_in",
            "fingerprint",
            "issuer",
            "jti_hash",
            "kid",
            "method",
            "request_id",
            "requirement",
            "scopes",
            "scopes_needed",
            "subject",
            "time",
            "token_age",
            "verified_by",
            "virtual_host",
        ];
        assert_eq!(names, wanted, "{first}");
        assert_eq!((&first["cache"], &second["cache"]), (&json!("miss"), &json!("hit")));
        assert_eq!((&first["verified_by"], &second["verified_by"]), (&json!("host"), &json!("host")), "{first}");
        assert_eq!((&first["client_network"], &first["virtual_host"]), (&json!("127.0.0.0/24"), &json!("all")));
        assert!(first["time"].as_str().is_some_and(|time| time.starts_with("20") && time.ends_with('Z')), "{first}");
    }
}
