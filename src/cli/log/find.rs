//! Finds the record in a line: an object, or a text that holds one, under any key.

use super::Tally;
use super::line;
use super::millis::Millis;
use super::node::{Members, Node};
use super::record::{Around, Form, Record};
use super::twice::Twice;
use std::borrow::Cow;

/// How many texts of JSON may be in each other: a record as text, in an access log as text, in a collector's file.
const MAX_TEXTS: usize = 4;
/// The names under which collectors have a line.
const LINES: [&str; 5] = ["log", "message", "msg", "textPayload", "body"];
/// A member whose name has this word holds the record, and no other does.
const OURS: &str = "scopegate";
/// A line without any of these words has no record.
const WORDS: [&str; 2] = ["decision", "token_reuse"];

/// Finds the records of lines, and counts what it read.
#[derive(Debug, Default)]
pub(in crate::cli) struct Finder {
    /// What was read so far.
    pub tally: Tally,
    member: Option<String>,
    /// Whether a text is no record because of what it says alone.
    is_strict: bool,
    /// Whether lines of Envoy's own log are left out.
    is_access_log: bool,
    twice: Twice,
}

/// Why nothing was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nothing {
    NoRecord,
    Unreadable,
    Ambiguous,
}

/// What takes a record.
type Take<'t> = &'t mut dyn FnMut(&Record<'_>);

impl Finder {
    /// One that takes only what is under this name, or anything.
    pub(in crate::cli) fn new(member: Option<String>) -> Self {
        Self { member, ..Self::default() }
    }

    /// It takes no text for the record because of what it says alone: a client may have written that into a header. Its member
    /// has our name, or the one that was given.
    pub(in crate::cli) fn strict(self) -> Self {
        Self { is_strict: true, ..self }
    }

    /// It leaves out the lines of Envoy's own log, which have a decision and not what became of the request.
    pub(in crate::cli) fn objects(self) -> Self {
        Self { is_access_log: true, ..self }
    }

    /// Hands over each record of a line, which is without its line feed.
    pub(in crate::cli) fn read(&mut self, line: &[u8], take: Take<'_>) {
        self.tally.lines = self.tally.lines.saturating_add(1);
        let (mut found, mut again) = (0_u64, 0_u64);
        let mut twice = std::mem::take(&mut self.twice);
        let is_access_log = self.is_access_log;
        let mut counted = |record: &Record<'_>| {
            if is_access_log && record.form == Form::Line {
                return;
            }
            if twice.is_second(record) {
                again = again.saturating_add(1);
            } else {
                found = found.saturating_add(1);
                take(record);
            }
        };
        let outcome = self.search_line(&String::from_utf8_lossy(line), &mut counted);
        self.twice = twice;
        self.tally.records = self.tally.records.saturating_add(found);
        self.tally.again = self.tally.again.saturating_add(again);
        let count = match outcome {
            Ok(()) => return,
            Err(Nothing::NoRecord) => &mut self.tally.others,
            Err(Nothing::Unreadable) => &mut self.tally.unreadable,
            Err(Nothing::Ambiguous) => &mut self.tally.ambiguous,
        };
        *count = count.saturating_add(1);
    }

    /// Counts a line that was too long to be kept.
    pub(in crate::cli) fn skip(&mut self) {
        self.tally.lines = self.tally.lines.saturating_add(1);
        self.tally.unreadable = self.tally.unreadable.saturating_add(1);
    }

    fn search_line(&self, line: &str, take: Take<'_>) -> Result<(), Nothing> {
        if !WORDS.iter().any(|word| line.contains(word)) {
            return Err(Nothing::NoRecord);
        }
        if let Some((before, record)) = line::split(line) {
            return of_text(record, Around::at(Millis::find(before)), take);
        }
        // Collectors write a time or a name before a line, and never a quotation mark.
        let (before, json) = line.split_at_checked(line.find('{').ok_or(Nothing::NoRecord)?).unwrap_or(("", line));
        if before.contains(['\'', '"']) {
            return Err(Nothing::NoRecord);
        }
        let node = Node::parse(json.trim_end()).ok_or(Nothing::Unreadable)?;
        self.search(&node, Around::at(Millis::find(before)), MAX_TEXTS, take)
    }

    fn search<'n>(&self, node: &'n Node<'n>, around: Around<'n>, texts: usize, take: Take<'_>) -> Result<(), Nothing> {
        match node {
            Node::Object(members) => {
                // A record under the name that was given is the only one.
                let own = if self.member.is_none() { Record::of(members, around, Form::Object) } else { None };
                let Some(record) = own else {
                    return self.search_members(members, around.within(members), texts, take);
                };
                take(&record);
                Ok(())
            }
            Node::List(items) => {
                let found = items.iter().map(|item| self.search(item, around, texts, take));
                found.fold(Err(Nothing::NoRecord), better)
            }
            Node::Text(text) if text.starts_with('{') && texts > 0 => match Node::parse(text) {
                Some(node) => self.search(&node, around, texts.saturating_sub(1), take),
                None => Err(Nothing::NoRecord),
            },
            Node::Text(_) | Node::Nothing | Node::Integer(_) | Node::Float(_) => Err(Nothing::NoRecord),
        }
    }

    fn search_members<'n>(
        &self,
        members: &'n Members<'n>,
        around: Around<'n>,
        texts: usize,
        take: Take<'_>,
    ) -> Result<(), Nothing> {
        let is_ours = |name: &str| match &self.member {
            Some(member) => name == member,
            None => names_us(name),
        };
        let mut ours = members.iter().filter(|(name, _)| is_ours(name)).map(|(_, value)| value).peekable();
        if ours.peek().is_some() {
            let any = Self::default();
            return ours.map(|value| any.search(value, around, texts, take)).fold(Err(Nothing::NoRecord), better);
        }
        let objects = members.iter().filter(|(_, value)| matches!(value, Node::Object(_) | Node::List(_)));
        let found =
            objects.map(|(_, value)| self.search(value, around, texts, take)).fold(Err(Nothing::NoRecord), better);
        if found.is_ok() {
            return found;
        }
        let as_line = members.iter().filter(|(name, _)| LINES.contains(&&**name)).find_map(|(_, value)| match value {
            Node::Text(text) => line::split(text),
            _ => None,
        });
        if let Some((before, record)) = as_line {
            return of_text(record, Around::at(Millis::find(before).or(around.time)), take);
        }
        let named: Vec<_> = members.iter().filter(|(_, value)| may_hold_record(value)).collect();
        // Collectors have whole lines as text.
        let is_believed = |name: &str| !self.is_strict || LINES.contains(&name);
        let mut texts_of_json: Vec<&Node<'_>> =
            named.iter().filter(|(name, _)| is_believed(name)).map(|(_, value)| value).collect();
        if texts_of_json.is_empty() && !named.is_empty() {
            return Err(Nothing::Ambiguous);
        }
        if texts_of_json.len() > 1 {
            // A client may have written one of them.
            texts_of_json.retain(|value| self.search(value, Around::default(), texts, &mut |_| ()).is_ok());
        }
        match texts_of_json.as_slice() {
            [] => found,
            [one] => self.search(one, around, texts, take),
            _ => Err(Nothing::Ambiguous),
        }
    }
}

/// Whether a value is a text that looks as if it held a record.
fn may_hold_record(value: &Node<'_>) -> bool {
    matches!(value, Node::Text(text) if text.starts_with('{') && WORDS.iter().any(|word| text.contains(word)))
}

/// Hands over the record in a line of Envoy's log.
fn of_text(record: &str, around: Around<'_>, take: Take<'_>) -> Result<(), Nothing> {
    let members: Vec<(Cow<'_, str>, Node<'_>)> = line::members(record);
    let record = Record::of(&members, around, Form::Line).ok_or(Nothing::Unreadable)?;
    take(&record);
    Ok(())
}

/// What is known of two places: a record in either is one.
fn better(one: Result<(), Nothing>, other: Result<(), Nothing>) -> Result<(), Nothing> {
    match (one, other) {
        (Ok(()), _) | (_, Ok(())) => Ok(()),
        (Err(Nothing::NoRecord), other) => other,
        (one, Err(_)) => one,
    }
}

/// Whether a name contains ours, in any letter case.
fn names_us(name: &str) -> bool {
    name.as_bytes().windows(OURS.len()).any(|part| part.eq_ignore_ascii_case(OURS.as_bytes()))
}

#[cfg(test)]
mod tests;
