//! The binary form: any number of entries, used without copying them.
//!
//! ```text
//! 8 bytes   93 53 47 52 45 56 0d 0a, which no text begins with
//! 1 byte    the version, 1
//! 1 byte    how many sections follow
//! 6 bytes   zero
//! for each section, in the order of their numbers:
//!   1 byte    the kind: 1 jti, 2 fingerprint, 3 sub, 4 sid, 5 client_id, 6 kid, 7 the id of a credential
//!   3 bytes   zero
//!   4 bytes   how many records it has, at least one; the highest byte first
//! for each section, its records: ascending, no key twice
//!   16 bytes  the key (`EntryKind::key`); of a fingerprint the first 128 bits of the digest that it spells
//!   8 bytes   for sub and client_id only: `issued_before` as a signed number, the highest byte first
//! ```
//!
//! There is nothing between the parts and nothing after them.

use super::ListError;
use super::chunks::Chunks;
use super::kind::{EntryKind, KEY_BYTES, Key};

/// What the form begins with.
pub(super) const MAGIC: [u8; 8] = *b"\x93SGREV\r\n";
const VERSION: u8 = 1;
/// The bytes before the sections are told.
const FIXED_BYTES: usize = 16;
/// The bytes that tell a section.
const SECTION_BYTES: usize = 8;

/// The records of one kind, and where they lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) kind: EntryKind,
    /// Where the first record begins.
    pub(super) start: usize,
    /// How many there are.
    pub(super) count: usize,
}

impl Section {
    /// Where the record of that number, from 0, begins.
    pub(super) const fn record(&self, index: usize) -> usize {
        self.start.saturating_add(index.saturating_mul(self.kind.record_bytes()))
    }

    /// The key of the record of that number.
    pub(super) fn key(&self, bytes: &Chunks, index: usize) -> Option<Key> {
        bytes.array::<KEY_BYTES>(self.record(index)).map(Key::from_be_bytes)
    }
}

/// The bytes before the records, for these kinds and counts.
pub(super) fn header(counts: &[(EntryKind, usize)]) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.push(VERSION);
    header.push(u8::try_from(counts.len()).unwrap_or(u8::MAX));
    header.resize(FIXED_BYTES, 0);
    for (kind, count) in counts {
        header.extend([kind.number(), 0, 0, 0]);
        header.extend(u32::try_from(*count).unwrap_or(u32::MAX).to_be_bytes());
    }
    header
}

/// Where the sections of these kinds and counts lie in a list that begins at `start`. What saturates is longer than any
/// document.
pub(super) fn layout(counts: &[(EntryKind, usize)], start: usize) -> Vec<Section> {
    let told = counts.len().saturating_mul(SECTION_BYTES);
    let mut start = start.saturating_add(FIXED_BYTES).saturating_add(told);
    let place = |&(kind, count): &(EntryKind, usize)| {
        let section = Section { kind, start, count };
        start = section.record(count);
        section
    };
    counts.iter().map(place).collect()
}

/// Reads where the sections of the list lie that begins at `start` and ends with `bytes`.
pub(super) fn sections(bytes: &Chunks, start: usize) -> Result<Vec<Section>, ListError> {
    let wrong = |why| Err(ListError::Binary(why));
    let Some(fixed) = bytes.array::<FIXED_BYTES>(start) else { return wrong("its head is missing") };
    let (magic, rest) = fixed.split_at(MAGIC.len());
    if magic != MAGIC {
        return Err(ListError::UnknownForm);
    }
    let &[VERSION, told, 0, 0, 0, 0, 0, 0] = rest else { return wrong("its version is not 1") };
    let mut counts: Vec<(EntryKind, usize)> = Vec::new();
    let mut head = start.saturating_add(FIXED_BYTES);
    for _ in 0..told {
        let Some([number, 0, 0, 0, count @ ..]) = bytes.array::<SECTION_BYTES>(head) else {
            return wrong("a section is not told as it should be");
        };
        let Some(kind) = EntryKind::from_number(number) else { return wrong("a section is of an unknown kind") };
        if counts.last().is_some_and(|(last, _)| *last >= kind) {
            return wrong("its sections are not in order");
        }
        match usize::try_from(u32::from_be_bytes(count)) {
            Ok(count) if count > 0 => counts.push((kind, count)),
            _ => return wrong("a section is empty"),
        }
        head = head.saturating_add(SECTION_BYTES);
    }
    let sections = layout(&counts, start);
    let end = sections.last().map_or(head, |last| last.record(last.count));
    if end == bytes.len() { Ok(sections) } else { wrong("its length is not that of its sections") }
}

