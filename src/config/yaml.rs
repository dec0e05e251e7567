//! YAML and JSON files, for the command. Values are read as the real reader of the file reads them, so that a file
//! means the same to both.
//!
//! Envoy reads YAML without a schema (measured on 1.40): an unquoted `yes`, `on` or `y` is a boolean, a fraction or a
//! date is text, `0x10` is 16 and `010` is 8, and a whole number beyond 32 bits is text. It passes over tags, drops
//! members whose key has the tag `!ignore`, and merges nothing. Kubernetes reads YAML 1.1: `1e6`, `0o17` and `1_000`
//! are numbers, and `<<` merges (measured with kubectl). JSON is JSON. Of repeated keys each uses one.

mod build;
mod raw;
mod scalar;

use super::embedded::Text;
use super::tree::{Node, Position};
use build::Builder;
use std::fmt;

/// The reader whose rules apply to a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Envoy's YAML, also for a plugin configuration.
    Envoy,
    /// The YAML of Kubernetes resources.
    Kubernetes,
    /// JSON.
    Json,
}

/// A document of a file.
#[derive(Clone, Debug)]
pub struct Document {
    /// Its value.
    pub node: Node,
    /// How it was read.
    pub dialect: Dialect,
    /// Its number in the file, from 0; empty ones count.
    pub index: usize,
    /// The texts in it that may hold JSON or YAML themselves.
    pub texts: Vec<Text>,
    /// What is odd about its form.
    pub flaws: Vec<Flaw>,
}

/// Something in a file that its reader refuses, or reads differently from how it looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// A stable name for the kind of flaw.
    pub rule: &'static str,
    /// Whether it is an error; otherwise it is a warning.
    pub is_error: bool,
    /// Where.
    pub at: Option<Position>,
    /// What is wrong.
    pub what: String,
    /// The remedy.
    pub remedy: String,
}

/// Why a text is not readable YAML.
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

impl Dialect {
    /// The remedy for a repeated key.
    const fn of_two(self) -> &'static str {
        match self {
            Self::Envoy => "Envoy would use the last one: keep one",
            Self::Kubernetes => "Kubernetes would use the last one: keep one",
            Self::Json => "Envoy refuses two in a Struct, and uses one of them elsewhere: keep one",
        }
    }

    /// The rules for a YAML document. A Kubernetes resource names its kind.
    fn of(raw: &raw::Raw) -> Self {
        let raw::RawTree::Object(members) = &raw.tree else { return Self::Envoy };
        let is_kind = |(key, value): &(raw::Raw, raw::Raw)| key.text() == Some("kind") && value.text().is_some();
        if members.iter().any(is_kind) { Self::Kubernetes } else { Self::Envoy }
    }
}

/// Reads one YAML document by Envoy's rules, or by those of Kubernetes if it is a resource. JSON is YAML too.
///
/// # Errors
/// When the text is not YAML, holds no or several documents, or uses keys that are not text.
pub fn read_yaml(text: &str) -> Result<Node, YamlError> {
    let mut documents = read_documents(text, false)?.into_iter();
    match (documents.next(), documents.next()) {
        (Some(document), None) => Ok(document.node),
        (None, _) => Err(wrong("there is no document", None)),
        (Some(_), Some(second)) => Err(wrong("there is a second document", second.node.at)),
    }
}

/// Reads all non-empty documents of a text, such as several Kubernetes resources in one file. With `is_json` the text
/// is read as JSON.
///
/// # Errors
/// When the text is not YAML, or uses keys that are not text.
pub fn read_documents(text: &str, is_json: bool) -> Result<Vec<Document>, YamlError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let documents = if is_json { raw::documents(&without_surrogates(text)) } else { raw::documents(text) }?;
    let mut read = Vec::with_capacity(documents.len());
    for (index, raw) in documents.into_iter().enumerate() {
        let Some(raw) = raw else { continue };
        let dialect = if is_json { Dialect::Json } else { Dialect::of(&raw) };
        let mut builder = Builder { dialect, texts: Vec::new(), flaws: Vec::new() };
        let node = builder.node(raw)?;
        let Builder { texts, flaws, .. } = builder;
        read.push(Document { node, dialect, index, texts, flaws });
    }
    Ok(read)
}

/// JSON writes a character beyond 16 bits as two escapes, which YAML does not know. They become one escape of the same
/// length.
fn without_surrogates(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\\u") {
        let (before, escapes) = rest.split_at(at);
        out.push_str(before);
        let unit = |from: usize| {
            let hexadecimal = escapes.get(from..from.saturating_add(6))?.strip_prefix("\\u")?;
            u16::from_str_radix(hexadecimal, 16).ok()
        };
        let pair = [unit(0), unit(6)];
        let character = match pair {
            [Some(high), Some(low)] => char::decode_utf16([high, low]).next().and_then(Result::ok),
            _ => None,
        };
        let is_escaped = before.chars().rev().take_while(|&character| character == '\\').count() % 2 == 1;
        let taken = match (character, pair) {
            (Some(character), [Some(0xD800..=0xDBFF), _]) if !is_escaped => {
                out.push_str(&format!("\\U{:08X}", u32::from(character)));
                12
            }
            _ => {
                out.push_str("\\u");
                2
            }
        };
        rest = escapes.get(taken..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}

fn wrong(what: impl Into<String>, at: Option<Position>) -> YamlError {
    YamlError { what: what.into(), at }
}

#[cfg(test)]
mod tests;
