//! Istio: listeners that a `WasmPlugin` or `TrafficExtension` with the gate leaves out, by direction, port or phase.

use super::resources::{AttachedPolicy, Gateway, Resources, port};
use crate::cli::check::Findings;
use crate::cli::source::{DocumentKind, View};
use crate::config::Tree;

const STRATEGIES: [&str; 3] = ["FAIL_CLOSE", "FAIL_OPEN", "FAIL_RELOAD"];

/// Checks what the resources select, and returns what could not be checked.
pub(super) fn check(resources: &Resources<'_>, findings: &mut Findings) -> Vec<String> {
    let mut notes = Vec::new();
    let is_istio =
        |policy: &&AttachedPolicy<'_>| matches!(policy.kind, DocumentKind::WasmPlugin | DocumentKind::TrafficExtension);
    for policy in resources.policies.iter().filter(is_istio).filter(|policy| policy.has_gate) {
        check_phase(policy, findings);
        check_strategy(policy, findings);
        check_direction(policy, resources, findings);
        notes.extend(check_ports(policy, resources, findings));
        check_gateways(policy, resources, findings);
    }
    notes
}

fn check_phase(policy: &AttachedPolicy<'_>, findings: &mut Findings) {
    let phase = policy.spec.get("phase");
    if let Some(view) = phase.filter(|view| view.text() != Some("AUTHN")) {
        let what =
            "puts the gate behind Istio's own authentication and authorization, and behind plugins of earlier phases";
        findings.warn("phase", policy.file, &view, what, "write phase: AUTHN");
    }
}

fn check_strategy(policy: &AttachedPolicy<'_>, findings: &mut Findings) {
    let plugin =
        if policy.kind == DocumentKind::WasmPlugin { Some(policy.spec.clone()) } else { policy.spec.get("wasm") };
    let strategy = plugin.and_then(|plugin| plugin.get("failStrategy"));
    if let Some(view) = strategy.filter(|view| view.text().is_none_or(|text| !STRATEGIES.contains(&text))) {
        findings.error("fails-open", policy.file, &view, "is no failStrategy of Istio", "write FAIL_RELOAD");
    }
}

/// A gateway acts as a client; a workload that receives requests acts as a server.
fn check_direction(policy: &AttachedPolicy<'_>, resources: &Resources<'_>, findings: &mut Findings) {
    let modes: Vec<View<'_>> = policy.spec.list("match").iter().filter_map(|entry| entry.get("mode")).collect();
    let all = |mode: &str| {
        modes.len() == policy.spec.list("match").len() && modes.iter().all(|view| view.text() == Some(mode))
    };
    let Some(first) = modes.first() else { return };
    if is_gateway(policy, resources) && all("SERVER") {
        let what = "selects nothing of a gateway, which acts as a client: no request meets the gate";
        findings.error("listener-without-gate", policy.file, first, what, "leave mode out, or write CLIENT");
    } else if policy.targets.is_empty() && !is_gateway(policy, resources) && all("CLIENT") {
        let what = "selects what the workload sends: what it receives does not meet the gate";
        findings.error("listener-without-gate", policy.file, first, what, "write mode: SERVER");
    }
}

/// Whether it targets or selects a gateway at the edge; a waypoint receives requests as a server does.
fn is_gateway(policy: &AttachedPolicy<'_>, resources: &Resources<'_>) -> bool {
    let is_waypoint = |gateway: &Gateway<'_>| gateway.class.contains("waypoint");
    let labels = policy.spec.at(&["selector", "matchLabels"]).map(|view| view.members()).unwrap_or_default();
    let targets = policy.targets.iter().filter(|target| target.name.kind == "Gateway").any(|target| {
        let known = resources.gateways.iter().find(|gateway| gateway.name == target.name);
        known.map_or(!target.name.name.contains("waypoint"), |gateway| !is_waypoint(gateway))
    });
    targets || labels.iter().any(|(_, value)| value.text().is_some_and(|text| text.contains("gateway")))
}

/// The ports that it selects; none if it selects all.
fn ports(policy: &AttachedPolicy<'_>) -> Vec<i64> {
    let entries = policy.spec.list("match");
    if entries.iter().any(|entry| entry.list("ports").is_empty()) {
        return Vec::new();
    }
    let all = entries.iter().flat_map(|entry| entry.list("ports"));
    all.filter_map(|view| port(view.get("number")).or_else(|| port(Some(view)))).collect()
}

fn check_ports(policy: &AttachedPolicy<'_>, resources: &Resources<'_>, findings: &mut Findings) -> Option<String> {
    let ports = ports(policy);
    let listed: Vec<String> = ports.iter().map(i64::to_string).collect();
    let listed = listed.join(", ");
    let ours = |gateway: &&Gateway<'_>| policy.targets.iter().any(|target| target.name == gateway.name);
    let listeners: Vec<_> = resources.gateways.iter().filter(ours).flat_map(|gateway| &gateway.listeners).collect();
    let outside: Vec<&str> = listeners
        .iter()
        .filter(|(_, port)| port.is_some_and(|port| !ports.contains(&port)))
        .map(|(name, _)| *name)
        .collect();
    if ports.is_empty() || !listeners.is_empty() && outside.is_empty() {
        return None;
    }
    if !outside.is_empty()
        && let Some(view) = policy.spec.get("match")
    {
        let what = format!("selects port {listed}: the listeners {} have no gate", outside.join(", "));
        findings.error("listener-without-gate", policy.file, &view, what, "name their ports too, or leave ports out");
        return None;
    }
    Some(format!("{} guards port {listed} alone: requests to other ports do not meet the gate", policy.name.name))
}

/// A route that is attached to a gateway with the gate and to one without goes around it.
fn check_gateways(policy: &AttachedPolicy<'_>, resources: &Resources<'_>, findings: &mut Findings) {
    let guards = |name: &super::resources::Reference| {
        let has =
            |policy: &AttachedPolicy<'_>| policy.has_gate && policy.targets.iter().any(|target| target.name == *name);
        resources.policies.iter().any(has)
    };
    let targets_all = policy.targets.is_empty();
    for route in resources.routes.iter().filter(|_| !targets_all) {
        let (with, without): (Vec<_>, Vec<_>) = route.parents.iter().partition(|parent| guards(&parent.name));
        for parent in without.iter().filter(|_| !with.is_empty()) {
            let what = format!("has no gate at the Gateway {}, and has one at another", parent.name.name);
            findings.error("route-without-gate", route.file, &parent.view, what, "target that Gateway too");
        }
    }
    let selects_nothing = policy.spec.at(&["selector", "matchLabels"]);
    if let Some(view) =
        selects_nothing.filter(|view| matches!(&view.node.value, Tree::Object(members) if members.is_empty()))
    {
        findings.warn("selector", policy.file, &view, "selects every workload of the namespace", "name the labels");
    }
}
