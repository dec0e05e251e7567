//! Public keys of the NIST curves as DER `SubjectPublicKeyInfo`
//! ([RFC 5480 section 2](https://www.rfc-editor.org/rfc/rfc5480#section-2)): a fixed header for each curve, then the
//! point.

use super::KeyFamily;
use crate::base::base64url;

/// `SEQUENCE { SEQUENCE { ecPublicKey, prime256v1 }, BIT STRING }` up to the point, which has 65 bytes.
const P256: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// The prefix for secp384r1, whose point has 97 bytes.
const P384: &[u8] = &[
    0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00,
    0x22, 0x03, 0x62, 0x00,
];
/// The prefix for secp521r1, whose point has 133 bytes.
const P521: &[u8] = &[
    0x30, 0x81, 0x9b, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04,
    0x00, 0x23, 0x03, 0x81, 0x86, 0x00,
];

/// The key with these coordinates in base64url; `None` for another family, or coordinates that are not of full length.
pub(super) fn elliptic(family: KeyFamily, x: &str, y: &str) -> Option<Vec<u8>> {
    let header = match family {
        KeyFamily::P256 => P256,
        KeyFamily::P384 => P384,
        KeyFamily::P521 => P521,
        _ => return None,
    };
    Some([header, &point(family, x, y)?].concat())
}

/// The uncompressed point (SEC 1 section 2.3.3).
pub(super) fn point(family: KeyFamily, x: &str, y: &str) -> Option<Vec<u8>> {
    let length = family.coordinate_bytes()?;
    let coordinate = |text: &str| base64url::decode(text.as_bytes()).filter(|bytes| bytes.len() == length);
    Some([&[0x04], coordinate(x)?.as_slice(), coordinate(y)?.as_slice()].concat())
}
