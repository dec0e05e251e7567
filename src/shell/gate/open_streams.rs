//! Closes the streams that are still open when their credential is good no longer.

use super::super::host::{Counter, Gauge, Host};
use super::super::metrics;
use super::super::open_streams::{Cause, GateNumber, OpenStreams};
use super::Gate;
use crate::decision::{Denial, Grant};
use crate::engine::still_good;
use crate::facts::Withdrawals;
use crate::policy::WhenFull;
use crate::revocation::Edition;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// How many streams are judged again in one tick.
const JUDGED_AT_ONCE: usize = 1000;
/// After how long all are judged again where nothing has changed, in milliseconds: a status list stays fresh only as long as
/// it is asked, and other tokens need not name it.
const ROUND_MS: u64 = 30_000;

/// The streams of the VM, how far they have been judged again, and what is counted of them.
pub(super) struct Watch {
    pub(super) streams: Rc<OpenStreams>,
    gate: GateNumber,
    /// What they have been judged by, or are judged by now.
    seen: RefCell<Option<Seen>>,
    round: Cell<Option<Round>>,
    /// The context of the stream that is judged next, and when the last round began.
    next: Cell<u32>,
    began: Cell<u64>,
    open: Option<Gauge>,
    expired: Option<Counter>,
    revoked: Option<Counter>,
    unwatched: Option<Counter>,
}

/// Which state of everything that can withdraw a credential.
#[derive(PartialEq)]
struct Seen {
    revocations: Edition,
    /// How often the keys, the status lists and the identities have changed.
    changes: [u64; 3],
}

impl Seen {
    fn of(known: &Withdrawals<'_>) -> Self {
        let changes = [known.keys.changes(), known.statuses.changes(), known.identities.changes()];
        Self { revocations: known.revocations.edition().clone(), changes }
    }
}

/// One judgement of all streams. It begins where the one before was, so that lists which change all the time keep none of
/// the streams from being judged.
#[derive(Clone, Copy)]
struct Round {
    start: u32,
    /// Whether it has come to the last stream and goes on with the first.
    has_turned: bool,
}

impl Watch {
    /// Defines the metrics.
    pub(super) fn open(host: &impl Host, streams: Rc<OpenStreams>) -> Self {
        let define = |name: &str| host.define_counter(name).ok();
        Self {
            gate: streams.next_gate(),
            streams,
            seen: RefCell::default(),
            round: Cell::default(),
            next: Cell::default(),
            began: Cell::default(),
            open: host.define_gauge(metrics::STREAMS_OPEN).ok(),
            expired: define(metrics::STREAMS_EXPIRED),
            revoked: define(metrics::STREAMS_REVOKED),
            unwatched: define(metrics::STREAMS_UNWATCHED),
        }
    }

    /// Whether streams are being judged again.
    pub(super) const fn is_judging(&self) -> bool {
        self.round.get().is_some()
    }

    /// Begins a round where something has changed, or the last one is long ago.
    fn begin_round(&self, known: &Withdrawals<'_>, now: u64) {
        let mut seen = self.seen.borrow_mut();
        let is_new = seen.as_ref() != Some(&Seen::of(known));
        let since = now.checked_sub(self.began.get());
        // A clock that was set back makes a round due.
        if is_new || since.is_none_or(|since| since >= ROUND_MS) {
            *seen = Some(Seen::of(known));
            self.round.set(Some(Round { start: self.next.get(), has_turned: false }));
            self.began.set(now);
        }
    }
}

impl<H: Host> Gate<H> {
    /// Makes sure that a request that goes on can be watched, where that is asked for.
    ///
    /// # Errors
    /// [`Denial::TooBusy`] where there is no room, unless such a request goes on without being watched.
    pub(super) fn make_room_to_watch(&self, grant: &mut Grant) -> Result<(), Denial> {
        let limits = &self.settings.limits;
        if grant.open.is_none() || self.watch.streams.count() < limits.open_streams {
            return Ok(());
        }
        match limits.open_streams_when_full {
            WhenFull::Refuse => Err(Denial::TooBusy),
            WhenFull::Unwatched => {
                grant.open = None;
                self.watch.unwatched.into_iter().for_each(|counter| self.host.count(counter, 1));
                Ok(())
            }
        }
    }

    /// Watches the stream of a request that goes on, where that is asked for.
    pub(super) fn watch(&self, context: u32, grant: &mut Grant) {
        if let Some(open) = grant.open.take() {
            self.watch.streams.watch(context, self.watch.gate, *open);
        }
    }

    /// Whether streams have to be judged again, since something has changed.
    pub(super) fn has_news_for_streams(&self) -> bool {
        let documents = self.documents.borrow();
        self.watch.streams.count() > 0 && *self.watch.seen.borrow() != Some(Seen::of(&documents.withdrawals()))
    }

    /// Judges the streams again whose credentials may have been withdrawn, a limited number at once.
    pub(super) fn judge_streams(&self) {
        let watch = &self.watch;
        if watch.streams.count() == 0 {
            return watch.round.set(None);
        }
        let documents = self.documents.borrow();
        let known = documents.withdrawals();
        watch.begin_round(&known, self.now_ms());
        let Some(round) = watch.round.get() else { return };
        let end = if round.has_turned { round.start } else { u32::MAX };
        let now = self.host.now();
        let judge = |held: &[_]| still_good(held, &known, now);
        match watch.streams.judge(watch.gate, (watch.next.get(), end), JUDGED_AT_ONCE, judge) {
            Some(next) => watch.next.set(next),
            // What comes before the start of the round has its turn at the next tick.
            None if round.start > 0 && !round.has_turned => {
                watch.next.set(0);
                watch.round.set(Some(Round { has_turned: true, ..round }));
            }
            None => {
                watch.next.set(0);
                watch.round.set(None);
            }
        }
    }

    /// Closes the streams whose credential is good no longer, a limited number at once.
    pub(super) fn close_streams(&self) {
        let streams = &self.watch.streams;
        streams.take_over(|| self.host.now());
        let (mut expired, mut revoked): (u32, u32) = (0, 0);
        let mut has_left_root = false;
        // Nothing is borrowed during the calls: a stream that is reset ends, and others may end with it.
        while let Some((context, cause)) = streams.next_to_close() {
            has_left_root = true;
            if self.host.set_effective_context(context).is_err() {
                continue;
            }
            let count = match cause {
                Cause::Expiry => &mut expired,
                Cause::Revocation => &mut revoked,
            };
            match self.host.close_stream() {
                Ok(()) => *count = count.saturating_add(1),
                Err(failure) => log::error!("scopegate: an open stream cannot be closed: status {}", failure.0),
            }
        }
        if has_left_root {
            self.return_to_root();
            for (counter, count) in [(self.watch.expired, expired), (self.watch.revoked, revoked)] {
                counter.filter(|_| count > 0).into_iter().for_each(|counter| self.host.count(counter, count));
            }
        }
        self.show_open_streams();
    }

    /// Shows how many streams are watched.
    pub(super) fn show_open_streams(&self) {
        if let Some(gauge) = self.watch.open {
            let by = self.watch.streams.take_change();
            if by != 0 {
                self.host.change_gauge(gauge, by);
            }
        }
    }
}
