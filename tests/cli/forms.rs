//! `scopegate check` on the forms in which configurations reach people: what Envoy and Kubernetes take is read as they read
//! it.

use crate::check::{check, with};
use crate::world::{Run, folder, run, shipped};
use serde_json::{Value, json};
use std::fs;

/// Checks this text in a file of this name.
fn check_as(name: &str, text: &str) -> Run {
    let folder = folder();
    fs::write(folder.join(name), text).unwrap();
    run(&["check", name], &folder)
}

/// A `WasmPlugin` with this below its `spec`.
pub fn wasm_plugin(spec: &str) -> String {
    format!(
        "apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
metadata: {{name: scopegate, namespace: istio-ingress}}
spec:
  targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: public}}]
  url: oci://registry.example.com/scopegate:0.1.0
  sha256: \"{}\"
  pluginName: scopegate
  phase: AUTHN
  failStrategy: FAIL_RELOAD
{spec}",
        "0".repeat(64)
    )
}

const PLUGIN_CONFIG: &str = "  pluginConfig:
    issuers:
    - issuer: https://idp.example.com/
      audiences: [https://api.example.com]
      jwks: {uri: \"https://idp.example.com/jwks.json\", cluster: \"outbound|443||idp.example.com\"}
";

fn indented(text: &str, depth: usize) -> String {
    text.lines().map(|line| format!("{}{line}\n", " ".repeat(depth))).collect::<Vec<_>>().concat()
}

fn assert_clean(checked: &Run) {
    assert_eq!((checked.status, checked.stdout.trim()), (0, "no problems found"), "{checked:?}");
}

/// The line of the first finding of a rule.
fn line_of(checked: &Run, rule: &str) -> usize {
    let found = checked.stdout.lines().find(|line| line.contains(&format!("error[{rule}]")));
    let line = found.unwrap_or_else(|| panic!("{rule}: {checked:?}"));
    line.split(':').nth(1).unwrap().parse().unwrap()
}

fn line_with(text: &str, part: &str) -> usize {
    text.lines().position(|line| line.contains(part)).unwrap() + 1
}

#[test]
fn a_gate_in_a_typed_struct_is_judged_as_any_other() {
    let wasm = "            typed_config:\n              \"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm\n              config:\n";
    let (before, rest) = shipped().split_once(wasm).map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let (plugin, after) = rest.split_once("          - name: envoy.filters.http.router\n").unwrap();
    for name in ["udpa.type.v1.TypedStruct", "xds.type.v3.TypedStruct"] {
        let text = format!(
            "{before}            typed_config:\n              \"@type\": type.googleapis.com/{name}\n              type_url: type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm\n              value:\n                config:\n{}          - name: envoy.filters.http.router\n{after}",
            indented(plugin, 2)
        );
        assert_clean(&check(&text));
        let open = text.replace("FAIL_RELOAD", "FAIL_OPEN");
        let checked = check(&open);
        assert_eq!((checked.status, line_of(&checked, "fails-open")), (1, line_with(&open, "FAIL_OPEN")), "{name}");
        // Beside a gate in the usual form it is not overlooked either.
        let folder = folder();
        fs::write(folder.join("a.yaml"), shipped()).unwrap();
        fs::write(folder.join("b.yaml"), open).unwrap();
        assert_eq!(run(&["check", "a.yaml", "b.yaml"], &folder).status, 1, "{name}");
    }
}

#[test]
fn tags_are_what_envoy_makes_of_them() {
    let anchored = with("static_resources:\n", "!ignore templates:\n- &api [\"*\"]\nstatic_resources:\n")
        .replace("domains: [\"*\"]", "domains: *api");
    assert!(anchored.contains("domains: *api"));
    assert_clean(&check(&anchored));
    assert_clean(&check(&with("name: internal", "name: !!str internal")));
    let unknown = check(&with("name: internal", "name: !env ROUTE"));
    assert!(unknown.status == 1 && unknown.stdout.contains("error[yaml-tag]: the tag !env is unknown"), "{unknown:?}");
    // Envoy passes over the tag, and the name of a route is a number.
    let number = check(&with("name: internal", "name: !!str 5"));
    assert!(number.stdout.contains("warning[yaml-tag]: Envoy passes over the tag !!str"), "{number:?}");
}

#[test]
fn a_merge_key_is_an_error_in_a_file_of_envoy_and_merges_in_a_resource() {
    let text = with("name: internal", "<<: {name: internal}");
    let checked = check(&text);
    assert_eq!((checked.status, line_of(&checked, "yaml-merge")), (1, line_with(&text, "<<")), "{checked:?}");
    let rules = "    default: &d {scopes: [a]}\n    rules:\n    - {match: {path: /x}, <<: *d}\n";
    assert_clean(&check(&wasm_plugin(&format!("{PLUGIN_CONFIG}{rules}"))));
    let wrong = check(&wasm_plugin(&format!("{PLUGIN_CONFIG}{}", rules.replace("scopes", "scope"))));
    assert!(wrong.stdout.contains("did you mean `scopes`?"), "{wrong:?}");
}

#[test]
fn numbers_in_a_resource_are_those_of_kubernetes() {
    for number in ["1e+06", "1_000_000", "0xF4240", "0o3641100"] {
        let spec = format!("{PLUGIN_CONFIG}    cache: {{entries: {number}}}\n");
        assert_clean(&check(&wasm_plugin(&spec)));
        // Envoy takes two of them for text.
        let plugin = format!("{}cache: {{entries: {number}}}\n", PLUGIN_CONFIG.replace("  pluginConfig:\n", ""));
        let plugin = plugin.replace("\n    ", "\n").replacen("    ", "", 1);
        assert_eq!(check(&plugin).status == 0, number.starts_with("0x"), "{number}: {:?}", check(&plugin));
    }
    for audience in ["123456789012", "1.5", "y"] {
        let text = wasm_plugin(&PLUGIN_CONFIG.replace("https://api.example.com", audience));
        let checked = check(&text);
        assert!(checked.status == 1 && checked.stdout.contains("audiences[0]: is a"), "{audience}: {checked:?}");
        assert_clean(&check(&text.replace(&format!("[{audience}]"), &format!("['{audience}']"))));
    }
}

#[test]
fn json_is_read_by_the_rules_of_json() {
    let entry = json!({"issuer": "https://a/", "audiences": ["b"], "jwks": {"uri": "https://a/k", "cluster": "a"}});
    let text = json!({"issuers": [entry], "cache": {"entries": 0}}).to_string();
    let text = text.replace("\"entries\":0", "\"entries\":1e3");
    assert_clean(&check_as("a.json", &text));
    // Without a name that says it; and in a file that Envoy reads as YAML the number is text.
    assert_clean(&check_as("a", &text));
    assert!(check_as("a.yaml", &text).stdout.contains("is text; write a whole number"));
    let twice = check_as("a.json", &text.replace("{\"entries\"", "{\"bytes\":5,\"bytes\":6,\"entries\""));
    assert!(twice.status == 1 && twice.stdout.contains("is there twice"), "{twice:?}");
    assert_eq!(twice.stdout.matches("is there twice").count(), 1, "{twice:?}");
    let word = check_as("a.json", &text.replace("1e3", "yes"));
    assert!(word.status == 1 && word.stdout.contains("error[not-json]: yes is no JSON"), "{word:?}");
}

#[test]
fn a_key_that_is_there_twice_is_an_error_anywhere_in_a_file() {
    let text =
        with("          normalize_path: true\n", "          normalize_path: false\n          normalize_path: true\n");
    let checked = check(&text);
    assert_eq!(line_of(&checked, "duplicate-key"), line_with(&text, "normalize_path: true"), "{checked:?}");
    assert_eq!(checked.status, 1);
}

#[test]
fn what_envoy_does_not_read_of_a_file_does_not_count() {
    let text = format!("node: {{id: a}}\n---\n{}", shipped());
    let checked = check(&text.replace("node:", "admin: {}\nnode:"));
    assert!(checked.status == 1 && checked.stdout.contains("error[second-document]"), "{checked:?}");
}

#[test]
fn lists_of_kubernetes_are_read_as_their_items() {
    let item = wasm_plugin(PLUGIN_CONFIG);
    let list = |item: &str| {
        let item = indented(item, 2).replacen("  ", "- ", 1);
        format!("apiVersion: v1\nkind: List\nitems:\n{item}- apiVersion: v1\n  kind: Service\n")
    };
    assert_clean(&check(&list(&item)));
    let checked = check(&list(&item.replace("audiences", "audience")));
    assert!(
        checked.status == 1 && checked.stdout.contains("items[0].spec.pluginConfig.issuers[0].audience"),
        "{checked:?}"
    );
    assert_clean(&check(&list(&item).replace("kind: List", "kind: WasmPluginList")));
}

#[test]
fn a_file_in_a_config_map_is_read_and_shown_where_it_stands() {
    let map = |text: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\ndata:\n  motd: |\n    hello: world\n  envoy.yaml: |\n{}",
            indented(text, 4)
        )
    };
    assert_clean(&check(&map(&shipped())));
    let text = map(&shipped()).replace("FAIL_RELOAD", "FAIL_OPEN");
    let checked = check(&text);
    assert_eq!((checked.status, line_of(&checked, "fails-open")), (1, line_with(&text, "FAIL_OPEN")), "{checked:?}");
    assert!(checked.stdout.contains("data.envoy.yaml.static_resources.listeners[0]"), "{checked:?}");
    // As `kubectl get -o json` writes it: on one line.
    let text = json!({"kind": "ConfigMap", "data": {"envoy.yaml": shipped().replace("FAIL_RELOAD", "FAIL_OPEN")}});
    let text = serde_json::to_string_pretty(&text).unwrap();
    let checked = check_as("map.json", &text);
    assert_eq!(line_of(&checked, "fails-open"), line_with(&text, "FAIL_OPEN"), "{checked:?}");
    let broken = check(&map("a: [1\nscopegate: 2\n"));
    assert!(broken.status == 2 || broken.stdout.contains("error[file-unreadable]"), "{broken:?}");
}

