//! Private keys and signatures, for demos and tests. They are not in the module.

mod p521;

use self::p521::P521SigningKey;
use crate::crypto::{Algorithm, KeyFamily};
use jwt_simple::algorithms::{
    ECDSAP256KeyPairLike, ECDSAP256kKeyPairLike, ECDSAP384KeyPairLike, ES256KeyPair, ES256kKeyPair, ES384KeyPair,
    Ed25519KeyPair, MLDSA44KeyPair, MLDSA65KeyPair, MLDSA87KeyPair, MLDSAKeyPairLike, RS256KeyPair, RSAKeyPairLike,
};
use serde_json::{Map, Value};
use std::fmt;
use std::path::Path;
use superboring::hash::MessageDigest;
use superboring::mldsa::MlDsaPrivateKey;
use superboring::pkey::{PKey, Private};
use superboring::rsa::Padding;
use superboring::sign::Signer;

/// The RSA modulus that is generated, in bits.
const RSA_BITS: usize = 2048;
/// Members of a JSON Web Key that only a private key has.
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"];
/// Members that say what a key is for, which we keep beside the key material.
const PURPOSE_MEMBERS: [&str; 4] = ["kid", "alg", "use", "key_ops"];

/// A private key, for one algorithm.
pub struct SigningKey {
    /// Its `kid`.
    pub kid: Option<String>,
    /// Its algorithm.
    pub algorithm: Algorithm,
    material: Map<String, Value>,
    inner: Inner,
}

enum Inner {
    Rsa(PKey<Private>),
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521(P521SigningKey),
    Secp256k1(k256::ecdsa::SigningKey),
    Ed25519(Box<ed25519_dalek::SigningKey>),
    MlDsa(Box<MlDsaPrivateKey>),
}

/// Why a key cannot be used to sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigningError(&'static str);

impl fmt::Display for SigningError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl std::error::Error for SigningError {}

