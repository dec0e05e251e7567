//! The filters around the gate: what turns it off, goes around it, or undoes what it has judged.

use super::Findings;
use crate::cli::gates::{InEnvoy, our_plugin};
use crate::cli::source::View;

const CORS: &str = "envoy.extensions.filters.http.cors.v3.Cors";
const SKIP_FILTER: &str = "envoy.extensions.filters.common.matcher.action.v3.SkipFilter";
const COMPOSITE: &str = "envoy.extensions.filters.http.composite.v3.Composite";

/// Filters that may edit headers or choose routes after the gate has judged.
const EDITORS: [(&str, &str); 4] = [
    ("envoy.extensions.filters.http.on_demand.v3.OnDemand", "on_demand"),
    ("envoy.extensions.filters.http.lua.v3.Lua", "lua"),
    ("envoy.extensions.filters.http.ext_proc.v3.ExternalProcessor", "ext_proc"),
    ("envoy.extensions.filters.http.header_mutation.v3.HeaderMutation", "header_mutation"),
];

/// Filters that do so when they clear the route cache.
const CLEARERS: [(&str, &str); 2] = [
    ("envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication", "jwt_authn"),
    ("envoy.extensions.filters.http.ext_authz.v3.ExtAuthz", "ext_authz"),
];

/// Filters that may do so, which only whoever knows their code can tell.
const UNKNOWN: [(&str, &str); 4] = [
    ("envoy.extensions.filters.http.wasm.v3.Wasm", "another Wasm filter"),
    ("envoy.extensions.filters.http.golang.v3alpha.Config", "a Go filter"),
    ("envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter", "a dynamic module"),
    ("envoy.extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder", "grpc_json_transcoder"),
];

/// Checks the filters of a chain.
pub(super) fn check(envoy: &InEnvoy<'_>, findings: &mut Findings) {
    let Some(own) = envoy.filters.get(envoy.index) else { return };
    check_own(envoy, own, findings);
    check_upgrades(envoy, own, findings);
    check_others(envoy, own, findings);
}

/// What turns the gate off, or leaves it out.
fn check_own(envoy: &InEnvoy<'_>, own: &View<'_>, findings: &mut Findings) {
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
    own.visit(&mut |view| {
        if matches!(view.type_name(), Some(SKIP_FILTER | COMPOSITE)) {
            skips.push(view.clone());
        }
    });
    for view in skips {
        findings.error(
            "disabled",
            envoy.file,
            &view,
            "skips the gate for some requests",
            "put the gate into the chain itself; open routes with `public: true`",
        );
    }
    if let Some(view) = own.get("is_optional").filter(View::is_true) {
        findings.error(
            "optional",
            envoy.file,
            &view,
            "lets an Envoy that does not know Wasm leave the gate out",
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

/// Requests to upgrade may have a chain of their own.
fn check_upgrades(envoy: &InEnvoy<'_>, own: &View<'_>, findings: &mut Findings) {
    for upgrade in envoy.manager.list("upgrade_configs") {
        let filters = upgrade.list("filters");
        let names_gate = |filter: &View<'_>| {
            our_plugin(filter).is_some() || filter.get("config_discovery").is_some() && filter.name() == own.name()
        };
        if !filters.is_empty() && !filters.iter().any(names_gate) {
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

/// What stands before the gate, and what behind it.
fn check_others(envoy: &InEnvoy<'_>, own: &View<'_>, findings: &mut Findings) {
    let type_of = |filter: &View<'_>| filter.get("typed_config").and_then(|view| view.type_name().map(str::to_owned));
    if !envoy.filters.iter().take(envoy.index).any(|filter| type_of(filter).as_deref() == Some(CORS)) {
        findings.warn(
            "no-cors-before",
            envoy.file,
            own,
            "has no cors filter before it: preflight requests carry no token and are refused",
            "put envoy.filters.http.cors before it, with expose_headers: WWW-Authenticate",
        );
    }
    for filter in envoy.filters.iter().skip(envoy.index.saturating_add(1)) {
        let Some(name) = type_of(filter) else { continue };
        let clears = || filter.at(&["typed_config", "clear_route_cache"]).is_some_and(|view| view.is_true());
        let editor = EDITORS.iter().find(|(known, _)| *known == name);
        let clearer = CLEARERS.iter().find(|(known, _)| *known == name).filter(|_| clears());
        if let Some((_, short)) = editor.or(clearer) {
            findings.error(
                "edits-after",
                envoy.file,
                filter,
                format!("{short} stands after the gate and may send a request to another route than was judged"),
                "put it before the gate",
            );
        } else if let Some((_, short)) = UNKNOWN.iter().find(|(known, _)| *known == name) {
            findings.warn(
                "may-edit-after",
                envoy.file,
                filter,
                format!("{short} stands after the gate: where it edits headers, Envoy may choose another route than was judged"),
                "put it before the gate, unless it edits no header and clears no route",
            );
        }
    }
}
