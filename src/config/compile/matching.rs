//! When a rule applies.

use super::optional;
use super::requirement::method_name;
use crate::config::cursor::{Cursor, Object};
use crate::config::fields;
use crate::policy::{HostMatch, Match, MethodSet, PathForms, PathMatch, PathPolicy, Template, is_unambiguous};

/// The conditions of a rule.
pub(super) fn read(cursor: &Cursor<'_>, paths: PathPolicy) -> Option<Match> {
    let object = cursor.object(&fields::MATCH)?;
    let path = path_match(&object, paths);
    let ignore_case = optional(&object, "ignore_case", false, Cursor::flag);
    let text = |name: &str| optional(&object, name, None, |c| c.text().map(|text| Some(text.to_owned())));
    let route = text("route");
    let virtual_host = text("virtual_host");
    let host = optional(&object, "host", None, |c| host_match(c).map(Some));
    let methods = optional(&object, "methods", None, |c| {
        let names = c.list_of("method", |item| item.text().and_then(|name| method_name(item, name)))?;
        Some(Some(MethodSet::new(names)))
    });
    if let Some(ignore_case) = object.get("ignore_case")
        && matches!(path, Some(None | Some(PathMatch::Template(_))))
    {
        return ignore_case.wrong("has no meaning here", "it goes with path, prefix or path_separated_prefix");
    }
    let matching = Match {
        path: path?,
        ignore_case: ignore_case?,
        route: route?,
        virtual_host: virtual_host?,
        host: host?,
        methods: methods?,
    };
    if matching == Match::default() {
        return cursor
            .wrong("has no condition", "say when the rule applies; what holds for everything else is `default`");
    }
    Some(matching)
}

#[expect(clippy::option_option, reason = "the outer one is what could not be read, the inner what is not there")]
fn path_match(object: &Object<'_>, paths: PathPolicy) -> Option<Option<PathMatch>> {
    const NAMES: [&str; 4] = ["path", "prefix", "path_separated_prefix", "template"];
    let there: Vec<&str> = NAMES.into_iter().filter(|name| object.has(name)).collect();
    let name = match there.as_slice() {
        [] => return Some(None),
        [name] => *name,
        several => {
            return object
                .cursor()
                .wrong(format!("has {}", several.join(" and ")), "one condition on the path, not several");
        }
    };
    let cursor = object.get(name)?;
    let text = cursor.text()?;
    if name == "template" {
        return match Template::parse(text) {
            Ok(template) => {
                plain_path(&cursor, &example(text), paths)?;
                Some(Some(PathMatch::Template(template)))
            }
            Err(error) => cursor.wrong("is not a template", error.0),
        };
    }
    let plain = plain_path(&cursor, text, paths);
    if name == "path_separated_prefix" && text.ends_with('/') {
        return cursor.wrong("ends with a slash", "write it without: it matches whole segments");
    }
    plain?;
    let text = text.to_owned();
    Some(Some(match name {
        "path" => PathMatch::Exact(text),
        "prefix" => PathMatch::Prefix(text),
        _ => PathMatch::SeparatedPrefix(text),
    }))
}

/// The template of a path.
fn example(template: &str) -> String {
    let mut path = String::new();
    let mut in_name = false;
    for character in template.chars() {
        match character {
            '{' => in_name = true,
            '}' => {
                in_name = false;
                path.push('x');
            }
            '*' => path.push('x'),
            _ if in_name => {}
            literal => path.push(literal),
        }
    }
    path
}

/// An unambiguous path.
fn plain_path(cursor: &Cursor<'_>, text: &str, paths: PathPolicy) -> Option<()> {
    if !text.starts_with('/') {
        return cursor.wrong("does not begin with a slash", "write the path from its first slash on");
    }
    if text.contains('?') {
        return cursor.wrong("holds a query", "conditions are on the path without its query");
    }
    if !is_unambiguous(text.as_bytes(), paths) {
        return cursor.wrong(
            "can be read in more than one way, so no request could match it",
            "write it without //, \\, ;, dot segments and encoded slashes, or admit the form with paths.allow",
        );
    }
    if PathForms::of(text.as_bytes(), paths).test(|path| path == text.as_bytes()).is_err() {
        return cursor.wrong(
            "has an escape that is not normalised",
            "write letters, digits, -, ., _ and ~ as they are, and other escapes in upper case",
        );
    }
    Some(())
}

fn host_match(cursor: &Cursor<'_>) -> Option<HostMatch> {
    let text = cursor.text()?;
    let (suffix, name) = match text.strip_prefix("*.") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    match host_name(name) {
        Some(name) if suffix => Some(HostMatch::Suffix(format!(".{name}"))),
        Some(name) => Some(HostMatch::Exact(name)),
        None => cursor.wrong("is not a host", "write a host without port, or *. and a domain"),
    }
}

/// A host as rules name it: lower case, without port and without trailing dot.
pub(super) fn host_name(name: &str) -> Option<String> {
    let bracketed = name.starts_with('[') && name.ends_with(']');
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    let is_host = !name.is_empty() && (plain || bracketed) && !name.ends_with('.') && !name.starts_with('.');
    is_host.then(|| name.to_ascii_lowercase())
}
