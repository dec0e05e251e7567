//! The kind of a document.

use super::View;
use crate::config;

/// The kind of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentKind {
    /// A plugin configuration.
    Plugin,
    /// A whole Envoy bootstrap, or resources that Envoy fetches: listeners, routes, clusters, filters.
    Envoy,
    /// An Istio `WasmPlugin`.
    WasmPlugin,
    /// An Istio `TrafficExtension`.
    TrafficExtension,
    /// An Istio `EnvoyFilter`.
    EnvoyFilter,
    /// An Envoy Gateway `EnvoyExtensionPolicy`.
    EnvoyExtensionPolicy,
    /// An Envoy Gateway `EnvoyPatchPolicy`.
    EnvoyPatchPolicy,
    /// Something else.
    Unknown,
}

/// The members that identify a part of Envoy's configuration.
const ENVOY_PARTS: [&str; 8] = [
    "static_resources",
    "dynamic_resources",
    "filter_chains",
    "default_filter_chain",
    "virtual_hosts",
    "http_filters",
    "load_assignment",
    "admin",
];

/// What Envoy fetches has this member, and so has a plugin configuration beside others.
const OF_BOTH: &str = "resources";

impl DocumentKind {
    /// The kind of a document, by its members.
    #[must_use]
    pub fn of(root: &View<'_>) -> Self {
        match root.get("kind").and_then(|view| view.text()) {
            Some("WasmPlugin") => return Self::WasmPlugin,
            Some("TrafficExtension") => return Self::TrafficExtension,
            Some("EnvoyFilter") => return Self::EnvoyFilter,
            Some("EnvoyExtensionPolicy") => return Self::EnvoyExtensionPolicy,
            Some("EnvoyPatchPolicy") => return Self::EnvoyPatchPolicy,
            Some(_) => return Self::Unknown,
            None => {}
        }
        let has = |names: &[&str]| names.iter().any(|name| root.get(name).is_some());
        let is_message = root.type_name().is_some_and(|name| name.starts_with("envoy."));
        let own = || config::fields::POLICY.fields.iter().filter(|name| **name != OF_BOTH);
        if is_message || has(&ENVOY_PARTS) {
            Self::Envoy
        } else if own().any(|name| root.get(name).is_some()) {
            Self::Plugin
        } else if has(&[OF_BOTH]) {
            Self::Envoy
        } else {
            Self::Unknown
        }
    }
}
