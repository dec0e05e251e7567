//! The metrics of documents and of waiting. A metric that the host does not define records nothing.

use super::super::documents::{Documents, Event};
use super::super::feed::FailureKind;
use super::super::host::{Counter, Gauge, Histogram, Host};
use super::super::list_store::ListId;
use super::super::metrics;
use crate::policy::{IssuerId, KeySource, Policy, Settings};
use std::cell::Cell;

/// The meters.
pub(super) struct Meters {
    pub(super) key_fetches: Fetches,
    pub(super) list_fetches: Fetches,
    pub(super) identity_fetches: Fetches,
    pub(super) status_fetches: Fetches,
    /// How many keys an issuer has, and how old they are.
    keys: Vec<(IssuerId, Option<Gauge>, Option<Gauge>)>,
    lists: Vec<ListGauges>,
    /// How many status lists there are, and how many of them are stale: the gauges, and what they count of ours.
    status_lists: [(Option<Gauge>, Cell<usize>); 2],
    statuses: Vec<StatusGauges>,
    waiting: Option<Gauge>,
    /// The requests of this worker that the gauge counts.
    waiting_counted: Cell<usize>,
    wait: Option<Histogram>,
}

/// Counters of fetches of one kind of document, by outcome.
pub(super) struct Fetches {
    updated: Option<Counter>,
    unchanged: Option<Counter>,
    not_modified: Option<Counter>,
    failed: Vec<(FailureKind, Counter)>,
}

struct ListGauges {
    entries: Option<Gauge>,
    age_seconds: Option<Gauge>,
    stale: Option<Gauge>,
    /// Of a revocation list.
    revision: Option<Gauge>,
}

/// The gauges of an issuer's status lists.
struct StatusGauges {
    issuer: IssuerId,
    entries: Option<Gauge>,
    /// The entries of this worker that the gauge counts.
    entries_counted: Cell<usize>,
    age_seconds: Option<Gauge>,
    /// Whether the age that this worker wrote last was that of a list.
    has_age: Cell<bool>,
}

impl Fetches {
    fn define(host: &impl Host, metric: &str) -> Self {
        let counter = |outcome: &str| host.define_counter(&metrics::named(metric, outcome)).ok();
        Self {
            updated: counter("updated"),
            unchanged: counter("unchanged"),
            not_modified: counter("not_modified"),
            failed: FailureKind::ALL.into_iter().filter_map(|kind| Some((kind, counter(kind.name())?))).collect(),
        }
    }

    /// Counters for a kind of document that is not configured.
    const fn none() -> Self {
        Self { updated: None, unchanged: None, not_modified: None, failed: Vec::new() }
    }

    /// Counts what came of a fetch.
    pub(super) fn count<T>(&self, host: &impl Host, event: &Event<T>) {
        let counter = match event {
            Event::Updated(_) => self.updated,
            Event::Unchanged | Event::LeftOut(_) => self.unchanged,
            Event::NotModified => self.not_modified,
            Event::Failed(failure, _) => {
                self.failed.iter().find(|(kind, _)| *kind == failure.kind).map(|(_, counter)| *counter)
            }
            Event::Recovered | Event::PickedUp | Event::Foreign(_) | Event::TooOld(_) => None,
        };
        counter.into_iter().for_each(|counter| host.count(counter, 1));
    }
}

