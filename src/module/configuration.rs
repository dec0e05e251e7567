//! One filter configuration: what the threads know of it in common.

use super::bindings::{ConfigPtr, SchedulerPtr, envoy_dynamic_module_callback_http_filter_config_scheduler_new};
use super::callouts::Outbox;
use super::metrics::Metrics;
use super::timer::{self, Scheduler, Sleeper};
use crate::shell::told;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::ThreadId;

/// How many configurations have ended: a thread that has seen fewer has gates to drop.
static ENDED: AtomicU64 = AtomicU64::new(0);

/// A configuration.
#[derive(Debug)]
pub struct Configuration {
    /// The filter's name, which is the name of the space in shared data.
    pub name: String,
    /// The plugin configuration.
    pub text: Vec<u8>,
    /// Envoy's object; null once it is gone.
    envoy: AtomicPtr<std::ffi::c_void>,
    main: ThreadId,
    sleeper: OnceLock<Sleeper>,
    pub metrics: Metrics,
    /// The requests of workers that the main thread is to send.
    pub outbox: Outbox,
    /// Denials that workers have not logged and cannot tell of, by their reasons.
    unlogged: Mutex<BTreeMap<&'static str, u64>>,
}

impl Configuration {
    /// A configuration that Envoy loads, on the main thread.
    pub fn new(envoy: ConfigPtr, name: String, text: Vec<u8>) -> Arc<Self> {
        Arc::new(Self {
            name,
            text,
            envoy: AtomicPtr::new(envoy),
            main: std::thread::current().id(),
            sleeper: OnceLock::new(),
            metrics: Metrics::default(),
            outbox: Outbox::default(),
            unlogged: Mutex::default(),
        })
    }

    /// Begins the timer of the main thread's gate. `None`: Envoy gives no scheduler.
    pub fn begin(&self, period_ms: u32) -> Option<Sleeper> {
        let envoy = self.envoy()?;
        // SAFETY: Envoy is loading this configuration, so its object is there.
        let scheduler: SchedulerPtr = unsafe { envoy_dynamic_module_callback_http_filter_config_scheduler_new(envoy) };
        if scheduler.is_null() {
            return None;
        }
        let sleeper = timer::add(Scheduler::Config(scheduler), timer::after(period_ms));
        Some(*self.sleeper.get_or_init(|| sleeper))
    }

    /// Has the main thread called at once.
    pub fn wake(&self) {
        if let (Some(sleeper), false) = (self.sleeper.get(), self.has_ended()) {
            timer::wake(*sleeper);
        }
    }

    /// A worker that nothing wakes leaves what it has not logged.
    pub fn leave_unlogged(&self, counts: &[(&'static str, u64)]) {
        if counts.is_empty() {
            return;
        }
        let mut unlogged = self.unlogged.lock().unwrap_or_else(PoisonError::into_inner);
        for (reason, count) in counts {
            let all = unlogged.entry(reason).or_default();
            *all = all.saturating_add(*count);
        }
    }

    /// Tells the log of it. On the main thread, at ticks.
    pub fn tell_unlogged(&self) {
        let unlogged = std::mem::take(&mut *self.unlogged.lock().unwrap_or_else(PoisonError::into_inner));
        if !unlogged.is_empty() {
            log::info!("scopegate: {}", told(unlogged.iter().map(|(reason, count)| (*reason, count))));
        }
    }

    /// Makes the changes of metrics that earlier configurations of the filter have left. On the main thread, at ticks.
    pub fn make_orphans(&self) {
        if let Some(envoy) = self.envoy() {
            self.metrics.make_orphans(envoy, &self.name);
        }
    }

    /// Envoy's object, while it is there. Only the main thread may use it.
    pub fn envoy(&self) -> Option<ConfigPtr> {
        Some(self.envoy.load(Ordering::Acquire)).filter(|pointer| !pointer.is_null())
    }

    /// Whether this is the thread that loaded it.
    pub fn is_main(&self) -> bool {
        std::thread::current().id() == self.main
    }

    /// Whether Envoy has dropped it.
    pub fn has_ended(&self) -> bool {
        self.envoy().is_none()
    }

    /// Envoy drops it, on whichever thread held it last.
    pub fn end(&self) {
        if let Some(sleeper) = self.sleeper.get() {
            timer::remove(*sleeper);
        }
        self.envoy.store(std::ptr::null_mut(), Ordering::Release);
        ENDED.fetch_add(1, Ordering::AcqRel);
    }
}

/// How many configurations have ended in this process.
pub fn ended() -> u64 {
    ENDED.load(Ordering::Acquire)
}
