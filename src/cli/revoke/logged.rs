//! The entries for what a log shows, so that the leaked token itself is not needed.

use super::{LONGEST_LEEWAY, RevokeArguments};
use crate::base::text::{SHOWN_BYTES, percent_decode};
use crate::base::time::{Seconds, UnixSeconds};
use crate::cli::log::{Filter, Finder, Record, each_record};
use crate::revocation::{Entry, MAX_LINES_ENTRIES};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::error::Error;

/// The reason of a refusal in which the identity is only claimed.
const WRONG_SECRET: &str = "wrong_secret";

/// The tokens and identities of a log, in the order in which they were first seen.
#[derive(Default)]
struct Found {
    entries: Vec<(Entry, Option<UnixSeconds>)>,
    places: HashMap<String, usize>,
}

/// The entries for the records that the conditions mean.
///
/// # Errors
/// When a log cannot be read, no record is meant, or more tokens than a list can have.
pub(super) fn entries(arguments: &RevokeArguments) -> Result<Vec<Entry>, Box<dyn Error>> {
    let filter = Filter::of(&arguments.conditions);
    let mut found = Found::default();
    let mut meant = 0_u64;
    let tally = each_record(&arguments.log, Finder::new(arguments.record.clone()).strict(), &mut |record| {
        if filter.takes(record) {
            meant = meant.saturating_add(1);
            found.take(record);
        }
    })?;
    if found.entries.is_empty() {
        return Err(format!(
            "{meant} of {} records are meant, and none of them names a token or an identity: nothing is revoked",
            tally.records
        )
        .into());
    }
    if found.entries.len() > MAX_LINES_ENTRIES {
        return Err(format!("more than {MAX_LINES_ENTRIES} tokens are meant: narrow it with --where").into());
    }
    Ok(found
        .entries
        .into_iter()
        .map(|(entry, until)| match until {
            Some(until) => entry.until(until),
            None => entry,
        })
        .collect())
}

impl Found {
    fn take(&mut self, record: &Record<'_>) {
        // One more than a list can have is enough to tell.
        if self.entries.len() > MAX_LINES_ENTRIES {
            return;
        }
        let Some((name, entry)) = named(record) else { return };
        let until = until(record);
        match self.places.get(&name).and_then(|&place| self.entries.get_mut(place)) {
            // The latest that any record tells: no gate accepts the token after that.
            Some((_, known)) => *known = (*known).max(until),
            None => {
                self.places.insert(name, self.entries.len());
                self.entries.push((entry, until));
            }
        }
    }
}

/// The entry of a record, and a name of it.
fn named(record: &Record<'_>) -> Option<(String, Entry)> {
    if let Some((fingerprint, _)) = record.fingerprint() {
        let name = fingerprint.into_owned();
        return Some((name.clone(), Entry::fingerprint(name)?));
    }
    if record.text("reason").as_deref() == Some(WRONG_SECRET) {
        return None;
    }
    let (set, id) = (unescaped(&record.text("credential_set")?)?, unescaped(&record.text("identity")?)?);
    let name = format!("{set}\u{1f}{id}");
    let members = [("credential", set), ("id", id)];
    let members: Map<String, Value> =
        members.into_iter().map(|(member, text)| (member.to_owned(), Value::String(text))).collect();
    Some((name, Entry::from_members(&members).ok()?))
}

/// Text of a record as it was before it was escaped; `None` if it may have been cut.
fn unescaped(text: &str) -> Option<String> {
    let bytes = percent_decode(text.as_bytes());
    if bytes.len() >= SHOWN_BYTES { None } else { String::from_utf8(bytes).ok() }
}

/// After when no gate accepts the token.
fn until(record: &Record<'_>) -> Option<UnixSeconds> {
    let left = record.number("expires_in")?;
    let expires_at = UnixSeconds(record.time?.seconds().0.checked_add(left)?);
    let Seconds(leeway) = LONGEST_LEEWAY;
    // A record has whole seconds.
    Some(UnixSeconds(expires_at.0.checked_add(i64::from(leeway))?.checked_add(1)?))
}
