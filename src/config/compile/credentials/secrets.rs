//! Secrets of identities.

use super::super::variable_of;
use super::instant;
use crate::base::time::UnixSeconds;
use crate::config::compile::optional;
use crate::config::cursor::{Cursor, Object};
use crate::config::tree::Tree;
use crate::config::{Environment, fields};
use crate::crypto::{SHA256_BYTES, sha256};
use crate::policy::{Secret, in_order};

/// The shortest key, in characters: random ones of this length cannot be guessed.
const LEAST_KEY: usize = 20;
const HASH_IT: &str = "write {sha256: ...}, which `scopegate credentials hash` makes of it, or {env: NAME}";

/// The digests of all sets, each with its place in the configuration.
#[derive(Default)]
pub(crate) struct Digests<'n>(Vec<([u8; SHA256_BYTES], Cursor<'n>)>);

impl<'n> Digests<'n> {
    /// Notes one, and where it is.
    pub(super) fn note(&mut self, digest: [u8; SHA256_BYTES], at: &Cursor<'n>) {
        self.0.push((digest, at.clone()));
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = [u8; SHA256_BYTES]> {
        self.0.iter().map(|(digest, _)| *digest)
    }

    /// Notes secrets that are there twice: of two identities with one key none can be told from the other.
    pub(super) fn note_repeated(&self) {
        for pair in in_order(self.all()).windows(2) {
            if let [(digest, _), (again, at)] = pair
                && digest == again
                && let Some((_, cursor)) = self.0.get(*at)
            {
                cursor.wrong::<()>("is the secret of another entry, too", "give each identity secrets of its own");
            }
        }
    }
}

/// The secrets of the identity at this place in its set.
pub(super) fn read<'n>(
    item: &Cursor<'n>,
    identity: usize,
    environment: Option<Environment<'_>>,
    digests: &mut Digests<'n>,
) -> Option<Vec<Secret>> {
    let cursor = item.member("secrets").or_else(|| {
        item.wrong(
            "has no `secrets`",
            "list its keys, such as [{sha256: ...}], which `scopegate credentials new` makes",
        )
    })?;
    let items = cursor.list()?;
    if items.is_empty() {
        return cursor.wrong("is an empty list", "name at least one secret");
    }
    let mut secrets = Vec::with_capacity(items.len());
    for item in &items {
        let secret = secret(item, environment);
        if let Some((digest, _)) = secret {
            digests.note(digest, item);
        }
        secrets.push(secret.map(|(digest, expires)| Secret { digest, identity, expires }));
    }
    secrets.into_iter().collect()
}

fn secret(
    cursor: &Cursor<'_>,
    environment: Option<Environment<'_>>,
) -> Option<([u8; SHA256_BYTES], Option<UnixSeconds>)> {
    if let Tree::Text(_) = cursor.value() {
        return cursor.wrong("is a secret as it is: every reader of the configuration could use it", HASH_IT);
    }
    if let Some(hash) = ["bcrypt", "pbkdf2"].into_iter().find_map(|name| cursor.member(name)) {
        return hash.wrong(
            "is for passwords, and would cost each request milliseconds: a key is random, so SHA-256 is enough",
            HASH_IT,
        );
    }
    let object = cursor.object(&fields::CREDENTIAL_SECRET)?;
    let expires = optional(&object, "expires", None, |cursor| instant(cursor).map(Some));
    let digest = digest_of(&object, environment);
    Some((digest?, expires?))
}

/// The digest that is written, or that of a secret in an environment variable.
pub(super) fn digest_of(object: &Object<'_>, environment: Option<Environment<'_>>) -> Option<[u8; SHA256_BYTES]> {
    match (object.has("sha256"), object.has("env")) {
        (true, false) => object.get("sha256").and_then(|cursor| written(&cursor, HASH_IT)),
        (false, true) => object.get("env").and_then(|cursor| from_environment(&cursor, environment)),
        _ => one_of_both(object),
    }
}

fn one_of_both<T>(object: &Object<'_>) -> Option<T> {
    object.cursor().wrong("does not have exactly one of `sha256` and `env`", HASH_IT)
}

/// A digest in hexadecimal digits.
pub(super) fn written(cursor: &Cursor<'_>, remedy: &str) -> Option<[u8; SHA256_BYTES]> {
    let text = cursor.text()?;
    let mut digest = [0; SHA256_BYTES];
    let pairs = text.as_bytes().chunks(2);
    let all = text.len() == 2 * SHA256_BYTES
        && digest.iter_mut().zip(pairs).all(|(byte, pair)| match (hex(pair.first()), hex(pair.get(1))) {
            (Some(high), Some(low)) => {
                *byte = high << 4 | low;
                true
            }
            _ => false,
        });
    if all { Some(digest) } else { cursor.wrong("is not a SHA-256 in 64 hexadecimal digits", remedy) }
}

fn hex(digit: Option<&u8>) -> Option<u8> {
    match digit? {
        digit @ b'0'..=b'9' => Some(digit - b'0'),
        digit @ b'a'..=b'f' => Some(digit - b'a' + 10),
        digit @ b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// The digest of a key in an environment variable. No message tells anything of the key.
fn from_environment(cursor: &Cursor<'_>, environment: Option<Environment<'_>>) -> Option<[u8; SHA256_BYTES]> {
    let key = variable(cursor, environment)?;
    let key = key.trim();
    if key.len() < LEAST_KEY {
        return cursor.wrong("names a key that is too short", "make it of at least 20 random characters");
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return cursor.wrong("names a key that is not visible ASCII", "make one with `scopegate credentials new`");
    }
    Some(sha256(key.as_bytes()))
}

/// The value of the environment variable that is named here. A document that is fetched names none.
pub(super) fn variable(cursor: &Cursor<'_>, environment: Option<Environment<'_>>) -> Option<String> {
    let Some(environment) = environment else {
        return cursor.wrong("names an environment variable, and a document has hashes only", "write the hash");
    };
    variable_of(cursor, environment)
}
