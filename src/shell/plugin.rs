//! One configured plugin in one worker: its policy, its keys, its budgets, and the requests that wait.

use super::budget::{Budgeted, CryptoBudget, LogBudget};
use super::host::{self, Buffer, Counter, Map};
use super::key_store::{KeyStore, Prospect};
use super::metadata_cache::{MetadataCache, Parsed};
use super::pairs;
use crate::audit::{AuditRecord, Outcome};
use crate::challenge;
use crate::config;
use crate::crypto::PureVerifier;
use crate::decision::{Decision, Denial, Grant, Need, Reason, Refusal};
use crate::engine::decide;
use crate::facts::Facts;
use crate::jose::KeySet;
use crate::policy::{FilterStateScope, IssuerId, Policy, RemoteKeys, RouteMetadata};
use crate::request::RequestView;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};

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

/// A request, with all that is needed to judge it once more.
pub struct Request {
    context: u32,
    /// The header map as the host serialised it; given back once the request is decided, since streams can be many
    /// and last long.
    headers: RefCell<Vec<u8>>,
    route_name: Option<String>,
    virtual_host: Option<String>,
    metadata: Parsed,
    ends_with_headers: bool,
    state: Cell<State>,
}

/// How far a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has not been decided, and nothing of it may go upstream.
    Undecided,
    /// It goes on.
    Passed,
    /// It has been answered here.
    Answered,
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

    fn fetch(&self, issuer: IssuerId, source: &RemoteKeys) {
        let headers = [
            (":method", "GET"),
            (":scheme", source.scheme),
            (":authority", source.authority.as_str()),
            (":path", source.path.as_str()),
            ("accept", "application/jwk-set+json, application/json"),
        ];
        match host::http_get(&source.cluster, &headers, source.timeout_ms) {
            Ok(token) => self.keys.borrow_mut().started(issuer, token),
            Err(_) => {
                log::error!(
                    "scopegate: the keys of {} cannot be fetched: there is no cluster {}",
                    self.issuer_name(issuer),
                    source.cluster
                );
                self.fetched(issuer, None);
            }
        }
    }

    /// Called when a fetch has been answered. Without headers it failed, and nothing of it may be read.
    pub fn on_fetched(&self, token: u32, header_count: usize) {
        let Some(issuer) = self.keys.borrow().fetched_by(token) else { return };
        let keys = if header_count == 0 { Err("no answer".to_owned()) } else { self.read_keys() };
        match keys {
            Ok(keys) => {
                for skipped in keys.skipped() {
                    log::warn!("scopegate: a key of {} is left out: {}", self.issuer_name(issuer), skipped.why);
                }
                log::info!("scopegate: {} has {} usable keys", self.issuer_name(issuer), keys.keys().len());
                self.fetched(issuer, Some(keys));
            }
            Err(why) => {
                log::warn!("scopegate: the keys of {} could not be fetched: {why}", self.issuer_name(issuer));
                self.fetched(issuer, None);
            }
        }
    }

    fn read_keys(&self) -> Result<KeySet, String> {
        let unreadable = |_| "the answer cannot be read".to_owned();
        let headers = host::header_map(Map::CallResponseHeaders).map_err(unreadable)?;
        let status = pairs::parse(&headers).and_then(|pairs| {
            pairs.into_iter().find(|(name, _)| *name == b":status").map(|(_, status)| status.to_vec())
        });
        if status.as_deref() != Some(b"200") {
            return Err("the answer is not 200".to_owned());
        }
        let limits = self.policy.limits;
        let body = host::buffer(Buffer::CallResponseBody, limits.jwks_bytes.saturating_add(1)).map_err(unreadable)?;
        KeySet::parse(&body, limits.jwks_bytes, limits.jwks_keys).map_err(|error| error.to_string())
    }

    fn fetched(&self, issuer: IssuerId, keys: Option<KeySet>) {
        self.keys.borrow_mut().finished(issuer, now_ms(), keys);
        self.wake(issuer);
        self.set_tick();
    }

    /// Judges once more what waits for the keys of `issuer`.
    fn wake(&self, issuer: IssuerId) {
        let waiting = self.waiting.take();
        let (ready, others): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|(wanted, _)| *wanted == issuer);
        *self.waiting.borrow_mut() = others;
        // A stream that is gone has dropped its request.
        for request in ready.into_iter().filter_map(|(_, request)| request.upgrade()) {
            if host::set_effective_context(request.context).is_err() {
                continue;
            }
            let decision = self.decide(&request, true);
            // The state is set before the request goes on: its body may come in the middle of that.
            if self.carry_out(&request, decision) == State::Passed && host::resume_request().is_err() {
                log::error!("scopegate: a request that waited for keys could not go on");
            }
        }
        if host::set_effective_context(self.root_context).is_err() {
            log::error!("scopegate: the host lost our root context");
        }
    }

    /// Reads what is needed of a request.
    pub fn read_request(&self, context: u32, ends_with_headers: bool) -> host::Result<Request> {
        let headers = host::header_map(Map::RequestHeaders)?;
        let name = |path: &[&str]| -> host::Result<Option<String>> {
            if !self.looks_at_route {
                return Ok(None);
            }
            Ok(host::property(path)?.and_then(|bytes| String::from_utf8(bytes).ok()))
        };
        Ok(Request {
            context,
            headers: RefCell::new(headers),
            route_name: name(&["xds", "route_name"])?,
            virtual_host: name(&["xds", "virtual_host_name"])?,
            metadata: self.read_metadata(),
            ends_with_headers,
            state: Cell::new(State::Undecided),
        })
    }

    /// The requirement in route metadata, else that in virtual host metadata.
    fn read_metadata(&self) -> Parsed {
        if self.policy.route_metadata == RouteMetadata::Ignore {
            return Parsed::Nothing;
        }
        for source in ["route_metadata", "virtual_host_metadata"] {
            let parsed = match host::property(&["xds", source]) {
                Ok(None) => Parsed::Nothing,
                Ok(Some(bytes)) => self.metadata.parse(bytes, &self.policy, |error| {
                    log::error!("scopegate: {source} cannot be read, its requests are refused: {error}");
                }),
                Err(failure) => {
                    if !self.told_unreadable.replace(true) {
                        log::error!(
                            "scopegate: {source} cannot be read, its requests are refused: status {}",
                            failure.0
                        );
                    }
                    Parsed::Unreadable
                }
            };
            if !matches!(parsed, Parsed::Nothing) {
                return parsed;
            }
        }
        Parsed::Nothing
    }

    /// Judges a request, and does what follows from it. Returns whether it goes on, is answered, or waits.
    pub fn on_request(&self, request: &Rc<Request>) -> State {
        let decision = match self.decide(request, false) {
            Decision::Await(need) => match self.park(request, need) {
                Ok(()) => return State::Undecided,
                Err(decision) => decision,
            },
            decision => decision,
        };
        self.carry_out(request, decision)
    }

    /// Lets a request wait, or decides it without.
    fn park(&self, request: &Rc<Request>, need: Need) -> Result<(), Decision> {
        let Need::Keys(issuer) = need;
        if self.keys.borrow().prospect(issuer, now_ms()) == Prospect::NotSoon {
            return Err(self.decide(request, true));
        }
        let mut waiting = self.waiting.borrow_mut();
        let limit = self.policy.limits.waiting_requests;
        if waiting.len() >= limit {
            waiting.retain(|(_, request)| request.strong_count() > 0);
        }
        if waiting.len() >= limit {
            return Err(Decision::Deny(Refusal { denial: Denial::TooBusy, token: None }));
        }
        waiting.push((issuer, Rc::downgrade(request)));
        Ok(())
    }

    fn decide(&self, request: &Request, awaited_keys: bool) -> Decision {
        let bytes = request.headers.borrow();
        let Some(headers) = pairs::parse(&bytes) else {
            return Decision::Deny(Refusal { denial: Denial::PolicyUnreadable, token: None });
        };
        let view = RequestView {
            headers: &headers,
            route_name: request.route_name.as_deref(),
            virtual_host: request.virtual_host.as_deref(),
            ends_with_headers: request.ends_with_headers,
        };
        let keys = self.keys.borrow();
        let facts = Facts {
            now: host::now(),
            keys: keys.ring(),
            verifier: &Budgeted { verifier: PureVerifier, budget: &self.crypto, clock: host::now_ns },
            metadata: request.metadata.as_fact(),
            awaited_keys,
        };
        decide(&self.policy, &view, &facts)
    }

    /// Carries a decision out. One that still waits is a refusal: each need is awaited once. So is one whose edits the
    /// host does not make: the upstream would trust headers that the client sent.
    fn carry_out(&self, request: &Request, decision: Decision) -> State {
        let refuse = |denial, token| Decision::Deny(Refusal { denial, token });
        let decision = match decision {
            Decision::Await(Need::Keys(_)) => refuse(Denial::KeysUnavailable, None),
            Decision::Allow(grant) => match edit(&grant) {
                Ok(()) => Decision::Allow(grant),
                Err(failure) => {
                    log::error!("scopegate: the request's headers cannot be edited: status {}", failure.0);
                    refuse(Denial::PolicyUnreadable, grant.token)
                }
            },
            Decision::Deny(refusal) => Decision::Deny(refusal),
        };
        let state = match &decision {
            Decision::Allow(grant) => {
                self.left_out.into_iter().for_each(|counter| host::count(counter, grant.left_out));
                State::Passed
            }
            Decision::Deny(refusal) => {
                self.answer(request, &refusal.denial);
                State::Answered
            }
            Decision::Await(_) => State::Undecided,
        };
        request.state.set(state);
        drop(request.headers.take());
        if let Some(record) = AuditRecord::of(&decision, &self.policy) {
            self.report(&record);
        }
        state
    }

    fn answer(&self, request: &Request, denial: &Denial) {
        let bytes = request.headers.borrow();
        let headers = pairs::parse(&bytes).unwrap_or_default();
        let view = RequestView { headers: &headers, route_name: None, virtual_host: None, ends_with_headers: true };
        if let (true, Some(path)) = (challenge::hides_query(denial), view.path()) {
            // The operator's access log prints the path. When that cannot be mended the refusal still stands.
            let _ = host::set_header(Map::RequestHeaders, ":path", path);
        }
        let reply = challenge::render(denial, &self.policy.realm, view.is_grpc());
        if let Err(failure) = host::send_local_response(&reply) {
            log::error!("scopegate: a refusal cannot be sent: status {}", failure.0);
        }
    }

    fn report(&self, record: &AuditRecord) {
        if let Some(counter) = self.counters.get(&record.outcome) {
            host::count(*counter, 1);
        }
        let refused: Option<Reason> = match record.outcome {
            Outcome::Allowed => None,
            Outcome::Denied(reason) | Outcome::WouldDeny(reason) => Some(reason),
        };
        let wanted = match self.policy.audit.filter_state {
            FilterStateScope::All => true,
            FilterStateScope::Denials => refused.is_some(),
            FilterStateScope::None => false,
        };
        if wanted && host::set_filter_state("scopegate", &record.to_json()).is_err() {
            log::warn!("scopegate: the audit record cannot be put into filter state");
        }
        if let Some(reason) = refused
            && self.logs.admit(reason, host::now_ns())
        {
            log::info!("scopegate: {}", record.to_line());
        }
    }
}

impl Request {
    /// How far it has come.
    pub const fn state(&self) -> State {
        self.state.get()
    }
}

/// Edits the request's headers, once: Envoy matches routes again after an edit.
fn edit(grant: &Grant) -> host::Result<()> {
    for name in &grant.remove {
        host::remove_header(Map::RequestHeaders, name)?;
    }
    for (name, value) in &grant.set {
        host::set_header(Map::RequestHeaders, name, value.as_bytes())?;
    }
    Ok(())
}

fn now_ms() -> u64 {
    host::now_ns() / NANOS_PER_MILLI
}
