//! A route's matcher: all its conditions must hold.

use super::holds::Holds;
use super::lines::{Lines, joined};
use super::text::member;
use super::{cookies, headers, path, query};
use crate::cli::gates::Route;
use crate::cli::source::{View, is_same};
use crate::config::Tree;

/// The members of a `RouteMatch` beside those about the path.
const OTHERS: [&str; 10] = [
    "case_sensitive",
    "runtime_fraction",
    "headers",
    "query_parameters",
    "cookies",
    "grpc",
    "tls_context",
    "dynamic_metadata",
    "filter_state",
    "filter_state_matcher",
];

/// The header that identifies gRPC.
const CONTENT_TYPE: &str = "content-type";

/// Whether a route's matcher takes a request.
pub(super) fn holds(route: &Route<'_>, lines: &Lines<'_>, without_parameters: bool) -> Holds {
    let Some(matching) = route.view.get("match") else {
        return Holds::Unknown("no match, which Envoy refuses".to_owned());
    };
    let mut holds = path::holds(&matching, lines, without_parameters);
    for (name, view) in matching.members() {
        if view.node.value == Tree::Null {
            continue;
        }
        let is_known = path::SPECIFIERS.iter().chain(&OTHERS).any(|known| is_same(name, known));
        if !is_known {
            holds = holds.and(Holds::Unknown(format!("{name}, which is not known here")));
        }
    }
    // A request without a path is a CONNECT, which other matchers do not match.
    let target = lines.target().unwrap_or_default();
    for matcher in matching.list("headers") {
        holds = holds.and(headers::holds(&matcher, lines));
    }
    for matcher in matching.list("query_parameters") {
        holds = holds.and(query::holds(&matcher, target));
    }
    for matcher in matching.list("cookies") {
        holds = holds.and(cookies::holds(&matcher, lines));
    }
    if let Some(fraction) = member(&matching, "runtime_fraction") {
        holds = holds.and(runtime(&fraction));
    }
    if member(&matching, "grpc").is_some() {
        holds = holds.and(grpc(lines));
    }
    for name in ["tls_context", "dynamic_metadata", "filter_state", "filter_state_matcher"] {
        let is_set = |view: &View<'_>| !matches!(&view.node.value, Tree::List(items) if items.is_empty());
        if member(&matching, name).as_ref().is_some_and(is_set) {
            holds = holds.and(Holds::Unknown(name.to_owned()));
        }
    }
    holds
}

/// A fraction without a key is fixed; only 0 % and 100 % are decided.
fn runtime(fraction: &View<'_>) -> Holds {
    let unknown = || Holds::Unknown("runtime_fraction".to_owned());
    if member(fraction, "runtime_key").and_then(|view| view.text()).is_some_and(|key| !key.is_empty()) {
        return unknown();
    }
    let default = member(fraction, "default_value");
    let numerator = default.as_ref().and_then(|view| member(view, "numerator"));
    let whole = match default.as_ref().and_then(|view| member(view, "denominator")).and_then(|view| view.text()) {
        None | Some("HUNDRED") => 100,
        Some("TEN_THOUSAND") => 10_000,
        Some("MILLION") => 1_000_000,
        Some(_) => return unknown(),
    };
    match numerator.map(|view| view.node.value.clone()) {
        None | Some(Tree::Whole(0)) => Holds::No,
        Some(Tree::Whole(number)) if number >= whole => Holds::Yes,
        Some(_) => unknown(),
    }
}

/// Whether a request is one of gRPC.
fn grpc(lines: &Lines<'_>) -> Holds {
    // A request without a path is a CONNECT.
    if lines.target().is_none() {
        return Holds::No;
    }
    let is_grpc = |value: &str| {
        value.strip_prefix("application/grpc").is_some_and(|rest| rest.is_empty() || rest.starts_with('+')).into()
    };
    match lines.values(CONTENT_TYPE) {
        Err(unresolved) => unresolved.into(),
        Ok(values) if values.is_empty() => Holds::No,
        Ok(values) => is_grpc(&joined(CONTENT_TYPE, &values)),
    }
}
