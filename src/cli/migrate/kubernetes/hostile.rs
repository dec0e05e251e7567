//! Policies in wrong forms: nothing panics, and whatever is written loads.

use super::{are_there, migrate, refused};
use crate::cli::source::Source;
use crate::config::{Node, Tree, read_documents};
use std::path::Path;

/// What is put in the place of a value.
const WRONG: [&str; 9] = ["null", "5", "true", "\"x\"", "\"*\"", "[]", "{}", "[null]", "{\"a\": [1]}"];

/// The values of a document, by their paths.
fn paths(node: &Node, path: &[usize], found: &mut Vec<Vec<usize>>) {
    found.push(path.to_vec());
    let inner: Vec<&Node> = match &node.value {
        Tree::List(items) => items.iter().collect(),
        Tree::Object(members) => members.iter().map(|(_, member)| member).collect(),
        _ => Vec::new(),
    };
    for (index, node) in inner.into_iter().enumerate() {
        paths(node, &[path, &[index]].concat(), found);
    }
}

/// Sets a value; removes it if there is none.
fn set(node: &mut Node, path: &[usize], value: Option<&Node>) {
    let Some((first, rest)) = path.split_first() else {
        if let Some(value) = value {
            *node = value.clone();
        }
        return;
    };
    match &mut node.value {
        Tree::List(items) if rest.is_empty() && value.is_none() => drop(items.remove(*first)),
        Tree::Object(members) if rest.is_empty() && value.is_none() => drop(members.remove(*first)),
        Tree::List(items) => set(&mut items[*first], rest, value),
        Tree::Object(members) => set(&mut members[*first].1, rest, value),
        // A path leads into lists and objects alone.
        _ => {}
    }
}

#[test]
fn whatever_a_policy_is_what_is_written_loads() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/migrate");
    let wrong: Vec<Node> = WRONG.iter().map(|text| read_documents(text, true).unwrap().remove(0).node).collect();
    let mut count = 0;
    for kind in ["istio", "gateway"] {
        for entry in std::fs::read_dir(root.join(kind)).unwrap() {
            let path = entry.unwrap().path();
            if path.to_string_lossy().ends_with(".expected.yaml") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let documents = read_documents(&text, false).unwrap().into_iter().map(|read| read.node).collect();
            let whole = Node::from(Tree::List(documents));
            let mut all = Vec::new();
            paths(&whole, &[], &mut all);
            // One of them for each value; SCOPEGATE_SEED chooses another one.
            let shift: usize = std::env::var("SCOPEGATE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0);
            for (number, place) in all.iter().filter(|place| !place.is_empty()).enumerate() {
                let value = wrong.get((number + shift) % (wrong.len() + 1));
                let mut broken = whole.clone();
                set(&mut broken, place, value);
                let text = broken.value.to_json().to_string();
                let Ok(source) = Source::of_text(Path::new("a.json"), &text) else { continue };
                let sources = [source];
                count += 1;
                if !are_there(&sources) {
                    continue;
                }
                for plugin in migrate(&sources).plugins {
                    let plugin = Node::from(plugin);
                    assert_eq!(refused(&plugin), None, "{}: {place:?} {value:?}", path.display());
                }
            }
        }
    }
    assert!(count > 300, "{count}");
}
