//! Keys that a signature can be checked with. A key knows its family; what a family cannot do is not representable.

use super::Algorithm;
use super::spki;
use crate::base::base64url;
use jwt_simple::algorithms::{HS256Key, HS384Key, HS512Key};
use k256::elliptic_curve::point::AffineCoordinates as _;
use std::fmt;
use superboring::bn::BigNum;
use superboring::mldsa::{Algorithm as MlDsa, MlDsaPublicKey};
use superboring::pkey::{PKey, Public};
use superboring::rsa::Rsa;

/// The least RSA modulus in bits ([RFC 7518 section 3.3](https://www.rfc-editor.org/rfc/rfc7518#section-3.3)).
pub const MIN_RSA_BITS: usize = 2048;
/// The largest RSA modulus in bits: beyond it one verification takes several milliseconds, which a sender could use
/// to keep a worker busy.
pub const MAX_RSA_BITS: usize = 4096;

/// What kind of key it is. An algorithm works with exactly one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum KeyFamily {
    Rsa,
    P256,
    P384,
    P521,
    Secp256k1,
    Ed25519,
    Secret,
    MlDsa44,
    MlDsa65,
    MlDsa87,
}

impl KeyFamily {
    /// The length of a coordinate, and of each half of a signature, in bytes, for the NIST curves
    /// ([RFC 7518 sections 3.4 and 6.2.1.2](https://www.rfc-editor.org/rfc/rfc7518#section-3.4)).
    #[must_use]
    pub const fn coordinate_bytes(self) -> Option<usize> {
        match self {
            Self::P256 => Some(32),
            Self::P384 => Some(48),
            Self::P521 => Some(66),
            _ => None,
        }
    }
}

/// The public members of a JSON Web Key, as they came: base64url text, unchecked.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "the members' names are those of RFC 7518 section 6 and RFC 8037")]
pub enum Material<'a> {
    Rsa { n: &'a str, e: &'a str },
    Ec { family: KeyFamily, x: &'a str, y: &'a str },
    Ed25519 { x: &'a str },
    MlDsa { family: KeyFamily, public: &'a str },
}

/// Why key material cannot be used. The words are for the operator; they never hold key material.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyError(pub &'static str);

/// A key that passed every check of its form: RSA of 2048 to 4096 bits with the exponent 65537, a point on its
/// curve, an Ed25519 key that is canonical and not of small order, a secret as long as its hash.
pub struct VerificationKey {
    pub(super) inner: Inner,
    family: KeyFamily,
    spki: Option<Box<[u8]>>,
}

pub(super) enum Inner {
    Rsa(Box<PKey<Public>>),
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    P521(P521Key),
    Secp256k1(k256::ecdsa::VerifyingKey),
    Ed25519(Box<ed25519_dalek::VerifyingKey>),
    MlDsa(Box<MlDsaPublicKey>),
    Hs256(HS256Key),
    Hs384(HS384Key),
    Hs512(HS512Key),
}

impl VerificationKey {
    /// Checks public key material and makes a key of it. Every member must have its one canonical spelling.
    ///
    /// # Errors
    /// When the material is not a usable key of its family.
    pub fn from_material(material: Material<'_>) -> Result<Self, KeyError> {
        let (family, (inner, spki)) = match material {
            Material::Rsa { n, e } => (KeyFamily::Rsa, rsa(n, e)?),
            Material::Ec { family, x, y } => (family, elliptic(family, x, y)?),
            Material::Ed25519 { x } => (KeyFamily::Ed25519, (ed25519(x)?, None)),
            Material::MlDsa { family, public } => (family, (ml_dsa(family, public)?, None)),
        };
        Ok(Self { inner, family, spki: spki.map(Vec::into_boxed_slice) })
    }

    /// Makes an HMAC key of a configured secret.
    ///
    /// # Errors
    /// When `algorithm` is no HMAC, or the secret is shorter than the hash (RFC 7518 section 3.2).
    pub fn from_secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        let least = algorithm.min_secret_bytes().ok_or(KeyError("not an HMAC algorithm"))?;
        if secret.len() < least {
            return Err(KeyError("shorter than the hash of its algorithm"));
        }
        let inner = match algorithm {
            Algorithm::Hs256 => Inner::Hs256(HS256Key::from_bytes(secret)),
            Algorithm::Hs384 => Inner::Hs384(HS384Key::from_bytes(secret)),
            Algorithm::Hs512 => Inner::Hs512(HS512Key::from_bytes(secret)),
            _ => return Err(KeyError("not an HMAC algorithm")),
        };
        Ok(Self { inner, family: KeyFamily::Secret, spki: None })
    }

    /// The family of the key.
    #[must_use]
    pub const fn family(&self) -> KeyFamily {
        self.family
    }

    /// The key as a DER `SubjectPublicKeyInfo` ([RFC 5280 section 4.1](https://www.rfc-editor.org/rfc/rfc5280#section-4.1)),
    /// for RSA and the NIST curves: what the host is given.
    #[must_use]
    pub fn spki(&self) -> Option<&[u8]> {
        self.spki.as_deref()
    }

    /// Whether the key can check signatures of `algorithm`: the key decides, the token's `alg` is only compared
    /// ([RFC 8725 section 3.1](https://www.rfc-editor.org/rfc/rfc8725#section-3.1)).
    #[must_use]
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        match self.inner {
            Inner::Hs256(_) => algorithm == Algorithm::Hs256,
            Inner::Hs384(_) => algorithm == Algorithm::Hs384,
            Inner::Hs512(_) => algorithm == Algorithm::Hs512,
            _ => algorithm.family() == self.family,
        }
    }
}

