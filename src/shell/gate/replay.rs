//! The store of what is good once, and what is counted of it.

use super::super::host::{Counter, Host};
use super::super::metrics;
use super::has_vm_id;
use crate::facts::{Pool, ReplayStore};
use crate::policy::{Policy, ReplayLimits, Uses};
use crate::replay_store::{SharedStore, Trouble};
use std::cell::Cell;

/// The store, without a pool where the policy uses none: then it lets nothing pass.
pub(super) struct Replay {
    store: SharedStore,
    refused: Vec<(Trouble, Counter)>,
    /// Whether it has been said that it is broken.
    told: Cell<bool>,
}

impl Replay {
    /// Opens the pools that the policy uses, or says in the log why that cannot be done. The main thread is the first to do
    /// so, before there are workers: it makes what is not there.
    pub(super) fn open(host: &impl Host, policy: &Policy, limits: ReplayLimits) -> Option<Self> {
        let used = [(Uses::SINGLE_USE, Pool::Tokens), (Uses::PROOFS, Pool::Proofs)];
        let pools: Vec<Pool> = used.into_iter().filter(|(part, _)| policy.uses.has(*part)).map(|(_, it)| it).collect();
        if !pools.is_empty() && !has_vm_id(host) {
            log::warn!(
                "scopegate: replay: without a vm_id every plugin that has none can write over what has been used"
            );
        }
        let store = match SharedStore::open(host.shared_data(), &pools, limits.entries, host.now()) {
            Ok(store) => store,
            Err(error) => {
                log::error!("scopegate: configuration refused: replay: there can be no store: {error}");
                return None;
            }
        };
        let counter = |trouble: Trouble| {
            let counter = host.define_counter(&metrics::named(metrics::REPLAY_REFUSED, trouble.name())).ok()?;
            Some((trouble, counter))
        };
        let refused =
            if pools.is_empty() { Vec::new() } else { Trouble::ALL.into_iter().filter_map(counter).collect() };
        Some(Self { store, refused, told: Cell::new(false) })
    }

    /// Where claims are made.
    pub(super) const fn store(&self) -> &dyn ReplayStore {
        &self.store
    }

    /// Counts the claims that the store could not answer.
    pub(super) fn count(&self, host: &impl Host) {
        if self.refused.is_empty() {
            return;
        }
        for (trouble, count) in self.store.take_troubles() {
            if count > 0 && trouble == Trouble::Unreadable && !self.told.replace(true) {
                log::error!("scopegate: replay: the store has been written over, and refuses: restart this Envoy");
            }
            let counter = self.refused.iter().find(|(kind, _)| *kind == trouble);
            counter.iter().for_each(|(_, counter)| host.count(*counter, count));
        }
    }
}
