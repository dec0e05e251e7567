//! The request streams of one VM, by their context numbers.

use super::stream::Stream;
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// The streams that are there.
#[derive(Default)]
pub struct Streams(RefCell<HashMap<u32, Stream, BuildHasherDefault<ContextHasher>>>);

impl Streams {
    /// Puts a stream in.
    pub fn insert(&self, context: u32, stream: Stream) {
        self.0.borrow_mut().insert(context, stream);
    }

    /// Takes a stream out. Returns whether it was there.
    pub fn remove(&self, context: u32) -> bool {
        // It is dropped once the table is free again.
        let stream = self.0.borrow_mut().remove(&context);
        stream.is_some()
    }

    /// What `of` finds out of a stream; `None` when it is not there. `of` calls nobody: the host may come back in while we
    /// call it, and then the table must be free.
    pub fn look<T>(&self, context: u32, of: impl FnOnce(&Stream) -> T) -> Option<T> {
        self.0.borrow().get(&context).map(of)
    }

    /// Changes a stream that is there.
    pub fn change(&self, context: u32, change: impl FnOnce(&mut Stream)) {
        if let Some(stream) = self.0.borrow_mut().get_mut(&context) {
            change(stream);
        }
    }
}

/// Contexts are numbered one after the other by the host: nobody outside chooses the numbers.
#[derive(Default)]
pub struct ContextHasher(u64);

impl Hasher for ContextHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.0 = self.0.rotate_left(8) ^ u64::from(byte));
    }

    fn write_u32(&mut self, context: u32) {
        // The table takes its place from the low bits and a tag from the high ones.
        self.0 = u64::from(context).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
