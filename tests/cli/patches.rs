//! `scopegate check` on what Istio and Envoy Gateway are told to patch into Envoy's configuration.

use crate::check::check;
use crate::forms::wasm_plugin;

const GATE: &str = "  pluginConfig:
    issuers:
    - issuer: https://idp.example.com/
      audiences: [https://api.example.com]
      jwks: {uri: \"https://idp.example.com/jwks.json\", cluster: \"outbound|443||idp.example.com\"}
";

/// The shipped `EnvoyFilter`, with one edit.
fn filter(from: &str, to: &str) -> String {
    let text = std::fs::read_to_string("envoy/istio/route-metadata.yaml").unwrap();
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

/// An `EnvoyPatchPolicy` that puts a value at a path of a route configuration.
fn policy(path: &str, value: &str) -> String {
    format!(
        "apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyPatchPolicy
metadata: {{name: scopegate-routes}}
spec:
  targetRef: {{group: gateway.networking.k8s.io, kind: Gateway, name: public}}
  type: JSONPatch
  jsonPatches:
  - type: type.googleapis.com/envoy.config.route.v3.RouteConfiguration
    name: apps/public/http
    operation:
      op: add
      path: {path}
      value: {value}
"
    )
}

fn with_gate(patch: &str) -> String {
    format!("{}---\n{patch}", wasm_plugin(GATE))
}

fn assert_error(text: &str, rule: &str, words: &str) {
    let checked = check(text);
    assert_eq!(checked.status, 1, "{text}\n{checked:?}");
    let found = checked.stdout.lines().any(|line| line.contains(&format!("error[{rule}]")) && line.contains(words));
    assert!(found, "{rule} {words}: {checked:?}\n{text}");
}

fn assert_clean(text: &str) {
    let checked = check(text);
    assert!(checked.status == 0 && checked.stdout.starts_with("no problems found\n"), "{text}\n{checked:?}");
}

#[test]
fn a_requirement_in_an_envoy_filter_is_read_as_that_of_a_route() {
    assert_clean(&with_gate(&filter("scopes", "scopes")));
    let misspelt = "did you mean `scopes`?";
    assert_error(&with_gate(&filter("scopes", "scope")), "metadata", misspelt);
    for target in ["VIRTUAL_HOST", "ROUTE_CONFIGURATION"] {
        assert_error(&with_gate(&filter("scopes", "scope").replace("HTTP_ROUTE", target)), "metadata", misspelt);
    }
    assert_error(&with_gate(&filter("scopegate: {", "scope_gate: {")), "metadata-namespace", "write scopegate");
    assert_error(&with_gate(&filter("filter_metadata:", "filter_metdata:")), "unknown-field", "`filter_metadata`");
    assert_error(&with_gate(&filter("        metadata:\n", "        metdata:\n")), "unknown-field", "`metadata`");
    assert_error(&with_gate(&filter("HTTP_ROUTE", "CLUSTER")), "metadata-unread", "of a route or a virtual host");
}

#[test]
fn a_requirement_in_an_envoy_patch_policy_is_read_wherever_its_path_leads() {
    let route = "/virtual_hosts/0/routes/0";
    for (path, open, close) in [
        (format!("{route}/metadata"), "{filter_metadata: {scopegate: ", "}}"),
        (format!("{route}/metadata/filter_metadata"), "{scopegate: ", "}"),
        (format!("{route}/metadata/filter_metadata/scopegate"), "", ""),
        (route.to_owned(), "{name: orders, metadata: {filterMetadata: {scopegate: ", "}}}"),
        ("/virtual_hosts/0".to_owned(), "{routes: [{metadata: {filter_metadata: {scopegate: ", "}}}]}"),
    ] {
        let with = |value: &str| with_gate(&policy(&path, &format!("{open}{value}{close}")));
        assert_clean(&with("{scopes: [a]}"));
        assert_error(&with("{scope: [a]}"), "metadata", "did you mean `scopes`?");
    }
    let requirement = "{filter_metadata: {scopegate: {scopes: [a]}}}";
    assert_error(&with_gate(&policy(&format!("{route}/metdata"), requirement)), "unknown-field", "`metadata`");
    let elsewhere = format!("{{route: {{metadata_match: {requirement}}}}}");
    assert_error(&with_gate(&policy(route, &elsewhere)), "metadata-unread", "under `metadata_match`");
    let part = with_gate(&policy(&format!("{route}/metadata/filter_metadata/scopegate/scopes"), "[a]"));
    assert_error(&part, "metadata-unread", "the whole of filter_metadata/scopegate");
}

#[test]
fn a_gate_that_a_patch_puts_in_is_judged() {
    let patch = |failure: &str, envelope: bool| {
        let plugin = format!(
            "{{root_id: scopegate, failure_policy: {failure}, configuration: {{\"@type\": type.googleapis.com/google.protobuf.StringValue, value: '{{\"issuers\": [{{\"issuer\": \"https://a/\", \"audiences\": [\"b\"], \"jwks\": {{\"uri\": \"https://a/k\", \"cluster\": \"a\"}}}}]}}'}}}}"
        );
        let wasm = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
        if envelope {
            format!(
                "{{\"@type\": type.googleapis.com/udpa.type.v1.TypedStruct, type_url: {wasm}, value: {{config: {plugin}}}}}"
            )
        } else {
            format!("{{\"@type\": {wasm}, config: {plugin}}}")
        }
    };
    for envelope in [true, false] {
        for whole in [
            |typed: &str| {
                format!(
                    "kind: EnvoyFilter\nspec:\n  configPatches:\n  - applyTo: HTTP_FILTER\n    patch:\n      operation: INSERT_BEFORE\n      value: {{name: scopegate, typed_config: {typed}}}\n"
                )
            },
            |typed: &str| {
                policy(
                    "/default_filter_chain/filters/0/typed_config/http_filters/0",
                    &format!("{{name: scopegate, typedConfig: {typed}}}"),
                )
                .replace("route.v3.RouteConfiguration", "listener.v3.Listener")
            },
        ] {
            assert_clean(&whole(&patch("FAIL_RELOAD", envelope)));
            assert_error(&whole(&patch("FAIL_OPEN", envelope)), "fails-open", "write FAIL_RELOAD");
        }
    }
}

#[test]
fn a_patch_that_turns_the_gate_off_is_an_error() {
    let off = "        typed_per_filter_config: {istio-ingress.scopegate: {\"@type\": type.googleapis.com/envoy.config.route.v3.FilterConfig, disabled: true}}\n        metadata:\n";
    assert_error(&with_gate(&filter("        metadata:\n", off)), "disabled", "turns the gate off here");
    let removed = "kind: EnvoyFilter\nspec:\n  configPatches:\n  - applyTo: HTTP_FILTER\n    match: {listener: {filterChain: {filter: {subFilter: {name: istio-ingress.scopegate}}}}}\n    patch: {operation: REMOVE}\n";
    assert_error(&with_gate(removed), "disabled", "removes the gate");
}

#[test]
fn what_is_given_alone_is_named_with_what_is_missing() {
    let alone = |text: &str| {
        let checked = check(text);
        assert_eq!(checked.status, 2, "{checked:?}");
        checked.stderr
    };
    let said = alone(&filter("scopes", "scopes"));
    assert!(
        said.contains("EnvoyFilter scopegate-routes says what routes ask") && said.contains("give the WasmPlugin"),
        "{said}"
    );
    let said = alone(&policy("/virtual_hosts/0/metadata", "{filter_metadata: {scopegate: {scopes: [a]}}}"));
    assert!(
        said.contains("EnvoyPatchPolicy scopegate-routes") && said.contains("give the EnvoyExtensionPolicy"),
        "{said}"
    );
    for (kind, words) in [
        ("HTTPRoute", "give the EnvoyExtensionPolicy"),
        ("VirtualService", "give the WasmPlugin or TrafficExtension"),
        ("Deployment", "give the ConfigMap with Envoy's file"),
        ("ConfigMap", "give Envoy's file"),
        ("Kustomization", "kustomize build"),
        ("Lease", "give what configures the gate"),
    ] {
        let said = alone(&format!("apiVersion: v1\nkind: {kind}\nmetadata: {{name: orders}}\n"));
        assert!(said.contains(&format!("{kind} orders is not read: ")) && said.contains(words), "{said}");
    }
    let said = alone("kind: WasmPlugin\nmetadata: {name: stats}\nspec: {url: oci://r/stats:1, pluginName: stats}\n");
    assert!(said.contains("WasmPlugin stats is another plugin"), "{said}");
    let said = alone("a: {{ .Values.issuer }}\n  b\n");
    assert!(said.contains("helm template"), "{said}");
}

#[test]
fn a_patch_that_may_decide_leaves_a_request_undecided() {
    let folder = crate::world::folder();
    let explain = |text: &str| {
        std::fs::write(folder.join("a.yaml"), text).unwrap();
        crate::world::run(&["explain", "a.yaml", "--request", "GET /orders"], &folder)
    };
    let told = explain(&with_gate(&filter("scopes", "scopes")));
    assert!(
        told.status == 1 && told.stdout.contains("undecided: EnvoyFilter scopegate-routes says what routes ask"),
        "{told:?}"
    );
    // The gate alone, and beside a patch of other things, answers by itself.
    for text in [wasm_plugin(GATE), with_gate(&filter("scopegate: {", "other: {"))] {
        let told = explain(&text);
        assert!(told.stdout.contains("no_credential") && !told.stdout.contains("undecided"), "{told:?}");
    }
}
