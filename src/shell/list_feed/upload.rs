//! Puts a document into shared data, where other workers pick it up.

use super::manifest::Manifest;
use crate::revocation::Chunks;
use crate::shell::feed::{Fetched, SharedData};
use std::hash::{DefaultHasher, Hasher as _};

/// How many pieces are hashed or written in one step: some milliseconds. A document of one piece takes one step.
const STEP_PIECES: usize = 4;

/// A document that has come, and how much of it is in shared data.
#[derive(Debug)]
pub(super) struct Upload {
    pub(super) document: Chunks,
    /// What else the answer said.
    pub(super) head: Fetched,
    hasher: DefaultHasher,
    hashed: usize,
    /// Once the whole document is hashed.
    manifest: Option<Manifest>,
    written: usize,
}

impl Upload {
    pub(super) fn new(document: Chunks, head: Fetched) -> Self {
        Self { document, head, hasher: DefaultHasher::new(), hashed: 0, manifest: None, written: 0 }
    }

    /// Hashes or writes some more pieces. Returns the manifest when the last piece is there.
    ///
    /// They do not replace the pieces of `in_use`, the document that workers pick up now, since this one may be no
    /// list. If the document is there already and intact, it is not written again. Local data gets no pieces, since no
    /// other worker reads them.
    pub(super) fn step(
        &mut self,
        data: &dyn SharedData,
        place: &str,
        shares: bool,
        (in_use, is_intact): (Option<Manifest>, bool),
    ) -> Option<Manifest> {
        let mut left = STEP_PIECES;
        for piece in self.document.pieces().iter().skip(self.hashed).take(left) {
            self.hasher.write(piece);
            self.hashed = self.hashed.saturating_add(1);
            left = left.saturating_sub(1);
        }
        if self.hashed < self.document.pieces().len() {
            return None;
        }
        let manifest = if let Some(manifest) = self.manifest {
            manifest
        } else {
            let turn = in_use.map_or(0, |in_use| in_use.turn).wrapping_add(1);
            let length = u64::try_from(self.document.len()).unwrap_or(u64::MAX);
            let manifest = Manifest { mark: self.hasher.finish(), turn, length };
            if let Some(same) = in_use.filter(|in_use| is_intact && in_use.is_of_the_same(&manifest)) {
                return Some(same);
            }
            *self.manifest.insert(manifest)
        };
        if !shares {
            return Some(manifest);
        }
        for piece in self.document.pieces().iter().skip(self.written).take(left) {
            data.write(&manifest.name(place, self.written), &manifest.marked(piece), None);
            self.written = self.written.saturating_add(1);
        }
        (self.written >= self.document.pieces().len()).then_some(manifest)
    }
}
