//! `forward.by: router`: whether the route configuration removes and sets what the gate leaves to it.

use super::table::Filter;
use crate::cli::check::Findings;
use crate::cli::gates::{InEnvoy, Route, VirtualHost};
use crate::cli::source::View;
use crate::policy::{AUTHORIZATION, Access, IdentityHeader, Policy, RouteMetadata, TokenForwarding};
use std::path::Path;

/// Checks the routes, and names the filters that see headers before the router edits them.
pub(super) fn check(envoy: &InEnvoy<'_>, policy: &Policy, behind: &[Filter<'_>], findings: &mut Findings) {
    let strips = policy.forward.token == TokenForwarding::Strip;
    let mut headers: Vec<&str> = policy.forward.headers.iter().map(|header| &*header.name).collect();
    let of_credentials = policy.credential_headers();
    if strips {
        headers.extend(&of_credentials);
    }
    for filter in behind {
        for name in headers.iter().filter(|name| filter.reads(name)) {
            let sees = match *name {
                AUTHORIZATION => "still sees the token in",
                name if of_credentials.contains(&name) => "still sees the credential in",
                _ => "does not see",
            };
            let what = format!(
                "{} stands between the gate and the router and {sees} {name}: the router edits it",
                filter.name
            );
            findings.warn(
                "reads-before-router",
                envoy.file,
                &filter.view,
                what,
                "read it in front of the gate, or let the filter edit: `forward.by: filter`",
            );
        }
    }
    for (file, config) in &envoy.route_configs {
        for host in envoy.virtual_hosts.iter().filter(|host| host.file == *file && holds(config, &host.view)) {
            for route in &host.routes {
                Levels::of(config, host, route).check(policy, strips && !is_public(route, policy), findings);
            }
        }
    }
}

/// Whether a virtual host is in this route configuration.
fn holds(config: &View<'_>, host: &View<'_>) -> bool {
    config.list("virtual_hosts").iter().any(|view| std::ptr::eq(view.node, host.node))
}

/// Whether the route itself is public, so that its `authorization` may go on. Metadata that restricts, or is ignored,
/// opens nothing.
fn is_public(route: &Route<'_>, policy: &Policy) -> bool {
    if policy.route_metadata != RouteMetadata::Replace {
        return false;
    }
    match route.requirement(policy) {
        Some(Ok(requirement)) => requirement.access == Access::Public && requirement.methods.is_empty(),
        _ => false,
    }
}

/// The settings that edit the requests of a route, in the order of the router.
struct Levels<'e> {
    file: &'e Path,
    route: &'e View<'e>,
    order: Vec<(&'static str, View<'e>)>,
    weighted: Vec<View<'e>>,
}

/// The origin of a header's value, which may be the client.
#[derive(Clone, Copy, PartialEq, Eq)]
enum HeaderOrigin {
    /// The client sent it.
    Client,
    /// Nothing.
    Nothing,
    /// The gate published it.
    Ours,
    /// Something else.
    Other,
}

impl<'e> Levels<'e> {
    fn of(config: &View<'e>, host: &VirtualHost<'e>, route: &'e Route<'e>) -> Self {
        let mut order = vec![
            ("the route", route.view.clone()),
            ("the virtual host", host.view.clone()),
            ("the route configuration", config.clone()),
        ];
        if config.get("most_specific_header_mutations_wins").is_some_and(|view| view.is_true()) {
            order.reverse();
        }
        let weighted = route.view.at(&["route", "weighted_clusters", "clusters"]).map(|view| view.items());
        Self { file: host.file, route: &route.view, order, weighted: weighted.unwrap_or_default() }
    }

    fn check(&self, policy: &Policy, strips: bool, findings: &mut Findings) {
        // Envoy edits nothing on a route without a cluster.
        let Some(action) = self.route.get("route") else { return };
        let of_credentials = policy.credential_headers();
        for name in of_credentials.iter().filter(|_| strips) {
            self.check_removed(name, &action, findings);
        }
        for header in &policy.forward.headers {
            self.check_set(&action, header, findings);
        }
        for cluster in &self.weighted {
            let names = policy.forward.headers.iter().map(|header| &*header.name).chain(of_credentials.iter().copied());
            for name in names.filter(|name| removes(cluster, name) || adds(cluster, name).next().is_some()) {
                let what = format!("edits {name} for one cluster of several, which is the route's to edit");
                findings.error("router-edits", self.file, cluster, what, "leave it out here");
            }
        }
    }