/// Shows the algorithm and nothing of the key.
impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SigningKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// For HMAC, since the command makes no secrets.
    pub fn generate(algorithm: Algorithm, kid: Option<String>) -> Result<Self, SigningError> {
        const FAILED: SigningError = SigningError("the key could not be made");
        let text = match algorithm.family() {
            KeyFamily::Rsa => RS256KeyPair::generate(RSA_BITS).map_err(|_| FAILED)?.to_jwk(),
            KeyFamily::P256 => ES256KeyPair::generate().to_jwk(),
            KeyFamily::P384 => ES384KeyPair::generate().to_jwk(),
            KeyFamily::P521 => P521SigningKey::generate_jwk().ok_or(FAILED)?,
            KeyFamily::Secp256k1 => ES256kKeyPair::generate().to_jwk(),
            KeyFamily::Ed25519 => Ed25519KeyPair::generate().to_jwk(),
            KeyFamily::MlDsa44 => MLDSA44KeyPair::generate().to_jwk(),
            KeyFamily::MlDsa65 => MLDSA65KeyPair::generate().to_jwk(),
            KeyFamily::MlDsa87 => MLDSA87KeyPair::generate().to_jwk(),
            KeyFamily::Secret => return Err(SigningError("secrets are not made here: take random bytes")),
        };
        let mut jwk: Map<String, Value> = serde_json::from_str(&text).map_err(|_| FAILED)?;
        jwk.insert("alg".into(), algorithm.name().into());
        match kid {
            Some(kid) => jwk.insert("kid".into(), kid.into()),
            None => jwk.remove("kid"),
        };
        Self::from_jwk(&jwk)
    }

    /// Reads the private key in a file. One whose curve leaves no choice of the algorithm need not name it.
    ///
    /// # Errors
    /// When the file cannot be read, or has no such key.
    pub(in crate::cli) fn read(file: &Path) -> Result<Self, String> {
        let mut jwk = read_jwk(file)?;
        let by_curve = match jwk.get("crv").and_then(Value::as_str) {
            Some("Ed25519") => Some("EdDSA"),
            Some("P-256") => Some("ES256"),
            Some("P-384") => Some("ES384"),
            _ => None,
        };
        if let Some(name) = by_curve
            && !jwk.contains_key("alg")
        {
            jwk.insert("alg".to_owned(), name.into());
        }
        Self::from_jwk(&jwk).map_err(|error| format!("{}: {error}", file.display()))
    }

    /// Reads a private JSON Web Key. Its `alg` says what it signs with.
    ///
    /// # Errors
    /// When it has no `alg`, or is no private key for it.
    pub fn from_jwk(jwk: &Map<String, Value>) -> Result<Self, SigningError> {
        const REFUSED: SigningError = SigningError("not a private JSON Web Key of its algorithm");
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let algorithm = text("alg").ok_or(SigningError("the key has no alg"))?;
        let algorithm = Algorithm::from_name(algorithm).ok_or(SigningError("the alg of the key is not supported"))?;
        let kid = text("kid").map(str::to_owned);
        let mut material = jwk.clone();
        PURPOSE_MEMBERS.iter().for_each(|name| {
            material.remove(*name);
        });
        let minimal = Value::Object(material.clone()).to_string();
        let inner = match algorithm.family() {
            KeyFamily::Rsa => {
                let pair = RS256KeyPair::from_jwk(&minimal).map_err(|_| REFUSED)?;
                Inner::Rsa(PKey::from_rsa(pair.key_pair().as_ref().clone()).map_err(|_| REFUSED)?)
            }
            KeyFamily::P256 => {
                let pair = ES256KeyPair::from_jwk(&minimal).map_err(|_| REFUSED)?;
                Inner::P256(pair.key_pair().as_ref().clone())
            }
            KeyFamily::P384 => {
                let pair = ES384KeyPair::from_jwk(&minimal).map_err(|_| REFUSED)?;
                Inner::P384(pair.key_pair().as_ref().clone())
            }
            KeyFamily::P521 => Inner::P521(P521SigningKey::from_jwk(&material).ok_or(REFUSED)?),
            KeyFamily::Secp256k1 => {
                let pair = ES256kKeyPair::from_jwk(&minimal).map_err(|_| REFUSED)?;
                Inner::Secp256k1(pair.key_pair().as_ref().clone())
            }
            KeyFamily::Ed25519 => {
                let pair = Ed25519KeyPair::from_jwk(&minimal).map_err(|_| REFUSED)?;
                let bytes = pair.to_bytes();
                let seed = bytes.first_chunk::<32>().ok_or(REFUSED)?;
                Inner::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(seed)))
            }
            KeyFamily::MlDsa44 | KeyFamily::MlDsa65 | KeyFamily::MlDsa87 => {
                // Keys of this type name their parameter set by `alg` alone (RFC 9964).
                material.insert("alg".into(), algorithm.name().into());
                Inner::MlDsa(Box::new(ml_dsa(algorithm, &Value::Object(material.clone()).to_string()).ok_or(REFUSED)?))
            }
            KeyFamily::Secret => return Err(SigningError("this command does not sign with secrets")),
        };
        Ok(Self { kid, algorithm, material, inner })
    }

    /// The private JSON Web Key.
    #[must_use]
    pub fn to_jwk(&self) -> Map<String, Value> {
        let mut jwk = self.material.clone();
        jwk.insert("alg".into(), self.algorithm.name().into());
        jwk.insert("use".into(), "sig".into());
        if let Some(kid) = &self.kid {
            jwk.insert("kid".into(), kid.as_str().into());
        }
        jwk
    }

    /// The public JSON Web Key.
    #[must_use]
    pub fn to_public_jwk(&self) -> Map<String, Value> {
        let mut jwk = self.to_jwk();
        PRIVATE_MEMBERS.iter().for_each(|name| {
            jwk.remove(*name);
        });
        jwk
    }

    /// Signs `message` with the key's algorithm.
    ///
    /// # Errors
    /// When the library cannot.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        const FAILED: SigningError = SigningError("the signature could not be made");
        match &self.inner {
            Inner::Rsa(key) => {
                let (digest, padding) = match self.algorithm {
                    Algorithm::Rs384 => (MessageDigest::sha384(), Padding::PKCS1),
                    Algorithm::Rs512 => (MessageDigest::sha512(), Padding::PKCS1),
                    Algorithm::Ps256 => (MessageDigest::sha256(), Padding::PKCS1_PSS),
                    Algorithm::Ps384 => (MessageDigest::sha384(), Padding::PKCS1_PSS),
                    Algorithm::Ps512 => (MessageDigest::sha512(), Padding::PKCS1_PSS),
                    _ => (MessageDigest::sha256(), Padding::PKCS1),
                };
                let mut signer = Signer::new(digest, key).map_err(|_| FAILED)?;
                signer.set_rsa_padding(padding).map_err(|_| FAILED)?;
                signer.update(message).map_err(|_| FAILED)?;
                signer.sign_to_vec().map_err(|_| FAILED)
            }
            Inner::P256(key) => {
                use p256::ecdsa::signature::Signer as _;
                let signature: p256::ecdsa::Signature = key.try_sign(message).map_err(|_| FAILED)?;
                Ok(signature.to_bytes().to_vec())
            }
            Inner::P384(key) => {
                use p384::ecdsa::signature::Signer as _;
                let signature: p384::ecdsa::Signature = key.try_sign(message).map_err(|_| FAILED)?;
                Ok(signature.to_bytes().to_vec())
            }
            Inner::P521(key) => key.sign(message).ok_or(FAILED),
            Inner::Secp256k1(key) => {
                use k256::ecdsa::signature::Signer as _;
                let signature: k256::ecdsa::Signature = key.try_sign(message).map_err(|_| FAILED)?;
                Ok(signature.to_bytes().to_vec())
            }
            Inner::Ed25519(key) => {
                use ed25519_dalek::Signer as _;
                Ok(key.try_sign(message).map_err(|_| FAILED)?.to_bytes().to_vec())
            }
            Inner::MlDsa(key) => key.sign(message).map_err(|_| FAILED),
        }
    }
}