/// The shipped file as JSON.
fn shipped_json(edit: impl Fn(String) -> String) -> Value {
    let node = scopegate::config::read_yaml(&edit(shipped())).unwrap();
    serde_json::from_str(&node.value.to_json().to_string()).unwrap()
}

#[test]
fn what_envoy_says_it_has_in_force_is_read() {
    for (strategy, wanted) in [("FAIL_OPEN", 1), ("FAIL_RELOAD", 0)] {
        let whole = shipped_json(|text| text.replace("FAIL_RELOAD", strategy));
        let listener = whole["static_resources"]["listeners"][0].clone();
        let clusters = whole["static_resources"]["clusters"].as_array().unwrap().clone();
        let clusters: Vec<Value> = clusters.into_iter().map(|cluster| json!({ "cluster": cluster })).collect();
        let admin = |name: &str| format!("type.googleapis.com/envoy.admin.v3.{name}");
        let dump = |listeners: Value| {
            json!({"configs": [
                {"@type": admin("BootstrapConfigDump"), "bootstrap": whole},
                {"@type": admin("ClustersConfigDump"), "static_clusters": clusters},
                listeners,
            ]})
            .to_string()
        };
        let active = dump(json!({"@type": admin("ListenersConfigDump"), "dynamic_listeners": [
            {"name": "main", "active_state": {"listener": listener}, "draining_state": {"listener": {"broken": 1}}}]}));
        for text in [active, json!([listener]).to_string()] {
            let checked = check_as("dump.json", &text);
            assert_eq!(checked.status, wanted, "{checked:?}");
            // What was written and what is in force are one gate.
            assert_eq!(
                checked.stdout.matches("error[fails-open]").count(),
                usize::try_from(wanted).unwrap(),
                "{checked:?}"
            );
        }
        // A listener that drains serves nothing new.
        let gone = dump(json!({"@type": admin("ListenersConfigDump"), "dynamic_listeners": [
            {"name": "main", "draining_state": {"listener": listener}}]}));
        assert_eq!(check_as("dump.json", &gone).status, 2);
    }
}

