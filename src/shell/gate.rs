//! A gate: one configured plugin in one worker: its policy, its keys, its budgets, and the requests that wait.

mod claims;
mod documents;
mod events;
mod fetch;
mod held;
mod introspection;
mod lists;
mod message;
mod meters;
mod open_streams;
mod outcome;
mod passwords;
mod polls;
mod replay;
mod report;
mod request;
mod response;
mod reuse;
mod series;
mod signed_body;
mod surroundings;
mod tallies;
mod waiting;

pub use request::{Progress, RequestState, StreamRequest};

use super::budget::{CryptoBudget, LogBudget};
use super::callouts::Callouts;
use super::documents::Documents;
use super::feed::local_data::LocalData;
use super::feed::{Outside, SharedData};
use super::host::{Buffer, Counter, Gauge, Histogram, Host};
use super::host_verifier;
use super::metadata_cache::MetadataCache;
use super::metrics;
use super::open_streams::OpenStreams;
use super::reply_cache::ReplyCache;
use super::waiting_room::WaitingRoom;
use crate::challenge::Terms;
use crate::config::{self, Loaded};
use crate::crypto::LocalVerifier;
use crate::policy::{
    AuditSettings, CryptoPlace, FilterStateScope, ForwardBy, JUDGED_ROUTE, JUDGED_VIRTUAL_HOST, Policy, RECORD,
    RecordForm, Settings, SharedKeys, Uses,
};
use crate::token_cache::{CacheCounts, TokenCache};
use claims::WaitingClaim;
use events::Events;
use held::Held;
use introspection::Inquiries;
use meters::Meters;
use open_streams::Watch;
use passwords::Passwords;
use polls::Polls;
use replay::Replay;
use reuse::Reuse;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use tallies::Tallies;

/// The tick period when a request wants a fetch, in milliseconds.
const TICK_AT_ONCE_MS: u32 = 5;
/// The tick period while requests wait or keys are missing.
const TICK_WHILE_INCOMPLETE_MS: u32 = 50;
/// The tick period while a document is read in steps.
const TICK_WHILE_READING_MS: u32 = 10;
/// The tick period otherwise. A worker picks up what another has fetched within this time.
const TICK_MS: u32 = 500;
/// Why a module that is not called for responses refuses a field.
pub(super) const NEEDS_FULL: &str = "needs a module that is called for responses; load scopegate-full.wasm";
const NANOS_PER_MILLI: u64 = 1_000_000;

/// A configured plugin.
pub struct Gate<H> {
    host: H,
    root_context: u32,
    policy: Policy,
    settings: Settings,
    tallies: Tallies,
    left_out: Option<Counter>,
    documents: RefCell<Documents>,
    /// What the callouts under way were made for.
    callouts: RefCell<Callouts<WaitingClaim>>,
    /// What the workers share, or data of this worker alone.
    shared: Box<dyn SharedData>,
    waiting: RefCell<WaitingRoom<Weak<StreamRequest>>>,
    meters: Meters,
    /// The period of our timer. It is set only when it changes, since setting it restarts the timer.
    tick_period: Cell<u32>,
    metadata: MetadataCache,
    /// Whether the last metadata that was read had a requirement: of a route, and of a virtual host.
    expects_metadata: [Cell<bool>; 2],
    /// Whether the log has been told that the host does not give us metadata.
    told_unreadable: Cell<bool>,
    logs: LogBudget,
    crypto: CryptoBudget,
    cache: TokenCache,
    passwords: Passwords,
    replay: Replay,
    reuse: Reuse,
    events: Events,
    polls: Polls,
    inquiries: Inquiries,
    held: Held,
    watch: Watch,
    replies: ReplyCache,
    /// Whether the host checks the signatures that it can.
    host_checks: bool,
    /// Signatures that the host could not check, though it should, since this was last counted.
    host_failures: Cell<u32>,
    /// The time that the decision in hand was made at, if it was asked for, in nanoseconds.
    read_clock: Cell<Option<u64>>,
    /// How many requests that were not refused have passed without a log line since the last one had one.
    unlogged: Cell<u32>,
    speed: SpeedMeters,
}

