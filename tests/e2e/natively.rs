//! What only the native module does: requirements beside routes as Envoy hands them to it, what it refuses to load, and news
//! that every worker knows with its next request. Nothing of these configurations is rewritten.
#![allow(clippy::print_stderr, reason = "a test that is left out says so")]

use crate::events::World;
use crate::gate::configuration;
use crate::support::client::get;
use crate::support::envoy::{Envoy, minor_version};
use crate::support::events::{logout, push_logout};
use crate::support::issuer::{Issuer, now};
use crate::support::native;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::path::PathBuf;

const MODULES: &str = "type.googleapis.com/envoy.extensions.filters.http.dynamic_modules.v3.DynamicModule";

/// Where the native module is; none where the tests are told of none.
fn folder() -> Option<PathBuf> {
    let library = native::library();
    if library.is_none() {
        eprintln!("left out: SCOPEGATE_NATIVE names no native module; `make evidence-native` does");
    }
    library.and_then(|library| library.parent().map(PathBuf::from))
}

fn own(requirement: &Value) -> Value {
    json!({ "typed_per_filter_config": { "scopegate": {
        "@type": format!("{MODULES}FilterPerRoute"),
        "dynamic_module_config": { "name": "scopegate" },
        "per_route_config_name": "scopegate",
        "filter_config": { "@type": "type.googleapis.com/google.protobuf.Struct", "value": requirement },
    } } })
}

fn metadata(requirement: &Value) -> Value {
    json!({ "metadata": { "filter_metadata": { "scopegate": requirement } } })
}

