//! A JSON object taken apart without being copied: the text, and the positions of its members.
//!
//! Accepts exactly the objects that [`super::json::parse_object`] does, but for nesting, which stops at 128 levels
//! below a member. What is looked at is read; the rest stays text. A tree of values would be several times as large,
//! and most of it is never asked for.

use super::json::{self, JsonType, Value};
use super::text::holds;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::ops::Range;

/// A JSON object: its text, and an index of its members by name.
#[derive(Clone)]
pub struct Members {
    /// The text of the object, followed by the names that it spells with escapes.
    text: Box<str>,
    /// Sorted by the heads of the names, then by their lengths and bytes.
    index: Box<[Member]>,
}

/// The place of a member in the text, in bytes.
#[derive(Clone, Copy, Debug)]
struct Member {
    head: Head,
    name: Span,
    value: Span,
}

/// The length of a name, or 255, and its first seven bytes. Most names are told apart by it, and found by a few comparisons of
/// numbers: every check of a token looks for some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Head(u64);

#[derive(Clone, Copy, Debug)]
struct Span {
    start: u32,
    end: u32,
}

/// A JSON value as text that has been checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw<'a>(&'a str);

impl Members {
    /// Reads one JSON text that must be an object without duplicate members at any depth.
    #[must_use]
    pub fn parse(text: Vec<u8>) -> Option<Self> {
        let mut text = String::from_utf8(text).ok()?;
        let found = read(&text)?;
        let mut index = Vec::with_capacity(found.len());
        let mut escaped = String::new();
        for (name, value) in &found {
            let value = span_of(&text, value.get())?;
            let name = match name {
                Cow::Borrowed(name) => span_of(&text, name)?,
                Cow::Owned(name) => {
                    let start = text.len().checked_add(escaped.len())?;
                    escaped.push_str(name);
                    Span::new(start, name.len())?
                }
            };
            index.push(Member { head: Head(0), name, value });
        }
        text.push_str(&escaped);
        for member in &mut index {
            member.head = Head::of(member.name.bytes_of(&text));
        }
        index.sort_unstable_by(|a, b| a.order(&text, b.head, b.name.bytes_of(&text)));
        let twice = index.windows(2).any(|pair| match pair {
            [a, b] => a.order(&text, b.head, b.name.bytes_of(&text)) == Ordering::Equal,
            _ => false,
        });
        if twice {
            return None;
        }
        Some(Self { text: text.into_boxed_str(), index: index.into_boxed_slice() })
    }

    /// The value of the member `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Raw<'_>> {
        let head = Head::of(name.as_bytes());
        let at = self.index.binary_search_by(|member| member.order(&self.text, head, name.as_bytes())).ok()?;
        self.index.get(at).map(|member| Raw(member.value.of(&self.text)))
    }

    /// How many members there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// How many bytes of memory it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.text.len() + size_of_val(&*self.index)
    }
}

/// Shows how many members there are, and nothing of what they say.
impl fmt::Debug for Members {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Members({})", self.index.len())
    }
}

impl Head {
    fn of(name: &[u8]) -> Self {
        let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
        let start = name.first_chunk::<7>().map_or(name, <[u8; 7]>::as_slice);
        let mut word = u64::from(length);
        for byte in start {
            word = word << 8 | u64::from(*byte);
        }
        for _ in start.len()..7 {
            word <<= 8;
        }
        Self(word)
    }

    /// Whether it is the whole of a name.
    const fn is_all(self) -> bool {
        self.0 < 8 << 56
    }
}

impl Member {
    /// The order of its name, and another with this head.
    fn order(&self, text: &str, head: Head, other: &[u8]) -> Ordering {
        match self.head.cmp(&head) {
            Ordering::Equal if !head.is_all() => {
                let own = self.name.bytes_of(text);
                own.len().cmp(&other.len()).then_with(|| own.cmp(other))
            }
            order => order,
        }
    }
}

impl Span {
    fn new(start: usize, length: usize) -> Option<Self> {
        Some(Self { start: u32::try_from(start).ok()?, end: u32::try_from(start.checked_add(length)?).ok()? })
    }

    /// The part of `text` at this place.
    fn of(self, text: &str) -> &str {
        self.range().and_then(|range| text.get(range)).unwrap_or_default()
    }

