//! Simple CEL conditions of `rbac`, from their syntax tree: what compares a part of the request or a claim with constants.

use super::conditions::{NAMESPACE, Reads};
use super::matching::{Matched, is_method, path_named};
use super::rbac::{both, either, where_matched, with_path};
use crate::cli::migrate::findings::Why;
use crate::cli::migrate::policy::{Access, Cases, Claim, PathKind, Region, Test};
use crate::cli::source::View;
use crate::config::Tree;
use std::path::Path;

/// What an expression asks for. `several` is why alternatives cannot be said.
pub(super) fn answer(file: &Path, view: &View<'_>, reads: &Reads<'_, '_>, several: &Why) -> Cases<Access> {
    Cel { file, reads, several }.answer(view)
}

struct Cel<'c, 'p, 's> {
    file: &'c Path,
    reads: &'c Reads<'p, 's>,
    several: &'c Why,
}

/// A constant, or the path of an attribute.
enum Operand<'n> {
    Constant(Tree),
    List(Vec<Tree>),
    Attribute(Vec<&'n str>),
}

impl Cel<'_, '_, '_> {
    fn unclear(&self, view: &View<'_>, what: &str) -> Cases<Access> {
        Cases::always(Access::Unclear(vec![Why::new(self.file, view, what)]))
    }

    fn answer(&self, view: &View<'_>) -> Cases<Access> {
        if let Some(flag) = view.at(&["const_expr", "bool_value"]) {
            return Cases::always(if flag.is_true() { Access::Yes } else { Access::No });
        }
        let Some(call) = view.get("call_expr") else {
            return self.unclear(view, "is a CEL expression that is not read here");
        };
        let (target, args) = (call.get("target"), call.list("args"));
        let function = call.get("function").and_then(|name| name.text()).unwrap_or_default();
        match (function, target, args.as_slice()) {
            ("_&&_", None, [a, b]) => both(&self.answer(a), &self.answer(b), self.several),
            ("_||_", None, [a, b]) => either([self.answer(a), self.answer(b)].into_iter(), self.several),
            ("!_", None, [a]) => self.negated(view, &self.answer(a)),
            ("_==_", None, [a, b]) => self.equal(view, a, b),
            ("_!=_", None, [a, b]) => self.negated(view, &self.equal(view, a, b)),
            ("@in" | "_in_" | "in", None, [a, b]) => self.within(view, a, b),
            ("startsWith", Some(target), [start]) => match (operand(&target), operand(start)) {
                (Some(Operand::Attribute(path)), Some(Operand::Constant(Tree::Text(start))))
                    if matches!(path.as_slice(), ["request", "path" | "url_path"]) =>
                {
                    self.matched(view, path_named(PathKind::Prefix, &start))
                }
                _ => self.unclear(view, "calls `startsWith` on something that no rule compares"),
            },
            _ => self.unclear(view, &format!("calls `{function}` in a CEL expression, which is not read here")),
        }
    }

    /// The opposite of what is said in `view`. What reads something that is not there is an error, and its opposite is one,
    /// too: nothing matches.
    fn negated(&self, view: &View<'_>, answer: &Cases<Access>) -> Cases<Access> {
        if names(view, &["metadata"]) {
            return self.unclear(view, "asks that a claim is not what it says: a requirement asks for claims alone");
        }
        let opposite = answer.map(|access| access.negated(self.several));
        if names(view, &["request", "path"]) { both(&opposite, &with_path(), self.several) } else { opposite }
    }

    fn matched(&self, view: &View<'_>, matched: Matched) -> Cases<Access> {
        match &self.reads.edited {
            Some(why) => Cases::always(Access::Unclear(vec![why.clone()])),
            None => where_matched(self.file, view, matched),
        }
    }

    fn equal(&self, view: &View<'_>, a: &View<'_>, b: &View<'_>) -> Cases<Access> {
        match (operand(a), operand(b)) {
            (Some(Operand::Attribute(path)), Some(Operand::Constant(value)))
            | (Some(Operand::Constant(value)), Some(Operand::Attribute(path))) => {
                self.one_of(view, &path, vec![value], Test::Is)
            }
            _ => self.unclear(view, "compares something else than an attribute with a constant"),
        }
    }

    fn within(&self, view: &View<'_>, item: &View<'_>, list: &View<'_>) -> Cases<Access> {
        match (operand(item), operand(list)) {
            (Some(Operand::Attribute(path)), Some(Operand::List(values))) => self.one_of(view, &path, values, Test::Is),
            (Some(Operand::Constant(value)), Some(Operand::Attribute(path))) if path.first() == Some(&"metadata") => {
                self.one_of(view, &path, vec![value], Test::Has)
            }
            _ => self.unclear(view, "looks into something else than a claim, or a list of constants"),
        }
    }

    fn one_of(&self, view: &View<'_>, path: &[&str], values: Vec<Tree>, how: Test) -> Cases<Access> {
        let texts: Vec<&str> = values
            .iter()
            .filter_map(|value| match value {
                Tree::Text(own) => Some(own.as_str()),
                _ => None,
            })
            .collect();
        let are_texts = texts.len() == values.len() && !texts.is_empty();
        match path {
            ["request", "method"] if are_texts && texts.iter().all(|text| is_method(text)) => {
                let methods = texts.iter().map(|&text| text.to_owned()).collect();
                let region = Region { methods: Some(methods), ..Region::default() };
                self.matched(view, Matched { region, beyond: None })
            }
            ["request", "url_path"] if are_texts => {
                either(texts.iter().map(|text| self.matched(view, path_named(PathKind::Exact, text))), self.several)
            }
            ["metadata", "filter_metadata", NAMESPACE, key, claim @ ..] if !claim.is_empty() => {
                let path = claim.iter().map(|&name| name.to_owned()).collect();
                Cases::always(self.reads.claim(self.file, view, key, Claim { path, test: how, values }))
            }
            _ => {
                let what = format!("compares `{}`, which no requirement does so", path.join("."));
                self.unclear(view, &what)
            }
        }
    }
}

