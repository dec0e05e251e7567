//! Signatures of requests: which ones a set accepts, and the keys of its identities.

use super::in_order;
use crate::base::time::{Seconds, UnixSeconds};
use crate::crypto::{Algorithm, SHA256_BYTES, VerificationKey, sha256};
use std::cell::RefCell;
use std::fmt;

/// The longest key id, in bytes.
pub const MAX_KEY_ID: usize = 128;

/// The signatures of a set.
#[derive(Debug)]
pub struct Signatures {
    /// What signatures must be.
    pub terms: SignatureTerms,
    /// The keys, in the order of the digests of their ids.
    keys: Box<[([u8; SHA256_BYTES], SigningKey)]>,
    /// What a signature of an unknown key is held against, so that it costs what one of a known key does.
    of_no_one: SharedKey,
}

/// What signatures must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureTerms {
    /// How the string to sign is made.
    pub form: SignatureForm,
    /// What has to be signed, beside what the form asks: headers in lower case, or components.
    pub covered: Vec<String>,
    /// The longest time that a signature is good.
    pub max_age: Seconds,
    /// How far its time may be ahead of ours.
    pub max_ahead: Seconds,
    /// Which signatures without a nonce are good once.
    pub replay: SignatureReplay,
}

/// Those of a set whose identities are fetched: the policy has them.
impl Default for SignatureTerms {
    fn default() -> Self {
        Self {
            form: SignatureForm::Apinto,
            covered: Vec::new(),
            max_age: Seconds(0),
            max_ahead: Seconds(0),
            replay: SignatureReplay::All,
        }
    }
}

/// How the string to sign is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureForm {
    /// AWS Signature Version 4.
    Sigv4 {
        /// The regions of its scope.
        regions: Vec<String>,
        /// The services of its scope.
        services: Vec<String>,
    },
    /// That of Apinto and APIPark.
    Apinto,
    /// HTTP Message Signatures (RFC 9421).
    Message {
        /// The `tag` that the signature has; `None`: the request has one signature.
        tag: Option<String>,
        /// Whether it has to have a nonce.
        needs_nonce: bool,
    },
}

/// Which signatures without a nonce are good once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignatureReplay {
    /// Those of methods that change something: all but GET, HEAD and OPTIONS.
    #[default]
    Unsafe,
    /// All.
    All,
    /// None.
    None,
}

/// A key of an identity.
pub struct SigningKey {
    /// How requests name it.
    pub key_id: Box<str>,
    /// The position of the identity in its set.
    pub identity: usize,
    /// From when on it is good no longer.
    pub expires: Option<UnixSeconds>,
    /// What signatures are checked with.
    pub material: SigningMaterial,
    /// A digest of that: another key has another one.
    pub digest: [u8; SHA256_BYTES],
}

/// What signatures are checked with.
pub enum SigningMaterial {
    /// A secret that the signer has, too.
    Shared(SharedKey),
    /// The public key of the signer.
    Public(VerificationKey, Algorithm),
}

/// A secret, and the key that was last derived of it.
pub struct SharedKey {
    secret: Box<[u8]>,
    derived: RefCell<Option<(Box<str>, [u8; SHA256_BYTES])>>,
}

/// Shows no secret: records and logs name identities.
impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey({} of {})", self.key_id, self.identity)
    }
}

/// Shows no secret.
impl fmt::Debug for SharedKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SharedKey")
    }
}

impl SharedKey {
    /// A secret.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self { secret: secret.into(), derived: RefCell::default() }
    }

    /// The secret.
    #[must_use]
    pub fn secret(&self) -> &[u8] {
        &self.secret
    }

    /// The key that `derive` makes of the secret for this scope. The last one is kept: it is good for a day.
    pub fn derived(&self, scope: &str, derive: impl FnOnce(&[u8]) -> [u8; SHA256_BYTES]) -> [u8; SHA256_BYTES] {
        if let Some((known, key)) = &*self.derived.borrow()
            && **known == *scope
        {
            return *key;
        }
        let key = derive(&self.secret);
        *self.derived.borrow_mut() = Some((scope.into(), key));
        key
    }
}

impl Signatures {
    /// Signatures under these keys. Several keys of one identity may have one id.
    #[must_use]
    pub fn new(terms: SignatureTerms, keys: Vec<SigningKey>) -> Self {
        let order = in_order(keys.iter().map(|key| sha256(key.key_id.as_bytes())));
        let mut places: Vec<Option<SigningKey>> = keys.into_iter().map(Some).collect();
        let taken = order.into_iter().filter_map(|(digest, at)| Some((digest, places.get_mut(at)?.take()?)));
        Self { terms, keys: taken.collect(), of_no_one: SharedKey::new(&[0; SHA256_BYTES]) }
    }

