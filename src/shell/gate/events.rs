//! Events that revoke: what they say is stored for all workers, and each picks up what the others have stored.

use super::super::host::{Counter, Gauge, Host};
use super::super::metrics;
use super::{Gate, has_vm_id};
use crate::decision::{Denial, ReceivedEvent};
use crate::event_store::{Full, SharedEvents};
use crate::policy::{Limits, Policy, Uses};
use crate::revocation::Entry;
use std::cell::Cell;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// The store, where the policy asks for it, and what is counted of events.
#[derive(Default)]
pub(super) struct Events {
    store: Option<SharedEvents>,
    meters: EventMeters,
    /// A second, and how many events have been taken in it.
    taken: Cell<(u64, u32)>,
}

#[derive(Default)]
struct EventMeters {
    repeated: Option<Counter>,
    without_effect: Option<Counter>,
    entries: Option<Gauge>,
}

impl Events {
    /// Opens the store if the policy asks for it, or says in the log why that cannot be done. The main thread is the first to
    /// do so, before there are workers: it makes what is not there.
    pub(super) fn open(host: &impl Host, policy: &Policy, limits: Limits) -> Option<Self> {
        if !policy.uses.has(Uses::EVENTS) {
            return Some(Self::default());
        }
        if !has_vm_id(host) {
            log::warn!(
                "scopegate: events: without a vm_id every plugin that has none can write over what has been revoked"
            );
        }
        match SharedEvents::open(host.shared_data(), limits.event_entries) {
            Ok(store) => Some(Self {
                store: Some(store),
                meters: EventMeters {
                    repeated: host.define_counter(metrics::EVENTS_REPEATED).ok(),
                    without_effect: host.define_counter(metrics::EVENTS_WITHOUT_EFFECT).ok(),
                    entries: host.define_gauge(metrics::EVENTS_ENTRIES).ok(),
                },
                taken: Cell::new((0, 0)),
            }),
            Err(error) => {
                log::error!("scopegate: configuration refused: events: there can be no store: {error}");
                None
            }
        }
    }

    /// How many more events may be taken in this second.
    pub(super) fn room(&self, now_ns: u64, limit: u32) -> u32 {
        let (of, count) = self.taken.get();
        if of == now_ns / NANOS_PER_SECOND { limit.saturating_sub(count) } else { limit }
    }

    /// Whether one more event may be taken in this second. Only good ones are counted, so that forged ones keep none out.
    fn admits_one(&self, now_ns: u64, limit: u32) -> bool {
        let second = now_ns / NANOS_PER_SECOND;
        let (of, count) = self.taken.get();
        let count = if of == second { count } else { 0 };
        self.taken.set((second, count.saturating_add(1)));
        count < limit
    }
}

impl<H: Host> Gate<H> {
    /// Stores what an event revokes. It counts for this worker at once, and for the others at their next tick.
    pub(super) fn take_event(&self, event: &ReceivedEvent) -> Result<(), Denial> {
        if !self.events.admits_one(self.host.now_ns(), self.settings.limits.events_per_second) {
            return Err(Denial::TooBusy);
        }
        let is_news = self.revoke(&event.entries).map_err(|Full| Denial::EventsFull)?;
        let meters = &self.events.meters;
        let is_repeated = !event.entries.is_empty() && !is_news;
        let counts = [(meters.repeated, u32::from(is_repeated)), (meters.without_effect, event.without_effect)];
        for (counter, count) in counts {
            counter.into_iter().for_each(|counter| self.host.count(counter, count));
        }
        Ok(())
    }

    /// Stores entries for all workers. Returns whether that is news.
    pub(super) fn revoke(&self, entries: &[Entry]) -> Result<bool, Full> {
        let Some(store) = &self.events.store else { return Err(Full) };
        let entered = store.enter(entries, self.host.now());
        self.listen_for_events();
        entered
    }

    /// Picks up what workers have stored since the last call.
    pub(super) fn listen_for_events(&self) {
        let Some(store) = &self.events.store else { return };
        let told = store.listen(self.host.now());
        if store.tells_damage() {
            log::error!(
                "scopegate: events: another plugin with this vm_id has written over what has been revoked: what this worker \
                 has seen stays revoked until Envoy starts anew"
            );
        }
        let Some(told) = told else { return };
        let entries = u64::try_from(told.entries()).unwrap_or(u64::MAX);
        self.events.meters.entries.into_iter().for_each(|gauge| self.host.set_gauge(gauge, entries));
        self.documents.borrow_mut().tell(told, self.now_ms());
    }
}
