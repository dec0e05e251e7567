//! Keeping the keys of issuers fresh.

use super::super::feed::{Answer, Change, FailureKind};
use super::super::key_store::{Event, Events, Request};
use super::{Gate, fetch};
use crate::base::text::shown;
use crate::jose::KeySet;
use crate::policy::IssuerId;

impl Gate {
    /// Picks up what others fetched, and fetches what is due.
    pub(super) fn refresh(&self) {
        let outside = self.outside();
        let events = self.keys.borrow_mut().look(&outside);
        self.tell(events);
        self.settle();
        let requests = self.keys.borrow_mut().begin(&outside);
        for request in requests {
            self.send(&request);
        }
        self.settle();
        self.key_meters.keys(self.keys.borrow().in_use(outside.now));
    }

    /// Called when a request has been answered: with so many headers, and so many bytes in its body.
    pub fn on_fetched(&self, token: u32, headers: usize, bytes: usize) {
        let asked = self.keys.borrow().asked(token);
        if let Some((issuer, conditional)) = asked {
            let limit = self.policy.limits.jwks_bytes;
            self.answered(issuer, fetch::receive(headers, bytes, limit, conditional));
            self.settle();
            self.set_tick();
        } else {
            self.on_list_fetched(token, headers, bytes);
        }
    }

    fn send(&self, request: &Request) {
        let issuer = request.issuer;
        match fetch::send(&request.endpoint, request.accept, request.etag.as_deref(), request.timeout_ms) {
            Ok(token) => self.keys.borrow_mut().sent(&self.outside(), issuer, token),
            Err(_) => {
                let why = format!("there is no cluster {}", request.endpoint.cluster);
                self.answered(issuer, FailureKind::NoCluster.because(why).into());
            }
        }
    }

    fn answered(&self, issuer: IssuerId, answer: Answer) {
        let (next, events) = self.keys.borrow_mut().answered(&self.outside(), issuer, answer);
        self.tell(events);
        if let Some(request) = next {
            self.send(&request);
        }
    }

    /// Called when the plugin goes: its configuration has been replaced. Other workers, and requests that it has let wait,
    /// would wait for an answer that nobody takes in.
    pub fn give_up(&self) {
        self.count_what_was_done();
        self.key_meters.waiting(0);
        if let Ok(mut keys) = self.keys.try_borrow_mut() {
            keys.give_up(&*self.board);
        }
        if let Ok(mut lists) = self.lists.try_borrow_mut() {
            lists.give_up(&*self.board);
        }
    }

    /// Tells the log and the counters what has happened.
    pub(super) fn tell(&self, events: Events) {
        for (issuer, event) in events {
            let name = self.issuer_name(issuer);
            self.key_meters.fetch(&event);
            match event {
                Event::Updated(keys) | Event::LeftOut(keys) => tell_of(name, &keys),
                Event::Recovered => log::info!("scopegate: the keys of {name} can be fetched again"),
                Event::Failed(failure, Change::Changed) => {
                    log::warn!("scopegate: the keys of {name} could not be fetched: {}", failure.why);
                }
                Event::TooOld(Change::Changed) => {
                    log::error!("scopegate: the keys of {name} are too old to be used");
                }
                Event::Foreign(error) => {
                    log::error!("scopegate: what was shared as the keys of {name} cannot be used: {error}");
                }
                Event::Failed(..) | Event::TooOld(_) | Event::Unchanged | Event::NotModified | Event::PickedUp => {}
            }
        }
    }

    /// Has the timer call us at once, for what a request has asked for: requests for documents are sent from there, so that
    /// their answers come to the plugin and not to a stream that may be gone by then.
    pub(super) fn hurry(&self) {
        self.set_period(super::TICK_AT_ONCE_MS);
    }
}

fn tell_of(name: &str, keys: &KeySet) {
    for skipped in keys.skipped() {
        let kid = skipped.kid.as_deref().map_or("without kid".to_owned(), |kid| shown(kid.as_bytes()));
        log::warn!("scopegate: a key of {name} ({kid}, number {}) is left out: {}", skipped.index, skipped.why);
    }
    log::info!("scopegate: {name} has {} usable keys", keys.keys().len());
}
