//! Strict base64url without padding ([RFC 4648 section 5](https://www.rfc-editor.org/rfc/rfc4648#section-5),
//! as [RFC 7515 section 2](https://www.rfc-editor.org/rfc/rfc7515#section-2) uses it).
//!
//! Strict: no `=`, no white space, no character of the standard alphabet, and no stray bits in the last
//! character. Otherwise one token would have several spellings, and a list that names tokens by their text
//! would miss all but one.

use jwt_simple::reexports::ct_codecs::{Base64UrlSafeNoPadding, Decoder as _, Encoder as _};

/// Decodes `text`, or returns `None` when it is not the one canonical spelling of some bytes.
#[must_use]
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    Base64UrlSafeNoPadding::decode_to_vec(text, None).ok()
}

/// Encodes `bytes` without padding.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    // The encoder fails only where the length overflows the address space.
    Base64UrlSafeNoPadding::encode_to_string(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_the_canonical_spelling_and_no_other() {
        assert_eq!(decode(b"_-8"), Some(vec![0xff, 0xef]));
        assert_eq!(decode(b""), Some(vec![]));
        for refused in ["_-8=", "/+8", "_-9", "_- 8", "_-8\n", " _-8", "_", "_-8_-", "\u{e9}_8"] {
            assert_eq!(decode(refused.as_bytes()), None, "{refused:?}");
        }
    }

    #[test]
    fn encodes_without_padding() {
        assert_eq!(encode(&[0xff, 0xef]), "_-8");
    }
}
