//! Checking one signature with one key.

use super::Algorithm;
use super::key::{Inner, VerificationKey};
use jwt_simple::algorithms::MACLike;
use jwt_simple::reexports::ct_codecs;
use superboring::hash::MessageDigest;
use superboring::pkey::{PKey, Public};
use superboring::rsa::Padding;
use superboring::sign::Verifier as RsaVerifier;

/// What came of checking a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// The signature is the key holder's over exactly this message.
    Valid,
    /// It is not.
    Invalid,
    /// It was not checked: the time set aside for signatures is used up. This is neither of the other two.
    TooBusy,
}

/// Something that can check signatures: the verifier in the VM, or the host's.
pub trait Verifier {
    /// Checks `signature` over `message`. A key that does not fit the algorithm gives [`Verification::Invalid`].
    fn verify(&self, key: &VerificationKey, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Verification;

    /// Whether the host checked the signature that was checked last.
    fn asked_host(&self) -> bool {
        false
    }
}

/// Checks signatures with the libraries compiled in. Needs no host. In the module they know no ES512.
#[derive(Clone, Copy, Debug, Default)]
pub struct PureVerifier;

impl PureVerifier {
    /// Where it checks signatures, for the log.
    pub const PLACE: &str = "in the VM";
}

impl Verifier for PureVerifier {
    fn verify(&self, key: &VerificationKey, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Verification {
        if key.fits(algorithm) && valid(&key.inner, algorithm, message, signature) {
            Verification::Valid
        } else {
            Verification::Invalid
        }
    }
}

fn valid(key: &Inner, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
    match key {
        Inner::Rsa(key) => rsa(key, algorithm, message, signature) == Some(true),
        Inner::P256(key) => {
            use p256::ecdsa::{Signature, signature::Verifier as _};
            Signature::from_slice(signature).is_ok_and(|signature| key.verify(message, &signature).is_ok())
        }
        Inner::P384(key) => {
            use p384::ecdsa::{Signature, signature::Verifier as _};
            Signature::from_slice(signature).is_ok_and(|signature| key.verify(message, &signature).is_ok())
        }
        #[cfg(target_arch = "wasm32")]
        Inner::P521(_) => false,
        #[cfg(not(target_arch = "wasm32"))]
        Inner::P521(key) => {
            use p521::ecdsa::{Signature, signature::Verifier as _};
            Signature::from_slice(signature).is_ok_and(|signature| key.key.verify(message, &signature).is_ok())
        }
        Inner::Secp256k1(key) => {
            use k256::ecdsa::{Signature, signature::Verifier as _};
            // k256 refuses the high half of s, which other libraries produce and RFC 8812 allows.
            Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify(message, &signature.normalize_s()).is_ok())
        }
        Inner::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
            .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
        Inner::MlDsa(key) => key.verify(message, signature).is_ok(),
        // Constant time: the tag is a secret until it has been compared.
        Inner::Hs256(key) => ct_codecs::verify(&key.authentication_tag(message), signature),
        Inner::Hs384(key) => ct_codecs::verify(&key.authentication_tag(message), signature),
        Inner::Hs512(key) => ct_codecs::verify(&key.authentication_tag(message), signature),
    }
}

fn rsa(key: &PKey<Public>, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Option<bool> {
    let (digest, padding) = match algorithm {
        Algorithm::Rs256 => (MessageDigest::sha256(), Padding::PKCS1),
        Algorithm::Rs384 => (MessageDigest::sha384(), Padding::PKCS1),
        Algorithm::Rs512 => (MessageDigest::sha512(), Padding::PKCS1),
        Algorithm::Ps256 => (MessageDigest::sha256(), Padding::PKCS1_PSS),
        Algorithm::Ps384 => (MessageDigest::sha384(), Padding::PKCS1_PSS),
        Algorithm::Ps512 => (MessageDigest::sha512(), Padding::PKCS1_PSS),
        _ => return None,
    };
    let mut verifier = RsaVerifier::new(digest, key).ok()?;
    verifier.set_rsa_padding(padding).ok()?;
    verifier.update(message).ok()?;
    verifier.verify(signature).ok()
}