/// Shows the family and nothing of the key.
impl fmt::Debug for VerificationKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("VerificationKey").field(&self.family).finish()
    }
}

/// A key, and the same as the host is given it.
type WithSpki = (Inner, Option<Vec<u8>>);

/// Members of key material are longer than this only if they are no key: the longest is an ML-DSA-87 key.
const MAX_MEMBER_CHARS: usize = 4096;

/// The bytes of a member.
fn bytes(member: &str) -> Option<Vec<u8>> {
    if member.len() > MAX_MEMBER_CHARS { None } else { base64url::decode(member.as_bytes()) }
}

fn rsa(n: &str, e: &str) -> Result<WithSpki, KeyError> {
    const REFUSED: KeyError =
        KeyError("not an RSA key of 2048 to 4096 bits with the exponent 65537 in canonical base64url");
    let n = bytes(n).filter(|_| e == "AQAB").ok_or(REFUSED)?;
    let modulus = modulus(&n).ok_or(REFUSED)?;
    let number = |bytes: &[u8]| BigNum::from_slice(bytes).map_err(|_| REFUSED);
    let key = Rsa::from_public_components(number(modulus)?, number(&RSA_EXPONENT)?).map_err(|_| REFUSED)?;
    let key = PKey::from_rsa(key).map_err(|_| REFUSED)?;
    Ok((Inner::Rsa(Box::new(key)), Some(spki::rsa(modulus))))
}

/// 65537.
const RSA_EXPONENT: [u8; 3] = [1, 0, 1];

/// A modulus that is odd, of a length that we take, and has no zero before it but the one that says it is not negative:
/// some issuers write that.
fn modulus(n: &[u8]) -> Option<&[u8]> {
    let n = match n {
        [0, digits @ ..] if digits.first().is_some_and(|first| first & 0x80 != 0) => digits,
        digits => digits,
    };
    let (first, last) = (*n.first()?, *n.last()?);
    let unused = usize::try_from(first.leading_zeros()).ok()?;
    let bits = n.len().checked_mul(8)?.checked_sub(unused)?;
    (first != 0 && last & 1 == 1 && (MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits)).then_some(n)
}

/// The point with these coordinates. It is on the curve, the coordinates are of full length and less than the prime, and
/// infinity has none. What reads points in other forms would be a fortieth of the module.
macro_rules! on_curve {
    ($curve:ident, $x:expr, $y:expr) => {{
        let (x, y) = ($x.as_slice().try_into().ok(), $y.as_slice().try_into().ok());
        let point = x.zip(y).and_then(|(x, y)| $curve::AffinePoint::from_coordinates(&x, &y).into_option());
        point.and_then(|point| $curve::ecdsa::VerifyingKey::from_affine(point).ok())
    }};
}

fn elliptic(family: KeyFamily, x: &str, y: &str) -> Result<WithSpki, KeyError> {
    const REFUSED: KeyError = KeyError("not a point on its curve with coordinates of full length");
    let (x_bytes, y_bytes) = bytes(x).zip(bytes(y)).ok_or(REFUSED)?;
    let inner = match family {
        KeyFamily::P256 => on_curve!(p256, x_bytes, y_bytes).map(Inner::P256),
        KeyFamily::P384 => on_curve!(p384, x_bytes, y_bytes).map(Inner::P384),
        KeyFamily::P521 => P521Key::from_coordinates(x, y).map(Inner::P521),
        KeyFamily::Secp256k1 => on_curve!(k256, x_bytes, y_bytes).map(Inner::Secp256k1),
        _ => None,
    };
    Ok((inner.ok_or(REFUSED)?, spki::elliptic(family, x, y)))
}

fn ed25519(x: &str) -> Result<Inner, KeyError> {
    const REFUSED: KeyError = KeyError("not a canonical Ed25519 key, or one of small order");
    let bytes: [u8; 32] = bytes(x).and_then(|bytes| bytes.try_into().ok()).ok_or(REFUSED)?;
    let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes).map_err(|_| REFUSED)?;
    // The library takes numbers beyond the prime, and a sign of zero: the same point in another spelling.
    let is_canonical = key.to_edwards().compress().to_bytes() == bytes;
    if key.is_weak() || !is_canonical {
        return Err(REFUSED);
    }
    Ok(Inner::Ed25519(Box::new(key)))
}

fn ml_dsa(family: KeyFamily, public: &str) -> Result<Inner, KeyError> {
    const REFUSED: KeyError = KeyError("not an ML-DSA key of its parameter set");
    let set = match family {
        KeyFamily::MlDsa44 => MlDsa::MlDsa44,
        KeyFamily::MlDsa65 => MlDsa::MlDsa65,
        KeyFamily::MlDsa87 => MlDsa::MlDsa87,
        _ => return Err(REFUSED),
    };
    let bytes = bytes(public).ok_or(REFUSED)?;
    let key = MlDsaPublicKey::from_slice(set, &bytes).map_err(|_| REFUSED)?;
    Ok(Inner::MlDsa(Box::new(key)))
}

/// A P-521 key. In the module only the host can use it, and it is the host that finds out whether the point is on the
/// curve; natively the key is checked here.
pub(super) struct P521Key {
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) key: p521::ecdsa::VerifyingKey,
}

impl P521Key {
    fn from_coordinates(x: &str, y: &str) -> Option<Self> {
        let point = spki::point(KeyFamily::P521, x, y)?;
        #[cfg(target_arch = "wasm32")]
        return (!point.is_empty()).then_some(Self {});
        #[cfg(not(target_arch = "wasm32"))]
        p521::ecdsa::VerifyingKey::from_sec1_bytes(&point).ok().map(|key| Self { key })
    }
}

#[cfg(test)]
mod tests;
