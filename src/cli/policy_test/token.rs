//! Tokens of cases. Defaults fill in what a case does not say.

use super::cases::{Claims, Suite};
use super::span::span;
use crate::base::time::UnixSeconds;
use crate::cli::mint::sign;
use crate::cli::moment::read as instant;
use crate::cli::signing::SigningKey;
use crate::crypto::{Algorithm, KeyFamily};
use crate::jose::KeySet;
use crate::policy::{Issuer, Limits};
use serde_json::{Map, Value, json};

/// The default lifetime of a token, in seconds.
const LIFETIME: i64 = 300;
/// The `kid` of the keys that are made for a run.
const KID: &str = "scopegate-test";

/// Why no key can be made for an issuer.
pub(super) struct NoKey(pub String);

/// A key made for the run that an issuer may sign with: ES256 where it may.
///
/// # Errors
/// When it signs with shared secrets alone.
pub(super) fn key_for(issuer: &Issuer) -> Result<SigningKey, NoKey> {
    let mut allowed = issuer.algorithms.iter().filter(|algorithm| algorithm.family() != KeyFamily::Secret);
    let algorithm = if issuer.algorithms.contains(Algorithm::Es256) { Some(Algorithm::Es256) } else { allowed.next() };
    let Some(algorithm) = algorithm else {
        let why = format!("{} signs with shared secrets alone: give the token as text", issuer.name);
        return Err(NoKey(why));
    };
    SigningKey::generate(algorithm, Some(KID.to_owned())).map_err(|error| NoKey(error.to_string()))
}

/// The key set with the public part of `key`.
pub(super) fn public_keys(key: &SigningKey) -> Option<KeySet> {
    let limits = Limits::default();
    let document = json!({ "keys": [key.to_public_jwk()] }).to_string();
    KeySet::parse(document.as_bytes(), limits.jwks_bytes, limits.jwks_keys).ok()
}

/// A token of these claims, signed.
///
/// # Errors
/// When its type cannot be guessed, or the library cannot sign.
pub(super) fn mint(key: &SigningKey, issuer: &Issuer, given: &Claims, suite: &Suite<'_>) -> Result<String, String> {
    let mut header = Map::new();
    header.insert("alg".into(), key.algorithm.name().into());
    header.insert("kid".into(), KID.into());
    if !given.header.contains_key("typ") {
        let types = &issuer.token_types;
        if let Some(typ) = ["at+jwt", "JWT"].into_iter().find(|typ| types.accept(Some(typ))) {
            header.insert("typ".into(), typ.into());
        } else if !types.accept(None) {
            return Err(format!("{} accepts its own token types: write `header: {{typ: …}}`", issuer.name));
        }
    }
    put(&mut header, &given.header);
    let claims = claims(issuer, &given.payload, suite.now);
    sign(key, &header, &claims).map_err(|error| error.to_string())
}

fn claims(issuer: &Issuer, given: &Map<String, Value>, now: UnixSeconds) -> Map<String, Value> {
    let mut given = given.clone();
    for name in ["iat", "nbf", "exp", "auth_time"] {
        if let Some(value) = given.get_mut(name) {
            *value = date(value, now);
        }
    }
    let mut claims = Map::new();
    claims.insert("iss".into(), issuer.issuer.as_str().into());
    // Only a plain claim name can be filled in for the audience.
    let audience_claim = issuer.audience_claims.iter().map(ToString::to_string).find(|name| !name.contains('/'));
    if let (Some(name), Some(audience)) = (audience_claim, issuer.audiences.first()) {
        claims.insert(name, audience.as_str().into());
    }
    let issued_at = given.get("iat").and_then(Value::as_i64).unwrap_or(now.0);
    let lifetime = issuer.max_lifetime.map_or(LIFETIME, |most| LIFETIME.min(most.0.into()));
    claims.insert("iat".into(), issued_at.into());
    claims.insert("exp".into(), issued_at.saturating_add(lifetime).into());
    put(&mut claims, &given);
    claims
}

/// A time as a number, if it is an instant, a span, or a number that YAML took for text.
fn date(value: &Value, now: UnixSeconds) -> Value {
    let Value::String(text) = value else { return value.clone() };
    let seconds = span(text)
        .map(|span| now.0.saturating_add(span))
        .or_else(|| instant(text).map(|instant| instant.0))
        .or_else(|| text.parse().ok());
    seconds.map_or_else(|| value.clone(), Value::from)
}

/// Sets members; null removes one.
fn put(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (name, value) in from {
        if value.is_null() {
            into.remove(name);
        } else {
            into.insert(name.clone(), value.clone());
        }
    }
}
