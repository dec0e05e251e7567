//! Keeping revocation lists fresh.

use super::super::feed::{Change, FailureKind};
use super::super::host::{self, Counter, Gauge};
use super::super::list_store::{ListEvent, ListEvents, ListId, ListRequest};
use super::meters::metric_name;
use super::{Gate, fetch, now_ms};
use crate::policy::RemoteList;
use crate::revocation::Chunks;

/// How long a new plugin goes on reading lists before its first request, in milliseconds: a worker stands still meanwhile.
const READING_AT_FIRST_MS: u64 = 20;
/// What is asked for. A static file server sends what it has under any name.
const ACCEPT: &str = "application/jsonl, application/octet-stream, */*;q=0.5";

impl Gate {
    /// Picks up what others had fetched before there was this plugin, so that a new configuration does not begin with
    /// refusals. The ticks read the rest of a list that is long.
    pub(super) fn pick_up_lists(&self) {
        let start = now_ms();
        loop {
            let events = self.lists.borrow_mut().look(&self.outside());
            self.tell_lists(events);
            // A clock that is set back must not keep us here.
            let now = now_ms();
            if !self.lists.borrow().is_busy() || now < start || now > start.saturating_add(READING_AT_FIRST_MS) {
                return;
            }
        }
    }

    /// Picks up what others fetched, does a step of what is being read, and fetches what is due.
    pub(super) fn refresh_lists(&self) {
        let outside = self.outside();
        let events = self.lists.borrow_mut().look(&outside);
        self.tell_lists(events);
        let requests = self.lists.borrow_mut().begin(&outside);
        for request in requests {
            self.send_for_list(&request);
        }
        self.settle();
        let lists = self.lists.borrow();
        for (list, standing) in lists.standings(outside.now) {
            self.list_meters.show(list, standing.entries, standing.age_ms, standing.stale);
        }
    }

    /// Called when a request has been answered: with so many headers, and so many bytes in its body.
    pub(super) fn on_list_fetched(&self, token: u32, headers: usize, bytes: usize) {
        let asked = self.lists.borrow().asked(token);
        let Some((list, conditional, max_bytes)) = asked else { return };
        let (answer, document) = fetch::receive_pieces(headers, bytes, max_bytes, conditional);
        let events = self.lists.borrow_mut().answered(&self.outside(), list, answer, document);
        self.tell_lists(events);
        self.settle();
        self.set_tick();
    }

    fn send_for_list(&self, request: &ListRequest) {
        let list = request.list;
        match fetch::send(&request.endpoint, ACCEPT, request.etag.as_deref(), request.timeout_ms) {
            Ok(token) => self.lists.borrow_mut().sent(&self.outside(), list, token),
            Err(_) => {
                let why = format!("there is no cluster {}", request.endpoint.cluster);
                let failed = FailureKind::NoCluster.because(why).into();
                let outside = self.outside();
                let events = self.lists.borrow_mut().answered(&outside, list, failed, Chunks::default());
                self.tell_lists(events);
            }
        }
    }

    /// Tells the log and the counters what has happened.
    fn tell_lists(&self, events: ListEvents) {
        for (list, event) in events {
            let name = self.policy.revocation.lists.get(list.0).map_or("", |list| list.terms.name.as_str());
            self.list_meters.count(&event);
            match event {
                ListEvent::Updated(entries, bytes) => {
                    log::info!("scopegate: the revocation list {name} has {entries} entries in {bytes} bytes");
                }
                ListEvent::Recovered => log::info!("scopegate: the revocation list {name} can be fetched again"),
                ListEvent::Failed(failure, Change::Changed) => {
                    log::warn!("scopegate: the revocation list {name} could not be fetched: {}", failure.why);
                }
                ListEvent::TooOld(Change::Changed) => {
                    log::error!("scopegate: the revocation list {name} is older than it may be");
                }
                ListEvent::Foreign(why) => {
                    log::error!("scopegate: what was shared as the revocation list {name} cannot be used: {why}");
                }
                ListEvent::Failed(..)
                | ListEvent::TooOld(_)
                | ListEvent::Unchanged
                | ListEvent::NotModified
                | ListEvent::PickedUp => {}
            }
        }
    }
}

/// What is measured of lists. A meter that the host does not define measures nothing.
pub(super) struct ListMeters {
    updated: Option<Counter>,
    unchanged: Option<Counter>,
    not_modified: Option<Counter>,
    failed: Vec<(FailureKind, Counter)>,
    lists: Vec<OfList>,
}

struct OfList {
    entries: Option<Gauge>,
    age_seconds: Option<Gauge>,
    stale: Option<Gauge>,
}

impl ListMeters {
    /// Defines the meters, those of each list under its name; none without lists.
    pub(super) fn define(lists: &[RemoteList]) -> Self {
        let counter = |outcome: &str| {
            let name = format!("scopegate.revocation.fetches.{outcome}");
            if lists.is_empty() { None } else { host::define_counter(&name).ok() }
        };
        let of_list = |list: &RemoteList| {
            let name = metric_name(&list.terms.name);
            let gauge = |what: &str| host::define_gauge(&format!("scopegate.revocation.{what}.{name}")).ok();
            OfList { entries: gauge("entries"), age_seconds: gauge("age_seconds"), stale: gauge("stale") }
        };
        Self {
            updated: counter("updated"),
            unchanged: counter("unchanged"),
            not_modified: counter("not_modified"),
            failed: FailureKind::ALL.into_iter().filter_map(|kind| Some((kind, counter(kind.name())?))).collect(),
            lists: lists.iter().map(of_list).collect(),
        }
    }

    fn count(&self, event: &ListEvent) {
        let counter = match event {
            ListEvent::Updated(..) => self.updated,
            ListEvent::Unchanged => self.unchanged,
            ListEvent::NotModified => self.not_modified,
            ListEvent::Failed(failure, _) => {
                self.failed.iter().find(|(kind, _)| *kind == failure.kind).map(|(_, counter)| *counter)
            }
            ListEvent::Recovered | ListEvent::PickedUp | ListEvent::Foreign(_) | ListEvent::TooOld(_) => None,
        };
        counter.into_iter().for_each(|counter| host::count(counter, 1));
    }

    fn show(&self, list: ListId, entries: usize, age_ms: u64, stale: bool) {
        let Some(meters) = self.lists.get(list.0) else { return };
        let entries = u64::try_from(entries).unwrap_or(u64::MAX);
        let values = [(meters.entries, entries), (meters.age_seconds, age_ms / 1000), (meters.stale, u64::from(stale))];
        for (gauge, value) in values {
            gauge.into_iter().for_each(|gauge| host::set_gauge(gauge, value));
        }
    }
}
