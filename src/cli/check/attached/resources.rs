//! The resources around a gate in Kubernetes that the files contain: gateways, routes, policies and their targets.

use crate::cli::gates::kubernetes::plugins;
use crate::cli::source::{Document, DocumentKind, Source, View};
use std::path::Path;

/// A resource by kind, namespace and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reference {
    pub kind: String,
    pub namespace: String,
    pub name: String,
}

/// What a policy targets, or a route is attached to: a resource, or a part of it.
#[derive(Clone, Debug)]
pub(super) struct Target<'s> {
    pub name: Reference,
    pub section: Option<&'s str>,
    pub view: View<'s>,
}

/// A route of the Gateway API.
#[derive(Debug)]
pub(super) struct Route<'s> {
    pub file: &'s Path,
    pub view: View<'s>,
    pub name: Reference,
    /// The gateways that it is attached to.
    pub parents: Vec<Target<'s>>,
    /// The names of its rules; empty for one without.
    pub rules: Vec<&'s str>,
    /// The services that it sends requests to.
    pub backends: Vec<Reference>,
}

/// A gateway of the Gateway API.
#[derive(Debug)]
pub(super) struct Gateway<'s> {
    pub name: Reference,
    /// Its listeners: name and port.
    pub listeners: Vec<(&'s str, Option<i64>)>,
    pub class: &'s str,
}

/// A resource that puts plugins before its targets.
#[derive(Debug)]
pub(super) struct AttachedPolicy<'s> {
    pub file: &'s Path,
    pub kind: DocumentKind,
    pub spec: View<'s>,
    pub name: Reference,
    pub targets: Vec<Target<'s>>,
    /// Whether the gate is among its plugins.
    pub has_gate: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Resources<'s> {
    pub routes: Vec<Route<'s>>,
    pub gateways: Vec<Gateway<'s>>,
    pub policies: Vec<AttachedPolicy<'s>>,
}

impl Reference {
    fn of(root: &View<'_>) -> Self {
        let text = |path: &[&str]| root.at(path).and_then(|view| view.text()).unwrap_or_default().to_owned();
        Self { kind: text(&["kind"]), namespace: text(&["metadata", "namespace"]), name: text(&["metadata", "name"]) }
    }
}

impl<'s> Resources<'s> {
    pub(super) fn of(sources: &'s [Source]) -> Self {
        let mut found = Self::default();
        for source in sources {
            for document in &source.documents {
                found.add(&source.file, document);
            }
        }
        found
    }

    fn add(&mut self, file: &'s Path, document: &'s Document) {
        let root = document.root();
        let name = Reference::of(&root);
        let Some(spec) = root.get("spec") else { return };
        match document.kind {
            DocumentKind::WasmPlugin | DocumentKind::TrafficExtension | DocumentKind::EnvoyExtensionPolicy => {
                let has_gate = !plugins(document).is_empty();
                let one = spec.get("targetRef").into_iter();
                let targets = one.chain(spec.list("targetRefs")).map(|view| target(view, &name.namespace)).collect();
                self.policies.push(AttachedPolicy { file, kind: document.kind, spec, name, targets, has_gate });
            }
            DocumentKind::Unknown if matches!(name.kind.as_str(), "HTTPRoute" | "GRPCRoute") => {
                let parents = spec.list("parentRefs").into_iter().map(|view| target(view, &name.namespace)).collect();
                let rules = spec.list("rules");
                let backends = rules.iter().flat_map(|rule| rule.list("backendRefs"));
                let backends =
                    backends.map(|view| Reference { kind: "Service".to_owned(), ..target(view, &name.namespace).name });
                let backends = backends.collect();
                let rules = rules.iter().map(|rule| rule.name().unwrap_or_default()).collect();
                self.routes.push(Route { file, view: root, name, parents, rules, backends });
            }
            DocumentKind::Unknown if name.kind == "Gateway" && spec.get("gatewayClassName").is_some() => {
                let listener = |view: &View<'s>| (view.name().unwrap_or_default(), port(view.get("port")));
                let listeners = spec.list("listeners").iter().map(listener).collect();
                let class = spec.get("gatewayClassName").and_then(|view| view.text()).unwrap_or_default();
                self.gateways.push(Gateway { name, listeners, class });
            }
            _ => {}
        }
    }
}

/// A port number.
pub(super) fn port(view: Option<View<'_>>) -> Option<i64> {
    match view?.node.value {
        crate::config::Tree::Whole(number) => Some(number),
        _ => None,
    }
}

fn target<'s>(view: View<'s>, namespace: &str) -> Target<'s> {
    let text = |name: &str| view.get(name).and_then(|view| view.text());
    let name = Reference {
        kind: text("kind").unwrap_or("Gateway").to_owned(),
        namespace: text("namespace").unwrap_or(namespace).to_owned(),
        name: text("name").unwrap_or_default().to_owned(),
    };
    Target { name, section: text("sectionName"), view }
}
