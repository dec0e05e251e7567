//! The request streams of one VM, by their context numbers.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// The streams that are there and of which something has to be known: that they wait, or how their body is to be treated.
/// Most requests have no body and are decided at once, so that nothing of them has to be put in here. `S` is what is known.
pub struct Streams<S> {
    table: RefCell<HashMap<u32, S, BuildHasherDefault<ContextHasher>>>,
    /// The last one to begin, and its root context, until its headers come: the host hands them over next.
    last: Cell<Option<(u32, u32)>>,
}

impl<S> Default for Streams<S> {
    fn default() -> Self {
        Self { table: RefCell::default(), last: Cell::new(None) }
    }
}

impl<S> Streams<S> {
    /// A stream begins, below the root context `root`. One that began before it and still has no headers is put in, as `made`
    /// of its root context.
    pub fn begin(&self, context: u32, root: u32, made: impl FnOnce(u32) -> S) {
        if let Some((before, root)) = self.last.replace(Some((context, root))) {
            self.insert(before, made(root));
        }
    }

    /// What is known of a stream whose headers have come; of the last one to begin, what is `made` of its root context. Then
    /// it is not here any longer.
    pub fn take(&self, context: u32, made: impl FnOnce(u32) -> S) -> Option<S> {
        match self.last.get() {
            Some((last, root)) if last == context => {
                self.last.set(None);
                Some(made(root))
            }
            _ => self.table.borrow_mut().remove(&context),
        }
    }

    /// Puts a stream in.
    pub fn insert(&self, context: u32, stream: S) {
        // What was there is dropped once the table is free again.
        let _before = self.table.borrow_mut().insert(context, stream);
    }

    /// Takes a stream out, if it is there.
    pub fn remove(&self, context: u32) {
        if self.last.get().is_some_and(|(last, _)| last == context) {
            self.last.set(None);
        }
        // It is dropped once the table is free again.
        let _stream = self.table.borrow_mut().remove(&context);
    }

    /// What `of` finds out of a stream; `None` when it is not there. `of` calls nobody: the host may come back in while we
    /// call it, and then the table must be free.
    pub fn look<T>(&self, context: u32, of: impl FnOnce(&S) -> T) -> Option<T> {
        self.table.borrow().get(&context).map(of)
    }

    /// Changes a stream that is there.
    pub fn change(&self, context: u32, change: impl FnOnce(&mut S)) {
        if let Some(stream) = self.table.borrow_mut().get_mut(&context) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn held(streams: &Streams<u32>) -> usize {
        streams.table.borrow().len()
    }

    #[test]
    fn a_stream_that_begins_and_has_headers_next_is_never_put_into_the_table() {
        let streams = Streams::default();
        for context in 10..20 {
            streams.begin(context, 1, |root| root);
            assert_eq!(streams.look(context, |_| ()), None, "nothing is known of it before");
            assert_eq!(streams.take(context, |root| root + 100), Some(101));
            assert_eq!(streams.take(context, |root| root), None, "once");
            streams.remove(context);
        }
        assert_eq!(held(&streams), 0);
    }

    #[test]
    fn streams_that_begin_together_have_each_its_own_root_context() {
        let streams = Streams::default();
        for (context, root) in [(10, 1), (11, 2), (12, 1)] {
            streams.begin(context, root, |root| root);
        }
        assert_eq!([11, 12, 10].map(|context| streams.take(context, |root| root)), [Some(2), Some(1), Some(1)]);
        assert_eq!(held(&streams), 0);
    }

    #[test]
    fn a_stream_that_ends_without_headers_leaves_nothing() {
        let streams = Streams::default();
        streams.begin(10, 1, |root| root);
        streams.begin(11, 1, |root| root);
        streams.remove(10);
        streams.remove(11);
        streams.remove(12);
        assert_eq!(held(&streams), 0);
        assert_eq!([10, 11].map(|context| streams.take(context, |root| root)), [None, None]);
    }

    #[test]
    fn what_is_known_of_a_stream_can_be_looked_at_and_changed_until_it_ends() {
        let streams = Streams::default();
        streams.change(10, |known: &mut u32| *known = 9);
        streams.insert(10, 7);
        streams.change(10, |known| *known += 1);
        assert_eq!(streams.look(10, |known| *known), Some(8));
        streams.remove(10);
        assert_eq!(streams.look(10, |known| *known), None);
    }
}