/// The JSON Web Key in a file. An error quotes nothing of it.
///
/// # Errors
/// When it cannot be read, or is none.
pub(in crate::cli) fn read_jwk(file: &Path) -> Result<Map<String, Value>, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let jwk: Map<String, Value> = serde_json::from_str(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        format!("{} is not a JSON Web Key: no JSON object at line {line} column {column}", file.display())
    })?;
    if jwk.get("keys").is_some_and(Value::is_array) {
        let wanted = "give one private key, as `scopegate jwks generate` prints it";
        return Err(format!("{} is a key set; {wanted}", file.display()));
    }
    Ok(jwk)
}

/// What is said of a name that is none of an algorithm.
pub(in crate::cli) fn no_algorithm(name: &str) -> String {
    let known: Vec<&str> = Algorithm::ALL.into_iter().map(Algorithm::name).collect();
    format!("--algorithm {name}: not an algorithm; the algorithms are {}", known.join(", "))
}

fn ml_dsa(algorithm: Algorithm, jwk: &str) -> Option<MlDsaPrivateKey> {
    match algorithm {
        Algorithm::MlDsa44 => Some(MLDSA44KeyPair::from_jwk(jwk).ok()?.key_pair().as_ref().clone()),
        Algorithm::MlDsa65 => Some(MLDSA65KeyPair::from_jwk(jwk).ok()?.key_pair().as_ref().clone()),
        Algorithm::MlDsa87 => Some(MLDSA87KeyPair::from_jwk(jwk).ok()?.key_pair().as_ref().clone()),
        _ => None,
    }
}
