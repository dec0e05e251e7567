//! Public keys as DER `SubjectPublicKeyInfo`. Those of the NIST curves have a fixed header for each curve, then the point
//! ([RFC 5480 section 2](https://www.rfc-editor.org/rfc/rfc5480#section-2)); those of RSA are two numbers
//! ([RFC 3279 section 2.3.1](https://www.rfc-editor.org/rfc/rfc3279#section-2.3.1)).

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

/// `SEQUENCE { rsaEncryption, NULL }`.
const RSA: &[u8] = &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
/// `INTEGER 65537`.
const EXPONENT: &[u8] = &[0x02, 0x03, 0x01, 0x00, 0x01];

/// The RSA key with this modulus, which begins with no zero, and the exponent 65537.
pub(super) fn rsa(modulus: &[u8]) -> Vec<u8> {
    // The first bit is the sign: a zero before it keeps the number positive.
    let sign: &[u8] = if modulus.first().is_some_and(|first| first & 0x80 != 0) { &[0] } else { &[] };
    let modulus = der(0x02, &[sign, modulus].concat());
    let numbers = der(0x30, &[&modulus, EXPONENT].concat());
    let bits = der(0x03, &[&[0], numbers.as_slice()].concat());
    der(0x30, &[RSA, &bits].concat())
}

/// What is in the bits of a key that was made here: the point, or RSA's two numbers.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn public_key(family: KeyFamily, spki: &[u8]) -> Option<&[u8]> {
    let header = match family {
        // Two tags with lengths of two bytes each, the algorithm, and how many bits are unused.
        KeyFamily::Rsa => 2 * 4 + RSA.len() + 1,
        KeyFamily::P256 => P256.len(),
        KeyFamily::P384 => P384.len(),
        _ => return None,
    };
    spki.get(header..)
}

/// Whether the first byte of the modulus is 1, in RSA's two numbers: it has 8k + 1 bits.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn modulus_begins_with_one_bit(numbers: &[u8]) -> bool {
    // After two tags with lengths of two bytes each. A modulus with its first bit set begins with a zero.
    numbers.get(2 * 4) == Some(&1)
}

/// A tag, the length of the content, and the content.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let zeros = length.iter().take_while(|&&byte| byte == 0).count();
    let digits = length.get(zeros..).unwrap_or_default();
    let mut all = Vec::with_capacity(content.len().saturating_add(6));
    all.push(tag);
    match digits {
        [] => all.push(0),
        [short] if *short < 0x80 => all.push(*short),
        digits => {
            all.push(0x80 | u8::try_from(digits.len()).unwrap_or_default());
            all.extend_from_slice(digits);
        }
    }
    all.extend_from_slice(content);
    all
}

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
