//! The filters around the gate: what turns it off, bypasses it, or undoes its decision.

use super::Findings;
use crate::cli::gates::{InEnvoy, fetched, our_plugin};
use crate::cli::source::{Source, View};

const CORS: &str = "envoy.extensions.filters.http.cors.v3.Cors";
const SKIP_FILTER: &str = "envoy.extensions.filters.common.matcher.action.v3.SkipFilter";
const COMPOSITE: &str = "envoy.extensions.filters.http.composite.v3.Composite";

/// Checks the filters of a chain, and the gates in the separate chains of requests to upgrade.
pub(super) fn check(envoy: &InEnvoy<'_>, sources: &[Source], findings: &mut Findings) {
    let Some(own) = envoy.filters.get(envoy.index).filter(|_| !envoy.of_upgrades) else { return };
    check_own(envoy, own, sources, findings);
    for own in envoy.upgrade_gates() {
        check_own(envoy, &own, sources, findings);
    }
    check_upgrades(envoy, findings);
    check_others(envoy, own, findings);
}

/// What turns the gate off, or leaves it out.
fn check_own(envoy: &InEnvoy<'_>, own: &View<'_>, sources: &[Source], findings: &mut Findings) {
    if let Some(view) = own.get("disabled").filter(View::is_true) {
        findings.error(
            "disabled",
            envoy.file,
            &view,
            "turns the gate off",
            "leave it out; open routes with `public: true`",
        );
    }
    let mut skips = Vec::new();
    let fetched = fetched(sources, own).map(|(source, view)| (source.file.as_path(), view));
    for (file, holder) in std::iter::once((envoy.file, own.clone())).chain(fetched) {
        holder.visit(&mut |view| {
            if matches!(view.type_name(), Some(SKIP_FILTER | COMPOSITE)) {
                skips.push((file, view.clone()));
            }
        });
    }
    for (file, view) in skips {
        findings.error(
            "disabled",
            file,
            &view,
            "skips the gate for some requests",
            "put the gate into the chain itself; open routes with `public: true`",
        );
    }
    if let Some(view) = own.get("is_optional").filter(View::is_true) {
        let kind = if envoy.is_native { "dynamic modules" } else { "Wasm" };
        findings.error(
            "optional",
            envoy.file,
            &view,
            format!("lets an Envoy that does not know {kind} leave the gate out"),
            "leave it out",
        );
    }
    if let Some(view) = own.at(&["config_discovery", "default_config"]).filter(|view| our_plugin(view).is_none()) {
        findings.error(
            "fails-open",
            envoy.file,
            &view,
            "stands in for the gate until the gate comes, and is none",
            "leave it out: Envoy then waits for the gate, or answers 500",
        );
    }
}

/// Upgrade requests may have a separate chain.
fn check_upgrades(envoy: &InEnvoy<'_>, findings: &mut Findings) {
    for upgrade in envoy.manager.list("upgrade_configs") {
        let filters = upgrade.list("filters");
        if !filters.is_empty() && !filters.iter().any(|filter| envoy.is_gate(filter)) {
            findings.error(
                "upgrade-without-gate",
                envoy.file,
                &upgrade,
                "has filters of its own for requests to upgrade, and the gate is not among them",
                "leave `filters` out, or put the gate into them",
            );
        }
    }
}

/// Checks the filters before the gate.
fn check_others(envoy: &InEnvoy<'_>, own: &View<'_>, findings: &mut Findings) {
    let type_of = |filter: &View<'_>| filter.get("typed_config").and_then(|view| view.type_name().map(str::to_owned));
    if !envoy.filters.iter().take(envoy.index).any(|filter| type_of(filter).as_deref() == Some(CORS)) {
        findings.warn(
            "no-cors-before",
            envoy.file,
            own,
            "has no cors filter before it: preflight requests carry no token and are refused",
            "put envoy.filters.http.cors directly before it, with expose_headers: WWW-Authenticate, DPoP-Nonce",
        );
    }
}
