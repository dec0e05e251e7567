//! Requests whose headers are held until their body has come, and of whose body no byte has come. Such a body may never come:
//! without `allow_on_headers_stop_iteration` Envoy gives a filter that stops the headers none.

use super::super::host::Host;
use super::{Gate, RequestState, StreamRequest, TICK_MS, TICK_WHILE_INCOMPLETE_MS};
use crate::decision::{Denial, Pending};
use crate::engine::brings_events;
use crate::request::RequestView;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

/// These requests.
#[derive(Default)]
pub(super) struct Held {
    /// In the order of their deadlines, since all wait equally long.
    line: RefCell<VecDeque<HeldRequest>>,
    /// Whether the log has been told that a body did not come.
    is_told: Cell<bool>,
}

struct HeldRequest {
    request: Weak<StreamRequest>,
    /// Whether it brings events.
    brings_events: bool,
    /// What decides if nothing comes.
    pending: Pending,
    /// When it began to wait, in milliseconds.
    since: u64,
    /// When it stops waiting.
    deadline: u64,
}

impl HeldRequest {
    /// Whether it is there, and nothing of its body is.
    fn waits(&self) -> bool {
        self.request
            .upgrade()
            .is_some_and(|request| request.state.get() == RequestState::Undecided && request.body.shown.get().is_none())
    }
}

impl<H: Host> Gate<H> {
    /// Holds a request until its body comes. Returns its state: it is decided if there is no room. At most half of it, rounded
    /// up, is for events: they need no credential before their body is here, and others may.
    pub(super) fn hold(&self, request: &Rc<StreamRequest>, pending: Pending) -> RequestState {
        let since = self.now_ms();
        let limits = self.settings.limits;
        let pushes = |view: &RequestView<'_>| brings_events(&self.policy, view);
        let brings_events = self.policy.events.is_some() && Self::view(request, pushes).unwrap_or(false);
        let has_room = {
            let mut line = self.held.line.borrow_mut();
            let has_room = |line: &VecDeque<HeldRequest>| {
                let share = limits.waiting_requests.div_ceil(2);
                line.len() < limits.waiting_requests
                    && (!brings_events || line.iter().filter(|held| held.brings_events).count() < share)
            };
            if !has_room(&line) {
                line.retain(HeldRequest::waits);
            }
            has_room(&line)
        };
        if !has_room {
            request.body.give_up();
            let decision = self.end_wait(request, pending, Denial::TooBusy);
            return self.carry_out(request, decision);
        }
        let deadline = since.saturating_add(limits.body_timeout_ms);
        let request = Rc::downgrade(request);
        self.held.line.borrow_mut().push_back(HeldRequest { request, brings_events, pending, since, deadline });
        if limits.body_timeout_ms < u64::from(TICK_MS) {
            self.set_period(self.tick_period.get().min(TICK_WHILE_INCOMPLETE_MS));
        }
        RequestState::Undecided
    }

    /// Called every tick: refuses the requests of whose body nothing has come in time.
    pub(super) fn end_held(&self) {
        if self.held.line.borrow().is_empty() {
            return;
        }
        let now = self.now_ms();
        let over: Vec<HeldRequest> = {
            let mut line = self.held.line.borrow_mut();
            line.retain(HeldRequest::waits);
            let count = line.iter().take_while(|held| held.deadline <= now).count();
            line.drain(..count).collect()
        };
        if over.is_empty() {
            return;
        }
        if !self.held.is_told.replace(true) {
            log::warn!(
                "scopegate: of a body that has to be read first, nothing came in {} ms: its client is slow, or the plugin lacks \
                 allow_on_headers_stop_iteration: true",
                self.settings.limits.body_timeout_ms
            );
        }
        for HeldRequest { request, pending, since, .. } in over {
            self.go_on(&request, since, |request| {
                request.body.give_up();
                self.end_wait(request, pending, Denial::BodyUnreadable)
            });
        }
        self.return_to_root();
    }

    /// Whether a request may stop waiting before a tick of the longest period.
    pub(super) fn is_held_request_due(&self) -> bool {
        let deadline = self.held.line.borrow().front().map(|held| held.deadline);
        deadline.is_some_and(|deadline| deadline <= self.now_ms().saturating_add(u64::from(TICK_MS)))
    }
}
