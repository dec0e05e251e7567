//! Strict base64url without padding ([RFC 4648 section 5](https://www.rfc-editor.org/rfc/rfc4648#section-5),
//! as [RFC 7515 section 2](https://www.rfc-editor.org/rfc/rfc7515#section-2) uses it).
//!
//! Strict: no `=`, no white space, no character of the standard alphabet, and no stray bits in the last
//! character. Otherwise one token would have several spellings, and a list that names tokens by their text
//! would miss all but one.

use base64::Engine as _;
// It takes no padding and no stray bits. The client that could measure the time of decoding sent the text, so a decoder in
// constant time, which takes several times as long, would protect nothing.
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// Decodes `text`, or returns `None` when it is not the one canonical spelling of some bytes.
#[must_use]
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Decodes text of the standard alphabet with its padding (RFC 4648 section 4), which is as strict.
#[must_use]
pub fn decode_standard(text: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Encodes `bytes` without padding.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jwt_simple::reexports::ct_codecs::{Base64UrlSafeNoPadding, Decoder as _};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn another_decoder_gives_the_same_bytes_or_refuses_too(text in "[A-Za-z0-9_=+/ \\-]{0,12}|[A-Za-z0-9_-]{0,400}") {
            let other = Base64UrlSafeNoPadding::decode_to_vec(&text, None).ok();
            prop_assert_eq!(decode(text.as_bytes()), other);
        }

        #[test]
        fn what_is_encoded_is_decoded_to_the_same(bytes: Vec<u8>) {
            prop_assert_eq!(decode(encode(&bytes).as_bytes()), Some(bytes));
        }
    }

    #[test]
    fn decodes_the_canonical_spelling_and_no_other() {
        assert_eq!(decode(b"_-8"), Some(vec![0xff, 0xef]));
        assert_eq!(decode(b""), Some(vec![]));
        for refused in ["_-8=", "/+8", "_-9", "_- 8", "_-8\n", " _-8", "_", "_-8_-", "\u{e9}_8"] {
            assert_eq!(decode(refused.as_bytes()), None, "{refused:?}");
        }
    }

    #[test]
    fn the_standard_alphabet_has_one_spelling_too() {
        assert_eq!(decode_standard(b"/+8="), Some(vec![0xff, 0xef]));
        assert_eq!(decode_standard(b""), Some(vec![]));
        for refused in ["/+8", "_-8=", "/+9=", "/+8=\n", " /+8=", "/+8==", "=", "\u{e9}+8="] {
            assert_eq!(decode_standard(refused.as_bytes()), None, "{refused:?}");
        }
    }

    #[test]
    fn encodes_without_padding() {
        assert_eq!(encode(&[0xff, 0xef]), "_-8");
    }
}
