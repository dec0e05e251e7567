//! The value of `Mcp-Name`: a name as it is, or in base64 if a header could not hold it.

use crate::base::base64url;
use std::borrow::Cow;

/// The name that a value of `Mcp-Name` means. White space around the value is no part of it. Invalid are characters
/// other than visible ASCII, space and tab, and between `=?base64?` and `?=` what is not strict, padded base64 of UTF-8.
#[must_use]
pub fn decode_name(value: &[u8]) -> Option<Cow<'_, str>> {
    let text = std::str::from_utf8(value).ok()?.trim_matches([' ', '\t']);
    if !text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) {
        return None;
    }
    match text.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        Some(encoded) => String::from_utf8(base64url::decode_standard(encoded.as_bytes())?).ok().map(Cow::Owned),
        None => Some(Cow::Borrowed(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::base64url;

    #[test]
    fn a_plain_name_means_itself_without_the_white_space_around_it() {
        for (value, name) in [
            ("get_weather", "get_weather"),
            (" \tget weather\t ", "get weather"),
            ("a\tb", "a\tb"),
            ("file:///a/b?c=d", "file:///a/b?c=d"),
            ("", ""),
        ] {
            assert_eq!(decode_name(value.as_bytes()).as_deref(), Some(name), "{value:?}");
        }
    }

    #[test]
    fn what_is_between_the_markers_is_decoded_once() {
        for (value, name) in [
            ("=?base64?w6k=?=", "é"),
            (" =?base64?IGE=?= ", " a"),
            ("=?base64??=", ""),
            ("=?base64?PT9iYXNlNjQ/P2E/PQ==?=", "=?base64??a?="),
        ] {
            assert_eq!(decode_name(value.as_bytes()).as_deref(), Some(name), "{value:?}");
        }
    }

    #[test]
    fn half_a_marker_or_one_in_another_case_is_a_name() {
        for value in [
            "=?base64?w6k=",
            "w6k=?=",
            "=?base64?",
            "=?base64?=",
            "=?BASE64?w6k=?=",
            "=?Base64?w6k=?=",
            "=?=",
            "x=?base64?w6k=?=",
        ] {
            assert_eq!(decode_name(value.as_bytes()).as_deref(), Some(value));
        }
    }

    #[test]
    fn what_is_no_base64_of_utf8_or_no_visible_ascii_is_invalid() {
        for value in [
            "=?base64?w6k?=",
            "=?base64?w6k=\t?=",
            "=?base64? w6k=?=",
            "=?base64?w6l=?=",
            "=?base64?_w==?=",
            "=?base64?/w==?=",
            "=?base64?w6k==?=",
            "=?base64?7aCA?=",
            "é",
            "a\nb",
            "a\0",
            "a\u{7f}",
            "\u{a0}a",
        ] {
            assert_eq!(decode_name(value.as_bytes()), None, "{value:?}");
        }
        assert_eq!(decode_name(b"a\xff"), None);
        assert_eq!(base64url::decode_standard(b"/w=="), Some(vec![0xff]), "base64, but not of UTF-8");
    }
}
