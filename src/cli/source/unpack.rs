//! Documents that contain others: lists, Envoy's `/config_dump`, and files in a `ConfigMap`.

use super::View;
use crate::config::{Node, Position, Text, Tree};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD as STANDARD, BASE64_URL_SAFE_NO_PAD as URL_SAFE_NO_PAD};

/// The types of the parts of a dump.
const DUMP: &str = "envoy.admin.v3.";
/// The names of the resources in a part of a dump.
const RESOURCES: [&str; 6] =
    ["listener", "cluster", "route_config", "scoped_route_configs", "ecds_filter", "bootstrap"];
/// States of a listener or a cluster that serves nothing.
const GONE: [&str; 2] = ["draining_state", "error_state"];

/// The documents in a document, each with its path; the document itself if it contains none.
pub(super) fn documents(node: Node) -> Vec<(String, Node)> {
    let mut found = Vec::new();
    unpack(String::new(), node, &mut found);
    found
}

fn unpack(path: String, node: Node, found: &mut Vec<(String, Node)>) {
    let root = View { node: &node, path: path.clone() };
    let kind = root.get("kind").and_then(|view| view.text());
    if let Some(of) = kind.and_then(|kind| kind.strip_suffix("List"))
        && root.get("items").is_some()
    {
        let version = root.get("apiVersion").and_then(|view| view.text());
        return root
            .list("items")
            .iter()
            .for_each(|item| unpack(item.path.clone(), named(item.node, of, version), found));
    }
    if matches!(node.value, Tree::List(_)) {
        return each(root.items(), found);
    }
    let parts = root.list("configs");
    let is_part = |part: &View<'_>| part.type_name().is_some_and(|name| name.starts_with(DUMP));
    if parts.iter().any(is_part) {
        // The bootstrap repeats what is in the other parts.
        let is_whole = parts.iter().any(|part| part.type_name() == Some("envoy.admin.v3.ListenersConfigDump"));
        for part in parts {
            if !(is_whole && part.get("bootstrap").is_some()) {
                dumped(&part, found);
            }
        }
        return;
    }
    if is_part(&root) || kind.is_none() && root.get("ecds_filter").is_some() {
        return dumped(&root, found);
    }
    found.push((path, node));
}

/// An item of a list of resources of one kind, with that kind and its version where it has none: such a list need not
/// repeat them. The list of kind `List` says nothing of its items.
fn named(item: &Node, kind: &str, version: Option<&str>) -> Node {
    let mut item = item.clone();
    if let Tree::Object(members) = &mut item.value {
        let own = [("apiVersion", version), ("kind", Some(kind))];
        for (name, value) in
            own.into_iter().filter(|_| !kind.is_empty()).filter_map(|(name, value)| Some((name, value?)))
        {
            if members.iter().all(|(other, _)| other != name) {
                members.push((name.to_owned(), Tree::Text(value.to_owned()).into()));
            }
        }
    }
    item
}

fn each(items: Vec<View<'_>>, found: &mut Vec<(String, Node)>) {
    for item in items {
        unpack(item.path.clone(), item.node.clone(), found);
    }
}

/// The resources in a part of a dump.
fn dumped(part: &View<'_>, found: &mut Vec<(String, Node)>) {
    for (_, member) in part.members() {
        let name = member.path.rsplit('.').next().unwrap_or_default().to_owned();
        let is = |names: &[&str]| names.iter().any(|known| super::view::is_same(&name, known));
        if is(&GONE) {
            continue;
        }
        if is(&RESOURCES) {
            let items = member.items();
            if items.is_empty() {
                found.push((member.path, member.node.clone()));
            } else {
                each(items, found);
            }
        } else {
            dumped(&member, found);
            member.items().iter().for_each(|item| dumped(item, found));
        }
    }
}