/// A route for each path, and a virtual host for each domain, with what stands beside them.
fn start(configuration: &Value, routes: &[(&str, Value)], hosts: &[(&str, Value)]) -> Result<Envoy, String> {
    let folder = folder().ok_or("no native module")?;
    let answer = |name: &str, beside: &Value| {
        let mut route = json!({ "name": name, "match": { "path": name }, "direct_response": { "status": 200 } });
        route.as_object_mut().unwrap().extend(beside.as_object().unwrap().clone());
        route
    };
    let all: Vec<Value> = routes.iter().map(|(path, beside)| answer(path, beside)).collect();
    let mut virtual_hosts = vec![json!({ "name": "all", "domains": ["*"], "routes": all })];
    for (domain, beside) in hosts {
        let mut host = json!({ "name": domain, "domains": [domain], "routes": [answer("/", &json!({})), answer("/own", &own(&json!({ "public": true })))] });
        host.as_object_mut().unwrap().extend(beside.as_object().unwrap().clone());
        virtual_hosts.push(host);
    }
    let bootstrap = json!({
        "admin": { "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } } },
        "static_resources": { "listeners": [{
            "name": "gate",
            "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } },
            "filter_chains": [{ "filters": [{
                "name": "manager",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                    "stat_prefix": "gate",
                    "route_config": { "virtual_hosts": virtual_hosts },
                    "http_filters": [
                        { "name": "scopegate", "typed_config": {
                            "@type": format!("{MODULES}Filter"),
                            "dynamic_module_config": { "name": "scopegate", "metrics_namespace": "wasmcustom" },
                            "filter_name": "scopegate",
                            "filter_config": { "@type": "type.googleapis.com/google.protobuf.Struct", "value": configuration },
                        } },
                        { "name": "router", "typed_config": {
                            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" } },
                    ],
                },
            }] }],
        }] },
    });
    let search = ("ENVOY_DYNAMIC_MODULES_SEARCH_PATH".to_owned(), folder.to_string_lossy().into_owned());
    Envoy::launch_as_written(&[search].into(), &bootstrap.to_string(), 1, &[], &[])
}

fn closed() -> Value {
    configuration(
        &Issuer::new(Algorithm::Es256, "a"),
        json!({ "default": { "deny": true }, "route_metadata": "replace" }),
    )
}

#[test]
fn each_kind_of_requirement_beside_a_route_counts_or_is_refused_and_none_opens() {
    if folder().is_none() {
        return;
    }
    let (public, scopes) = (json!({ "public": true }), json!({ "scopes": ["a", "b"] }));
    let both = |one: &Value, other: &Value| {
        let mut both = metadata(one);
        both.as_object_mut().unwrap().extend(own(other).as_object().unwrap().clone());
        both
    };
    let routes = [
        ("/none", json!({}), 403),
        ("/public", metadata(&public), 200),
        ("/scopes", metadata(&scopes), 401),
        ("/object", metadata(&json!({ "public": true, "methods": { "GET": { "public": true } } })), 500),
        ("/null", metadata(&json!({ "public": null })), 500),
        ("/empty", metadata(&json!({})), 403),
        ("/own", own(&public), 200),
        ("/own-scopes", own(&scopes), 401),
        ("/own-methods", own(&json!({ "methods": { "GET": { "public": true } }, "deny": true })), 500),
        ("/own-misspelt", own(&json!({ "publik": true })), 500),
        ("/both", both(&public, &public), 500),
    ];
    let beside: Vec<(&str, Value)> = routes.iter().map(|(path, beside, _)| (*path, beside.clone())).collect();
    let hosts = [("own.example.com", own(&scopes)), ("metadata.example.com", metadata(&public))];
    let envoy = start(&closed(), &beside, &hosts).unwrap_or_else(|log| panic!("{log}"));
    // More than once: what a value was is remembered.
    for _ in 0..3 {
        for (path, _, status) in &routes {
            let answer = get(envoy.address(), path, &[]);
            assert_eq!(answer.status, *status, "{path}: {answer:?}");
            assert_eq!(answer.body.contains("cannot be read"), *status == 500, "{path}: {answer:?}");
        }
        let host = |host: &str, path: &str| get(envoy.address(), path, &[("host", host)]).status;
        assert_eq!(host("own.example.com", "/"), 401, "that of the virtual host counts for its routes");
        assert_eq!(host("own.example.com", "/own"), 200, "that of the route comes before it");
        assert_eq!(host("metadata.example.com", "/"), 403, "Envoy hands over no metadata of a virtual host");
    }
    let log = envoy.log();
    for told in ["is an object or null, which Envoy does not hand over", "in its metadata and in its configuration"] {
        assert_eq!(
            log.matches(told).count(),
            if told.starts_with("is an") { 2 } else { 1 },
            "{told}: once for each key"
        );
    }
    // The kinds that Envoy is asked for at first fit these fields, so it has logged no error of its own about them.
    assert!(!log.contains("key scopes is not"), "{log}");
}

#[test]
fn what_envoy_does_not_offer_is_refused_at_load_by_name() {
    if folder().is_none() {
        return;
    }
    let with = |members: Value| {
        let mut configuration = closed();
        configuration.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        configuration
    };
    let mut refused = vec![
        (json!({ "audit": { "record": "object" } }), "audit.record: object: "),
        (json!({ "crypto": "host" }), "configuration refused: crypto: is host"),
    ];
    if minor_version() < 39 {
        let by_host = json!({ "rules": [{ "match": { "virtual_host": "all" }, "public": true }] });
        refused.push((by_host, "rules: match.virtual_host: this Envoy"));
        refused.push((json!({ "seal": true }), "seal: this Envoy"));
    }
    for (members, reason) in refused {
        let log = start(&with(members), &[], &[]).err().expect("it is refused");
        assert!(log.contains(reason), "{reason}: {log}");
    }
    assert!(start(&with(json!({ "crypto": "auto" })), &[], &[]).is_ok());
}

#[test]
fn what_an_event_revokes_is_refused_by_every_worker_with_its_next_request() {
    if folder().is_none() {
        return;
    }
    let world = World::start(json!({}));
    for number in 0..10 {
        let sid = format!("s-{number}");
        let token = world.issuer.token(now() - 10).claim("sid", sid.as_str()).sign();
        assert!(world.all_answer(&token, 200), "all workers remember it");
        let pushed = world.push(&push_logout(&logout(&world.issuer).claim("sid", sid.as_str()).sign()));
        assert_eq!(pushed.status, 200, "{pushed:?}");
        assert!(world.all_answer(&token, 401), "none of them lets it pass once the event has been answered");
    }
}
