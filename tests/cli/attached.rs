//! `scopegate check` on what a gate in Kubernetes is attached to: a route, a listener or a port that it leaves out is said.

use crate::check::check;
use crate::forms::wasm_plugin;

const CONFIG: &str = "{issuers: [{issuer: https://idp.example.com/, audiences: [https://api.example.com], jwks: {uri: \"https://idp.example.com/jwks.json\", cluster: idp}}]}";

/// An `EnvoyExtensionPolicy` for these targets, with the gate or with another plugin.
fn policy(name: &str, targets: &str, has_gate: bool) -> String {
    let (plugin, config) = if has_gate { ("scopegate", CONFIG) } else { ("coraza", "{rules: x}") };
    format!(
        "apiVersion: gateway.envoyproxy.io/v1alpha1
kind: EnvoyExtensionPolicy
metadata: {{name: {name}, namespace: apps}}
spec:
  targetRefs: [{targets}]
  wasm:
  - {{name: {plugin}, rootID: {plugin}, failOpen: false, code: {{type: Image, image: {{url: \"registry.example.com/{plugin}@sha256:00\"}}}}, config: {config}}}
---
"
    )
}

fn target(kind: &str, name: &str, section: &str) -> String {
    let section = if section.is_empty() { String::new() } else { format!(", sectionName: {section}") };
    format!("{{group: gateway.networking.k8s.io, kind: {kind}, name: {name}{section}}}")
}

/// An `HTTPRoute` with rules of these names.
fn route(name: &str, parents: &str, rules: &[&str], service: &str) -> String {
    let rules: Vec<String> =
        rules.iter().map(|rule| format!("{{name: {rule}, backendRefs: [{{name: {service}, port: 80}}]}}")).collect();
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: {name}, namespace: apps}}\nspec:\n  parentRefs: [{parents}]\n  rules: [{}]\n---\n",
        rules.join(", ")
    )
}

/// A `Gateway` with listeners `http` on 80 and `https` on 443.
fn gateway(name: &str) -> String {
    format!(
        "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: {name}, namespace: apps}}\nspec:\n  gatewayClassName: eg\n  listeners: [{{name: http, port: 80, protocol: HTTP}}, {{name: https, port: 443, protocol: HTTPS}}]\n---\n"
    )
}

fn assert_found(text: &str, severity: &str, rule: &str, words: &str) {
    let checked = check(text);
    assert_eq!(checked.status, i32::from(severity == "error"), "{checked:?}\n{text}");
    let found =
        checked.stdout.lines().any(|line| line.contains(&format!("{severity}[{rule}]")) && line.contains(words));
    assert!(found, "{severity} {rule} {words}: {checked:?}\n{text}");
}

/// No problem, and a note with these words; none at all where there are no words.
fn assert_note(text: &str, words: &str) {
    let checked = check(text);
    assert!(checked.status == 0 && checked.stdout.starts_with("no problems found\n"), "{checked:?}\n{text}");
    assert!(checked.stdout.contains(words), "{words}: {checked:?}");
    assert!(!words.is_empty() || checked.stdout.trim() == "no problems found", "{checked:?}");
}

#[test]
fn a_route_beside_the_one_that_is_targeted_has_no_gate() {
    let orders = || policy("gate", &target("HTTPRoute", "orders", ""), true);
    let guarded = route("orders", "{name: public}", &["a"], "orders");
    let other = route("shop", "{name: public}", &["a"], "shop");
    let words = "HTTPRoute shop has no gate at the Gateway public";
    assert_found(&format!("{guarded}{other}{}", orders()), "warning", "route-without-gate", words);
    // It leads to the same service: a way around the gate.
    let around = route("shop", "{name: public}", &["a"], "orders");
    assert_found(&format!("{guarded}{around}{}", orders()), "error", "route-without-gate", "the service orders");
    let both = [target("HTTPRoute", "orders", ""), target("HTTPRoute", "shop", "")].join(", ");
    assert_note(&format!("{guarded}{other}{}", policy("gate", &both, true)), "");
    assert_note(&format!("{guarded}{other}{}", policy("gate", &target("Gateway", "public", ""), true)), "");
    assert_note(&orders(), "gate guards the HTTPRoute orders alone");
}

#[test]
fn a_policy_without_the_gate_takes_the_place_of_that_of_the_gateway() {
    let gate = policy("gate", &target("Gateway", "public", ""), true);
    let orders = route("orders", "{name: public}", &["a", "b"], "orders");
    let own = |has_gate| policy("waf", &target("HTTPRoute", "orders", ""), has_gate);
    let words = "a policy of its own (waf), which has no gate";
    assert_found(&format!("{gate}{orders}{}", own(false)), "error", "route-without-gate", words);
    assert_note(&format!("{gate}{orders}{}", own(true)), "");
    let rule = |has_gate| policy("waf", &target("HTTPRoute", "orders", "b"), has_gate);
    assert_found(&format!("{gate}{orders}{}", rule(false)), "error", "route-without-gate", words);
    assert_note(&format!("{gate}{orders}{}", rule(true)), "");
}

#[test]
fn a_section_leaves_out_the_rest() {
    let orders = route("orders", "{name: public}", &["a", "b"], "orders");
    let rule = policy("gate", &target("HTTPRoute", "orders", "b"), true);
    assert_found(&format!("{orders}{rule}"), "error", "route-without-gate", "has no gate before its rule a");
    let https = policy("gate", &target("Gateway", "public", "https"), true);
    let all = format!("{}{orders}{https}", gateway("public"));
    assert_found(&all, "warning", "route-without-gate", "HTTPRoute orders has no gate at the Gateway public");
    let bound = orders.replace("{name: public}", "{name: public, sectionName: https}");
    assert_note(&format!("{}{bound}{https}", gateway("public")), "");
    assert_note(&https, "gate guards https of the Gateway public alone");
}

#[test]
fn a_second_gateway_is_a_way_around_the_gate() {
    let orders = route("orders", "{name: public}, {name: internal}", &["a"], "orders");
    let gate = policy("gate", &target("Gateway", "public", ""), true);
    let words = "HTTPRoute orders has no gate at the Gateway internal";
    assert_found(&format!("{orders}{gate}"), "error", "route-without-gate", words);
    let istio = wasm_plugin(&format!("  pluginConfig: {CONFIG}\n---\n")).replace("istio-ingress", "apps");
    assert_found(&format!("{istio}{orders}"), "error", "route-without-gate", "has no gate at the Gateway internal");
    assert_note(&format!("{istio}{}", orders.replace(", {name: internal}", "")), "");
}

#[test]
fn a_direction_or_a_port_that_leaves_listeners_out_is_said() {
    let plugin =
        |spec: &str| wasm_plugin(&format!("{spec}  pluginConfig: {CONFIG}\n---\n")).replace("istio-ingress", "apps");
    let sidecar = |spec: &str| {
        let targets = "  targetRefs: [{group: gateway.networking.k8s.io, kind: Gateway, name: public}]\n";
        plugin(spec).replace(targets, "  selector: {matchLabels: {app: orders}}\n")
    };
    let server = "  match: [{mode: SERVER}]\n";
    let client = "  match: [{mode: CLIENT}]\n";
    assert_found(&plugin(server), "error", "listener-without-gate", "selects nothing of a gateway");
    assert_note(&plugin(client), "");
    assert_note(&plugin(server).replace("name: public", "name: waypoint"), "");
    assert_found(&sidecar(client), "error", "listener-without-gate", "what it receives does not meet the gate");
    assert_note(&sidecar(server), "");
    let ports = |ports: &str| format!("  match: [{{ports: [{ports}]}}]\n");
    let beside = |spec: &str| format!("{}{}", gateway("public"), plugin(spec));
    let words = "selects port 443: the listeners http have no gate";
    assert_found(&beside(&ports("{number: 443}")), "error", "listener-without-gate", words);
    assert_note(&beside(&ports("{number: 443}, {number: 80}")), "");
    assert_note(&sidecar(&ports("{number: 8080}")), "guards port 8080 alone");
}

#[test]
fn a_phase_and_a_strategy_that_are_not_ours_are_said() {
    let plugin = wasm_plugin(&format!("  pluginConfig: {CONFIG}\n"));
    assert_found(&plugin.replace("AUTHN", "STATS"), "warning", "phase", "write phase: AUTHN");
    assert_found(&plugin.replace("FAIL_RELOAD", "FAIL_OPENN"), "error", "fails-open", "write FAIL_RELOAD");
    assert_note(&plugin, "");
}

#[test]
fn a_gate_that_is_a_network_filter_is_no_gate() {
    let plugin = |kind: &str| wasm_plugin(&format!("  type: {kind}\n  pluginConfig: {CONFIG}\n"));
    assert_found(&plugin("NETWORK"), "error", "fails-open", "leave type out, or write HTTP");
    assert_note(&plugin("HTTP"), "");
}
