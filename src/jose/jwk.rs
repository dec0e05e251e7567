//! Key sets ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517)): read as they come, used as far as they can be.

use super::instead::Instead;
use crate::base::json::{self, JsonType, Map, Value, wrong_type};
use crate::crypto::{Algorithm, KeyFamily, Material, SHA256_BYTES, VerificationKey, sha256};
use std::fmt;

/// The most keys that are tried for one token, where several share its `kid` or it has none. Each try costs a
/// signature check that a sender can ask for without holding a key.
pub const MAX_CANDIDATES: usize = 4;

/// The longest `kid` of a key, in bytes. Longer ones are left out: a `kid` names a key, it does not carry data.
const MAX_KID_BYTES: usize = 512;

/// Members that only a private or symmetric key has (RFC 7518 section 6, RFC 8037, RFC 9964).
const PRIVATE: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

/// A key of an issuer.
#[derive(Debug)]
pub struct Key {
    /// Its `kid`.
    pub kid: Option<String>,
    /// The one algorithm that it is for, where the set says so.
    pub algorithm: Option<Algorithm>,
    /// What signatures are checked with.
    pub key: VerificationKey,
}

/// The usable keys of one issuer, and what was left out.
#[derive(Debug, Default)]
pub struct KeySet {
    keys: Vec<Key>,
    skipped: Vec<Skipped>,
    /// A digest of what makes each usable key what it is, in their order.
    content: Vec<u8>,
    /// A digest of each usable key without its names, in their order. Configured secrets have none.
    materials: Vec<[u8; SHA256_BYTES]>,
}

/// A member of a key set that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its position in `keys`, from 0.
    pub index: usize,
    /// Its `kid`, if that is text.
    pub kid: Option<String>,
    /// Why it was left out.
    pub why: &'static str,
}

/// Why a document is no key set at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySetError {
    /// Not a JSON object without duplicate members and with a list `keys`, but this.
    NotAKeySet(Instead),
    /// More keys than the limit.
    TooManyKeys,
    /// Longer than the limit in bytes.
    TooLarge,
    /// No key in it can be used; why the first cannot be, if there is one.
    NothingUsable(Option<&'static str>),
}

impl fmt::Display for KeySetError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAKeySet(instead) => write!(formatter, "not a JSON Web Key Set: {instead}"),
            Self::TooManyKeys => formatter.write_str("more keys than `limits.jwks_keys`"),
            Self::TooLarge => formatter.write_str("larger than `limits.jwks_bytes`"),
            Self::NothingUsable(None) => formatter.write_str("no key in it can be used"),
            Self::NothingUsable(Some(why)) => write!(formatter, "no key in it can be used; keys[0]: {why}"),
        }
    }
}

impl KeySet {
    /// Reads a JSON Web Key Set.
    ///
    /// A key that cannot be used is left out and named in [`KeySet::skipped`]; the others work
    /// ([RFC 7517 section 5](https://www.rfc-editor.org/rfc/rfc7517#section-5)).
    ///
    /// # Errors
    /// When the document is no key set, is larger than the limits, or has nothing usable in it.
    pub fn parse(document: &[u8], max_bytes: usize, max_keys: usize) -> Result<Self, KeySetError> {
        if document.len() > max_bytes {
            return Err(KeySetError::TooLarge);
        }
        Self::from_members(&Self::read_document(document)?, max_keys)
    }

    /// Reads the JSON object of a key set. A byte order mark before it is passed over
    /// ([RFC 8259 section 8.1](https://www.rfc-editor.org/rfc/rfc8259#section-8.1)).
    ///
    /// # Errors
    /// When it is none, with what it is.
    pub fn read_document(document: &[u8]) -> Result<Map<String, Value>, KeySetError> {
        let text = json::without_byte_order_mark(document);
        // A member that is there twice spoils the key that it is in, and not the set.
        match json::parse(text).or_else(|_| json::parse_with_duplicates(text)) {
            Ok(Value::Object(object)) => {
                let is_key_list = |name: &str, value: &Value| name == "keys" && value.is_array();
                let mut others = object.iter().filter(|(name, value)| !is_key_list(name, value));
                if json::is_marked(&object) || others.any(|(_, value)| json::has_duplicates(value)) {
                    return Err(KeySetError::NotAKeySet(Instead::Duplicate));
                }
                Ok(object)
            }
            Ok(_) => Err(KeySetError::NotAKeySet(Instead::of_bytes(text, true))),
            Err(_) => Err(KeySetError::NotAKeySet(Instead::of_bytes(text, false))),
        }
    }

