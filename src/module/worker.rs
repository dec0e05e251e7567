//! The gates and the streams of one thread.
//!
//! What a gate asks of the host that calls back in (answers, going on, resets) is done once the hook's own work is over, as the
//! host of Wasm does it: no gate is called while another call of it is under way.

mod asked;
mod time;

use super::bindings::FilterPtr;
use super::callouts::{Answer, Mailbox};
use super::configuration::{self, Configuration};
use super::host::EnvoyHost;
use super::metrics::Metric;
use super::shared;
use super::stream::{Body, Stream};
use super::timer::{self, Sleeper};
use crate::shell::{ContextHasher, Filter, Prepared};
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasherDefault;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// The period of ticks at which nothing is urgent, in milliseconds.
const CALM_MS: u32 = 500;

thread_local! {
    // Never dropped: gates are given up while Envoy is there, and at the end of a thread it is not.
    static WORKER: ManuallyDrop<Worker> = ManuallyDrop::new(Worker::new());
}

/// What is done once the hook's own work is over.
#[derive(Debug)]
pub enum Deferred {
    Answer(Box<Prepared>),
    Resume,
    Reset,
}

/// One configuration's gate on this thread.
pub struct Root {
    /// The number of its root context.
    pub context: u32,
    pub configuration: Arc<Configuration>,
    mailbox: Arc<Mailbox>,
    /// How many streams of it are here.
    streams: Cell<usize>,
    period_ms: Cell<u32>,
    due: Cell<Instant>,
    /// How much news there was when it looked last.
    seen_news: Cell<u64>,
    /// What wakes this thread for it, and the stream that this is of; on the main thread it is of the configuration.
    sleeper: Cell<Option<(u32, Sleeper)>>,
    metrics: RefCell<Vec<Metric>>,
}

/// A stream of this thread.
struct Live {
    filter: FilterPtr,
    root: Rc<Root>,
    /// Answered, or left by a panic: nothing of it goes on.
    is_over: bool,
    /// The keys of its filter state, where they are noted.
    keys: Vec<String>,
}

/// What calls are about.
#[derive(Clone, Default)]
struct Effective {
    root: Option<Rc<Root>>,
    stream: Option<(u32, FilterPtr)>,
    /// The body of the stream that the hook is of.
    body: Option<Body>,
}

/// All of one thread.
pub struct Worker {
    filter: Filter<EnvoyHost>,
    roots: RefCell<Vec<Rc<Root>>>,
    streams: RefCell<HashMap<u32, Live, BuildHasherDefault<ContextHasher>>>,
    effective: RefCell<Effective>,
    /// How many hooks are under way, each within the one before.
    depth: Cell<u32>,
    deferred: RefCell<VecDeque<(u32, Deferred)>>,
    last_context: Cell<u32>,
    last_token: Cell<u32>,
    answer: RefCell<Option<Answer>>,
    /// How many configurations had ended when the gates of those were dropped last.
    seen_ended: Cell<u64>,
}

impl Worker {
    fn new() -> Self {
        Self {
            filter: Filter::new(EnvoyHost),
            roots: RefCell::default(),
            streams: RefCell::default(),
            effective: RefCell::default(),
            depth: Cell::new(0),
            deferred: RefCell::default(),
            last_context: Cell::new(0),
            last_token: Cell::new(0),
            answer: RefCell::default(),
            seen_ended: Cell::new(0),
        }
    }

    /// Asks this thread's worker; `None` too at the end of the thread.
    pub fn with<R>(ask: impl FnOnce(&Self) -> Option<R>) -> Option<R> {
        WORKER.try_with(|worker| ask(worker)).ok().flatten()
    }

    /// Does the work of a hook. Then does what was deferred, unless this is within another hook.
    fn work<R>(&self, effective: Effective, work: impl FnOnce(&Filter<EnvoyHost>) -> R) -> R {
        let result = {
            let _within = Within::enter(self, effective);
            work(&self.filter)
        };
        if self.depth.get() == 0 {
            self.settle();
        }
        result
    }

    /// Does what was deferred. Envoy may call back in for each, which may defer more.
    fn settle(&self) {
        loop {
            let Some((context, deferred)) = self.deferred.borrow_mut().pop_front() else { return };
            // Of one that is over, a panic has left this.
            let Some(stream) = self.stream_of(context).filter(|_| !self.is_over(context)) else { continue };
            let _within = Within::enter(self, Effective::default());
            match deferred {
                Deferred::Answer(reply) => {
                    self.end_stream(context);
                    stream.answer(&reply);
                }
                Deferred::Resume => stream.resume(),
                Deferred::Reset => {
                    self.end_stream(context);
                    stream.reset();
                }
            }
        }
    }

