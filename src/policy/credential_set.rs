//! Sets of credentials that the configuration holds, and the identities that they prove.

use super::{
    ApiKeys, Certificates, Cookie, IdentityTerms, KeyPlace, Passwords, RemoteList, Signatures, SigningMaterial,
};
use crate::base::details::DetailsCell;
use crate::base::names::Subject;
use crate::base::time::UnixSeconds;
use crate::crypto::{PasswordHash, SHA256_BYTES, sha256};
use crate::jose::{ClaimPath, Claims};
use std::rc::Rc;

/// The position of a set in the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SetId(pub usize);

/// The header of the credentials that have a scheme (RFC 9110 section 11.6.2).
pub const AUTHORIZATION: &str = "authorization";

/// The headers of HTTP message signatures (RFC 9421 section 4).
pub const SIGNATURE_HEADERS: [&str; 2] = ["signature-input", "signature"];

/// A set of credentials of one kind.
#[derive(Debug)]
pub struct CredentialSet {
    /// Its name in requirements, records and identity headers.
    pub name: Rc<str>,
    /// Whom its credentials stand for. Empty if they are in a document.
    pub identities: Vec<Identity>,
    /// The document that its identities are in, if they are not in the configuration.
    pub remote: Option<Box<RemoteList<IdentityTerms>>>,
    /// The claims of an identity that hold scopes.
    pub scope_claims: Vec<ClaimPath>,
    /// What its credentials are.
    pub kind: SetKind,
}

/// What the credentials of a set are.
#[derive(Debug)]
pub enum SetKind {
    /// API keys.
    ApiKeys(ApiKeys),
    /// Tokens of the issuers, in a cookie.
    Cookie(Cookie),
    /// Passwords of users.
    Passwords(Passwords),
    /// Certificates of clients.
    Certificates(Certificates),
    /// Signatures of requests.
    Signatures(Signatures),
}

/// Whom a credential stands for.
#[derive(Debug)]
pub struct Identity {
    /// Its name in the set.
    pub id: Rc<String>,
    /// Whom it speaks for.
    pub subject: Rc<Subject>,
    /// What is true of it, as the claims of a token.
    pub claims: Claims,
    /// From when on none of its secrets is good.
    pub expires: Option<UnixSeconds>,
    /// Whether none of its secrets is good.
    pub disabled: bool,
    /// What records show of it.
    pub details: DetailsCell,
}

/// An identity, and from when on its secret is good no longer.
type Holder<'s> = (&'s Identity, Option<UnixSeconds>);

impl CredentialSet {
    /// A set.
    #[must_use]
    pub fn new(name: &str, identities: Vec<Identity>, kind: SetKind) -> Self {
        Self { name: name.into(), identities, remote: None, scope_claims: vec![ClaimPath::top("scope")], kind }
    }

    /// The cookie with the token, if this is a set of such.
    #[must_use]
    pub const fn cookie(&self) -> Option<&Cookie> {
        match &self.kind {
            SetKind::Cookie(cookie) => Some(cookie),
            SetKind::ApiKeys(_) | SetKind::Passwords(_) | SetKind::Certificates(_) | SetKind::Signatures(_) => None,
        }
    }

    /// Where a request may have a key of this set; nowhere, if it is not one of keys.
    #[must_use]
    pub fn key_places(&self) -> &[KeyPlace] {
        match &self.kind {
            SetKind::ApiKeys(keys) => &keys.places,
            SetKind::Cookie(_) | SetKind::Passwords(_) | SetKind::Certificates(_) | SetKind::Signatures(_) => &[],
        }
    }

    /// The digests of its secrets.
    #[must_use]
    pub fn digests(&self) -> Vec<[u8; SHA256_BYTES]> {
        match &self.kind {
            SetKind::ApiKeys(keys) => keys.digests(),
            SetKind::Certificates(certificates) => certificates.digests(),
            SetKind::Passwords(passwords) => {
                let hashes = passwords.of_identities().iter().flat_map(|secrets| secrets.hashes.iter());
                hashes.map(PasswordHash::digest).collect()
            }
            SetKind::Signatures(signatures) => {
                let shared = signatures.keys().filter_map(|key| match &key.material {
                    SigningMaterial::Shared(key) => Some(sha256(key.secret())),
                    SigningMaterial::Public(..) => None,
                });
                shared.collect()
            }
            SetKind::Cookie(_) => Vec::new(),
        }
    }

    /// The identity of this id and the end of its secret, if it still has that one. The key of a signer is looked for under
    /// its own id.
    #[must_use]
    pub fn holder(&self, id: &str, key_id: Option<&str>, secret: &[u8; SHA256_BYTES]) -> Option<Holder<'_>> {
        let (identity, expires) = match &self.kind {
            SetKind::ApiKeys(keys) => keys.find(secret).map(|found| (found.identity, found.expires))?,
            SetKind::Certificates(known) => known.find(secret).map(|found| (found.identity, found.expires))?,
            SetKind::Passwords(passwords) => {
                let (identity, secrets) = passwords.find(id.as_bytes());
                let place = secrets.hashes.iter().position(|hash| hash.digest() == *secret)?;
                (identity?, secrets.ends.get(place).copied().flatten())
            }
            SetKind::Signatures(signatures) => {
                let keys = signatures.find(key_id?).iter().map(|(_, key)| key);
                keys.filter(|key| key.digest == *secret).map(|key| (key.identity, key.expires)).next()?
            }
            SetKind::Cookie(_) => return None,
        };
        let identity = self.identities.get(identity).filter(|identity| *identity.id == id)?;
        Some((identity, expires))
    }

    /// The signatures, if this is a set of such.
    #[must_use]
    pub const fn signatures(&self) -> Option<&Signatures> {
        match &self.kind {
            SetKind::Signatures(signatures) => Some(signatures),
            SetKind::ApiKeys(_) | SetKind::Cookie(_) | SetKind::Passwords(_) | SetKind::Certificates(_) => None,
        }
    }

    /// Whether its credentials come with the connection: they are no part of what a request presents.
    #[must_use]
    pub const fn is_ambient(&self) -> bool {
        matches!(self.kind, SetKind::Certificates(_))
    }

    /// The headers that can hold a secret of this set, and hold nothing else but other credentials. A name may be there
    /// twice.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        let others: &[&str] = match &self.kind {
            SetKind::Passwords(_) => &[AUTHORIZATION],
            SetKind::Signatures(signatures) if signatures.is_aksk() => &[AUTHORIZATION],
            SetKind::Signatures(_) => &SIGNATURE_HEADERS,
            SetKind::ApiKeys(_) | SetKind::Cookie(_) | SetKind::Certificates(_) => &[],
        };
        self.key_places().iter().map(|place| place.header.as_str()).chain(others.iter().copied())
    }
}
