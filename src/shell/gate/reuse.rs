//! Counts of the clients that show a credential, and what is counted of them.

use super::super::host::{Counter, Gauge, Host};
use super::super::metrics;
use super::{Gate, has_vm_id};
use crate::decision::{Denial, Refusal};
use crate::event_store::{Enters, Full};
use crate::policy::{Limits, Policy, Uses};
use crate::sightings::{OfRequest, RequestSightings, SharedSightings};
use std::cell::Cell;

/// How long the gauge says that there was no room, in seconds.
const FULL_SECONDS: i64 = 60;

/// The counts; nothing where the policy asks for none.
#[derive(Default)]
pub(super) struct Reuse {
    counts: Option<SharedSightings>,
    meters: ReuseMeters,
    /// Events since they were last counted.
    events: Cell<u32>,
    /// Until when the gauge says that there was no room, in seconds since the epoch.
    full_until: Cell<i64>,
    /// Whether the log has been told that a token could not be revoked, and none has been since.
    told: Cell<bool>,
}

#[derive(Default)]
struct ReuseMeters {
    events: Option<Counter>,
    uncounted: Option<Counter>,
    full: Option<Gauge>,
    revoked: Option<Counter>,
    not_revoked: Option<Counter>,
}

impl Reuse {
    /// Opens the counts if the policy asks for them, or says in the log why that cannot be done. The main thread is the first to
    /// do so, before there are workers: it makes what is not there.
    pub(super) fn open(host: &impl Host, policy: &Policy, limits: Limits) -> Option<Self> {
        if !policy.uses.has(Uses::REUSE) {
            return Some(Self::default());
        }
        if !has_vm_id(host) {
            log::warn!(
                "scopegate: reuse: without a vm_id every plugin that has none can write over what has been counted"
            );
        }
        match SharedSightings::open(host.shared_data(), limits.reuse_pairs) {
            Ok(counts) => Some(Self {
                counts: Some(counts),
                meters: ReuseMeters {
                    events: host.define_counter(metrics::REUSE_EVENTS).ok(),
                    uncounted: host.define_counter(metrics::REUSE_UNCOUNTED).ok(),
                    full: host.define_gauge(metrics::REUSE_FULL).ok(),
                    revoked: host.define_counter(metrics::REUSE_REVOKED).ok(),
                    not_revoked: host.define_counter(metrics::REUSE_NOT_REVOKED).ok(),
                },
                ..Self::default()
            }),
            Err(error) => {
                log::error!("scopegate: configuration refused: reuse: nothing can be counted: {error}");
                None
            }
        }
    }

    /// The counts for one request.
    pub(super) const fn of_request<'s>(&'s self, own: &'s RequestSightings) -> OfRequest<'s> {
        OfRequest { all: self.counts.as_ref(), own }
    }

    /// Notes that one more client than expected has shown a credential, of which the report of this request tells.
    pub(super) fn note(&self, told: &RequestSightings) {
        self.events.set(self.events.get().saturating_add(1));
        self.counts.iter().for_each(|counts| counts.note_told(told));
    }

    /// Learns what other workers have told, and brings the metrics up to date.
    pub(super) fn tick(&self, host: &impl Host) {
        let Some(counts) = &self.counts else { return };
        let now = host.now();
        counts.listen(now);
        let uncounted = counts.take_uncounted();
        for (counter, count) in [(self.meters.events, self.events.take()), (self.meters.uncounted, uncounted)] {
            counter.into_iter().for_each(|counter| host.count(counter, count));
        }
        if uncounted > 0 {
            self.full_until.set(now.0.saturating_add(FULL_SECONDS));
        }
        let is_full = self.full_until.get() > now.0;
        self.meters.full.into_iter().for_each(|gauge| host.set_gauge(gauge, is_full.into()));
    }
}

impl<H: Host> Gate<H> {
    /// Revokes the token of a request that was refused because too many clients show it, where the requirement says so: on this
    /// worker at once, and on the others at their next tick.
    pub(super) fn revoke_reused(&self, refusal: &Refusal) {
        let Denial::Reused { revoked: Some(entry), .. } = &refusal.denial else { return };
        let ReuseMeters { revoked, not_revoked, .. } = &self.reuse.meters;
        let entered = self.revoke(std::slice::from_ref(&**entry), Enters::Anyone);
        let (counter, is_full) = match entered {
            Ok(true) => (*revoked, false),
            Ok(false) => return,
            Err(Full) => (*not_revoked, true),
        };
        counter.into_iter().for_each(|counter| self.host.count(counter, 1));
        if is_full && !self.reuse.told.get() {
            log::error!(
                "scopegate: reuse: a token could not be revoked for want of room: make limits.event_entries larger"
            );
        }
        self.reuse.told.set(is_full);
    }
}
