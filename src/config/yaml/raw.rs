//! Raw YAML: scalars keep their text, style and tag.

use super::super::tree::Position;
use super::{YamlError, wrong};
use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use std::collections::HashMap;

/// The deepest nesting.
const MAX_DEPTH: usize = 100;
/// The most values, those of repeated aliases included.
const MAX_VALUES: usize = 2_000_000;

/// A value as it is written.
#[derive(Clone, Debug)]
pub(super) struct Raw {
    pub tree: RawTree,
    /// Its tag, in short: `!!str`, `!ignore`, `!`.
    pub tag: Option<String>,
    /// Its position; for an alias, that of the alias.
    pub at: Position,
    /// The position of its text, which an alias repeats.
    pub start: Position,
}

#[derive(Clone, Debug)]
pub(super) enum RawTree {
    Scalar { text: String, plain: bool },
    List(Vec<Raw>),
    Object(Vec<(Raw, Raw)>),
}

/// The documents of a text; `None` for an empty one.
pub(super) fn documents(text: &str) -> Result<Vec<Option<Raw>>, YamlError> {
    let mut reader = Reader { events: Parser::new_from_str(text), anchors: HashMap::new(), values: 0 };
    let mut documents = Vec::new();
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::DocumentStart(_) => reader.anchors.clear(),
            Event::Nothing | Event::StreamStart | Event::DocumentEnd => {}
            Event::StreamEnd => return Ok(documents),
            first => {
                let raw = reader.value(first, span, 0)?;
                documents.push(Some(raw).filter(|raw| !raw.is_empty()));
            }
        }
    }
}

impl Raw {
    /// The text of a scalar.
    pub fn text(&self) -> Option<&str> {
        match &self.tree {
            RawTree::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether nothing is written here.
    fn is_empty(&self) -> bool {
        matches!(&self.tree, RawTree::Scalar { text, plain: true } if text.is_empty() || text == "~")
            && self.tag.is_none()
    }

    fn count(&self) -> usize {
        let inside: usize = match &self.tree {
            RawTree::Scalar { .. } => 0,
            RawTree::List(items) => items.iter().map(Self::count).sum(),
            RawTree::Object(members) => members.iter().map(|(_, value)| value.count()).sum(),
        };
        inside.saturating_add(1)
    }
}

struct Reader<'t, I: saphyr_parser::Input> {
    events: Parser<'t, I>,
    anchors: HashMap<usize, Raw>,
    values: usize,
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

    fn value(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Raw, YamlError> {
        let at = Position { line: span.start.line(), column: span.start.col().saturating_add(1) };
        self.values = self.values.saturating_add(1);
        if depth > MAX_DEPTH || self.values > MAX_VALUES {
            return Err(wrong("nested too deep, or too large", Some(at)));
        }
        let (tree, anchor, tag) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                (RawTree::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain }, anchor, tag)
            }
            Event::SequenceStart(anchor, tag) => (self.list(depth)?, anchor, tag),
            Event::MappingStart(anchor, tag) => (self.object(depth)?, anchor, tag),
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor).cloned();
                let raw = known.ok_or_else(|| wrong("an alias of nothing", Some(at)))?;
                self.values = self.values.saturating_add(raw.count());
                return Ok(Raw { at, ..raw });
            }
            _ => return Err(wrong("a value is missing", Some(at))),
        };
        let raw = Raw { tree, tag: tag.map(|tag| short(&tag)), at, start: at };
        if anchor != 0 {
            self.anchors.insert(anchor, raw.clone());
        }
        Ok(raw)
    }

    fn list(&mut self, depth: usize) -> Result<RawTree, YamlError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(RawTree::List(items)),
                (event, span) => items.push(self.value(event, span, depth.saturating_add(1))?),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<RawTree, YamlError> {
        let mut members = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(RawTree::Object(members));
            }
            let key = self.value(event, span, depth.saturating_add(1))?;
            let (event, span) = self.next()?;
            let value = self.value(event, span, depth.saturating_add(1))?;
            members.push((key, value));
        }
    }
}

/// A tag as people write it: `!!str` for `tag:yaml.org,2002:str`.
fn short(tag: &Tag) -> String {
    let whole = format!("{}{}", tag.handle, tag.suffix);
    match whole.strip_prefix("tag:yaml.org,2002:") {
        Some(core) => format!("!!{core}"),
        None => whole,
    }
}