/// Whether an expression names this attribute, or something in it.
fn names(view: &View<'_>, path: &[&str]) -> bool {
    let is_it = attribute(view).is_some_and(|own| own.starts_with(path));
    is_it
        || view.members().iter().any(|(_, member)| names(member, path))
        || view.items().iter().any(|item| names(item, path))
}

fn operand<'n>(view: &View<'n>) -> Option<Operand<'n>> {
    if let Some(constant) = view.get("const_expr") {
        return value(&constant).map(Operand::Constant);
    }
    if let Some(list) = view.get("list_expr") {
        let values = list.list("elements").iter().map(|item| value(&item.get("const_expr")?)).collect::<Option<_>>()?;
        return Some(Operand::List(values));
    }
    attribute(view).map(Operand::Attribute)
}

/// A constant that claims can be compared with. Numbers of claims are fractions to CEL.
fn value(constant: &View<'_>) -> Option<Tree> {
    if let Some(text) = constant.get("string_value").and_then(|view| view.text()) {
        return Some(Tree::Text(text.to_owned()));
    }
    constant.get("bool_value").map(|flag| Tree::Bool(flag.is_true()))
}

/// The path of an attribute: `a.b`, `a["b"]`.
fn attribute<'n>(view: &View<'n>) -> Option<Vec<&'n str>> {
    if let Some(name) = view.at(&["ident_expr", "name"]) {
        return Some(vec![name.text()?]);
    }
    let (of, name) = if let Some(select) = view.get("select_expr") {
        if select.get("test_only").is_some_and(|flag| flag.is_true()) {
            return None;
        }
        (select.get("operand")?, select.get("field")?.text()?)
    } else {
        let call =
            view.get("call_expr").filter(|call| call.get("function").and_then(|name| name.text()) == Some("_[_]"))?;
        match call.list("args").as_slice() {
            [of, index] => (of.clone(), index.at(&["const_expr", "string_value"])?.text()?),
            _ => return None,
        }
    };
    let mut path = attribute(&of)?;
    path.push(name);
    Some(path)
}
