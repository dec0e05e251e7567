//! Values of the new configuration, with their members in the order in which people read them.

use crate::config::{Node, Tree};

/// An object.
pub(in crate::cli) fn object<const N: usize>(members: [(&str, Node); N]) -> Node {
    Tree::Object(members.into_iter().map(|(name, node)| (name.to_owned(), node)).collect()).into()
}

/// An object with the members that there are.
pub(in crate::cli) fn object_of(members: Vec<(&str, Option<Node>)>) -> Node {
    let there = members.into_iter().filter_map(|(name, node)| Some((name.to_owned(), node?)));
    Tree::Object(there.collect()).into()
}

/// A text.
pub(in crate::cli) fn text(text: impl Into<String>) -> Node {
    Tree::Text(text.into()).into()
}

/// A boolean.
pub(in crate::cli) fn flag(flag: bool) -> Node {
    Tree::Bool(flag).into()
}

/// A list.
pub(in crate::cli) fn list(items: impl IntoIterator<Item = Node>) -> Node {
    Tree::List(items.into_iter().collect()).into()
}

/// A list of texts.
pub(in crate::cli) fn texts<T: Into<String>>(items: impl IntoIterator<Item = T>) -> Node {
    list(items.into_iter().map(text))
}

/// Adds the members of an object to those of another.
pub(in crate::cli) fn with(node: Node, more: Node) -> Node {
    let members = |node: Node| match node.value {
        Tree::Object(members) => members,
        _ => Vec::new(),
    };
    let mut all = members(node);
    all.extend(members(more));
    Tree::Object(all).into()
}
