//! By what entries find a token that is no longer at hand.

use super::entry::fingerprint_key;
use super::kind::{EntryKind, KEY_BYTES, Key};
use super::revocations::Revocable;
use crate::base::time::UnixSeconds;

/// The keys of the names that a token has, by kind: all that is needed to look it up later. They tell no name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundBy {
    /// As bytes, which take no room for their alignment.
    keys: Box<[(EntryKind, [u8; KEY_BYTES])]>,
    issued_at: Option<UnixSeconds>,
}

impl FoundBy {
    /// What a token is found by. This computes a digest for each name that it has.
    pub fn of(token: &impl Revocable) -> Self {
        let keys = EntryKind::ALL.into_iter().filter_map(|kind| Some((kind, key_of(token, kind)?.to_be_bytes())));
        Self { keys: keys.collect(), issued_at: token.issued_at() }
    }

    /// How many bytes of memory they take, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.keys)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = (EntryKind, Key)> {
        self.keys.iter().map(|(kind, key)| (*kind, Key::from_be_bytes(*key)))
    }

    pub(super) const fn issued_at(&self) -> Option<UnixSeconds> {
        self.issued_at
    }
}

/// The key by which an entry of that kind finds a token; `None` if the token has no name of the kind.
pub(super) fn key_of(token: &impl Revocable, kind: EntryKind) -> Option<Key> {
    let name = token.name(kind)?;
    match kind {
        EntryKind::Fingerprint => fingerprint_key(&name),
        _ => Some(kind.key(token.iss(), &name)),
    }
}
