//! The thread that wakes the others: each sleeper has a scheduler of Envoy's, and a time.
//!
//! Envoy wants no thread to use a scheduler while its dispatcher ends. Events are committed, and schedulers deleted, under one
//! lock, and a sleeper is removed before its stream or its configuration is gone.

use super::bindings::{
    SchedulerPtr, envoy_dynamic_module_callback_http_filter_config_scheduler_commit,
    envoy_dynamic_module_callback_http_filter_config_scheduler_delete,
    envoy_dynamic_module_callback_http_filter_scheduler_commit,
    envoy_dynamic_module_callback_http_filter_scheduler_delete,
};
use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

/// A scheduler: of a stream, on the thread of its worker, or of a configuration, on the main thread.
#[derive(Debug)]
pub enum Scheduler {
    Stream(SchedulerPtr),
    Config(SchedulerPtr),
}

// SAFETY: Envoy lets any thread commit an event, and we delete it once, under the lock.
unsafe impl Send for Scheduler {}

/// A sleeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sleeper(u64);

#[derive(Default)]
struct Sleepers {
    all: Option<HashMap<u64, (Scheduler, Option<Instant>)>>,
    last: u64,
    /// When the thread wakes next; `None`: when it is told to.
    wakes: Option<Instant>,
}

static SLEEPERS: Mutex<Sleepers> = Mutex::new(Sleepers { all: None, last: 0, wakes: None });
static CHANGED: Condvar = Condvar::new();
static THREAD: Once = Once::new();

fn sleepers() -> MutexGuard<'static, Sleepers> {
    SLEEPERS.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::disallowed_methods, reason = "the time of a timer, which no decision sees")]
pub fn now() -> Instant {
    Instant::now()
}

/// After so many milliseconds.
pub fn after(milliseconds: u32) -> Instant {
    let now = now();
    now.checked_add(Duration::from_millis(u64::from(milliseconds))).unwrap_or(now)
}

/// Adds a sleeper that is woken at `due`, once; then, when it is [`set`] again.
pub fn add(scheduler: Scheduler, due: Instant) -> Sleeper {
    THREAD.call_once(|| {
        if std::thread::Builder::new().name("scopegate".to_owned()).spawn(run).is_err() {
            log::error!("scopegate: there is no thread for timers: keys will not be refreshed");
        }
    });
    let mut sleepers = sleepers();
    sleepers.last = sleepers.last.wrapping_add(1);
    let number = sleepers.last;
    sleepers.all.get_or_insert_with(HashMap::new).insert(number, (scheduler, Some(due)));
    sleepers.hurry(due);
    Sleeper(number)
}

/// Sets when a sleeper is woken.
pub fn set(sleeper: Sleeper, due: Instant) {
    let mut sleepers = sleepers();
    if let Some((_, at)) = sleepers.all.as_mut().and_then(|all| all.get_mut(&sleeper.0)) {
        *at = Some(due);
        sleepers.hurry(due);
    }
}

/// Wakes a sleeper at once, beside its time.
pub fn wake(sleeper: Sleeper) {
    if let Some((scheduler, _)) = sleepers().all.as_ref().and_then(|all| all.get(&sleeper.0)) {
        scheduler.commit();
    }
}

/// Removes a sleeper: it is woken no more, but for an event that is under way.
pub fn remove(sleeper: Sleeper) {
    if let Some((scheduler, _)) = sleepers().all.as_mut().and_then(|all| all.remove(&sleeper.0)) {
        scheduler.delete();
    }
}

impl Sleepers {
    fn hurry(&mut self, due: Instant) {
        if self.wakes.is_none_or(|wakes| due < wakes) {
            CHANGED.notify_one();
        }
    }
}

impl Scheduler {
    fn commit(&self) {
        // SAFETY: it is deleted under the lock that is held here, so it is there.
        unsafe {
            match self {
                Self::Stream(pointer) => envoy_dynamic_module_callback_http_filter_scheduler_commit(*pointer, 0),
                Self::Config(pointer) => envoy_dynamic_module_callback_http_filter_config_scheduler_commit(*pointer, 0),
            }
        }
    }

    fn delete(self) {
        // SAFETY: it has just been taken out, so this is done once.
        unsafe {
            match self {
                Self::Stream(pointer) => envoy_dynamic_module_callback_http_filter_scheduler_delete(pointer),
                Self::Config(pointer) => envoy_dynamic_module_callback_http_filter_config_scheduler_delete(pointer),
            }
        }
    }
}

#[expect(clippy::infinite_loop, reason = "it runs as long as the process")]
fn run() {
    let mut sleepers = sleepers();
    loop {
        let now = now();
        let mut next = None;
        for (scheduler, due) in sleepers.all.iter_mut().flat_map(HashMap::values_mut) {
            match *due {
                Some(at) if at <= now => {
                    scheduler.commit();
                    *due = None;
                }
                Some(at) => next = Some(next.map_or(at, |next: Instant| next.min(at))),
                None => {}
            }
        }
        sleepers.wakes = next;
        sleepers = match next {
            None => CHANGED.wait(sleepers).unwrap_or_else(PoisonError::into_inner),
            Some(next) => {
                let rest = next.saturating_duration_since(now);
                CHANGED.wait_timeout(sleepers, rest).unwrap_or_else(PoisonError::into_inner).0
            }
        };
    }
}