/// The texts in a resource of Kubernetes that are files: those of a `ConfigMap`, or of a Secret that is not encoded,
/// and the bootstrap of an `EnvoyProxy`; each with its name.
pub(super) fn files<'n>(root: &View<'n>) -> Vec<(&'n str, View<'n>)> {
    let named = |member: &str| root.get(member).map(|view| view.members()).unwrap_or_default();
    match root.get("kind").and_then(|view| view.text()) {
        Some("ConfigMap") => named("data"),
        Some("Secret") => named("stringData"),
        Some("EnvoyProxy") => {
            let bootstrap = root.at(&["spec", "bootstrap", "value"]);
            bootstrap.map(|view| ("bootstrap.yaml", view)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

/// Where an `Any` is handed to a plugin: of the Wasm filter, and of a dynamic module.
const CONFIGURATIONS: [&str; 3] = ["configuration", "filter_config", "filterConfig"];

/// Replaces a `TypedStruct` by the message that it describes. Where the configuration of a plugin is one, the plugin gets
/// the `TypedStruct` itself.
pub(super) fn typed_structs(node: &mut Node) {
    match &mut node.value {
        Tree::List(items) => items.iter_mut().for_each(typed_structs),
        Tree::Object(members) => {
            for (name, member) in members.iter_mut() {
                typed_structs(member);
                if CONFIGURATIONS.contains(&name.as_str()) {
                    decode(member);
                } else {
                    unfold(member);
                }
            }
        }
        _ => {}
    }
}

/// Replaces the configuration in a `BytesValue`, which JSON writes in base64, by a Struct.
fn decode(node: &mut Node) {
    let Tree::Object(members) = &mut node.value else { return };
    if text(members, &["@type"]).as_deref().and_then(|own| own.rsplit('/').next()) != Some("google.protobuf.BytesValue")
    {
        return;
    }
    let Some(coded) = text(members, &["value"]) else { return };
    let bytes = STANDARD.decode(&coded).or_else(|_| URL_SAFE_NO_PAD.decode(coded.trim_end_matches('='))).ok();
    let Some(json) = bytes.and_then(|bytes| String::from_utf8(bytes).ok()) else { return };
    let Some((_, value)) = members.iter_mut().find(|(name, _)| name == "value") else { return };
    let start = value.at.unwrap_or(Position { line: 1, column: 1 });
    let Ok(mut read) = (Text { member: start, start, text: json }).read("") else { return };
    place_at(&mut read, value.at);
    *value = read;
    if let Some((_, own)) = members.iter_mut().find(|(name, _)| name == "@type") {
        own.value = Tree::Text("type.googleapis.com/google.protobuf.Struct".to_owned());
    }
}

/// Sets the position of a value, and of all in it.
fn place_at(node: &mut Node, at: Option<Position>) {
    node.at = at;
    match &mut node.value {
        Tree::List(items) => items.iter_mut().for_each(|item| place_at(item, at)),
        Tree::Object(members) => members.iter_mut().for_each(|(_, member)| place_at(member, at)),
        _ => {}
    }
}

/// The text of the last member of one of these names.
fn text(members: &[(String, Node)], names: &[&str]) -> Option<String> {
    let found = members.iter().rev().find(|(name, _)| names.contains(&name.as_str()));
    match found.map(|(_, node)| &node.value) {
        Some(Tree::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

fn unfold(node: &mut Node) {
    let Tree::Object(members) = &mut node.value else { return };
    let Some(own) = text(members, &["@type"]) else { return };
    if !matches!(own.rsplit('/').next(), Some("udpa.type.v1.TypedStruct" | "xds.type.v3.TypedStruct")) {
        return;
    }
    let Some(described) = text(members, &["type_url", "typeUrl"]) else { return };
    let at = members.iter().find(|(name, _)| name == "@type").and_then(|(_, node)| node.at);
    let value = members.iter().position(|(name, _)| name == "value").map(|index| members.swap_remove(index).1);
    let mut unfolded = vec![("@type".to_owned(), Node { value: Tree::Text(described), at })];
    if let Some(Node { value: Tree::Object(inner), .. }) = value {
        unfolded.extend(inner.into_iter().filter(|(name, _)| name != "@type"));
    }
    node.value = Tree::Object(unfolded);
}
