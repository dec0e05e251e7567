//! P-521 keys, which jwt-simple does not know.

use crate::base::base64url;
use ::p521::ecdsa::{Signature, SigningKey, signature::Signer as _};
use serde_json::{Map, Value, json};

/// A private P-521 key.
pub(super) struct P521SigningKey(SigningKey);

impl P521SigningKey {
    /// A new private key as a JSON Web Key (RFC 7518 section 6.2).
    pub(super) fn generate_jwk() -> Option<String> {
        loop {
            let mut bytes = [0; 66];
            getrandom::fill(&mut bytes).ok()?;
            // A number of 521 bits: of the first byte only one bit is left.
            *bytes.first_mut()? &= 1;
            // A number that is too large, which is rare, is drawn again.
            let Ok(key) = SigningKey::from_slice(&bytes) else { continue };
            let point = key.verifying_key().to_sec1_point(false);
            let (x, y) = (point.x()?, point.y()?);
            let [x, y, d] = [x.as_slice(), y.as_slice(), bytes.as_slice()].map(base64url::encode);
            return Some(json!({ "kty": "EC", "crv": "P-521", "x": x, "y": y, "d": d }).to_string());
        }
    }

    /// Reads a private JSON Web Key, whose public part must be that of its private part.
    pub(super) fn from_jwk(jwk: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let bytes = |name: &str| base64url::decode(text(name)?.as_bytes());
        if (text("kty"), text("crv")) != (Some("EC"), Some("P-521")) {
            return None;
        }
        let key = SigningKey::from_slice(&bytes("d")?).ok()?;
        let point = key.verifying_key().to_sec1_point(false);
        let same = point.x()?.as_slice() == bytes("x")? && point.y()?.as_slice() == bytes("y")?;
        same.then_some(Self(key))
    }

    /// Signs `message` (ES512).
    pub(super) fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let signature: Signature = self.0.try_sign(message).ok()?;
        Some(signature.to_bytes().to_vec())
    }
}
