//! The store of what is good once, the service of the fleet, and what is counted of both.

use super::super::feed::{Failure, FailureKind};
use super::super::host::{Counter, Host};
use super::super::metrics;
use super::has_vm_id;
use crate::facts::Pool;
use crate::policy::{Policy, ReplaySettings, Uses};
use crate::replay_store::{RequestClaims, RequestStore, SharedStore, Trouble};
use std::cell::Cell;

/// The store, without a pool where the policy uses none: then it lets nothing pass.
pub(super) struct Replay {
    store: SharedStore,
    refused: Vec<(Trouble, Counter)>,
    /// Whether it has been said that it is broken.
    told: Cell<bool>,
    service: ServiceMeters,
}

/// What is counted of the service's answers, and whether it answers now.
#[derive(Default)]
struct ServiceMeters {
    first: Option<Counter>,
    again: Option<Counter>,
    failed: Vec<(FailureKind, Counter)>,
    is_failing: Cell<bool>,
}

impl Replay {
    /// Opens the pools that the policy uses, or says in the log why that cannot be done. The main thread is the first to do
    /// so, before there are workers: it makes what is not there.
    pub(super) fn open(host: &impl Host, policy: &Policy, settings: &ReplaySettings) -> Option<Self> {
        let used =
            [(Uses::SINGLE_USE, Pool::Tokens), (Uses::PROOFS, Pool::Proofs), (Uses::SIGNATURES, Pool::Signatures)];
        let pools: Vec<Pool> = used.into_iter().filter(|(part, _)| policy.uses.has(*part)).map(|(_, it)| it).collect();
        if !pools.is_empty() && !has_vm_id(host) {
            log::warn!(
                "scopegate: replay: without a vm_id every plugin that has none can write over what has been used"
            );
        }
        let store = match SharedStore::open(host.shared_data(), &pools, settings.entries, host.now()) {
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
        let service = settings.service.as_ref().map_or_else(ServiceMeters::default, |_| ServiceMeters::define(host));
        Some(Self { store, refused, told: Cell::new(false), service })
    }

    /// Where one request makes its claims.
    pub(super) const fn of_request<'s>(
        &'s self,
        settings: &'s ReplaySettings,
        claims: &'s RequestClaims,
    ) -> RequestStore<'s> {
        RequestStore { store: &self.store, service: settings.service.as_ref(), claims }
    }

    /// Counts what the service has answered to a claim, and says in the log when it stops and begins to answer.
    pub(super) fn tell_of_claim(&self, host: &impl Host, answer: Result<bool, &Failure>) {
        let ServiceMeters { first, again, failed, is_failing } = &self.service;
        let counter = match answer {
            Ok(true) => *first,
            Ok(false) => *again,
            Err(failure) => failed.iter().find(|(kind, _)| *kind == failure.kind).map(|(_, counter)| *counter),
        };
        counter.into_iter().for_each(|counter| host.count(counter, 1));
        match (is_failing.replace(answer.is_err()), answer) {
            (false, Err(failure)) => {
                log::warn!("scopegate: replay: the service of the fleet {}: what needs it is refused", failure.why);
            }
            (true, Ok(_)) => log::info!("scopegate: replay: the service of the fleet answers again"),
            (false, Ok(_)) | (true, Err(_)) => {}
        }
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

impl ServiceMeters {
    fn define(host: &impl Host) -> Self {
        let counter = |outcome: &str| host.define_counter(&metrics::named(metrics::REPLAY_SERVICE, outcome)).ok();
        Self {
            first: counter("first"),
            again: counter("again"),
            failed: FailureKind::ALL.into_iter().filter_map(|kind| Some((kind, counter(kind.name())?))).collect(),
            is_failing: Cell::new(false),
        }
    }
}
