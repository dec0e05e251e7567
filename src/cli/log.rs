//! Reads decisions out of logs: access logs in JSON, and Envoy's own log.

mod filter;
mod find;
mod input;
mod line;
mod millis;
mod node;
mod record;
mod twice;

pub(in crate::cli) use filter::{Condition, Filter, FilterArguments};
pub(in crate::cli) use find::Finder;
pub(in crate::cli) use input::{Lines, MAX_LINE_BYTES, open};
pub(in crate::cli) use millis::Millis;
pub(in crate::cli) use record::{Record, Verdict};

use std::error::Error;
use std::path::{Path, PathBuf};

/// What was read of a log.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::cli) struct Tally {
    /// Lines.
    pub lines: u64,
    /// Records in them.
    pub records: u64,
    /// Records that were seen in another form before: they are not counted, nor handed over.
    pub again: u64,
    /// Lines without a record.
    pub others: u64,
    /// Lines that look as if they had a record and cannot be read.
    pub unreadable: u64,
    /// Lines in which several texts claim to be the record.
    pub ambiguous: u64,
}

/// Says that a log has no record.
pub(in crate::cli) fn nothing_read(file: &Path, tally: &Tally) -> String {
    let ambiguous = match tally.ambiguous {
        0 => String::new(),
        count => format!(" ({count} have text that may be one: name its member with --record)"),
    };
    format!(
        "{}: none of the {} lines has a record{ambiguous}; see \"Records\" in envoy/ON-CALL.md for how logs get it",
        file.display(),
        tally.lines
    )
}

/// Hands over each record of these logs that `finder` finds.
///
/// # Errors
/// When a log cannot be read, or none of its lines has a record.
pub(in crate::cli) fn each_record(
    files: &[PathBuf],
    mut finder: Finder,
    take: &mut dyn FnMut(&Record<'_>),
) -> Result<Tally, Box<dyn Error>> {
    for file in files {
        let before = finder.tally;
        let mut lines = open(file)?;
        while let Some(line) = lines.next().map_err(|error| format!("cannot read {}: {error}", file.display()))? {
            match line {
                Some(line) => finder.read(line, take),
                None => finder.skip(),
            }
        }
        let tally = &finder.tally;
        let is_bare = tally.records == before.records && tally.again == before.again;
        if is_bare && tally.lines > before.lines {
            let lines = tally.lines.saturating_sub(before.lines);
            let ambiguous = tally.ambiguous.saturating_sub(before.ambiguous);
            return Err(nothing_read(file, &Tally { lines, ambiguous, ..Tally::default() }).into());
        }
    }
    Ok(finder.tally)
}
