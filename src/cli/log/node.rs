//! A JSON value that borrows from the line that it is read from.

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// The members of an object, in their order.
pub(super) type Members<'l> = Vec<(Cow<'l, str>, Node<'l>)>;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::cli) enum Node<'l> {
    /// `null` or a boolean: no record has one that matters.
    Nothing,
    Integer(i64),
    Float(f64),
    Text(Cow<'l, str>),
    List(Vec<Self>),
    Object(Members<'l>),
}

impl<'l> Node<'l> {
    /// Reads one value, and nothing after it.
    pub(super) fn parse(text: &'l str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// The member of that name.
pub(super) fn member<'n, 'l>(members: &'n [(Cow<'l, str>, Node<'l>)], name: &str) -> Option<&'n Node<'l>> {
    members.iter().find(|(other, _)| other == name).map(|(_, value)| value)
}

/// Text, borrowed where it has no escapes.
struct Text<'l>(Cow<'l, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfText;
        impl<'de> Visitor<'de> for OfText {
            type Value = Text<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("text")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(text.into()))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(text.to_owned().into()))
            }
        }
        deserializer.deserialize_str(OfText)
    }
}

impl<'de> Deserialize<'de> for Node<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfNode;
        impl<'de> Visitor<'de> for OfNode {
            type Value = Node<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("JSON")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Node<'de>, E> {
                Ok(Node::Nothing)
            }

            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Node<'de>, E> {
                Ok(Node::Nothing)
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Node<'de>, E> {
                Ok(Node::Integer(number))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Node<'de>, E> {
                Ok(Node::Integer(i64::try_from(number).unwrap_or(i64::MAX)))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Node<'de>, E> {
                Ok(Node::Float(number))
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Node<'de>, E> {
                Ok(Node::Text(text.into()))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Node<'de>, E> {
                Ok(Node::Text(text.to_owned().into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node<'de>, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Node::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node<'de>, A::Error> {
                let mut members = Vec::with_capacity(16);
                while let Some((name, value)) = entries.next_entry::<Text<'de>, _>()? {
                    members.push((name.0, value));
                }
                Ok(Node::Object(members))
            }
        }
        deserializer.deserialize_any(OfNode)
    }
}
