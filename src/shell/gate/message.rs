//! Requests whose body is judged: an MCP message. Nothing of it goes on before it has been judged.
//!
//! Where `hold_headers` is set, the headers wait for it too, which the plugin has to allow
//! (`allow_on_headers_stop_iteration`). Elsewhere Envoy gives a filter that stops the headers no body, so the headers go on
//! alone, edited as for a request that is let through.

use super::super::host::{Buffer, Host};
use super::waiting::Parked;
use super::{Gate, RequestState, StreamRequest};
use crate::decision::{Decision, Denial, MessageWanted, Pending, Refusal};
use crate::facts::Body;
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
    shown: Cell<Option<usize>>,
    text: RefCell<Text>,
}

/// The text of a body.
#[derive(Default)]
enum Text {
    #[default]
    Awaited,
    Whole(Vec<u8>),
    TooLarge,
}

impl BodyRead {
    /// Has something judged by the body as far as it has been read.
    pub(super) fn with<R>(&self, judged: impl FnOnce(Body<'_>) -> R) -> R {
        judged(match &*self.text.borrow() {
            Text::Awaited => Body::Awaited,
            Text::Whole(text) => Body::Whole(text),
            Text::TooLarge => Body::TooLarge,
        })
    }

    /// Frees the text.
    pub(super) fn clear(&self) {
        drop(self.text.take());
    }
}

impl<H: Host> Gate<H> {
    /// Lets a request wait for its body. Returns whether its headers go on now.
    pub(super) fn listen(&self, request: &StreamRequest, mut pending: Pending) -> bool {
        let body = &request.body;
        body.is_listened_for.set(true);
        let holds = body.wanted.get().is_none_or(|wanted| wanted.holds_headers);
        // Where parts have come while the headers were held, the host gives them again to no filter.
        if holds || body.shown.get().is_some() {
            return false;
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

    /// A part of the body is here, `size` bytes so far. Returns the state of the request.
    pub fn on_body(&self, request: &Rc<StreamRequest>, size: usize, ends: bool) -> RequestState {
        let body = &request.body;
        let is_open = matches!(request.state.get(), RequestState::Undecided | RequestState::Listening);
        let Some(wanted) = body.wanted.get().filter(|_| is_open) else { return request.state.get() };
        body.shown.set(Some(size));
        if u32::try_from(size).is_ok_and(|size| size <= wanted.max_bytes) {
            if !ends {
                return request.state.get();
            }
            let text = if size == 0 { Ok(Vec::new()) } else { self.host.buffer(Buffer::RequestBody, 0, size) };
            match text {
                Ok(text) if text.len() == size => *body.text.borrow_mut() = Text::Whole(text),
                _ => {
                    log::error!("scopegate: the body of a request cannot be read");
                    return self.carry_out(request, super::outcome::unread());
                }
            }
        } else {
            *body.text.borrow_mut() = Text::TooLarge;
        }
        if !body.is_listened_for.replace(false) {
            return request.state.get();
        }
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

    /// The body ends with trailers.
    pub fn on_body_end(&self, request: &Rc<StreamRequest>) -> RequestState {
        self.on_body(request, request.body.shown.get().unwrap_or_default(), true)
    }
}

/// The refusal of a request whose host does not do what it is asked.
fn host_failure(pending: Pending) -> Decision {
    let Pending { trace, token, .. } = pending;
    Decision::Deny(Refusal { denial: Denial::HostFailure, trace, token })
}