/// Metrics of the caches and of signatures.
struct SpeedMeters {
    hits: Option<Counter>,
    misses: Option<Counter>,
    evictions: Option<Counter>,
    host_failures: Option<Counter>,
    verify_us: Option<Histogram>,
    memory_bytes: Option<Gauge>,
    build_info: Option<Gauge>,
}

impl<H: Host> Gate<H> {
    /// Configures a plugin, or logs everything that is wrong with its configuration. `open` are the streams of the VM that
    /// are watched.
    pub fn configure(host: H, root_context: u32, open: Rc<OpenStreams>) -> Option<Self> {
        let bytes = match host.buffer(Buffer::PluginConfiguration, 0, usize::MAX) {
            Ok(bytes) => bytes,
            Err(failure) => {
                log::error!("scopegate: the configuration cannot be read: status {}", failure.0);
                return None;
            }
        };
        let loaded = match config::load(&bytes, &|name| host.environment(name)) {
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
        let Loaded { policy, settings, .. } = loaded;
        if let Some(field) = policy.needs_responses().filter(|_| !host.calls_for_responses()) {
            log::error!("scopegate: configuration refused: {field}: {NEEDS_FULL}");
            return None;
        }
        if let Some(field) = needs_virtual_host_names(&policy).filter(|_| !host.has_virtual_host_names()) {
            log::error!(
                "scopegate: configuration refused: {field}: this Envoy does not tell a native module the names of virtual hosts; it needs Envoy 1.39, or scopegate.wasm"
            );
            return None;
        }
        let host_checks = host_checks(&host, settings.crypto)?;
        let texts = published(&policy).map(|key| (key, host.declare_text(key)));
        let record = shows_objects(settings.audit).then(|| (RECORD, host.declare_struct(RECORD)));
        for (key, declared) in texts.chain(record) {
            if let Err(failure) = declared {
                let field = if key == RECORD { "audit.record: object: " } else { "" };
                log::error!(
                    "scopegate: configuration refused: {field}this host does not let wasm.{key} be declared: status {}",
                    failure.0
                );
                return None;
            }
        }
        let passwords = Passwords::open(&policy, settings.limits.waiting_requests)?;
        let replay = Replay::open(&host, &policy, &settings.replay)?;
        let reuse = Reuse::open(&host, &policy, settings.limits)?;
        let events = Events::open(&host, &policy, settings.limits)?;
        let inquiries = Inquiries::open(&host, &policy, settings.limits)?;
        let is_shared = shares_keys(&host, settings.shared_keys);
        let shared: Box<dyn SharedData> = if is_shared { host.shared_data() } else { Box::new(LocalData::default()) };
        // Never 0, which means no worker in shared data.
        let me = host.random().max(1);
        let polls = Polls::open(&host, &policy, me);
        let documents = Documents::new(&policy, &settings, host.now(), is_shared, me);
        // The main thread configures its plugin first, before there are workers.
        documents.seed(&*shared);
        let gate = Self {
            root_context,
            tallies: Tallies::define(&host, &policy),
            left_out: host.define_counter(metrics::HEADERS_LEFT_OUT).ok(),
            documents: RefCell::new(documents),
            callouts: RefCell::default(),
            shared,
            waiting: RefCell::new(WaitingRoom::new(settings.limits.waiting_requests)),
            meters: Meters::define(&host, &policy, &settings),
            tick_period: Cell::new(0),
            metadata: MetadataCache::new(host.calls_for_responses()),
            expects_metadata: Default::default(),
            told_unreadable: Cell::new(false),
            logs: LogBudget::new(settings.limits.denial_logs_per_second),
            crypto: CryptoBudget::new(settings.limits.wasm_crypto_percent),
            cache: TokenCache::new(settings.cache),
            passwords,
            replay,
            reuse,
            events,
            polls,
            inquiries,
            held: Held::default(),
            watch: Watch::open(&host, open),
            replies: ReplyCache::new(Terms::of(&policy, &settings.realm)),
            host_checks,
            host_failures: Cell::new(0),
            read_clock: Cell::new(None),
            unlogged: Cell::new(0),
            speed: SpeedMeters::define(&host),
            policy,
            settings,
            host,
        };
        gate.show_version(true);
        gate.listen_for_events();
        gate.pick_up();
        gate.set_tick();
        Some(gate)
    }

    /// Whether a header may not be among trailers.
    pub fn is_barred_trailer(&self, name: &[u8]) -> bool {
        self.policy.is_barred_trailer(name)
    }

    /// Whether there are such headers.
    pub const fn bars_trailers(&self) -> bool {
        self.policy.uses.has(Uses::BARRED_TRAILERS)
    }

    /// Called every tick: picks up what others fetched, fetches what is due, ends the waits that are over, and reports
    /// what was not logged.
    pub fn tick(&self) {
        self.listen_for_events();
        self.refresh();
        self.poll();
        self.end_lost_claims();
        self.go_on_asking();
        self.hash_on();
        self.end_held();
        self.judge_streams();
        self.close_streams();
        if let Some(summary) = self.logs.go_on(self.host.now_ns()) {
            log::info!("scopegate: {summary}");
        }
        self.count_what_was_done();
        self.set_tick();
    }

    /// Counts at ticks and not for each request, since a host call costs as much as a look into the cache.
    fn count_what_was_done(&self) {
        self.count_decisions();
        self.replay.count(&self.host);
        self.reuse.tick(&self.host);
        self.show_version(true);
        if let (Some(gauge), Some(bytes)) = (self.speed.memory_bytes, self.host.memory_bytes()) {
            self.host.set_gauge(gauge, bytes);
        }
    }

    /// No stream is left, and no tick comes for a while: brings up to date what others see. Returns the denials that have not
    /// been logged, by their reasons.
    #[cfg(feature = "module")]
    pub fn rest(&self) -> Vec<(&'static str, u64)> {
        self.count_what_was_done();
        self.meters.waiting(&self.host, 0);
        self.show_open_streams();
        self.logs.take()
    }

    /// Shows whether this version is in use. Said at each tick, since a gate of this version that ends says no for all.
    fn show_version(&self, is_in_use: bool) {
        if let Some(gauge) = self.speed.build_info {
            self.host.set_gauge(gauge, u64::from(is_in_use));
        }
    }

    /// Counts decisions, and how they were made.
    pub fn count_decisions(&self) {
        self.tallies.count(&self.host, &self.policy);
        let CacheCounts { hits, misses, evictions } = self.cache.take_counts();
        let counts = [
            (self.speed.hits, hits),
            (self.speed.misses, misses),
            (self.speed.evictions, evictions),
            (self.speed.host_failures, self.host_failures.take()),
        ];
        for (counter, count) in counts {
            counter.into_iter().for_each(|counter| self.host.count(counter, count));
        }
    }

    /// The time, a random number, and what the workers share.
    fn outside(&self) -> Outside<'_> {
        Outside { shared: &*self.shared, now: self.now_ms(), random: self.host.random() }
    }

