//! Protected resources that no requirement names, and those whose tokens are good elsewhere too.

use super::Findings;
use crate::cli::gates::Gate;
use crate::cli::source::View;
use crate::policy::{Access, Policy, Requirement, ResourceId, RouteMetadata};

/// Checks the resources of a gate.
pub(super) fn check(gate: &Gate<'_>, values: &View<'_>, policy: &Policy, findings: &mut Findings) {
    let listed = values.list("resources");
    let named = named(gate, policy);
    for (index, resource) in policy.resources.iter().enumerate() {
        let view = listed.get(index).unwrap_or(values);
        let is_named = named.as_ref().is_none_or(|named| named.contains(&ResourceId(index)));
        if !is_named {
            findings.warn(
                "resource-not-named",
                gate.file,
                view,
                format!(
                    "has metadata, and no requirement names it: tokens for {} are not asked for anywhere",
                    resource.identifier.text()
                ),
                "write `resource` in the requirements of its routes",
            );
        }
        if let Some(audiences) = view.get("audiences")
            && resource.audiences != [resource.identifier.text()]
        {
            findings.warn(
                "resource-shares-audience",
                gate.file,
                &audiences,
                "admits tokens that do not name this resource alone: a token for anything else with this audience is good here",
                "leave it out if the issuer can put the resource into aud (RFC 8707)",
            );
        }
    }
}

/// The resources that requirements name; `None` where these files do not have all requirements.
fn named(gate: &Gate<'_>, policy: &Policy) -> Option<Vec<ResourceId>> {
    let mut found = Vec::new();
    let rules = policy.rules.as_slice().iter().map(|rule| &rule.requirement);
    rules.chain([&policy.default]).for_each(|requirement| collect(requirement, &mut found));
    if policy.route_metadata == RouteMetadata::Ignore {
        return Some(found);
    }
    let envoy = gate.envoy.as_ref().filter(|envoy| !envoy.route_configs.is_empty())?;
    for host in &envoy.virtual_hosts {
        let of_routes = host.routes.iter().filter_map(|route| route.requirement(policy));
        for requirement in host.requirement(policy).into_iter().chain(of_routes) {
            collect(&requirement.ok()?, &mut found);
        }
    }
    Some(found)
}

fn collect(requirement: &Requirement, found: &mut Vec<ResourceId>) {
    if let Access::Token(ask) = &requirement.access {
        found.extend(ask.resource);
    }
    requirement.methods.iter().for_each(|(_, inner)| collect(inner, found));
}