impl Meters {
    /// Defines the metrics; each document that is fetched has its own, under its name.
    pub(super) fn define(host: &impl Host, policy: &Policy, settings: &Settings) -> Self {
        let gauge = |name: &str| host.define_gauge(name).ok();
        let named = |metric: &str, name: &str| gauge(&metrics::named(metric, name));
        let issuers = policy.issuers.iter().enumerate();
        let remote = issuers.filter(|(_, issuer)| matches!(issuer.keys, KeySource::Remote(_)));
        let lists = &settings.revocation.lists;
        let of_lists = lists.iter().map(|list| ListGauges {
            entries: named(metrics::REVOCATION_ENTRIES, &list.terms.name),
            age_seconds: named(metrics::REVOCATION_AGE_SECONDS, &list.terms.name),
            stale: named(metrics::REVOCATION_STALE, &list.terms.name),
            revision: named(metrics::REVOCATION_REVISION, &list.terms.name),
        });
        let of_sets = policy.remote_sets().map(|set| ListGauges {
            entries: named(metrics::IDENTITIES_IN_USE, &set.name),
            age_seconds: named(metrics::IDENTITIES_AGE_SECONDS, &set.name),
            stale: named(metrics::IDENTITIES_STALE, &set.name),
            revision: None,
        });
        let with_statuses = policy.issuers.iter().enumerate().filter(|(_, issuer)| issuer.status_list.is_some());
        let of_statuses = with_statuses.map(|(index, issuer)| StatusGauges {
            issuer: IssuerId(index),
            entries: named(metrics::STATUS_LIST_ENTRIES, &issuer.name),
            entries_counted: Cell::new(0),
            age_seconds: named(metrics::STATUS_LIST_AGE_SECONDS, &issuer.name),
            has_age: Cell::new(false),
        });
        let statuses: Vec<StatusGauges> = of_statuses.collect();
        let has_statuses = !statuses.is_empty();
        let status_gauge = |name: &str| (if has_statuses { gauge(name) } else { None }, Cell::new(0));
        Self {
            key_fetches: Fetches::define(host, metrics::KEYS_FETCHES),
            list_fetches: if lists.is_empty() {
                Fetches::none()
            } else {
                Fetches::define(host, metrics::REVOCATION_FETCHES)
            },
            keys: remote
                .map(|(index, issuer)| {
                    let age = named(metrics::KEYS_AGE_SECONDS, &issuer.name);
                    (IssuerId(index), named(metrics::KEYS_IN_USE, &issuer.name), age)
                })
                .collect(),
            identity_fetches: if policy.remote_sets().next().is_none() {
                Fetches::none()
            } else {
                Fetches::define(host, metrics::IDENTITIES_FETCHES)
            },
            lists: of_lists.chain(of_sets).collect(),
            status_fetches: if has_statuses {
                Fetches::define(host, metrics::STATUS_LIST_FETCHES)
            } else {
                Fetches::none()
            },
            status_lists: [status_gauge(metrics::STATUS_LIST_HELD), status_gauge(metrics::STATUS_LIST_STALE)],
            statuses,
            waiting: gauge(metrics::WAITING),
            waiting_counted: Cell::new(0),
            wait: host.define_histogram(metrics::WAIT_MS).ok(),
        }
    }

    /// Sets the gauges of each document.
    pub(super) fn show(&self, host: &impl Host, documents: &Documents, now: u64) {
        let set = |gauge: Option<Gauge>, value| gauge.into_iter().for_each(|gauge| host.set_gauge(gauge, value));
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let (keys, lists, statuses) = documents.stores();
        self.status_lists(host, statuses.count(), |issuer| statuses.in_use(issuer, now));
        for (issuer, count, age_ms) in keys.in_use(now) {
            if let Some((_, in_use, age)) = self.keys.iter().find(|(id, ..)| *id == issuer) {
                set(*in_use, number(count));
                set(*age, age_ms / 1000);
            }
        }
        for (ListId(index), standing) in lists.standings(now) {
            if let Some(gauges) = self.lists.get(index) {
                set(gauges.entries, number(standing.entries));
                set(gauges.age_seconds, standing.age_ms / 1000);
                set(gauges.stale, u64::from(standing.stale));
                set(gauges.revision, standing.revision.number());
            }
        }
    }

    /// How many status lists this worker holds now, how many of them are stale, and by issuer how many statuses they have
    /// and how old the oldest is, in milliseconds.
    ///
    /// A worker without a list in use leaves the age to the others, once it has taken its own away.
    pub(super) fn status_lists(
        &self,
        host: &impl Host,
        (held, stale): (usize, usize),
        in_use: impl Fn(IssuerId) -> (usize, Option<u64>),
    ) {
        for ((gauge, counted), count) in self.status_lists.iter().zip([held, stale]) {
            change(host, *gauge, counted, count);
        }
        for gauges in &self.statuses {
            let (entries, age_ms) = in_use(gauges.issuer);
            change(host, gauges.entries, &gauges.entries_counted, entries);
            let had_age = gauges.has_age.replace(age_ms.is_some());
            if let Some(gauge) = gauges.age_seconds.filter(|_| had_age || age_ms.is_some()) {
                host.set_gauge(gauge, age_ms.unwrap_or(0) / 1000);
            }
        }
    }

    /// No status list any more: the gate ends.
    pub(super) fn no_status_lists(&self, host: &impl Host) {
        self.status_lists(host, (0, 0), |_| (0, None));
    }

    /// How many requests of this worker wait now.
    pub(super) fn waiting(&self, host: &impl Host, count: usize) {
        change(host, self.waiting, &self.waiting_counted, count);
    }

    /// How long a request has waited, in milliseconds.
    pub(super) fn waited(&self, host: &impl Host, milliseconds: u64) {
        if let Some(histogram) = self.wait {
            host.record(histogram, milliseconds);
        }
    }
}

/// Brings a gauge up to date that all workers add to. What this worker has counted so far is in `counted`.
fn change(host: &impl Host, gauge: Option<Gauge>, counted: &Cell<usize>, count: usize) {
    let before = counted.replace(count);
    let signed = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    if let Some(gauge) = gauge.filter(|_| before != count) {
        host.change_gauge(gauge, signed(count).saturating_sub(signed(before)));
    }
}