    fn now_ms(&self) -> u64 {
        self.host.now_ns() / NANOS_PER_MILLI
    }

    fn set_tick(&self) {
        let (is_busy, is_complete) = {
            let documents = self.documents.borrow();
            (documents.are_busy(), documents.are_complete())
        };
        let has_streams_to_close = self.watch.streams.are_more_over(|| self.host.now()) || self.has_news_for_streams();
        if self.passwords.are_waited_for() || has_streams_to_close {
            return self.set_period(TICK_AT_ONCE_MS);
        }
        let waits = self.waiting.borrow().len() > 0 || self.inquiries.are_busy() || self.is_held_request_due();
        let missing = !is_complete || waits;
        self.set_period(match (is_busy || self.watch.is_judging(), missing) {
            (true, _) => TICK_WHILE_READING_MS,
            (false, true) => TICK_WHILE_INCOMPLETE_MS,
            (false, false) => self.polls.due_in(self.now_ms()).map_or(TICK_MS, in_time),
        });
    }

    fn set_period(&self, period: u32) {
        if self.tick_period.replace(period) != period && self.host.set_tick_period(period).is_err() {
            log::error!("scopegate: the host does not let us have a timer: keys will not be refreshed");
        }
    }
}

impl SpeedMeters {
    fn define(host: &impl Host) -> Self {
        let define = |name: &str| host.define_counter(name).ok();
        Self {
            hits: define(metrics::CACHE_HITS),
            misses: define(metrics::CACHE_MISSES),
            evictions: define(metrics::CACHE_EVICTIONS),
            host_failures: define(metrics::CRYPTO_HOST_FAILURES),
            verify_us: host.define_histogram(metrics::VERIFY_US).ok(),
            memory_bytes: host.memory_bytes().and_then(|_| host.define_gauge(metrics::VM_MEMORY_BYTES).ok()),
            build_info: host.define_gauge(&metrics::build_info()).ok(),
        }
    }
}

