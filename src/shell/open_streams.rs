//! The open streams of one VM that are closed when their credential is good no longer.

use crate::base::time::UnixSeconds;
use crate::decision::{Denial, Held, OpenStream};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// How many streams are closed in one tick. The host resets them after it, all at once, and an HTTP/2 connection takes
/// 1 000 resets before it counts as flooded.
const MOST_AT_ONCE: usize = 100;
/// From when on a stream is closed of which a credential has been withdrawn.
const AT_ONCE: UnixSeconds = UnixSeconds(i64::MIN);
/// From when on a stream is closed of which no credential has an end.
const NEVER: UnixSeconds = UnixSeconds(i64::MAX);

/// The streams that are watched, from when their requests go on until they end. The others are not kept.
#[derive(Default)]
pub struct OpenStreams {
    /// By context, in its order.
    watched: RefCell<Vec<Watched>>,
    /// Those that are closed now: they are watched no longer.
    closing: RefCell<Vec<(u32, Cause)>>,
    /// None is to be closed before; `None`: none is at all.
    next: Cell<Option<UnixSeconds>>,
    /// How many of them the gauge counts.
    counted: Cell<usize>,
    /// How many gates have streams here.
    gates: Cell<u32>,
}

/// A gate, among those that the VM has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateNumber(u32);

struct Watched {
    context: u32,
    /// The gate that let it pass, which judges it again.
    gate: GateNumber,
    /// From when on it is closed.
    at: UnixSeconds,
    /// The credentials that are judged again.
    held: Box<[Rc<Held>]>,
}

/// Why a stream is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The time of a credential is over.
    Expiry,
    /// A credential has been revoked, or what vouched for it has been withdrawn.
    Revocation,
}

impl OpenStreams {
    /// A number for a gate.
    pub fn next_gate(&self) -> GateNumber {
        self.gates.set(self.gates.get().wrapping_add(1));
        GateNumber(self.gates.get())
    }

    /// How many are watched.
    pub fn count(&self) -> usize {
        self.watched.borrow().len()
    }

    /// Watches a stream that a gate has let pass.
    pub fn watch(&self, context: u32, gate: GateNumber, open: OpenStream) {
        let at = open.close_at.unwrap_or(NEVER);
        let stream = Watched { context, gate, at, held: open.held.into_boxed_slice() };
        let mut watched = self.watched.borrow_mut();
        // The host numbers its contexts in order, so most are put at the end.
        let place = watched.partition_point(|other| other.context < context);
        match watched.get_mut(place) {
            Some(same) if same.context == context => *same = stream,
            _ => watched.insert(place, stream),
        }
        self.close_from(at);
    }

    /// Notes that a stream is closed from then on.
    fn close_from(&self, at: UnixSeconds) {
        if at != NEVER {
            self.next.set(Some(self.next.get().map_or(at, |next| next.min(at))));
        }
    }

    /// A stream ends, or is answered. It is never closed afterwards.
    pub fn forget(&self, context: u32) {
        let mut watched = self.watched.borrow_mut();
        let place = watched.partition_point(|other| other.context < context);
        if watched.get(place).is_some_and(|other| other.context == context) {
            watched.remove(place);
        }
        self.closing.borrow_mut().retain(|(other, _)| *other != context);
    }

    /// Judges streams of a gate again, from this context on and before `end`, up to `most` of them. Returns the context to go
    /// on with; `None`: these were the last.
    pub fn judge(
        &self,
        gate: GateNumber,
        (from, end): (u32, u32),
        most: usize,
        judge: impl Fn(&[Rc<Held>]) -> Result<Option<UnixSeconds>, Denial>,
    ) -> Option<u32> {
        let mut watched = self.watched.borrow_mut();
        let start = watched.partition_point(|other| other.context < from);
        let mut judged = 0;
        for stream in watched.iter_mut().skip(start) {
            if stream.context >= end {
                return None;
            }
            if stream.gate != gate || stream.held.is_empty() || stream.at == AT_ONCE {
                continue;
            }
            if judged == most {
                return Some(stream.context);
            }
            judged += 1;
            stream.at = match judge(&stream.held) {
                Ok(end) => end.map_or(stream.at, |end| end.min(stream.at)),
                Err(Denial::CredentialExpired { expired_at, .. }) => expired_at.min(stream.at),
                Err(_) => AT_ONCE,
            };
            self.close_from(stream.at);
        }
        None
    }

    /// Takes out the streams that are to be closed at `now`, as many as may be closed in one tick; [`Self::next_to_close`]
    /// gives them. `now` is only asked for where a stream is watched.
    pub fn take_over(&self, now: impl FnOnce() -> UnixSeconds) {
        let Some(next) = self.next.get() else { return };
        let now = now();
        if now < next {
            return;
        }
        let mut closing = self.closing.borrow_mut();
        self.next.set(None);
        self.watched.borrow_mut().retain(|&Watched { context, at, .. }| {
            let is_over = at <= now && closing.len() < MOST_AT_ONCE;
            if is_over {
                closing.push((context, if at == AT_ONCE { Cause::Revocation } else { Cause::Expiry }));
            } else {
                self.close_from(at);
            }
            !is_over
        });
    }

    /// The next of those that were taken out, if it has not ended meanwhile.
    pub fn next_to_close(&self) -> Option<(u32, Cause)> {
        self.closing.borrow_mut().pop()
    }

    /// Whether a stream is left that is to be closed.
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
