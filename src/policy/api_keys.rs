//! API keys that the configuration holds: where they are sent, and the digests by which they are found.

use crate::base::time::UnixSeconds;
use crate::crypto::SHA256_BYTES;
use std::fmt;

/// The keys of a set.
#[derive(Debug)]
pub struct ApiKeys {
    /// Where a request may have a key. Never empty.
    pub places: Vec<KeyPlace>,
    secrets: Secrets,
}

/// Secrets, by their digests.
#[derive(Debug)]
pub struct Secrets(Box<[Secret]>);

/// Where a request may have a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPlace {
    /// The header, in lower case.
    pub header: String,
    /// The authentication scheme before the key, compared in any letter case.
    pub scheme: Option<String>,
    /// What every key begins with. It is part of the key.
    pub prefix: Option<String>,
}

/// A secret of an identity, by its digest.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret {
    /// The SHA-256 of the key.
    pub digest: [u8; SHA256_BYTES],
    /// The position of the identity in its set.
    pub identity: usize,
    /// From when on it is good no longer.
    pub expires: Option<UnixSeconds>,
}

/// Shows no digest: records and logs name identities, never secrets.
impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Secret(of {})", self.identity)
    }
}

impl ApiKeys {
    /// Keys. Each digest is there once.
    #[must_use]
    pub fn new(places: Vec<KeyPlace>, secrets: &[Secret]) -> Self {
        Self { places, secrets: Secrets::new(secrets) }
    }

    /// The key with this digest.
    #[must_use]
    pub fn find(&self, digest: &[u8; SHA256_BYTES]) -> Option<&Secret> {
        self.secrets.find(digest)
    }

    /// The digests of all keys.
    #[must_use]
    pub fn digests(&self) -> Vec<[u8; SHA256_BYTES]> {
        self.secrets.digests()
    }
}

impl Secrets {
    /// Secrets. Each digest is there once.
    #[must_use]
    pub fn new(secrets: &[Secret]) -> Self {
        let order = in_order(secrets.iter().map(|secret| secret.digest));
        Self(order.into_iter().filter_map(|(_, at)| secrets.get(at).copied()).collect())
    }

    /// The secret with this digest.
    ///
    /// How long it takes depends on the digest, of which the sender of a guess cannot choose a single bit.
    #[must_use]
    pub fn find(&self, digest: &[u8; SHA256_BYTES]) -> Option<&Secret> {
        let at = self.0.binary_search_by(|secret| secret.digest.cmp(digest)).ok()?;
        self.0.get(at)
    }

    /// All digests.
    #[must_use]
    pub fn digests(&self) -> Vec<[u8; SHA256_BYTES]> {
        self.0.iter().map(|secret| secret.digest).collect()
    }
}

/// Digests in their order, each with its place in the list. All that is sorted of sets is sorted here: each type that is
/// sorted elsewhere would cost some kilobytes of the module.
#[must_use]
pub fn in_order(digests: impl Iterator<Item = [u8; SHA256_BYTES]>) -> Vec<([u8; SHA256_BYTES], usize)> {
    let mut all: Vec<([u8; SHA256_BYTES], usize)> = Vec::new();
    digests.enumerate().for_each(|(at, digest)| all.push((digest, at)));
    all.sort_unstable();
    all
}

impl KeyPlace {
    /// The key in a value of the header; `None` if the value is something else. A scheme without anything after it has a
    /// key, the empty one, unless the key has to begin with something.
    #[must_use]
    pub fn key_in<'v>(&self, value: &'v [u8]) -> Option<&'v [u8]> {
        let key = match &self.scheme {
            None => value,
            Some(scheme) => {
                let (word, rest) = value.split_at_checked(scheme.len())?;
                if !word.eq_ignore_ascii_case(scheme.as_bytes()) || !(rest.is_empty() || rest.starts_with(b" ")) {
                    return None;
                }
                rest.trim_ascii_start()
            }
        };
        let begins = self.prefix.as_ref().is_none_or(|prefix| key.starts_with(prefix.as_bytes()));
        begins.then_some(key)
    }

    /// Whether one value can be a key of both places.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        if self.header != other.header {
            return false;
        }
        let has_other_scheme = match (&self.scheme, &other.scheme) {
            (Some(own), Some(other)) => !own.eq_ignore_ascii_case(other),
            _ => false,
        };
        let (own, other) = (self.prefix.as_deref().unwrap_or_default(), other.prefix.as_deref().unwrap_or_default());
        !has_other_scheme && (own.starts_with(other) || other.starts_with(own))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(header: &str, scheme: Option<&str>, prefix: Option<&str>) -> KeyPlace {
        KeyPlace { header: header.to_owned(), scheme: scheme.map(str::to_owned), prefix: prefix.map(str::to_owned) }
    }

    #[test]
    fn a_key_stands_after_its_scheme_and_begins_with_its_prefix() {
        let plain = place("x-api-key", None, None);
        assert_eq!(plain.key_in(b"abc"), Some(&b"abc"[..]));
        let bearer = place("authorization", Some("Bearer"), Some("sk-"));
        for (value, wanted) in [
            (&b"Bearer sk-abc"[..], Some(&b"sk-abc"[..])),
            (b"bearer   sk-abc", Some(b"sk-abc")),
            (b"Bearer eyJh.b.c", None),
            (b"Bearer", None),
            (b"Bearer-sk-abc", None),
            (b"Bearersk-abc", None),
            (b"Basic sk-abc", None),
            (b"sk-abc", None),
            (b"", None),
        ] {
            assert_eq!(bearer.key_in(value), wanted, "{}", String::from_utf8_lossy(value));
        }
        assert_eq!(place("authorization", Some("ApiKey"), None).key_in(b"APIKEY"), Some(&b""[..]));
    }

    #[test]
    fn places_overlap_where_one_value_is_a_key_of_both() {
        let (ak, b) = (Some("ak-"), Some("ak-b"));
        for (left, right, wanted) in [
            (place("x", None, None), place("x", None, None), true),
            (place("x", None, None), place("y", None, None), false),
            (place("x", None, ak), place("x", None, Some("bk-")), false),
            (place("x", None, ak), place("x", None, b), true),
            (place("x", None, ak), place("x", None, None), true),
            (place("x", Some("A"), None), place("x", Some("a"), None), true),
            (place("x", Some("A"), None), place("x", Some("B"), None), false),
            (place("x", Some("A"), None), place("x", None, None), true),
        ] {
            assert_eq!((left.overlaps(&right), right.overlaps(&left)), (wanted, wanted), "{left:?} {right:?}");
        }
    }
}
