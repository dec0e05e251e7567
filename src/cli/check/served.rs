//! Whether the route that serves a request is the route that it was judged by.
//!
//! They differ in two cases. *A stale view*: a filter before the gate clears the route cache, and no filter up to the
//! gate asks Envoy for the route, so the gate reads the old one. *A second match*: the gate edits a header, Envoy
//! matches again, and a header, dynamic metadata or filter state that another filter set since the first match decides.
//! A seal refuses both.

mod claims;
mod inputs;
mod router;
mod seal;
mod table;

use super::{Findings, sessions};
use crate::cli::gates::{Gate, InEnvoy};
use crate::cli::source::View;
use crate::config::Loaded;
use crate::policy::{FilterStateScope, ForwardBy, Policy, TokenForwarding};
use inputs::Input;
use std::path::Path;
use table::Filter;

const UNTIL_ASKED: &str = "put a filter that asks for the route between the two (cors, rbac, csrf or fault), or seal: `seal: true` and the \
                           rbac filter of envoy/seal.yaml behind the gate";
const CHANGED: &str = "match on something else; or let the gate edit nothing (`forward.by: router`); or seal: `seal: true` and the rbac \
                       filter of envoy/seal.yaml behind the gate";

/// What every route is matched by.
const ROUTING: [&str; 4] = [":path", ":authority", "host", ":method"];

/// Checks the chain and its routes.
pub(super) fn check(gate: &Gate<'_>, envoy: &InEnvoy<'_>, loaded: &Loaded, findings: &mut Findings) {
    let of_routes: Vec<(&Path, View<'_>)> =
        envoy.route_configs.iter().flat_map(|(file, config)| of_routes(file, config)).collect();
    check_chain(gate, envoy, loaded, &of_routes, findings);
}

/// The filter settings of a route configuration, its virtual hosts, routes and clusters. Collected once, since there
/// may be ten thousand routes.
fn of_routes<'e>(file: &'e Path, config: &View<'e>) -> Vec<(&'e Path, View<'e>)> {
    let name = "typed_per_filter_config";
    config.holders(name).iter().filter_map(|holder| Some((file, holder.get(name)?))).collect()
}

fn check_chain<'e>(
    gate: &Gate<'_>,
    envoy: &InEnvoy<'e>,
    loaded: &Loaded,
    of_routes: &[(&'e Path, View<'e>)],
    findings: &mut Findings,
) {
    let policy = &loaded.policy;
    let filters: Vec<Filter<'_>> = envoy.filters.iter().map(|view| Filter::of(view, of_routes)).collect();
    let (before, from) = filters.split_at(envoy.index.min(filters.len()));
    let behind = from.get(1..).unwrap_or_default();
    let sealed = seal::check(gate, envoy, policy, behind, of_routes, findings);
    check_behind(envoy, behind, sealed, findings);
    check_view(envoy, before, sealed.is_some(), findings);
    claims::check(envoy, policy, before, behind, findings);
    if sealed.is_none() && edits(envoy, policy) {
        check_matchers(envoy, loaded, before, behind, findings);
    }
    if policy.forward.by == ForwardBy::Router {
        router::check(envoy, policy, behind, findings);
    }
}

/// Whether the gate may edit request headers, so that Envoy matches routes again.
fn edits(envoy: &InEnvoy<'_>, policy: &Policy) -> bool {
    // Envoy matches nothing again for a dynamic module.
    if envoy.is_native {
        return false;
    }
    let forward = &policy.forward;
    let mut removed =
        forward.headers.iter().map(|header| &*header.name).chain(forward.remove.iter().map(String::as_str));
    match forward.by {
        _ if sessions::binds(policy) => true,
        ForwardBy::Filter => forward.token == TokenForwarding::Strip || removed.next().is_some(),
        // It removes the identity headers that it sees, which are none if none can arrive.
        ForwardBy::Router => !removed.all(|name| inputs::removed_early(envoy, name)),
    }
}

/// Checks what a later filter does to the route.
fn check_behind(envoy: &InEnvoy<'_>, behind: &[Filter<'_>], sealed: Option<usize>, findings: &mut Findings) {
    // Filters before the seal may do anything; the check of the seal covers those after it.
    let unsealed = if sealed.is_some() { &[][..] } else { behind };
    for filter in unsealed.iter().filter(|filter| filter.undoes()) {
        let name = &filter.name;
        if filter.known {
            findings.error(
                "edits-after",
                envoy.file,
                &filter.view,
                format!("{name} stands after the gate and may send a request to another route than was judged"),
                "put it before the gate, with a filter that asks for the route between the two (cors, rbac); or seal: envoy/seal.yaml",
            );
        } else {
            findings.warn(
                "may-edit-after",
                envoy.file,
                &filter.view,
                format!("{name} stands after the gate: where it edits headers, Envoy may choose another route than was judged"),
                "put it before the gate, unless it edits no header and clears no route; or seal: envoy/seal.yaml",
            );
        }
    }
}

