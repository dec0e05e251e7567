//! Digests.

use siphasher::sip128::{Hasher128, SipHasher24};
use std::fmt;
use std::hash::Hasher as _;

/// The bytes of a SHA-256 digest.
pub const SHA256_BYTES: usize = 32;

/// SHA-256 of `bytes` (FIPS 180-4).
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; SHA256_BYTES] {
    hmac_sha256::Hash::hash(bytes)
}

/// SHA-256 of bytes that come piece by piece.
#[derive(Clone, Default)]
pub struct Sha256(hmac_sha256::Hash);

impl Sha256 {
    /// Takes in the next piece.
    pub fn update(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.update(bytes);
    }

    /// The digest of everything that was taken in.
    #[must_use]
    pub fn finish(self) -> [u8; SHA256_BYTES] {
        self.0.finalize()
    }
}

/// Shows nothing of what was taken in.
impl fmt::Debug for Sha256 {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Sha256")
    }
}

/// A digest under a random key of 128 bits (SipHash-2-4 with 128 bits of output), for names that no client can
/// choose: without the key, only luck finds two texts with one name.
///
/// Not for signatures, and not for what leaves the process.
#[derive(Clone, Copy)]
pub struct KeyedDigest(SipHasher24);

impl KeyedDigest {
    /// A digest under a new key; `None` when the host has no random numbers.
    #[must_use]
    pub fn random() -> Option<Self> {
        Self::random_key().map(Self::with_key)
    }

    /// A new key; `None` when the host has no random numbers.
    #[must_use]
    pub fn random_key() -> Option<[u8; 16]> {
        let mut key = [0; 16];
        getrandom::fill(&mut key).ok()?;
        Some(key)
    }

    /// A digest under this key.
    #[must_use]
    pub fn with_key(key: [u8; 16]) -> Self {
        Self(SipHasher24::new_with_key(&key))
    }

    /// The digest of `bytes`.
    #[must_use]
    pub fn of(&self, bytes: &[u8]) -> u128 {
        let mut hasher = self.0;
        hasher.write(bytes);
        hasher.finish128().as_u128()
    }

    /// The digest of several texts, each with its length: other texts that make the same whole have another digest.
    #[must_use]
    pub fn of_parts(&self, parts: &[&[u8]]) -> u128 {
        self.of_lists(&[parts])
    }

    /// The digest of the texts of several lists, one list after the other.
    #[must_use]
    pub fn of_lists(&self, lists: &[&[&[u8]]]) -> u128 {
        let mut hasher = self.0;
        for part in lists.iter().copied().flatten() {
            let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
            hasher.write(&length.to_le_bytes());
            hasher.write(part);
        }
        hasher.finish128().as_u128()
    }
}

/// Shows nothing of the key.
impl fmt::Debug for KeyedDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KeyedDigest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_and_the_key_count() {
        let digest = KeyedDigest::with_key([7; 16]);
        let text = b"a.b.c".to_vec();
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut other = text.clone();
                other[at] ^= 1 << bit;
                assert_ne!(digest.of(&text), digest.of(&other));
            }
        }
        assert_ne!(digest.of(b"a"), digest.of(b"a\0"));
        assert_ne!(digest.of(b"a"), KeyedDigest::with_key([8; 16]).of(b"a"));
        assert_eq!(digest.of(b"a"), KeyedDigest::with_key([7; 16]).of(b"a"));
        let random = || KeyedDigest::random().expect("random numbers");
        assert_ne!(random().of(b"a"), random().of(b"a"));
        assert_eq!(format!("{digest:?}"), "KeyedDigest");
    }

    #[test]
    fn parts_are_not_read_together() {
        let digest = KeyedDigest::with_key([7; 16]);
        let of = |parts: &[&str]| digest.of_parts(&parts.iter().map(|part| part.as_bytes()).collect::<Vec<_>>());
        assert_eq!(of(&["iss", "jti"]), of(&["iss", "jti"]));
        for other in [&["issj", "ti"][..], &["issjti"], &["iss", "jti", ""], &["", "iss", "jti"], &["jti", "iss"], &[]]
        {
            assert_ne!(of(&["iss", "jti"]), of(other), "{other:?}");
        }
    }

    /// The first half of the first vector of the reference implementation (`vectors_sip128`: no input, key 00 to 0f).
    #[test]
    fn it_is_siphash() {
        let key = std::array::from_fn(|at| u8::try_from(at).unwrap());
        let empty = KeyedDigest::with_key(key).of(b"");
        assert_eq!(empty.to_le_bytes()[..8], [0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6]);
    }
}
