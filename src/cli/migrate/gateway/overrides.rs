//! What Gateways and routes have no policy that asks for credentials: routes that were open, also since the policy of a
//! route replaces that of its Gateway.

use super::GROUP;
use super::given::Given;
use super::rivals::Rivals;
use super::targets::{GATEWAY_API, ROUTES, Target, kind, references as targets};
use crate::cli::migrate::findings::{Finding, Findings, Kind};
use crate::cli::migrate::kubernetes::resource::Resource;
use crate::cli::source::View;
use std::cmp::Ordering;

/// Tells which routes were open, and what would replace a gate.
pub(super) fn tell(given: &Given<'_>, findings: &mut Findings) {
    let policies: Vec<&Resource<'_>> = given.all(GROUP, "SecurityPolicy").collect();
    let counts = |policy: &Resource<'_>| super::asks(policy) && !Rivals::of(policy, given).have_all(policy);
    let asking: Vec<&&Resource<'_>> = policies.iter().filter(|policy| counts(policy)).collect();
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
        asking.iter().for_each(|policy| tell_of_two(policy, other, given, findings));
    }
}

/// Tells what becomes of another policy of the gate's kind, or of the gate beside it: Envoy Gateway takes one of them.
fn tell_of_two(policy: &Resource<'_>, other: &Resource<'_>, given: &Given<'_>, findings: &mut Findings) {
    let gate = super::documents::name(policy);
    let title = other.title();
    if (gate.as_str(), policy.namespace) == (other.name, other.namespace) {
        let what = format!("{title}: the gate that is written has this name, and takes its place");
        return findings.tell(Kind::Note, other.file, &other.spec(), what);
    }
    let early = runs_before(other);
    let mut told: Vec<Ordering> = Vec::new();
    for (_, own) in Target::all(policy) {
        for (_, target) in Target::all(other) {
            let Some(order) = own.against(&target, given).filter(|order| !told.contains(order)) else { continue };
            told.push(order);
            let words = target.words();
            let what = match order {
                Ordering::Greater => format!(
                    "{title}: at {words} it takes the place of the gate `{gate}`, so that nothing is judged there. Put the `wasm` entry of \
                     the gate into this policy, too, before its other ones"
                ),
                Ordering::Equal => format!(
                    "{title}: it is for {words}, as the gate `{gate}` is, and of two the older counts alone, so that nothing is judged \
                     there. Put the `wasm` entry of the gate into this policy, before its other ones, and leave the gate out"
                ),
                Ordering::Less => format!(
                    "{title}: at {} the gate `{gate}` takes its place, and what it did there is not done. Put what it has into the \
                     policy of the gate, its `wasm` entries after that of the gate",
                    own.words()
                ),
            };
            findings.tell(Kind::Denied, other.file, &other.spec(), what + &early);
        }
    }
}

/// What of a policy sees requests before every gate that is put beside it, in words; nothing if it has nothing of the kind.
fn runs_before(policy: &Resource<'_>) -> String {
    let kinds = [("lua", "lua"), ("extProc", "ext_proc")];
    let has = |(member, _): &(&str, &str)| policy.spec().get(member).is_some();
    let found: Vec<(&str, &str)> = kinds.into_iter().filter(has).collect();
    // What runs first is what the gates are put before.
    let Some((_, filter)) = found.first() else { return String::new() };
    let names: Vec<String> = found.iter().map(|(member, _)| format!("`{member}`")).collect();
    let run = if names.len() > 1 { "run" } else { "runs" };
    format!(
        ". Envoy Gateway orders filters by kind: {} {run} before every `wasm`, and would see requests that nothing has judged, with \
         headers that clients write. Write `filterOrder: [{{name: envoy.filters.http.wasm, before: envoy.filters.http.{filter}}}]` of the EnvoyProxy, \
         too",
        names.join(" and ")
    )
}
