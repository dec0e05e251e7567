//! Session ids of MCP servers: whether the module is called for responses, and where ids get to a server unbound.

use super::asked::Asked;
use super::messages::{mcp_of, requirements, with_methods};
use super::{Findings, lists};
use crate::cli::gates::{Gate, InEnvoy};
use crate::cli::source::View;
use crate::policy::{Access, Policy, Requirement, SESSION_ID};
use std::path::Path;

/// The module that is not called for responses.
const REQUESTS_MODULE: &str = "scopegate.wasm";
/// What Envoy calls for responses. Session ids need the first.
const CALLBACKS: [&str; 3] = ["proxy_on_response_headers", "proxy_on_response_body", "proxy_on_response_trailers"];
/// The methods of MCP.
const METHODS: [&str; 3] = ["POST", "GET", "DELETE"];
/// What adds or removes headers beside routes.
const CHANGES: [&str; 2] = ["response_headers_to_add", "request_headers_to_add"];

/// Whether a rule or `default` binds sessions.
pub(super) fn binds(policy: &Policy) -> bool {
    let own = policy.rules.as_slice().iter().map(|rule| &rule.requirement).chain([&policy.default]);
    own.flat_map(with_methods).any(has_session)
}

/// Checks a gate that binds sessions, or whose routes do.
pub(super) fn check(gate: &Gate<'_>, policy: &Policy, findings: &mut Findings) {
    let requirements = requirements(gate, policy);
    if requirements.iter().any(|one| one.needs_responses().is_some()) {
        let reads_bodies = requirements.iter().flat_map(with_methods).any(lists::are_filtered);
        check_module(gate, if reads_bodies { &CALLBACKS } else { &CALLBACKS[..1] }, findings);
    }
    if !requirements.iter().flat_map(with_methods).any(has_session) {
        return;
    }
    for requirement in requirements.iter().filter(|one| has_session(one)) {
        let other = requirement.methods.iter().find(|(name, one)| METHODS.contains(&name.as_str()) && lets_in(one));
        if let Some((method, _)) = other {
            findings.warn(
                "sessions-not-bound",
                gate.file,
                &gate.values,
                format!("binds sessions in a requirement whose methods.{method} does not: ids of others pass there"),
                "write mcp with session there too, or leave the method out of methods",
            );
        }
    }
    if let Some(envoy) = &gate.envoy {
        check_routes(envoy, policy, findings);
        envoy.route_configs.iter().for_each(|(file, config)| check_changes(file, config, findings));
    }
}

/// Whether the plugin loads the module that is called for responses, and lets itself be called.
fn check_module(gate: &Gate<'_>, callbacks: &[&str], findings: &mut Findings) {
    let Some(plugin) = &gate.plugin else { return };
    let local = plugin.at(&["vm_config", "code", "local", "filename"]);
    let module = local.or_else(|| plugin.at(&["vm_config", "code", "remote", "http_uri", "uri"]));
    let is_named = |text: &str| text.split(['?', '#']).next().is_some_and(|path| path.ends_with(REQUESTS_MODULE));
    if let Some(view) = module.filter(|view| view.text().is_some_and(is_named)) {
        findings.error(
            "responses-not-seen",
            gate.file,
            &view,
            "is the module that Envoy does not call for responses, and it refuses `session` of mcp and `lists: granted`",
            "load scopegate-full.wasm",
        );
    }
    let Some(allowed) = plugin.at(&["capability_restriction_config", "allowed_capabilities"]) else { return };
    let names = allowed.members();
    let missing = callbacks.iter().find(|callback| names.iter().all(|(name, _)| name != *callback));
    if let Some(callback) = missing.filter(|_| !names.is_empty()) {
        findings.error(
            "responses-not-seen",
            gate.file,
            &allowed,
            "does not let the gate see responses: no session id is bound, and no list is filtered",
            &format!("add {callback}, or leave capability_restriction_config out"),
        );
    }
}

/// Looks for routes to a cluster that another route binds the sessions of.
fn check_routes(envoy: &InEnvoy<'_>, policy: &Policy, findings: &mut Findings) {
    let mut bound: Vec<String> = Vec::new();
    let mut open = Vec::new();
    for host in &envoy.virtual_hosts {
        for route in &host.routes {
            let Some(cluster) = route.view.at(&["route", "cluster"]) else { continue };
            let Some(name) = cluster.text() else { continue };
            let asked: Vec<Asked> =
                METHODS.into_iter().filter_map(|method| Asked::of(policy, host, route, method)).collect();
            if asked.iter().any(Asked::binds_sessions) {
                bound.push(name.to_owned());
            }
            if asked.iter().any(|asked| !asked.binds_sessions() && !asked.is_closed()) {
                open.push((host.file, cluster.clone(), name.to_owned()));
            }
        }
    }
    for (file, view, name) in open.into_iter().filter(|(.., name)| bound.contains(name)) {
        findings.warn(
            "sessions-not-bound",
            file,
            &view,
            format!("leads to {name}, of which another route binds the sessions: ids of others pass here"),
            "write session in what judges this route too, or deny it",
        );
    }
}

/// The router changes headers of responses before the gate sees them, and those of requests after it.
fn check_changes(file: &Path, config: &View<'_>, findings: &mut Findings) {
    let mut found = Vec::new();
    config.visit(&mut |view| {
        for name in CHANGES {
            let keys = view.list(name).into_iter().filter_map(|item| item.at(&["header", "key"]));
            found.extend(keys.filter(|key| key.text().is_some_and(|key| key.eq_ignore_ascii_case(SESSION_ID))));
        }
    });
    for view in found {
        findings.warn(
            "session-header-changed",
            file,
            &view,
            "changes Mcp-Session-Id, which the gate binds to its client: the session is lost, or answered 502",
            "leave it out",
        );
    }
}

/// Whether a requirement lets requests in whose session ids it does not open.
fn lets_in(requirement: &Requirement) -> bool {
    requirement.access != Access::Deny && !has_session(requirement)
}

fn has_session(requirement: &Requirement) -> bool {
    mcp_of(requirement).is_some_and(|mcp| mcp.session.is_some())
}
