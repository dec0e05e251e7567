//! MCP messages: whether what the gate holds back and what Envoy lets it hold back agree.

use super::{Findings, events, signatures};
use crate::cli::gates::Gate;
use crate::cli::source::{DocumentKind, Source, View};
use crate::policy::{Access, Mcp, PathMatch, Policy, Requirement, RouteMetadata};
use crate::request::RequestView;

const SETTING: &str = "allow_on_headers_stop_iteration";

/// Checks the plugin's setting against the policy; without a policy that can be read, that it is not set.
pub(super) fn check_setting(gate: &Gate<'_>, sources: &[Source], findings: &mut Findings) {
    // A dynamic module that stops at the headers holds them back.
    if gate.is_native {
        return;
    }
    let policy = gate.policy.as_ref().ok().map(|loaded| &loaded.policy);
    let set = gate.plugin.as_ref().and_then(|plugin| plugin.get(SETTING)).filter(View::is_true);
    // What waits, why it has to, what becomes of it in vain, and what to do where the setting cannot be made.
    let mut waiting = Vec::new();
    if policy.is_some_and(|policy| is_held(gate, policy)) {
        waiting.push((
            "has hold_headers: true".to_owned(),
            "every message would wait in vain",
            "leave hold_headers out: a refused call is executed nowhere even so",
        ));
    }
    if let Some((name, instead)) = policy.and_then(|policy| signatures::holding(gate, policy)) {
        waiting.push((
            format!("has to read bodies before it can judge signatures of {name}"),
            "every signed request with a body would get 503 body_unreadable",
            instead,
        ));
    }
    if let Some((needing, instead)) = policy.and_then(events::holding) {
        waiting.push((needing, "every event would get 503 body_unreadable", instead));
    }
    if let (Some(view), true) = (&set, waiting.is_empty()) {
        findings.error(
            "stop-iteration",
            gate.file,
            view,
            "changes what a pause at the headers holds back, and nothing here needs it",
            "leave it out, or set hold_headers: true where mcp is",
        );
    }
    if set.is_some() || gate.plugin.is_none() && !is_of_kubernetes(gate, sources) {
        return;
    }
    for (needing, in_vain, instead) in waiting {
        let (what, remedy) = match &gate.plugin {
            Some(_) => ("it is not set", "set allow_on_headers_stop_iteration: true beside root_id"),
            None => ("this resource cannot set it", instead),
        };
        findings.error(
            "headers-not-held",
            gate.file,
            gate.plugin.as_ref().unwrap_or(&gate.values),
            format!("{needing}, which needs {SETTING}, and {what}: {in_vain}"),
            remedy,
        );
    }
}

/// Checks what is beside the requirements that judge messages: their own methods, and their path with a slash at its end.
pub(super) fn check_beside(gate: &Gate<'_>, policy: &Policy, findings: &mut Findings) {
    for requirement in requirements(gate, policy) {
        let unjudged = requirement.methods.iter().find(|(name, of_method)| {
            !judges_or_denies(of_method) && matches!(name.as_str(), "POST" | "GET" | "DELETE")
        });
        if let (Some(_), Some((method, _))) = (mcp_of(&requirement), unjudged) {
            findings.warn(
                "messages-not-judged",
                gate.file,
                &gate.values,
                format!("has mcp in a requirement whose methods.{method} has none: its messages are not judged"),
                "write mcp there too, or leave the method out of methods",
            );
        }
    }
    let judged = policy.rules.as_slice().iter().filter(|rule| mcp_of(&rule.requirement).is_some());
    for path in judged.filter_map(|rule| match &rule.matching.path {
        Some(PathMatch::Exact(path)) if !path.ends_with('/') => Some(path),
        _ => None,
    }) {
        let other = format!("{path}/");
        let headers: [(&[u8], &[u8]); 2] = [(b":method", b"POST"), (b":path", other.as_bytes())];
        let request = RequestView { headers: &headers, route_name: None, virtual_host: None, ends_with_headers: false };
        let found = policy.rules.find(&request, policy.paths).ok().flatten();
        let asked = found.map_or(&policy.default, |found| found.requirement).for_method(b"POST").1;
        if !judges_or_denies(asked) {
            findings.warn(
                "messages-not-judged",
                gate.file,
                &gate.values,
                format!("judges the messages to {path}, and lets those to {other} through unread, which many servers take for it"),
                "write default: {deny: true}, or a rule for that path",
            );
        }
    }
}

/// Whether the policy, or a route, judges messages.
pub(super) fn judges(gate: &Gate<'_>, policy: &Policy) -> bool {
    requirements(gate, policy).iter().any(|one| with_methods(one).any(|one| mcp_of(one).is_some()))
}

/// Whether the headers of a message wait for it, according to the policy or to a route.
fn is_held(gate: &Gate<'_>, policy: &Policy) -> bool {
    let requirements = requirements(gate, policy);
    requirements.iter().flat_map(with_methods).filter_map(mcp_of).any(|mcp| mcp.hold_headers)
}

/// Those of the policy, and of the routes and virtual hosts in the files.
pub(super) fn requirements(gate: &Gate<'_>, policy: &Policy) -> Vec<Requirement> {
    let reads_metadata = policy.route_metadata != RouteMetadata::Ignore;
    let hosts = gate.envoy.iter().flat_map(|envoy| &envoy.virtual_hosts).filter(|_| reads_metadata);
    let written = hosts.flat_map(|host| {
        let of_routes = host.routes.iter().map(|route| route.requirement(policy));
        of_routes.chain([host.requirement(policy)]).flatten().flatten()
    });
    let own = policy.rules.as_slice().iter().map(|rule| &rule.requirement).chain([&policy.default]);
    own.cloned().chain(written).collect()
}

/// A requirement, and those that replace it for some methods.
pub(super) fn with_methods(requirement: &Requirement) -> impl Iterator<Item = &Requirement> {
    requirement.methods.iter().map(|(_, own)| own).chain([requirement])
}

/// Whether a requirement lets no message through unread.
fn judges_or_denies(requirement: &Requirement) -> bool {
    requirement.access == Access::Deny || mcp_of(requirement).is_some()
}

pub(super) fn mcp_of(requirement: &Requirement) -> Option<&Mcp> {
    match &requirement.access {
        Access::Token(ask) => ask.mcp.as_deref(),
        Access::Public | Access::Deny => None,
    }
}

/// Whether a resource of Istio or Envoy Gateway configures it.
fn is_of_kubernetes(gate: &Gate<'_>, sources: &[Source]) -> bool {
    let documents = sources.iter().filter(|source| source.file == gate.file).flat_map(|source| &source.documents);
    let is_resource = |kind: &DocumentKind| {
        matches!(kind, DocumentKind::WasmPlugin | DocumentKind::TrafficExtension | DocumentKind::EnvoyExtensionPolicy)
    };
    documents.map(|document| &document.kind).any(is_resource)
}