    /// The keys of this id.
    #[must_use]
    pub fn find(&self, key_id: &str) -> &[([u8; SHA256_BYTES], SigningKey)] {
        let digest = sha256(key_id.as_bytes());
        let from = self.keys.partition_point(|(other, _)| *other < digest);
        let rest = self.keys.get(from..).unwrap_or_default();
        let count = rest.iter().take_while(|(other, _)| *other == digest).count();
        rest.get(..count).unwrap_or_default()
    }

    /// What a signature of an unknown key is held against.
    #[must_use]
    pub const fn of_no_one(&self) -> &SharedKey {
        &self.of_no_one
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &SigningKey> {
        self.keys.iter().map(|(_, key)| key)
    }

    /// Whether they are signatures under access keys, and not HTTP message signatures.
    #[must_use]
    pub const fn is_aksk(&self) -> bool {
        !matches!(self.terms.form, SignatureForm::Message { .. })
    }
}

impl SignatureTerms {
    /// Whether some of them are good once.
    #[must_use]
    pub fn are_used_up(&self) -> bool {
        self.replay != SignatureReplay::None || !matches!(self.form, SignatureForm::Sigv4 { .. })
    }

    /// Whether a body may have to be read whole before its signature can be judged: where no signed header has its digest.
    #[must_use]
    pub fn may_read_bodies(&self) -> bool {
        match &self.form {
            SignatureForm::Sigv4 { services, .. } => {
                services.iter().any(|service| service != "s3") && !self.covered.iter().any(|name| name == BODY_HEADER)
            }
            SignatureForm::Apinto => true,
            SignatureForm::Message { .. } => false,
        }
    }
}

/// The header of SigV4 with the digest of the body.
const BODY_HEADER: &str = "x-amz-content-sha256";

#[cfg(test)]
mod tests {
    use super::*;

    fn key(key_id: &str, identity: usize, secret: &str) -> SigningKey {
        let material = SigningMaterial::Shared(SharedKey::new(secret.as_bytes()));
        SigningKey { key_id: key_id.into(), identity, expires: None, material, digest: sha256(secret.as_bytes()) }
    }

    fn terms(form: SignatureForm, covered: &[&str]) -> SignatureTerms {
        SignatureTerms {
            form,
            covered: covered.iter().map(|&name| name.to_owned()).collect(),
            max_age: Seconds(300),
            max_ahead: Seconds(60),
            replay: SignatureReplay::Unsafe,
        }
    }

    #[test]
    fn every_key_of_an_id_is_found_and_no_other() {
        let keys = vec![key("a", 0, "first"), key("b", 1, "second"), key("a", 0, "third"), key("", 2, "fourth")];
        let signatures = Signatures::new(terms(SignatureForm::Apinto, &[]), keys);
        let found = |id: &str| signatures.find(id).iter().map(|(_, key)| key.identity).collect::<Vec<_>>();
        assert_eq!([found("a"), found("b"), found(""), found("c")], [vec![0, 0], vec![1], vec![2], vec![]]);
        assert_eq!(signatures.keys().count(), 4);
        assert!(!format!("{signatures:?}").contains("third"), "{signatures:?}");
    }

    #[test]
    fn a_derived_key_is_made_once_for_its_scope() {
        let (key, made) = (SharedKey::new(b"secret"), std::cell::Cell::new(0_u8));
        let derived = |scope: &str| {
            key.derived(scope, |secret| {
                assert_eq!(secret, b"secret");
                made.set(made.get() + 1);
                [made.get(); SHA256_BYTES]
            })
        };
        let all = ["a", "a", "b", "b", "a"].map(|scope| derived(scope)[0]);
        assert_eq!(all, [1, 1, 2, 2, 3]);
    }

    #[test]
    fn a_body_is_read_whole_where_no_header_may_have_its_digest() {
        let sigv4 = |services: &[&str]| SignatureForm::Sigv4 {
            regions: vec!["eu".to_owned()],
            services: services.iter().map(|&name| name.to_owned()).collect(),
        };
        let message = SignatureForm::Message { tag: None, needs_nonce: true };
        for (form, covered, wanted) in [
            (sigv4(&["orders"]), &[][..], true),
            (sigv4(&["s3", "orders"]), &[], true),
            (sigv4(&["s3"]), &[], false),
            (sigv4(&["orders"]), &["x-amz-content-sha256"], false),
            (SignatureForm::Apinto, &["x-amz-content-sha256"], true),
            (message, &[], false),
        ] {
            assert_eq!(terms(form.clone(), covered).may_read_bodies(), wanted, "{form:?} {covered:?}");
        }
    }
}
