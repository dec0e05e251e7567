//! YAML, for the command: scalars become what Envoy makes of them, so that a file means the same to both.
//!
//! Envoy reads YAML without a schema (measured on 1.40): an unquoted `yes`, `on` or `y` is a boolean, a fraction or a
//! date is text, `0x10` is 16 and `010` is 8, and a whole number beyond 32 bits is text. Of keys that are there twice it
//! silently uses the last; the reader of the tree reports them.

use super::embedded::JsonText;
use super::tree::{Node, Position, Tree};
use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use std::collections::HashMap;
use std::fmt;

/// The deepest nesting.
const MAX_DEPTH: usize = 100;
/// The most values, those of repeated aliases included.
const MAX_VALUES: usize = 2_000_000;

/// Why a text is not YAML that can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YamlError {
    /// What is wrong.
    pub what: String,
    /// Where.
    pub at: Option<Position>,
}

impl fmt::Display for YamlError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = self.at {
            write!(formatter, "{at}: ")?;
        }
        formatter.write_str(&self.what)
    }
}

impl std::error::Error for YamlError {}

/// Reads one YAML document; JSON is YAML too.
///
/// # Errors
/// When the text is not YAML, holds no or several documents, or uses tags or keys that are not text.
pub fn read_yaml(text: &str) -> Result<Node, YamlError> {
    let mut documents = read_yaml_with_texts(text)?.0.into_iter();
    match (documents.next(), documents.next()) {
        (Some(document), None) => Ok(document),
        (None, _) => Err(wrong("there is no document", None)),
        (Some(_), Some(second)) => Err(wrong("there is a second document", second.at)),
    }
}

/// Reads all documents of a YAML text, such as several Kubernetes resources in one file, and tells where texts stand that
/// hold JSON.
///
/// # Errors
/// When the text is not YAML, or uses tags or keys that are not text.
pub fn read_yaml_with_texts(text: &str) -> Result<(Vec<Node>, Vec<JsonText>), YamlError> {
    let mut reader =
        Reader { events: Parser::new_from_str(text), anchors: HashMap::new(), values: 0, texts: Vec::new() };
    let mut documents = Vec::new();
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
            Event::StreamEnd => return Ok((documents, reader.texts)),
            first => {
                let node = reader.node(first, span, 0)?;
                // What stands between two `---` and is empty is no document.
                if node.value != Tree::Null {
                    documents.push(node);
                }
            }
        }
    }
}

struct Reader<'t, I: saphyr_parser::Input> {
    events: Parser<'t, I>,
    anchors: HashMap<usize, Node>,
    values: usize,
    texts: Vec<JsonText>,
}

impl<'t, I: saphyr_parser::Input> Reader<'t, I> {
    fn next(&mut self) -> Result<(Event<'t>, Span), YamlError> {
        match self.events.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let marker = error.marker();
                let at = Position { line: marker.line(), column: marker.col().saturating_add(1) };
                Err(wrong(format!("not YAML: {}", error.info()), Some(at)))
            }
            None => Err(wrong("the text ends too early", None)),
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, YamlError> {
        let at = Some(position(span));
        self.values = self.values.saturating_add(1);
        if depth > MAX_DEPTH || self.values > MAX_VALUES {
            return Err(wrong("nested too deep, or too large", at));
        }
        let (value, anchor) = match event {
            Event::Scalar(_, _, _, Some(_)) | Event::SequenceStart(_, Some(_)) | Event::MappingStart(_, Some(_)) => {
                return Err(wrong("tags are not supported", at));
            }
            Event::Scalar(text, ScalarStyle::Plain, anchor, None) => (plain(&text), anchor),
            Event::Scalar(text, _, anchor, None) => {
                if text.trim_start().starts_with('{') {
                    let start = position(span);
                    self.texts.push(JsonText { member: start, start, text: text.clone().into_owned() });
                }
                (Tree::Text(text.into_owned()), anchor)
            }
            Event::SequenceStart(anchor, None) => (self.list(depth)?, anchor),
            Event::MappingStart(anchor, None) => (self.object(depth)?, anchor),
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned().ok_or_else(|| wrong("an alias of nothing", at))?;
                self.values = self.values.saturating_add(count(&node));
                return Ok(Node { at, ..node });
            }
            _ => return Err(wrong("a value is missing", at)),
        };
        let node = Node { value, at };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Tree, YamlError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Tree::List(items)),
                (event, span) => items.push(self.node(event, span, depth.saturating_add(1))?),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Tree, YamlError> {
        let mut members = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let name = match event {
                Event::MappingEnd => return Ok(Tree::Object(members)),
                // Envoy takes every key as text: `on: 1` has the key "on".
                Event::Scalar(text, _, _, None) => text.into_owned(),
                _ => return Err(wrong("a key that is not text", Some(position(span)))),
            };
            let (event, value_span) = self.next()?;
            let node = self.node(event, value_span, depth.saturating_add(1))?;
            if let Some(text) = self.texts.last_mut().filter(|text| text.start == position(value_span)) {
                text.member = position(span);
            }
            // A member is found by its key; what is wrong with it is shown there.
            members.push((name, Node { at: Some(position(span)), ..node }));
        }
    }
}

