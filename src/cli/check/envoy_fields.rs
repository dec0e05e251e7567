//! The fields that Envoy knows, of listeners, connection managers, routes and the Wasm filter.

use crate::cli::source::is_same;
use std::collections::HashMap;

/// The messages of Envoy 1.40.0; the file says how it is read.
const TABLE: &str = include_str!("envoy_fields.txt");

/// Messages by their full names.
pub(super) struct EnvoyFields {
    messages: HashMap<&'static str, Message>,
    /// Full names by the short ones that fields use.
    full: HashMap<&'static str, &'static str>,
}

/// A message and its fields.
pub(super) struct Message {
    /// Its name without package.
    pub name: &'static str,
    fields: Vec<Field>,
}

/// A field, and the message that it holds.
struct Field {
    name: &'static str,
    holds: Holds,
}

/// What a field holds.
#[derive(Clone, Copy)]
enum Holds {
    /// No message of the table.
    Other,
    /// A message, or a list of them.
    Message(&'static str),
    /// A map of messages.
    Map(&'static str),
}

/// The meaning of a member of a message.
pub(super) enum Member<'t> {
    /// The message does not have this field.
    Unknown,
    /// Something that the table does not describe.
    Other,
    /// A message, or a list of them.
    Message(&'t Message),
    /// A map of messages.
    Map(&'t Message),
}

impl EnvoyFields {
    /// Reads the table.
    pub(super) fn new() -> Self {
        let (mut messages, mut full) = (HashMap::new(), HashMap::new());
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            let mut words = line.split(' ').filter(|word| !word.is_empty());
            let Some(whole) = words.next() else { continue };
            let name = whole.split_once(".v3.").map_or(whole, |(_, name)| name);
            full.insert(whole, whole);
            full.insert(name, whole);
            messages.insert(whole, Message { name, fields: words.map(field).collect() });
        }
        Self { messages, full }
    }

    /// The message of this full name, such as `envoy.config.route.v3.Route`.
    pub(super) fn message(&self, name: &str) -> Option<&Message> {
        self.messages.get(name)
    }

    /// The meaning of `member` of `message`. Protobuf's JSON form may spell it in camel case.
    pub(super) fn member(&self, message: &Message, member: &str) -> Member<'_> {
        let Some(field) = message.fields.iter().find(|field| is_same(member, field.name)) else {
            return Member::Unknown;
        };
        let found = |name| self.full.get(name).and_then(|full| self.messages.get(full));
        match field.holds {
            Holds::Other => Member::Other,
            Holds::Message(name) => found(name).map_or(Member::Other, Member::Message),
            Holds::Map(name) => found(name).map_or(Member::Other, Member::Map),
        }
    }
}

impl Message {
    /// Whether it has this field.
    pub(super) fn has(&self, member: &str) -> bool {
        self.names().any(|name| is_same(member, name))
    }

    /// The names of its fields.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.fields.iter().map(|field| field.name)
    }
}

fn field(word: &'static str) -> Field {
    let (name, held) = word.split_once(':').unwrap_or((word, ""));
    let between = |start, end| held.strip_prefix(start).and_then(|held| held.strip_suffix(end));
    let holds = match (between('{', '}'), between('[', ']')) {
        (Some(held), _) => Holds::Map(held),
        (None, Some(held)) => Holds::Message(held),
        (None, None) if held.is_empty() => Holds::Other,
        (None, None) => Holds::Message(held),
    };
    Field { name, holds }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_that_a_field_holds_is_in_the_table() {
        let table = EnvoyFields::new();
        let mut held = 0;
        for field in table.messages.values().flat_map(|message| &message.fields) {
            if let Holds::Message(name) | Holds::Map(name) = field.holds {
                assert!(table.full.contains_key(name), "{}: {name}", field.name);
                held += 1;
            }
        }
        assert!(held > 300 && table.messages.len() > 200, "{held} {}", table.messages.len());
    }

    #[test]
    fn a_field_leads_to_its_message() {
        let table = EnvoyFields::new();
        let route = table.message("envoy.config.route.v3.Route").expect("routes");
        let Member::Message(action) = table.member(route, "route") else { panic!("no message") };
        assert_eq!(action.name, "RouteAction");
        assert!(matches!(table.member(route, "metdata"), Member::Unknown));
        assert!(matches!(table.member(route, "typedPerFilterConfig"), Member::Other));
    }
}