/// Looks through the records, some at a time: only what is in order can be searched.
#[derive(Debug, Default)]
pub(super) struct OrderCheck {
    section: usize,
    record: usize,
    last: Option<Key>,
}

impl OrderCheck {
    /// Checks up to `records` more records. Returns whether all have been checked.
    pub(super) fn step(&mut self, bytes: &Chunks, sections: &[Section], mut records: usize) -> Result<bool, ListError> {
        while let Some(section) = sections.get(self.section) {
            while self.record < section.count {
                if records == 0 {
                    return Ok(false);
                }
                records -= 1;
                let key = section.key(bytes, self.record).ok_or(ListError::Binary("its end is missing"))?;
                if self.last.is_some_and(|last| last >= key) {
                    return Err(ListError::Binary("its records are not in order"));
                }
                self.last = Some(key);
                self.record += 1;
            }
            *self = Self { section: self.section + 1, record: 0, last: None };
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::UnixSeconds;
    use crate::revocation::{Builder, Entry};

    /// A list of two kinds.
    fn list() -> Vec<u8> {
        let mut builder = Builder::new(UnixSeconds(0));
        for name in ["a", "b", "c"] {
            builder.add(&Entry::token("i".into(), name.into()));
        }
        builder.add(&Entry::fingerprint("FvdA9cRn0Ls45XKidPuQiq".into()).expect("a fingerprint"));
        builder.finish().bytes().slices(0..usize::MAX).collect::<Vec<_>>().concat()
    }

    /// What is wrong with `bytes` after a head of `start` bytes, checked in steps of `records`.
    fn read(bytes: &[u8], start: usize, records: usize) -> Result<(), ListError> {
        let chunks = Chunks::from([&vec![b' '; start], bytes].concat().as_slice());
        let sections = sections(&chunks, start)?;
        let mut check = OrderCheck::default();
        while !check.step(&chunks, &sections, records)? {}
        Ok(())
    }

    #[test]
    fn the_form_is_the_published_one() {
        let list = list();
        let head = b"\x93SGREV\r\n\x01\x02\0\0\0\0\0\0\x01\0\0\0\0\0\0\x03\x02\0\0\0\0\0\0\x01";
        assert_eq!(&list[..32], head);
        assert_eq!(list.len(), 32 + 4 * 16);
        for (start, records) in [(0, 1), (0, 100), (700, 3)] {
            assert_eq!(read(&list, start, records), Ok(()));
        }
    }

    #[test]
    fn whatever_is_not_as_it_should_be_is_refused() {
        let good = list();
        let changed = |at: usize, byte: u8| {
            let mut list = good.clone();
            list[at] = byte;
            read(&list, 0, 2)
        };
        let wrong = |why| Err(ListError::Binary(why));
        assert_eq!(changed(0, b'{'), Err(ListError::UnknownForm));
        assert_eq!(changed(8, 2), wrong("its version is not 1"));
        assert_eq!(changed(15, 1), wrong("its version is not 1"));
        assert_eq!(changed(9, 1), wrong("its length is not that of its sections"));
        assert_eq!(changed(9, 3), wrong("a section is not told as it should be"));
        assert_eq!(changed(16, 0), wrong("a section is of an unknown kind"));
        assert_eq!(changed(16, 8), wrong("a section is of an unknown kind"));
        assert_eq!(changed(24, 1), wrong("its sections are not in order"));
        assert_eq!(changed(17, 1), wrong("a section is not told as it should be"));
        assert_eq!(changed(23, 0), wrong("a section is empty"));
        assert_eq!(changed(23, 4), wrong("its length is not that of its sections"));
        assert_eq!(changed(20, 0xff), wrong("its length is not that of its sections"));
        assert_eq!(changed(32, 0xff), wrong("its records are not in order"));
        assert_eq!(read(&good[..15], 0, 1), wrong("its head is missing"));
        assert_eq!(read(&good[..good.len() - 1], 0, 1), wrong("its length is not that of its sections"));
        assert_eq!(read(&[&good[..], b"\n"].concat(), 0, 1), wrong("its length is not that of its sections"));
        let twice = [&good[..48], &good[32..48], &good[64..]].concat();
        assert_eq!(read(&twice, 0, 1), wrong("its records are not in order"), "no key twice");
    }

    #[test]
    fn nothing_is_a_list_too() {
        assert_eq!(read(&header(&[]), 0, 1), Ok(()));
    }
}
