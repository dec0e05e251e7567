//! An issuer of tokens with fresh keys.

use scopegate::base::base64url;
use scopegate::cli::signing::SigningKey;
use scopegate::crypto::Algorithm;
use serde_json::{Map, Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

pub const ISSUER: &str = "https://issuer.example.com/";
pub const AUDIENCE: &str = "https://api.example.com";

/// Seconds since the Unix epoch.
pub fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// An issuer with one key.
#[derive(Debug)]
pub struct Issuer {
    pub key: SigningKey,
}

impl Issuer {
    pub fn new(algorithm: Algorithm, kid: &str) -> Self {
        Self { key: SigningKey::generate(algorithm, Some(kid.to_owned())).unwrap() }
    }

    /// The key set, as the issuer publishes it.
    pub fn jwks(&self) -> Value {
        json!({ "keys": [self.key.to_public_jwk()] })
    }

    /// A token that is good in every respect, good for five minutes from `now` on.
    pub fn token(&self, now: i64) -> Token<'_> {
        let header = json!({ "alg": self.key.algorithm.name(), "kid": self.key.kid, "typ": "at+jwt" });
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "iat": now, "exp": now + 300, "scope": "orders:read",
        });
        Token { issuer: self, header: object(header), claims: object(claims) }
    }
}

pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

/// A token to be signed.
#[derive(Clone)]
pub struct Token<'i> {
    issuer: &'i Issuer,
    pub header: Map<String, Value>,
    pub claims: Map<String, Value>,
}

impl Token<'_> {
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

    pub fn scope(self, scope: &str) -> Self {
        self.claim("scope", scope)
    }

    /// Header and claims as JSON text, signed.
    pub fn sign(self) -> String {
        let issuer = self.issuer;
        sign_texts(&issuer.key, &Value::Object(self.header).to_string(), &Value::Object(self.claims).to_string())
    }
}

/// Sets a member, or removes it by null.
pub(super) fn set(object: &mut Map<String, Value>, name: &str, value: Value) {
    if value.is_null() {
        object.remove(name);
    } else {
        object.insert(name.to_owned(), value);
    }
}

/// A token of these texts, whatever they are, signed with `key`.
pub fn sign_texts(key: &SigningKey, header: &str, payload: &str) -> String {
    let input = format!("{}.{}", base64url::encode(header.as_bytes()), base64url::encode(payload.as_bytes()));
    let signature = key.sign(input.as_bytes()).unwrap();
    format!("{input}.{}", base64url::encode(&signature))
}

/// A token of these texts with this signature.
pub fn with_signature(header: &str, payload: &str, signature: &[u8]) -> String {
    [header.as_bytes(), payload.as_bytes(), signature].map(base64url::encode).join(".")
}