#[test]
fn only_our_own_plugin_is_judged() {
    let ours = wasm_plugin(PLUGIN_CONFIG);
    let other = "---\napiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: stats}\nspec:\n  url: oci://registry.example.com/scopegate/stats:1\n  pluginName: stats\n  failStrategy: FAIL_OPEN\n  pluginConfig: {header: x}\n";
    assert_clean(&check(&format!("{ours}{other}")));
    assert_eq!(check(other).status, 2);
    let policy = format!(
        "apiVersion: gateway.envoyproxy.io/v1alpha1\nkind: EnvoyExtensionPolicy\nmetadata: {{name: gw}}\nspec:\n  targetRefs: [{{group: gateway.networking.k8s.io, kind: Gateway, name: public}}]\n  wasm:\n  - name: coraza\n    failOpen: true\n    code: {{type: Image, image: {{url: registry.example.com/coraza:1}}}}\n    config: {{rules: x}}\n  - name: gate\n    failOpen: false\n    code: {{type: Image, image: {{url: \"registry.example.com/scopegate@sha256:00\"}}}}\n{}",
        indented(&PLUGIN_CONFIG.replace("pluginConfig", "config"), 2)
    );
    assert_clean(&check(&policy));
    let checked = check(&policy.replace("failOpen: false", "failOpen: true"));
    assert_eq!((checked.status, checked.stdout.matches("error[").count()), (1, 1), "{checked:?}");
    // A folder of our name does not make a filter ours.
    let waf = "          - {name: waf, typed_config: {\"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm, config: {failure_policy: FAIL_OPEN, vm_config: {code: {local: {filename: /etc/scopegate/coraza.wasm}}}}}}\n";
    let before = "          - name: envoy.filters.http.cors ";
    assert_clean(&check(&with(before, &format!("{waf}{before}"))));
}

