//! Closes the streams that are still open when the time of their credential is over.

use super::super::host::{Counter, Gauge, Host};
use super::super::metrics;
use super::super::open_streams::OpenStreams;
use super::Gate;
use crate::decision::Grant;
use std::rc::Rc;

/// The streams of the VM, and what is counted of them.
pub(super) struct Watch {
    pub(super) streams: Rc<OpenStreams>,
    open: Option<Gauge>,
    closed: Option<Counter>,
}

impl Watch {
    /// Defines the metrics, where streams are closed.
    pub(super) fn open(host: &impl Host, streams: Rc<OpenStreams>) -> Self {
        Self {
            streams,
            open: host.define_gauge(metrics::STREAMS_OPEN).ok(),
            closed: host.define_counter(metrics::STREAMS_CLOSED).ok(),
        }
    }
}

impl<H: Host> Gate<H> {
    /// Whether a request that goes on can be watched, where that is asked for.
    pub(super) fn has_room_to_watch(&self, grant: &Grant) -> bool {
        grant.close_at.is_none() || self.watch.streams.count() < self.settings.limits.open_streams
    }

    /// Closes the streams whose time is over, a limited number at once.
    pub(super) fn close_streams(&self) {
        let streams = &self.watch.streams;
        streams.take_over(|| self.host.now());
        let mut closed: u32 = 0;
        let mut has_left_root = false;
        // Nothing is borrowed during the calls: a stream that is reset ends, and others may end with it.
        while let Some(context) = streams.next_to_close() {
            has_left_root = true;
            if self.host.set_effective_context(context).is_err() {
                continue;
            }
            match self.host.close_stream() {
                Ok(()) => closed = closed.saturating_add(1),
                Err(failure) => log::error!("scopegate: an open stream cannot be closed: status {}", failure.0),
            }
        }
        if has_left_root {
            self.return_to_root();
            self.watch.closed.into_iter().for_each(|counter| self.host.count(counter, closed));
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
