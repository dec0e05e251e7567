//! What an entry comes to: the key that its tokens have, and until when it is needed. It names nothing.

use super::Entry;
use super::kind::{EntryKind, KEY_BYTES, Key, TIME_BYTES};
use super::spread::place_of;
use crate::base::time::UnixSeconds;

/// The bytes of a mark: the number of its kind, the key, the time, and until when it is needed, the highest byte of each first.
pub const MARK_BYTES: usize = 1 + KEY_BYTES + TIME_BYTES + UNTIL_BYTES;
const UNTIL_BYTES: usize = 4;

/// An entry as workers tell each other of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub(super) kind: EntryKind,
    pub(super) key: Key,
    /// Tokens that were issued from then on are not meant; the end of time where all are.
    pub(super) time: UnixSeconds,
    /// In seconds since the epoch.
    until: u32,
}

impl Mark {
    /// That of an entry; one without an end is kept for good.
    #[must_use]
    pub fn of(entry: &Entry) -> Self {
        let until = entry.needed_until().map_or(u32::MAX, UnixSeconds::to_entry);
        Self { kind: entry.kind(), key: entry.key(), time: entry.time(), until }
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; MARK_BYTES] {
        let mut out = [0; MARK_BYTES];
        let parts: [&[u8]; 4] =
            [&[self.kind.number()], &self.key.to_be_bytes(), &self.time.0.to_be_bytes(), &self.until.to_be_bytes()];
        out.iter_mut().zip(parts.into_iter().flatten()).for_each(|(to, from)| *to = *from);
        out
    }

    /// Reads one; `None` for bytes that are none.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; MARK_BYTES]) -> Option<Self> {
        let (number, rest) = bytes.split_first()?;
        let (key, rest) = rest.split_first_chunk()?;
        let (time, until) = rest.split_first_chunk()?;
        Some(Self {
            kind: EntryKind::from_number(*number)?,
            key: Key::from_be_bytes(*key),
            time: UnixSeconds(i64::from_be_bytes(*time)),
            until: u32::from_be_bytes(*until.first_chunk()?),
        })
    }

    /// The place of its entry among so many lists of a [`SpreadList`](super::SpreadList).
    #[must_use]
    pub fn place(&self, places: usize) -> usize {
        place_of(self.key, places)
    }

    /// Whether it is no longer needed at `now`.
    #[must_use]
    pub fn is_over(&self, now: UnixSeconds) -> bool {
        self.over_at().is_some_and(|at| at <= now)
    }

    /// From when on it is no longer needed; `None`: it always is.
    #[must_use]
    pub fn over_at(&self) -> Option<UnixSeconds> {
        (self.until != u32::MAX).then(|| UnixSeconds(self.until.into()))
    }

    /// Whether both are of one kind and key.
    #[must_use]
    pub fn is_about(&self, other: &Self) -> bool {
        (self.kind, self.key) == (other.kind, other.key)
    }

    /// Takes over what another one of the same kind and key says beyond this: the later times. Returns whether that is anything.
    pub fn extend(&mut self, other: &Self) -> bool {
        let (time, until) = (self.time.max(other.time), self.until.max(other.until));
        let says_more = (time, until) != (self.time, self.until);
        (self.time, self.until) = (time, until);
        says_more
    }
}
