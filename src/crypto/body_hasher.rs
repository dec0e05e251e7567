//! The digests of a body.

use super::{SHA256_BYTES, Sha256};
use sha2::{Digest as _, Sha512};
use std::fmt;

/// The bytes of a SHA-512 digest.
pub const SHA512_BYTES: usize = 64;

/// Compares a body that comes piece by piece with the digests that it has to have. No other digest is computed.
pub struct BodyHasher {
    sha256: Option<(Sha256, [u8; SHA256_BYTES])>,
    sha512: Option<(Sha512, [u8; SHA512_BYTES])>,
}

impl BodyHasher {
    /// Nothing of the body has come.
    #[must_use]
    pub fn new(sha256: Option<[u8; SHA256_BYTES]>, sha512: Option<[u8; SHA512_BYTES]>) -> Self {
        Self {
            sha256: sha256.map(|wanted| (Sha256::default(), wanted)),
            sha512: sha512.map(|wanted| (Sha512::new(), wanted)),
        }
    }

    /// Takes in the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        if let Some((hasher, _)) = &mut self.sha256 {
            hasher.update(piece);
        }
        if let Some((hasher, _)) = &mut self.sha512 {
            sha2::Digest::update(hasher, piece);
        }
    }

    /// Whether the body that has come has all digests that were given. Without one it has not: nothing says what it has to be.
    #[must_use]
    pub fn matches(self) -> bool {
        let is_compared = self.sha256.is_some() || self.sha512.is_some();
        let has_sha256 = self.sha256.is_none_or(|(hasher, wanted)| hasher.finish() == wanted);
        let has_sha512 =
            self.sha512.is_none_or(|(hasher, wanted)| <[u8; SHA512_BYTES]>::from(hasher.finalize()) == wanted);
        is_compared && has_sha256 && has_sha512
    }
}

/// Shows nothing of what was taken in.
impl fmt::Debug for BodyHasher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("BodyHasher")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::text::from_hex;

    /// The bytes of RFC 9530 appendix D.
    const BODY: &[u8] = b"{\"hello\": \"world\"}\n";

    fn digests() -> ([u8; SHA256_BYTES], [u8; SHA512_BYTES]) {
        use base64::Engine as _;
        let decode = |text: &str| base64::engine::general_purpose::STANDARD.decode(text).unwrap();
        let sha256 = decode("RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=");
        let sha512 = decode("YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/WkppmM44T3qg==");
        (sha256.try_into().unwrap(), sha512.try_into().unwrap())
    }

    #[test]
    fn the_digests_are_those_of_the_standard_however_the_body_comes() {
        let (sha256, sha512) = digests();
        for size in 1..=BODY.len() {
            let mut hasher = BodyHasher::new(Some(sha256), Some(sha512));
            BODY.chunks(size).for_each(|piece| hasher.update(piece));
            hasher.update(b"");
            assert!(hasher.matches(), "pieces of {size}");
        }
        let of_nothing = from_hex(b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855").unwrap();
        assert!(BodyHasher::new(Some(of_nothing.try_into().unwrap()), None).matches());
    }

    #[test]
    fn all_that_are_given_have_to_match_and_one_has_to_be_given() {
        let (sha256, sha512) = digests();
        let (mut wrong256, mut wrong512) = (sha256, sha512);
        wrong256[31] ^= 1;
        wrong512[63] ^= 1;
        for (short, long, wanted) in [
            (Some(sha256), None, true),
            (None, Some(sha512), true),
            (Some(sha256), Some(sha512), true),
            (Some(wrong256), None, false),
            (None, Some(wrong512), false),
            (Some(wrong256), Some(sha512), false),
            (Some(sha256), Some(wrong512), false),
            (None, None, false),
        ] {
            let mut hasher = BodyHasher::new(short, long);
            hasher.update(BODY);
            assert_eq!(hasher.matches(), wanted, "{short:?} {long:?}");
        }
        let mut shorter = BodyHasher::new(Some(sha256), Some(sha512));
        shorter.update(&BODY[1..]);
        assert!(!shorter.matches());
    }
}
