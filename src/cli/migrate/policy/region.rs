//! Which requests a case is about, as `match` of a rule says it.

use super::{PathIs, PathKind};
use crate::config::{Node, Tree};
use std::collections::BTreeSet;

/// Which requests: all that is set must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Region {
    /// The path.
    pub path: Option<PathIs>,
    /// The method, exactly: GET is not HEAD here.
    pub methods: Option<BTreeSet<String>>,
    /// The host, as `host` of a rule has it.
    pub host: Option<String>,
    /// The name of the route.
    pub route: Option<String>,
    /// The name of the virtual host.
    pub virtual_host: Option<String>,
}

/// The requests of two regions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// There are none.
    None,
    /// These.
    Region(Region),
    /// No `match` says which.
    Unclear,
}

impl Region {
    /// The requests with such a path.
    #[must_use]
    pub fn path(path: PathIs) -> Self {
        Self { path: Some(path), ..Self::default() }
    }

    /// The requests with this method.
    #[must_use]
    pub fn method(method: impl Into<String>) -> Self {
        Self { methods: Some(BTreeSet::from([method.into()])), ..Self::default() }
    }

    /// Whether all requests of `other` are in it.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let path = match (&self.path, &other.path) {
            (None, _) => true,
            (Some(own), Some(other)) => own.covers(other),
            (Some(_), None) => false,
        };
        let methods = match (&self.methods, &other.methods) {
            (None, _) => true,
            (Some(own), Some(other)) => other.is_subset(own),
            (Some(_), None) => false,
        };
        let same = |own: &Option<String>, other: &Option<String>| own.is_none() || own == other;
        path && methods
            && same(&self.host, &other.host)
            && same(&self.route, &other.route)
            && same(&self.virtual_host, &other.virtual_host)
    }

    /// Whether no request is in both.
    #[must_use]
    pub fn is_apart(&self, other: &Self) -> bool {
        let differ = |own: &Option<String>, other: &Option<String>| own.is_some() && other.is_some() && own != other;
        let is_pattern = |host: &Option<String>| host.as_ref().is_some_and(|host| host.starts_with('*'));
        let paths = self.path.as_ref().zip(other.path.as_ref());
        let methods = self.methods.as_ref().zip(other.methods.as_ref());
        paths.is_some_and(|(a, b)| a.is_apart(b))
            || methods.is_some_and(|(a, b)| a.is_disjoint(b))
            || differ(&self.route, &other.route)
            || differ(&self.virtual_host, &other.virtual_host)
            || differ(&self.host, &other.host) && !is_pattern(&self.host) && !is_pattern(&other.host)
    }

    /// What this one says of requests that are in `other`, beyond what that says of them.
    #[must_use]
    pub fn beyond(&self, other: &Self) -> Self {
        let part = |region: Self| if region.covers(other) { Self::default() } else { region };
        let path = part(Self { path: self.path.clone(), ..Self::default() }).path;
        let methods = part(Self { methods: self.methods.clone(), ..Self::default() }).methods;
        let new = |own: &Option<String>, other: &Option<String>| own.clone().filter(|_| own != other);
        Self {
            path,
            methods,
            host: new(&self.host, &other.host),
            route: new(&self.route, &other.route),
            virtual_host: new(&self.virtual_host, &other.virtual_host),
        }
    }

    /// The requests in both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Overlap {
        if self.covers(other) {
            return Overlap::Region(other.clone());
        }
        if other.covers(self) {
            return Overlap::Region(self.clone());
        }
        let path = match (&self.path, &other.path) {
            (Some(a), Some(b)) if a.covers(b) => Some(b.clone()),
            (Some(a), Some(b)) if b.covers(a) => Some(a.clone()),
            (Some(a), Some(b)) if a.is_apart(b) => return Overlap::None,
            (Some(_), Some(_)) => return Overlap::Unclear,
            (a, b) => a.clone().or_else(|| b.clone()),
        };
        let methods = match (&self.methods, &other.methods) {
            (Some(a), Some(b)) => {
                let both: BTreeSet<String> = a.intersection(b).cloned().collect();
                if both.is_empty() {
                    return Overlap::None;
                }
                Some(both)
            }
            (a, b) => a.clone().or_else(|| b.clone()),
        };
        let mut names = Vec::new();
        for (own, other, is_pattern) in [
            (&self.host, &other.host, true),
            (&self.route, &other.route, false),
            (&self.virtual_host, &other.virtual_host, false),
        ] {
            names.push(match (own, other) {
                (Some(a), Some(b)) if a == b => Some(a.clone()),
                (Some(a), Some(b)) if is_pattern && (a.starts_with('*') || b.starts_with('*')) => {
                    return Overlap::Unclear;
                }
                (Some(_), Some(_)) => return Overlap::None,
                (a, b) => a.clone().or_else(|| b.clone()),
            });
        }
        let mut names = names.into_iter();
        let mut name = || names.next().flatten();
        Overlap::Region(Self { path, methods, host: name(), route: name(), virtual_host: name() })
    }

    /// As `match` of a rule. A region of all requests asks for a path, which all but CONNECT and `*` have.
    #[must_use]
    pub fn to_match(&self) -> Node {
        let mut members = Vec::new();
        let mut add = |name: &str, node: Node| members.push((name.to_owned(), node));
        let text = |text: &str| Node::from(Tree::Text(text.to_owned()));
        if let Some(path) = &self.path {
            add(path.kind.field(), text(&path.text));
            if path.ignore_case && path.kind != PathKind::Template {
                add("ignore_case", Tree::Bool(true).into());
            }
        }
        let names = [("route", &self.route), ("virtual_host", &self.virtual_host), ("host", &self.host)];
        for (name, value) in names {
            value.iter().for_each(|value| add(name, text(value)));
        }
        if let Some(methods) = &self.methods {
            add("methods", Tree::List(methods.iter().map(|method| text(method)).collect()).into());
        }
        if members.is_empty() {
            return Self::path(PathIs::every()).to_match();
        }
        Tree::Object(members).into()
    }
}
