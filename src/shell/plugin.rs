//! One configured plugin in one worker: its policy, its keys, its budgets, and the requests that wait.

mod keys;
mod outcome;
mod request;
mod waiting;

pub use request::{Request, State};

use super::budget::{CryptoBudget, LogBudget};
use super::host::{self, Buffer, Counter};
use super::key_store::KeyStore;
use super::metadata_cache::MetadataCache;
use crate::audit::Outcome;
use crate::config;
use crate::policy::{IssuerId, Policy};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Weak;

/// How often we are called while keys are missing, in milliseconds.
const TICK_WHILE_INCOMPLETE_MS: u32 = 100;
/// How often we are called otherwise.
const TICK_MS: u32 = 1000;
const NANOS_PER_MILLI: u64 = 1_000_000;

/// A configured plugin.
pub struct Plugin {
    root_context: u32,
    policy: Policy,
    looks_at_route: bool,
    counters: BTreeMap<Outcome, Counter>,
    left_out: Option<Counter>,
    keys: RefCell<KeyStore>,
    waiting: RefCell<Vec<(IssuerId, Weak<Request>)>>,
    metadata: MetadataCache,
    /// Whether it has been said that the host does not hand metadata over.
    told_unreadable: Cell<bool>,
    logs: LogBudget,
    crypto: CryptoBudget,
}

impl Plugin {
    /// Configures a plugin, or says in the log everything that is wrong with its configuration.
    pub fn configure(root_context: u32) -> Option<Self> {
        let bytes = match host::buffer(Buffer::PluginConfiguration, usize::MAX) {
            Ok(bytes) => bytes,
            Err(failure) => {
                log::error!("scopegate: the configuration cannot be read: status {}", failure.0);
                return None;
            }
        };
        let loaded = match config::load(&bytes, &|name| std::env::var(name).ok()) {
            Ok(loaded) => loaded,
            Err(error) => {
                for problem in &error.0 {
                    log::error!("scopegate: configuration refused: {problem}");
                }
                return None;
            }
        };
        for warning in &loaded.warnings {
            log::warn!("scopegate: {warning}");
        }
        let policy = loaded.policy;
        let define = |name: &str| host::define_counter(name).ok();
        let counters = Outcome::all().filter_map(|outcome| Some((outcome, define(&outcome.counter())?))).collect();
        let plugin = Self {
            root_context,
            looks_at_route: policy.rules.look_at_route(),
            counters,
            left_out: define("scopegate.headers_left_out"),
            keys: RefCell::new(KeyStore::new(&policy.issuers)),
            waiting: RefCell::default(),
            metadata: MetadataCache::default(),
            told_unreadable: Cell::new(false),
            logs: LogBudget::new(policy.limits.denial_logs_per_second),
            crypto: CryptoBudget::new(policy.limits.wasm_crypto_percent),
            policy,
        };
        plugin.set_tick();
        Some(plugin)
    }

    /// Whether `name` is a header that only we may set.
    pub fn is_identity_header(&self, name: &[u8]) -> bool {
        self.policy.forward.is_identity_header(name)
    }

    /// Whether there are headers that only we may set.
    pub const fn has_identity_headers(&self) -> bool {
        !self.policy.forward.headers.is_empty()
    }

    /// Called every tick: fetches what is due, takes away what is too old, tells what was not logged.
    pub fn tick(&self) {
        let now = now_ms();
        for issuer in self.keys.borrow_mut().expire(now) {
            log::warn!("scopegate: the keys of {} are too old to be used", self.issuer_name(issuer));
        }
        let due = self.keys.borrow().due(now);
        for (issuer, source) in due {
            self.fetch(issuer, &source);
        }
        if let Some(summary) = self.logs.summary(host::now_ns()) {
            log::info!("scopegate: {summary}");
        }
        self.set_tick();
    }

    fn set_tick(&self) {
        let period = if self.keys.borrow().is_complete() { TICK_MS } else { TICK_WHILE_INCOMPLETE_MS };
        if host::set_tick_period(period).is_err() {
            log::error!("scopegate: the host does not let us have a timer: keys will not be refreshed");
        }
    }

    fn issuer_name(&self, issuer: IssuerId) -> &str {
        self.policy.issuers.get(issuer.0).map_or("", |issuer| issuer.name.as_str())
    }
}

fn now_ms() -> u64 {
    host::now_ns() / NANOS_PER_MILLI
}
