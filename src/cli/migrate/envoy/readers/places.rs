//! The places in routes that look at headers.

use crate::cli::gates::beside::PER_FILTER;
use crate::cli::source::{View, is_same};

/// When something in a route looks at a header.
pub(super) enum At<'v> {
    /// When the route is chosen, or its cluster.
    Choice,
    /// When a filter limits requests.
    Limit,
    /// When the router sends the request.
    Router,
    /// When this filter sees the request.
    Filter(&'v str),
}

/// Members in which headers are named that decide nothing, or those of other messages.
const UNREAD: [&str; 15] = [
    "request_headers_to_remove",
    "response_headers_to_add",
    "response_headers_to_remove",
    "internal_only_headers",
    "hash_policy",
    "retry_policy",
    "request_mirror_policies",
    "cors",
    "tracing",
    "metadata",
    "virtual_clusters",
    "redirect",
    "direct_response",
    "decorator",
    "stat_prefix",
];
/// Members whose value is the name of a header, by which a route or a cluster is chosen.
const NAMES: [&str; 2] = ["header_name", "cluster_header"];
/// Members by which the request is changed that goes to the upstream.
const SENT: [&str; 2] = ["request_headers_to_add", "host_rewrite_header"];
/// The types within a matcher tree that are routes.
const ROUTES: [&str; 2] = ["envoy.config.route.v3.Route", "envoy.config.route.v3.RouteList"];

/// Sees whatever may look at a header in a route configuration. The last argument of `see` is whether the value is the name
/// of a header; otherwise one is named somewhere in it.
pub(super) fn of_routes<'s>(view: &View<'s>, see: &mut dyn FnMut(&At<'_>, &View<'s>, bool)) {
    for (name, member) in view.members() {
        let is = |names: &[&str]| names.iter().any(|own| is_same(name, own));
        if is(&UNREAD) {
        } else if is(&[PER_FILTER]) {
            for (filter, entry) in member.members() {
                let config = entry.get("config").unwrap_or(entry);
                see(&At::Filter(filter), &config, false);
            }
        } else if is(&["rate_limits"]) {
            see(&At::Limit, &member, false);
        } else if is(&SENT) {
            see(&At::Router, &member, false);
        } else if is(&NAMES) {
            see(&At::Choice, &member, true);
        } else if is(&["headers"]) {
            for header in member.items().iter().filter_map(|header| header.get("name")) {
                see(&At::Choice, &header, true);
            }
        } else if is(&["typed_config"]) && !member.type_name().is_some_and(|own| ROUTES.contains(&own)) {
            see(&At::Choice, &member, false);
        } else {
            of_routes(&member, see);
        }
    }
    for item in view.items() {
        of_routes(&item, see);
    }
}
