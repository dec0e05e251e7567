//! The lists in an answer of a server: tools, prompts, resources, resource templates (MCP, "Server Features").

use super::judged::Member;
use super::message::{Id, Subject, is_name};
use super::scan::scan_answer;
use crate::base::members::Raw;
use std::ops::Range;

/// An answer with a list in it, or more than one.
#[derive(Debug, PartialEq, Eq)]
pub struct Listed<'b> {
    text: &'b str,
    /// Its lists.
    lists: Vec<Vec<Listing<'b>>>,
    /// Where the members of its `result` begin.
    members: usize,
    cache_scope: Option<Range<usize>>,
    ttl: Option<Range<usize>>,
}

/// An item of a list, and where it is.
#[derive(Debug, PartialEq, Eq)]
struct Listing<'b> {
    subject: Subject<'b>,
    place: Range<usize>,
}

/// Why an answer may hold a list, and none that is read in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault<'b> {
    /// What is wrong. It quotes nothing.
    pub what: &'static str,
    /// The `id` of the answer, if it was read.
    pub id: Option<Id<'b>>,
}

/// Reads one message of a server; `None` where no list is in it.
///
/// # Errors
/// When it is not one JSON value, a batch, or a list whose items do not all have a name, or when readers could find another
/// list in it.
pub fn read(message: &[u8]) -> Result<Option<Listed<'_>>, Fault<'_>> {
    let fault = |what| Fault { what, id: None };
    let text = std::str::from_utf8(message).map_err(|_| fault("not UTF-8"))?;
    let found = scan_answer(text).map_err(fault)?;
    if !found.is_object {
        let is_batch = text.trim_ascii_start().starts_with('[');
        return if is_batch { Err(fault("a batch")) } else { Ok(None) };
    }
    let id = found.get(Member::Id).filter(|_| !found.is_ambiguous_on_top).and_then(Id::read);
    let fault = |what| Fault { what, id };
    if found.is_ambiguous {
        return Err(fault("a member that another parser takes for one that is read"));
    }
    let mut listed = Listed { text, lists: Vec::new(), members: 0, cache_scope: None, ttl: None };
    let mut items = Vec::new();
    let [mut name, mut uri, mut template] = [None; 3];
    for &(member, start, value) in &found.values {
        let place = start..start.saturating_add(value.len());
        match member {
            Member::Name => name = Some(value),
            Member::Uri => uri = Some(value),
            Member::Template => template = Some(value),
            Member::Item => {
                items.push((place, name.take(), uri.take(), template.take()));
            }
            Member::Tools | Member::Prompts | Member::Resources | Member::Templates => {
                if !value.starts_with('[') {
                    return Err(fault("a list that is none"));
                }
                let of_item = |(place, name, uri, template): (Range<usize>, _, _, _)| {
                    let named = match member {
                        Member::Resources => uri,
                        Member::Templates => template,
                        _ => name,
                    };
                    let named = Raw::checked(named?).as_text().filter(|text| is_name(text))?;
                    let subject = match member {
                        Member::Tools => Subject::Tool(named),
                        Member::Prompts => Subject::Prompt(named),
                        Member::Resources => Subject::Resource(named),
                        _ => Subject::Template(named),
                    };
                    Some(Listing { subject, place })
                };
                let list: Option<Vec<Listing<'_>>> = items.drain(..).map(of_item).collect();
                listed.lists.push(list.ok_or(fault("an item without a name"))?);
            }
            Member::CacheScope => listed.cache_scope = Some(place),
            Member::Ttl => listed.ttl = Some(place),
            // Behind its brace.
            Member::Answered => listed.members = start.saturating_add(1),
            _ => {}
        }
    }
    Ok((!listed.lists.is_empty()).then_some(listed))
}

impl Listed<'_> {
    /// The text with the items that `shows` admits; `None` where it stays as it is. It is `private` to its reader then; under a
    /// revision that has `cacheScope`, which `has_cache_scope` says, it says so even if the server does not. Where something is
    /// left out, it is good for no time. Every other byte stays.
    #[must_use]
    pub fn filtered(&self, shows: &mut dyn FnMut(&Subject<'_>) -> bool, has_cache_scope: bool) -> Option<String> {
        let mut edits: Vec<(Range<usize>, &str)> = Vec::new();
        for list in &self.lists {
            let mut is_first = true;
            for (at, item) in list.iter().enumerate() {
                if shows(&item.subject) {
                    is_first = false;
                    continue;
                }
                let end = item.place.end;
                // With the comma before it, or as the first with the one after it.
                let cut = if is_first {
                    item.place.start..list.get(at + 1).map_or(end, |next| next.place.start)
                } else {
                    list.get(at.saturating_sub(1)).map_or(end, |before| before.place.end)..end
                };
                edits.push((cut, ""));
            }
        }
        let has_left_out = !edits.is_empty();
        let mut edit = |place: Range<usize>, text| {
            let at = edits.partition_point(|(other, _)| other.start < place.start);
            edits.insert(at, (place, text));
        };
        match &self.cache_scope {
            Some(place) if self.text.get(place.clone()) != Some(PRIVATE) => edit(place.clone(), PRIVATE),
            None if has_cache_scope => edit(self.members..self.members, PRIVATE_MEMBER),
            _ => {}
        }
        if let Some(place) = self.ttl.clone().filter(|_| has_left_out) {
            edit(place, "0");
        }
        if edits.is_empty() {
            return None;
        }
        let mut text = String::with_capacity(self.text.len().saturating_add(PRIVATE_MEMBER.len()));
        let mut from = 0;
        for (place, new) in edits {
            text.push_str(self.text.get(from..place.start).unwrap_or_default());
            text.push_str(new);
            from = place.end;
        }
        text.push_str(self.text.get(from..).unwrap_or_default());
        Some(text)
    }
}

const PRIVATE: &str = "\"private\"";
/// Before the other members, of which there is one.
const PRIVATE_MEMBER: &str = "\"cacheScope\":\"private\",";

#[cfg(test)]
mod tests;
