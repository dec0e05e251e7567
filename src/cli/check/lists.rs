//! Lists of MCP servers: where one way to a server is filtered and another is not.

use super::Findings;
use super::asked::Asked;
use super::messages::{mcp_of, requirements};
use crate::cli::gates::{Gate, InEnvoy};
use crate::policy::{Lists, PathMatch, Policy, Requirement};
use crate::request::RequestView;

const REMEDY: &str = "write lists: granted there too, or deny that way to the server";

/// Checks a gate that filters lists, or whose routes do.
pub(super) fn check(gate: &Gate<'_>, policy: &Policy, findings: &mut Findings) {
    for requirement in requirements(gate, policy).iter().filter(|one| are_filtered(one)) {
        let other = requirement
            .methods
            .iter()
            .find(|(name, one)| matches!(name.as_str(), "POST" | "GET") && mcp_of(one).is_some() && !are_filtered(one));
        if let Some((method, _)) = other {
            let what = format!("has lists: granted in a requirement whose methods.{method} has not");
            findings.warn("lists-not-filtered", gate.file, &gate.values, what, REMEDY);
        }
    }
    for rule in policy.rules.as_slice().iter().filter(|rule| are_filtered(&rule.requirement)) {
        let Some(PathMatch::Exact(path)) = &rule.matching.path else { continue };
        let other = format!("{path}/");
        let headers: [(&[u8], &[u8]); 2] = [(b":method", b"POST"), (b":path", other.as_bytes())];
        let request = RequestView { headers: &headers, route_name: None, virtual_host: None, ends_with_headers: false };
        let found = policy.rules.find(&request, policy.paths).ok().flatten();
        let asked = found.map_or(&policy.default, |found| found.requirement).for_method(b"POST").1;
        if mcp_of(asked).is_some() && !are_filtered(asked) {
            let what = format!("has lists: granted for {path}, and not for {other}, which many servers take for it");
            findings.warn("lists-not-filtered", gate.file, &gate.values, what, REMEDY);
        }
    }
    if let Some(envoy) = &gate.envoy {
        check_routes(envoy, policy, findings);
    }
}

/// Looks for routes to a cluster that another route filters the lists of.
fn check_routes(envoy: &InEnvoy<'_>, policy: &Policy, findings: &mut Findings) {
    let (mut filtered, mut open) = (Vec::new(), Vec::new());
    let routes = envoy.virtual_hosts.iter().flat_map(|host| host.routes.iter().map(move |route| (host, route)));
    for (host, route) in routes {
        let Some(cluster) = route.view.at(&["route", "cluster"]) else { continue };
        let Some(name) = cluster.text() else { continue };
        let asked = ["POST", "GET"].into_iter().filter_map(|method| Asked::of(policy, host, route, method));
        for asked in asked {
            if asked.filters_lists() {
                filtered.push(name);
            } else if !asked.is_closed() {
                open.push((host.file, cluster.clone(), name));
            }
        }
    }
    open.dedup_by(|(_, _, name), (_, _, before)| name == before);
    for (file, view, name) in open.into_iter().filter(|(.., name)| filtered.contains(name)) {
        let what = format!("leads to {name}, of which another route filters the lists");
        findings.warn("lists-not-filtered", file, &view, what, REMEDY);
    }
}

/// Whether a requirement filters lists.
pub(super) fn are_filtered(requirement: &Requirement) -> bool {
    mcp_of(requirement).is_some_and(|mcp| mcp.lists == Lists::Granted)
}
