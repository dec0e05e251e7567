//! The contexts of one VM: its root contexts with their gates, and its streams. Passes each callback of the host to its
//! gate, and judges nothing.

#[cfg(test)]
mod early_bodies;
#[cfg(test)]
mod event_polls;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod held;
#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod introspection;
#[cfg(test)]
mod life;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod open_streams;
#[cfg(test)]
mod passwords;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod pushed_events;
#[cfg(test)]
mod records;
#[cfg(test)]
mod reporting;
#[cfg(test)]
mod revoked_reuse;
#[cfg(test)]
mod revoked_streams;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod signed_bodies;
#[cfg(test)]
mod status;

use super::gate::{Gate, Progress, RequestState, StreamRequest};
use super::host::{Host, Map};
use super::open_streams::OpenStreams;
use super::pairs;
use super::reply_cache::Prepared;
use super::streams::Streams;
use crate::challenge::{self, Terms};
use crate::decision::{Denial, Trace};
use std::cell::RefCell;
use std::rc::Rc;

/// What the host does with a part of a request (`proxy_action_t`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It goes on to the next filter.
    Continue,
    /// It stays here.
    Pause,
}

/// The contexts of one VM.
pub struct Filter<H> {
    host: H,
    /// The root contexts: one, or a few that share the VM.
    roots: RefCell<Vec<Root<H>>>,
    streams: Streams<Stream<H>>,
    /// Those that are closed when their credential is good no longer.
    open: Rc<OpenStreams>,
}

/// A root context. Without a configuration it has no gate.
struct Root<H> {
    context: u32,
    gate: Option<Rc<Gate<H>>>,
}

/// A request stream: its gate, and the progress of its request.
struct Stream<H> {
    gate: Option<Rc<Gate<H>>>,
    progress: Progress,
}

impl<H> Stream<H> {
    /// A stream that begins. Without a gate it is refused.
    const fn new(gate: Option<Rc<Gate<H>>>) -> Self {
        Self { gate, progress: Progress::Decided(RequestState::Undecided) }
    }
}

impl<H: Host + Clone> Filter<H> {
    /// A VM without contexts.
    pub fn new(host: H) -> Self {
        Self { host, roots: RefCell::default(), streams: Streams::default(), open: Rc::default() }
    }

    /// A context begins: a root context, which has no parent, or a stream.
    pub fn on_context_create(&self, context: u32, parent: u32) {
        if parent == 0 {
            self.roots.borrow_mut().push(Root { context, gate: None });
        } else {
            self.streams.begin(context, parent, |root| Stream::new(self.gate_of(root)));
        }
    }

    /// Configures a root context. Returns whether the configuration is good.
    pub fn on_configure(&self, root: u32) -> bool {
        log::info!("scopegate: the module is {} {}", self.host.module(), crate::base::VERSION);
        let mut gate = Gate::configure(self.host.clone(), root, Rc::clone(&self.open)).map(Rc::new);
        let is_good = gate.is_some();
        let is_known = match self.roots.borrow_mut().iter_mut().find(|own| own.context == root) {
            Some(own) => {
                std::mem::swap(&mut own.gate, &mut gate);
                true
            }
            None => false,
        };
        // The earlier gate is dropped once the list is free again.
        drop(gate);
        is_good && is_known
    }

    /// The timer of a root context.
    pub fn on_tick(&self, root: u32) {
        if let Some(gate) = self.gate_of(root) {
            gate.tick();
        }
    }

    /// The last stream of a root context has ended, and nothing may call its gate for a while. Returns the denials that it has
    /// not logged, by their reasons.
    #[cfg(feature = "module")]
    pub fn on_idle(&self, root: u32) -> Vec<(&'static str, u64)> {
        self.gate_of(root).map(|gate| gate.rest()).unwrap_or_default()
    }

    /// Whether streams are watched, so that ticks are wanted while nothing else happens.
    #[cfg(feature = "module")]
    pub fn watches(&self) -> bool {
        self.open.count() > 0
    }

    /// Whether a request that waits may be judged by its body, which has to be handed over while the headers are held.
    #[cfg(feature = "module")]
    pub fn reads_body(&self, context: u32) -> bool {
        let reads = |stream: &Stream<H>| matches!(&stream.progress, Progress::Waiting(request) if request.reads_body());
        self.streams.look(context, reads).unwrap_or(false)
    }

    /// A callout of a root context has been answered, with `headers` headers and a body of `bytes` bytes.
    pub fn on_http_call_response(&self, root: u32, token: u32, headers: usize, bytes: usize) {
        if let Some(gate) = self.gate_of(root) {
            gate.on_callout(token, headers, bytes);
        }
    }

    /// The headers of a request are here.
    pub fn on_request_headers(&self, context: u32, ends_with_headers: bool) -> Action {
        let stream = self.streams.take(context, |root| Stream::new(self.gate_of(root)));
        let gate = stream.and_then(|stream| stream.gate);
        // A body may come before this call ends; until then the request is undecided.
        if !ends_with_headers {
            self.streams.insert(context, Stream::new(gate.clone()));
        }
        let progress = match &gate {
            Some(gate) => gate.on_headers(context, ends_with_headers),
            None => self.refuse_unconfigured(),
        };
        let state = progress.state();
        if !ends_with_headers {
            self.streams.change(context, |stream| stream.progress = progress);
        } else if let Progress::Waiting(_) = progress {
            self.streams.insert(context, Stream { gate, progress });
        }
        action(state)
    }

