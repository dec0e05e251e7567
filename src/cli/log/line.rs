//! The records in Envoy's own log: `… scopegate: decision=deny reason=expired route="orders" (3301 s ago)`.

use super::node::{Members, Node};
use super::record::DETAIL;

/// What begins a record in a line.
const MARKS: [&str; 2] = ["scopegate: decision=", "scopegate: event="];
/// What is before the name of each member.
const NAME: &str = "scopegate: ";
/// What Envoy writes before the text of a plugin, and the name of its logger for native modules.
const OF_PLUGIN: [&str; 2] = ["wasm log", "dynamic_modules"];

/// The text before a record, and the record. At the level `debug` Envoy logs the headers of requests, in quotes, and a
/// client could write a record into one: so there are no quotes before a record, and a plugin has written it.
pub(super) fn split(line: &str) -> Option<(&str, &str)> {
    let start = MARKS.iter().filter_map(|mark| line.find(mark)).min()?;
    let (before, record) = line.split_at_checked(start)?;
    let is_named = OF_PLUGIN.iter().any(|name| before.contains(name));
    let is_ours = before.trim().is_empty() || is_named && !before.contains(['\'', '"']);
    is_ours.then(|| (before, record.strip_prefix(NAME).unwrap_or(record)))
}

/// The members of a record.
pub(super) fn members(record: &str) -> Members<'_> {
    let mut members = Vec::with_capacity(16);
    let mut rest = record.trim();
    loop {
        rest = rest.trim_start();
        if let Some(detail) = rest.strip_prefix('(') {
            let detail = detail.rsplit_once(')').map_or(detail, |(detail, _)| detail);
            members.push((DETAIL.into(), Node::Text(detail.into())));
            return members;
        }
        let Some((name, after)) = rest.split_once('=') else { return members };
        let (value, after) = value(after);
        members.push((name.into(), value));
        rest = after;
    }
}

/// The value at the start, and what follows it.
fn value(text: &str) -> (Node<'_>, &str) {
    if let Some(quoted) = text.strip_prefix('"') {
        let (value, rest) = quoted.split_once('"').unwrap_or((quoted, ""));
        return (Node::Text(value.into()), rest);
    }
    let mut is_quoted = false;
    let is_end = |(_, character): &(usize, char)| {
        is_quoted ^= *character == '"';
        !is_quoted && character.is_whitespace()
    };
    let end = text.char_indices().find(is_end).map_or(text.len(), |(index, _)| index);
    let (value, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    (object(value).unwrap_or(Node::Text(value.into())), rest)
}

/// The object that is written as `method:"tools/call",name:"delete_user"`.
fn object(text: &str) -> Option<Node<'_>> {
    let mut members = Vec::new();
    let mut rest = text;
    loop {
        let (name, after) = rest.split_once(":\"")?;
        let (value, after) = after.split_once('"')?;
        members.push((name.into(), Node::Text(value.into())));
        if after.is_empty() {
            return Some(Node::Object(members));
        }
        rest = after.strip_prefix(',')?;
    }
}
