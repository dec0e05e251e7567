//! Envoy Gateway: the routes that a policy with the gate leaves out, if the files contain them. The policy of a rule
//! takes precedence over that of its route, then the listener, then the gateway; nothing is merged.

use super::resources::{AttachedPolicy, Reference, Resources, Route, Target};
use crate::cli::check::Findings;
use crate::cli::source::DocumentKind;

const RULE: &str = "route-without-gate";

/// Why a route has no gate on one of its ways.
enum Gap<'r, 's> {
    /// A more specific policy without the gate.
    Replaced(&'r AttachedPolicy<'s>),
    /// A rule, by name.
    Rule(String),
    /// A gateway, or one of its listeners.
    Parent(&'r Target<'s>),
}

/// Checks routes against policies, and returns what could not be checked: what a policy leaves to others that are not
/// here.
pub(super) fn check(resources: &Resources<'_>, findings: &mut Findings) -> Vec<String> {
    let policies: Vec<&AttachedPolicy<'_>> =
        resources.policies.iter().filter(|policy| policy.kind == DocumentKind::EnvoyExtensionPolicy).collect();
    if !policies.iter().any(|policy| policy.has_gate) {
        return Vec::new();
    }
    let gaps: Vec<(&Route<'_>, Vec<Gap<'_, '_>>)> =
        resources.routes.iter().map(|route| (route, gaps(route, &policies, resources))).collect();
    let guarded: Vec<&Reference> =
        gaps.iter().filter(|(_, gaps)| gaps.is_empty()).flat_map(|(route, _)| &route.backends).collect();
    for (route, gaps) in &gaps {
        // If all ways have no gate, the route may be a separate site. If only some have none, or it leads to the same
        // service, it is a way around the gate.
        let is_apart = gaps.iter().all(|gap| matches!(gap, Gap::Parent(_))) && gaps.len() == route.parents.len().max(1);
        let shared = route.backends.iter().find(|backend| guarded.contains(backend));
        for gap in gaps {
            let mut what = told(route, gap);
            if let Some(backend) = shared {
                what.push_str(&format!(
                    ", and leads to the service {}, which is behind the gate elsewhere",
                    backend.name
                ));
            }
            let remedy = "target the Gateway, or this route too; open routes with `public: true`";
            if is_apart && shared.is_none() {
                findings.warn(RULE, route.file, &route.view, what, remedy);
            } else {
                findings.error(RULE, route.file, &route.view, what, remedy);
            }
        }
    }
    policies.iter().filter(|policy| policy.has_gate).flat_map(|policy| left(policy, resources)).collect()
}

fn told(route: &Route<'_>, gap: &Gap<'_, '_>) -> String {
    let route = format!("{} {}", route.name.kind, route.name.name);
    match gap {
        Gap::Replaced(policy) => {
            format!(
                "{route} has a policy of its own ({}), which has no gate and replaces that of the Gateway",
                policy.name.name
            )
        }
        Gap::Rule(name) if name.is_empty() => {
            format!("{route} has a rule without the gate: the policy names another one")
        }
        Gap::Rule(name) => format!("{route} has no gate before its rule {name}"),
        Gap::Parent(parent) => {
            let listener = parent.section.map(|name| format!(" (listener {name})")).unwrap_or_default();
            format!("{route} has no gate at the Gateway {}{listener}", parent.name.name)
        }
    }
}

/// The ways to a route that have no gate.
fn gaps<'r, 's>(
    route: &'r Route<'s>,
    policies: &[&'r AttachedPolicy<'s>],
    resources: &Resources<'_>,
) -> Vec<Gap<'r, 's>> {
    let targeting = |section: Option<&str>| {
        let meets = |target: &Target<'_>| target.name == route.name && target.section == section;
        policies.iter().find(|policy| policy.targets.iter().any(meets)).copied()
    };
    // Rules with their own policy, and the others.
    let of_rule: Vec<Option<&AttachedPolicy<'_>>> = route
        .rules
        .iter()
        .map(|name| Some(*name).filter(|name| !name.is_empty()).and_then(|name| targeting(Some(name))))
        .collect();
    let own = targeting(None);
    let mut gaps: Vec<Gap<'_, '_>> = Vec::new();
    for policy in of_rule.iter().flatten().filter(|policy| !policy.has_gate) {
        gaps.push(Gap::Replaced(policy));
    }
    let has_others = of_rule.is_empty() || of_rule.iter().any(Option::is_none);
    match own {
        _ if !has_others => return gaps,
        Some(policy) if policy.has_gate => return gaps,
        Some(policy) => {
            gaps.push(Gap::Replaced(policy));
            return gaps;
        }
        None => {}
    }
    let open: Vec<&Target<'_>> =
        route.parents.iter().filter(|parent| !is_guarded(parent, policies, resources)).collect();
    let some_rule = of_rule.iter().flatten().any(|policy| policy.has_gate);
    if some_rule && !open.is_empty() {
        let rules = route.rules.iter().zip(&of_rule).filter(|(_, policy)| policy.is_none());
        gaps.extend(rules.map(|(name, _)| Gap::Rule((*name).to_owned())));
    } else {
        gaps.extend(open.into_iter().map(Gap::Parent));
    }
    gaps
}

/// Whether a gateway has the gate before all listeners that a route is attached to.
fn is_guarded(parent: &Target<'_>, policies: &[&AttachedPolicy<'_>], resources: &Resources<'_>) -> bool {
    let of = |section: Option<&str>| {
        let meets = |target: &Target<'_>| target.name == parent.name && target.section == section;
        policies.iter().find(|policy| policy.targets.iter().any(meets)).map(|policy| policy.has_gate)
    };
    let whole = of(None).unwrap_or(false);
    let at = |name: &str| of(Some(name)).unwrap_or(whole);
    if let Some(name) = parent.section {
        return at(name);
    }
    match resources.gateways.iter().find(|gateway| gateway.name == parent.name) {
        Some(gateway) if !gateway.listeners.is_empty() => gateway.listeners.iter().all(|(name, _)| at(name)),
        // Listeners that are missing here may have policies that are not.
        _ => whole,
    }
}

/// What a policy with the gate leaves out, if the files do not show whether it exists.
fn left(policy: &AttachedPolicy<'_>, resources: &Resources<'_>) -> Vec<String> {
    let routes = &resources.routes;
    let seen = |target: &Target<'_>| routes.iter().any(|route| route.name == target.name);
    let gateway = |target: &Target<'_>| resources.gateways.iter().any(|gateway| gateway.name == target.name);
    let name = &policy.name.name;
    let mut notes = Vec::new();
    for target in &policy.targets {
        let Reference { kind, name: of, .. } = &target.name;
        match target.section {
            Some(section) if !(gateway(target) || seen(target)) => {
                notes.push(format!(
                    "{name} guards {section} of the {kind} {of} alone: the rest of it has no gate by this policy"
                ));
            }
            None if kind != "Gateway" && !seen(target) => {
                notes.push(format!("{name} guards the {kind} {of} alone: other routes have no gate by this policy"));
            }
            _ => {}
        }
    }
    if policy.targets.is_empty() && policy.spec.get("targetSelectors").is_some() {
        notes.push(format!("{name} selects by labels what it guards, which was not checked"));
    }
    notes
}