    fn bytes_of(self, text: &str) -> &[u8] {
        self.range().and_then(|range| text.as_bytes().get(range)).unwrap_or_default()
    }

    fn range(self) -> Option<Range<usize>> {
        Some(usize::try_from(self.start).ok()?..usize::try_from(self.end).ok()?)
    }
}

/// The place of `part`, which is borrowed from `text`, in it.
fn span_of(text: &str, part: &str) -> Option<Span> {
    Span::new(part.as_ptr().addr().checked_sub(text.as_ptr().addr())?, part.len())
}

impl<'a> Raw<'a> {
    /// A value of which the caller has checked that it is one, without white space around it.
    #[must_use]
    pub const fn checked(text: &'a str) -> Self {
        Self(text)
    }

    /// The text of a JSON string; `None` for a value of another type.
    #[must_use]
    pub fn as_text(self) -> Option<Cow<'a, str>> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        if holds(inner.as_bytes(), b'\\') {
            serde_json::from_str(self.0).ok().map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(inner))
        }
    }

    /// The items of a list of nothing but strings; `None` for anything else.
    #[must_use]
    pub fn as_texts(self) -> Option<Vec<Cow<'a, str>>> {
        if !self.0.starts_with('[') {
            return None;
        }
        let items: Vec<&'a RawValue> = serde_json::from_str(self.0).ok()?;
        items.into_iter().map(|item| Raw(item.get()).as_text()).collect()
    }

    /// The items of a list; `None` for anything else.
    #[must_use]
    pub fn items(self) -> Option<Vec<Self>> {
        if !self.0.starts_with('[') {
            return None;
        }
        let items: Vec<&'a RawValue> = serde_json::from_str(self.0).ok()?;
        Some(items.into_iter().map(|item| Raw(item.get())).collect())
    }

    /// Its type.
    #[must_use]
    pub fn kind(self) -> JsonType {
        match self.0.bytes().next() {
            Some(b'"') => JsonType::Text,
            Some(b'[') => JsonType::List,
            Some(b'{') => JsonType::Object,
            Some(b't' | b'f') => JsonType::Boolean,
            Some(b'n') => JsonType::Null,
            _ => JsonType::Number,
        }
    }

    /// Its JSON text.
    #[must_use]
    pub const fn as_json(self) -> &'a str {
        self.0
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.0 == "null"
    }

    /// The members of an object, names and values; `None` for anything else.
    #[must_use]
    pub fn members(self) -> Option<Vec<(Cow<'a, str>, Self)>> {
        if !self.0.starts_with('{') {
            return None;
        }
        Some(read(self.0)?.into_iter().map(|(name, value)| (name, Raw(value.get()))).collect())
    }

    /// The member `name` of an object.
    #[must_use]
    pub fn member(self, name: &str) -> Option<Self> {
        if !self.0.starts_with('{') {
            return None;
        }
        read(self.0)?.into_iter().find(|(other, _)| other == name).map(|(_, value)| Raw(value.get()))
    }

    /// The value, read.
    #[must_use]
    pub fn to_value(self) -> Value {
        // The text has been checked, so there is nothing here that cannot be read.
        json::parse(self.0.as_bytes()).unwrap_or_default()
    }
}

/// The members of an object as they are in `text`; values are checked, and names that are there twice are found by the
/// caller.
fn read(text: &str) -> Option<Vec<(Cow<'_, str>, &RawValue)>> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let members = reader.deserialize_map(MembersVisitor).ok()?;
    reader.end().ok()?;
    members.iter().all(|(_, value)| is_sound(value.get())).then_some(members)
}

/// Whether a value, of which the form is known to be right, also holds what a reader of that value would refuse:
/// duplicate members, lone surrogates, numbers out of range, endless nesting.
fn is_sound(value: &str) -> bool {
    value.starts_with('"') && !value.contains('\\') || json::check(value.as_bytes())
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(12);
        while let Some(name) = map.next_key_seed(Name)? {
            members.push((name, map.next_value()?));
        }
        Ok(members)
    }
}

/// Reads a name without copying it where it has no escapes.
struct Name;

