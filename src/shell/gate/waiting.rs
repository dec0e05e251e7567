//! Requests that wait for keys and revocation lists.

use super::super::feed::Outside;
use super::super::host;
use super::super::waiting_room::Place;
use super::{Gate, Request, State, now_ms};
use crate::decision::{Decision, Denial, Need, Pending};
use crate::facts::Awaited;
use std::rc::{Rc, Weak};

impl Gate {
    /// Lets a request wait, or decides it without.
    pub(super) fn park(&self, request: &Rc<Request>, pending: Pending) -> Result<(), Decision> {
        let outside = self.outside();
        let pending = self.look_for(request, pending, &outside)?;
        let need = &pending.need;
        let prospect = match need {
            Need::Revocations => self.lists.borrow().prospect(&outside),
            Need::Keys(_) | Need::Kid(..) => self.keys.borrow_mut().prospect(need, &outside),
        };
        let Some(deadline) = prospect else {
            request.note(need, Awaited::Yes);
            // Each need is noted once, so this comes to an end.
            return match self.decide(request) {
                Decision::Await(pending) => self.park(request, pending),
                decision => Err(decision),
            };
        };
        let place = Place { need: need.clone(), since: outside.now, deadline, who: Rc::downgrade(request) };
        let entered = self.waiting.borrow_mut().enter(place, is_gone);
        // Whether or not this one finds a place: others will want what is fetched now.
        self.hurry();
        if !entered {
            return Err(Decision::Deny(pending.refused(Denial::TooBusy)));
        }
        self.key_meters.waiting(self.waiting.borrow().len());
        Ok(())
    }

    /// Looks whether another worker has the keys that are needed already. Returns what is needed still.
    fn look_for(&self, request: &Request, pending: Pending, outside: &Outside<'_>) -> Result<Pending, Decision> {
        let Some(issuer) = pending.need.issuer() else { return Ok(pending) };
        let events = self.keys.borrow_mut().look_for(issuer, outside);
        if events.is_empty() {
            return Ok(pending);
        }
        self.tell(events);
        match self.decide(request) {
            Decision::Await(pending) => Ok(pending),
            decision => Err(decision),
        }
    }

    /// Judges once more who need not wait any longer.
    pub(super) fn settle(&self) {
        if self.waiting.borrow().len() == 0 {
            return;
        }
        let outside = self.outside();
        let ready = {
            let mut keys = self.keys.borrow_mut();
            let mut waiting = self.waiting.borrow_mut();
            let lists = self.lists.borrow();
            let ended = |place: &Place<Weak<Request>>| match &place.need {
                Need::Revocations => lists.ended(place.since, place.deadline, &outside),
                need => keys.ended(need, place.since, place.deadline, &outside),
            };
            let ready = waiting.leave(ended, is_gone);
            // What the last one wanted has come by another's fetch: no further one is needed.
            for (place, _) in &ready {
                if let Need::Kid(issuer, _) = place.need
                    && !waiting.waits_for_kid_of(issuer)
                {
                    keys.want_no_more(issuer);
                }
            }
            ready
        };
        for (place, awaited) in ready {
            let Some(request) = place.who.upgrade() else { continue };
            self.key_meters.waited(now_ms().saturating_sub(place.since));
            if host::set_effective_context(request.context).is_err() {
                continue;
            }
            request.note(&place.need, awaited);
            // Who has waited for keys may have to wait for a list: each need is awaited once.
            let decision = match self.decide(&request) {
                Decision::Await(pending) => match self.park(&request, pending) {
                    Ok(()) => continue,
                    Err(decision) => decision,
                },
                decision => decision,
            };
            // The state is set before the request goes on: its body may come in the middle of that.
            if self.carry_out(&request, decision) == State::Passed && host::resume_request().is_err() {
                log::error!("scopegate: a request that waited could not go on");
            }
        }
        if host::set_effective_context(self.root_context).is_err() {
            log::error!("scopegate: the host lost our root context");
        }
        self.key_meters.waiting(self.waiting.borrow().len());
    }
}

/// Whether the stream of a request is gone: it has dropped the request.
fn is_gone(request: &Weak<Request>) -> bool {
    request.strong_count() == 0
}