/// The tick period with which a poll comes in time that is due in so many milliseconds.
fn in_time(due_in_ms: u64) -> u32 {
    u32::try_from(due_in_ms).unwrap_or(TICK_MS).clamp(TICK_WHILE_INCOMPLETE_MS, TICK_MS)
}

/// Whether the host checks the signatures that it can; `None` where it has to, and cannot.
fn host_checks(host: &impl Host, place: CryptoPlace) -> Option<bool> {
    let host_checks = match (place, host_verifier::probe(host)) {
        (CryptoPlace::Host, false) => {
            log::error!(
                "scopegate: configuration refused: crypto: is host, and this host checks no signatures; write auto"
            );
            return None;
        }
        (CryptoPlace::Wasm, _) => false,
        (CryptoPlace::Auto | CryptoPlace::Host, checks) => checks,
    };
    let place = if host_checks {
        "by the host: RS256 to RS512 and ES256 to ES512; the others in the VM"
    } else {
        LocalVerifier::PLACE
    };
    log::info!("scopegate: signatures are checked {place}");
    if let Ok(gauge) = host.define_gauge(metrics::CRYPTO_HOST) {
        host.set_gauge(gauge, u64::from(host_checks));
    }
    Some(host_checks)
}

/// The field that needs the names of virtual hosts, if there is one.
fn needs_virtual_host_names(policy: &Policy) -> Option<&'static str> {
    let by_rule = policy.rules.look_at_virtual_host().then_some("rules: match.virtual_host");
    by_rule.or_else(|| policy.seal.then_some("seal"))
}

/// Whether records go into filter state as objects.
fn shows_objects(settings: AuditSettings) -> bool {
    settings.record == RecordForm::Object && settings.filter_state != FilterStateScope::None
}

/// The keys of filter state that hold text for Envoy's other filters and for its router.
fn published(policy: &Policy) -> impl Iterator<Item = &str> {
    let sealed = policy.seal.then_some([JUDGED_VIRTUAL_HOST, JUDGED_ROUTE]).into_iter().flatten();
    let forward = Some(&policy.forward).filter(|forward| forward.by == ForwardBy::Router);
    sealed.chain(forward.into_iter().flat_map(|forward| &forward.headers).map(|header| &*header.key))
}

/// Whether the workers share what they fetch. Without a `vm_id` the plugin would share it with every other plugin that
/// has none, such as all of Istio's.
fn shares_keys(host: &impl Host, setting: SharedKeys) -> bool {
    match setting {
        SharedKeys::Never => false,
        SharedKeys::Auto => has_vm_id(host),
        SharedKeys::Always => {
            if !has_vm_id(host) {
                log::warn!("scopegate: shared_keys: without a vm_id every plugin that has none can replace the keys");
            }
            true
        }
    }
}

/// Whether the plugin has a `vm_id`.
fn has_vm_id(host: &impl Host) -> bool {
    host.property(&["plugin_vm_id"]).ok().flatten().is_some_and(|id| !id.is_empty())
}
