//! What came and what was wanted: kept of a refused token to explain the cause, and put into words only for them.

use crate::base::json::JsonType;
use crate::base::members::Raw;
use crate::base::text::{SHOWN_BYTES, escaped};
use crate::policy::{IssuerId, TokenRequirement};
use std::borrow::Cow;
use std::rc::Rc;

/// The member of a token that a check refused, with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Mismatch {
    /// The claim, or `header` and the header parameter.
    pub member: Cow<'static, str>,
    /// Its value.
    pub received: Received,
    /// The issuer that the token names, where it is one of the policy.
    pub issuer: Option<IssuerId>,
    /// What the requirements ask.
    pub asks: Vec<Rc<TokenRequirement>>,
    /// The condition that failed, where it is one on a claim.
    pub condition: Option<FailedCondition>,
}

/// A condition on a claim that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedCondition {
    /// Its place among all conditions of the requirements, from 0.
    pub index: usize,
    /// The part of the request that the claim was compared with, where there is one.
    pub part: Option<Received>,
}

/// The value of a member. Of a long one the beginning is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// There is no such member.
    Missing,
    /// There is one, and records do not show its value.
    NotShown(JsonType),
    /// This value, of that type: the text of a string, the strings of a list with `, ` between them, else JSON.
    Value(JsonType, Box<[u8]>),
}

impl Received {
    /// The value of a member.
    #[must_use]
    pub fn of(value: Option<Raw<'_>>) -> Self {
        let Some(value) = value else { return Self::Missing };
        let text = match value.kind() {
            JsonType::Text => value.as_text(),
            JsonType::List => value.as_texts().map(|items| items.join(", ").into()),
            JsonType::Null | JsonType::Boolean | JsonType::Number | JsonType::Object => None,
        };
        Self::capped(value.kind(), text.as_deref().unwrap_or(value.as_json()))
    }

    /// A text.
    #[must_use]
    pub fn text(text: Option<&str>) -> Self {
        text.map_or(Self::Missing, |text| Self::capped(JsonType::Text, text))
    }

    /// A value, of which only its type is kept.
    #[must_use]
    pub fn hidden(value: Option<Raw<'_>>) -> Self {
        value.map_or(Self::Missing, |value| Self::NotShown(value.kind()))
    }

    fn capped(kind: JsonType, text: &str) -> Self {
        // One byte more than is shown tells that it is not all.
        let bytes = text.as_bytes();
        Self::Value(kind, bytes.get(..=SHOWN_BYTES).unwrap_or(bytes).into())
    }

    /// Its type, where it is there.
    #[must_use]
    pub const fn kind(&self) -> Option<JsonType> {
        match self {
            Self::Missing => None,
            Self::NotShown(kind) | Self::Value(kind, _) => Some(*kind),
        }
    }

    /// The value as it may be shown.
    #[must_use]
    pub fn shown(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Missing | Self::NotShown(_) => None,
            Self::Value(_, text) => Some(escaped(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::members::Members;

    fn received(value: &str) -> Received {
        let members = Members::parse(format!("{{\"a\":{value}}}").into_bytes()).expect("an object");
        Received::of(members.get("a"))
    }

    #[test]
    fn a_value_is_shown_escaped_and_capped() {
        for (value, wanted) in [
            (r#""a\nb\"c""#, "a%0Ab%22c"),
            (r#"["a","b"]"#, "a, b"),
            (r#"["a",1]"#, "[%22a%22,1]"),
            ("12.5", "12.5"),
            (r#"{"a":1}"#, "{%22a%22:1}"),
            ("null", "null"),
        ] {
            assert_eq!(received(value).shown().as_deref(), Some(wanted), "{value}");
        }
        let long = received(&format!("\"{}\"", "é".repeat(500)));
        let long = long.shown().expect("a value");
        assert_eq!((long.len(), long.ends_with("...")), (SHOWN_BYTES * 3 + 3, true));
        let whole = received(&format!("\"{}\"", "a".repeat(SHOWN_BYTES)));
        assert_eq!(whole.shown().expect("a value"), "a".repeat(SHOWN_BYTES));
        assert_eq!((Received::of(None).shown(), Received::NotShown(JsonType::Text).shown()), (None, None));
    }
}
