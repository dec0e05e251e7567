//! Keeps documents fresh: fetches what is due, and tells the log and the metrics what has come.

use super::super::callouts::Purpose;
use super::super::documents::{Event, Fetch, Happened};
use super::super::feed::Change;
use super::super::host::Host;
use super::super::status_store::StatusEvent;
use super::{Gate, fetch};
use crate::base::text::shown;
use crate::jose::KeySet;
use crate::revocation::Chunks;

/// How long a new gate reads lists before its first request, in milliseconds. The worker does nothing else meanwhile.
const READING_AT_FIRST_MS: u64 = 20;

impl<H: Host> Gate<H> {
    /// Picks up what others fetched before this gate began, so that a new configuration does not begin with refusals.
    /// The ticks read the rest of a long list.
    pub(super) fn pick_up(&self) {
        let start = self.now_ms();
        loop {
            let happened = self.documents.borrow_mut().look(&self.outside());
            self.tell(happened);
            // A clock that is set back must not keep us here.
            let now = self.now_ms();
            let is_busy = self.documents.borrow().are_busy();
            if !is_busy || now < start || now > start.saturating_add(READING_AT_FIRST_MS) {
                return;
            }
        }
    }

    /// Picks up what others fetched, does one step of reading, and fetches what is due.
    pub(super) fn refresh(&self) {
        let outside = self.outside();
        let happened = self.documents.borrow_mut().look(&outside);
        self.tell(happened);
        self.settle();
        let fetches = self.documents.borrow_mut().begin(&outside);
        fetches.iter().for_each(|fetch| self.fetch(fetch));
        self.settle();
        self.meters.show(&self.host, &self.documents.borrow(), outside.now);
    }

    /// Sends for a document. The answer comes to the root context, whichever context is effective now.
    fn fetch(&self, fetch: &Fetch) {
        let document = fetch.document;
        match fetch::send(&self.host, fetch) {
            Ok(token) => {
                let is_conditional = fetch.etag.is_some();
                let purpose = Purpose::Document { document, is_conditional, max_bytes: fetch.max_bytes };
                self.callouts.borrow_mut().sent(token, purpose);
                self.documents.borrow_mut().sent(&self.outside(), document, token);
            }
            Err(failure) => {
                let failed = fetch::not_sent(failure, &fetch.endpoint.cluster).into();
                let (_, happened) =
                    self.documents.borrow_mut().answered(&self.outside(), document, failed, Chunks::default());
                self.tell(happened);
            }
        }
    }

    /// A callout has been answered, with `headers` headers and a body of `bytes` bytes.
    pub fn on_callout(&self, token: u32, headers: usize, bytes: usize) {
        let purpose = self.callouts.borrow_mut().answered(token);
        let (document, is_conditional, max_bytes) = match purpose {
            Some(Purpose::Document { document, is_conditional, max_bytes }) => (document, is_conditional, max_bytes),
            Some(Purpose::Poll(place)) => return self.on_poll(place, token, headers, bytes),
            Some(Purpose::Claim(claim)) => return self.on_claim(&claim, headers, bytes),
            None => return self.on_introspection(token, headers, bytes),
        };
        if !self.documents.borrow().awaits(document, token) {
            return;
        }
        let (answer, body) = fetch::receive(&self.host, headers, bytes, max_bytes, is_conditional);
        let (next, happened) = self.documents.borrow_mut().answered(&self.outside(), document, answer, body);
        self.tell(happened);
        next.iter().for_each(|fetch| self.fetch(fetch));
        self.settle();
        self.set_tick();
    }

    /// The gate ends, since its configuration has been replaced. Gives up its fetches, so that other workers and
    /// waiting requests do not wait for answers that no gate takes.
    pub fn give_up(&self) {
        self.count_what_was_done();
        // A native module stays loaded until Envoy ends.
        if self.host.memory_bytes().is_some() {
            self.show_version(false);
        }
        self.meters.waiting(&self.host, 0);
        self.meters.no_status_lists(&self.host);
        self.show_open_streams();
        self.polls.give_up();
        if let Ok(mut documents) = self.documents.try_borrow_mut() {
            documents.give_up(&*self.shared);
        }
    }

    /// Tells the log and the metrics what has happened.
    pub(super) fn tell(&self, happened: Vec<Happened>) {
        for happened in happened {
            match happened {
                Happened::Keys(issuer, event) => {
                    let name = self.policy.issuers.get(issuer.0).map_or("", |issuer| issuer.name.as_str());
                    self.meters.key_fetches.count(&self.host, &event);
                    if let Some(keys) = tell(&format!("the keys of {name}"), "are too old to be used", event) {
                        tell_of_keys(name, &keys);
                    }
                }
                Happened::List(list, event) => {
                    let lists = &self.settings.revocation.lists;
                    let (called, fetches) = match lists.get(list.0) {
                        Some(list) => (format!("the revocation list {}", list.terms.name), &self.meters.list_fetches),
                        None => {
                            let set = self.policy.remote_sets().nth(list.0.saturating_sub(lists.len()));
                            let name = set.map_or("", |set| &set.name);
                            (format!("the identity list of {name}"), &self.meters.identity_fetches)
                        }
                    };
                    fetches.count(&self.host, &event);
                    if let Some(size) = tell(&called, "is older than it may be", event) {
                        log::info!("scopegate: {called} has {} entries in {} bytes", size.entries, size.bytes);
                    }
                }
                Happened::Status(uri, event) => {
                    // A query may hold a secret.
                    let address = uri.split('?').next().unwrap_or_default();
                    let called = format!("the status list {}", shown(address.as_bytes()));
                    let event = match event {
                        StatusEvent::Document(event) => event,
                        StatusEvent::NoRoom => {
                            log::warn!(
                                "scopegate: {called} is not fetched: the issuer's tokens name more than max_lists lists"
                            );
                            continue;
                        }
                    };
                    self.meters.status_fetches.count(&self.host, &event);
                    if let Some(size) = tell(&called, "is older than it may be", event) {
                        log::info!("scopegate: {called} has {} entries in {} bytes", size.entries, size.bytes);
                    }
                }
            }
        }
    }

    /// Makes the timer fire at once, for a fetch that a request asked for. A crowd of requests then costs one look.
    pub(super) fn hurry(&self) {
        self.set_period(super::TICK_AT_ONCE_MS);
    }
}

/// Tells the log what has happened to a document, and returns a content that is new.
fn tell<T>(called: &str, too_old: &str, event: Event<T>) -> Option<T> {
    match event {
        Event::Updated(content) | Event::LeftOut(content) => return Some(content),
        Event::Recovered => log::info!("scopegate: {called} can be fetched again"),
        Event::Failed(failure, Change::Changed) => {
            log::warn!("scopegate: {called} could not be fetched: {}", failure.why);
        }
        Event::TooOld(Change::Changed) => log::error!("scopegate: {called} {too_old}"),
        Event::Foreign(why) => log::error!("scopegate: what was shared as {called} cannot be used: {why}"),
        Event::Failed(..) | Event::TooOld(_) | Event::Unchanged | Event::NotModified | Event::PickedUp => {}
    }
    None
}

fn tell_of_keys(name: &str, keys: &KeySet) {
    for skipped in keys.skipped() {
        let kid = skipped.kid.as_deref().map_or("without kid".to_owned(), |kid| shown(kid.as_bytes()));
        log::warn!("scopegate: a key of {name} ({kid}, number {}) is left out: {}", skipped.index, skipped.why);
    }
    log::info!("scopegate: {name} has {} usable keys", keys.keys().len());
}
