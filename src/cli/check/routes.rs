//! The routes of the gate: what turns it off there, what they ask, and matchers on what it edits.

use super::{Findings, sessions};
use crate::cli::gates::beside::Beside;
use crate::cli::gates::{InEnvoy, VirtualHost};
use crate::cli::source::{View, any_secret};
use crate::config::METADATA_NAMESPACE;
use crate::policy::{ForwardBy, Policy, RouteMetadata, SESSION_ID, TokenForwarding, Uses, same_header};
use std::path::Path;

/// The input of a matcher tree for a header.
const HEADER_INPUT: &str = "envoy.type.matcher.v3.HttpRequestHeaderMatchInput";

/// Checks virtual hosts and routes.
pub(super) fn check(envoy: &InEnvoy<'_>, policy: &Policy, findings: &mut Findings) {
    let upgrades = envoy.upgrade_gates();
    let mut names: Vec<&str> =
        envoy.filters.get(envoy.index).into_iter().chain(&upgrades).filter_map(View::name).collect();
    names.sort_unstable();
    names.dedup();
    for (file, config) in &envoy.route_configs {
        for name in &names {
            check_disabled(file, config, name, findings);
        }
    }
    check_requirements(envoy, policy, findings);
    // A dynamic module that edits a header has Envoy match nothing again.
    if !envoy.is_native {
        check_edited(envoy, policy, findings);
    }
}

/// Matchers on what the gate edits.
fn check_edited(envoy: &InEnvoy<'_>, policy: &Policy, findings: &mut Findings) {
    for (file, config) in &envoy.route_configs {
        for view in config.holders("header_name").iter().filter(|view| view.type_name() == Some(HEADER_INPUT)) {
            if let Some(name) = view.get("header_name") {
                check_header(file, &name, policy, findings);
            }
        }
    }
    for host in &envoy.virtual_hosts {
        check_matchers(host, &host.view.list("virtual_clusters"), policy, findings);
        for route in &host.routes {
            check_matchers(host, &route.view.get("match").into_iter().collect::<Vec<_>>(), policy, findings);
        }
    }
    if let Some(scopes) = envoy.manager.get("scoped_routes") {
        scopes.visit(&mut |view| {
            if let Some(name) = view.at(&["header_value_extractor", "name"]) {
                check_header(envoy.file, &name, policy, findings);
            }
        });
    }
}

/// Checks the requirements beside virtual hosts and routes.
pub(super) fn check_requirements(envoy: &InEnvoy<'_>, policy: &Policy, findings: &mut Findings) {
    for host in &envoy.virtual_hosts {
        check_metadata(host.file, &host.view, host.beside.as_ref(), policy, findings);
        for route in &host.routes {
            check_metadata(host.file, &route.view, route.beside.as_ref(), policy, findings);
        }
    }
}

/// A route configuration, a virtual host, a route or a weighted cluster that turns the filter off.
pub(super) fn check_disabled(file: &Path, holder: &View<'_>, filter: &str, findings: &mut Findings) {
    for own in holder.holders("typed_per_filter_config") {
        let own = own.at(&["typed_per_filter_config", filter, "disabled"]);
        let Some(view) = own.filter(View::is_true) else { continue };
        findings.error(
            "disabled",
            file,
            &view,
            "turns the gate off here",
            "open the route with `public: true` in its metadata",
        );
    }
}

fn check_metadata(
    file: &Path,
    holder: &View<'_>,
    beside: Option<&Beside<'_>>,
    policy: &Policy,
    findings: &mut Findings,
) {
    if policy.route_metadata == RouteMetadata::Ignore {
        return;
    }
    if let Some(beside) = beside
        && let Err(error) = beside.read(policy, &any_secret)
    {
        findings.problems("metadata", file, &beside.view, &error);
    }
    let Some(metadata) = holder.at(&["metadata", "filter_metadata"]) else { return };
    for (name, view) in metadata.members() {
        if name != METADATA_NAMESPACE && is_misspelt(name) {
            findings.error(
                "metadata-namespace",
                file,
                &view,
                format!("{name} is not the namespace of Scopegate, so nothing of it holds"),
                "write scopegate",
            );
        }
    }
}

/// Whether a namespace is a misspelling of ours.
pub(super) fn is_misspelt(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let shared = METADATA_NAMESPACE.chars().filter(|&character| plain.contains(character)).count();
    let looks_alike = plain.len().abs_diff(METADATA_NAMESPACE.len()) <= 1 && plain.starts_with("sc") && shared >= 7;
    plain.contains(METADATA_NAMESPACE) || looks_alike
}

/// Matchers on headers: of a route, or of a virtual cluster.
fn check_matchers(host: &VirtualHost<'_>, matchers: &[View<'_>], policy: &Policy, findings: &mut Findings) {
    for header in matchers.iter().flat_map(|matcher| matcher.list("headers")) {
        if let Some(name) = header.get("name") {
            check_header(host.file, &name, policy, findings);
        }
    }
    for name in matchers.iter().flat_map(|matcher| matcher.list("cookies")).filter_map(|cookie| cookie.get("name")) {
        if policy.is_cookie(name.text().unwrap_or_default().as_bytes()) {
            findings.error(
                "matcher-on-edited-header",
                host.file,
                &name,
                "looks at a cookie that the gate takes out after it has judged: Envoy then matches routes again",
                "match on something else, or route before the gate",
            );
        }
    }
}

/// A header that the filter edits: Envoy matches again after that, and the filter does not see the result.
fn check_header(file: &Path, view: &View<'_>, policy: &Policy, findings: &mut Findings) {
    let Some(name) = view.text() else { return };
    // Of several places, also what was not judged is removed where the judged one is kept.
    let strips_some = policy.forward.token == TokenForwarding::Strip || policy.uses.has(Uses::CREDENTIALS);
    let is_list = || policy.credential_lists().iter().any(|list| name.eq_ignore_ascii_case(list));
    let is_credential =
        || policy.credential_headers().iter().any(|known| name.eq_ignore_ascii_case(known)) || is_list();
    let strips = policy.forward.by == ForwardBy::Filter && strips_some && is_credential();
    let has_certificate = policy.forwarded_certificate.as_ref().is_some_and(|of| of.is_header(name.as_bytes()));
    let is_session = same_header(SESSION_ID.as_bytes(), name.as_bytes()) && sessions::binds(policy);
    if strips || is_session || has_certificate || policy.forward.is_identity_header(name.as_bytes()) {
        findings.error(
            "matcher-on-edited-header",
            file,
            view,
            format!("looks at {name}, which the gate edits after it has judged: Envoy then matches routes again"),
            "match on something else, or route before the gate",
        );
    }
}
