//! The patches of an `EnvoyFilter` or an `EnvoyPatchPolicy` to the configuration of Istio or Envoy Gateway.

use super::super::source::{Document, DocumentKind, View, is_same};
use crate::config::{METADATA_NAMESPACE, nearest};

/// A change of Envoy's configuration.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Patch<'s> {
    /// What is changed: `HTTP_ROUTE`, or the type of a resource.
    pub target: &'s str,
    /// What is done: `MERGE`, `add`.
    pub operation: &'s str,
    /// The names of the path to what is changed, in a JSON patch.
    pub path: Vec<&'s str>,
    /// The new value.
    pub value: Option<View<'s>>,
    /// The whole patch.
    pub view: View<'s>,
}

/// Something in a patch that is meant for the gate.
#[derive(Clone, Debug)]
pub(in crate::cli) enum Part<'s> {
    /// A `filter_metadata` of a route or a virtual host.
    FilterMetadata(View<'s>),
    /// The value under our namespace.
    Requirement(View<'s>),
    /// A requirement that nothing reads, or that cannot be read here: the problem and the remedy.
    Unread(View<'s>, String, String),
}

/// The changes that a resource makes; none in another document.
pub(in crate::cli) fn patches(document: &Document) -> Vec<Patch<'_>> {
    let root = document.root();
    match document.kind {
        DocumentKind::EnvoyFilter => {
            let list = root.at(&["spec", "configPatches"]).map(|view| view.items()).unwrap_or_default();
            list.into_iter().map(|view| of_filter(view)).collect()
        }
        DocumentKind::EnvoyPatchPolicy => {
            let list = root.at(&["spec", "jsonPatches"]).map(|view| view.items()).unwrap_or_default();
            list.into_iter().map(|view| of_policy(view)).collect()
        }
        _ => Vec::new(),
    }
}

/// Whether a resource says what routes ask.
pub(in crate::cli) fn asks(document: &Document) -> bool {
    let is_asked = |part: &Part<'_>| match part {
        Part::FilterMetadata(view) => view.written(METADATA_NAMESPACE).is_some(),
        Part::Requirement(_) | Part::Unread(..) => true,
    };
    patches(document).iter().flat_map(Patch::parts).any(|part| is_asked(&part))
}

fn text<'s>(view: &View<'s>, path: &[&str]) -> &'s str {
    view.at(path).and_then(|view| view.text()).unwrap_or_default()
}

