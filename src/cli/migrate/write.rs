//! Writes the new files: a tree as YAML or JSON, and the old tree with its edits.

use crate::config::{Node, Tree};
use std::collections::{BTreeMap, BTreeSet};

/// What becomes of a value.
#[derive(Clone, Debug)]
pub(in crate::cli) enum Edit {
    /// It becomes these: an item of a list may become several, or none.
    Instead(Vec<Node>),
    /// The value at this path of members is set, after what else is edited in it.
    Set(Vec<&'static str>, Node),
    /// Members of an object are left out.
    Without(BTreeSet<String>),
}

/// The edits of files, by the value that they are about.
#[derive(Debug, Default)]
pub(in crate::cli) struct Edits(BTreeMap<usize, Vec<Edit>>);

/// What tells a value from all others that are in memory.
fn identity(node: &Node) -> usize {
    std::ptr::from_ref(node).addr()
}

impl Edits {
    /// Adds an edit of a value.
    pub(in crate::cli) fn add(&mut self, node: &Node, edit: Edit) {
        self.0.entry(identity(node)).or_default().push(edit);
    }

    /// Whether nothing is edited in a value.
    pub(in crate::cli) fn is_untouched(&self, node: &Node) -> bool {
        let inner = match &node.value {
            Tree::List(items) => items.iter().all(|item| self.is_untouched(item)),
            Tree::Object(members) => members.iter().all(|(_, member)| self.is_untouched(member)),
            _ => true,
        };
        inner && !self.0.contains_key(&identity(node))
    }

    /// A value with its edits; of members with one name the last is left, which Envoy uses.
    pub(in crate::cli) fn applied(&self, node: &Node) -> Node {
        self.each(node).into_iter().next().unwrap_or_else(|| Tree::Null.into())
    }

    fn each(&self, node: &Node) -> Vec<Node> {
        let own = self.0.get(&identity(node)).map(Vec::as_slice).unwrap_or_default();
        if let Some(Edit::Instead(nodes)) = own.iter().find(|edit| matches!(edit, Edit::Instead(_))) {
            return nodes.clone();
        }
        let without = |name: &str| own.iter().any(|edit| matches!(edit, Edit::Without(names) if names.contains(name)));
        let value = match &node.value {
            Tree::List(items) => Tree::List(items.iter().flat_map(|item| self.each(item)).collect()),
            Tree::Object(members) => {
                let last = |index: usize, name: &str| {
                    !members.iter().skip(index.saturating_add(1)).any(|(other, _)| other == name)
                };
                let mut kept = Vec::new();
                for (index, (name, member)) in members.iter().enumerate() {
                    if !last(index, name) || without(name) {
                        continue;
                    }
                    let is_emptied = |made: &Node| {
                        let is_empty = matches!(&made.value, Tree::Object(members) if members.is_empty());
                        is_empty && self.0.contains_key(&identity(member))
                    };
                    let made = self.each(member).into_iter().next().filter(|made| !is_emptied(made));
                    kept.extend(made.map(|made| (name.clone(), made)));
                }
                Tree::Object(kept)
            }
            other => other.clone(),
        };
        let mut made = Node { value, at: node.at };
        for edit in own {
            if let Edit::Set(path, value) = edit {
                set(&mut made, path, value);
            }
        }
        vec![made]
    }
}

/// Sets the value at a path of members, which are made where they are missing.
fn set(node: &mut Node, path: &[&'static str], value: &Node) {
    let Some((first, rest)) = path.split_first() else {
        *node = value.clone();
        return;
    };
    if !matches!(node.value, Tree::Object(_)) {
        node.value = Tree::Object(Vec::new());
    }
    let Tree::Object(members) = &mut node.value else { return };
    let at = members.iter().position(|(name, _)| crate::cli::source::is_same(name, first));
    match at.and_then(|at| members.get_mut(at)) {
        Some((_, member)) => set(member, rest, value),
        None => {
            let mut made = Node::from(Tree::Object(Vec::new()));
            set(&mut made, rest, value);
            members.push(((*first).to_owned(), made));
        }
    }
}

/// A value as JSON, on one line.
fn flat(node: &Node) -> String {
    match &node.value {
        Tree::List(items) => format!("[{}]", items.iter().map(flat).collect::<Vec<_>>().join(", ")),
        Tree::Object(members) => {
            let member = |(name, node): &(String, Node)| format!("{}: {}", quoted(name), flat(node));
            format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
        Tree::Text(text) => quoted(text),
        other => other.to_json().to_string(),
    }
}

/// A value as JSON, indented.
pub(in crate::cli) fn json(node: &Node) -> String {
    let mut out = String::new();
    indented(node, 0, &mut out);
    out.push('\n');
    out
}

fn indented(node: &Node, depth: usize, out: &mut String) {
    let inner = "  ".repeat(depth.saturating_add(1));
    let outer = "  ".repeat(depth);
    match &node.value {
        Tree::List(items) if !items.is_empty() => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(&format!("{}\n{inner}", if index > 0 { "," } else { "" }));
                indented(item, depth.saturating_add(1), out);
            }
            out.push_str(&format!("\n{outer}]"));
        }
        Tree::Object(members) if !members.is_empty() => {
            out.push('{');
            for (index, (name, member)) in members.iter().enumerate() {
                out.push_str(&format!("{}\n{inner}{}: ", if index > 0 { "," } else { "" }, quoted(name)));
                indented(member, depth.saturating_add(1), out);
            }
            out.push_str(&format!("\n{outer}}}"));
        }
        _ => out.push_str(&flat(node)),
    }
}

/// A value as YAML.
pub(in crate::cli) fn yaml(node: &Node) -> String {
    let mut out = String::new();
    match &node.value {
        Tree::Object(members) if !members.is_empty() => block(node, 0, &mut out),
        Tree::List(items) if !items.is_empty() => block(node, 0, &mut out),
        _ => out.push_str(&format!("{}\n", inline(node))),
    }
    out
}

/// The longest value that is written on one line, and how deep it may be.
const LINE: usize = 100;

/// A value on one line, if it is short.
fn short(node: &Node) -> Option<String> {
    let is_flat = match &node.value {
        Tree::List(items) => items.iter().all(|item| !matches!(item.value, Tree::List(_) | Tree::Object(_))),
        Tree::Object(members) => members.is_empty(),
        _ => true,
    };
    let line = is_flat.then(|| inline(node))?;
    let is_container = matches!(node.value, Tree::List(_) | Tree::Object(_));
    (!is_container || line.len() <= LINE).then_some(line)
}

fn inline(node: &Node) -> String {
    match &node.value {
        Tree::List(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Tree::Object(members) => {
            let member = |(name, node): &(String, Node)| format!("{}: {}", plain(name), inline(node));
            format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
        Tree::Text(text) => plain(text),
        other => other.to_json().to_string(),
    }
}

/// Lines at a depth. The first is not indented where `out` ends in a dash.
fn block(node: &Node, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match &node.value {
        Tree::Object(members) => {
            for (name, member) in members {
                if !out.ends_with("- ") {
                    out.push_str(&indent);
                }
                out.push_str(&format!("{}:", plain(name)));
                let below = match &member.value {
                    Tree::List(_) => depth,
                    _ => depth.saturating_add(1),
                };
                value(member, below, out);
            }
        }
        Tree::List(items) => {
            for item in items {
                if !out.ends_with("- ") {
                    out.push_str(&indent);
                }
                match short(item) {
                    Some(line) => out.push_str(&format!("- {line}\n")),
                    None => {
                        out.push_str("- ");
                        block(item, depth.saturating_add(1), out);
                    }
                }
            }
        }
        _ => out.push_str(&format!("{}\n", inline(node))),
    }
}

fn value(node: &Node, depth: usize, out: &mut String) {
    match short(node) {
        Some(line) => out.push_str(&format!(" {line}\n")),
        None => {
            out.push('\n');
            block(node, depth, out);
        }
    }
}

/// Words that readers of YAML take for something else than text.
const WORDS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];

/// A text as YAML has it: plain where no reader can take it for something else.
fn plain(text: &str) -> String {
    let mut characters = text.chars();
    let starts = characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '/');
    let goes_on = characters.all(|next| next.is_ascii_alphanumeric() || "_./-".contains(next));
    if starts && goes_on && !WORDS.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// A text in quotes, for JSON and YAML alike.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            other if other.is_control() || matches!(other, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                out.push_str(&format!("\\u{:04x}", u32::from(other)));
            }
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read_documents;

