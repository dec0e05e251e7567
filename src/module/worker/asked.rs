//! What a gate asks of its host.

use super::super::callouts::{Answer, Call};
use super::super::configuration::Configuration;
use super::super::metrics::{self, Change, Kind};
use super::super::stream::{Body, Stream};
use super::{Deferred, Root, Worker};
use crate::shell::Failure;
use std::rc::Rc;
use std::sync::Arc;

impl Worker {
    /// The stream that calls are about.
    pub fn stream(&self) -> Option<Stream> {
        self.effective.borrow().stream.map(|(_, filter)| Stream(filter))
    }

    /// Whether the hook that is under way is of this body.
    pub fn receives(&self, body: Body) -> bool {
        self.effective.borrow().body == Some(body)
    }

    /// The configuration of the gate that calls.
    pub fn configuration(&self) -> Option<Arc<Configuration>> {
        self.effective.borrow().root.as_ref().map(|root| Arc::clone(&root.configuration))
    }

    /// Makes calls be about a stream, or about none.
    pub fn set_effective(&self, context: u32) -> Option<()> {
        let mut effective = self.effective.borrow_mut();
        if effective.root.as_ref().is_some_and(|root| root.context == context) {
            effective.stream = None;
            return Some(());
        }
        let stream = self.stream_of(context)?;
        effective.stream = Some((context, stream.0));
        Some(())
    }

    /// Notes what is to be done with the stream that calls are about.
    pub fn defer(&self, deferred: Deferred) -> Option<()> {
        let (context, _) = self.effective.borrow().stream?;
        self.deferred.borrow_mut().push_back((context, deferred));
        Some(())
    }

    /// Notes a key of filter state of the stream that calls are about. Returns whether it is new.
    pub fn note_key(&self, key: &str) -> Option<bool> {
        let (context, _) = self.effective.borrow().stream?;
        let mut streams = self.streams.borrow_mut();
        let keys = &mut streams.get_mut(&context)?.keys;
        let is_new = !keys.iter().any(|known| known == key);
        if is_new {
            keys.push(key.to_owned());
        }
        Some(is_new)
    }

    // Callouts.

    /// Sends a request, or has it sent.
    pub fn call(&self, call: Call) -> Result<u32, Failure> {
        let root = self.effective.borrow().root.clone().ok_or(Failure::BAD_ARGUMENT)?;
        let token = self.last_token.get().wrapping_add(1);
        self.last_token.set(token);
        let call = Call { token, ..call };
        let configuration = &root.configuration;
        match configuration.envoy().filter(|_| configuration.is_main()) {
            Some(envoy) => configuration.outbox.send(envoy, &root.mailbox, &call)?,
            None => {
                configuration.outbox.put(&root.mailbox, call);
                configuration.wake();
            }
        }
        Ok(token)
    }

    pub(super) fn take_answers(&self, root: &Rc<Root>) {
        for answer in root.mailbox.take() {
            let (token, headers, bytes) = (answer.token, answer.header_count, answer.body.len());
            self.answer.replace(Some(answer));
            self.work(root.alone(), |filter| filter.on_http_call_response(root.context, token, headers, bytes));
            self.answer.replace(None);
        }
    }

    /// Reads the answer that the gate has been called for.
    pub fn with_answer<R>(&self, read: impl FnOnce(&Answer) -> R) -> Option<R> {
        self.answer.borrow().as_ref().map(read)
    }

    // Metrics.

    /// Defines a metric of the gate that calls. Returns its number here.
    pub fn define(&self, kind: Kind, name: &str) -> Result<u32, Failure> {
        let root = self.effective.borrow().root.clone().ok_or(Failure::BAD_ARGUMENT)?;
        let configuration = &root.configuration;
        let envoy = configuration.envoy().filter(|_| configuration.is_main());
        let metric = configuration.metrics.define(envoy, kind, name)?;
        let mut metrics = root.metrics.borrow_mut();
        let number = u32::try_from(metrics.len()).map_err(|_| Failure::BAD_ARGUMENT)?;
        metrics.push(metric);
        Ok(number)
    }

    /// Changes a metric of the gate that calls.
    pub fn change(&self, change: Change, number: u32, value: u64) {
        let (root, stream) = {
            let effective = self.effective.borrow();
            (effective.root.clone(), effective.stream)
        };
        let Some(root) = root else { return };
        let metrics = root.metrics.borrow();
        let Some(metric) = usize::try_from(number).ok().and_then(|number| metrics.get(number)) else { return };
        let stream = stream.map(|(_, filter)| Stream(filter)).or_else(|| self.any_stream_of(&root));
        if let Some(Stream(filter)) = stream {
            return metrics::by_stream(filter, change, metric, value);
        }
        let configuration = &root.configuration;
        if configuration.has_ended() {
            return metrics::orphan(&configuration.name, change, metric, value);
        }
        let envoy = configuration.envoy().filter(|_| configuration.is_main());
        if !envoy.is_some_and(|envoy| metrics::by_configuration(envoy, change, metric, value)) {
            configuration.metrics.leave(change, metric, value);
        }
    }

    pub(super) fn any_stream_of(&self, root: &Rc<Root>) -> Option<Stream> {
        if root.streams.get() == 0 {
            return None;
        }
        let streams = self.streams.borrow();
        streams.values().find(|live| live.root.context == root.context).map(|live| Stream(live.filter))
    }
}