    fn check_removed(&self, name: &str, action: &View<'_>, findings: &mut Findings) {
        if self.run(name, None) == HeaderOrigin::Nothing {
            return;
        }
        let held = if name == AUTHORIZATION { "the token" } else { "the credential" };
        let what = format!("the router sends {name} on, with {held} in it: no level of the route removes it");
        let added = self.order.iter().find_map(|(level, view)| adds(view, name).next().map(|add| (*level, add)));
        match added {
            Some((level, view)) => {
                let what = format!("{level} sets {name} behind its removal");
                findings.error("router-edits", self.file, &view, what, "leave it out");
            }
            None => {
                let remedy = format!(
                    "write request_headers_to_remove: [{name}] on the route, its virtual host or the route configuration"
                );
                findings.error("router-edits", self.file, action, what, &remedy);
            }
        }
    }

    fn check_set(&self, action: &View<'_>, header: &IdentityHeader, findings: &mut Findings) {
        let name = &*header.name;
        let format = format!("%FILTER_STATE(wasm.{}:PLAIN)%", header.key);
        let add =
            format!("{{header: {{key: {name}, value: \"{format}\"}}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}}");
        let mut error = |view: &View<'_>, what: String, remedy: &str| {
            findings.error("router-edits", self.file, view, what, remedy);
        };
        let mut ours = None;
        for (level, view) in &self.order {
            for entry in adds(view, name) {
                let value = entry.at(&["header", "value"]).and_then(|value| value.text());
                if value != Some(format.as_str()) {
                    return error(
                        &entry,
                        format!("{level} sets {name} from something else than the gate's {format}"),
                        "set it from that alone",
                    );
                }
                if entry.get("append_action").and_then(|action| action.text()) != Some("OVERWRITE_IF_EXISTS_OR_ADD") {
                    return error(
                        &entry,
                        format!("{level} adds {name} to what may be there"),
                        "write append_action: OVERWRITE_IF_EXISTS_OR_ADD",
                    );
                }
                if entry.get("keep_empty_value").is_some_and(|keep| keep.is_true()) {
                    return error(
                        &entry,
                        format!("{level} sends {name} empty where the token has no such claim"),
                        "leave keep_empty_value out",
                    );
                }
                ours = Some((*level, entry));
            }
        }
        let Some((level, entry)) = ours else {
            let what = format!("nothing sets {name} for this route: the gate leaves that to the router");
            return error(
                action,
                what,
                &format!(
                    "add to request_headers_to_add: {add}, and to request_headers_to_remove at the same level: {name}"
                ),
            );
        };
        match (self.run(name, Some(true)), self.run(name, Some(false))) {
            (HeaderOrigin::Ours, HeaderOrigin::Nothing) => {}
            (HeaderOrigin::Ours, _) => error(
                &entry,
                format!(
                    "{level} sets {name}, and does not remove what the client sent, which stays where the token has no such claim"
                ),
                &format!("add {name} to request_headers_to_remove at the same level: Envoy removes before it adds"),
            ),
            _ => error(
                &entry,
                format!("{level} sets {name}, and a level that the router comes to later removes it"),
                "set and remove it at one level",
            ),
        }
    }

    /// The origin of a header's value after every level. `published` says whether the gate has published its value.
    fn run(&self, name: &str, published: Option<bool>) -> HeaderOrigin {
        let mut origin = HeaderOrigin::Client;
        for (_, view) in &self.order {
            if removes(view, name) {
                origin = HeaderOrigin::Nothing;
            }
            for _ in adds(view, name) {
                origin = match published {
                    Some(true) => HeaderOrigin::Ours,
                    Some(false) => origin,
                    None => HeaderOrigin::Other,
                };
            }
        }
        origin
    }
}

fn removes(level: &View<'_>, name: &str) -> bool {
    let removed = level.list("request_headers_to_remove");
    removed.iter().filter_map(View::text).any(|text| text.eq_ignore_ascii_case(name))
}

fn adds<'e>(level: &View<'e>, name: &str) -> impl Iterator<Item = View<'e>> {
    let named = |view: &View<'_>| {
        view.at(&["header", "key"]).and_then(|key| key.text()).is_some_and(|key| key.eq_ignore_ascii_case(name))
    };
    level.list("request_headers_to_add").into_iter().filter(named).collect::<Vec<_>>().into_iter()
}
