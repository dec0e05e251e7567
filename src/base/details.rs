//! What records show of a verified credential beside its names.

use super::names::{Digest, Subject};
use super::time::UnixSeconds;
use std::cell::OnceCell;
use std::rc::Rc;

/// What records show of a verified credential, made once for each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// The client that it was issued to, safe to print.
    pub client_id: Option<Box<str>>,
    /// Its `jti`, of which only the digest is shown.
    pub token_id: Option<Subject>,
    /// The `kid` of the key that verified it, safe to print.
    pub key_id: Option<Box<str>>,
    /// The algorithm of its signature.
    pub algorithm: Option<&'static str>,
    /// Whether the host checked the signature, and not the VM.
    pub by_host: Option<bool>,
    /// When it was issued.
    pub issued_at: Option<UnixSeconds>,
    /// The scopes that it names, spaces between them.
    pub scopes: Box<str>,
}

/// A place for the details of a credential.
pub type DetailsCell = OnceCell<Rc<Details>>;

impl Details {
    /// How many bytes of memory they take, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let texts = [&self.client_id, &self.key_id].into_iter().flatten().map(|text| text.len()).sum::<usize>();
        size_of::<Self>() + texts + self.scopes.len() + self.token_id.as_ref().map_or(0, |id| id.as_str().len())
    }

    /// The digest of its `jti`.
    pub fn token_id_digest(&self, digest: Digest) -> Option<&str> {
        self.token_id.as_ref().map(|id| id.digest(digest))
    }
}
