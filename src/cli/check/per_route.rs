//! Settings for a route in `typed_per_filter_config`. Envoy's Wasm filter takes none: only a `FilterConfig` that turns
//! the gate off or on is valid.

use super::Findings;
use crate::cli::gates::{InEnvoy, WASM_FILTER};
use crate::cli::source::View;
use std::path::Path;

const FILTER_CONFIG: &str = "envoy.config.route.v3.FilterConfig";
const REMEDY: &str =
    "write what the route needs into metadata.filter_metadata.scopegate of the route or the virtual host";

/// Checks the route configurations of a gate.
pub(super) fn check(envoy: &InEnvoy<'_>, findings: &mut Findings) {
    let filter = envoy.filters.get(envoy.index).and_then(View::name);
    for (file, config) in &envoy.route_configs {
        check_config(file, config, filter, findings);
    }
}

/// Checks one route configuration; `filter` is the name of the gate in its chain.
pub(super) fn check_config(file: &Path, config: &View<'_>, filter: Option<&str>, findings: &mut Findings) {
    for holder in config.holders("typed_per_filter_config") {
        let entries = holder.get("typed_per_filter_config").map(|view| view.members()).unwrap_or_default();
        for (name, entry) in entries {
            let is_ours = Some(name) == filter;
            let is_setting = entry.type_name() == Some(FILTER_CONFIG);
            let inner = entry.get("config").filter(|_| is_setting);
            let own = if is_setting { inner } else { Some(entry.clone()) };
            let Some(own) = own.filter(|own| own.type_name() == Some(WASM_FILTER) || is_ours && !is_empty(own)) else {
                continue;
            };
            let what = if entry.get("is_optional").is_some_and(|view| view.is_true()) {
                "is a configuration of the gate for a route: Envoy's Wasm filter takes none, and this one is passed over"
            } else {
                "is a configuration of the gate for a route: Envoy's Wasm filter takes none, and Envoy refuses it"
            };
            findings.error("per-route-configuration", file, &own, what, REMEDY);
        }
    }
}

/// Whether it is empty, as in `FilterConfig {config: {}}`, which turns a filter on.
fn is_empty(view: &View<'_>) -> bool {
    view.members().is_empty()
}
