//! The files for Envoy that say of themselves that they are envoy.yaml but for something: whether that is all.

use crate::support::envoy::root;
use crate::support::yaml;
use serde_json::{Value, json};

fn document(file: &str) -> Value {
    let mut documents = yaml::documents(&root().join("envoy").join(file));
    assert_eq!(documents.len(), 1, "{file}");
    documents.remove(0)
}

/// The only connection manager of a file.
fn manager(file: &str) -> Value {
    let document = document(file);
    let one = |list: &Value| {
        let list = list.as_array().unwrap_or_else(|| panic!("{file}: no list"));
        assert_eq!(list.len(), 1, "{file}");
        list[0].clone()
    };
    let chain = one(&one(&document["static_resources"]["listeners"])["filter_chains"]);
    one(&chain["filters"])["typed_config"].clone()
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
