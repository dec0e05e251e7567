//! Making a list of entries.

use super::binary::{self, Section};
use super::chunks::Chunks;
use super::kind::{EntryKind, Key};
use super::list::List;
use super::{Entry, Mark, Signature};
use crate::base::time::UnixSeconds;
use std::collections::{BTreeMap, btree_map};
use std::mem;

/// Collects entries, and makes a list of them.
#[derive(Debug)]
pub struct Builder {
    now: UnixSeconds,
    /// In order at any time, so that nothing is left to be done at the end. Of two times for one name the later one
    /// holds.
    records: BTreeMap<(EntryKind, Key), UnixSeconds>,
    counts: BTreeMap<EntryKind, usize>,
    over: usize,
}

impl Builder {
    /// A list without entries. Those that are over at `now` will be left out.
    #[must_use]
    pub const fn new(now: UnixSeconds) -> Self {
        Self { now, records: BTreeMap::new(), counts: BTreeMap::new(), over: 0 }
    }

    /// Adds an entry, unless it is over.
    pub fn add(&mut self, entry: &Entry) {
        if entry.is_over(self.now) {
            self.over = self.over.saturating_add(1);
        } else {
            self.put(entry.kind(), entry.key(), entry.time());
        }
    }

    /// Adds what an entry comes to, unless it is over.
    pub fn add_mark(&mut self, mark: &Mark) {
        if mark.is_over(self.now) {
            self.over = self.over.saturating_add(1);
        } else {
            self.put(mark.kind, mark.key, mark.time);
        }
    }

    fn put(&mut self, kind: EntryKind, key: Key, until: UnixSeconds) {
        let time = self.records.entry((kind, key)).or_insert_with(|| {
            let count = self.counts.entry(kind).or_default();
            *count = count.saturating_add(1);
            UnixSeconds(i64::MIN)
        });
        *time = until.max(*time);
    }

    /// How many entries were left out because they are over.
    #[must_use]
    pub const fn over(&self) -> usize {
        self.over
    }

    /// The list. Entries that are there twice are there once.
    #[must_use]
    pub fn finish(self) -> List {
        self.write(None).step(usize::MAX).unwrap_or_default()
    }

    /// Begins to write the list of entries that came under this signature.
    pub(super) fn write(self, signature: Option<Signature>) -> Writer {
        let counts: Vec<_> = self.counts.into_iter().collect();
        let bytes = Chunks::from(binary::header(&counts).as_slice());
        Writer { records: self.records.into_iter(), sections: binary::layout(&counts, 0), bytes, signature }
    }
}

/// Writes a list, some records at a time.
#[derive(Debug)]
pub(super) struct Writer {
    records: btree_map::IntoIter<(EntryKind, Key), UnixSeconds>,
    sections: Vec<Section>,
    bytes: Chunks,
    signature: Option<Signature>,
}

impl Writer {
    /// Writes up to `records` more records. Returns the list when these were the last.
    pub(super) fn step(&mut self, records: usize) -> Option<List> {
        for ((kind, key), time) in self.records.by_ref().take(records) {
            self.bytes.extend(&key.to_be_bytes());
            if kind.is_timed() {
                self.bytes.extend(&time.0.to_be_bytes());
            }
        }
        let is_done = self.records.len() == 0;
        is_done.then(|| List::new(mem::take(&mut self.bytes), mem::take(&mut self.sections), self.signature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> Entry {
        Entry::from_members(&crate::base::json::parse_object(text.as_bytes()).expect("an object")).expect("an entry")
    }

    #[test]
    fn what_is_over_is_left_out() {
        let mut builder = Builder::new(UnixSeconds(100));
        builder.add(&entry(r#"{"iss":"i","jti":"a","until":100}"#));
        builder.add(&entry(r#"{"iss":"i","jti":"b","until":101}"#));
        builder.add(&entry(r#"{"iss":"i","jti":"c"}"#));
        assert_eq!(builder.over(), 1);
        let list = builder.finish();
        let holds = |name| list.means(EntryKind::TokenId, EntryKind::TokenId.key("i", name), None);
        assert_eq!([holds("a"), holds("b"), holds("c")], [false, true, true]);
    }

    #[test]
    fn entries_are_there_once_and_the_later_time_holds() {
        for order in [[5, 9, 7], [9, 7, 5], [7, 5, 9]] {
            let mut builder = Builder::new(UnixSeconds(0));
            for time in order {
                builder.add(&entry(&format!(r#"{{"iss":"i","sub":"a","issued_before":{time}}}"#)));
                builder.add(&entry(r#"{"iss":"i","jti":"a"}"#));
            }
            let list = builder.finish();
            assert_eq!(list.entries(), 2);
            let means = |issued_at: i64| {
                list.means(EntryKind::Subject, EntryKind::Subject.key("i", "a"), Some(UnixSeconds(issued_at)))
            };
            assert_eq!([means(8), means(9), means(10)], [true, false, false], "{order:?}");
        }
    }

    #[test]
    fn a_token_that_does_not_say_when_it_was_issued_is_older_than_any_time() {
        let mut builder = Builder::new(UnixSeconds(0));
        builder.add(&entry(r#"{"iss":"i","client_id":"a","issued_before":-5}"#));
        let list = builder.finish();
        assert!(list.means(EntryKind::Client, EntryKind::Client.key("i", "a"), None));
        assert!(!list.means(EntryKind::Client, EntryKind::Client.key("i", "a"), Some(UnixSeconds(0))));
    }
}
