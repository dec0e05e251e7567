//! Requirements beside routes that ask for nothing but a token, where a rule that they replace asks for more.

use super::Findings;
use crate::cli::gates::beside::Beside;
use crate::cli::gates::{Gate, InEnvoy, Route, VirtualHost};
use crate::cli::reach::touches;
use crate::cli::source::View;
use crate::config::Tree;
use crate::policy::{Match, PathMatch, Policy, RouteMetadata};

/// Checks what stands beside the routes of a gate against its rules.
pub(super) fn check(gate: &Gate<'_>, envoy: &InEnvoy<'_>, policy: &Policy, findings: &mut Findings) {
    if policy.route_metadata != RouteMetadata::Replace {
        return;
    }
    let views = gate.values.list("rules");
    let asks_more =
        |index: &usize| views.get(*index).is_some_and(|rule| asks(rule, &["match", "report_only", "public"]));
    let rules = policy.rules.as_slice();
    let find = |place: &Match| {
        let all = rules.iter().enumerate().filter(|(_, rule)| touches(&rule.matching, place));
        all.map(|(index, _)| index).find(asks_more)
    };
    for host in &envoy.virtual_hosts {
        let of_host = plain(host.beside.as_ref()).map(|own| (own, named(host, None)));
        let of_routes =
            host.routes.iter().filter_map(|route| Some((plain(route.beside.as_ref())?, of_route(host, route)?)));
        for (own, place) in of_host.into_iter().chain(of_routes) {
            let Some(index) = find(&place) else { continue };
            findings.warn(
                "rule-replaced",
                host.file,
                &own.view,
                format!("asks for any valid token, and replaces rules[{index}], which asks for more"),
                "write the whole requirement here, or what you add into the rule; with route_metadata: restrict both hold",
            );
        }
    }
}

/// A requirement that asks for no more than a token.
fn plain<'b, 's>(beside: Option<&'b Beside<'s>>) -> Option<&'b Beside<'s>> {
    beside.filter(|own| !asks(&own.view, &["report_only"]))
}

/// Whether a requirement has a member that is none of these, and no empty list.
fn asks(requirement: &View<'_>, but: &[&str]) -> bool {
    let is_empty = |view: &View<'_>| matches!(&view.node.value, Tree::List(items) if items.is_empty());
    requirement.members().iter().any(|(name, view)| !but.contains(name) && !is_empty(view))
}

fn named(host: &VirtualHost<'_>, route: Option<&Route<'_>>) -> Match {
    let route = route.map(|route| route.name.clone()).filter(|name| !name.is_empty());
    Match { virtual_host: Some(host.name.clone()), route, ..Match::default() }
}

/// What reaches a route; `None` where that is not told by the beginning of a path.
fn of_route(host: &VirtualHost<'_>, route: &Route<'_>) -> Option<Match> {
    let matching = route.view.get("match")?;
    let text = |name: &str| matching.get(name).and_then(|view| view.text().map(str::to_owned));
    let path = text("path").map(PathMatch::Exact).or_else(|| text("prefix").map(PathMatch::Prefix));
    let path = path.or_else(|| text("path_separated_prefix").map(PathMatch::SeparatedPrefix))?;
    Some(Match { path: Some(path), ..named(host, Some(route)) })
}
