//! Requests that wait for what is being fetched.

use super::super::host;
use super::super::key_store::Prospect;
use super::{Plugin, Request, State, now_ms};
use crate::decision::{Decision, Denial, Need, Refusal};
use crate::policy::IssuerId;
use std::rc::Rc;

impl Plugin {
    /// Judges once more what waits for the keys of `issuer`.
    pub(super) fn wake(&self, issuer: IssuerId) {
        let waiting = self.waiting.take();
        let (ready, others): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(wanted, _)| *wanted == issuer);
        *self.waiting.borrow_mut() = others;
        // A stream that is gone has dropped its request.
        for request in ready.into_iter().filter_map(|(_, request)| request.upgrade()) {
            if host::set_effective_context(request.context).is_err() {
                continue;
            }
            let decision = self.decide(&request, true);
            // The state is set before the request goes on: its body may come in the middle of that.
            if self.carry_out(&request, decision) == State::Passed && host::resume_request().is_err() {
                log::error!("scopegate: a request that waited for keys could not go on");
            }
        }
        if host::set_effective_context(self.root_context).is_err() {
            log::error!("scopegate: the host lost our root context");
        }
    }

    /// Lets a request wait, or decides it without.
    pub(super) fn park(&self, request: &Rc<Request>, need: Need) -> Result<(), Decision> {
        let Need::Keys(issuer) = need;
        if self.keys.borrow().prospect(issuer, now_ms()) == Prospect::NotSoon {
            return Err(self.decide(request, true));
        }
        let mut waiting = self.waiting.borrow_mut();
        let limit = self.policy.limits.waiting_requests;
        if waiting.len() >= limit {
            waiting.retain(|(_, request)| request.strong_count() > 0);
        }
        if waiting.len() >= limit {
            return Err(Decision::Deny(Refusal { denial: Denial::TooBusy, token: None }));
        }
        waiting.push((issuer, Rc::downgrade(request)));
        Ok(())
    }
}
