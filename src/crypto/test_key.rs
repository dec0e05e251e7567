//! A key for tests of what is signed.

use crate::base::base64url;
use ed25519_dalek::{Signer as _, SigningKey};

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// A signature by it, of algorithm `EdDSA`.
#[must_use]
pub fn sign(message: &[u8]) -> Vec<u8> {
    key().sign(message).to_bytes().to_vec()
}

/// The set with its public part.
#[must_use]
pub fn jwks() -> String {
    let x = base64url::encode(key().verifying_key().as_bytes());
    format!(r#"{{"keys":[{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}]}}"#)
}
