//! What Gateways and routes have no policy that asks for credentials: routes that were open, also since the policy of a
//! route replaces that of its Gateway.

use super::GROUP;
use super::given::Given;
use crate::cli::migrate::findings::{Finding, Findings, Kind};
use crate::cli::migrate::kubernetes::resource::Resource;
use crate::cli::source::View;

/// The group of Gateways and routes.
const GATEWAY_API: &str = "gateway.networking.k8s.io";
/// The kinds of routes with HTTP requests.
const ROUTES: [&str; 2] = ["HTTPRoute", "GRPCRoute"];

/// Tells which routes were open, and what would replace a gate.
pub(super) fn tell(given: &Given<'_>, findings: &mut Findings) {
    let policies: Vec<&Resource<'_>> = given.all(GROUP, "SecurityPolicy").collect();
    let asking: Vec<&&Resource<'_>> = policies.iter().filter(|policy| super::asks(policy)).collect();
    let is_of_gateway = |policy: &Resource<'_>| targets(policy).iter().any(|target| kind(target) == Some("Gateway"));
    // Of two that are merged, what the policy of the Gateway asks for holds still.
    let replaces = |policy: &Resource<'_>| !super::asks(policy) && policy.spec().get("mergeType").is_none();
    for policy in policies.iter().filter(|policy| replaces(policy)) {
        let of_route =
            targets(policy).into_iter().find(|target| kind(target).is_some_and(|kind| ROUTES.contains(&kind)));
        if let Some(target) = of_route
            && asking.iter().any(|policy| is_of_gateway(policy))
        {
            let what = format!(
                "{}: it replaces the policy of the Gateway for {}, and asks for nothing: the route was open. The gate of the Gateway \
                 holds for it now",
                policy.title(),
                target.name().unwrap_or("a route")
            );
            let finding = Finding::new(Kind::LetThrough, policy.file, &policy.spec(), what);
            findings.add(finding.restored_by("an EnvoyExtensionPolicy for the route with default: {public: true}"));
        }
    }
    if asking.is_empty() {
        return;
    }
    for route in ROUTES.iter().flat_map(|kind| given.all(GATEWAY_API, kind)) {
        let is_for_route = |target: &View<'_>| kind(target) == Some(route.kind) && target.name() == Some(route.name);
        let parents = route.spec().list("parentRefs");
        let is_for_parent = |target: &View<'_>| {
            kind(target) == Some("Gateway") && parents.iter().any(|parent| parent.name() == target.name())
        };
        let selects = |policy: &Resource<'_>| policy.spec().get("targetSelectors").is_some();
        let holds = |policy: &&&Resource<'_>| {
            selects(policy)
                || policy.namespace == route.namespace && targets(policy).iter().any(is_for_route)
                || targets(policy).iter().any(is_for_parent)
        };
        let is_replaced = policies.iter().any(|policy| {
            replaces(policy) && policy.namespace == route.namespace && targets(policy).iter().any(is_for_route)
        });
        if !asking.iter().any(holds) && !is_replaced {
            let what = format!(
                "{}: no policy asks for anything at this route: it is open, and no gate is written for it",
                route.title()
            );
            findings.tell(Kind::LetThrough, route.file, &route.spec(), what);
        }
    }
    for other in given.all(GROUP, "EnvoyExtensionPolicy") {
        let what = format!(
            "{}: of two such policies for a route the route's replaces that of its Gateway, with the gate in it: put the gate's \
             `wasm` entry into this one, too",
            other.title()
        );
        findings.tell(Kind::LetThrough, other.file, &other.spec(), what);
    }
}

/// What a policy is for.
fn targets<'s>(policy: &Resource<'s>) -> Vec<View<'s>> {
    let spec = policy.spec();
    let mut targets = spec.list("targetRefs");
    targets.extend(spec.get("targetRef"));
    targets
}

fn kind<'s>(target: &View<'s>) -> Option<&'s str> {
    target.get("kind").and_then(|kind| kind.text())
}
