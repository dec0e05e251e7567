//! Requirements where the gate does not look. It reads `metadata.filter_metadata.scopegate` of a route and of a virtual
//! host, and no other place; a route whose requirement is elsewhere asks what `default` asks.

use super::{Findings, unknown_fields, unserved};
use crate::cli::gates::Gate;
use crate::cli::gates::beside::{PER_FILTER, per_route};
use crate::cli::report::Finding;
use crate::cli::source::{DocumentKind, Source, View};
use crate::config::fields::REQUIREMENT;
use crate::config::{METADATA_NAMESPACE, nearest};
use crate::policy::RouteMetadata;

const RULE: &str = "requirement-not-read";
const REMEDY: &str = "write it as metadata.filter_metadata.scopegate of the route or the virtual host";

/// Checks all documents of Envoy's. An unknown field has been reported already, with its content.
pub(super) fn check(sources: &[Source], gates: &[Gate<'_>], findings: &mut Findings) {
    for source in sources {
        let mut found = Vec::new();
        for document in source.documents.iter().filter(|document| document.kind == DocumentKind::Envoy) {
            look(&document.root(), Around::Anything, &mut found);
        }
        for view in found {
            let is_told = |known: &Finding| known.rule == unknown_fields::RULE && view.path.starts_with(&known.path);
            if !findings.0.iter().any(|known| known.file == source.file && is_told(known)) {
                findings.error(RULE, &source.file, &view, "is a requirement where the gate does not read it", REMEDY);
            }
        }
    }
    gates.iter().for_each(|gate| check_ignored(gate, findings));
    // A plugin configuration alone serves routes that are not in these files.
    if !gates.is_empty() && gates.iter().all(|gate| gate.envoy.is_some()) {
        check_unserved(sources, gates, findings);
    }
}

/// The surroundings of a value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Around {
    /// A route or a virtual host.
    Route,
    /// The `metadata` of a route or a virtual host.
    Metadata,
    /// Its `filter_metadata`.
    FilterMetadata,
    /// `typed_per_filter_config`, which `per_route` checks.
    PerRoute,
    /// Anything else.
    Anything,
}

/// Collects requirements that the gate does not read.
fn look<'n>(view: &View<'n>, around: Around, found: &mut Vec<View<'n>>) {
    for item in view.items() {
        look(&item, Around::Anything, found);
    }
    let members = view.members();
    if members.is_empty() || view.type_name().is_some_and(|name| name.starts_with("google.protobuf.")) {
        return;
    }
    let around = if is_route(view) { Around::Route } else { around };
    for (name, member) in members {
        let inside = match (around, name) {
            (Around::Route, "metadata") => Around::Metadata,
            (Around::Metadata, "filter_metadata" | "filterMetadata") => Around::FilterMetadata,
            (_, "typed_per_filter_config" | "typedPerFilterConfig") => Around::PerRoute,
            _ => Around::Anything,
        };
        let is_read = matches!(around, Around::FilterMetadata | Around::PerRoute);
        if name != METADATA_NAMESPACE || is_read {
            look(&member, inside, found);
        } else if is_requirement(&member) {
            found.push(member);
        }
    }
}

/// Whether this is a route or a virtual host.
fn is_route(view: &View<'_>) -> bool {
    let has = |name: &str| view.get(name).is_some();
    let acts = ["route", "redirect", "direct_response", "filter_action", "non_forwarding_action"];
    has("domains") && (has("routes") || has("matcher")) || has("match") && acts.into_iter().any(has)
}

fn is_requirement(view: &View<'_>) -> bool {
    view.members().iter().any(|(name, _)| nearest(name, REQUIREMENT.fields.iter().copied()).is_some())
}

/// Metadata that the configuration tells the gate to ignore.
fn check_ignored(gate: &Gate<'_>, findings: &mut Findings) {
    let (Ok(loaded), Some(envoy)) = (&gate.policy, &gate.envoy) else { return };
    if loaded.policy.route_metadata != RouteMetadata::Ignore {
        return;
    }
    for host in &envoy.virtual_hosts {
        for beside in host.routes.iter().map(|route| &route.beside).chain([&host.beside]).flatten() {
            findings.warn(
                RULE,
                host.file,
                &beside.view,
                "is a requirement that the gate does not read: it has route_metadata: ignore",
                "leave route_metadata out, or write a rule",
            );
        }
    }
}

/// Requirements in route configurations that no gate serves.
fn check_unserved(sources: &[Source], gates: &[Gate<'_>], findings: &mut Findings) {
    for (file, config) in unserved::route_configs(sources, gates) {
        let found = config.holders("filter_metadata").iter().find_map(own);
        let Some(requirement) = found.or_else(|| of_native(&config)) else { continue };
        let name = config.name().unwrap_or_default();
        findings.warn(
            RULE,
            file,
            &requirement,
            format!("is a requirement in the route configuration {name:?}, which no gate in these files serves"),
            "put the gate into the connection manager that serves it, or give the file of that one too",
        );
    }
}

/// A requirement for the native module.
fn of_native<'n>(config: &View<'n>) -> Option<View<'n>> {
    let holders = config.holders(PER_FILTER).into_iter();
    holders.filter_map(|holder| holder.at(&[PER_FILTER, METADATA_NAMESPACE])).find_map(|entry| per_route(&entry))
}

/// The requirement in the metadata of a route or a virtual host.
fn own<'n>(metadata: &View<'n>) -> Option<View<'n>> {
    metadata.at(&["filter_metadata", METADATA_NAMESPACE]).filter(is_requirement)
}
