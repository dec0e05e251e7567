//! A document that is fetched once for the whole process and kept fresh: a key set, a revocation list.
//!
//! Each worker has its own feed for the document, and the feeds meet in one [`SharedData`]. The worker that finds the
//! document due takes the lease there and fetches. It judges what comes and publishes it; the others pick it up and
//! judge it again. The state of the document (when it is due, how often its source failed) is in shared data too, so
//! that a process asks its source as often as one worker would.
//!
//! Knows no host: the time, random numbers and answers come in as arguments.

pub mod answer;
mod fetch_state;
pub mod local_data;
mod names;
mod record;
mod timing;

#[cfg(test)]
mod interleavings;
#[cfg(test)]
mod lost_lease;
#[cfg(test)]
mod news;
#[cfg(test)]
mod simulation;

pub use crate::base::shared_data::SharedData;
pub use answer::{Answer, Failure, FailureKind, Fetched};
pub use fetch_state::{Change, FetchState};
pub use timing::Timing;

use names::RecordNames;
use record::{DocumentState, Lease, UNNUMBERED, sum};

/// What a feed is told: the shared data, the time in milliseconds since the epoch, and a random number.
#[derive(Clone, Copy)]
pub struct Outside<'b> {
    /// What the workers share.
    pub shared: &'b dyn SharedData,
    /// The time.
    pub now: u64,
    /// A random number. Safety does not depend on it.
    pub random: u64,
}

/// The version of a document's content. A worker never sees two contents under one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u64);

/// A fetch that this worker is to make now.
#[derive(Debug, PartialEq, Eq)]
pub struct Start {
    /// The `ETag` of the content that is held. It is sent in `If-None-Match`, and only to the address it came from.
    pub validator: Option<Validator>,
}

/// The `ETag` of a content and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validator {
    /// The address.
    pub source: String,
    /// The `ETag` as it came.
    pub etag: String,
}

/// One worker's view of one document.
#[derive(Debug)]
pub struct Feed {
    names: RecordNames,
    timing: Timing,
    shares: bool,
    /// The number of this worker in shared data.
    me: u64,
    /// The state of the document when this worker last looked.
    state: DocumentState,
    /// The version that this worker holds, and the one that it cannot use.
    held: Option<u64>,
    refused: Option<u64>,
    /// The version that this worker held until it was too old.
    last_held: Option<u64>,
    /// When the content was confirmed, by a clock that may be set back: see [`Feed::look`].
    confirmed_at: u64,
    flight: Option<Flight>,
    /// When a fetch out of turn was asked for.
    wanted: Option<u64>,
}

#[derive(Debug)]
struct Flight {
    began: u64,
    deadline: u64,
    token: Option<u32>,
}

impl Feed {
    /// The feed of the document at `place` in shared data, a name that no other document has. With `shares` contents
    /// are put into shared data, which other workers see. `me` is a number that no other worker has.
    pub fn new(place: &str, timing: Timing, shares: bool, me: u64) -> Self {
        Self {
            names: RecordNames::new(place),
            timing,
            shares,
            me,
            state: DocumentState::default(),
            held: None,
            refused: None,
            last_held: None,
            confirmed_at: 0,
            flight: None,
            wanted: None,
        }
    }

    /// Puts a free lease into shared data where there is none. Among writers of a new value the last one wins, so this
    /// is done before there are several workers.
    pub fn seed(&self, shared: &dyn SharedData) {
        self.names.seed(shared);
    }

    /// Reads the shared data. Returns a content that is newer than what this worker holds. The caller judges it, and
    /// then [holds](Feed::hold) or [refuses](Feed::refuse) it.
    pub fn look(&mut self, outside: &Outside<'_>) -> Option<(Version, Vec<u8>)> {
        self.look_if(outside, false)
    }

    /// As [`Feed::look`], and also returns a content that is [stale](Feed::is_stale), if this worker has not held it: it was not
    /// called while that was fresh.
    pub fn look_at_any(&mut self, outside: &Outside<'_>) -> Option<(Version, Vec<u8>)> {
        self.look_if(outside, true)
    }

    fn look_if(&mut self, outside: &Outside<'_>, takes_stale: bool) -> Option<(Version, Vec<u8>)> {
        self.read_again(outside);
        if !self.has_news(outside.now, takes_stale) {
            return None;
        }
        let version = self.state.version;
        let Some(body) = self.content(outside.shared) else {
            // Another writer replaced it. The next fetch mends it.
            self.refused = Some(version);
            return None;
        };
        Some((Version(version), body))
    }

