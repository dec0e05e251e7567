//! Requests that wait for keys and revocation lists. Those that wait for the service of the fleet are in `claims`, those
//! that wait for what an issuer says of a token in `introspection`, and those that wait for their passwords in `passwords`.

use super::super::feed::Outside;
use super::super::host::Host;
use super::super::waiting_room::Waiter;
use super::{Gate, RequestState, StreamRequest};
use crate::decision::{Decision, Denial, Need, Pending};
use crate::facts::Awaited;
use std::rc::{Rc, Weak};

/// The result of parking a request.
pub(super) enum Parked {
    /// It waits.
    Waiting,
    /// It waits for its own body.
    Listens(Box<Pending>),
    /// It does not wait, since it has been decided.
    Decided(Box<Decision>),
}

impl<H: Host> Gate<H> {
    /// Lets a request wait, or decides it where waiting is pointless.
    pub(super) fn park(&self, request: &Rc<StreamRequest>, pending: Pending) -> Parked {
        if let Need::Message(_) = pending.need {
            return Parked::Listens(Box::new(pending));
        }
        let outside = self.outside();
        let pending = match self.look_for(request, pending, &outside) {
            Decision::Await(pending) => pending,
            decision => return Parked::Decided(Box::new(decision)),
        };
        // Also where the keys were missing a moment ago, and another worker has fetched them.
        if let Need::FirstUse(claim) = pending.need {
            return self.ask_fleet(request, pending, &claim);
        }
        if let Need::Introspection(inquiry) = &pending.need {
            let inquiry = inquiry.clone();
            return self.ask_issuer(request, pending, inquiry);
        }
        if let Need::Password(job) = &pending.need {
            let job = Rc::clone(job);
            return self.hash(request, pending, &job);
        }
        let need = &pending.need;
        let deadline = self.documents.borrow_mut().wait_deadline(need, &outside);
        let Some(deadline) = deadline else {
            request.note(need, Awaited::Yes);
            // Each need is noted once, so this ends.
            return match self.decide(request) {
                Decision::Await(pending) => self.park(request, pending),
                decision => Parked::Decided(Box::new(decision)),
            };
        };
        let waiter = Waiter { need: need.clone(), since: outside.now, deadline, request: Rc::downgrade(request) };
        let entered = self.waiting.borrow_mut().enter(waiter, is_gone);
        // Even if this request finds no room, since others will want the document.
        self.hurry();
        if !entered {
            return Parked::Decided(Box::new(self.end_wait(request, pending, Denial::TooBusy)));
        }
        self.show_waiting();
        Parked::Waiting
    }

    /// Picks up what other workers have fetched, and judges again if there is something new.
    fn look_for(&self, request: &StreamRequest, pending: Pending, outside: &Outside<'_>) -> Decision {
        let happened = self.documents.borrow_mut().look_for(&pending.need, outside);
        if happened.is_empty() {
            return Decision::Await(pending);
        }
        self.tell(happened);
        self.decide(request)
    }

    /// Judges the requests again whose wait is over.
    pub(super) fn settle(&self) {
        if self.waiting.borrow().len() == 0 {
            return;
        }
        let outside = self.outside();
        let ready = {
            let mut documents = self.documents.borrow_mut();
            let mut waiting = self.waiting.borrow_mut();
            let ended = |waiter: &Waiter<Weak<StreamRequest>>| {
                documents.ended(&waiter.need, waiter.since, waiter.deadline, &outside)
            };
            let ready = waiting.leave(ended, is_gone);
            // The last request that wanted the `kid` has its answer, so no further fetch is needed.
            for (waiter, _) in &ready {
                if let Need::Kid(issuer, _) = waiter.need
                    && !waiting.waits_for_kid_of(issuer)
                {
                    documents.want_no_more(issuer);
                }
            }
            ready
        };
        for (waiter, awaited) in ready {
            self.go_on(&waiter.request, waiter.since, |request| {
                request.note(&waiter.need, awaited);
                self.decide(request)
            });
        }
        self.return_to_root();
    }

    /// Decides a request whose wait that began at `since` is over, and carries out what is decided.
    pub(super) fn go_on(
        &self,
        request: &Weak<StreamRequest>,
        since: u64,
        decide: impl FnOnce(&StreamRequest) -> Decision,
    ) {
        let Some(request) = request.upgrade() else { return };
        self.meters.waited(&self.host, self.now_ms().saturating_sub(since));
        if self.host.set_effective_context(request.context).is_err() {
            return;
        }
        // After keys a request may have to wait for a list: each need is awaited once.
        let decision = match decide(&request) {
            Decision::Await(pending) => match self.park(&request, pending) {
                Parked::Waiting => return,
                Parked::Listens(pending) => {
                    if self.listen(&request, *pending) && self.host.resume_request().is_err() {
                        log::error!("scopegate: the headers of a request that waited could not go on");
                    }
                    return;
                }
                Parked::Decided(decision) => *decision,
            },
            decision => decision,
        };
        // The state is set before the request goes on, since its body may come during that call.
        if self.carry_out(&request, decision) == RequestState::Passed && self.host.resume_request().is_err() {
            log::error!("scopegate: a request that waited could not go on");
        }
    }

    /// Makes the root context effective again, after calls about streams.
    pub(super) fn return_to_root(&self) {
        if self.host.set_effective_context(self.root_context).is_err() {
            log::error!("scopegate: the host lost our root context");
        }
        self.show_waiting();
    }

    /// How many requests wait, for documents, for the service of the fleet and for passwords.
    pub(super) fn count_waiting(&self) -> usize {
        let of_claims = self.callouts.borrow().claims();
        let of_passwords = self.passwords.count_waiting();
        let of_documents = self.waiting.borrow().len().saturating_add(of_claims);
        of_documents.saturating_add(self.inquiries.count_waiting()).saturating_add(of_passwords)
    }

    /// Shows how many requests wait.
    pub(super) fn show_waiting(&self) {
        self.meters.waiting(&self.host, self.count_waiting());
    }
}

/// Whether the stream of a request is gone: it has dropped the request.
pub(super) fn is_gone(request: &Weak<StreamRequest>) -> bool {
    request.strong_count() == 0
}
