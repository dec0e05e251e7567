//! A client that holds a key, and proves it (RFC 9449).

use super::issuer::{object, set, sign_texts};
use scopegate::base::base64url;
use scopegate::cli::signing::SigningKey;
use scopegate::crypto::{Algorithm, sha256};
use scopegate::jose::thumbprint;
use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts proofs, so that each has a `jti` of its own.
static PROOFS: AtomicU64 = AtomicU64::new(0);

/// A client with a key.
#[derive(Debug)]
pub struct Prover {
    pub key: SigningKey,
}

impl Prover {
    pub fn new(algorithm: Algorithm) -> Self {
        Self { key: SigningKey::generate(algorithm, None).unwrap() }
    }

    /// The public key.
    pub fn jwk(&self) -> Value {
        Value::Object(self.key.to_public_jwk())
    }

    /// The thumbprint of the key, as `cnf.jkt` has it.
    pub fn jkt(&self) -> String {
        base64url::encode(&thumbprint(&self.jwk()).unwrap())
    }

    /// The confirmation of a token that is bound to the key.
    pub fn cnf(&self) -> Value {
        json!({ "jkt": self.jkt() })
    }

    /// A proof that is good in every respect.
    pub fn proof(&self, method: &str, htu: &str, token: &str, now: i64) -> Proof<'_> {
        let header = json!({ "typ": "dpop+jwt", "alg": self.key.algorithm.name(), "jwk": self.jwk() });
        let jti = format!("{}-{}", std::process::id(), PROOFS.fetch_add(1, Ordering::Relaxed));
        let ath = base64url::encode(&sha256(token.as_bytes()));
        let claims = json!({ "jti": jti, "htm": method, "htu": htu, "iat": now, "ath": ath });
        Proof { prover: self, header: object(header), claims: object(claims) }
    }
}

/// A proof to be signed.
#[derive(Clone, Debug)]
pub struct Proof<'p> {
    prover: &'p Prover,
    pub header: Map<String, Value>,
    pub claims: Map<String, Value>,
}

impl Proof<'_> {
    /// With a claim set, or removed by null.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        set(&mut self.claims, name, value.into());
        self
    }

    /// With a header parameter set, or removed by null.
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        set(&mut self.header, name, value.into());
        self
    }

    pub fn sign(self) -> String {
        self.clone().sign_by(&self.prover.key)
    }

    /// Signed with another key than the one in its header.
    pub fn sign_by(self, key: &SigningKey) -> String {
        sign_texts(key, &Value::Object(self.header).to_string(), &Value::Object(self.claims).to_string())
    }
}
