//! The issuer of the demo: one key, and tokens signed with it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_compact::KeyPair;
use serde_json::{Value, json};

/// The issuer that `envoy/envoy.yaml` trusts, with a key of this run.
pub struct Issuer(KeyPair);

impl Issuer {
    /// Makes a new key.
    pub fn new() -> Self {
        Self(KeyPair::generate())
    }

    /// The key set, as the issuer publishes it.
    pub fn jwks(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(*self.0.pk);
        json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": "demo", "x": x }] })
    }

    /// A token that is good for an hour from `issued_at` on, with this scope and audience.
    pub fn token(&self, issued_at: u64, scope: &str, audience: &str) -> String {
        let header = json!({ "alg": "EdDSA", "kid": "demo", "typ": "at+jwt" });
        let claims = json!({
            "iss": "https://issuer.example.com/",
            "aud": audience,
            "sub": "alice",
            "scope": scope,
            "iat": issued_at,
            "exp": issued_at.saturating_add(3600),
        });
        let input = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let signature = self.0.sk.sign(&input, None);
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(*signature))
    }
}