    /// Makes a key set of the members of its JSON object.
    ///
    /// # Errors
    /// As [`KeySet::parse`].
    pub fn from_members(set: &Map<String, Value>, max_keys: usize) -> Result<Self, KeySetError> {
        let all = Self::read_members(set, max_keys)?;
        // A set without keys is well formed. The caller that fetched it counts it as an outage all the same.
        match all.skipped.first() {
            Some(first) if all.keys.is_empty() => Err(KeySetError::NothingUsable(Some(first.why))),
            _ => Ok(all),
        }
    }

    /// Makes a key set that may have no usable key, and says why each is left out.
    ///
    /// # Errors
    /// When the members are those of no key set, or there are too many keys.
    pub fn read_members(set: &Map<String, Value>, max_keys: usize) -> Result<Self, KeySetError> {
        let members = set.get("keys").and_then(Value::as_array);
        let members = members.ok_or_else(|| KeySetError::NotAKeySet(Instead::of_object(set)))?;
        if members.len() > max_keys {
            return Err(KeySetError::TooManyKeys);
        }
        let mut all = Self::default();
        for (index, member) in members.iter().enumerate() {
            match read_key(member) {
                Ok(key) => {
                    all.keys.push(key);
                    all.content.extend(identity(member));
                    all.materials.push(material_digest(member));
                }
                Err(why) => {
                    let kid = member.get("kid").and_then(Value::as_str).map(str::to_owned);
                    all.skipped.push(Skipped { index, kid, why });
                }
            }
        }
        Ok(all)
    }

    /// Adds a key, such as one made of a configured secret.
    pub fn push(&mut self, key: Key) {
        self.keys.push(key);
    }

    /// The keys, to be kept.
    #[must_use]
    pub fn into_keys(self) -> Vec<Key> {
        self.keys
    }

    /// The keys, in their order.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    /// Whether the usable keys are the same, in the same order, as those of another set. Configured secrets and what
    /// was left out do not count.
    #[must_use]
    pub fn has_same_keys(&self, other: &Self) -> bool {
        self.content == other.content
    }

    /// What was left out, and why.
    #[must_use]
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Whether a key has this `kid`.
    #[must_use]
    pub fn names(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.kid.as_deref() == Some(kid))
    }

    /// The keys to try for a token: those of its `kid`, or all when it has none, that fit `algorithm`; at most
    /// [`MAX_CANDIDATES`]. A key without a `kid` is not tried for a token that names one.
    pub fn candidates(&self, kid: Option<&str>, algorithm: Algorithm) -> impl Iterator<Item = &Key> {
        self.candidates_in_place(kid, algorithm).map(|(_, key)| key)
    }

    /// As [`KeySet::candidates`], each with its place.
    pub fn candidates_in_place(&self, kid: Option<&str>, algorithm: Algorithm) -> impl Iterator<Item = (usize, &Key)> {
        self.keys
            .iter()
            .enumerate()
            .filter(move |(_, key)| kid.is_none() || key.kid.as_deref() == kid)
            .filter(move |(_, key)| key.algorithm.is_none_or(|only| only == algorithm) && key.key.fits(algorithm))
            .take(MAX_CANDIDATES)
    }

    /// A digest of the key at this place, whatever it is called: of its material alone. A configured secret has none.
    #[must_use]
    pub fn material(&self, place: usize) -> Option<[u8; SHA256_BYTES]> {
        self.materials.get(place).copied()
    }

    /// Whether the key of this digest is among those that would be tried for a token.
    #[must_use]
    pub fn holds(&self, material: &[u8; SHA256_BYTES], kid: Option<&str>, algorithm: Algorithm) -> bool {
        self.candidates_in_place(kid, algorithm).any(|(place, _)| self.materials.get(place) == Some(material))
    }
}

/// The text of a member, in words where it is something else.
macro_rules! text {
    ($jwk:expr, $name:literal) => {
        optional_text($jwk, $name).map_err(|kind| wrong_type!(kind, concat!("its `", $name, "`"), "text"))
    };
}

/// The text of a member that a key of this type must have.
macro_rules! member {
    ($jwk:expr, $name:literal) => {
        text!($jwk, $name)?.ok_or(concat!("its `", $name, "` is missing"))
    };
}

