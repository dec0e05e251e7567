//! Judges a request, and carries out the decision.

use super::super::budget::Budgeted;
use super::super::host::{Host, Map, Result};
use super::super::host_verifier::HostVerifier;
use super::super::pairs;
use super::super::reply_cache::Prepared;
use super::introspection::Answers;
use super::surroundings::HostSurroundings;
use super::waiting::Parked;
use super::{Gate, Progress, RequestState, StreamRequest};
use crate::challenge;
use crate::crypto::LocalVerifier;
use crate::decision::{Decision, Denial, Grant, Pending, Refusal, Trace};
use crate::engine::{decide, end_wait};
use crate::facts::Facts;
use crate::policy::{JUDGED_ROUTE, JUDGED_VIRTUAL_HOST, LogScope};
use crate::request::RequestView;
use std::cell::Cell;
use std::rc::Rc;

/// The header that Envoy names a request by.
pub(super) const REQUEST_ID: &str = "x-request-id";

impl<H: Host> Gate<H> {
    /// The headers of a request are here: reads and judges it. Returns its progress.
    pub fn on_headers(&self, context: u32, ends_with_headers: bool) -> Progress {
        match self.read_request(context, ends_with_headers) {
            Ok(request) => self.on_request(request),
            Err(failure) => {
                log::error!("scopegate: the request cannot be read: status {}", failure.0);
                Progress::Decided(self.carry_out(&StreamRequest::unread(context), unread()))
            }
        }
    }

    /// Judges a request, and carries out the decision. Returns whether it goes on, is answered, or waits.
    fn on_request(&self, request: StreamRequest) -> Progress {
        let pending = match self.decide(&request) {
            Decision::Await(pending) => pending,
            decision => {
                let state = self.carry_out(&request, decision);
                return if request.is_kept() { Progress::Waiting(Rc::new(request)) } else { Progress::Decided(state) };
            }
        };
        let request = Rc::new(request);
        request.body.wanted.set(self.wanted(&pending));
        match self.park(&request, pending) {
            Parked::Waiting => Progress::Waiting(request),
            Parked::Listens(pending) => {
                self.listen(&request, *pending);
                Progress::Waiting(request)
            }
            Parked::Decided(decision) => self.progress(request, *decision),
        }
    }

    /// Carries out a decision. Returns the progress of its request, of which something is kept only for its response and its body.
    fn progress(&self, request: Rc<StreamRequest>, decision: Decision) -> Progress {
        let state = self.carry_out(&request, decision);
        if request.is_kept() { Progress::Waiting(request) } else { Progress::Decided(state) }
    }

    pub(super) fn decide(&self, request: &StreamRequest) -> Decision {
        if !self.read_body(request) {
            return unread();
        }
        let decision = Self::view(request, |view| self.with_facts(request, |facts| decide(&self.policy, view, facts)));
        if let Some(Decision::Await(_)) = decision {
            request.body.clear();
        }
        decision.unwrap_or_else(unread)
    }

