//! What records call subjects and tokens: digests, computed only on demand.

use std::cell::OnceCell;
use std::fmt;
use std::rc::Rc;

/// Makes a name of bytes.
pub type Digest = fn(&[u8]) -> String;

/// Whom a token speaks for; or its `jti`, of which records show the digest too.
#[derive(Clone, Debug)]
pub struct Subject {
    text: Box<str>,
    /// A digest of the text, for records that show it instead.
    digest: OnceCell<Box<str>>,
}

impl Subject {
    /// This one.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { text: text.into(), digest: OnceCell::new() }
    }

    /// The text of `sub`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its digest.
    pub fn digest(&self, digest: impl FnOnce(&[u8]) -> String) -> &str {
        self.digest.get_or_init(|| digest(self.text.as_bytes()).into())
    }
}

impl PartialEq for Subject {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Subject {}

/// A place for a fingerprint, shared by all who may compute it.
pub type FingerprintCell = Rc<OnceCell<Box<str>>>;

/// The fingerprint of a token, or what it is made of.
#[derive(Clone)]
pub struct Fingerprint {
    cell: FingerprintCell,
    /// Empty where the fingerprint is known.
    of: Box<[u8]>,
    digest: Digest,
}

impl Fingerprint {
    /// The fingerprint that `digest` makes of `bytes`, kept in `cell`. The bytes are copied, unless it is there.
    #[must_use]
    pub fn new(cell: &FingerprintCell, bytes: &[u8], digest: Digest) -> Self {
        let of = if cell.get().is_some() { Box::default() } else { bytes.into() };
        Self { cell: Rc::clone(cell), of, digest }
    }

    /// The fingerprint.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.cell.get_or_init(|| (self.digest)(&self.of).into())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Fingerprint").field(&self.as_str()).finish()
    }
}

impl PartialEq for Fingerprint {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Fingerprint {}

#[cfg(test)]
mod tests {
    use super::*;

    fn reversed(bytes: &[u8]) -> String {
        bytes.iter().rev().map(|&byte| char::from(byte)).collect()
    }

    #[test]
    fn a_fingerprint_is_computed_once_for_all_who_share_its_place() {
        let cell = FingerprintCell::default();
        let (first, second) = (Fingerprint::new(&cell, b"abc", reversed), Fingerprint::new(&cell, b"abc", reversed));
        assert!(cell.get().is_none());
        assert_eq!((first.as_str(), second.as_str()), ("cba", "cba"));
        let known = Fingerprint::new(&cell, b"never looked at", |_| "never asked".to_owned());
        assert_eq!((known.of.len(), known.as_str()), (0, "cba"));
        assert_eq!(known, first);
    }

    #[test]
    fn subjects_are_equal_when_their_texts_are() {
        let subject = Subject::new("abc");
        assert_eq!(subject.digest(reversed), "cba");
        assert_eq!(subject, Subject::new("abc"));
        assert_ne!(subject, Subject::new("abd"));
        assert_eq!(subject.as_str(), "abc");
    }
}
