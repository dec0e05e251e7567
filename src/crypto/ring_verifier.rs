//! Signatures checked by ring, for the native module: its assembler is several times as fast as portable code.

use super::{Algorithm, KeyFamily, PureVerifier, Verification, VerificationKey, Verifier, spki};
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};

/// Checks RS, PS, ES256 and ES384 with ring, and all else with [`PureVerifier`]. The verdict is that of [`PureVerifier`] on
/// every input.
///
/// Where the two read the standards differently, [`PureVerifier`] decides: PSS with a modulus of 8k + 1 bits. Its encoded
/// message is a byte shorter than the modulus, and only ring looks at the byte before it (RFC 8017 section 8.1.2 step 2c).
#[derive(Clone, Copy, Debug, Default)]
pub struct RingVerifier;

impl RingVerifier {
    /// Where it checks signatures, for the log.
    pub const PLACE: &str =
        "by ring: RS256 to RS512, PS256 to PS512, ES256 and ES384; the others in the module's own code";
}

impl Verifier for RingVerifier {
    fn verify(&self, key: &VerificationKey, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Verification {
        let Some(public_key) = public_key(key, algorithm) else {
            return PureVerifier.verify(key, algorithm, message, signature);
        };
        match public_key.verify(message, signature) {
            Ok(()) => Verification::Valid,
            Err(_) => Verification::Invalid,
        }
    }
}

/// The key as ring takes it; `None` for what ring does not decide.
fn public_key(key: &VerificationKey, algorithm: Algorithm) -> Option<UnparsedPublicKey<&[u8]>> {
    let checks: &dyn VerificationAlgorithm = match algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        Algorithm::Es256 => &signature::ECDSA_P256_SHA256_FIXED,
        Algorithm::Es384 => &signature::ECDSA_P384_SHA384_FIXED,
        _ => return None,
    };
    let bytes = key.spki().filter(|_| key.fits(algorithm)).and_then(|spki| spki::public_key(key.family(), spki))?;
    let is_pss = matches!(algorithm, Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512);
    let is_undecided = is_pss && key.family() == KeyFamily::Rsa && spki::modulus_begins_with_one_bit(bytes);
    (!is_undecided).then(|| UnparsedPublicKey::new(checks, bytes))
}

#[cfg(test)]
mod tests;