fn of_filter(view: View<'_>) -> Patch<'_> {
    Patch {
        target: text(&view, &["applyTo"]),
        operation: text(&view, &["patch", "operation"]),
        path: Vec::new(),
        value: view.at(&["patch", "value"]),
        view,
    }
}

fn of_policy(view: View<'_>) -> Patch<'_> {
    let path = text(&view, &["operation", "path"]);
    Patch {
        target: text(&view, &["type"]).rsplit('/').next().unwrap_or_default(),
        operation: text(&view, &["operation", "op"]),
        path: path.split('/').filter(|name| !name.is_empty()).collect(),
        value: view.at(&["operation", "value"]),
        view,
    }
}

impl<'s> Patch<'s> {
    /// Whether it removes the gate.
    pub(in crate::cli) fn removes_gate(&self) -> bool {
        let filter = ["match", "listener", "filterChain", "filter", "subFilter", "name"];
        self.target == "HTTP_FILTER"
            && self.operation == "REMOVE"
            && text(&self.view, &filter).contains(METADATA_NAMESPACE)
    }

    /// Whether routes and virtual hosts can be in what it changes.
    fn reaches_routes(&self) -> bool {
        const OTHERS: [&str; 5] = ["CLUSTER", "BOOTSTRAP", "LISTENER_FILTER", "HTTP_FILTER", "EXTENSION_CONFIG"];
        !OTHERS.contains(&self.target)
            && !self.target.starts_with("envoy.config.cluster.")
            && !self.target.starts_with("envoy.config.endpoint.")
    }

    /// The parts of it that are meant for the gate.
    pub(in crate::cli) fn parts(&self) -> Vec<Part<'s>> {
        let Some(value) = &self.value else { return Vec::new() };
        let parts = self.parts_of(value);
        if self.reaches_routes() {
            return parts;
        }
        let unread = |part: Part<'s>| match part {
            Part::FilterMetadata(view) => view.written(METADATA_NAMESPACE),
            Part::Requirement(view) => Some(view),
            Part::Unread(..) => None,
        };
        parts.into_iter().filter_map(unread).map(|view| nowhere(view, &format!("in a {}", self.target))).collect()
    }

    fn parts_of(&self, value: &View<'s>) -> Vec<Part<'s>> {
        match self.path.as_slice() {
            [.., outer, inner] if is_same(inner, "filter_metadata") && is_same(outer, "metadata") => {
                vec![Part::FilterMetadata(value.clone())]
            }
            [.., outer, inner] if is_same(inner, "filter_metadata") => {
                value.written(METADATA_NAMESPACE).map(|view| misspelt(view, outer)).into_iter().collect()
            }
            [.., outer, inner, namespace] if is_same(inner, "filter_metadata") => {
                match (is_same(outer, "metadata"), *namespace == METADATA_NAMESPACE) {
                    (true, true) => vec![Part::Requirement(value.clone())],
                    (false, true) => vec![misspelt(value.clone(), outer)],
                    (_, false) => Vec::new(),
                }
            }
            path if path.windows(2).any(|pair| matches!(pair, [inner, namespace] if is_same(inner, "filter_metadata") && *namespace == METADATA_NAMESPACE)) => {
                let what = "changes a part of a requirement, which says nothing without the rest".to_owned();
                vec![Part::Unread(value.clone(), what, format!("put the whole of filter_metadata/{METADATA_NAMESPACE} there"))]
            }
            _ => self.parts_within(value),
        }
    }

    /// If metadata may be anywhere in the value.
    fn parts_within(&self, value: &View<'s>) -> Vec<Part<'s>> {
        let mut parts = Vec::new();
        for holder in value.holders(METADATA_NAMESPACE) {
            let names = self.names_to(value, &holder);
            match names.as_slice() {
                [.., outer, inner] if is_same(inner, "filter_metadata") && is_same(outer, "metadata") => {
                    parts.push(Part::FilterMetadata(holder));
                }
                [.., outer, inner] if is_same(inner, "filter_metadata") => {
                    parts.extend(holder.written(METADATA_NAMESPACE).map(|view| misspelt(view, outer)));
                }
                // The filter itself may be turned off there, which another check covers.
                [.., inner] if is_same(inner, "typed_per_filter_config") => {}
                [.., inner] if nearest(inner, ["filter_metadata"]).is_some() => {
                    let what = format!("stands under `{inner}`, where nothing reads it");
                    let remedy = "did you mean `filter_metadata`?".to_owned();
                    parts.extend(holder.written(METADATA_NAMESPACE).map(|view| Part::Unread(view, what, remedy)));
                }
                _ => {
                    let view = holder.written(METADATA_NAMESPACE).filter(|view| !view.members().is_empty());
                    parts.extend(view.map(|view| nowhere(view, "here")));
                }
            }
        }
        // A misspelt namespace has no member of our name.
        for holder in value.holders("filter_metadata") {
            let own = holder.get("filter_metadata").filter(|own| own.written(METADATA_NAMESPACE).is_none());
            parts.extend(own.map(Part::FilterMetadata));
        }
        parts
    }

    /// The names on the way to something in the value, those of the path of the patch before them.
    fn names_to(&self, value: &View<'s>, inner: &View<'s>) -> Vec<String> {
        let below = inner.path.get(value.path.len()..).unwrap_or_default();
        let below = below.split('.').map(|name| name.split('[').next().unwrap_or_default().to_owned());
        self.path.iter().map(|name| (*name).to_owned()).chain(below).filter(|name| !name.is_empty()).collect()
    }
}

fn misspelt<'s>(view: View<'s>, outer: &str) -> Part<'s> {
    let remedy = "did you mean `metadata`?".to_owned();
    Part::Unread(view, format!("stands under `{outer}`, where nothing reads it"), remedy)
}

fn nowhere<'s>(view: View<'s>, place: &str) -> Part<'s> {
    let remedy = format!("write it as metadata.filter_metadata.{METADATA_NAMESPACE} of a route or a virtual host");
    Part::Unread(view, format!("a requirement {place} is read by nothing"), remedy)
}
