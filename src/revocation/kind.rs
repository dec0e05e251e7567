//! The kinds of entries, and the keys by which a token finds its own.

use crate::crypto::{SHA256_BYTES, Sha256};

/// What an entry names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    /// One token, by its `iss` and `jti`.
    TokenId,
    /// One token, by its fingerprint.
    Fingerprint,
    /// The tokens of a subject that were issued before a time.
    Subject,
    /// The tokens of a session.
    Session,
    /// The tokens of a client that were issued before a time.
    Client,
    /// The tokens that were signed with a key.
    SigningKey,
    /// An identity of a set of credentials.
    Identity,
}

/// The key by which an entry is found: the first 128 bits of a SHA-256. A list has such keys and no names, so reading
/// it tells no name.
pub(super) type Key = u128;

/// The bytes of a key.
pub(super) const KEY_BYTES: usize = 16;
/// The bytes of a time after a key: an `i64`, the highest byte first.
pub(super) const TIME_BYTES: usize = 8;

impl EntryKind {
    /// All kinds, in the order of their sections.
    pub const ALL: [Self; 7] = [
        Self::TokenId,
        Self::Fingerprint,
        Self::Subject,
        Self::Session,
        Self::Client,
        Self::SigningKey,
        Self::Identity,
    ];

    /// The member of an entry that tells its kind; but for a fingerprint and an identity also the claim, or the header
    /// parameter `kid`, that it is compared with.
    #[must_use]
    pub const fn member(self) -> &'static str {
        match self {
            Self::TokenId => "jti",
            Self::Fingerprint => "fingerprint",
            Self::Subject => "sub",
            Self::Session => "sid",
            Self::Client => "client_id",
            Self::SigningKey => "kid",
            Self::Identity => "id",
        }
    }

    /// The member that says whose name the entry has: an issuer's, or one of a set. A fingerprint needs none.
    #[must_use]
    pub const fn authority_member(self) -> Option<&'static str> {
        match self {
            Self::Fingerprint => None,
            Self::Identity => Some("credential"),
            Self::TokenId | Self::Subject | Self::Session | Self::Client | Self::SigningKey => Some("iss"),
        }
    }

    /// Whether entries of this kind carry a time, `issued_before`.
    #[must_use]
    pub const fn is_timed(self) -> bool {
        matches!(self, Self::Subject | Self::Client)
    }

    /// Its number in the binary form and in keys.
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::TokenId => 1,
            Self::Fingerprint => 2,
            Self::Subject => 3,
            Self::Session => 4,
            Self::Client => 5,
            Self::SigningKey => 6,
            Self::Identity => 7,
        }
    }

    /// The kind of that number.
    pub(super) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// The bytes of an entry in the binary form.
    pub(super) const fn record_bytes(self) -> usize {
        if self.is_timed() { KEY_BYTES + TIME_BYTES } else { KEY_BYTES }
    }

    /// The key of what an issuer, or a set, calls `name`: of the number of the kind, the length of the issuer in bytes as a `u32`
    /// with the highest byte first, the issuer, and the name.
    pub(super) fn key(self, issuer: &str, name: &str) -> Key {
        let mut digest = Sha256::default();
        digest.update([self.number()]);
        // No issuer is that long: what holds a token and what holds a line are bounded.
        digest.update(u32::try_from(issuer.len()).unwrap_or(u32::MAX).to_be_bytes());
        digest.update(issuer);
        digest.update(name);
        key_of_digest(&digest.finish())
    }
}

/// The first 128 bits of a digest. The key of a fingerprint is that of the digest which it spells.
pub(super) fn key_of_digest(digest: &[u8; SHA256_BYTES]) -> Key {
    digest.first_chunk().map_or(0, |bytes| Key::from_be_bytes(*bytes))
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct KindSet(u8);

impl KindSet {
    pub(super) const fn insert(&mut self, kind: EntryKind) {
        self.0 |= 1 << kind.number();
    }

    pub(super) const fn has(self, kind: EntryKind) -> bool {
        self.0 & (1 << kind.number()) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_names_share_a_key() {
        let keys = [
            EntryKind::TokenId.key("a", "bc"),
            EntryKind::TokenId.key("ab", "c"),
            EntryKind::TokenId.key("", "abc"),
            EntryKind::TokenId.key("abc", ""),
            EntryKind::Session.key("a", "bc"),
            EntryKind::Subject.key("a", "bc"),
            EntryKind::TokenId.key("A", "bc"),
        ];
        for (index, key) in keys.iter().enumerate() {
            assert!(!keys[..index].contains(key), "{index}");
        }
    }

    #[test]
    fn keys_are_those_of_the_published_form() {
        // printf '\001\000\000\000\001abc' | sha256sum
        assert_eq!(format!("{:032x}", EntryKind::TokenId.key("a", "bc")), KNOWN);
        assert!(EntryKind::ALL.iter().all(|&kind| EntryKind::from_number(kind.number()) == Some(kind)));
        assert_eq!(EntryKind::from_number(0), None);
        assert_eq!(EntryKind::from_number(8), None);
    }

    const KNOWN: &str = "093236260a17d20b4d6497cc8c2d5147";
}