fn count(node: &Node) -> usize {
    match &node.value {
        Tree::List(items) => items.iter().map(count).sum::<usize>().saturating_add(1),
        Tree::Object(members) => members.iter().map(|(_, node)| count(node)).sum::<usize>().saturating_add(1),
        _ => 1,
    }
}

fn wrong(what: impl Into<String>, at: Option<Position>) -> YamlError {
    YamlError { what: what.into(), at }
}

fn position(span: Span) -> Position {
    Position { line: span.start.line(), column: span.start.col().saturating_add(1) }
}

/// What Envoy makes of an unquoted scalar.
fn plain(text: &str) -> Tree {
    if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Tree::Null;
    }
    if let Some(flag) = boolean(text) {
        return Tree::Bool(flag);
    }
    match whole(text) {
        Some(number) if i32::try_from(number).is_ok() => Tree::Whole(number),
        Some(number) => Tree::Text(number.to_string()),
        None => Tree::Text(text.to_owned()),
    }
}

/// The words for true and false in lower case, in upper case, or with a capital.
fn boolean(text: &str) -> Option<bool> {
    let lower = text.to_ascii_lowercase();
    let capital = text.get(1..) == lower.get(1..);
    if !(capital || text == text.to_ascii_uppercase()) {
        return None;
    }
    match lower.as_str() {
        "y" | "yes" | "true" | "on" => Some(true),
        "n" | "no" | "false" | "off" => Some(false),
        _ => None,
    }
}

/// A whole number in decimal, or in hexadecimal after `0x`, or in octal after `0`.
fn whole(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let (radix, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hexadecimal) => (16, hexadecimal),
        None if digits.len() > 1 && digits.starts_with('0') => (8, digits),
        None => (10, digits),
    };
    if !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let number = i64::from_str_radix(digits, radix).ok()?;
    Some(if negative { number.saturating_neg() } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scalar(text: &str) -> Tree {
        match read_yaml(&format!("a: {text}")).expect("YAML").value {
            Tree::Object(mut members) => members.remove(0).1.value,
            other => other,
        }
    }

    #[test]
    fn scalars_are_what_envoy_makes_of_them() {
        for text in ["on", "On", "ON", "yes", "y", "Y", "true", "True"] {
            assert_eq!(scalar(text), Tree::Bool(true), "{text}");
        }
        for text in ["off", "no", "N", "FALSE"] {
            assert_eq!(scalar(text), Tree::Bool(false), "{text}");
        }
        for text in
            ["oN", "tRue", "0.5", "1.0", "1e3", "2026-11-21", "10:30", "08", "0x", "1_000", "30s", "\"on\"", "'5'"]
        {
            assert_eq!(scalar(text), Tree::Text(text.trim_matches(['"', '\'']).to_owned()), "{text}");
        }
        for (text, number) in [("0", 0), ("5", 5), ("-5", -5), ("+5", 5), ("0x10", 16), ("010", 8)] {
            assert_eq!(scalar(text), Tree::Whole(number), "{text}");
        }
        for text in ["~", "null", "", "NULL"] {
            assert_eq!(scalar(text), Tree::Null, "{text:?}");
        }
    }

    #[test]
    fn values_know_where_they_stand() {
        let node = read_yaml("a: 1\nb:\n- x\n- {c: 2}\n").expect("YAML");
        let Tree::Object(members) = node.value else { panic!("no object") };
        assert_eq!(members[1].1.at, Some(Position { line: 2, column: 1 }));
        let Tree::List(items) = &members[1].1.value else { panic!("no list") };
        assert_eq!(items[0].at, Some(Position { line: 3, column: 3 }));
    }

    #[test]
    fn anchors_are_followed_and_cannot_explode() {
        let node = read_yaml("a: &x {b: 1}\nc: *x\n").expect("YAML");
        let Tree::Object(members) = node.value else { panic!("no object") };
        assert_eq!(members[0].1.value, members[1].1.value);
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let below = level - 1;
            let items = vec![format!("*a{below}"); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
        }
        assert!(read_yaml(&bomb).is_err());
    }

    #[test]
    fn what_cannot_be_read_says_where() {
        for text in ["", "a: [1", "a: 1\n---\nb: 2\n", "a: !!str 1", "[1, 2]: x", "a: *nothing"] {
            assert!(read_yaml(text).is_err(), "{text:?}");
        }
        assert_eq!(read_yaml("a: 1\nb: ]").expect_err("not YAML").at.map(|at| at.line), Some(2));
    }
}
