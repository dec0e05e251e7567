//! What the sources of Kubernetes have in common: resources, issuers, and rules by path, host and method.
//!
//! No control plane can be had where this is tested: what is written is compared with what was written by hand from the
//! public documentation, and the first finding says so.

pub(super) mod address;
pub(super) mod ask;
pub(super) mod build;
pub(super) mod header_readers;
#[cfg(test)]
mod hostile;
pub(super) mod issuer;
pub(super) mod keys;
mod readers;
pub(super) mod region;
pub(super) mod resource;
pub(super) mod rules;
pub(super) mod token_places;
pub(super) mod unread;

use super::Migrated;
use super::findings::{Finding, Findings, Kind};
use crate::cli::source::{Source, any_secret};
use crate::config::{self, Node, Tree};
use build::{flag, list, object, text, texts};
use std::path::Path;

/// The file that is written.
const FILE: &str = "scopegate.yaml";

/// What is told before all else, and in the first line of the file.
const UNPROVEN: &str = "unproven: no control plane was run. Try what is written with `report_only: true` first";

/// The gates and what else is written, and what is told.
#[derive(Debug, Default)]
pub(super) struct Writing {
    /// The documents, in order.
    pub documents: Vec<Node>,
    /// The configurations of the gates among them.
    pub plugins: Vec<Node>,
    /// What is told.
    pub findings: Findings,
}

/// The kinds of policies that are read, with their groups.
const READ: [(&str, &str); 3] = [
    ("security.istio.io", "RequestAuthentication"),
    ("security.istio.io", "AuthorizationPolicy"),
    ("gateway.envoyproxy.io", "SecurityPolicy"),
];

/// Whether these files have policies of Istio or Envoy Gateway.
pub(super) fn are_there(sources: &[Source]) -> bool {
    resource::all(sources).iter().any(|(group, resource)| READ.contains(&(group, resource.kind)))
}

/// Tells which policies have a version under which nothing is read.
fn tell_unknown_versions(sources: &[Source], findings: &mut Findings) {
    for (group, resource) in resource::all(sources) {
        if let Some((wanted, _)) = READ.iter().find(|(wanted, kind)| *kind == resource.kind && *wanted != group) {
            let what = format!("{}: it is not read: its `apiVersion` is not of {wanted}", resource.title());
            findings.tell(Kind::Denied, resource.file, &resource.root, what);
        }
    }
}

/// Reads the policies of Istio and Envoy Gateway, and writes what takes their place, into one file.
pub(super) fn migrate(sources: &[Source]) -> Migrated {
    let mut writing = Writing::default();
    let file = sources.first().map_or_else(|| Path::new("-"), |source| source.file.as_path());
    writing.findings.add(Finding {
        kind: Kind::Note,
        file: file.to_owned(),
        position: None,
        path: String::new(),
        what: UNPROVEN.to_owned(),
        restore: None,
    });
    tell_unknown_versions(sources, &mut writing.findings);
    super::istio::migrate(sources, &mut writing);
    super::gateway::migrate(sources, &mut writing);
    if !writing.plugins.is_empty() {
        readers::tell(sources, &mut writing.findings);
    }
    let texts: Vec<String> = writing.documents.iter().map(super::write::yaml).collect();
    let text = format!("# {UNPROVEN}\n{}", texts.join("---\n"));
    let written = if texts.is_empty() { Vec::new() } else { vec![(FILE.into(), text)] };
    let plugins = writing.plugins.iter().map(|plugin| plugin.value.to_json()).collect();
    Migrated { plugins, written, findings: writing.findings }
}

/// The image of the module, in which the reader writes a registry of their own.
pub(super) const IMAGE: &str = "registry.example.com/scopegate:0.1.0";

/// A resource with this name in this namespace.
pub(super) fn document(version: &str, kind: &str, (name, namespace): (&str, &str), spec: Node) -> Node {
    let metadata = object([("name", text(name)), ("namespace", text(namespace))]);
    object([("apiVersion", text(version)), ("kind", text(kind)), ("metadata", metadata), ("spec", spec)])
}

/// The plugin configuration of a gate that refuses everything. It needs somebody whose credentials it knows all the same:
/// all of these, or one of them with nothing that could be wrong. None if not even that would load.
pub(super) fn closed(members: &[(String, Node)]) -> Option<Node> {
    let named = |wanted: &str| members.iter().find(|(name, _)| name == wanted).map(|(_, node)| node);
    let items = |wanted: &str| match named(wanted).map(|node| &node.value) {
        Some(Tree::List(items)) => items.as_slice(),
        _ => &[],
    };
    let known = ["issuers", "credentials"].into_iter().filter_map(|name| Some((name, named(name)?.clone())));
    let issuers = items("issuers").iter().map(|issuer| vec![("issuers", list([bare(issuer)]))]);
    let sets = items("credentials").iter().map(|set| vec![("credentials", list([set.clone()]))]);
    let with_default = |known: Vec<(&'static str, Node)>| {
        object(known.into_iter().chain([("default", object([("deny", flag(true))]))]))
    };
    let mut tried = std::iter::once(known.collect()).chain(issuers).chain(sets).map(with_default);
    tried.find(|configuration| refused(configuration).is_none())
}

/// An issuer with its keys alone.
fn bare(issuer: &Node) -> Node {
    let Tree::Object(members) = &issuer.value else { return issuer.clone() };
    let kept = members.iter().filter(|(name, _)| matches!(name.as_str(), "issuer" | "name" | "jwks")).cloned();
    object(kept.chain([("audiences".to_owned(), texts(["none"]))]))
}

/// Why a written configuration would not load, if it would not.
pub(super) fn refused(configuration: &Node) -> Option<String> {
    let error = config::compile(configuration, &any_secret).err()?;
    let problem = error.0.first()?;
    Some(format!("`{}` {}", problem.path, problem.what))
}
