//! The seal: an rbac filter after the gate that lets a request through only if the names that the gate judged by are
//! those of the route that Envoy would choose now.

use super::table::Filter;
use crate::cli::check::Findings;
use crate::cli::gates::{Gate, InEnvoy};
use crate::cli::source::View;
use crate::policy::{JUDGED_ROUTE, JUDGED_VIRTUAL_HOST, Policy};
use std::collections::HashMap;
use std::path::Path;

const RBAC: &str = "rbac.v3.RBAC";
const COPY: &str = "copy the filter of envoy/seal.yaml";

/// A pair that must be equal: a value that the gate publishes, and a name of Envoy's.
const PAIRS: [(&str, &str); 2] = [(JUDGED_VIRTUAL_HOST, "virtual_host_name"), (JUDGED_ROUTE, "route_name")];

/// Checks the seal, and returns its place after the gate if it holds.
pub(super) fn check(
    gate: &Gate<'_>,
    envoy: &InEnvoy<'_>,
    policy: &Policy,
    behind: &[Filter<'_>],
    of_routes: &[(&Path, View<'_>)],
    findings: &mut Findings,
) -> Option<usize> {
    // Another rbac filter may look at other things that the gate publishes.
    let is_judged = |text: &str| PAIRS.iter().any(|(published, _)| text.contains(&format!("wasm.{published}")));
    let looks = |filter: &Filter<'_>| filter.kind == RBAC && super::any_text(&filter.view, &is_judged);
    let place = behind.iter().rposition(looks);
    let filter = place.and_then(|place| behind.get(place));
    if !policy.seal {
        if let Some(filter) = filter {
            let what = "compares the route with what the gate judged by, and the gate does not publish that: it refuses every request";
            findings.error("seal", envoy.file, &filter.view, what, "write `seal: true` in the gate's configuration");
        }
        return None;
    }
    check_names(envoy, findings);
    let (Some(place), Some(filter)) = (place, filter) else {
        let view = gate.values.get("seal").unwrap_or_else(|| gate.values.clone());
        let what = "is published, and no rbac filter behind the gate compares it with the route that serves";
        findings.error("seal", gate.file, &view, what, COPY);
        return None;
    };
    if let Err((view, what)) = compares(&filter.view) {
        findings.error("seal", envoy.file, &view, what, COPY);
        return None;
    }
    let name = filter.view.name().unwrap_or_default();
    if let Some((file, view)) = of_routes.iter().find_map(|(file, filters)| Some((*file, filters.get(name)?))) {
        let what = "changes the seal here, or turns it off: a route may serve that was not judged";
        findings.error("seal", file, &view, what, "leave it out");
        return None;
    }
    if let Some(later) = behind.iter().skip(place.saturating_add(1)).find(|later| later.clears) {
        let what =
            format!("{} stands behind the seal and may send a request to another route than was judged", later.name);
        findings.error("seal", envoy.file, &later.view, what, "put it before the seal");
        return None;
    }
    Some(place)
}

/// Every route has a name, and no two routes of a virtual host have the same.
fn check_names(envoy: &InEnvoy<'_>, findings: &mut Findings) {
    let mut seen: HashMap<(&str, &str), String> = HashMap::new();
    for host in &envoy.virtual_hosts {
        for route in &host.routes {
            if route.name.is_empty() {
                let what = "has no name: the seal refuses its requests";
                findings.error("seal-names", host.file, &route.view, what, "give it a name of its own");
                continue;
            }
            if let Some(other) = seen.insert((&host.name, &route.name), route.view.path.clone()) {
                let what = format!("has the name {} of {other}: the seal cannot tell them apart", route.name);
                findings.error("seal-names", host.file, &route.view, what, "give it a name of its own");
            }
        }
    }
}

/// Whether the filter refuses everything except requests judged by the route that serves them; otherwise the problem,
/// and its place.
fn compares<'e>(filter: &View<'e>) -> Result<(), (View<'e>, &'static str)> {
    let wrong = |view: View<'e>, what| Err((view, what));
    if let Some(view) = filter.get("disabled").filter(View::is_true) {
        return wrong(view, "turns the seal off");
    }
    let Some(config) = filter.get("typed_config") else { return wrong(filter.clone(), "has no configuration") };
    if let Some(view) = config.get("matcher") {
        return wrong(view, "takes the place of `rules`, which is what seals");
    }
    let Some(rules) = config.get("rules") else { return wrong(config, "has no `rules`, so it refuses nothing") };
    if let Some(view) = rules.get("action").filter(|view| view.text() != Some("ALLOW")) {
        return wrong(view, "is not ALLOW: a value that is missing, a missing route or an error would pass");
    }
    let policies = rules.get("policies").map(|view| view.members()).unwrap_or_default();
    let [(_, policy)] = policies.as_slice() else {
        return wrong(rules, "has not exactly one policy: another one could let through what the seal refuses");
    };
    let condition = policy.get("condition").or_else(|| policy.at(&["checked_condition", "expr"]));
    let Some(condition) = condition else { return wrong(policy.clone(), "has no condition") };
    let mut met = Vec::new();
    conjuncts(&condition, &mut met);
    let holds = |published: &str, name: &str| {
        let wanted = [("filter_state".to_owned(), format!("wasm.{published}")), ("xds".to_owned(), name.to_owned())];
        met.iter().filter_map(equality).any(|sides| sides == wanted || sides == [wanted[1].clone(), wanted[0].clone()])
    };
    if PAIRS.iter().all(|(published, name)| holds(published, name)) {
        return Ok(());
    }
    wrong(condition, "does not demand that the names of virtual host and route are those that the gate has judged by")
}

/// The conditions that all must hold.
fn conjuncts<'e>(expression: &View<'e>, found: &mut Vec<View<'e>>) {
    match call(expression) {
        Some(("_&&_", arguments)) => arguments.iter().for_each(|argument| conjuncts(argument, found)),
        _ => found.push(expression.clone()),
    }
}

fn call<'e>(expression: &View<'e>) -> Option<(&'e str, Vec<View<'e>>)> {
    let call = expression.get("call_expr")?;
    Some((call.get("function")?.text()?, call.list("args")))
}

/// The two members that an equality compares: each an object's name and a member's.
fn equality(expression: &View<'_>) -> Option<[(String, String); 2]> {
    match call(expression)? {
        ("_==_", arguments) => match arguments.as_slice() {
            [left, right] => Some([member(left)?, member(right)?]),
            _ => None,
        },
        _ => None,
    }
}

/// `object.member` or `object['member']`.
fn member(expression: &View<'_>) -> Option<(String, String)> {
    let object = |view: &View<'_>| view.at(&["ident_expr", "name"]).and_then(|name| name.text()).map(str::to_owned);
    if let Some(select) = expression.get("select_expr") {
        let tests = select.get("test_only").is_some_and(|view| view.is_true());
        let field = select.get("field")?.text()?.to_owned();
        return (!tests).then_some((object(&select.get("operand")?)?, field));
    }
    match call(expression)? {
        ("_[_]", arguments) => match arguments.as_slice() {
            [left, right] => Some((object(left)?, right.at(&["const_expr", "string_value"])?.text()?.to_owned())),
            _ => None,
        },
        _ => None,
    }
}
