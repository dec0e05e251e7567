//! The filter chain around the gate: what opens it, what undoes it, what reads requests in another way.

use super::Findings;
use crate::cli::gates::{Gate, InEnvoy};
use crate::cli::source::{Source, View};
use crate::policy::{KeySource, Policy};

const CORS: &str = "envoy.extensions.filters.http.cors.v3.Cors";
const SKIP_FILTER: &str = "envoy.extensions.filters.common.matcher.action.v3.SkipFilter";

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

/// Checks the chain. Without a policy only what does not depend on it.
pub(super) fn check(
    gate: &Gate<'_>,
    envoy: &InEnvoy<'_>,
    policy: Option<&Policy>,
    sources: &[Source],
    findings: &mut Findings,
) {
    check_filters(envoy, findings);
    check_access_log(envoy, findings);
    if let Some(policy) = policy {
        check_manager(envoy, policy, findings);
        check_clusters(gate, sources, policy, findings);
    }
}

/// Checks the plugin's own settings, which may stand in another file than the chain.
pub(super) fn check_plugin(gate: &Gate<'_>, findings: &mut Findings) {
    let Some(plugin) = &gate.plugin else { return };
    let fail_open = plugin.get("fail_open").filter(View::is_true);
    if let Some(view) = &fail_open {
        findings.error(
            "fails-open",
            gate.file,
            view,
            "lets every request through when the VM fails",
            "write failure_policy: FAIL_RELOAD",
        );
    }
    match plugin.get("failure_policy") {
        Some(view) if view.text() == Some("FAIL_OPEN") => {
            findings.error(
                "fails-open",
                gate.file,
                &view,
                "lets every request through when the VM fails",
                "write FAIL_RELOAD",
            );
        }
        None if fail_open.is_none() => findings.warn(
            "failure-policy-missing",
            gate.file,
            plugin,
            "has no failure_policy: after a failure of the VM the worker answers 503 until Envoy is restarted",
            "write failure_policy: FAIL_RELOAD",
        ),
        _ => {}
    }
    if let Some(view) = plugin.get("allow_on_headers_stop_iteration").filter(View::is_true) {
        findings.error(
            "stop-iteration",
            gate.file,
            &view,
            "changes what a pause at the headers holds back, and no feature of Scopegate needs it",
            "leave it out",
        );
    }
}

fn check_filters(envoy: &InEnvoy<'_>, findings: &mut Findings) {
    let Some(own) = envoy.filters.get(envoy.index) else { return };
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
        if view.type_name() == Some(SKIP_FILTER) {
            skips.push(view.clone());
        }
    });
    for view in skips {
        findings.error(
            "disabled",
            envoy.file,
            &view,
            "skips the gate for some requests",
            "open routes with `public: true`",
        );
    }
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
        }
    }
}

fn check_manager(envoy: &InEnvoy<'_>, policy: &Policy, findings: &mut Findings) {
    let manager = &envoy.manager;
    let is_true = |name: &str| manager.get(name).is_some_and(|view| view.is_true());
    if policy.rules.as_slice().iter().any(|rule| rule.matching.path.is_some()) {
        if !(is_true("normalize_path") && is_true("merge_slashes")) {
            findings.warn(
                "paths-not-normalised",
                envoy.file,
                manager,
                "does not normalise paths, and there are rules about paths: ambiguous ones are refused with 400",
                "set normalize_path: true and merge_slashes: true",
            );
        }
        if manager.get("path_with_escaped_slashes_action").is_none() {
            findings.warn(
                "escaped-slashes",
                envoy.file,
                manager,
                "does not say what becomes of escaped slashes in paths",
                "set path_with_escaped_slashes_action: REJECT_REQUEST, or KEEP_UNCHANGED with paths.allow",
            );
        }
    }
    let underscores = manager.at(&["common_http_protocol_options", "headers_with_underscores_action"]);
    let allowed = underscores.and_then(|view| view.text()).is_none_or(|action| action == "ALLOW");
    if allowed && !policy.forward.headers.is_empty() {
        findings.warn(
            "underscore-headers",
            envoy.file,
            manager,
            "lets headers with underscores through: x_auth_subject is x-auth-subject to many upstreams",
            "set common_http_protocol_options.headers_with_underscores_action: DROP_HEADER",
        );
    }
}

fn check_access_log(envoy: &InEnvoy<'_>, findings: &mut Findings) {
    for log in envoy.manager.list("access_log") {
        let mut formats = Vec::new();
        log.visit(&mut |view| {
            if let Some(text) = view.text().filter(|text| text.contains('%')) {
                formats.push((view.clone(), prints_query(text)));
            }
        });
        let printing = formats.iter().find(|(_, prints)| *prints).map(|(view, _)| view.clone());
        // Envoy's own format prints the path with its query.
        if let Some(view) = printing.or_else(|| formats.is_empty().then(|| log.clone())) {
            findings.warn(
                "log-prints-query",
                envoy.file,
                &view,
                "prints the query of a path: what clients put there ends up in the log",
                "print %PATH(NQ)%",
            );
        }
    }
}

/// Whether a format prints `:path`, or the original path, with its query.
fn prints_query(format: &str) -> bool {
    let upper = format.to_ascii_uppercase();
    let request = |name: &str| upper.contains(&format!("%REQ({name}"));
    request(":PATH") || request("X-ENVOY-ORIGINAL-PATH") || upper.contains("%PATH(WQ") || upper.contains("%PATH%")
}

fn check_clusters(gate: &Gate<'_>, sources: &[Source], policy: &Policy, findings: &mut Findings) {
    let mut clusters = Vec::new();
    let mut discovered = false;
    for document in sources.iter().flat_map(|source| &source.documents) {
        let root = View::root(document);
        discovered |= root.at(&["dynamic_resources", "cds_config"]).is_some();
        discovered |= root.at(&["dynamic_resources", "ads_config"]).is_some();
        let fetched = root.list("resources").into_iter().filter(|view| view.get("load_assignment").is_some());
        clusters.extend(root.at(&["static_resources", "clusters"]).map(|view| view.items()).unwrap_or_default());
        clusters.extend(fetched);
    }
    let named =
        |wanted: &str| clusters.iter().find(|view| view.get("name").and_then(|name| name.text()) == Some(wanted));
    let values = &gate.values;
    let entries = values.list("issuers");
    for (index, issuer) in policy.issuers.iter().enumerate() {
        let KeySource::Remote(remote) = &issuer.keys else { continue };
        let entry = entries.get(index).and_then(|entry| entry.get("jwks"));
        let entry = entry.as_ref().unwrap_or(values);
        match named(&remote.cluster) {
            None if discovered || clusters.is_empty() => {}
            None => findings.error(
                "cluster-missing",
                gate.file,
                entry,
                format!("names the cluster {}, which does not exist", remote.cluster),
                "add the cluster, or name one that exists",
            ),
            Some(cluster) if cluster.get("transport_socket").is_none() && !is_local(cluster) => findings.warn(
                "keys-in-plain-text",
                gate.file,
                entry,
                format!("fetches keys through the cluster {} in plain text, from another machine", remote.cluster),
                "give the cluster a TLS transport_socket with a validation context",
            ),
            Some(_) => {}
        }
    }
}

/// Whether all endpoints of a cluster are on this machine.
fn is_local(cluster: &View<'_>) -> bool {
    let mut local = true;
    cluster.visit(&mut |view| {
        if let Some(address) =
            view.get("socket_address").and_then(|view| view.get("address")).and_then(|view| view.text())
        {
            local &= address.starts_with("127.") || address == "::1" || address == "localhost";
        }
    });
    local
}
