//! Resources of Kubernetes, by kind, namespace and name.

use crate::cli::source::{Source, View};
use crate::config::Tree;
use std::collections::BTreeMap;
use std::path::Path;

/// A resource in a file.
#[derive(Clone, Debug)]
pub(in crate::cli::migrate) struct Resource<'s> {
    /// The file.
    pub file: &'s Path,
    /// The whole resource.
    pub root: View<'s>,
    /// Its kind.
    pub kind: &'s str,
    /// Its namespace; `default` if it names none.
    pub namespace: &'s str,
    /// Its name.
    pub name: &'s str,
}

/// The resources of a group of API versions, such as `security.istio.io`; those of the core have an empty group.
pub(in crate::cli::migrate) fn all(sources: &[Source]) -> Vec<(&str, Resource<'_>)> {
    let mut found = Vec::new();
    for source in sources {
        for document in &source.documents {
            let root = document.root();
            let text = |path: &[&str]| root.at(path).and_then(|view| view.text());
            let Some(kind) = text(&["kind"]) else { continue };
            let version = text(&["apiVersion"]).unwrap_or_default();
            let group = version.split_once('/').map_or("", |(group, _)| group);
            let resource = Resource {
                file: &source.file,
                kind,
                namespace: text(&["metadata", "namespace"]).unwrap_or("default"),
                name: text(&["metadata", "name"]).unwrap_or("unnamed"),
                root,
            };
            found.push((group, resource));
        }
    }
    found
}

impl<'s> Resource<'s> {
    /// Its `spec`; the resource itself if it has none, which then has no field of one.
    pub(in crate::cli::migrate) fn spec(&self) -> View<'s> {
        self.root.get("spec").unwrap_or_else(|| self.root.clone())
    }

    /// Its name, as findings have it.
    pub(in crate::cli::migrate) fn title(&self) -> String {
        format!("{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// The texts in a list, or a single text; `None` if something in it is no text.
pub(in crate::cli::migrate) fn texts<'s>(view: &View<'s>) -> Option<Vec<&'s str>> {
    if let Some(text) = view.text() {
        return Some(vec![text]);
    }
    let items = view.items();
    if !matches!(view.node.value, Tree::List(_)) {
        return None;
    }
    items.iter().map(View::text).collect()
}

/// The members of an object that are texts.
pub(in crate::cli::migrate) fn labels(view: &View<'_>) -> BTreeMap<String, String> {
    let members = view.members().into_iter();
    members.filter_map(|(name, value)| Some((name.to_owned(), value.text()?.to_owned()))).collect()
}

/// The members of an object that are none of these.
pub(in crate::cli::migrate) fn unknown<'s>(view: &View<'s>, known: &[&str]) -> Vec<View<'s>> {
    let members = view.members().into_iter();
    members.filter(|(name, _)| !known.contains(name)).map(|(_, member)| member).collect()
}