/// Whether the gate sees the route that Envoy would choose now.
fn check_view(envoy: &InEnvoy<'_>, before: &[Filter<'_>], sealed: bool, findings: &mut Findings) {
    let Some(clearing) = before.iter().rposition(|filter| filter.clears) else { return };
    let Some(filter) = before.get(clearing) else { return };
    if before.iter().skip(clearing.saturating_add(1)).any(|later| later.asks) {
        return;
    }
    let name = &filter.name;
    let why = if filter.known { "clears the route cache" } else { "may clear the route cache" };
    if sealed {
        let what = format!(
            "{name} {why} and nothing between it and the gate asks for the route: the seal refuses what is then routed anew"
        );
        findings.warn(
            "route-stale",
            envoy.file,
            &filter.view,
            what,
            "put a filter that asks for the route between the two (cors, rbac, csrf or fault)",
        );
    } else {
        let what = format!(
            "{name} {why}, and nothing between it and the gate asks for the route: the gate judges by the old route, and the new one serves"
        );
        findings.error("route-stale", envoy.file, &filter.view, what, UNTIL_ASKED);
    }
}

/// Matchers on what another filter sets, and which the gate's edit makes Envoy evaluate again.
fn check_matchers(
    envoy: &InEnvoy<'_>,
    loaded: &Loaded,
    before: &[Filter<'_>],
    behind: &[Filter<'_>],
    findings: &mut Findings,
) {
    // After the gate, up to the first filter that asks, where Envoy matches again. It may set something before it asks.
    let until_asked = behind.iter().take_while(|filter| !filter.asks);
    let first_to_ask = behind.iter().find(|filter| filter.asks).filter(|filter| !filter.asks_first());
    let setters: Vec<&Filter<'_>> = before.iter().chain(until_asked).chain(first_to_ask).collect();
    for filter in &setters {
        if let Some(header) = ROUTING.iter().find(|header| filter.changes(header)) {
            let what = format!(
                "{} may set {header} after the first match: the gate edits headers, Envoy then matches routes again, and a \
                 route may serve that was not judged",
                filter.name
            );
            findings.error("matcher-on-changed-input", envoy.file, &filter.view, what, CHANGED);
        }
    }
    for (file, input, view) in inputs::all(envoy) {
        let by_gate = match &input {
            Input::FilterState(key) => published(loaded, key.as_deref()),
            Input::Header(_) | Input::Query | Input::Metadata => false,
        };
        let setter = setters.iter().find(|filter| sets(filter, &input));
        let who = match (by_gate, setter) {
            (true, _) => "the gate",
            (false, Some(filter)) => filter.name.as_str(),
            (false, None) => continue,
        };
        let what = format!(
            "looks at {}, which {who} may set after the first match: the gate edits headers, Envoy then matches routes again, \
             and a route may serve that was not judged",
            input.words()
        );
        findings.error("matcher-on-changed-input", file, &view, what, CHANGED);
    }
}

/// Whether a filter may set what a matcher looks at without having Envoy match again.
fn sets(filter: &Filter<'_>, input: &Input) -> bool {
    match input {
        Input::Header(name) => filter.changes(name),
        Input::Query => filter.changes_query(),
        Input::Metadata => filter.metadata,
        Input::FilterState(_) => filter.state,
    }
}

/// Whether a matcher on filter state may look at a value that the gate publishes.
fn published(Loaded { policy, settings, .. }: &Loaded, key: Option<&str>) -> bool {
    let writes = policy.seal
        || policy.forward.by == ForwardBy::Router && !policy.forward.headers.is_empty()
        || settings.audit.filter_state != FilterStateScope::None;
    writes && key.is_none_or(|key| key.starts_with("wasm.scopegate"))
}

/// Whether a text is this header's name, or contains it as a format does.
fn names_header(text: &str, name: &str) -> bool {
    if text.eq_ignore_ascii_case(name) {
        return true;
    }
    let (text, name) = (text.to_ascii_lowercase(), name.to_ascii_lowercase());
    text.match_indices(&name).any(|(at, _)| {
        let part =
            |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        let end = at.saturating_add(name.len());
        !part(text.as_bytes().get(..at).and_then(<[u8]>::last)) && !part(text.as_bytes().get(end))
    })
}

/// All texts below a view.
fn any_text(view: &View<'_>, is: &dyn Fn(&str) -> bool) -> bool {
    let mut found = false;
    view.visit(&mut |view| found |= view.text().is_some_and(is));
    found
}