    /// Notes that this worker uses this version from now on.
    pub fn hold(&mut self, version: Version) {
        self.held = Some(version.0);
    }

    /// Notes that this worker cannot use this version, so that it is fetched anew.
    pub fn refuse(&mut self, version: Version) {
        self.refused = Some(version.0);
    }

    /// Whether the content has outlived its source for too long, or there never was one.
    pub const fn is_stale(&self, now: u64) -> bool {
        self.state.version == 0 || self.confirmed_at.saturating_add(self.timing.good_for()) <= now
    }

    /// Drops what this worker holds once it is [stale](Feed::is_stale), and says so once. The first worker to notice
    /// tells the log.
    pub fn expire(&mut self, outside: &Outside<'_>) -> Option<Change> {
        if self.held.is_none() || !self.is_stale(outside.now) {
            return None;
        }
        self.last_held = self.held.take();
        let told = [self.state.version, self.state.confirmed_at].map(u64::to_le_bytes).concat();
        let (before, mark) = outside.shared.read(&self.names.too_old).unzip();
        let first = before.as_ref() != Some(&told) && outside.shared.write(&self.names.too_old, &told, mark);
        Some(if first { Change::Changed } else { Change::Same })
    }

    /// Whether this worker holds a content that is not too old.
    pub const fn holds_one(&self) -> bool {
        self.held.is_some()
    }

    /// The version that this worker holds; `None` if its content has no version in shared data.
    pub fn version(&self) -> Option<Version> {
        self.held.filter(|version| *version != UNNUMBERED).map(Version)
    }

    /// How long ago the source confirmed what is held, in milliseconds.
    pub fn age(&self, now: u64) -> Option<u64> {
        self.held.map(|_| now.saturating_sub(self.confirmed_at))
    }

    /// Given for a fetch out of turn that begins after this call. Returns whether one can be expected.
    pub fn want(&mut self, outside: &Outside<'_>) -> bool {
        let lease = self.names.lease(outside.shared).map_or(Lease::default(), |(lease, _)| lease);
        let can_be_paid = self.timing.pay(lease.paid_until, outside.now, 0).is_some();
        if can_be_paid || self.is_due(outside.now) {
            self.wanted.get_or_insert(outside.now);
            return true;
        }
        self.flight.is_some() || self.is_taken(lease, outside.now)
    }

    /// Withdraws the wish for a fetch out of turn that has not begun.
    pub const fn want_no_more(&mut self) {
        self.wanted = None;
    }

    /// The state of the fetch that was asked for at `asked`. It is over when this worker has looked at what it brought, which
    /// [`Feed::begin`] may be the first to learn of. With `must_begin_after` a fetch that was under way by then
    /// does not count.
    pub fn outcome(&self, outside: &Outside<'_>, asked: u64, must_begin_after: bool) -> FetchState {
        let since = if must_begin_after { self.state.attempt_began } else { self.state.attempt_ended };
        let is_over = since >= asked && self.state.attempt_ended > 0;
        let is_coming = || self.wanted.is_some() || self.is_under_way(outside) || self.is_due(outside.now);
        match is_over {
            _ if self.has_news(outside.now, false) => FetchState::Coming,
            true if self.state.failures == 0 => FetchState::Done,
            true => FetchState::Failed,
            false if is_coming() => FetchState::Coming,
            false => FetchState::None,
        }
    }

    /// Whether some worker fetches now.
    pub fn is_under_way(&self, outside: &Outside<'_>) -> bool {
        let taken = || self.names.lease(outside.shared).is_some_and(|(lease, _)| self.is_taken(lease, outside.now));
        self.flight.is_some() || taken()
    }

    /// When the next content can come: at the next attempt, or at the next look, if that finds one.
    pub fn next_at(&self, now: u64) -> u64 {
        if self.is_due(now) || self.has_news(now, false) { now } else { self.state.next_at }
    }

