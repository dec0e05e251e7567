//! The kinds of lists: what a document has to be, and how it is read. One enum for all of them, since a [`super::ListFeed`] that
//! is generic over its kind would be in the module once for each.

use super::ListSize;
use crate::base::time::UnixSeconds;
use crate::crypto::PureVerifier;
use crate::revocation::{Chunks, List, ListError, Loader, Signature, StatusList, StatusLoader, StatusTerms, Terms};
use std::rc::Rc;

/// What a document must be to be used.
#[derive(Clone, Debug)]
pub enum ListTerms {
    /// A revocation list.
    Revocations(Terms),
    /// A status list.
    Statuses(StatusTerms),
}

/// A list in use.
#[derive(Clone, Debug)]
pub enum Listed {
    /// A revocation list.
    Revocations(Rc<List>),
    /// A status list.
    Statuses(Rc<StatusList>),
}

/// Reads a document, step by step.
#[derive(Debug)]
pub enum Loading {
    /// A revocation list.
    Revocations(Loader),
    /// A status list.
    Statuses(StatusLoader),
}

impl ListTerms {
    /// What is asked for.
    pub const fn accept(&self) -> &'static str {
        match self {
            // A static file server sends what it has under any name.
            Self::Revocations(_) => "application/jsonl, application/octet-stream, */*;q=0.5",
            Self::Statuses(_) => "application/statuslist+jwt",
        }
    }

    /// The longest document, in bytes.
    pub const fn max_bytes(&self) -> usize {
        match self {
            Self::Revocations(terms) => terms.max_bytes,
            Self::Statuses(terms) => terms.max_bytes,
        }
    }

    /// Whether lists may say when they end.
    pub const fn may_expire(&self) -> bool {
        match self {
            Self::Revocations(terms) => terms.signed_by.is_some(),
            Self::Statuses(_) => true,
        }
    }

    /// Begins to read a document that is to replace the list in use.
    ///
    /// # Errors
    /// When it can be told already that it is no such list.
    pub fn begin(&self, document: Chunks, in_use: Option<&Listed>, now: UnixSeconds) -> Result<Loading, ListError> {
        let signature = in_use.and_then(Listed::signature);
        match self {
            Self::Revocations(terms) => {
                Loader::begin(document, terms, signature, &PureVerifier, now).map(Loading::Revocations)
            }
            Self::Statuses(terms) => {
                StatusLoader::begin(&document, terms, signature, &PureVerifier, now).map(Loading::Statuses)
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
        })
    }
}

impl Listed {
    /// The revocation list, if it is one.
    pub fn revocations(&self) -> Option<Rc<List>> {
        match self {
            Self::Revocations(list) => Some(Rc::clone(list)),
            Self::Statuses(_) => None,
        }
    }

    /// The status list, if it is one.
    pub fn statuses(&self) -> Option<Rc<StatusList>> {
        match self {
            Self::Statuses(list) => Some(Rc::clone(list)),
            Self::Revocations(_) => None,
        }
    }

    /// Who signed it, and until when it is good.
    pub fn signature(&self) -> Option<Signature> {
        match self {
            Self::Revocations(list) => list.signature(),
            Self::Statuses(list) => Some(list.signature()),
        }
    }

    /// How long it is.
    pub fn size(&self) -> ListSize {
        let (entries, bytes) = match self {
            Self::Revocations(list) => (list.entries(), list.bytes().len()),
            Self::Statuses(list) => (list.entries(), list.bytes()),
        };
        ListSize { entries, bytes }
    }

    /// Whether both say the same, beside their signatures.
    pub fn says_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Revocations(list), Self::Revocations(other)) => list.bytes().pieces() == other.bytes().pieces(),
            (Self::Statuses(list), Self::Statuses(other)) => list.says_the_same(other),
            (Self::Revocations(_) | Self::Statuses(_), _) => false,
        }
    }
}
