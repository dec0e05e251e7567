//! Putting a document on the board, where other workers pick it up.

use super::manifest::Manifest;
use crate::revocation::Chunks;
use crate::shell::feed::{Board, Fetched};
use std::hash::{DefaultHasher, Hasher as _};

/// How many pieces are hashed or written in one step: some milliseconds. A document of one piece takes one step.
const STEP_PIECES: usize = 4;

/// A document that has come, and how far it is on the board.
#[derive(Debug)]
pub(super) struct Putting {
    pub(super) document: Chunks,
    /// What else the answer said.
    pub(super) head: Fetched,
    hasher: DefaultHasher,
    hashed: usize,
    /// Once the whole document is hashed.
    manifest: Option<Manifest>,
    written: usize,
}

impl Putting {
    pub(super) fn new(document: Chunks, head: Fetched) -> Self {
        Self { document, head, hasher: DefaultHasher::new(), hashed: 0, manifest: None, written: 0 }
    }

    /// Hashes or writes some more pieces. Returns what says where they lie when the last is there.
    ///
    /// They go where nobody reads now. What lies there already stays where it is: a server that sends the same again and
    /// again would push out what a worker that begins later looks for. On a board of one's own nobody looks for any.
    pub(super) fn step(&mut self, board: &dyn Board, place: &str, shares: bool) -> Option<Manifest> {
        let mut left = STEP_PIECES;
        for piece in self.document.pieces().iter().skip(self.hashed).take(left) {
            self.hasher.write(piece);
            self.hashed = self.hashed.saturating_add(1);
            left = left.saturating_sub(1);
        }
        if self.hashed < self.document.pieces().len() {
            return None;
        }
        let name = format!("{place}/put");
        let manifest = if let Some(manifest) = self.manifest {
            manifest
        } else {
            let before = board.read(&name).and_then(|(before, _)| Manifest::from_bytes(&before));
            let turn = before.map_or(0, |before| before.turn).wrapping_add(1);
            let length = u64::try_from(self.document.len()).unwrap_or(u64::MAX);
            let manifest = Manifest { mark: self.hasher.finish(), turn, length };
            if let Some(before) = before.filter(|before| before.is_of_the_same(&manifest)) {
                return Some(before);
            }
            *self.manifest.insert(manifest)
        };
        if !shares {
            return Some(manifest);
        }
        for piece in self.document.pieces().iter().skip(self.written).take(left) {
            board.write(&manifest.name(place, self.written), &manifest.marked(piece), None);
            self.written = self.written.saturating_add(1);
        }
        if self.written < self.document.pieces().len() {
            return None;
        }
        board.write(&name, &manifest.to_bytes(), None);
        Some(manifest)
    }
}
