//! What came in place of a key set, so that an error names it.

use crate::base::json::{Map, Value};
use std::fmt;

/// A document that is no key set, by what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instead {
    /// Nothing at all.
    Empty,
    /// A page, such as that of a login or of an error.
    Html,
    /// Compressed bytes.
    Compressed,
    /// Text in UTF-16.
    Utf16,
    /// A certificate or a key in PEM.
    Pem,
    /// Something else that is no JSON.
    NotJson,
    /// JSON with a member that is there twice.
    Duplicate,
    /// JSON, but not an object.
    NotAnObject,
    /// Certificates by `kid`.
    Certificates,
    /// The metadata of an issuer.
    Metadata,
    /// One key.
    OneKey,
    /// Another object.
    NoKeys,
}

impl Instead {
    /// What bytes are that are no JSON object.
    pub(super) fn of_bytes(bytes: &[u8], is_json: bool) -> Self {
        let text = bytes.trim_ascii_start();
        let begins =
            |start: &str| text.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start.as_bytes()));
        match text {
            [] => Self::Empty,
            // gzip (RFC 1952), zlib (RFC 1950), and Zstandard (RFC 8878).
            [0x1f, 0x8b, ..] | [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Compressed,
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, ..] | [_, 0, ..] => Self::Utf16,
            _ if begins("-----BEGIN") => Self::Pem,
            _ if begins("<!doctype") || begins("<html") || begins("<?xml") || begins("<") => Self::Html,
            _ if is_json => Self::NotAnObject,
            _ => Self::NotJson,
        }
    }

    /// What an object is that has no list `keys`.
    pub(super) fn of_object(object: &Map<String, Value>) -> Self {
        let is_pem = |value: &Value| value.as_str().is_some_and(|text| text.trim_start().starts_with("-----BEGIN"));
        if object.values().any(is_pem) {
            Self::Certificates
        } else if object.contains_key("jwks_uri") {
            Self::Metadata
        } else if object.contains_key("kty") {
            Self::OneKey
        } else {
            Self::NoKeys
        }
    }
}

impl fmt::Display for Instead {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Empty => "it is empty",
            Self::Html => "it is HTML or XML, such as a login page or an error",
            Self::Compressed => "it is compressed, and compression was not asked for",
            Self::Utf16 => "it is UTF-16 text; JSON is UTF-8",
            Self::Pem => "it is PEM, and not JSON",
            Self::NotJson => "it is not JSON",
            Self::Duplicate => "a member is there twice",
            Self::NotAnObject => "it is JSON, and not an object",
            Self::Certificates => {
                "it holds certificates by kid, and no list `keys`; some issuers have both at two addresses"
            }
            Self::Metadata => "it is the metadata of an issuer, whose `jwks_uri` is the address of the key set",
            Self::OneKey => "it is one key: put it into a list `keys`",
            Self::NoKeys => "it is a JSON object without a list `keys`",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::{KeySet, KeySetError};

    #[test]
    fn what_came_in_place_of_a_key_set_is_named() {
        let utf16: Vec<u8> = "\u{feff}{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (bytes, wanted) in [
            (&b""[..], Instead::Empty),
            (b" \n", Instead::Empty),
            (b"\xef\xbb\xbf", Instead::Empty),
            (b"<html><body>login</body></html>", Instead::Html),
            (b"\n<!DOCTYPE html>", Instead::Html),
            (b"\x1f\x8b\x08\0", Instead::Compressed),
            (b"\x78\x9c\xab", Instead::Compressed),
            (utf16.as_slice(), Instead::Utf16),
            (b"-----BEGIN CERTIFICATE-----", Instead::Pem),
            (b"not found", Instead::NotJson),
            (b"{\"keys\":[", Instead::NotJson),
            (b"{\"keys\":[],\"keys\":[]}", Instead::Duplicate),
            (b"[]", Instead::NotAnObject),
            (b"{\"abc\":\"-----BEGIN CERTIFICATE-----\\n\"}", Instead::Certificates),
            (b"{\"issuer\":\"a\",\"jwks_uri\":\"b\"}", Instead::Metadata),
            (b"{\"kty\":\"RSA\"}", Instead::OneKey),
            (b"{\"error\":\"x\"}", Instead::NoKeys),
            (b"{\"keys\":{}}", Instead::NoKeys),
        ] {
            let found = KeySet::parse(bytes, 1000, 10).map(|_| ());
            assert_eq!(found, Err(KeySetError::NotAKeySet(wanted)), "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn a_byte_order_mark_is_passed_over() {
        let set = KeySet::parse(b"\xef\xbb\xbf{\"keys\":[]}", 1000, 10).expect("RFC 8259 section 8.1 allows it");
        assert!(set.keys().is_empty());
    }
}