/// Reads one public key that is for signatures.
pub(super) fn read_key(member: &Value) -> Result<Key, &'static str> {
    let jwk = member.as_object().ok_or("not an object")?;
    if json::has_duplicates(member) {
        return Err("a member is there twice");
    }
    if jwk.get("kty").and_then(Value::as_str) == Some("oct") {
        return Err("a symmetric key: a published secret is no secret");
    }
    if PRIVATE.iter().any(|name| jwk.contains_key(*name)) {
        return Err("holds private members: this key is compromised");
    }
    if text!(jwk, "use")?.is_some_and(|usage| usage != "sig") {
        return Err("its use is not sig");
    }
    check_key_ops(jwk)?;
    let kid = text!(jwk, "kid")?;
    if kid.is_some_and(|kid| kid.len() > MAX_KID_BYTES) {
        return Err("its kid is longer than 512 bytes");
    }
    let algorithm = match text!(jwk, "alg")? {
        None => None,
        Some(name) => Some(Algorithm::from_name(name).ok_or("its alg is not supported")?),
    };
    let key = VerificationKey::from_material(material(jwk, algorithm)?).map_err(|error| error.0)?;
    if algorithm.is_some_and(|algorithm| !key.fits(algorithm)) {
        return Err("its alg does not fit its type");
    }
    Ok(Key { kid: kid.map(str::to_owned), algorithm, key })
}

/// A digest of the members of a usable key that decide which signatures it verifies. What else a key set says of it,
/// such as a certificate that is renewed, does not make another key of it.
fn identity(member: &Value) -> [u8; SHA256_BYTES] {
    digest_of(member, &["kid", "alg", "kty", "crv", "n", "e", "x", "y", "pub"])
}

/// A digest of the members that are the key itself. Each has one spelling.
fn material_digest(member: &Value) -> [u8; SHA256_BYTES] {
    digest_of(member, &["kty", "crv", "n", "e", "x", "y", "pub"])
}

fn digest_of(member: &Value, names: &[&str]) -> [u8; SHA256_BYTES] {
    let members: Vec<String> = names.iter().map(|name| member.get(*name).unwrap_or(&Value::Null).to_string()).collect();
    sha256(members.join("\n").as_bytes())
}

fn material(jwk: &Map<String, Value>, algorithm: Option<Algorithm>) -> Result<Material<'_>, &'static str> {
    match (member!(jwk, "kty")?, text!(jwk, "crv")?) {
        ("RSA", _) => Ok(Material::Rsa { n: member!(jwk, "n")?, e: member!(jwk, "e")? }),
        ("EC", Some("P-256")) => {
            Ok(Material::Ec { family: KeyFamily::P256, x: member!(jwk, "x")?, y: member!(jwk, "y")? })
        }
        ("EC", Some("P-521")) => {
            Ok(Material::Ec { family: KeyFamily::P521, x: member!(jwk, "x")?, y: member!(jwk, "y")? })
        }
        ("EC", Some("P-384")) => {
            Ok(Material::Ec { family: KeyFamily::P384, x: member!(jwk, "x")?, y: member!(jwk, "y")? })
        }
        ("EC", Some("secp256k1")) => {
            Ok(Material::Ec { family: KeyFamily::Secp256k1, x: member!(jwk, "x")?, y: member!(jwk, "y")? })
        }
        ("OKP", Some("Ed25519")) => Ok(Material::Ed25519 { x: member!(jwk, "x")? }),
        ("AKP", _) => {
            let family = algorithm.ok_or("an AKP key without alg")?.family();
            Ok(Material::MlDsa { family, public: member!(jwk, "pub")? })
        }
        _ => Err("its type or curve is not supported"),
    }
}

/// A member that is a string, absent or null; real key sets carry `"alg": null`. Otherwise the type of what is there.
fn optional_text<'a>(jwk: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, JsonType> {
    match jwk.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(JsonType::of(other)),
    }
}

/// `key_ops` must allow `verify` where it is there at all (RFC 7517 section 4.3).
fn check_key_ops(jwk: &Map<String, Value>) -> Result<(), &'static str> {
    match jwk.get("key_ops") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Array(operations)) if operations.iter().any(|operation| operation == "verify") => Ok(()),
        Some(_) => Err("its key_ops do not allow verify"),
    }
}
