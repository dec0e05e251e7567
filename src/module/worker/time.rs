//! When a gate is called without a request: at its ticks, and for answers. A worker is woken through one of its streams.

use super::super::bindings::FilterPtr;
use super::super::shared;
use super::super::stream::Stream;
use super::super::timer::{self, Scheduler};
use super::{Effective, Root, Worker};
use std::rc::Rc;

/// The period of ticks at which a gate reads a long document.
const READING_MS: u32 = 10;
/// The longest time that it reads before its next request, in milliseconds.
const CATCH_UP_MS: u32 = 5000;

impl Worker {
    /// Has this thread woken for a gate when it is due, by way of this stream, or of one that is not over.
    pub(super) fn have_woken(&self, root: &Rc<Root>, context: Option<u32>) {
        if root.sleeper.get().is_some() {
            return;
        }
        let other = || {
            let streams = self.streams.borrow();
            let of_root = streams.iter().find(|(_, live)| live.root.context == root.context && !live.is_over);
            of_root.map(|(context, live)| (*context, Stream(live.filter)))
        };
        let own = context.and_then(|context| self.stream_of(context).map(|stream| (context, stream)));
        let Some((context, stream)) = own.or_else(other) else { return };
        let Some(scheduler) = stream.scheduler() else { return };
        let sleeper = timer::add(Scheduler::Stream(scheduler), root.due.get());
        root.sleeper.set(Some((context, sleeper)));
        root.mailbox.set_sleeper(Some(sleeper));
        // An answer that came before had nothing to wake.
        if root.mailbox.has_answers() {
            timer::wake(sleeper);
        }
    }

    pub(super) fn tick_if_due(&self, root: &Rc<Root>) -> bool {
        let (now, news) = (timer::now(), shared::news());
        // What has been revoked counts with the next request of every worker.
        if root.due.get() > now && root.seen_news.get() == news {
            return false;
        }
        root.seen_news.set(news);
        let late_ms = now.saturating_duration_since(root.due.get()).as_millis();
        root.set_due();
        let stream = self.any_stream_of(root);
        if let Some(Stream(filter)) = stream {
            root.configuration.metrics.make_left(filter);
        }
        let tick = || self.work(root.alone(), |filter| filter.on_tick(root.context));
        tick();
        // It has missed ticks, at which it would have read what is new.
        let (mut missed, until) = (late_ms / u128::from(READING_MS), timer::after(CATCH_UP_MS));
        while missed > 0 && root.period_ms.get() == READING_MS && timer::now() < until {
            tick();
            missed -= 1;
        }
        true
    }

    /// Sets the period of the gate that calls are about.
    pub fn set_period(&self, milliseconds: u32) -> Option<()> {
        let root = self.effective.borrow().root.clone()?;
        root.period_ms.set(milliseconds.max(1));
        root.set_due();
        Some(())
    }
}

impl Root {
    /// Calls are about it, and about no stream.
    pub(super) fn alone(self: &Rc<Self>) -> Effective {
        Effective { root: Some(Rc::clone(self)), ..Effective::default() }
    }

    /// Calls are about a stream of it.
    pub(super) fn with(self: &Rc<Self>, context: u32, filter: FilterPtr) -> Effective {
        Effective { stream: Some((context, filter)), ..self.alone() }
    }

    /// Has the next tick come after the period.
    fn set_due(&self) {
        let due = timer::after(self.period_ms.get());
        self.due.set(due);
        if let Some((_, sleeper)) = self.sleeper.get() {
            timer::set(sleeper, due);
        }
    }
}
