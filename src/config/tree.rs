//! A configuration as a tree of values, from a protobuf Struct, JSON or YAML.

use crate::base::json::{Map, Value};
use std::fmt;

/// A value and its position, if known.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// The value.
    pub value: Tree,
    /// Its line and column.
    pub at: Option<Position>,
}

/// A line and a column, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Tree {
    Null,
    Bool(bool),
    Whole(i64),
    /// A number that is not whole, or too large to be exact.
    Fraction(f64),
    Text(String),
    List(Vec<Node>),
    /// Members in their order. YAML may repeat names; the reader reports that.
    Object(Vec<(String, Node)>),
}

impl From<Tree> for Node {
    fn from(value: Tree) -> Self {
        Self { value, at: None }
    }
}

impl Tree {
    /// The kind of the value, for messages.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Whole(_) => "a whole number",
            Self::Fraction(_) => "a fractional number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    /// The tree as a JSON value.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(flag) => Value::Bool(*flag),
            Self::Whole(number) => Value::from(*number),
            Self::Fraction(number) => Value::from(*number),
            Self::Text(text) => Value::String(text.clone()),
            Self::List(items) => items.iter().map(|item| item.value.to_json()).collect(),
            Self::Object(members) => {
                // One by one, since `collect` would bring 5 KB of sorting into the module.
                let mut object = Map::new();
                for (name, node) in members {
                    object.insert(name.clone(), node.value.to_json());
                }
                Value::Object(object)
            }
        }
    }
}

/// From JSON whose duplicate members have been refused already.
impl From<Value> for Node {
    fn from(value: Value) -> Self {
        let tree = match value {
            Value::Null => Tree::Null,
            Value::Bool(flag) => Tree::Bool(flag),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => Tree::Whole(whole),
                None => Tree::Fraction(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => Tree::Text(text),
            Value::Array(items) => Tree::List(items.into_iter().map(Self::from).collect()),
            Value::Object(members) => {
                Tree::Object(members.into_iter().map(|(name, value)| (name, Self::from(value))).collect())
            }
        };
        tree.into()
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.line, self.column)
    }
}