#[test]
fn a_plugin_without_a_configuration_is_an_error() {
    let checked = check(&wasm_plugin(""));
    assert!(checked.status == 1 && checked.stdout.contains("`pluginConfig` is missing"), "{checked:?}");
}

#[test]
fn a_value_that_envoy_takes_for_another_is_taken_for_it() {
    for (from, to) in [
        ("FAIL_RELOAD", "fail_open"),
        ("FAIL_RELOAD", "3"),
        ("FAIL_RELOAD", "\"3\""),
        ("failure_policy: FAIL_RELOAD", "fail_open: 'yes'"),
        ("failure_policy: FAIL_RELOAD", "failOpen: \"1\""),
    ] {
        let checked = check(&with(from, to));
        assert!(checked.status == 1 && checked.stdout.contains("error[fails-open]"), "{to}: {checked:?}");
    }
    for same in ["fail_reload", "1", "Fail_Closed"] {
        assert_clean(&check(&with("FAIL_RELOAD", same)));
    }
    let unsaid = check(&with("FAIL_RELOAD", "UNSPECIFIED"));
    assert!(unsaid.stdout.contains("warning[failure-policy-missing]"), "{unsaid:?}");
    let both = check(&with(
        "failure_policy: FAIL_RELOAD",
        "failure_policy: FAIL_RELOAD\n                failurePolicy: FAIL_RELOAD",
    ));
    assert!(both.status == 1 && both.stdout.contains("error[duplicate-key]: `failurePolicy`"), "{both:?}");
}

#[test]
fn a_configuration_in_bytes_is_read_and_another_type_is_named() {
    let entry =
        json!({"issuer": "https://a/", "audiences": ["b"], "jwks": {"uri": "https://a/k", "cluster": "issuer"}});
    let (before, rest) = shipped()
        .split_once("\"@type\": type.googleapis.com/google.protobuf.Struct\n")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let (_, after) = rest.split_once("          - name: envoy.filters.http.router\n").unwrap();
    let with_any = |any: &str| format!("{before}{any}\n          - name: envoy.filters.http.router\n{after}");
    let bytes = |text: &str| {
        let coded = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, text);
        with_any(&format!(
            "\"@type\": type.googleapis.com/google.protobuf.BytesValue\n                  value: {coded}"
        ))
    };
    let text = json!({"issuers": [entry]}).to_string();
    let checked = check(&bytes(&text));
    assert_eq!(checked.status, 0, "{checked:?}");
    let wrong = check(&bytes(&text.replace("audiences", "audience")));
    assert!(wrong.status == 1 && wrong.stdout.contains("did you mean `audiences`?"), "{wrong:?}");
    for (name, text) in [
        ("google.protobuf.BytesValue", bytes("no JSON")),
        (
            "udpa.type.v1.TypedStruct",
            with_any("\"@type\": type.googleapis.com/udpa.type.v1.TypedStruct\n                  value: {issuers: []}"),
        ),
    ] {
        let checked = check(&text);
        assert!(checked.status == 1 && checked.stdout.contains(&format!("is a {name}, of which")), "{checked:?}");
    }
}
