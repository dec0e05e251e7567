//! The members of a record as text, as JSON and as a `google.protobuf.Struct`.

use crate::base::protobuf::put_field;
use crate::base::text::is_plain;
use crate::decision::Reason;
use serde_json::Value;

/// Room for a record as JSON, in bytes: most take less.
pub(super) const JSON_BYTES: usize = 256;

/// Room for a record as a struct, in bytes: most take less.
pub(super) const STRUCT_BYTES: usize = 256;

/// `google.protobuf.Struct.fields`, a map.
pub(super) const STRUCT_FIELDS: u8 = 1;
/// The key of a map's entry.
pub(super) const ENTRY_KEY: u8 = 1;
/// The value of a map's entry.
pub(super) const ENTRY_VALUE: u8 = 2;
/// `google.protobuf.Value.string_value`.
pub(super) const VALUE_STRING: u8 = 3;
/// `google.protobuf.Value.struct_value`.
pub(super) const VALUE_STRUCT: u8 = 5;
/// `google.protobuf.Value.list_value`.
pub(super) const VALUE_LIST: u8 = 6;
/// `google.protobuf.ListValue.values`.
pub(super) const LIST_VALUES: u8 = 1;

/// The value of a member of a record.
#[derive(Clone, Copy)]
pub(super) enum Shown<'r> {
    Text(&'r str),
    Reasons(&'r [Reason]),
    Members(&'r [(&'r str, &'r str)]),
}

/// Reasons as a log line has them.
#[must_use]
pub fn listed(reasons: &[Reason]) -> String {
    reasons.iter().map(|reason| reason.name()).collect::<Vec<_>>().join(",")
}

/// A `google.protobuf.ListValue`.
pub(super) fn struct_list(reasons: &[Reason]) -> Vec<u8> {
    let (mut list, mut text) = (Vec::new(), Vec::new());
    for reason in reasons {
        text.clear();
        put_field(&mut text, VALUE_STRING, reason.name().as_bytes());
        put_field(&mut list, LIST_VALUES, &text);
    }
    list
}

/// A `google.protobuf.Struct` of texts.
pub(super) fn struct_of(members: &[(&str, &str)]) -> Vec<u8> {
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
pub(super) fn push_json(text: &mut String, value: &str) {
    if is_plain(value.as_bytes()) {
        text.push('"');
        text.push_str(value);
        text.push('"');
    } else {
        text.push_str(&Value::from(value).to_string());
    }
}
