//! JSON that two readers cannot understand differently: duplicate members are refused at any depth
//! (RFC 7515 section 4 and RFC 7519 section 4 leave the choice of refusing or taking the last).
//!
//! Nesting stops at 128 levels, trailing data, a byte-order mark, invalid UTF-8, lone surrogates and numbers
//! beyond the range of a double are errors.

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
pub use serde_json::{Map, Number, Value};
use std::collections::BTreeSet;
use std::fmt;

/// The type of a JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonType {
    /// `null`.
    Null,
    /// A boolean.
    Boolean,
    /// A number.
    Number,
    /// A string.
    Text,
    /// An array.
    List,
    /// An object.
    Object,
}

impl JsonType {
    /// The type of this value.
    #[must_use]
    pub const fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Boolean,
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::Text,
            Value::Array(_) => Self::List,
            Value::Object(_) => Self::Object,
        }
    }

    /// The type in words, with its article.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::Text => "text",
            Self::List => "a list",
            Self::Object => "an object",
        }
    }
}

/// Says that a member has another type than it must have, in words that are made in advance: a refusal that is not
/// logged formats nothing.
macro_rules! wrong_type {
    ($kind:expr, $label:expr, $wanted:literal) => {
        match $kind {
            $crate::base::json::JsonType::Null => concat!($label, " is null, not ", $wanted),
            $crate::base::json::JsonType::Boolean => concat!($label, " is a boolean, not ", $wanted),
            $crate::base::json::JsonType::Number => concat!($label, " is a number, not ", $wanted),
            $crate::base::json::JsonType::Text => concat!($label, " is text, not ", $wanted),
            $crate::base::json::JsonType::List => concat!($label, " is a list, not ", $wanted),
            $crate::base::json::JsonType::Object => concat!($label, " is an object, not ", $wanted),
        }
    };
}
pub(crate) use wrong_type;

/// Reads one JSON text.
///
/// # Errors
/// A message with the line and column, when `text` is not JSON or has a duplicate member. The message never
/// quotes a value.
pub fn parse(text: &[u8]) -> Result<Value, serde_json::Error> {
    read(text, Unique { marks: false })
}

/// Reads one JSON text, in which objects may have duplicate members: see [`has_duplicates`].
///
/// # Errors
/// When `text` is not JSON.
pub fn parse_with_duplicates(text: &[u8]) -> Result<Value, serde_json::Error> {
    read(text, Unique { marks: true })
}

/// Whether there are duplicate members in a value that [`parse_with_duplicates`] has read, at any depth.
#[must_use]
pub fn has_duplicates(value: &Value) -> bool {
    match value {
        Value::Object(object) => is_marked(object) || object.values().any(has_duplicates),
        Value::Array(items) => items.iter().any(has_duplicates),
        _ => false,
    }
}

/// Whether an object that [`parse_with_duplicates`] has read has a member twice itself.
#[must_use]
pub fn is_marked(object: &Map<String, Value>) -> bool {
    object.contains_key(MARK)
}

fn read(text: &[u8], how: Unique) -> Result<Value, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = how.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// Reads one JSON text that must be an object.
#[must_use]
pub fn parse_object(text: &[u8]) -> Option<Map<String, Value>> {
    match parse(text) {
        Ok(Value::Object(object)) => Some(object),
        _ => None,
    }
}

/// A text without the byte order mark that some servers put before JSON.
#[must_use]
pub fn without_byte_order_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

/// Whether `text` is one JSON text that [`parse`] would read.
#[must_use]
pub fn check(text: &[u8]) -> bool {
    let mut reader = serde_json::Deserializer::from_slice(text);
    Check.deserialize(&mut reader).is_ok() && reader.end().is_ok()
}

/// The member that marks an object with duplicates. A text that holds it itself is taken for one with duplicates.
const MARK: &str = "\0duplicate member";

/// A reader of values that refuses an object with two members of the same name, or marks it.
#[derive(Clone, Copy)]
struct Unique {
    marks: bool,
}

impl<'de> DeserializeSeed<'de> for Unique {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        let mut marked = false;
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(self)?;
            if object.insert(name, value).is_some() {
                if !self.marks {
                    return Err(de::Error::custom("duplicate member"));
                }
                marked = true;
            }
        }
        if marked {
            object.insert(MARK.to_owned(), Value::Bool(true));
        }
        Ok(Value::Object(object))
    }
}

/// Refuses what the reader of values refuses, and keeps only the names of an object.
struct Check;

impl<'de> DeserializeSeed<'de> for Check {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Check {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        if value.is_finite() { Ok(()) } else { Err(E::custom("number out of range")) }
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut names = BTreeSet::new();
        while let Some(name) = members.next_key::<String>()? {
            members.next_value_seed(Self)?;
            if !names.insert(name) {
                return Err(de::Error::custom("duplicate member"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(text: &str) -> bool {
        let read = parse(text.as_bytes()).is_ok();
        assert_eq!(read, check(text.as_bytes()), "both readers agree on {text:?}");
        read
    }

    #[test]
    fn reads_what_json_is() {
        assert!(accepted(" {\"a\": [1, -2.5, true, null, \"\\u00e9\"]}\n"));
    }

    #[test]
    fn refuses_duplicate_members_at_any_depth_and_in_any_spelling() {
        assert!(!accepted(r#"{"exp":1,"exp":2}"#));
        assert!(!accepted(r#"{"exp":1,"\u0065xp":2}"#));
        assert!(!accepted(r#"{"a":[{"b":{"c":1,"c":1}}]}"#));
    }

    #[test]
    fn marks_objects_with_duplicate_members_where_it_is_told_to() {
        let read = |text: &str| parse_with_duplicates(text.as_bytes()).expect("JSON");
        for text in [r#"{"a":1,"a":2}"#, r#"[{"b":{"c":[{"d":1,"d":1}]}}]"#, r#"{"a":1,"\u0061":2}"#] {
            assert!(has_duplicates(&read(text)), "{text}");
        }
        for text in [r#"{"a":1,"b":{"a":1}}"#, "[1,1]", "null"] {
            assert_eq!((has_duplicates(&read(text)), Some(read(text))), (false, parse(text.as_bytes()).ok()), "{text}");
        }
        assert!(parse_with_duplicates(b"{\"a\":1,\"a\":}").is_err());
    }

    #[test]
    fn refuses_what_is_not_json() {
        for text in [
            "",
            "{",
            "{}x",
            "{} {}",
            "\u{feff}{}",
            "{\"a\":NaN}",
            "{\"a\":1,}",
            "{\"a\":1e400}",
            "// {}\n{}",
            "{\"a\":\"\\ud800\"}",
            "{'a':1}",
            "{\"a\":01}",
        ] {
            assert!(!accepted(text), "{text:?}");
        }
        assert!(parse(b"{\"a\":\"\xff\"}").is_err());
        assert!(parse(&[0xff, 0xfe, b'{', 0, b'}', 0]).is_err());
    }

    #[test]
    fn stops_at_a_depth_that_the_stack_can_bear() {
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(accepted(&deep(100)));
        assert!(!accepted(&deep(100_000)));
    }
}
