//! The request streams of one VM, by their context numbers.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// The streams whose state has to be kept, because they wait or have a body. Most requests have no body and are decided
/// at once, so they are not kept here. `S` is the state.
pub struct Streams<S> {
    table: RefCell<HashMap<u32, S, BuildHasherDefault<ContextHasher>>>,
    /// The stream that began last, and its root context, until its headers come, which is the host's next call.
    last: Cell<Option<(u32, u32)>>,
}

impl<S> Default for Streams<S> {
    fn default() -> Self {
        Self { table: RefCell::default(), last: Cell::new(None) }
    }
}

impl<S> Streams<S> {
    /// A stream begins under the root context `root`. An earlier one that still has no headers is kept, with the state
    /// that `made` returns for its root context.
    pub fn begin(&self, context: u32, root: u32, made: impl FnOnce(u32) -> S) {
        if let Some((before, root)) = self.last.replace(Some((context, root))) {
            self.insert(before, made(root));
        }
    }

    /// Takes out the state of a stream whose headers have come. For the stream that began last, that is what `made`
    /// returns for its root context.
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
        // The earlier state is dropped once the table is free again.
        let _before = self.table.borrow_mut().insert(context, stream);
    }

    /// Removes a stream, if it is there.
    pub fn remove(&self, context: u32) {
        if self.last.get().is_some_and(|(last, _)| last == context) {
            self.last.set(None);
        }
        // It is dropped once the table is free again.
        let _stream = self.table.borrow_mut().remove(&context);
    }

    /// What `of` finds out about a stream; `None` if it is not there. `of` must not call the host, which may call back
    /// in while the table is borrowed.
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

/// The host numbers contexts one after the other: no client chooses the numbers.
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
