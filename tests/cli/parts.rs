//! An Envoy configuration in several files: listeners, routes, clusters and the filter each in its own.

use crate::support::issuer::Issuer;
use crate::world::{Run, folder, run, shipped};
use scopegate::config::read_yaml;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::fs::write;
use std::path::PathBuf;

const FILES: [&str; 4] = ["listeners.json", "routes.json", "filters.json", "clusters.json"];

/// The shipped configuration in four files.
struct Parts {
    folder: PathBuf,
    listeners: Value,
    routes: Value,
    filter: Value,
    clusters: Value,
}

impl Parts {
    fn new() -> Self {
        let mut whole = read_yaml(&shipped()).unwrap().value.to_json();
        let resources = &mut whole["static_resources"];
        let clusters = resources["clusters"].take();
        let mut listener = resources["listeners"][0].take();
        let manager = &mut listener["filter_chains"][0]["filters"][0]["typed_config"];
        let mut routes = manager.as_object_mut().unwrap().remove("route_config").unwrap();
        routes["@type"] = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration".into();
        routes["name"] = "main".into();
        let source = |file: &str| json!({ "path_config_source": { "path": file } });
        manager["rds"] = json!({ "route_config_name": "main", "config_source": source("./routes.json") });
        let own = &mut manager["http_filters"][1];
        let filter = json!({
            "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
            "name": "scopegate",
            "typed_config": own["typed_config"].take(),
        });
        *own = json!({ "name": "scopegate", "config_discovery": {
            "config_source": source("./filters.json"),
            "type_urls": ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"],
        } });
        listener["@type"] = "type.googleapis.com/envoy.config.listener.v3.Listener".into();
        Self { folder: folder(), listeners: listener, routes, filter, clusters }
    }

    fn write(&self) {
        let file = |name: &str, resources: &[Value]| {
            write(self.folder.join(name), json!({ "resources": resources }).to_string()).unwrap();
        };
        file("listeners.json", std::slice::from_ref(&self.listeners));
        file("routes.json", std::slice::from_ref(&self.routes));
        file("filters.json", std::slice::from_ref(&self.filter));
        let clusters = self.clusters.as_array().unwrap().iter().cloned().map(|mut cluster| {
            cluster["@type"] = "type.googleapis.com/envoy.config.cluster.v3.Cluster".into();
            cluster
        });
        file("clusters.json", &clusters.collect::<Vec<_>>());
    }

    fn run(&self, command: &[&str], files: &[&str], more: &[&str]) -> Run {
        self.write();
        run(&[command, files, more].concat(), &self.folder)
    }

    fn plugin(&mut self) -> &mut Value {
        &mut self.filter["typed_config"]["config"]
    }
}

#[test]
fn a_matcher_that_skips_a_gate_that_is_fetched_is_found_where_it_stands() {
    let mut parts = Parts::new();
    let plugin = parts.filter["typed_config"].take();
    let skip = json!({ "action": { "name": "skip", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.common.matcher.action.v3.SkipFilter",
    } } });
    parts.filter["typed_config"] = json!({
        "@type": "type.googleapis.com/envoy.extensions.common.matching.v3.ExtensionWithMatcher",
        "extension_config": { "name": "scopegate", "typed_config": plugin },
        "xds_matcher": { "on_no_match": skip },
    });
    let checked = parts.run(&["check"], &FILES, &[]);
    assert!(checked.status == 1 && checked.stdout.contains("error[disabled]"), "{checked:?}");
    assert!(checked.stdout.starts_with("filters.json:"), "{checked:?}");
}

#[test]
fn check_sees_through_all_of_them() {
    let checked = Parts::new().run(&["check"], &FILES, &[]);
    assert_eq!((checked.status, checked.stdout.trim()), (0, "no problems found"), "{checked:?}");
    // Each mistake is reported in its own file.
    let mut parts = Parts::new();
    parts.plugin()["failure_policy"] = "FAIL_OPEN".into();
    parts.plugin()["configuration"]["value"]["rules"][3]["match"]["route"] = "nowhere".into();
    parts.plugin()["configuration"]["value"]["issuers"][0]["jwks"]["cluster"] = "isuer".into();
    parts.routes["virtual_hosts"][0]["routes"][0]["metadata"]["filter_metadata"]["scopegate"] = json!({ "scope": 1 });
    parts.listeners["filter_chains"][0]["filters"][0]["typed_config"]["merge_slashes"] = false.into();
    let checked = parts.run(&["check"], &FILES, &[]);
    for wanted in [
        "filters.json:1:",
        "error[fails-open]",
        "warning[rule-never-matches]",
        "error[cluster-missing]",
        "routes.json:1:",
        "error[metadata]",
        "listeners.json:1:",
        "warning[paths-not-normalised]",
    ] {
        assert!(checked.stdout.contains(wanted), "{wanted}: {}", checked.stdout);
    }
    assert_eq!(checked.stdout.matches("filters.json:1:").count(), 3, "{}", checked.stdout);
}

