//! One configured plugin in one worker: its policy, its keys, its budgets, and the requests that wait.

mod keys;
mod outcome;
mod request;
mod waiting;

pub use request::{Request, State};

use super::budget::{CryptoBudget, LogBudget};
use super::host::{self, Buffer, Counter, Gauge};
use super::host_verifier;
use super::key_store::KeyStore;
use super::metadata_cache::MetadataCache;
use crate::audit::Outcome;
use crate::config;
use crate::policy::{CryptoPlace, IssuerId, Policy};
use crate::revocation::Revocations;
use crate::token_cache::{CacheCounts, TokenCache};
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
    revocations: RefCell<Revocations>,
    waiting: RefCell<Vec<(IssuerId, Weak<Request>)>>,
    metadata: MetadataCache,
    /// Whether it has been said that the host does not hand metadata over.
    told_unreadable: Cell<bool>,
    logs: LogBudget,
    crypto: CryptoBudget,
    cache: TokenCache,
    /// Whether the host checks the signatures that it can.
    host_checks: bool,
    /// Signatures that the host should have checked and could not, since this was last counted.
    host_failures: Cell<u32>,
    meters: Meters,
}

/// What is counted and shown of what is done for speed.
struct Meters {
    hits: Option<Counter>,
    misses: Option<Counter>,
    evictions: Option<Counter>,
    host_failures: Option<Counter>,
    memory_bytes: Option<Gauge>,
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
        let host_checks = match (policy.crypto, host_verifier::probe()) {
            (CryptoPlace::Host, false) => {
                log::error!(
                    "scopegate: configuration refused: crypto: is host, and this host checks no signatures; write auto"
                );
                return None;
            }
            (CryptoPlace::Wasm, _) => false,
            (CryptoPlace::Auto | CryptoPlace::Host, checks) => checks,
        };
        log::info!(
            "scopegate: signatures are checked {}",
            if host_checks {
                "by the host: RS256 to RS512 and ES256 to ES512; the others in the VM"
            } else {
                "in the VM"
            }
        );
        if let Ok(gauge) = host::define_gauge("scopegate.crypto.host") {
            host::set_gauge(gauge, u64::from(host_checks));
        }
        let define = |name: &str| host::define_counter(name).ok();
        let counters = Outcome::all().filter_map(|outcome| Some((outcome, define(&outcome.counter())?))).collect();
        let plugin = Self {
            root_context,
            looks_at_route: policy.rules.look_at_route(),
            counters,
            left_out: define("scopegate.headers_left_out"),
            keys: RefCell::new(KeyStore::new(&policy.issuers)),
            revocations: RefCell::new(policy.revocation.without_lists(host::now())),
            waiting: RefCell::default(),
            metadata: MetadataCache::default(),
            told_unreadable: Cell::new(false),
            logs: LogBudget::new(policy.limits.denial_logs_per_second),
            crypto: CryptoBudget::new(policy.limits.wasm_crypto_percent),
            cache: TokenCache::new(policy.cache),
            host_checks,
            host_failures: Cell::new(0),
            meters: Meters {
                hits: define("scopegate.cache.hits"),
                misses: define("scopegate.cache.misses"),
                evictions: define("scopegate.cache.evictions"),
                host_failures: define("scopegate.crypto.host_failures"),
                memory_bytes: host::define_gauge("scopegate.vm.memory_bytes").ok(),
            },
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
        self.count_what_was_done();
        self.set_tick();
    }

    /// Counted here and not for each request: a call of the host costs as much as a look into the cache.
    fn count_what_was_done(&self) {
        let CacheCounts { hits, misses, evictions } = self.cache.take_counts();
        let counts = [
            (self.meters.hits, hits),
            (self.meters.misses, misses),
            (self.meters.evictions, evictions),
            (self.meters.host_failures, self.host_failures.take()),
        ];
        for (counter, count) in counts {
            counter.into_iter().for_each(|counter| host::count(counter, count));
        }
        self.meters.memory_bytes.into_iter().for_each(|gauge| host::set_gauge(gauge, host::memory_bytes()));
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