    /// Begins a fetch, if one is due or wanted and no other worker makes it. The caller has to end it with
    /// [`Feed::publish`], [`Feed::confirm`] or [`Feed::fail`].
    pub fn begin(&mut self, outside: &Outside<'_>) -> Option<Start> {
        let now = outside.now;
        self.wanted = self.wanted.filter(|since| self.state.attempt_began < *since && *since <= now);
        if self.flight.is_some() || !(self.is_due(now) || self.wanted.is_some()) {
            return None;
        }
        let (lease, mark) = self.names.lease(outside.shared).or_else(|| {
            self.names.seed(outside.shared);
            self.names.lease(outside.shared)
        })?;
        if self.is_taken(lease, now) {
            return None;
        }
        let taken = Lease { deadline: now.saturating_add(self.timing.lease()), holder: self.me, ..lease };
        if !outside.shared.write(&self.names.lease, &taken.to_bytes(), Some(mark)) {
            return None;
        }
        // Another worker may have fetched between our last look and the lease.
        self.read_again(outside);
        let wanted = self.wanted.filter(|since| self.state.attempt_began < *since);
        if !self.is_due(now) {
            // What another worker has just brought may have what was wanted.
            let has_news = self.has_news(now, false);
            let pays = || wanted.and_then(|_| self.timing.pay(lease.paid_until, now, outside.random));
            let Some(paid_until) = (!has_news).then(pays).flatten() else {
                self.wanted = self.wanted.filter(|_| has_news);
                self.release(outside.shared);
                return None;
            };
            self.names.change_lease(outside.shared, self.me, |lease| lease.paid_until = paid_until);
        }
        self.flight = Some(Flight { began: now, deadline: now.saturating_add(self.timing.lease()), token: None });
        Some(Start { validator: self.validator() })
    }

    /// Whether this worker holds the newest version. Unusable content in shared data counts as newer: it has to be
    /// replaced.
    pub fn holds_newest(&self) -> bool {
        self.version() == Some(Version(self.state.version))
    }

    /// Whether this worker cannot use the newest version.
    pub fn refuses_newest(&self) -> bool {
        self.refused == Some(self.state.version)
    }

    /// The content of the newest version, as it was put in shared data.
    pub fn content(&self, shared: &dyn SharedData) -> Option<Vec<u8>> {
        let body = shared.read(self.names.body(self.state.version))?.0;
        (u64::try_from(body.len()) == Ok(self.state.length) && sum(&body) == self.state.sum).then_some(body)
    }

    /// The `ETag` of what this worker holds, if that is the newest version.
    pub fn validator(&self) -> Option<Validator> {
        (self.holds_newest() && !self.state.etag.is_empty())
            .then(|| Validator { source: self.state.source.clone(), etag: self.state.etag.clone() })
    }

    /// Notes that a request of the fetch is under way, whose answer comes under `token`. A fetch may need several
    /// requests. Also renews the lease.
    pub fn sent(&mut self, outside: &Outside<'_>, token: u32) {
        self.renew(outside);
        if let Some(flight) = &mut self.flight {
            flight.token = Some(token);
        }
    }

    /// Renews the lease of a fetch that takes longer, because it needs another request or several ticks to judge its
    /// content.
    pub fn renew(&mut self, outside: &Outside<'_>) {
        let deadline = outside.now.saturating_add(self.timing.lease());
        if let Some(flight) = &mut self.flight {
            flight.deadline = deadline;
            flight.token = None;
            self.names.change_lease(outside.shared, self.me, |lease| lease.deadline = deadline);
        }
    }

    /// Whether an answer under `token` is one to this feed's request.
    pub fn awaits(&self, token: u32) -> bool {
        self.flight.as_ref().is_some_and(|flight| flight.token == Some(token))
    }

    /// Whether the answer to this worker's request is overdue, so that the host has lost it.
    pub fn is_overdue(&self, now: u64) -> bool {
        let longest = self.timing.lease();
        self.flight
            .as_ref()
            .is_some_and(|flight| flight.deadline <= now || flight.deadline > now.saturating_add(longest))
    }

    /// Ends a fetch whose new content this worker has judged and uses. Says whether the attempt before had failed.
    pub fn publish(&mut self, outside: &Outside<'_>, source: &str, fetched: &Fetched) -> Change {
        let leads = self.leads(outside.shared);
        let version = self.names.state(outside.shared).0.version.saturating_add(1);
        if self.shares && leads {
            outside.shared.write(self.names.body(version), &fetched.bytes, None);
        }
        let content = DocumentState {
            version,
            length: u64::try_from(fetched.bytes.len()).unwrap_or(u64::MAX),
            sum: if self.shares { sum(&fetched.bytes) } else { 0 },
            ..DocumentState::default()
        };
        self.held = Some(if leads { version } else { UNNUMBERED });
        self.refused = None;
        self.succeed(outside, tagged(content, source, &fetched.etag), fetched.max_age_ms)
    }

    /// Ends a fetch that confirmed the content: by 304, or by a document with the same meaning, with its `ETag` of now.
    /// Says whether the attempt before had failed.
    pub fn confirm(&mut self, outside: &Outside<'_>, max_age_ms: Option<u64>, tag: Option<&Validator>) -> Change {
        let (content, _) = self.names.state(outside.shared);
        let content = match tag {
            Some(tag) => tagged(content, &tag.source, &tag.etag),
            None => content,
        };
        self.succeed(outside, content, max_age_ms)
    }

