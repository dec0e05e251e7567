//! Settings for a route in `typed_per_filter_config`. Envoy's Wasm filter takes none: only a `FilterConfig` that turns
//! the gate off or on is valid. The native module takes a requirement there.

use super::Findings;
use crate::cli::gates::beside::{FILTER_CONFIG, PER_FILTER, PER_ROUTE, per_route};
use crate::cli::gates::{InEnvoy, WASM_FILTER};
use crate::cli::source::View;
use std::path::Path;

const RULE: &str = "per-route-configuration";
const REMEDY: &str =
    "write what the route needs into metadata.filter_metadata.scopegate of the route or the virtual host";
const OF_CLUSTER: &str = "is a requirement of one of several clusters of a route: it holds in Envoy, and what it asks was not \
                          checked, nor do explain, matrix and test know of it";
const NATIVE_REMEDY: &str = "write a DynamicModuleFilterPerRoute with dynamic_module_config: {name: scopegate}";

/// A gate in its chain.
#[derive(Clone, Copy)]
pub(super) struct Filter<'n> {
    /// Its name there.
    pub name: Option<&'n str>,
    /// Whether it is the native module.
    pub is_native: bool,
}

/// Checks the route configurations of a gate.
pub(super) fn check(envoy: &InEnvoy<'_>, findings: &mut Findings) {
    let filter = Filter { name: envoy.filters.get(envoy.index).and_then(View::name), is_native: envoy.is_native };
    for (file, config) in &envoy.route_configs {
        check_config(file, config, filter, findings);
    }
}

/// Checks one route configuration.
pub(super) fn check_config(file: &Path, config: &View<'_>, filter: Filter<'_>, findings: &mut Findings) {
    for holder in config.holders(PER_FILTER) {
        let entries = holder.get(PER_FILTER).map(|view| view.members()).unwrap_or_default();
        for (name, entry) in entries {
            let is_setting = entry.type_name() == Some(FILTER_CONFIG);
            let inner = entry.get("config").filter(|_| is_setting);
            let own = if is_setting { inner } else { Some(entry.clone()) };
            let Some(own) = own.filter(|own| !is_empty(own)) else { continue };
            let is_ours = Some(name) == filter.name;
            let found = if filter.is_native {
                of_native(&own, is_ours)
            } else {
                let is_passed_over = entry.get("is_optional").is_some_and(|view| view.is_true());
                of_wasm(&own, is_ours, is_passed_over)
            };
            if let Some((what, remedy)) = found {
                findings.error(RULE, file, &own, what, remedy);
            } else if filter.is_native && is_ours && is_of_cluster(&holder) {
                findings.warn(RULE, file, &own, OF_CLUSTER, "write it beside the route");
            }
        }
    }
}

/// What is wrong with a configuration for a route where the gate is the Wasm module.
fn of_wasm(own: &View<'_>, is_ours: bool, is_passed_over: bool) -> Option<(&'static str, &'static str)> {
    let what = if is_ours && own.type_name() == Some(PER_ROUTE) {
        "is a configuration of a dynamic module, and the gate is the Wasm module: nothing reads it"
    } else if own.type_name() != Some(WASM_FILTER) && !is_ours {
        return None;
    } else if is_passed_over {
        "is a configuration of the gate for a route: Envoy's Wasm filter takes none, and this one is passed over"
    } else {
        "is a configuration of the gate for a route: Envoy's Wasm filter takes none, and Envoy refuses it"
    };
    Some((what, REMEDY))
}

/// The same where it is the native module.
fn of_native(own: &View<'_>, is_ours: bool) -> Option<(&'static str, &'static str)> {
    if is_ours {
        let what = "is no configuration of the native module for a route: it answers 500 there";
        return per_route(own).is_none().then_some((what, NATIVE_REMEDY));
    }
    let what = "is a requirement under another name than that of the gate in its chain: nothing reads it";
    per_route(own).map(|_| (what, "write it under the name of the filter in http_filters"))
}

/// Whether it is one of several clusters of a route, which have no place in what the command knows of routes.
fn is_of_cluster(holder: &View<'_>) -> bool {
    ["weighted_clusters", "weightedClusters"].iter().any(|name| holder.path.contains(name))
}

/// Whether it is empty, as in `FilterConfig {config: {}}`, which turns a filter on.
fn is_empty(view: &View<'_>) -> bool {
    view.members().is_empty()
}
