//! Requests of gates to clusters. Envoy sends those of a configuration from its main thread alone, so a worker hands its own
//! over, and gets the answer back by way of its mailbox.

use super::bindings::{
    Buffer, CALLOUT_SENT, ConfigPtr, Header, NO_CLUSTER, envoy_dynamic_module_callback_http_filter_config_http_callout,
};
use super::timer::{self, Sleeper};
use crate::shell::Failure;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A request that could not be made: the number of `proxy_status_t`.
const NOT_MADE: Failure = Failure(10);
/// The longest time that a worker waits for answers that nothing needs any more.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// An answer, or that there is none: then it has no headers.
#[derive(Debug, Default)]
pub struct Answer {
    /// The number that the gate knows the request by.
    pub token: u32,
    pub header_count: usize,
    /// As the host serialises a map.
    pub headers: Vec<u8>,
    pub body: Vec<u8>,
}

/// A request.
#[derive(Debug)]
pub struct Call {
    pub token: u32,
    pub cluster: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub timeout_ms: u32,
}

/// Where one gate of one thread gets its answers.
#[derive(Debug, Default)]
pub struct Mailbox {
    answers: Mutex<Vec<Answer>>,
    has_answers: AtomicBool,
    /// What wakes its thread, while it can be woken.
    sleeper: Mutex<Option<Sleeper>>,
}

/// What the workers want sent, and where the answers go.
#[derive(Debug, Default)]
pub struct Outbox {
    calls: Mutex<Vec<(Arc<Mailbox>, Call)>>,
    /// By Envoy's number.
    under_way: Mutex<HashMap<u64, (Arc<Mailbox>, u32)>>,
    /// One of them has been answered.
    answered: Condvar,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Mailbox {
    /// Notes what wakes the thread.
    pub fn set_sleeper(&self, sleeper: Option<Sleeper>) {
        *lock(&self.sleeper) = sleeper;
    }

    /// What has come.
    pub fn take(&self) -> Vec<Answer> {
        if !self.has_answers.swap(false, Ordering::AcqRel) {
            return Vec::new();
        }
        std::mem::take(&mut lock(&self.answers))
    }

    /// Whether something has come.
    pub fn has_answers(&self) -> bool {
        self.has_answers.load(Ordering::Acquire)
    }

    fn put(&self, answer: Answer) {
        lock(&self.answers).push(answer);
        self.has_answers.store(true, Ordering::Release);
        // Without a stream that waits nothing is in a hurry: the answer is taken with the next one.
        let sleeper = *lock(&self.sleeper);
        sleeper.into_iter().for_each(timer::wake);
    }
}

impl Outbox {
    /// Hands a request over to the main thread.
    pub fn put(&self, mailbox: &Arc<Mailbox>, call: Call) {
        lock(&self.calls).push((Arc::clone(mailbox), call));
    }

    /// Sends what the workers have handed over. On the main thread.
    pub fn send_all(&self, envoy: ConfigPtr) {
        let calls = std::mem::take(&mut *lock(&self.calls));
        for (mailbox, call) in calls {
            if self.send(envoy, &mailbox, &call).is_err() {
                mailbox.put(Answer { token: call.token, ..Answer::default() });
            }
        }
    }

    /// Sends a request. On the main thread.
    pub fn send(&self, envoy: ConfigPtr, mailbox: &Arc<Mailbox>, call: &Call) -> Result<(), Failure> {
        let lines: Vec<Header> =
            call.headers.iter().map(|(name, value)| Header::of(name.as_bytes(), value.as_bytes())).collect();
        let (cluster, body) = (Buffer::of(call.cluster.as_bytes()), Buffer::of(&call.body));
        let timeout = u64::from(call.timeout_ms);
        let mut id = 0;
        // SAFETY: the configuration is there, since the main thread is in one of its hooks; all buffers are of live values.
        let sent = unsafe {
            envoy_dynamic_module_callback_http_filter_config_http_callout(
                envoy,
                &raw mut id,
                cluster,
                lines.as_ptr(),
                lines.len(),
                body,
                timeout,
            )
        };
        match sent {
            CALLOUT_SENT => {
                lock(&self.under_way).insert(id, (Arc::clone(mailbox), call.token));
                Ok(())
            }
            NO_CLUSTER => Err(Failure::BAD_ARGUMENT),
            _ => Err(NOT_MADE),
        }
    }

    /// Envoy has an answer, or none. On the main thread. The gate takes it when its thread is woken: here Envoy's object may be
    /// gone at any moment.
    pub fn answered(&self, id: u64, answer: Answer) {
        let whose = lock(&self.under_way).remove(&id);
        if let Some((mailbox, token)) = whose {
            mailbox.put(Answer { token, ..answer });
            self.answered.notify_all();
        }
    }

    /// Waits until the main thread has the answers to all that is under way; false if that takes too long. Envoy drops a
    /// configuration on the thread that used it last, and cancels its requests there, though they are the main thread's.
    pub fn wait_for_answers(&self) -> bool {
        let under_way = lock(&self.under_way);
        let waited = self.answered.wait_timeout_while(under_way, LONGEST_WAIT, |calls| !calls.is_empty());
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}
