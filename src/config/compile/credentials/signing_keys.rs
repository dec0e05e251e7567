//! The keys that identities sign with.

use super::instant;
use super::secrets::{Digests, variable};
use crate::base::json::{Map, Value};
use crate::config::compile::optional;
use crate::config::cursor::{Cursor, Object};
use crate::config::tree::Tree;
use crate::config::{Environment, fields};
use crate::crypto::{Algorithm, KeyFamily, SHA256_BYTES, sha256};
use crate::jose::KeySet;
use crate::policy::{MAX_KEY_ID, SharedKey, SigningKey, SigningMaterial};

/// The shortest secret, in characters: random ones of this length cannot be guessed.
const LEAST_SECRET: usize = 20;
const NAME_IT: &str = "write {env: NAME} of a secret that the signer has, too";

/// What of an identity its keys are read with.
#[derive(Clone, Copy)]
pub(super) struct Signer<'t> {
    /// Its id, by which requests name a key that has no id of its own.
    pub(super) id: &'t str,
    /// Its place in its set.
    pub(super) place: usize,
    /// Whether it may have public keys.
    pub(super) takes_public: bool,
}

/// The keys of an identity.
pub(super) fn read<'n>(
    item: &Cursor<'n>,
    signer: Signer<'_>,
    environment: Option<Environment<'_>>,
    digests: &mut Digests<'n>,
) -> Option<Vec<SigningKey>> {
    let list = item.member("secrets").or_else(|| item.wrong("has no `secrets`", NAME_IT))?;
    let items = list.list()?;
    if items.is_empty() {
        return list.wrong("is an empty list", NAME_IT);
    }
    let mut keys = Vec::with_capacity(items.len());
    for item in &items {
        keys.push(key(item, signer, environment, digests));
    }
    keys.into_iter().collect()
}

fn key<'n>(
    cursor: &Cursor<'n>,
    signer: Signer<'_>,
    environment: Option<Environment<'_>>,
    digests: &mut Digests<'n>,
) -> Option<SigningKey> {
    if let Tree::Text(_) = cursor.value() {
        return cursor.wrong("is a secret as it is: every reader of the configuration could use it", NAME_IT);
    }
    let object = cursor.object(&fields::SIGNING_KEY)?;
    let key_id = optional(&object, "key_id", signer.id.to_owned(), key_id);
    let expires = optional(&object, "expires", None, |cursor| instant(cursor).map(Some));
    let material = material(&object, signer, environment, digests);
    let (key_id, expires) = (key_id?, expires?);
    let (material, digest) = material?;
    Some(SigningKey { key_id: key_id.into(), identity: signer.place, expires, material, digest })
}

/// What a request can name a key by, in every form.
fn key_id(cursor: &Cursor<'_>) -> Option<String> {
    let text = cursor.text()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:@+".contains(&byte);
    if text.is_empty() || text.len() > MAX_KEY_ID || !text.bytes().all(is_plain) {
        return cursor.wrong("is not the id of a key", "write up to 128 letters, digits, -, _, ., :, @ and +");
    }
    Some(text.to_owned())
}

/// What signatures are checked with, and its digest.
fn material<'n>(
    object: &Object<'n>,
    signer: Signer<'_>,
    environment: Option<Environment<'_>>,
    digests: &mut Digests<'n>,
) -> Option<(SigningMaterial, [u8; SHA256_BYTES])> {
    match (object.get("env"), object.get("jwk")) {
        (Some(name), None) => {
            let secret = shared(&name, environment)?;
            let digest = sha256(secret.as_bytes());
            digests.note(digest, object.cursor());
            Some((SigningMaterial::Shared(SharedKey::new(secret.as_bytes())), digest))
        }
        (None, Some(jwk)) if signer.takes_public => public(&jwk),
        (None, Some(jwk)) => jwk.wrong("is a public key, and both sides of aksk have a secret", NAME_IT),
        _ if signer.takes_public => object
            .cursor()
            .wrong("does not have exactly one of `env` and `jwk`", format!("{NAME_IT}, or {{jwk: {{...}}}}")),
        _ => object.cursor().wrong("has no `env`", NAME_IT),
    }
}

/// A secret in an environment variable. No message tells anything of it.
fn shared(cursor: &Cursor<'_>, environment: Option<Environment<'_>>) -> Option<String> {
    let secret = variable(cursor, environment)?;
    let secret = secret.trim();
    if secret.len() < LEAST_SECRET {
        return cursor.wrong("names a secret that is too short", "make it of at least 20 random characters");
    }
    Some(secret.to_owned())
}

/// A public key, with the one algorithm that it is for.
fn public(cursor: &Cursor<'_>) -> Option<(SigningMaterial, [u8; SHA256_BYTES])> {
    let set: Map<String, Value> =
        [("keys".to_owned(), Value::Array(vec![cursor.value().to_json()]))].into_iter().collect();
    let read = KeySet::read_members(&set, 1).ok();
    let Some(read) = read else { return cursor.wrong("is not a JSON Web Key", "write its members") };
    if let Some(skipped) = read.skipped().first() {
        return cursor.wrong(format!("cannot be used: {}", skipped.why), "write a public key in the form of RFC 7517");
    }
    let digest = read.material(0).unwrap_or_default();
    let Some(key) = read.into_keys().pop() else { return cursor.wrong("is not a JSON Web Key", "write its members") };
    let algorithm = key.algorithm.or_else(|| by_family(key.key.family()));
    match algorithm {
        Some(algorithm) if algorithm.name_in_http_signatures().is_some() => {
            Some((SigningMaterial::Public(key.key, algorithm), digest))
        }
        Some(_) => cursor.wrong(
            "has an `alg` with which no HTTP message is signed",
            "use PS512, RS256, ES256, ES384 or EdDSA (RFC 9421 section 3.3)",
        ),
        None => cursor.wrong("does not say its algorithm", "write alg: PS512, or alg: RS256"),
    }
}

/// The one algorithm of a family of keys, if it has one.
const fn by_family(family: KeyFamily) -> Option<Algorithm> {
    match family {
        KeyFamily::P256 => Some(Algorithm::Es256),
        KeyFamily::P384 => Some(Algorithm::Es384),
        KeyFamily::Ed25519 => Some(Algorithm::EdDsa),
        _ => None,
    }
}
