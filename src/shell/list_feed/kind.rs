//! The kinds of lists: what a document has to be, and how it is read. One enum for all of them, since a [`super::ListFeed`] that
//! is generic over its kind would be in the module once for each.

use super::ListSize;
use crate::base::time::UnixSeconds;
use crate::config::IdentityLoader;
use crate::crypto::LocalVerifier;
use crate::policy::{FetchedSet, IdentityTerms};
use crate::revocation::{
    Chunks, List, ListError, Loader, Revision, Signature, StatusList, StatusLoader, StatusTerms, Terms,
};
use std::rc::Rc;

/// What a document must be to be used.
#[derive(Clone, Debug)]
pub enum ListTerms {
    /// A revocation list.
    Revocations(Terms),
    /// A status list.
    Statuses(StatusTerms),
    /// The identities of a set.
    Identities(IdentityTerms),
}

/// A list in use.
#[derive(Clone, Debug)]
pub enum Listed {
    /// A revocation list.
    Revocations(Rc<List>),
    /// A status list.
    Statuses(Rc<StatusList>),
    /// The identities of a set.
    Identities(Rc<FetchedSet>),
}

/// Reads a document, step by step.
#[derive(Debug)]
pub enum Loading {
    /// A revocation list.
    Revocations(Loader),
    /// A status list.
    Statuses(StatusLoader),
    /// The identities of a set.
    Identities(IdentityLoader),
}

impl ListTerms {
    /// What is asked for.
    pub const fn accept(&self) -> &'static str {
        match self {
            // A static file server sends what it has under any name.
            Self::Revocations(_) => "application/jsonl, application/octet-stream, */*;q=0.5",
            Self::Statuses(_) => "application/statuslist+jwt",
            Self::Identities(_) => "application/json, application/jwt, */*;q=0.5",
        }
    }

    /// The longest document, in bytes.
    pub const fn max_bytes(&self) -> usize {
        match self {
            Self::Revocations(terms) => terms.max_bytes,
            Self::Statuses(terms) => terms.max_bytes,
            Self::Identities(terms) => terms.max_bytes,
        }
    }

    /// Whether lists may say when they end.
    pub const fn may_expire(&self) -> bool {
        match self {
            Self::Revocations(terms) => terms.signed_by.is_some(),
            Self::Statuses(_) => true,
            Self::Identities(terms) => terms.signed_by.is_some(),
        }
    }

    /// Begins to read a document that is to replace the list in use. Whether one `is_shared`, and its sharer has held it against
    /// other documents.
    ///
    /// # Errors
    /// When it can be told already that it is no such list.
    pub fn begin(
        &self,
        document: Chunks,
        in_use: Option<&Listed>,
        is_shared: bool,
        now: UnixSeconds,
    ) -> Result<Loading, ListError> {
        let signature = in_use.and_then(Listed::signature);
        match self {
            Self::Revocations(terms) => {
                Loader::begin(document, terms, signature, &LocalVerifier, now).map(Loading::Revocations)
            }
            Self::Statuses(terms) => {
                StatusLoader::begin(&document, terms, signature, &LocalVerifier, now).map(Loading::Statuses)
            }
            Self::Identities(terms) => {
                let others = if is_shared { Vec::new() } else { terms.others.clone() };
                let terms = IdentityTerms { others, ..terms.clone() };
                let in_use = in_use.and_then(Listed::identities);
                IdentityLoader::begin(&document, terms, in_use.as_ref(), &LocalVerifier, now).map(Loading::Identities)
            }
        }
    }
}

impl Loading {
    /// Does the next step. Returns the list when that was the last.
    ///
    /// # Errors
    /// When the document is no such list.
    pub fn step(&mut self) -> Result<Option<Listed>, ListError> {
        Ok(match self {
            Self::Revocations(loader) => loader.step()?.map(|list| Listed::Revocations(Rc::new(list))),
            Self::Statuses(loader) => loader.step()?.map(|list| Listed::Statuses(Rc::new(list))),
            Self::Identities(loader) => loader.step()?.map(Listed::Identities),
        })
    }
}

impl Listed {
    /// The revocation list, if it is one.
    pub fn revocations(&self) -> Option<Rc<List>> {
        match self {
            Self::Revocations(list) => Some(Rc::clone(list)),
            Self::Statuses(_) | Self::Identities(_) => None,
        }
    }

    /// The status list, if it is one.
    pub fn statuses(&self) -> Option<Rc<StatusList>> {
        match self {
            Self::Statuses(list) => Some(Rc::clone(list)),
            Self::Revocations(_) | Self::Identities(_) => None,
        }
    }

    /// The identities, if it has such.
    pub fn identities(&self) -> Option<Rc<FetchedSet>> {
        match self {
            Self::Identities(fetched) => Some(Rc::clone(fetched)),
            Self::Revocations(_) | Self::Statuses(_) => None,
        }
    }

    /// Who signed it, and until when it is good.
    pub fn signature(&self) -> Option<Signature> {
        match self {
            Self::Revocations(list) => list.signature(),
            Self::Statuses(list) => Some(list.signature()),
            Self::Identities(fetched) => fetched.signature,
        }
    }

    /// How long it is.
    pub fn size(&self) -> ListSize {
        let (entries, bytes) = match self {
            Self::Revocations(list) => (list.entries(), list.bytes().len()),
            Self::Statuses(list) => (list.entries(), list.bytes()),
            Self::Identities(fetched) => (fetched.set.identities.len(), fetched.bytes),
        };
        ListSize { entries, bytes }
    }

    /// The revision of a revocation list.
    pub fn revision(&self) -> Revision {
        match self {
            Self::Revocations(list) => list.revision(),
            Self::Statuses(_) | Self::Identities(_) => Revision::default(),
        }
    }

    /// Whether both say the same, beside their signatures.
    pub fn says_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Revocations(list), Self::Revocations(other)) => list.bytes().pieces() == other.bytes().pieces(),
            (Self::Statuses(list), Self::Statuses(other)) => list.says_the_same(other),
            (Self::Identities(fetched), Self::Identities(other)) => fetched.digest == other.digest,
            (Self::Revocations(_) | Self::Statuses(_) | Self::Identities(_), _) => false,
        }
    }
}
