//! Requests that wait for the service of the fleet. Each has a callout of its own, which ends in time.

use super::super::callouts::Purpose;
use super::super::feed::{Answer, Failure, FailureKind};
use super::super::host::Host;
use super::super::replay_service;
use super::waiting::Parked;
use super::{Gate, StreamRequest, fetch};
use crate::decision::{Denial, Need, Pending};
use crate::facts::Awaited;
use crate::policy::{FleetClaim, ReplayService};
use std::rc::{Rc, Weak};

/// How long after its timeout an answer is taken for lost, in milliseconds. The host ends a callout at its timeout.
const GRACE_MS: u64 = 1000;

/// A request that waits for the answer to its claim.
#[derive(Debug)]
pub(super) struct WaitingClaim {
    claim: FleetClaim,
    /// What decides if no answer comes.
    pending: Pending,
    /// When it began to wait, in milliseconds.
    since: u64,
    /// From when on its answer is taken for lost.
    deadline: u64,
    request: Weak<StreamRequest>,
}

impl<H: Host> Gate<H> {
    /// Asks the service of the fleet whether this is the first use, and lets the request wait for its answer.
    pub(super) fn ask_fleet(&self, request: &Rc<StreamRequest>, pending: Pending, claim: &FleetClaim) -> Parked {
        // An answer that no request waits for any more holds its place until it comes, so callouts are bounded too.
        let waiting = self.waiting.borrow().len().saturating_add(self.callouts.borrow().claims());
        let denial = if waiting >= self.settings.limits.waiting_requests {
            Denial::TooBusy
        } else {
            match self.send_claim(claim) {
                Ok((token, timeout_ms)) => {
                    let since = self.now_ms();
                    let deadline = since.saturating_add(u64::from(timeout_ms)).saturating_add(GRACE_MS);
                    let request = Rc::downgrade(request);
                    let waiting = WaitingClaim { claim: *claim, pending, since, deadline, request };
                    self.callouts.borrow_mut().sent(token, Purpose::Claim(waiting));
                    self.show_waiting();
                    return Parked::Waiting;
                }
                Err(failure) => {
                    self.replay.tell_of_claim(&self.host, Err(&failure));
                    Denial::ReplayUnavailable
                }
            }
        };
        self.replay.of_request(&self.settings.replay, &request.claims).give_back();
        Parked::Decided(Box::new(self.end_wait(request, pending, denial)))
    }

    /// Sends a claim. Returns the number under which the answer comes, and the timeout.
    fn send_claim(&self, claim: &FleetClaim) -> Result<(u32, u32), Failure> {
        let Some(service) = &self.settings.replay.service else {
            return Err(FailureKind::NoCluster.because("there is no service"));
        };
        let ReplayService { endpoint, form, timeout_ms, .. } = service;
        let body = replay_service::body(*form, claim);
        let headers = replay_service::headers(service);
        let sent = self.host.http_call(&endpoint.cluster, &headers, body.as_bytes(), *timeout_ms);
        sent.map(|token| (token, *timeout_ms)).map_err(|failure| fetch::not_sent(failure, &endpoint.cluster))
    }

    /// The service has answered a claim, with `headers` headers and a body of `bytes` bytes.
    pub(super) fn on_claim(&self, waiting: &WaitingClaim, headers: usize, bytes: usize) {
        let answer = self.read_answer(headers, bytes);
        self.replay.tell_of_claim(&self.host, answer.as_ref().map(|is_first| *is_first));
        self.end_claim(waiting, answer.ok());
        self.return_to_root();
        self.set_tick();
    }

    fn read_answer(&self, headers: usize, bytes: usize) -> Result<bool, Failure> {
        let none = |why: &str| FailureKind::Invalid.because(why);
        let (answer, body) = fetch::receive(&self.host, headers, bytes, replay_service::ANSWER_BYTES, false);
        match (answer, &self.settings.replay.service) {
            (Answer::Document(_), Some(service)) => replay_service::read(service.form, &body.pieces().concat())
                .ok_or_else(|| none("sent another answer than Redis does to SET with NX")),
            (Answer::Failed(failure), _) => Err(failure),
            _ => Err(none("sent no answer to SET")),
        }
    }

    /// Ends the waits whose answers are lost: nothing hangs.
    pub(super) fn end_lost_claims(&self) {
        let now = self.now_ms();
        let lost = self.callouts.borrow_mut().lost(|claim| now >= claim.deadline);
        if lost.is_empty() {
            return;
        }
        for waiting in &lost {
            let failure = FailureKind::Timeout.because("did not answer, and the host did not say so");
            self.replay.tell_of_claim(&self.host, Err(&failure));
            self.end_claim(waiting, None);
        }
        self.return_to_root();
    }

    /// Ends a wait. With an answer the request is judged again from the start; without one it is refused, and nothing is
    /// judged again.
    fn end_claim(&self, waiting: &WaitingClaim, is_first: Option<bool>) {
        let WaitingClaim { claim, pending, since, request, .. } = waiting;
        self.go_on(request, *since, |request| match is_first {
            Some(is_first) => {
                request.note(&Need::FirstUse(*claim), Awaited::Yes);
                request.claims.answer(claim, is_first);
                self.decide(request)
            }
            None => {
                self.replay.of_request(&self.settings.replay, &request.claims).give_back();
                self.end_wait(request, pending.clone(), Denial::ReplayUnavailable)
            }
        });
    }
}
