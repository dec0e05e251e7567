//! What is measured of keys and of waiting.

use super::super::feed::FailureKind;
use super::super::host::{self, Counter, Gauge, Histogram};
use super::super::key_store::Event;
use crate::policy::{Issuer, IssuerId, KeySource};
use std::cell::Cell;

/// The meters. One that the host does not define measures nothing.
pub(super) struct KeyMeters {
    updated: Option<Counter>,
    unchanged: Option<Counter>,
    not_modified: Option<Counter>,
    failed: Vec<(FailureKind, Counter)>,
    /// How many keys, and how old they are.
    issuers: Vec<(IssuerId, Option<Gauge>, Option<Gauge>)>,
    waiting: Option<Gauge>,
    /// How many of ours the gauge counts.
    waiting_counted: Cell<usize>,
    wait: Option<Histogram>,
}

impl KeyMeters {
    /// Defines the meters, those of each issuer whose keys are fetched under its name.
    pub(super) fn define(issuers: &[Issuer]) -> Self {
        let counter = |outcome: &str| host::define_counter(&format!("scopegate.keys.fetches.{outcome}")).ok();
        let gauge = |name: &str| host::define_gauge(name).ok();
        let remote = issuers.iter().enumerate().filter(|(_, issuer)| matches!(issuer.keys, KeySource::Remote(_)));
        let of_issuer = |(index, issuer): (usize, &Issuer)| {
            let name = metric_name(&issuer.name);
            let age = gauge(&format!("scopegate.keys.age_seconds.{name}"));
            (IssuerId(index), gauge(&format!("scopegate.keys.in_use.{name}")), age)
        };
        Self {
            updated: counter("updated"),
            unchanged: counter("unchanged"),
            not_modified: counter("not_modified"),
            failed: FailureKind::ALL.into_iter().filter_map(|kind| Some((kind, counter(kind.name())?))).collect(),
            issuers: remote.map(of_issuer).collect(),
            waiting: gauge("scopegate.waiting"),
            waiting_counted: Cell::new(0),
            wait: host::define_histogram("scopegate.wait_ms").ok(),
        }
    }

    /// Counts what came of a fetch.
    pub(super) fn fetch(&self, event: &Event) {
        let counter = match event {
            Event::Updated(_) => self.updated,
            Event::Unchanged | Event::LeftOut(_) => self.unchanged,
            Event::NotModified => self.not_modified,
            Event::Failed(failure, _) => {
                self.failed.iter().find(|(kind, _)| *kind == failure.kind).map(|(_, counter)| *counter)
            }
            Event::Recovered | Event::PickedUp | Event::Foreign(_) | Event::TooOld(_) => None,
        };
        if let Some(counter) = counter {
            host::count(counter, 1);
        }
    }

    /// How many keys each issuer has, and how old they are, in milliseconds.
    pub(super) fn keys(&self, in_use: impl Iterator<Item = (IssuerId, usize, u64)>) {
        for (issuer, count, age_ms) in in_use {
            let found = self.issuers.iter().find(|(id, ..)| *id == issuer);
            let (keys, age) = found.map_or((None, None), |(_, keys, age)| (*keys, *age));
            if let Some(gauge) = keys {
                host::set_gauge(gauge, u64::try_from(count).unwrap_or(u64::MAX));
            }
            if let Some(gauge) = age {
                host::set_gauge(gauge, age_ms / 1000);
            }
        }
    }

    /// How many requests of this worker wait now.
    pub(super) fn waiting(&self, count: usize) {
        let before = self.waiting_counted.replace(count);
        let signed = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        if let Some(gauge) = self.waiting {
            host::change_gauge(gauge, signed(count).saturating_sub(signed(before)));
        }
    }

    /// How long a request has waited, in milliseconds.
    pub(super) fn waited(&self, milliseconds: u64) {
        if let Some(histogram) = self.wait {
            host::record(histogram, milliseconds);
        }
    }
}

/// The name of an issuer or a list as a part of the name of a metric, where dots separate parts.
pub(super) fn metric_name(name: &str) -> String {
    name.chars().map(|character| if character.is_ascii_alphanumeric() { character } else { '_' }).collect()
}
