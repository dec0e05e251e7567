//! The members of a record as JSON, as a `google.protobuf.Struct`, and as text of a log line.

use crate::base::protobuf::{put_double, put_field};
use crate::base::text::{is_plain, push_number};
use crate::decision::Reason;
use crate::policy::AuditField;
use serde_json::Value;

/// Room for a record as JSON, in bytes: most take less.
pub(super) const JSON_BYTES: usize = 384;

/// Room for a record as a struct, in bytes: most take less.
pub(super) const STRUCT_BYTES: usize = 384;

/// `google.protobuf.Struct.fields`, a map.
pub(super) const STRUCT_FIELDS: u8 = 1;
/// The key of a map's entry.
pub(super) const ENTRY_KEY: u8 = 1;
/// The value of a map's entry.
pub(super) const ENTRY_VALUE: u8 = 2;
/// `google.protobuf.Value.number_value`.
const VALUE_NUMBER: u8 = 2;
/// `google.protobuf.Value.string_value`.
const VALUE_STRING: u8 = 3;
/// `google.protobuf.Value.struct_value`.
const VALUE_STRUCT: u8 = 5;
/// `google.protobuf.Value.list_value`.
const VALUE_LIST: u8 = 6;
/// `google.protobuf.ListValue.values`.
const LIST_VALUES: u8 = 1;

/// Members that a log line has in quotes: text that the configuration or the decision has no words for, or several words.
/// It cannot hold a quotation mark, so it cannot look like further members.
const QUOTED: [&str; 18] = [
    "event_id",
    "identity",
    "subject",
    "member",
    "received",
    "unverified_received",
    "wanted",
    "requirement",
    "added_requirement",
    "client_id",
    "kid",
    "scopes",
    "scopes_needed",
    "scopes_missing",
    "method",
    "virtual_host",
    "route",
    "request_id",
];

/// The value of a member of a record.
#[derive(Clone, Copy)]
pub(super) enum Shown<'r> {
    Text(&'r str),
    /// Text that is printed and written in JSON as it is.
    Plain(&'r str),
    Number(i32),
    Texts(&'r [&'r str]),
    Members(&'r [(&'r str, &'r str)]),
}

impl Shown<'_> {
    /// Appends it to a JSON object as a member, the first one with the brace before it. Every record has some, so each is
    /// put together of few parts.
    pub(super) fn push_member(self, field: AuditField, text: &mut String) {
        let plain = match self {
            Shown::Plain(value) => Some(value),
            Shown::Text(value) => Some(value).filter(|value| is_plain(value.as_bytes())),
            Shown::Number(_) | Shown::Texts(_) | Shown::Members(_) => None,
        };
        let mut start = field.json;
        if text.is_empty() {
            text.push('{');
            start = start.strip_prefix(',').unwrap_or_default();
        }
        if let Some(value) = plain {
            text.push_str(start);
            text.push_str(value);
            text.push('"');
        } else {
            text.push_str(start.strip_suffix('"').unwrap_or_default());
            self.push_json(text);
        }
    }

    /// Appends it as JSON.
    fn push_json(self, text: &mut String) {
        match self {
            Shown::Text(value) | Shown::Plain(value) => push_string(text, value),
            Shown::Number(number) => push_number(text, number.into()),
            Shown::Texts(items) => {
                text.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        text.push(',');
                    }
                    push_string(text, item);
                }
                text.push(']');
            }
            Shown::Members(members) => {
                for (index, (name, value)) in members.iter().enumerate() {
                    text.push_str(if index == 0 { "{\"" } else { ",\"" });
                    text.push_str(name);
                    text.push_str("\":");
                    push_string(text, value);
                }
                text.push('}');
            }
        }
    }

    /// Appends it as a `google.protobuf.Value`.
    pub(super) fn put_value(self, value: &mut Vec<u8>) {
        match self {
            Shown::Text(text) | Shown::Plain(text) => put_field(value, VALUE_STRING, text.as_bytes()),
            Shown::Number(number) => put_double(value, VALUE_NUMBER, f64::from(number)),
            Shown::Texts(items) => {
                let (mut list, mut text) = (Vec::new(), Vec::new());
                for item in items {
                    text.clear();
                    put_field(&mut text, VALUE_STRING, item.as_bytes());
                    put_field(&mut list, LIST_VALUES, &text);
                }
                put_field(value, VALUE_LIST, &list);
            }
            Shown::Members(members) => put_field(value, VALUE_STRUCT, &struct_of(members)),
        }
    }

    /// Appends it to a log line, as the value of the member `name`.
    pub(super) fn push_to_line(self, name: &str, line: &mut String) {
        let is_quoted = QUOTED.contains(&name);
        match self {
            Shown::Members(members) => {
                // Each in quotes, as text of the request is.
                let each: Vec<String> =
                    members.iter().map(|(name, value)| [name, ":\"", value, "\""].concat()).collect();
                line.push_str(&each.join(","));
            }
            Shown::Number(number) => push_number(line, number.into()),
            Shown::Text(text) | Shown::Plain(text) if is_quoted => push_quoted(line, text),
            Shown::Text(text) | Shown::Plain(text) => line.push_str(text),
            Shown::Texts(items) if is_quoted => push_quoted(line, &items.join(" ")),
            Shown::Texts(items) => line.push_str(&items.join(",")),
        }
    }
}

fn push_quoted(line: &mut String, text: &str) {
    line.push('"');
    line.push_str(text);
    line.push('"');
}

/// Reasons as a log line has them.
#[must_use]
pub fn listed(reasons: &[Reason]) -> String {
    reasons.iter().map(|reason| reason.name()).collect::<Vec<_>>().join(",")
}

/// A `google.protobuf.Struct` of texts.
fn struct_of(members: &[(&str, &str)]) -> Vec<u8> {
    let (mut message, mut entry, mut text) = (Vec::new(), Vec::new(), Vec::new());
    for (name, value) in members {
        text.clear();
        entry.clear();
        put_field(&mut text, VALUE_STRING, value.as_bytes());
        put_field(&mut entry, ENTRY_KEY, name.as_bytes());
        put_field(&mut entry, ENTRY_VALUE, &text);
        put_field(&mut message, STRUCT_FIELDS, &entry);
    }
    message
}

/// Appends a JSON string.
fn push_string(text: &mut String, value: &str) {
    if is_plain(value.as_bytes()) {
        text.push('"');
        text.push_str(value);
        text.push('"');
    } else {
        text.push_str(&Value::from(value).to_string());
    }
}
