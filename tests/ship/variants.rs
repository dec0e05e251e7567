//! The files for Envoy that say of themselves that they are envoy.yaml but for something: whether that is all.

use crate::support::envoy::root;
use crate::support::yaml;
use serde_json::{Value, json};

fn document(file: &str) -> Value {
    let mut documents = yaml::documents(&root().join("envoy").join(file));
    assert_eq!(documents.len(), 1, "{file}");
    documents.remove(0)
}

/// The only element of a list.
fn one(list: &Value, file: &str) -> Value {
    let list = list.as_array().unwrap_or_else(|| panic!("{file}: no list"));
    assert_eq!(list.len(), 1, "{file}");
    list[0].clone()
}

/// The connection manager of a listener.
fn manager_of(listener: &Value, file: &str) -> Value {
    let chain = one(&listener["filter_chains"], file);
    one(&chain["filters"], file)["typed_config"].clone()
}

/// The connection manager of the first listener, the only one but for that of [`metrics`].
fn manager(file: &str) -> Value {
    let mut document = document(file);
    let listeners = &mut document["static_resources"]["listeners"];
    listeners.as_array_mut().unwrap().retain(|listener| listener["name"] != "metrics");
    manager_of(&one(listeners, file), file)
}

/// The filter of ours in a connection manager.
fn gate(manager: &mut Value) -> &mut Value {
    let filters = manager["http_filters"].as_array_mut().unwrap();
    filters.iter_mut().find(|filter| filter["name"] == "scopegate").unwrap()
}

/// The only resource of a file that Envoy reads again.
fn resource(file: &str, kind: &str) -> Value {
    let resources = document(file)["resources"].as_array().unwrap().clone();
    assert_eq!(resources.len(), 1, "{file}");
    let mut resource = resources[0].clone();
    assert_eq!(resource.as_object_mut().unwrap().remove("@type"), Some(format!("type.googleapis.com/{kind}").into()));
    resource
}

/// Compares member by member, so that a failure names the one that differs.
fn assert_same(found: &Value, wanted: &Value, file: &str) {
    let (found, wanted) = (found.as_object().unwrap(), wanted.as_object().unwrap());
    for (name, value) in wanted {
        assert_eq!(found.get(name), Some(value), "{file}: {name}");
    }
    let more: Vec<&String> = found.keys().filter(|name| !wanted.contains_key(*name)).collect();
    assert!(more.is_empty(), "{file} has what envoy.yaml has not: {more:?}");
}

#[test]
fn the_connection_manager_of_docker_compose_is_that_of_envoy_yaml() {
    for folder in ["", "fleet/"] {
        let file = format!("{folder}compose/envoy.yaml");
        let (mut wanted, mut found) = (manager(&format!("{folder}envoy.yaml")), manager(&file));
        // What its header names: the issuer, and where the module lies.
        for place in ["/configuration/value/issuers", "/vm_config/code/local/filename"] {
            let place = format!("/typed_config/config{place}");
            let ours = gate(&mut wanted).pointer(&place).unwrap().clone();
            let theirs = gate(&mut found).pointer_mut(&place).unwrap();
            assert_ne!(*theirs, ours, "{place}: the header need not name it");
            *theirs = ours;
        }
        assert_same(&found, &wanted, &file);
    }
}

#[test]
fn of_the_admin_interface_docker_compose_shows_prometheus_the_metrics_and_nothing_else() {
    let file = "compose/envoy.yaml";
    let document = document(file);
    assert_eq!(document["admin"], self::document("envoy.yaml")["admin"], "on the loopback address alone");
    assert_eq!(document["stats_config"], self::document("envoy.yaml")["stats_config"]);
    let listeners = document["static_resources"]["listeners"].as_array().unwrap();
    let names: Vec<&Value> = listeners.iter().map(|listener| &listener["name"]).collect();
    assert_eq!(names, ["main", "metrics"]);
    let manager = manager_of(&listeners[1], file);
    let host = one(&manager["route_config"]["virtual_hosts"], file);
    let route = one(&host["routes"], file);
    // The path as it was sent: without a query, too.
    let headers = json!([
        { "name": ":method", "string_match": { "exact": "GET" } },
        { "name": ":path", "string_match": { "exact": "/stats/prometheus" } },
    ]);
    assert_eq!(route["match"], json!({ "path": "/stats/prometheus", "headers": headers }));
    assert_eq!(route["route"], json!({ "cluster": "admin" }));
    let of_gate = self::manager(file).to_string();
    assert!(!of_gate.contains("\"cluster\":\"admin\""), "no route of the gate leads there: {of_gate}");
    // The file for Prometheus names this listener.
    let port = &listeners[1]["address"]["socket_address"]["port_value"];
    let mut scrape = self::document("prometheus/prometheus.yaml");
    assert_eq!(scrape["scrape_configs"][0]["static_configs"][0]["targets"].take(), json!([format!("envoy:{port}")]));
    assert_eq!(scrape["scrape_configs"][0]["metrics_path"], "/stats/prometheus");
}

#[test]
fn the_connection_manager_with_discovered_parts_is_that_of_envoy_yaml() {
    let (wanted, mut found) = (manager("envoy.yaml"), manager("dynamic/envoy.yaml"));
    // What its header names: routes and filter, each in the place that they are discovered for.
    let rds = found.as_object_mut().unwrap().remove("rds").unwrap();
    let mut routes = resource("dynamic/routes.yaml", "envoy.config.route.v3.RouteConfiguration");
    assert_eq!(routes.as_object_mut().unwrap().remove("name").as_ref(), Some(&rds["route_config_name"]));
    found["route_config"] = routes;
    let filter = resource("dynamic/scopegate.yaml", "envoy.config.core.v3.TypedExtensionConfig");
    let discovered = gate(&mut found);
    assert_eq!(discovered["name"], filter["name"]);
    let discovery = discovered["config_discovery"].clone();
    assert_eq!(discovery["type_urls"], json!([filter["typed_config"]["@type"]]));
    assert!(discovery.get("default_config").is_none(), "nothing passes before the first configuration");
    *discovered = filter;
    for (source, file) in [(&rds, "routes.yaml"), (&discovery, "scopegate.yaml")] {
        let path = &source["config_source"]["path_config_source"]["path"];
        assert_eq!(*path, format!("envoy/dynamic/{file}"), "it starts from the root of the project");
    }
    assert_same(&found, &wanted, "dynamic/envoy.yaml");
}

#[test]
fn clusters_and_admin_of_the_discovered_one_are_those_of_envoy_yaml() {
    let (wanted, found) = (document("envoy.yaml"), document("dynamic/envoy.yaml"));
    assert_eq!(found["static_resources"]["clusters"], wanted["static_resources"]["clusters"]);
    assert_eq!(found["admin"], wanted["admin"]);
}