    fn next_context(&self) -> u32 {
        let mut next = self.last_context.get();
        loop {
            next = next.wrapping_add(1).max(1);
            let is_taken = self.streams.borrow().contains_key(&next)
                || self.roots.borrow().iter().any(|root| root.context == next);
            if !is_taken {
                self.last_context.set(next);
                return next;
            }
        }
    }

    // Roots.

    /// Makes this thread's gate of a configuration. Returns whether that is good.
    pub fn begin_root(&self, configuration: &Arc<Configuration>) -> bool {
        let context = self.next_context();
        let root = Rc::new(Root {
            context,
            configuration: Arc::clone(configuration),
            mailbox: Arc::default(),
            streams: Cell::new(0),
            period_ms: Cell::new(CALM_MS),
            due: Cell::new(timer::after(CALM_MS)),
            seen_news: Cell::new(shared::news()),
            sleeper: Cell::new(None),
            metrics: RefCell::default(),
        });
        self.roots.borrow_mut().push(Rc::clone(&root));
        self.work(root.alone(), |filter| {
            filter.on_context_create(context, 0);
            filter.on_configure(context)
        })
    }

    /// Begins the timer of the main thread's gate. Returns whether there is one.
    pub fn begin_timer(&self, configuration: &Arc<Configuration>) -> bool {
        let Some(root) = self.root_of(configuration) else { return false };
        let sleeper = configuration.begin(root.period_ms.get());
        root.sleeper.set(sleeper.map(|sleeper| (root.context, sleeper)));
        root.mailbox.set_sleeper(sleeper);
        sleeper.is_some()
    }

    /// The main thread's gate of a configuration ends, while Envoy's object is still there.
    pub fn end_root(&self, configuration: &Arc<Configuration>) {
        if let Some(root) = self.root_of(configuration) {
            self.work(root.alone(), |filter| filter.on_delete(root.context));
            self.roots.borrow_mut().retain(|own| own.context != root.context);
        }
    }

    fn root_of(&self, configuration: &Arc<Configuration>) -> Option<Rc<Root>> {
        self.roots.borrow().iter().find(|root| Arc::ptr_eq(&root.configuration, configuration)).cloned()
    }

    /// The gate of a configuration on this thread. It is made for the first stream.
    fn root_for(&self, configuration: &Arc<Configuration>) -> Option<Rc<Root>> {
        if let Some(root) = self.root_of(configuration) {
            return Some(root);
        }
        self.begin_root(configuration);
        self.root_of(configuration)
    }

    /// Drops the gates of configurations that have ended and have no stream here.
    pub fn drop_ended(&self) {
        let ended = configuration::ended();
        if self.seen_ended.get() == ended {
            return;
        }
        let is_over = |root: &Rc<Root>| root.configuration.has_ended() && root.streams.get() == 0;
        let over: Vec<Rc<Root>> = self.roots.borrow().iter().filter(|root| is_over(root)).cloned().collect();
        for root in over {
            self.work(root.alone(), |filter| filter.on_delete(root.context));
            self.roots.borrow_mut().retain(|own| own.context != root.context);
        }
        // One that still has streams is looked at again.
        if !self.roots.borrow().iter().any(|root| root.configuration.has_ended()) {
            self.seen_ended.set(ended);
        }
    }

    /// The main thread is woken for a configuration.
    pub fn on_config_scheduled(&self, configuration: &Arc<Configuration>) {
        self.drop_ended();
        if let Some(envoy) = configuration.envoy() {
            configuration.outbox.send_all(envoy);
        }
        if let Some(root) = self.root_of(configuration) {
            self.take_answers(&root);
            if self.tick_if_due(&root) {
                configuration.tell_unlogged();
                configuration.make_orphans();
            }
        }
    }

    // Streams.

    /// A stream begins. Returns its number.
    pub fn begin_stream(&self, configuration: &Arc<Configuration>, filter: FilterPtr) -> Option<u32> {
        self.drop_ended();
        let root = self.root_for(configuration)?;
        let context = self.next_context();
        self.filter.on_context_create(context, root.context);
        root.streams.set(root.streams.get().saturating_add(1));
        let live = Live { filter, root: Rc::clone(&root), is_over: false, keys: Vec::new() };
        self.streams.borrow_mut().insert(context, live);
        Some(context)
    }

    /// Does the work of a hook about a stream; `None` if it is gone.
    pub fn on_stream<R>(&self, context: u32, work: impl FnOnce(&Filter<EnvoyHost>) -> R) -> Option<R> {
        let (root, filter) = self.find(context)?;
        Some(self.work(root.with(context, filter), work))
    }

