//! A list that can be asked. It is the binary form, whatever it was read from.

use super::binary::Section;
use super::chunks::Chunks;
use super::kind::{EntryKind, KEY_BYTES, Key, KindSet};
use super::{Revision, Signature};
use crate::base::time::UnixSeconds;

/// A list of entries, ready to be asked.
#[derive(Debug, Default)]
pub struct List {
    bytes: Chunks,
    sections: Vec<Section>,
    kinds: KindSet,
    signature: Option<Signature>,
    revision: Revision,
}

/// The bytes of a key that say where in a section it is to be expected.
const PREFIX_BITS: u32 = 32;

impl List {
    /// The list of these sections of `bytes`, whose records are in order.
    pub(super) fn new(bytes: Chunks, sections: Vec<Section>, signature: Option<Signature>) -> Self {
        let mut kinds = KindSet::default();
        sections.iter().for_each(|section| kinds.insert(section.kind));
        Self { bytes, sections, kinds, signature, revision: Revision::default() }
    }

    /// This list, read from the document of that revision.
    pub(super) fn of_revision(self, revision: Revision) -> Self {
        Self { revision, ..self }
    }

    /// How many entries it has.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.sections.iter().map(|section| section.count).sum()
    }

    /// How many entries of that kind it has.
    #[must_use]
    pub fn entries_of(&self, kind: EntryKind) -> usize {
        self.section(kind).map_or(0, |section| section.count)
    }

    /// Its bytes: the binary form, after its signature.
    #[must_use]
    pub const fn bytes(&self) -> &Chunks {
        &self.bytes
    }

    /// What its signature says, when it has one.
    #[must_use]
    pub const fn signature(&self) -> Option<Signature> {
        self.signature
    }

    /// The revision of the document that it was read from.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        self.revision
    }

    /// The kinds of which it has entries.
    pub(super) const fn kinds(&self) -> KindSet {
        self.kinds
    }

    fn section(&self, kind: EntryKind) -> Option<&Section> {
        self.sections.iter().find(|section| section.kind == kind)
    }

    /// Whether an entry of that kind and key means a token that was issued at `issued_at`. One that does not say when
    /// it was issued is older than any time.
    pub(super) fn means(&self, kind: EntryKind, key: Key, issued_at: Option<UnixSeconds>) -> bool {
        let Some(section) = self.section(kind) else { return false };
        let Some(index) = find(&self.bytes, section, key) else { return false };
        if !kind.is_timed() {
            return true;
        }
        let Some(time) = self.bytes.array(section.record(index).saturating_add(KEY_BYTES)) else { return true };
        issued_at.is_none_or(|issued_at| issued_at < UnixSeconds(i64::from_be_bytes(time)))
    }
}

/// The number of the record with that key.
///
/// Keys are digests, hence evenly spread, and one is looked for where it should be: in a million, a handful of looks
/// instead of twenty. Every third look halves what is left, whatever the keys are.
fn find(bytes: &Chunks, section: &Section, key: Key) -> Option<usize> {
    let wanted = prefix(key);
    let (mut low, mut high) = (0, section.count);
    let (mut least, mut most) = (0, u64::from(u32::MAX));
    let mut look = 0_u32;
    while low < high {
        let width = high - low;
        let offset = if look % 3 == 2 { width / 2 } else { expected(wanted, least, most, width) };
        look = look.wrapping_add(1);
        let middle = low.saturating_add(offset.min(width - 1));
        let found = section.key(bytes, middle)?;
        match key.cmp(&found) {
            std::cmp::Ordering::Equal => return Some(middle),
            std::cmp::Ordering::Less => (high, most) = (middle, prefix(found)),
            std::cmp::Ordering::Greater => (low, least) = (middle + 1, prefix(found)),
        }
    }
    None
}

/// How far into `width` records from `least` to `most` the prefix `wanted` is to be expected.
fn expected(wanted: u64, least: u64, most: u64, width: usize) -> usize {
    let span = most.saturating_sub(least).max(1);
    let into = wanted.saturating_sub(least).min(span);
    // A prefix has 32 bits, and a section no more records than a u32 can count.
    let share = into.saturating_mul(u64::try_from(width).unwrap_or(u64::MAX)) / span;
    usize::try_from(share).unwrap_or(width)
}

fn prefix(key: Key) -> u64 {
    u64::try_from(key >> (Key::BITS - PREFIX_BITS)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revocation::{Builder, Entry};

    fn list(names: impl Iterator<Item = String>) -> List {
        let mut builder = Builder::new(UnixSeconds(0));
        names.for_each(|name| builder.add(&Entry::token("i".into(), name)));
        builder.finish()
    }

    #[test]
    fn every_entry_is_found_and_nothing_else() {
        for count in [1, 2, 3, 100, 70_000] {
            let list = list((0..count).map(|number| number.to_string()));
            assert_eq!(list.entries(), count);
            let holds = |name: &str| list.means(EntryKind::TokenId, EntryKind::TokenId.key("i", name), None);
            assert!((0..count).all(|number| holds(&number.to_string())), "{count}");
            assert!((count..count + 10_000).all(|number| !holds(&number.to_string())), "{count}");
        }
    }

    /// The section of records with these keys.
    fn section(keys: &[Key]) -> (Chunks, Section) {
        let bytes: Vec<u8> = keys.iter().flat_map(|key| key.to_be_bytes()).collect();
        (Chunks::from(bytes.as_slice()), Section { kind: EntryKind::TokenId, start: 0, count: keys.len() })
    }

    #[test]
    fn keys_that_are_not_evenly_spread_are_found_too() {
        let doubling: Vec<Key> = (0..128).map(|bit| 1 << bit).collect();
        let crowded: Vec<Key> = (0..5000).map(|low| 7 << 100 | low).chain([Key::MAX - 1, Key::MAX]).collect();
        let low: Vec<Key> = (0..5000).collect();
        for keys in [doubling, crowded, low, vec![0, Key::MAX]] {
            let (bytes, section) = section(&keys);
            for (index, &key) in keys.iter().enumerate() {
                assert_eq!(find(&bytes, &section, key), Some(index), "{key:x}");
                if !keys.contains(&key.wrapping_add(1)) {
                    assert_eq!(find(&bytes, &section, key.wrapping_add(1)), None, "{key:x} and one");
                }
            }
        }
    }

    #[test]
    fn an_empty_list_revokes_nothing() {
        assert!(!List::default().means(EntryKind::TokenId, 0, None));
        assert_eq!(list(std::iter::empty()).entries(), 0);
    }
}
