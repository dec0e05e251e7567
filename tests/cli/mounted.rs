//! `scopegate check` on what is beside the gate in a cluster: files that Kubernetes mounts, the admin interface, and modules
//! that are named without a digest.

use crate::check::{check, with};
use crate::forms::wasm_plugin;
use crate::world::{Run, folder, run, shipped};
use std::fs;

const FOLDER: &str = "envoy/kubernetes";

/// The shipped manifests of these names in one text.
fn manifests(names: &[&str]) -> String {
    let texts = names.iter().map(|name| fs::read_to_string(format!("{FOLDER}/{name}")).unwrap());
    texts.collect::<Vec<_>>().join("---\n")
}

fn both() -> String {
    manifests(&["configuration.yaml", "deployment.yaml"])
}

fn edited(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

fn assert_warns(checked: &Run, rule: &str, what: &str) {
    let found = checked.stdout.lines().find(|line| line.contains(&format!("warning[{rule}]")));
    let line = found.unwrap_or_else(|| panic!("{rule}: {checked:?}"));
    assert!(line.contains(what) && checked.status == 0, "{what}: {checked:?}");
}

#[test]
fn a_file_of_a_config_map_that_envoy_does_not_watch_is_told_with_what_would_be_right() {
    let text = both();
    assert_eq!(check(&text).stdout.trim(), "no problems found");
    for (watched, map) in [("/etc/envoy/routes", "scopegate-routes"), ("/etc/envoy/filter", "scopegate-filter")] {
        let checked = check(&edited(&text, &format!("watched_directory: {{path: {watched}}}"), ""));
        assert_warns(&checked, "change-not-seen", &format!("is a file of the ConfigMap {map}"));
        assert!(checked.stdout.contains(&format!("add watched_directory: {{path: {watched}}}")), "{checked:?}");
    }
    // A file that no map here has may be moved into place by something else.
    let other = edited(&text, "watched_directory: {path: /etc/envoy/filter}", "");
    let other = edited(&other, "path: /etc/envoy/filter/scopegate.yaml", "path: /run/filter.yaml");
    assert!(!check(&other).stdout.contains("change-not-seen"));
    // Neither does an Envoy outside Kubernetes need it.
    let folder = folder();
    for name in ["envoy.yaml", "routes.yaml", "scopegate.yaml"] {
        fs::copy(format!("envoy/dynamic/{name}"), folder.join(name)).unwrap();
    }
    let checked = run(&["check", "envoy.yaml", "routes.yaml", "scopegate.yaml"], &folder);
    assert_eq!(checked.stdout.trim(), "no problems found");
}

#[test]
fn a_file_that_is_mounted_by_sub_path_is_told() {
    let mount = "{name: routes, mountPath: /etc/envoy/routes, readOnly: true}";
    let by_path = "{name: routes, mountPath: /etc/envoy/routes/routes.yaml, subPath: routes.yaml}";
    let text = edited(&both(), mount, by_path);
    assert_warns(&check(&text), "change-not-seen", "mounts a single file");
    let expression = by_path.replace("subPath", "subPathExpr");
    assert_warns(&check(&edited(&both(), mount, &expression)), "change-not-seen", "mounts a single file");
    let projected = "projected: {sources: [{configMap: {name: scopegate-routes}}]}";
    let projected = edited(&text, "configMap: {name: scopegate-routes}", projected);
    assert_warns(&check(&projected), "change-not-seen", "mounts a single file");
    // What is not of the gate may be mounted as it likes.
    let foreign = edited(&text, "configMap: {name: scopegate-routes}", "configMap: {name: banner}");
    assert!(!check(&foreign).stdout.contains("change-not-seen"));
}

#[test]
fn an_admin_interface_that_others_reach_is_told() {
    for address in ["0.0.0.0", "\"::\"", "10.0.0.7", "admin.example.com"] {
        let text = with("{address: 127.0.0.1, port_value: 9901}", &format!("{{address: {address}, port_value: 9901}}"));
        assert_warns(&check(&text), "admin-reachable", "lets other machines reach the admin interface");
    }
    for address in ["127.0.0.1", "127.0.0.9", "\"::1\"", "localhost"] {
        let text = with("{address: 127.0.0.1, port_value: 9901}", &format!("{{address: {address}, port_value: 9901}}"));
        assert_eq!(check(&text).stdout.trim(), "no problems found", "{address}");
    }
}

#[test]
fn a_route_to_the_admin_interface_is_told_unless_it_is_for_figures_alone() {
    let text = both();
    for (from, to) in [
        ("path: /stats/prometheus\n", "prefix: /stats/prometheus\n"),
        ("path: /stats/prometheus\n", "path: /quitquitquit\n"),
        ("path: /ready\n                      headers", "path: /config_dump\n                      headers"),
    ] {
        assert_warns(&check(&edited(&text, from, to)), "admin-reachable", "leads to the admin interface");
    }
    // On this machine alone it is as reachable as the admin interface itself.
    let local = edited(&text, "path: /stats/prometheus\n", "prefix: /stats/prometheus\n");
    let local = edited(&local, "{address: 0.0.0.0, port_value: 9902}", "{address: 127.0.0.1, port_value: 9902}");
    assert!(!check(&local).stdout.contains("admin-reachable"));
    // Another cluster is another matter.
    let elsewhere = edited(
        &text,
        "- endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 9901",
        "- endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 9909",
    );
    let elsewhere = edited(&elsewhere, "path: /stats/prometheus\n", "prefix: /stats/prometheus\n");
    assert!(!check(&elsewhere).stdout.contains("admin-reachable"));
}

#[test]
fn a_module_that_is_named_without_a_digest_is_noted() {
    let digest = "0".repeat(64);
    let plugin = wasm_plugin(
        "  pluginConfig:\n    issuers:\n    - issuer: https://idp.example.com/\n      audiences: [https://api.example.com]\n      \
         jwks: {uri: \"https://idp.example.com/jwks.json\", cluster: \"outbound|443||idp.example.com\"}\n",
    );
    let by_tag = plugin.replace("  sha256:", "  # sha256:");
    let noted = |text: &str| check(text).stdout.contains("names no digest");
    assert!(noted(&by_tag), "{}", check(&by_tag).stdout);
    assert!(!noted(&by_tag.replace("scopegate:0.1.0", &format!("scopegate@sha256:{digest}"))));
    assert!(!noted(&by_tag.replace("  pluginName", &format!("  sha256: \"{digest}\"\n  pluginName"))));
    assert!(noted(&by_tag.replace("  pluginName", "  sha256: \"\"\n  pluginName")));

    let policy = fs::read_to_string("envoy/gateway/gateway.yaml").unwrap();
    assert!(noted(&policy) && check(&policy).status == 0);
    assert!(!noted(&edited(&policy, "# sha256: \"…\"", &format!("sha256: \"{digest}\""))));

    let text = both();
    assert!(!noted(&text));
    assert!(noted(&edited(&text, &format!("scopegate@sha256:{digest}"), "scopegate:0.1.0")));
    // Another image is not ours to judge.
    let foreign = edited(&text, &format!("scopegate@sha256:{digest}"), "scopegate/files:1");
    assert!(!noted(&foreign));
    assert!(!noted(&shipped()), "a file has no digest");
}
