//! Entries that are spread over many small lists, so that one more changes one of them.

use super::kind::{EntryKind, Key, KindSet};
use super::list::List;
use crate::base::time::UnixSeconds;
use std::rc::Rc;

/// Lists of which each has the entries whose keys belong to its place.
#[derive(Clone, Debug, Default)]
pub struct SpreadList {
    parts: Vec<Rc<List>>,
    kinds: KindSet,
}

/// The place of a key among so many. Keys are digests, hence evenly spread.
pub(super) fn place_of(key: Key, places: usize) -> usize {
    let [high, low, ..] = key.to_be_bytes();
    usize::from(u16::from_be_bytes([high, low])).checked_rem(places).unwrap_or_default()
}

impl SpreadList {
    /// These lists, in the order of their places.
    #[must_use]
    pub fn new(parts: Vec<Rc<List>>) -> Self {
        let mut kinds = KindSet::default();
        for part in &parts {
            EntryKind::ALL.into_iter().filter(|kind| part.kinds().has(*kind)).for_each(|kind| kinds.insert(kind));
        }
        Self { parts, kinds }
    }

    /// How many entries there are.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.parts.iter().map(|part| part.entries()).sum()
    }

    /// The kinds of which it has entries.
    pub(super) const fn kinds(&self) -> KindSet {
        self.kinds
    }

    /// As [`List::means`].
    pub(super) fn means(&self, kind: EntryKind, key: Key, issued_at: Option<UnixSeconds>) -> bool {
        self.parts.get(place_of(key, self.parts.len())).is_some_and(|part| part.means(kind, key, issued_at))
    }
}
