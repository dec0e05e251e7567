//! The open streams of one VM that are closed when the time of their credential is over.

use crate::base::time::UnixSeconds;
use std::cell::{Cell, RefCell};

/// How many streams are closed in one tick. The host resets them after it, all at once, and an HTTP/2 connection takes
/// 1 000 resets before it counts as flooded.
const MOST_AT_ONCE: usize = 100;

/// The streams that are watched, from when their requests go on until they end. The others are not kept.
#[derive(Default)]
pub struct OpenStreams {
    /// By context, in its order: from when on each is closed.
    watched: RefCell<Vec<(u32, UnixSeconds)>>,
    /// Those that are closed now: they are watched no longer.
    closing: RefCell<Vec<u32>>,
    /// None is to be closed before; `None`: none is at all.
    next: Cell<Option<UnixSeconds>>,
    /// How many of them the gauge counts.
    counted: Cell<usize>,
}

impl OpenStreams {
    /// How many are watched.
    pub fn count(&self) -> usize {
        self.watched.borrow().len()
    }

    /// Watches a stream, which is closed from this time on.
    pub fn watch(&self, context: u32, at: UnixSeconds) {
        let mut watched = self.watched.borrow_mut();
        // The host numbers its contexts in order, so most are put at the end.
        let place = watched.partition_point(|(other, _)| *other < context);
        match watched.get_mut(place) {
            Some(same) if same.0 == context => same.1 = at,
            _ => watched.insert(place, (context, at)),
        }
        self.next.set(Some(self.next.get().map_or(at, |next| next.min(at))));
    }

    /// A stream ends, or is answered. It is never closed afterwards.
    pub fn forget(&self, context: u32) {
        let mut watched = self.watched.borrow_mut();
        let place = watched.partition_point(|(other, _)| *other < context);
        if watched.get(place).is_some_and(|(other, _)| *other == context) {
            watched.remove(place);
        }
        self.closing.borrow_mut().retain(|other| *other != context);
    }

    /// Takes out the streams whose time is over, as many as may be closed in one tick; [`Self::next_to_close`] gives them.
    /// `now` is only asked for where a stream is watched.
    pub fn take_over(&self, now: impl FnOnce() -> UnixSeconds) {
        let Some(next) = self.next.get() else { return };
        let now = now();
        if now < next {
            return;
        }
        let mut closing = self.closing.borrow_mut();
        let mut earliest: Option<UnixSeconds> = None;
        self.watched.borrow_mut().retain(|&(context, at)| {
            let is_over = at <= now && closing.len() < MOST_AT_ONCE;
            if is_over {
                closing.push(context);
            } else {
                earliest = Some(earliest.map_or(at, |earliest| earliest.min(at)));
            }
            !is_over
        });
        self.next.set(earliest);
    }

    /// The next of those that were taken out, if it has not ended meanwhile.
    pub fn next_to_close(&self) -> Option<u32> {
        self.closing.borrow_mut().pop()
    }

    /// Whether a stream is left whose time is over.
    pub fn are_more_over(&self, now: impl FnOnce() -> UnixSeconds) -> bool {
        self.next.get().is_some_and(|next| next <= now())
    }

    /// By how much the number of those that are watched has changed since this was last asked.
    pub fn take_change(&self) -> i64 {
        let count = self.count();
        let signed = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        signed(count).saturating_sub(signed(self.counted.replace(count)))
    }
}