    /// A part of the body is here, `size` bytes so far. It never goes on while the request is undecided, even if the host
    /// ignores our pause at the headers.
    pub fn on_request_body(&self, context: u32, size: usize, ends: bool) -> Action {
        action_for_body(self.heard(context, |gate, request| gate.on_body(request, size, ends)))
    }

    /// The trailers are here. What no client may set is removed from them too; if that fails, the request does not go on.
    pub fn on_request_trailers(&self, context: u32) -> Action {
        let gate = self.streams.look(context, |stream| stream.gate.clone()).flatten();
        let is_clean = gate.is_none_or(|gate| !gate.bars_trailers() || self.strip_trailers(&gate));
        if !is_clean {
            return Action::Pause;
        }
        action_for_body(self.heard(context, Gate::on_body_end))
    }

    /// The headers of a response are here. Nothing is done with most: their streams are not even in the table.
    pub fn on_response_headers(&self, context: u32, ends: bool) -> Action {
        let goes_on = self.answered(context, |gate, request| gate.on_response_headers(request, ends));
        if goes_on.unwrap_or(true) { Action::Continue } else { Action::Pause }
    }

    /// A part of the response's body is here, `size` bytes.
    pub fn on_response_body(&self, context: u32, size: usize, ends: bool) -> Action {
        let goes_on = self.answered(context, |gate, request| gate.on_response_body(request, size, ends));
        if goes_on.unwrap_or(true) { Action::Continue } else { Action::Pause }
    }

    /// The trailers of a response are here.
    pub fn on_response_trailers(&self, context: u32) {
        self.answered(context, Gate::on_response_trailers);
    }

    /// Whether anything is to be done with a response.
    #[cfg(feature = "module")]
    pub fn awaits_response(&self, context: u32) -> bool {
        let awaits =
            |stream: &Stream<H>| matches!(&stream.progress, Progress::Waiting(request) if request.awaits_response());
        self.streams.look(context, awaits).unwrap_or(false)
    }

    /// Does something with a response, if anything is to be done with it.
    fn answered<R>(&self, context: u32, act: impl FnOnce(&Gate<H>, &StreamRequest) -> R) -> Option<R> {
        let awaiting = self.streams.look(context, |stream| match (&stream.gate, &stream.progress) {
            (Some(gate), Progress::Waiting(request)) if request.awaits_response() => {
                Some((Rc::clone(gate), Rc::clone(request)))
            }
            _ => None,
        });
        awaiting.flatten().map(|(gate, request)| act(&gate, &request))
    }

    /// A context ends.
    pub fn on_delete(&self, context: u32) {
        let root = {
            let mut roots = self.roots.borrow_mut();
            let place = roots.iter().position(|root| root.context == context);
            place.map(|place| roots.swap_remove(place))
        };
        match root {
            Some(Root { gate, .. }) => gate.iter().for_each(|gate| gate.give_up()),
            None => {
                self.open.forget(context);
                self.streams.remove(context);
            }
        }
    }

    /// The gate of a root context. Without a configuration there is none.
    fn gate_of(&self, root: u32) -> Option<Rc<Gate<H>>> {
        self.roots.borrow().iter().find(|own| own.context == root).and_then(|own| own.gate.clone())
    }

    /// The state of a stream. An unknown one is undecided.
    fn state(&self, context: u32) -> RequestState {
        self.streams.look(context, |stream| stream.progress.state()).unwrap_or(RequestState::Undecided)
    }

    /// The state of a stream, of whose body more has come.
    fn heard(&self, context: u32, hear: impl FnOnce(&Gate<H>, &Rc<StreamRequest>) -> RequestState) -> RequestState {
        let waiting = self.streams.look(context, |stream| match (&stream.gate, &stream.progress) {
            (Some(gate), Progress::Waiting(request)) => Some((Rc::clone(gate), Rc::clone(request))),
            _ => None,
        });
        match waiting.flatten() {
            Some((gate, request)) => {
                let state = hear(&gate, &request);
                if request.is_settled() {
                    // It is dropped once the table is free again.
                    self.streams.change(context, |stream| stream.progress = Progress::Decided(state));
                }
                state
            }
            None => self.state(context),
        }
    }

    /// Removes from the trailers what no client may set. Returns whether that could be done.
    fn strip_trailers(&self, gate: &Gate<H>) -> bool {
        let Ok(map) = self.host.header_map(Map::RequestTrailers) else { return false };
        let Some(lines) = pairs::parse(&map) else { return false };
        lines.iter().filter(|(name, _)| gate.is_barred_trailer(name)).all(|(name, _)| {
            std::str::from_utf8(name).is_ok_and(|name| self.host.remove_header(Map::RequestTrailers, name).is_ok())
        })
    }

    /// Refuses a request, since there is no configuration.
    fn refuse_unconfigured(&self) -> Progress {
        let reply =
            Prepared::from(challenge::render(&Denial::HostFailure, &Trace::default(), &Terms::default(), false));
        match self.host.send_local_response(&reply) {
            Ok(()) => Progress::Decided(RequestState::Answered),
            Err(_) => {
                log::error!("scopegate: there is no configuration, and that cannot be answered");
                Progress::Decided(RequestState::Undecided)
            }
        }
    }
}

/// What is done with the body and the trailers.
const fn action_for_body(state: RequestState) -> Action {
    match state {
        RequestState::Listening => Action::Pause,
        state => action(state),
    }
}

/// What is done with the headers.
const fn action(state: RequestState) -> Action {
    match state {
        RequestState::Passed | RequestState::Listening => Action::Continue,
        RequestState::Undecided | RequestState::Answered => Action::Pause,
    }
}
