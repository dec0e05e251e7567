//! Keys that a signature can be checked with. A key knows its family; what a family cannot do is not representable.

use super::Algorithm;
use super::spki;
use jwt_simple::algorithms::{
    ECDSAP256PublicKeyLike, ECDSAP256kPublicKeyLike, ECDSAP384PublicKeyLike, ES256PublicKey, ES256kPublicKey,
    ES384PublicKey, Ed25519PublicKey, HS256Key, HS384Key, HS512Key, MLDSA44PublicKey, MLDSA65PublicKey,
    MLDSA87PublicKey, MLDSAPublicKeyLike, RS256PublicKey, RSAPublicKeyLike,
};
use serde_json::{Map, Value};
use std::fmt;
use superboring::mldsa::MlDsaPublicKey;
use superboring::pkey::{PKey, Public};

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
    /// Checks public key material and makes a key of it.
    ///
    /// The members are handed to jwt-simple as a separate, minimal JSON Web Key, so that other members of a real key
    /// set (a long `x5c`, `alg: null`) do not matter to it.
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

/// A JSON Web Key of these members, written by the JSON library: the values come from outside.
fn minimal_jwk(members: &[(&str, &str)]) -> String {
    let object: Map<String, Value> =
        members.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    Value::Object(object).to_string()
}

/// A key, and the same as the host is given it.
type WithSpki = (Inner, Option<Vec<u8>>);

fn rsa(n: &str, e: &str) -> Result<WithSpki, KeyError> {
    const REFUSED: KeyError =
        KeyError("not an RSA key of 2048 to 4096 bits with the exponent 65537 in canonical base64url");
    let jwk = minimal_jwk(&[("kty", "RSA"), ("n", n), ("e", e)]);
    let key = RS256PublicKey::from_jwk(&jwk).map_err(|_| REFUSED)?;
    let spki = key.to_der().map_err(|_| REFUSED)?;
    let key = PKey::from_rsa(key.public_key().as_ref().clone()).map_err(|_| REFUSED)?;
    Ok((Inner::Rsa(Box::new(key)), Some(spki)))
}

fn elliptic(family: KeyFamily, x: &str, y: &str) -> Result<WithSpki, KeyError> {
    const REFUSED: KeyError = KeyError("not a point on its curve with coordinates of full length");
    let jwk = |crv: &str| minimal_jwk(&[("kty", "EC"), ("crv", crv), ("x", x), ("y", y)]);
    let inner = match family {
        KeyFamily::P256 => {
            let key = ES256PublicKey::from_jwk(&jwk("P-256")).map_err(|_| REFUSED)?;
            Inner::P256(*key.public_key().as_ref())
        }
        KeyFamily::P384 => {
            let key = ES384PublicKey::from_jwk(&jwk("P-384")).map_err(|_| REFUSED)?;
            Inner::P384(*key.public_key().as_ref())
        }
        KeyFamily::P521 => Inner::P521(P521Key::from_coordinates(x, y).ok_or(REFUSED)?),
        KeyFamily::Secp256k1 => {
            let key = ES256kPublicKey::from_jwk(&jwk("secp256k1")).map_err(|_| REFUSED)?;
            Inner::Secp256k1(*key.public_key().as_ref())
        }
        _ => return Err(REFUSED),
    };
    Ok((inner, spki::elliptic(family, x, y)))
}

fn ed25519(x: &str) -> Result<Inner, KeyError> {
    const REFUSED: KeyError = KeyError("not a canonical Ed25519 key, or one of small order");
    let jwk = minimal_jwk(&[("kty", "OKP"), ("crv", "Ed25519"), ("x", x)]);
    let key = Ed25519PublicKey::from_jwk(&jwk).map_err(|_| REFUSED)?;
    let bytes: [u8; 32] = key.to_bytes().try_into().map_err(|_| REFUSED)?;
    let key = ed25519_dalek::VerifyingKey::from_bytes(&bytes).map_err(|_| REFUSED)?;
    if key.is_weak() {
        return Err(REFUSED);
    }
    Ok(Inner::Ed25519(Box::new(key)))
}

fn ml_dsa(family: KeyFamily, public: &str) -> Result<Inner, KeyError> {
    const REFUSED: KeyError = KeyError("not an ML-DSA key of its parameter set");
    let jwk = |alg: &str| minimal_jwk(&[("kty", "AKP"), ("alg", alg), ("pub", public)]);
    let key = match family {
        KeyFamily::MlDsa44 => {
            let key = MLDSA44PublicKey::from_jwk(&jwk("ML-DSA-44")).map_err(|_| REFUSED)?;
            key.public_key().as_ref().clone()
        }
        KeyFamily::MlDsa65 => {
            let key = MLDSA65PublicKey::from_jwk(&jwk("ML-DSA-65")).map_err(|_| REFUSED)?;
            key.public_key().as_ref().clone()
        }
        KeyFamily::MlDsa87 => {
            let key = MLDSA87PublicKey::from_jwk(&jwk("ML-DSA-87")).map_err(|_| REFUSED)?;
            key.public_key().as_ref().clone()
        }
        _ => return Err(REFUSED),
    };
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