    /// Does the work of a hook about a body, which is told how much of it is here.
    pub fn on_body<R>(&self, context: u32, body: Body, work: impl FnOnce(&Filter<EnvoyHost>, usize) -> R) -> Option<R> {
        let (root, filter) = self.find(context)?;
        let size = Stream(filter).body_size(body, true);
        let effective = Effective { body: Some(body), ..root.with(context, filter) };
        Some(self.work(effective, |own| work(own, size)))
    }

    /// Whether something is done with a response. With most nothing is.
    pub fn awaits_response(&self, context: u32) -> bool {
        self.filter.awaits_response(context)
    }

    /// Before the hook of the headers: answers that have come, and ticks that are due. While no stream was here, nothing woke
    /// this thread, so the gate may know less than it should.
    pub fn before_headers(&self, context: u32) {
        let Some((root, _)) = self.find(context) else { return };
        self.take_answers(&root);
        if self.tick_if_due(&root) {
            self.have_woken(&root, Some(context));
        }
    }

    /// After a hook of the request: for a stream that waits, and where ticks are wanted, this thread is woken. One that has been
    /// answered ends soon, and what is told at its end need not wait for a tick; but that of a worker with other streams must.
    pub fn after_request(&self, context: u32, waits: bool) {
        let Some((root, _)) = self.find(context) else { return };
        let is_answered = waits && self.is_over(context);
        if waits && !is_answered || root.period_ms.get() < CALM_MS || self.filter.watches() {
            self.have_woken(&root, Some(context));
        } else if is_answered && root.streams.get() > 1 {
            self.have_woken(&root, None);
        }
    }

    /// Part of a long response has gone by: this thread is woken, since the stream may be here for long.
    pub fn after_response(&self, context: u32) {
        if let Some((root, _)) = self.find(context) {
            self.have_woken(&root, Some(context));
        }
    }

    /// A stream has been woken.
    pub fn on_scheduled(&self, context: u32) {
        let Some((root, _)) = self.find(context) else { return };
        self.take_answers(&root);
        self.tick_if_due(&root);
        self.have_woken(&root, Some(context));
    }

    /// A stream is gone. It is taken out first, so that a panic leaves nothing that leads to it.
    pub fn delete_stream(&self, context: u32) {
        let live = self.streams.borrow_mut().remove(&context);
        let Some(Live { filter, root, .. }) = live else { return };
        root.streams.set(root.streams.get().saturating_sub(1));
        let was_woken = root.sleeper.get().filter(|(of, _)| *of == context && !root.configuration.is_main());
        if let Some((_, sleeper)) = was_woken {
            root.sleeper.set(None);
            root.mailbox.set_sleeper(None);
            timer::remove(sleeper);
        }
        self.work(root.with(context, filter), |own| own.on_delete(context));
        if root.streams.get() == 0 {
            // Nothing can wake this thread for it any more, so the main thread tells what is left to tell.
            let unlogged = self.work(root.with(context, filter), |own| own.on_idle(root.context));
            root.configuration.leave_unlogged(&unlogged);
        } else if root.sleeper.get().is_none() && (was_woken.is_some() || self.filter.watches()) {
            self.have_woken(&root, None);
        }
    }

    fn find(&self, context: u32) -> Option<(Rc<Root>, FilterPtr)> {
        self.streams.borrow().get(&context).map(|live| (Rc::clone(&live.root), live.filter))
    }

    fn stream_of(&self, context: u32) -> Option<Stream> {
        self.streams.borrow().get(&context).map(|live| Stream(live.filter))
    }

    /// Nothing of the stream goes on from now on.
    pub fn end_stream(&self, context: u32) {
        if let Some(live) = self.streams.borrow_mut().get_mut(&context) {
            live.is_over = true;
        }
    }

    /// Whether nothing of the stream goes on, since it has been answered here. One that is not known is over.
    pub fn is_over(&self, context: u32) -> bool {
        self.streams.borrow().get(&context).is_none_or(|live| live.is_over)
    }
}

/// A hook that is under way: what calls were about before comes back when it ends, also by a panic.
struct Within<'w> {
    worker: &'w Worker,
    before: Effective,
}

impl<'w> Within<'w> {
    fn enter(worker: &'w Worker, effective: Effective) -> Self {
        worker.depth.set(worker.depth.get().saturating_add(1));
        let before = worker.effective.replace(effective);
        Self { worker, before }
    }
}

impl Drop for Within<'_> {
    fn drop(&mut self) {
        self.worker.depth.set(self.worker.depth.get().saturating_sub(1));
        self.worker.effective.replace(std::mem::take(&mut self.before));
    }
}
