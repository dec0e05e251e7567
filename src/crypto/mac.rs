//! Tags under a secret.

use super::SHA256_BYTES;
use jwt_simple::reexports::ct_codecs;

/// HMAC with SHA-256 ([RFC 2104](https://www.rfc-editor.org/rfc/rfc2104)).
#[must_use]
pub fn hmac(secret: &[u8], message: &[u8]) -> [u8; SHA256_BYTES] {
    hmac_sha256::HMAC::mac(message, secret)
}

/// Whether two tags are the same, in a time that does not depend on where they differ: the one that was computed is a secret
/// until it has been compared.
#[must_use]
pub fn same_tag(computed: &[u8], given: &[u8]) -> bool {
    ct_codecs::verify(computed, given)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::text::from_hex;

    /// RFC 4231 section 4.3.
    #[test]
    fn it_is_hmac() {
        let wanted = from_hex(b"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert_eq!(wanted.as_deref(), Some(&hmac(b"Jefe", b"what do ya want for nothing?")[..]));
    }

    #[test]
    fn tags_are_compared_whole() {
        assert!(same_tag(b"abc", b"abc"));
        for other in [&b"abd"[..], b"ab", b"abcd", b""] {
            assert!(!same_tag(b"abc", other), "{other:?}");
        }
    }
}
