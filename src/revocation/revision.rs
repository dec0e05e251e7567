//! Which revision of a list this is: a number by which people and metrics compare what gates have with a file.

use super::chunks::Chunks;
use super::signed;
use crate::crypto::{SHA256_BYTES, Sha256};
use std::fmt;

/// The bytes of a digest that are in the number: a float with 53 bits, as Prometheus has, holds it exactly.
const BYTES: usize = 6;

/// The first 48 bits of the SHA-256 of a list, without the line that signs it: signed anew, it is still the same list.
///
/// It tells lists apart that people make. Only a signature says that no one has made another list with the same number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Revision(u64);

impl Revision {
    /// That of a document in any form, which need not be a list that a gate takes.
    #[must_use]
    pub fn of(document: &Chunks) -> Self {
        let mut digest = Sha256::default();
        document.slices(signed::list_start(document)..document.len()).for_each(|slice| digest.update(slice));
        Self::of_digest(&digest.finish())
    }

    /// That of a list with this digest.
    pub(super) fn of_digest(digest: &[u8; SHA256_BYTES]) -> Self {
        Self(digest.iter().take(BYTES).fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// The number, which is below 2^48; 0 where there is no document.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_what_sha256sum_says_of_the_list() {
        // printf '%d\n' 0x$(printf abc | sha256sum | cut -c1-12)
        assert_eq!(Revision::of(&Chunks::from(&b"abc"[..])).to_string(), "205024940494593");
        assert_eq!(Revision::of_digest(&[u8::MAX; SHA256_BYTES]).number(), (1 << 48) - 1);
        assert_eq!(Revision::default().number(), 0);
    }

    #[test]
    fn the_line_that_signs_a_list_is_no_part_of_it() {
        let of = |text: &str| Revision::of(&Chunks::from(text.as_bytes()));
        assert_eq!(of("eyJh.e30.AA\nabc"), of("abc"));
        assert_eq!(of("eyJh.e30.BB\r\nabc"), of("abc"));
        assert_ne!(of("{}\nabc"), of("abc"));
        assert_eq!(of("eyJh.e30.AA"), of(""), "nothing is signed");
    }
}
