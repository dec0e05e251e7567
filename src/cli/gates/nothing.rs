//! Why there is no gate in the given files, and what to give instead.

use super::super::source::{Document, DocumentKind, Source, View};
use super::patches::asks;
use super::{ROOT_ID, extensions, managers};

/// Kinds of resources that users give, and what to give instead.
const INSTEAD: [(&[&str], &str); 6] = [
    (
        &[
            "VirtualService",
            "DestinationRule",
            "ServiceEntry",
            "Sidecar",
            "RequestAuthentication",
            "AuthorizationPolicy",
        ],
        "give the WasmPlugin or TrafficExtension that configures the gate",
    ),
    (
        &[
            "HTTPRoute",
            "GRPCRoute",
            "SecurityPolicy",
            "ClientTrafficPolicy",
            "BackendTrafficPolicy",
            "EnvoyProxy",
            "ListenerSet",
        ],
        "give the EnvoyExtensionPolicy that configures the gate (in Istio the WasmPlugin or TrafficExtension)",
    ),
    (
        &["Gateway", "GatewayClass", "Ingress", "Service"],
        "give the EnvoyExtensionPolicy, WasmPlugin or TrafficExtension that configures the gate",
    ),
    (
        &["Deployment", "DaemonSet", "StatefulSet", "Pod", "Job", "ReplicaSet"],
        "give the ConfigMap with Envoy's file, or that file",
    ),
    (&["ConfigMap", "Secret"], "give Envoy's file, or the plugin configuration, itself"),
    (&["Kustomization", "HelmRelease", "Application"], "give what it renders to (kustomize build, helm template)"),
];

/// Why there is no gate in these sources.
#[must_use]
pub fn nothing_found(sources: &[Source]) -> String {
    let files = Source::names(sources);
    let documents = || sources.iter().flat_map(|source| &source.documents);
    if !documents().any(|document| document.kind == DocumentKind::Envoy) {
        let mut named: Vec<String> = documents().filter_map(told).collect();
        named.dedup();
        return if named.is_empty() {
            format!(
                "{files}: holds no configuration of Scopegate: neither a plugin configuration, nor an Envoy YAML with the \
                 filter, nor a WasmPlugin, TrafficExtension or EnvoyExtensionPolicy"
            )
        } else {
            format!("{files}: holds no configuration of Scopegate: {}", named.join("; "))
        };
    }
    let held = extensions(sources);
    let name_of = |view: &View<'_>| view.name().unwrap_or_default().to_owned();
    let fetched = documents()
        .flat_map(|document| managers(&document.root()))
        .flat_map(|manager| manager.list("http_filters"))
        .filter(|filter| filter.get("config_discovery").is_some())
        .map(|filter| name_of(&filter))
        .find(|name| !held.iter().any(|(_, extension)| name_of(extension) == *name));
    match fetched {
        Some(name) => format!("{files}: the filter {name} stands in a resource of its own (ECDS): give that file too"),
        None => format!(
            "{files}: no Scopegate filter in it: a Wasm filter whose root_id is {ROOT_ID}, or a dynamic module of that name"
        ),
    }
}

/// What a document is, and what to give instead.
fn told(document: &Document) -> Option<String> {
    let root = document.root();
    let kind = root.get("kind").and_then(|view| view.text())?;
    let name = root.at(&["metadata", "name"]).and_then(|view| view.text()).unwrap_or_default();
    let of = if name.is_empty() { kind.to_owned() } else { format!("{kind} {name}") };
    let what = match document.kind {
        DocumentKind::EnvoyFilter if asks(document) => {
            "says what routes ask, and the gate is not here: give the WasmPlugin or TrafficExtension that configures it too"
        }
        DocumentKind::EnvoyPatchPolicy if asks(document) => {
            "says what routes ask, and the gate is not here: give the EnvoyExtensionPolicy that configures it too"
        }
        DocumentKind::EnvoyFilter | DocumentKind::EnvoyPatchPolicy => "has neither the gate nor what routes ask of it",
        DocumentKind::WasmPlugin | DocumentKind::TrafficExtension => {
            "is another plugin: neither its pluginName nor its image nor its name is scopegate"
        }
        DocumentKind::EnvoyExtensionPolicy => {
            "has no plugin whose rootID, image or name is scopegate, and no dynamic module of that name"
        }
        DocumentKind::Plugin | DocumentKind::Envoy | DocumentKind::Unknown => {
            let known = INSTEAD.iter().find(|(kinds, _)| kinds.contains(&kind));
            let remedy = known.map_or("give what configures the gate", |(_, remedy)| *remedy);
            return Some(format!("{of} is not read: {remedy}"));
        }
    };
    Some(format!("{of} {what}"))
}
