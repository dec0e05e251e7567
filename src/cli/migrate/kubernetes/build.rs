//! Building the values of written documents, whose members may have any names.

pub(in crate::cli::migrate) use crate::cli::migrate::tree::{flag, list, text, texts};

use crate::config::{Node, Tree};

/// A whole number.
pub(in crate::cli::migrate) fn number(number: i64) -> Node {
    Tree::Whole(number).into()
}

/// An object.
pub(in crate::cli::migrate) fn object<N: Into<String>>(members: impl IntoIterator<Item = (N, Node)>) -> Node {
    Tree::Object(members.into_iter().map(|(name, node)| (name.into(), node)).collect()).into()
}
