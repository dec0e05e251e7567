//! The kinds of lists.

use super::ListSize;
use crate::base::time::UnixSeconds;
use crate::crypto::PureVerifier;
use crate::revocation::{Chunks, List, ListError, Loader, Signature, StatusList, StatusLoader, StatusTerms, Terms};
use std::fmt::Debug;

/// A kind of list: what a document has to be, and how it is read.
pub trait ListKind {
    /// A list.
    type List: Debug;
    /// What reads one, step by step.
    type Loader: Debug;
    /// What is asked for.
    const ACCEPT: &'static str;

    /// The longest document, in bytes.
    fn max_bytes(&self) -> usize;
    /// Whether lists may say when they end.
    fn may_expire(&self) -> bool;
    /// Begins to read a document that is to replace the list in use.
    ///
    /// # Errors
    /// When it can be told already that it is no such list.
    fn begin(&self, document: Chunks, in_use: Option<&Self::List>, now: UnixSeconds)
    -> Result<Self::Loader, ListError>;
    /// Does the next step. Returns the list when that was the last.
    ///
    /// # Errors
    /// When the document is no such list.
    fn step(loader: &mut Self::Loader) -> Result<Option<Self::List>, ListError>;
    /// Who signed a list, and until when it is good.
    fn signature(list: &Self::List) -> Option<Signature>;
    /// How long it is.
    fn size(list: &Self::List) -> ListSize;
    /// Whether both say the same, beside their signatures.
    fn are_same(list: &Self::List, other: &Self::List) -> bool;
}

impl ListKind for Terms {
    type List = List;
    type Loader = Loader;
    // A static file server sends what it has under any name.
    const ACCEPT: &'static str = "application/jsonl, application/octet-stream, */*;q=0.5";

    fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    fn may_expire(&self) -> bool {
        self.signed_by.is_some()
    }

    fn begin(&self, document: Chunks, in_use: Option<&List>, now: UnixSeconds) -> Result<Loader, ListError> {
        Loader::begin(document, self, in_use.and_then(List::signature), &PureVerifier, now)
    }

    fn step(loader: &mut Loader) -> Result<Option<List>, ListError> {
        loader.step()
    }

    fn signature(list: &List) -> Option<Signature> {
        list.signature()
    }

    fn size(list: &List) -> ListSize {
        ListSize { entries: list.entries(), bytes: list.bytes().len() }
    }

    fn are_same(list: &List, other: &List) -> bool {
        list.bytes().pieces() == other.bytes().pieces()
    }
}

impl ListKind for StatusTerms {
    type List = StatusList;
    type Loader = StatusLoader;
    const ACCEPT: &'static str = "application/statuslist+jwt";

    fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    fn may_expire(&self) -> bool {
        true
    }

    fn begin(
        &self,
        document: Chunks,
        in_use: Option<&StatusList>,
        now: UnixSeconds,
    ) -> Result<StatusLoader, ListError> {
        StatusLoader::begin(&document, self, in_use, &PureVerifier, now)
    }

    fn step(loader: &mut StatusLoader) -> Result<Option<StatusList>, ListError> {
        loader.step()
    }

    fn signature(list: &StatusList) -> Option<Signature> {
        Some(list.signature())
    }

    fn size(list: &StatusList) -> ListSize {
        ListSize { entries: list.entries(), bytes: list.bytes() }
    }

    fn are_same(list: &StatusList, other: &StatusList) -> bool {
        list.says_the_same(other)
    }
}