    fn read(text: &str, is_json: bool) -> Node {
        read_documents(text, is_json).unwrap().remove(0).node
    }

    fn bare(node: &Node) -> serde_json::Value {
        node.value.to_json()
    }

    #[test]
    fn what_is_written_reads_as_it_was() {
        for text in [
            "a: 1",
            "{a: [1, 2, {b: c, d: [e, {f: [[]]}]}], '@type': type.googleapis.com/x.Y, yes: 'no', \"1\": 'on'}",
            "- [a, [b, {c: d}]]\n- {e: {}}\n- \"# not a comment: \\\"\\\\ \\u2028\"\n- ' x '\n- ''\n- '- y'\n- 'a\n\n  b'",
            "{a: true, b: null, c: 0.5, d: 99999999999, e: '0x10', f: 2020-01-01, g: ~}",
            "{a: [], b: {}, c: [{}], d: [[[1]], [{}, {a: b}]]}",
        ] {
            let node = read(text, false);
            assert_eq!(bare(&read(&yaml(&node), false)), bare(&node), "{}", yaml(&node));
            assert_eq!(bare(&read(&json(&node), true)), bare(&node), "{}", json(&node));
        }
    }

    #[test]
    fn edits_change_what_they_are_about_and_nothing_else() {
        let node = read("{a: [1, 2, 3], b: {c: d, e: f}, b: {c: g, e: h}}", false);
        let Tree::Object(members) = &node.value else { panic!() };
        let Tree::List(items) = &members[0].1.value else { panic!() };
        let mut edits = Edits::default();
        edits.add(&items[1], Edit::Instead(vec![Tree::Whole(8).into(), Tree::Whole(9).into()]));
        edits.add(&items[2], Edit::Instead(Vec::new()));
        edits.add(&members[2].1, Edit::Without(BTreeSet::from(["c".to_owned()])));
        edits.add(&members[2].1, Edit::Set(vec!["x", "y"], Tree::Bool(true).into()));
        let wanted = serde_json::json!({"a": [1, 8, 9], "b": {"e": "h", "x": {"y": true}}});
        assert_eq!(bare(&edits.applied(&node)), wanted);
        assert!(edits.is_untouched(&items[0]) && !edits.is_untouched(&node));
    }
}