#[test]
fn a_filter_that_no_listener_of_the_files_names_is_checked_alone() {
    let mut parts = Parts::new();
    let checked = parts.run(&["check", "--strict"], &["filters.json"], &[]);
    let note =
        |what: &str, said: &str| said.contains(&format!(": {what} not in these files, and could not be checked"));
    assert!(checked.status == 0 && checked.stdout.starts_with("no problems found\nnote: "), "{checked:?}");
    assert!(note("its listener is", &checked.stdout), "{checked:?}");
    let checked = parts.run(&["check", "--json"], &["listeners.json", "filters.json"], &[]);
    assert!(checked.status == 0 && note("its routes are", &checked.stdout), "{checked:?}");
    parts.plugin()["fail_open"] = true.into();
    let checked = parts.run(&["check"], &["filters.json"], &[]);
    assert!(checked.status == 1 && checked.stdout.contains("error[fails-open]"), "{checked:?}");
    let checked = parts.run(&["check"], &["listeners.json", "routes.json"], &[]);
    assert!(checked.status == 2 && checked.stderr.contains("(ECDS): give that file too"), "{checked:?}");
}

#[test]
fn explain_and_token_inspect_see_through_all_of_them() {
    let parts = Parts::new();
    let issuer = Issuer::new(Algorithm::Es256, "a");
    write(parts.folder.join("jwks.json"), issuer.jwks().to_string()).unwrap();
    let token =
        issuer.token(1_795_255_200).claim("iss", "https://issuer.example.com/").scope("orders:read admin").sign();
    write(parts.folder.join("token.txt"), token).unwrap();
    let more =
        ["--request", "POST /orders//1", "--route", "orders", "--at", "2026-11-21T10:00:00Z", "--keys", "jwks.json"];
    let explained = parts.run(&["explain"], &FILES, &[&more[..], &["--token", "@token.txt"]].concat());
    assert_eq!(explained.status, 1, "{explained:?}");
    for wanted in [
        "envoy     makes it POST /orders/1 (normalize_path, merge_slashes, path_with_escaped_slashes_action: REJECT_REQUEST)",
        "decides   metadata of route orders.methods",
        "refused: insufficient_scope",
    ] {
        let wanted = wanted.replace(".methods", "");
        assert!(explained.stdout.contains(&wanted), "{wanted}: {}", explained.stdout);
    }
    let configs = FILES.map(|file| ["--config", file]).concat();
    let at = ["--request", "GET /reports", "--at", "2026-11-21T10:00:00Z", "--keys", "jwks.json"];
    let inspected = parts.run(&["token", "inspect", "@token.txt"], &configs, &at);
    assert!(inspected.status == 0 && inspected.stdout.contains("allowed: the token meets everything"), "{inspected:?}");
    // Without the routes their names are taken as they are given, and it is said.
    let explained = parts.run(&["explain"], &["listeners.json", "filters.json"], &more);
    assert!(explained.stdout.contains("the routes are not in these files"), "{explained:?}");
}

#[test]
fn test_and_matrix_see_through_all_of_them() {
    let parts = Parts::new();
    let cases = "config: [listeners.json, routes.json, filters.json]\ncases:\n\
        - {name: a, request: {method: POST, path: /orders, route: orders}, token: {sub: a, scope: orders:write}, expect: {status: 200}}\n\
        - {name: b, request: {method: POST, path: /orders, route: orders}, token: {sub: a}, expect: {status: 403, scope: orders:write}}\n";
    write(parts.folder.join("cases.yaml"), cases).unwrap();
    let tested = parts.run(&["test"], &["cases.yaml"], &[]);
    assert!(tested.status == 0 && tested.stdout.contains("2 passed"), "{tested:?}");
    let shown = parts.run(&["matrix"], &FILES, &[]);
    assert!(shown.status == 0 && shown.stdout.contains("route orders (api)"), "{shown:?}");
}
