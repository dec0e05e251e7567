//! A value in a file, with its path.

use crate::config::{Node, Position, Tree};
use std::collections::BTreeSet;

/// A value in a file, with its path in the document.
#[derive(Clone, Debug)]
pub struct View<'n> {
    /// The value.
    pub node: &'n Node,
    /// Its path, such as `static_resources.listeners[0]`.
    pub path: String,
}

impl<'n> View<'n> {
    /// The whole document.
    #[must_use]
    pub const fn root(node: &'n Node) -> Self {
        Self { node, path: String::new() }
    }

    /// The member `name`, which protobuf's JSON form may spell in camel case, and in which null means that it is not set.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Self> {
        self.written(name).filter(|member| member.node.value != Tree::Null)
    }

    /// The member `name`, even if it is null.
    #[must_use]
    pub fn written(&self, name: &str) -> Option<Self> {
        let Tree::Object(members) = &self.node.value else { return None };
        let (name, node) = members.iter().rev().find(|(other, _)| is_same(other, name))?;
        Some(Self { node, path: self.path_of(name) })
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// The value at a path of names.
    #[must_use]
    pub fn at(&self, names: &[&str]) -> Option<Self> {
        names.iter().try_fold(self.clone(), |view, name| view.get(name))
    }

    /// The items of a list; none if it is not one.
    #[must_use]
    pub fn items(&self) -> Vec<Self> {
        let Tree::List(items) = &self.node.value else { return Vec::new() };
        items.iter().enumerate().map(|(index, node)| Self { node, path: format!("{}[{index}]", self.path) }).collect()
    }

    /// The items of the list `name`.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<Self> {
        self.get(name).map(|view| view.items()).unwrap_or_default()
    }

    /// The members of an object. Of several with one name the last counts, as it does for Envoy.
    #[must_use]
    pub fn members(&self) -> Vec<(&'n str, Self)> {
        let mut all = self.all_members();
        let mut seen = BTreeSet::new();
        all.reverse();
        all.retain(|(name, _)| seen.insert(*name));
        all.reverse();
        all
    }

    /// The members of an object, also several with one name.
    #[must_use]
    pub fn all_members(&self) -> Vec<(&'n str, Self)> {
        let Tree::Object(members) = &self.node.value else { return Vec::new() };
        members.iter().map(|(name, node)| (name.as_str(), Self { node, path: self.path_of(name) })).collect()
    }

    /// Text.
    #[must_use]
    pub fn text(&self) -> Option<&'n str> {
        match &self.node.value {
            Tree::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text of its member `name`.
    #[must_use]
    pub fn name(&self) -> Option<&'n str> {
        self.get("name")?.text()
    }

    /// Whether it is true; Envoy accepts some texts as true.
    #[must_use]
    pub fn is_true(&self) -> bool {
        match &self.node.value {
            Tree::Bool(flag) => *flag,
            Tree::Text(text) => ["true", "t", "yes", "y", "1"].iter().any(|word| text.eq_ignore_ascii_case(word)),
            _ => false,
        }
    }

    /// Whether it is this value of an enumeration of Envoy's, which may be written in any case, or as its number.
    #[must_use]
    pub fn is_value(&self, name: &str, number: i64) -> bool {
        match &self.node.value {
            Tree::Whole(own) => *own == number,
            Tree::Text(text) => text.eq_ignore_ascii_case(name) || *text == number.to_string(),
            _ => false,
        }
    }

    /// Its place.
    #[must_use]
    pub const fn position(&self) -> Option<Position> {
        self.node.at
    }

    /// The type that an `Any` names, without its prefix.
    #[must_use]
    pub fn type_name(&self) -> Option<&'n str> {
        let url = self.get("@type")?.text()?;
        url.rsplit('/').next()
    }

    /// Everything in it that has a member of this name, itself first. Only these get paths, for speed with ten thousand
    /// routes.
    #[must_use]
    pub fn holders(&self, name: &str) -> Vec<Self> {
        let mut found = Vec::new();
        self.find_holders(name, &mut found);
        found
    }

    fn find_holders(&self, name: &str, found: &mut Vec<Self>) {
        match &self.node.value {
            Tree::Object(members) => {
                if members.iter().any(|(other, _)| is_same(other, name)) {
                    found.push(self.clone());
                }
                for (other, node) in members.iter().filter(|(_, node)| holds(node, name)) {
                    Self { node, path: self.path_of(other) }.find_holders(name, found);
                }
            }
            Tree::List(items) => {
                for (index, node) in items.iter().enumerate().filter(|(_, node)| holds(node, name)) {
                    Self { node, path: format!("{}[{index}]", self.path) }.find_holders(name, found);
                }
            }
            _ => {}
        }
    }

    /// Everything in it, itself first.
    pub fn visit(&self, see: &mut impl FnMut(&Self)) {
        see(self);
        for (_, member) in self.members() {
            member.visit(see);
        }
        for item in self.items() {
            item.visit(see);
        }
    }
}

/// Whether a node, or something in it, has a member of this name.
fn holds(node: &Node, name: &str) -> bool {
    match &node.value {
        Tree::Object(members) => members.iter().any(|(other, node)| is_same(other, name) || holds(node, name)),
        Tree::List(items) => items.iter().any(|item| holds(item, name)),
        _ => false,
    }
}

/// Whether a member has this name, as it is or as protobuf's JSON form spells it: `fail_open` or `failOpen`.
pub(in crate::cli) fn is_same(member: &str, name: &str) -> bool {
    if member == name {
        return true;
    }
    let mut letters = member.chars();
    let mut upper = false;
    for character in name.chars() {
        if character == '_' {
            upper = true;
            continue;
        }
        let wanted = if upper { character.to_ascii_uppercase() } else { character };
        if letters.next() != Some(wanted) {
            return false;
        }
        upper = false;
    }
    letters.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_is_null_is_not_set() {
        let node = crate::config::read_yaml("{rds: null, routeConfig: ~, name: a}").unwrap();
        let view = View::root(&node);
        assert!(view.get("rds").is_none() && view.get("route_config").is_none() && view.at(&["rds", "name"]).is_none());
        assert!(view.written("rds").is_some() && view.written("route_config").is_some());
        assert_eq!((view.name(), view.members().len()), (Some("a"), 3));
    }

    #[test]
    fn a_member_has_two_spellings_and_no_third() {
        for (member, name, wanted) in [
            ("fail_open", "fail_open", true),
            ("failOpen", "fail_open", true),
            ("failopen", "fail_open", false),
            ("fail_Open", "fail_open", false),
            ("failOpenX", "fail_open", false),
            ("fail", "fail_open", false),
            ("name", "name", true),
            ("Name", "name", false),
        ] {
            assert_eq!(is_same(member, name), wanted, "{member} {name}");
        }
    }
}
