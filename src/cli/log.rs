//! Reads decisions out of logs: access logs in JSON, and Envoy's own log.

mod filter;
mod find;
mod input;
mod line;
mod millis;
mod node;
mod record;

pub(in crate::cli) use filter::{Condition, Filter, FilterArguments};
pub(in crate::cli) use find::Finder;
pub(in crate::cli) use input::{Lines, MAX_LINE_BYTES, open};
pub(in crate::cli) use millis::Millis;
pub(in crate::cli) use record::{Record, Verdict};

use std::path::Path;

/// What was read of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct Tally {
    /// Lines.
    pub lines: u64,
    /// Records in them.
    pub records: u64,
    /// Lines without a record.
    pub others: u64,
    /// Lines that look as if they had a record and cannot be read.
    pub unreadable: u64,
    /// Lines in which several texts claim to be the record.
    pub ambiguous: u64,
}

impl Tally {
    /// Adds what was read of another log.
    pub(in crate::cli) const fn add(&mut self, other: Self) {
        self.lines = self.lines.saturating_add(other.lines);
        self.records = self.records.saturating_add(other.records);
        self.others = self.others.saturating_add(other.others);
        self.unreadable = self.unreadable.saturating_add(other.unreadable);
        self.ambiguous = self.ambiguous.saturating_add(other.ambiguous);
    }
}

/// Says that a log has no record.
pub(in crate::cli) fn nothing_read(file: &Path, tally: Tally) -> String {
    let ambiguous = match tally.ambiguous {
        0 => String::new(),
        count => format!(" ({count} have several that may be one: name its member with --record)"),
    };
    format!(
        "{}: none of the {} lines has a record{ambiguous}; see \"Records\" in envoy/ON-CALL.md for how logs get it",
        file.display(),
        tally.lines
    )
}