    /// Has something judged by what this worker knows now.
    pub(super) fn with_facts<R>(&self, request: &StreamRequest, judged: impl FnOnce(&Facts<'_>) -> R) -> R {
        let documents = self.documents.borrow();
        let replay = self.replay.of_request(&self.settings.replay, &request.claims);
        self.read_clock.set(None);
        request.body.with(|body| {
            let facts = Facts {
                surroundings: &HostSurroundings::new(&self.host, &self.read_clock),
                keys: documents.ring(),
                verifier: &HostVerifier {
                    host: &self.host,
                    host_checks: self.host_checks,
                    host_failures: &self.host_failures,
                    asked: Cell::new(false),
                    times: self.speed.verify_us,
                    fallback: Budgeted { verifier: LocalVerifier, budget: &self.crypto, clock: || self.host.now_ns() },
                },
                memory: &self.cache,
                introspections: &Answers {
                    inquiries: &self.inquiries,
                    cache: &self.cache,
                    keys: documents.ring(),
                    own: &request.introspected,
                },
                identities: documents.identities(),
                passwords: self.passwords.judge(),
                replay: &replay,
                sightings: &self.reuse.of_request(&request.sightings),
                revocations: documents.revocations(),
                statuses: Some(documents.statuses()),
                metadata: request.metadata.as_fact(request.metadata_source),
                body,
                awaited: request.awaited.get(),
                shows_mismatch: self.records(true) || self.settings.audit.log != LogScope::Off && self.logs.has_room(),
                shows_needs: self.settings.audit.fields.show_all_needs(),
            };
            judged(&facts)
        })
    }

    /// Ends a wait that brought nothing: the request is refused for this reason, or would be in report-only.
    pub(super) fn end_wait(&self, request: &StreamRequest, pending: Pending, denial: Denial) -> Decision {
        self.read_clock.set(None);
        let surroundings = HostSurroundings::new(&self.host, &self.read_clock);
        Self::view(request, |view| end_wait(&self.policy, view, &surroundings, pending, denial)).unwrap_or_else(unread)
    }

    /// Has a request judged that is read again from what the host handed over; `None` where that cannot be read.
    pub(super) fn view<R>(request: &StreamRequest, judged: impl FnOnce(&RequestView<'_>) -> R) -> Option<R> {
        let bytes = request.headers.borrow();
        let headers = pairs::parse(&bytes)?;
        Some(judged(&RequestView {
            headers: &headers,
            route_name: request.route_name.as_deref(),
            virtual_host: request.virtual_host.as_deref(),
            ends_with_headers: request.ends_with_headers,
        }))
    }

    /// Carries out a decision. If the host refuses the edits, the request is refused, in report-only too: the upstream
    /// would trust headers that the client sent.
    pub(super) fn carry_out(&self, request: &StreamRequest, mut decision: Decision) -> RequestState {
        if let Decision::Await(pending) = decision {
            let denial = pending.need.unmet();
            decision = self.end_wait(request, pending, denial);
        }
        if let Decision::Receive(event) = &decision
            && let Err(denial) = self.take_event(event)
        {
            decision = Decision::Deny(Refusal { denial, trace: Trace::default(), token: None });
        }
        let mut body = None;
        if let Decision::Allow(grant) = &mut decision {
            let room = self.make_room_to_watch(grant);
            let prepared = room.and_then(|()| self.begin_body(request, grant)).and_then(|begun| {
                body = begun;
                self.prepare(request, grant)
            });
            if let Err(denial) = prepared {
                let (trace, token) = (std::mem::take(&mut grant.trace), grant.token.take());
                decision = Decision::Deny(Refusal { denial, trace, token });
            }
        }
        // What was to be done with the response of headers that went on alone is decided anew.
        request.forget_response();
        let (state, status) = match &mut decision {
            Decision::Allow(grant) => {
                request.await_response(grant);
                request.signed.replace(body);
                self.watch(request.context, grant);
                self.left_out.into_iter().for_each(|counter| self.host.count(counter, grant.left_out));
                (RequestState::Passed, None)
            }
            Decision::Deny(refusal) => {
                self.revoke_reused(refusal);
                (RequestState::Answered, Some(self.answer(request, refusal)))
            }
            Decision::Serve(served) => {
                let reply = Prepared::from(challenge::metadata(served, &self.policy));
                self.reply(&reply);
                (RequestState::Answered, Some(reply.status))
            }
            Decision::Receive(event) => {
                let reply = Prepared::from(challenge::received(event));
                self.reply(&reply);
                (RequestState::Answered, Some(reply.status))
            }
            Decision::Await(_) => (RequestState::Undecided, None),
        };
        request.state.set(state);
        self.report(request, &decision, status);
        keep_for_records(request);
        drop(request.introspected.take());
        request.body.clear();
        state
    }

    /// Does what a request needs upstream.
    fn prepare(&self, request: &StreamRequest, grant: &Grant) -> std::result::Result<(), Denial> {
        // Headers that have gone on have been edited.
        if request.state.get() == RequestState::Listening {
            return Ok(());
        }
        self.publish(grant).and_then(|()| self.edit(grant)).map_err(|failure| {
            log::error!("scopegate: what the request needs upstream cannot be set: status {}", failure.0);
            Denial::HostFailure
        })
    }

    /// Refuses a request that has gone on. If its upstream has answered, the host resets the stream.
    pub(super) fn refuse_late(&self, request: &StreamRequest, refusal: Refusal) -> RequestState {
        // Nothing more goes on, and the answer of the gate is left as it is.
        request.state.set(RequestState::Answered);
        request.forget_response();
        let status = self.answer(request, &refusal);
        self.report(request, &Decision::Deny(refusal), Some(status));
        RequestState::Answered
    }

    /// Publishes what later filters, or the router, look for. A missing value sets no header, and a missing seal
    /// refuses, so neither opens anything. Still, a host that does not take them is not to be trusted.
    pub(super) fn publish(&self, grant: &Grant) -> Result<()> {
        for (key, value) in grant.identity() {
            self.host.set_filter_state(key, value.as_bytes())?;
        }
        let Some(judged) = grant.judged() else { return Ok(()) };
        self.host.set_filter_state(JUDGED_VIRTUAL_HOST, judged.virtual_host.as_bytes())?;
        self.host.set_filter_state(JUDGED_ROUTE, judged.route.as_bytes())
    }

    /// Edits the request's headers, once: Envoy matches routes again after an edit.
    pub(super) fn edit(&self, grant: &Grant) -> Result<()> {
        for name in &grant.remove {
            self.host.remove_header(Map::RequestHeaders, name)?;
        }
        for (name, value) in &grant.set {
            self.host.set_header(Map::RequestHeaders, name, value.as_bytes())?;
        }
        for (name, value) in &grant.shortened {
            self.host.set_header(Map::RequestHeaders, name, value)?;
        }
        Ok(())
    }

    /// Answers a request that is refused. Returns the HTTP status.
    pub(super) fn answer(&self, request: &StreamRequest, refusal: &Refusal) -> u16 {
        self.watch.streams.forget(request.context);
        let reply = read_again(request, |view| {
            if let (true, Some(path)) = (challenge::hides_query(&refusal.denial), view.path()) {
                // The operator's access log prints the path. The request is refused even if the path cannot be replaced.
                let _ = self.host.set_header(Map::RequestHeaders, ":path", path);
            }
            self.replies.reply(refusal, view.is_grpc())
        });
        self.reply(&reply);
        reply.status
    }

    fn reply(&self, reply: &Prepared) {
        if let Err(failure) = self.host.send_local_response(reply) {
            log::error!("scopegate: an answer cannot be sent: status {}", failure.0);
        }
    }
}

/// The decision on a request that cannot be read.
pub(super) fn unread() -> Decision {
    Decision::Deny(Refusal { denial: Denial::HostFailure, trace: Trace::default(), token: None })
}

/// Frees what is kept of the headers, but for what later records need.
pub(super) fn keep_for_records(request: &StreamRequest) {
    if request.is_reported_later() {
        return;
    }
    let kept = if request.is_kept() { read_again(request, of_record) } else { Vec::new() };
    drop(request.headers.replace(kept));
}

/// The headers of a request that records and answers need: all that is kept of it until its response and its body are here.
fn of_record(view: &RequestView<'_>) -> Vec<u8> {
    let text = |value| std::str::from_utf8(value).unwrap_or_default();
    let id = view.sole_value(REQUEST_ID).map(|id| (REQUEST_ID, text(id)));
    let of_grpc = view.is_grpc().then_some(("content-type", "application/grpc"));
    let pairs: Vec<(&str, &str)> = [(":method", text(view.method()))].into_iter().chain(id).chain(of_grpc).collect();
    pairs::serialise(&pairs)
}

/// Reads the headers of a request again; none if they cannot be read.
pub(super) fn read_again<T>(request: &StreamRequest, read: impl FnOnce(&RequestView<'_>) -> T) -> T {
    let bytes = request.headers.borrow();
    let headers = pairs::parse(&bytes).unwrap_or_default();
    read(&RequestView { headers: &headers, route_name: None, virtual_host: None, ends_with_headers: true })
}
