//! Identities that change: they are in a document that is fetched, and not in the configuration.

use super::{CredentialSet, Scope, SetId};
use crate::crypto::SHA256_BYTES;
use crate::jose::KeySet;
use crate::revocation::Signature;
use std::rc::Rc;

/// What proves an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HolderKind {
    /// API keys.
    Keys,
    /// A user name and passwords.
    Users,
    /// Client certificates.
    Certificates,
    /// Keys that requests are signed with.
    Signers,
}

/// What a document of identities must be to be used.
#[derive(Clone, Debug)]
pub struct IdentityTerms {
    /// The set that the identities are of.
    pub set: SetId,
    /// Its name.
    pub name: Rc<str>,
    /// What proves the identities.
    pub kind: HolderKind,
    /// The scopes of those that name none.
    pub scopes: Rc<[Scope]>,
    /// The longest document, in bytes.
    pub max_bytes: usize,
    /// The keys of which one must have signed it.
    pub signed_by: Option<Rc<KeySet>>,
    /// The digests of the secrets that the configuration has, in any set.
    pub configured: Rc<[[u8; SHA256_BYTES]]>,
    /// The other sets that are fetched, as they are now.
    pub others: Vec<Rc<FetchedSet>>,
}

/// A set with the identities of its document.
#[derive(Debug)]
pub struct FetchedSet {
    /// The set. It has no places of keys: the policy has them.
    pub set: CredentialSet,
    /// Who signed the document, and until when it is good.
    pub signature: Option<Signature>,
    /// How long the document is.
    pub bytes: usize,
    /// The SHA-256 of the document.
    pub digest: [u8; SHA256_BYTES],
}
