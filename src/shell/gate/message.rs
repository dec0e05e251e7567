//! Requests whose body is judged: an MCP message, or what has been signed. Nothing of it goes on before it has been judged.
//!
//! Where the headers wait for it, too (`hold_headers`, and every body that is signed without its digest in a header), the plugin
//! has to allow that (`allow_on_headers_stop_iteration`). Elsewhere Envoy gives a filter that stops the headers no body, so the
//! headers go on alone, edited as for a request that is let through.

use super::super::host::{Buffer, Host};
use super::waiting::Parked;
use super::{Gate, RequestState, StreamRequest};
use crate::decision::{Decision, Denial, MessageWanted, Need, Pending, Refusal};
use crate::facts::Body;
use crate::policy::Uses;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// What is known of the body of a request.
#[derive(Default)]
pub struct BodyRead {
    /// What is wanted of it; `None` where it is not judged.
    pub(super) wanted: Cell<Option<MessageWanted>>,
    /// Whether the request waits for its body and for nothing else.
    is_listened_for: Cell<bool>,
    /// The bytes of it that the host has shown us; `None` before the first part.
    pub(super) shown: Cell<Option<usize>>,
    pub(super) end: Cell<BodyEnd>,
    /// All of it, while the request is judged by it: until then the host keeps it.
    text: RefCell<Option<Vec<u8>>>,
}

/// How far a body has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum BodyEnd {
    /// There may be more.
    #[default]
    Open,
    /// That was all.
    Ended,
    /// Trailers follow.
    Trailers,
}

impl BodyRead {
    /// Has something judged by the body as far as it has been read.
    pub(super) fn with<R>(&self, judged: impl FnOnce(Body<'_>) -> R) -> R {
        judged(match (&*self.text.borrow(), self.end.get()) {
            _ if self.is_too_large() => Body::TooLarge,
            (None, _) => Body::Awaited,
            (Some(text), BodyEnd::Trailers) => Body::WithTrailers(text),
            (Some(text), _) => Body::Whole(text),
        })
    }

    /// Frees the text.
    pub(super) fn clear(&self) {
        drop(self.text.take());
    }

    /// The request is decided without its body.
    pub(super) fn give_up(&self) {
        self.is_listened_for.set(false);
    }

    fn is_too_large(&self) -> bool {
        let size = u64::try_from(self.shown.get().unwrap_or_default()).unwrap_or(u64::MAX);
        self.wanted.get().is_some_and(|wanted| size > u64::from(wanted.max_bytes))
    }

    /// Whether as much of it has come as is wanted.
    fn has_come(&self) -> bool {
        self.end.get() != BodyEnd::Open || self.is_too_large()
    }
}

impl<H: Host> Gate<H> {
    /// What is wanted of the body of a request that waits. Where bodies are signed, what comes of one while something else is
    /// awaited counts, too: it does not come again.
    pub(super) fn wanted(&self, pending: &Pending) -> Option<MessageWanted> {
        let of_signed = MessageWanted { max_bytes: self.policy.signed_body_bytes, holds_headers: true };
        match (&pending.need, &pending.trace.message) {
            (Need::Message(wanted), _) => Some(*wanted),
            (_, Some(message)) => Some(message.wanted),
            (_, None) => self.policy.uses.has(Uses::SIGNED_BODIES).then_some(of_signed),
        }
    }

    /// Reads the body, where it is judged and has come. Returns whether that could be done.
    pub(super) fn read_body(&self, request: &StreamRequest) -> bool {
        let body = &request.body;
        if body.wanted.get().is_none() || body.end.get() == BodyEnd::Open || body.is_too_large() {
            return true;
        }
        let size = body.shown.get().unwrap_or_default();
        let text = if size == 0 { Ok(Vec::new()) } else { self.host.buffer(Buffer::RequestBody, 0, size) };
        match text {
            Ok(text) if text.len() == size => {
                body.text.replace(Some(text));
                true
            }
            _ => {
                log::error!("scopegate: the body of a request cannot be read");
                false
            }
        }
    }

    /// Lets a request wait for its body. Returns whether its headers go on now.
    pub(super) fn listen(&self, request: &Rc<StreamRequest>, mut pending: Pending) -> bool {
        let body = &request.body;
        if let Need::Message(wanted) = pending.need {
            body.wanted.set(Some(wanted));
        }
        body.is_listened_for.set(true);
        if body.has_come() {
            return self.judge_body(request) == RequestState::Passed;
        }
        // Where parts have come while the headers were held, the host gives them again to no filter.
        if body.shown.get().is_some() {
            return false;
        }
        if body.wanted.get().is_none_or(|wanted| wanted.holds_headers) {
            return self.hold(request, pending) == RequestState::Passed;
        }
        let edited = pending.grant.take().map(|mut grant| {
            // A response may come before the body has.
            grant.trace = pending.trace.clone();
            request.await_response(&mut grant);
            self.publish(&grant).and_then(|()| self.edit(&grant))
        });
        if let Some(Ok(())) = edited {
            request.state.set(RequestState::Listening);
            return true;
        }
        log::error!("scopegate: what the request needs upstream cannot be set");
        self.carry_out(request, host_failure(pending));
        false
    }

    /// A part of the body is here. Of one that is held, `size` bytes have come so far; one that goes on comes in parts of that
    /// size. Returns the state of the request.
    pub fn on_body(&self, request: &Rc<StreamRequest>, size: usize, ends: bool) -> RequestState {
        match request.state.get() {
            RequestState::Passed => self.on_signed_part(request, size, ends),
            RequestState::Undecided | RequestState::Listening => {
                request.body.shown.set(Some(size));
                self.hear(request, if ends { BodyEnd::Ended } else { BodyEnd::Open })
            }
            RequestState::Answered => RequestState::Answered,
        }
    }

    /// The body ends with trailers.
    pub fn on_body_end(&self, request: &Rc<StreamRequest>) -> RequestState {
        match request.state.get() {
            RequestState::Passed => self.on_signed_trailers(request),
            RequestState::Undecided | RequestState::Listening => self.hear(request, BodyEnd::Trailers),
            RequestState::Answered => RequestState::Answered,
        }
    }

    /// More of a body has come that does not go on yet.
    fn hear(&self, request: &Rc<StreamRequest>, end: BodyEnd) -> RequestState {
        let body = &request.body;
        body.end.set(end);
        if body.has_come() && body.is_listened_for.get() {
            return self.judge_body(request);
        }
        request.state.get()
    }

    /// Judges a request that has waited for its body. Returns its state.
    fn judge_body(&self, request: &Rc<StreamRequest>) -> RequestState {
        request.body.give_up();
        let decision = match self.decide(request) {
            Decision::Await(pending) => match self.park(request, pending) {
                Parked::Waiting => return request.state.get(),
                Parked::Decided(decision) => *decision,
                Parked::Listens(pending) => host_failure(*pending),
            },
            decision => decision,
        };
        self.carry_out(request, decision)
    }
}

/// The refusal of a request whose host does not do what it is asked.
fn host_failure(pending: Pending) -> Decision {
    let Pending { trace, token, .. } = pending;
    Decision::Deny(Refusal { denial: Denial::HostFailure, trace, token })
}
