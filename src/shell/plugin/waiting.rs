//! Requests that wait for keys.

use super::super::host;
use super::super::key_store::Prospect;
use super::super::waiting_room::Place;
use super::{Plugin, Request, State, now_ms};
use crate::decision::{Decision, Denial, Need, Refusal};
use crate::facts::Awaited;
use std::rc::{Rc, Weak};

impl Plugin {
    /// Lets a request wait, or decides it without.
    pub(super) fn park(&self, request: &Rc<Request>, need: Need) -> Result<(), Decision> {
        let outside = self.outside();
        // Another worker may have what is needed already.
        let events = self.keys.borrow_mut().look_for(need.issuer(), &outside);
        let need = if events.is_empty() {
            need
        } else {
            self.tell(events);
            match self.decide(request, Awaited::No) {
                Decision::Await(need) => need,
                decision => return Err(decision),
            }
        };
        let prospect = self.keys.borrow_mut().prospect(&need, &outside);
        if let Prospect::None(awaited) = prospect {
            return Err(self.decide(request, awaited));
        }
        let deadline = self.keys.borrow().deadline(&need, outside.now);
        let place = Place { need, since: outside.now, deadline, who: Rc::downgrade(request) };
        let entered = self.waiting.borrow_mut().enter(place, is_gone);
        // Whether or not this one finds a place: others will want what is fetched now.
        self.hurry();
        if !entered {
            return Err(Decision::Deny(Refusal { denial: Denial::TooBusy, token: None }));
        }
        self.key_meters.waiting(self.waiting.borrow().len());
        Ok(())
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
            let ready = waiting.leave(|place| keys.ended(&place.need, place.since, place.deadline, &outside), is_gone);
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
            let decision = self.decide(&request, awaited);
            // The state is set before the request goes on: its body may come in the middle of that.
            if self.carry_out(&request, decision) == State::Passed && host::resume_request().is_err() {
                log::error!("scopegate: a request that waited for keys could not go on");
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
