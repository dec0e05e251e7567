//! The counts of decisions. Counters are updated at ticks, since a host call is a good part of the cost of a request.

use super::super::host::{Counter, Host};
use super::super::metrics;
use super::series::AllSeries;
use crate::audit::Outcome;
use crate::decision::Trace;
use crate::policy::{Authority, Issuer, Policy};
use std::cell::Cell;
use std::collections::BTreeMap;

/// The counts of decisions.
pub(super) struct Tallies {
    allowed: Tally,
    /// Counts every outcome but `Allowed`.
    outcomes: BTreeMap<Outcome, Tally>,
    /// By the place of the issuer that the trace of a decision names.
    issuers: Vec<OfIssuer>,
    /// By names of the configuration.
    series: AllSeries,
}

/// The counts of requests whose tokens name one issuer.
struct OfIssuer {
    allowed: Tally,
    denied: Tally,
    would_deny: Tally,
}

/// A counter, and what it has not been told yet.
#[derive(Default)]
pub(super) struct Tally {
    counter: Option<Counter>,
    uncounted: Cell<u32>,
}

impl Tallies {
    /// Defines the counters.
    pub(super) fn define(host: &impl Host, policy: &Policy) -> Self {
        // One by one, since `collect` would bring 5 KB of sorting into the module.
        let mut outcomes = BTreeMap::new();
        for outcome in Outcome::all() {
            outcomes.insert(outcome, Tally::define(host, &outcome.counter()));
        }
        Self {
            allowed: outcomes.remove(&Outcome::Allowed).unwrap_or_default(),
            outcomes,
            issuers: policy.issuers.iter().map(|issuer| OfIssuer::define(host, issuer)).collect(),
            series: AllSeries::default(),
        }
    }

    /// Counts a decision. `method` is that of the request, where the requirement is of one.
    pub(super) fn add(&self, outcome: Outcome, trace: &Trace, method: &[u8]) {
        self.series.add(outcome, trace, method);
        let by_reason = match outcome {
            Outcome::Allowed => Some(&self.allowed),
            Outcome::Denied(_) | Outcome::WouldDeny(_) | Outcome::Served | Outcome::Received => {
                self.outcomes.get(&outcome)
            }
        };
        // An event is no request with a token of its issuer.
        let by_issuer = match trace.authority.filter(|_| outcome != Outcome::Received) {
            Some(Authority::Issuer(issuer)) => self.issuers.get(issuer.0),
            Some(Authority::Set(_)) | None => None,
        };
        by_reason.into_iter().chain(by_issuer.map(|tallies| tallies.of(outcome))).for_each(Tally::add);
    }

    /// Updates the counters.
    pub(super) fn count(&self, host: &impl Host, policy: &Policy) {
        self.series.count(host, policy);
        let of_issuers = self.issuers.iter().flat_map(OfIssuer::all);
        self.outcomes.values().chain([&self.allowed]).chain(of_issuers).for_each(|tally| tally.count(host));
    }
}

impl OfIssuer {
    fn define(host: &impl Host, issuer: &Issuer) -> Self {
        let tally = |metric| Tally::define(host, &metrics::named(metric, &issuer.name));
        Self {
            allowed: tally(metrics::ISSUER_ALLOWED),
            denied: tally(metrics::ISSUER_DENIED),
            would_deny: tally(metrics::ISSUER_WOULD_DENY),
        }
    }

    const fn of(&self, outcome: Outcome) -> &Tally {
        match outcome {
            Outcome::Allowed | Outcome::Served | Outcome::Received => &self.allowed,
            Outcome::Denied(_) => &self.denied,
            Outcome::WouldDeny(_) => &self.would_deny,
        }
    }

    const fn all(&self) -> [&Tally; 3] {
        [&self.allowed, &self.denied, &self.would_deny]
    }
}

impl Tally {
    fn define(host: &impl Host, name: &str) -> Self {
        Self { counter: host.define_counter(name).ok(), uncounted: Cell::new(0) }
    }

    pub(super) fn add(&self) {
        self.uncounted.set(self.uncounted.get().saturating_add(1));
    }

    fn count(&self, host: &impl Host) {
        self.counter.into_iter().for_each(|counter| host.count(counter, self.uncounted.take()));
    }

    /// Counts under a name that is defined with the first count. If the host defines none, the counts are lost.
    pub(super) fn count_as(&mut self, host: &impl Host, name: impl FnOnce() -> String) {
        if self.uncounted.get() == 0 {
            return;
        }
        if self.counter.is_none() {
            self.counter = host.define_counter(&name()).ok();
        }
        self.count(host);
    }

    #[cfg(test)]
    pub(super) fn uncounted(&self) -> u32 {
        self.uncounted.get()
    }
}
