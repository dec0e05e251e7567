//! Events that revoke: what they say is stored for all workers, and each picks up what the others have stored.

use super::super::host::{Counter, Gauge, Host};
use super::super::metrics;
use super::{Gate, has_vm_id};
use crate::decision::{Denial, ReceivedEvent};
use crate::event_store::{Enters, Full, SharedEvents};
use crate::policy::{Limits, Policy, Uses};
use crate::revocation::Entry;
use std::cell::Cell;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// The store, where the policy asks for it, and what is counted of events.
#[derive(Default)]
pub(super) struct Events {
    store: Option<SharedEvents>,
    meters: EventMeters,
    taken: Pace,
    /// Of operators: what issuers send keeps none of theirs out.
    of_operators: Pace,
    repeated: Pace,
}

/// A second, and how many events came in it.
#[derive(Default)]
struct Pace(Cell<(u64, u32)>);

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
                ..Self::default()
            }),
            Err(error) => {
                log::error!("scopegate: configuration refused: events: there can be no store: {error}");
                None
            }
        }
    }

    /// How many more new events may be taken in this second.
    pub(super) fn room(&self, now_ns: u64, limit: u32) -> u32 {
        self.taken.room(now_ns, limit)
    }
}

impl Pace {
    /// How many more may come in this second.
    fn room(&self, now_ns: u64, limit: u32) -> u32 {
        let (of, count) = self.0.get();
        if of == now_ns / NANOS_PER_SECOND { limit.saturating_sub(count) } else { limit }
    }

    /// Whether one more may come in this second.
    fn admits_one(&self, now_ns: u64, limit: u32) -> bool {
        let second = now_ns / NANOS_PER_SECOND;
        let (of, count) = self.0.get();
        let count = if of == second { count } else { 0 };
        self.0.set((second, count.saturating_add(1)));
        count < limit
    }
}

impl<H: Host> Gate<H> {
    /// Stores what an event revokes. It counts for this worker at once, and for the others at their next tick.
    ///
    /// So many are stored in a second. Forged ones do not come here, and those that come again have a share of their own, so that
    /// neither keeps a new one out. Beyond that share, one that comes again is not told to the other workers again.
    pub(super) fn take_event(&self, event: &ReceivedEvent) -> Result<(), Denial> {
        let Events { store, taken, of_operators, repeated, meters } = &self.events;
        let who = if event.is_of_operator() { Enters::Operator } else { Enters::Anyone };
        let is_known = store.as_ref().is_some_and(|store| store.knows(&event.entries, self.host.now()));
        let pace = match who {
            _ if is_known => repeated,
            Enters::Operator => of_operators,
            Enters::Anyone => taken,
        };
        let is_news = if pace.admits_one(self.host.now_ns(), self.settings.limits.events_per_second) {
            self.revoke(&event.entries, who).map_err(|Full| Denial::EventsFull)?
        } else if is_known {
            false
        } else {
            return Err(Denial::TooBusy);
        };
        let is_repeated = !event.entries.is_empty() && !is_news;
        let counts = [(meters.repeated, u32::from(is_repeated)), (meters.without_effect, event.without_effect)];
        for (counter, count) in counts {
            counter.into_iter().for_each(|counter| self.host.count(counter, count));
        }
        Ok(())
    }

    /// Stores entries for all workers. Returns whether that is news.
    pub(super) fn revoke(&self, entries: &[Entry], who: Enters) -> Result<bool, Full> {
        let Some(store) = &self.events.store else { return Err(Full) };
        let entered = store.enter(entries, who, self.host.now());
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