impl<'de> de::DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn members_are_found_by_name_however_it_is_spelled() {
        let text = r#" {"sub":"alice","\u0065xp":12,"a":{"b":["x","y"]},"n":null,"e":"a\"b","l":["x",1]} "#;
        let members = Members::parse(text.as_bytes().to_vec()).expect("an object");
        assert_eq!(members.get("sub").and_then(Raw::as_text).as_deref(), Some("alice"));
        assert_eq!(members.get("exp").map(Raw::to_value), Some(12.into()));
        assert_eq!(members.get("e").and_then(Raw::as_text).as_deref(), Some("a\"b"));
        assert!(members.get("n").is_some_and(Raw::is_null));
        assert_eq!(members.get("l").and_then(Raw::as_texts), None);
        let list = members.get("a").and_then(|a| a.member("b")).and_then(Raw::as_texts);
        assert_eq!(list.map(|items| items.join(" ")).as_deref(), Some("x y"));
        for missing in ["", "su", "subj", "\\u0065xp", "b"] {
            assert_eq!(members.get(missing), None, "{missing:?}");
        }
    }

    #[test]
    fn names_that_begin_alike_are_told_apart() {
        let long = "n".repeat(254);
        let mut names: Vec<String> =
            ["", "a", "a\0", "scope", "scope_a", "scope_ab", "scope_ac", "scope_abc", "\u{e9}"]
                .map(str::to_owned)
                .to_vec();
        names.extend(["", "a", "b", "aa", "ab", "m"].map(|end| format!("{long}{end}")));
        let object: serde_json::Map<String, Value> =
            names.iter().map(|name| (name.clone(), name.as_str().into())).collect();
        let members = Members::parse(Value::from(object).to_string().into_bytes()).expect("an object");
        for name in &names {
            assert_eq!(members.get(name).and_then(Raw::as_text).as_deref(), Some(name.as_str()));
        }
        for missing in ["\0", "a\0\0", "b", "scope\0", "scope_b", "scope_ad", "scope_abd", &format!("{long}c")] {
            assert_eq!(members.get(missing), None, "{missing:?}");
        }
        let twice = format!(r#"{{"{long}ab":1,"{long}aa":2,"{long}ab":3}}"#);
        assert!(Members::parse(twice.into_bytes()).is_none());
    }

    #[test]
    fn what_the_reader_of_values_refuses_is_refused() {
        for text in [
            r#"{"a":1,"a":2}"#,
            r#"{"exp":1,"\u0065xp":2}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":[{"b":1,"b":2}]}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"\ud800":1}"#,
            r#"{"a":1e400}"#,
            r#"{"a":[1e400]}"#,
            r#"{"a":1} x"#,
            r#"{"a":01}"#,
            r#"{"a":'b'}"#,
            "{\"a\":\"\u{1}\"}",
            "[]",
            "1",
            "",
            "\u{feff}{}",
        ] {
            assert!(Members::parse(text.as_bytes().to_vec()).is_none(), "{text}");
            assert!(json::parse_object(text.as_bytes()).is_none(), "{text}");
        }
        assert!(Members::parse(b"{\"a\":\"\xff\"}".to_vec()).is_none());
    }

    proptest! {
        #[test]
        fn it_takes_what_the_reader_of_values_takes_and_reads_the_same(
            text in r#"\{("[ab\\]{0,2}|\\u006[12]"?:?(1e?[0-9]{0,3}|-|"(\\?[ntu"]|a){0,3}"|\[?"a",?"b"\]?|\{"a":1,?("a":2)?\}|null|tru?e),?[ ,}]?){0,4}\}?"#
        ) {
            let (tree, members) = (json::parse_object(text.as_bytes()), Members::parse(text.clone().into_bytes()));
            prop_assert_eq!(tree.is_some(), members.is_some());
            if let (Some(tree), Some(members)) = (tree, members) {
                prop_assert_eq!(tree.len(), members.index.len());
                for (name, value) in tree {
                    let raw = members.get(&name).expect("the same names");
                    prop_assert_eq!(raw.to_value(), value.clone());
                    let text = raw.as_text();
                    prop_assert_eq!(text.as_deref(), value.as_str());
                    prop_assert_eq!(raw.is_null(), value.is_null());
                    let texts = value.as_array().and_then(|items| items.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
                    prop_assert_eq!(raw.as_texts(), texts.map(|texts| texts.into_iter().map(Cow::from).collect()));
                }
            }
        }
    }
}