    /// Ends a fetch that failed. Says whether the attempt before had succeeded, or failed for another reason.
    pub fn fail(&mut self, outside: &Outside<'_>, why: &str) -> Change {
        let (before, _) = self.names.state(outside.shared);
        let failures = before.failures.saturating_add(1);
        let wait = self.timing.retry(failures, before.version > 0, outside.random);
        let is_news = before.problem != why && self.leads(outside.shared);
        let change = if is_news { Change::Changed } else { Change::Same };
        let next_at = outside.now.saturating_add(wait);
        self.end(outside, DocumentState { failures, next_at, problem: why.to_owned(), ..before });
        change
    }

    /// Gives up a fetch whose answer this worker will not see, so that another worker fetches at once.
    pub fn give_up(&mut self, shared: &dyn SharedData) {
        if self.flight.take().is_some() {
            self.release(shared);
        }
    }

    /// Takes the records of a document that is needed no longer out of this worker's own data. Those that workers share stay:
    /// another worker may still read them.
    pub fn forget(&self, shared: &dyn SharedData) {
        if !self.shares {
            self.names.all().into_iter().for_each(|name| shared.remove(name));
        }
    }

    fn succeed(&mut self, outside: &Outside<'_>, content: DocumentState, max_age_ms: Option<u64>) -> Change {
        let (before, _) = self.names.state(outside.shared);
        // A worker that lost the lease leaves the news to its holder.
        let is_news = before.failures > 0 && self.leads(outside.shared);
        let change = if is_news { Change::Changed } else { Change::Same };
        let next_at = outside.now.saturating_add(self.timing.period(max_age_ms, outside.random));
        self.end(
            outside,
            DocumentState { confirmed_at: outside.now, next_at, failures: 0, problem: String::new(), ..content },
        );
        change
    }

    fn end(&mut self, outside: &Outside<'_>, state: DocumentState) {
        let began = self.flight.take().map_or(outside.now, |flight| flight.began);
        let state = DocumentState { attempt_began: began, attempt_ended: outside.now, writer: self.me, ..state };
        let (_, mark) = self.names.state(outside.shared);
        // A worker that lost the lease may no longer write the state of the document.
        if self.leads(outside.shared) {
            outside.shared.write(&self.names.state, &state.to_bytes(), mark);
        }
        self.release(outside.shared);
        self.read_again(outside);
    }

    /// Whether another worker's content is there at which this worker has not looked.
    fn has_news(&self, now: u64, takes_stale: bool) -> bool {
        let is_known = self.holds_newest() || self.refuses_newest();
        let is_wanted = !self.is_stale(now) || takes_stale && self.last_held != Some(self.state.version);
        self.shares && self.state.version > 0 && !is_known && is_wanted
    }

    fn is_due(&self, now: u64) -> bool {
        let next = self.state.next_at;
        let lost = self.state.failures == 0 && self.refuses_newest();
        next <= now || next > now.saturating_add(self.timing.longest_wait()) || lost
    }

    /// Whether a worker holds this lease. A lease longer than any that a worker takes counts as free.
    const fn is_taken(&self, lease: Lease, now: u64) -> bool {
        lease.deadline > now && lease.deadline <= now.saturating_add(self.timing.lease())
    }

    fn leads(&self, shared: &dyn SharedData) -> bool {
        self.names.lease(shared).is_some_and(|(lease, _)| lease.holder == self.me)
    }

    fn release(&self, shared: &dyn SharedData) {
        self.names.change_lease(shared, self.me, |lease| {
            lease.deadline = 0;
            lease.holder = 0;
        });
    }

    /// Reads the state of the document. A clock that was set back keeps nothing alive: a confirmation in the future
    /// counts as one of now.
    fn read_again(&mut self, outside: &Outside<'_>) {
        let (state, _) = self.names.state(outside.shared);
        let known = state.confirmed_at == self.state.confirmed_at;
        self.confirmed_at = if known { self.confirmed_at } else { state.confirmed_at }.min(outside.now);
        self.state = state;
    }
}

/// The record of a content with its `ETag`, unless that is too long: a shortened one would match nothing.
fn tagged(content: DocumentState, source: &str, etag: &str) -> DocumentState {
    let whole = source.len() <= record::MAX_TEXT && etag.len() <= record::MAX_TEXT;
    let (source, etag) = if whole { (source.to_owned(), etag.to_owned()) } else { (String::new(), String::new()) };
    DocumentState { source, etag, ..content }
}
