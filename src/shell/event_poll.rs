//! Whose turn it is to ask a transmitter for events, and what the next poll tells it.
//!
//! One worker of the process asks. It keeps its turn from poll to poll, since a poll acknowledges what the last one brought. A
//! worker that stops asking loses its turn [`GRACE_MS`] after its next poll was due, or after its timeout. What it had not
//! acknowledged by then comes again, and changes nothing.
//!
//! A gate goes on for as long as Envoy drains its listener, and so would a turn that it keeps: one that was configured later
//! takes it between two polls, since it may be the one that is right of how to ask and of what to accept.
//!
//! Knows no host: the time, random numbers and answers come in as arguments.

use super::feed::{Change, FailureKind, Outside, SharedData};
use crate::base::base64url;
use crate::crypto::sha256;
use crate::policy::{EventPoll, EventSource};
use crate::security_event::poll_request;

/// The most events that one poll asks for.
const MOST_EVENTS: u32 = 50;
/// How long after it is due, or over, a poll is taken for lost, in milliseconds.
const GRACE_MS: u64 = 1000;
/// Workers that were configured within this time have one configuration, in milliseconds.
const SAME_MS: u64 = 3000;
/// The longest wait after a failure, in milliseconds, unless the interval is longer.
const LAST_RETRY_MS: u64 = 30_000;
/// The first bytes of a record: its kind and its form. Another form gets another number.
const FORM: [u8; 4] = *b"sgP1";

/// An event that is refused: its `jti`, the error code, and the words for it.
pub type RefusedSet = (String, &'static str, &'static str);

/// One worker's part in asking one transmitter.
#[derive(Debug)]
pub struct Poller {
    place: String,
    /// The interval and the timeout, in milliseconds.
    interval: u64,
    timeout: u64,
    /// The number of this worker in shared data.
    me: u64,
    /// When its gate was configured.
    since: u64,
    /// How many events a poll asks for.
    most: u32,
    /// What the next poll acknowledges and refuses.
    taken: Vec<String>,
    refused: Vec<RefusedSet>,
    flight: Option<Flight>,
    /// When this worker asks next; `None`: another worker has the turn.
    next_at: Option<u64>,
}

#[derive(Debug)]
struct Flight {
    token: Option<u32>,
    deadline: u64,
    asked_for: u32,
}

/// What came of the events of an answer.
#[derive(Debug, Default)]
pub struct Judged {
    /// Those that were taken, by `jti`.
    pub taken: Vec<String>,
    /// Those that were refused.
    pub refused: Vec<RefusedSet>,
    /// How many are left for later, unacknowledged.
    pub left: u32,
    /// Whether there are more.
    pub has_more: bool,
}

/// Whose turn it is. Times are in milliseconds since the epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Turn {
    /// The worker that asks, and until when it keeps the turn.
    holder: u64,
    until: u64,
    /// When the next poll is due.
    next_at: u64,
    /// When the transmitter last answered, or was first to be asked.
    answered_at: u64,
    /// The number of failures since then, and the kind of the last one.
    failures: u64,
    kind: u64,
    /// When the gate of the holder was configured.
    since: u64,
}

impl Poller {
    /// That of a source that is asked on these terms. `me` is a number that no other worker has, and `since` when its gate
    /// was configured.
    pub fn new(source: &EventSource, terms: &EventPoll, me: u64, since: u64) -> Self {
        let endpoint = &terms.endpoint;
        let named = [source.issuer.as_str(), &endpoint.uri, &endpoint.cluster];
        let audiences = source.audiences.iter().map(String::as_str);
        let whole: Vec<&str> = named.into_iter().chain(audiences).collect();
        let name = base64url::encode(&sha256(whole.join("\n").as_bytes()));
        Self {
            place: format!("scopegate/events/poll/{}", name.get(..22).unwrap_or(&name)),
            interval: u64::from(terms.interval_ms),
            timeout: u64::from(terms.timeout_ms),
            me,
            since,
            most: MOST_EVENTS,
            taken: Vec::new(),
            refused: Vec::new(),
            flight: None,
            next_at: None,
        }
    }

    /// Puts a free turn into shared data where there is none. Among writers of a new value the last one wins, so this is for the
    /// main thread, before there are workers.
    pub fn seed(&self, shared: &dyn SharedData, now: u64) {
        if shared.lacks(&self.place) {
            shared.write(&self.place, &Turn { answered_at: now, ..Turn::default() }.to_bytes(), None);
        }
    }

    /// Begins a poll for at most `room` events, if one is due and no other worker asks. Returns the body of the request. The
    /// caller has to end it with [`Poller::answered`] or [`Poller::failed`].
    pub fn begin(&mut self, outside: &Outside<'_>, room: u32) -> Option<String> {
        let now = outside.now;
        if self.flight.is_some() {
            return None;
        }
        let (turn, mark) = self.turn(outside.shared)?;
        let mut takes_over = false;
        if turn.holder != self.me {
            self.lose();
            if turn.until > now && turn.until <= now.saturating_add(self.longest_turn()) {
                takes_over = turn.is_between_polls() && turn.since.saturating_add(SAME_MS) < self.since;
                if !takes_over {
                    return None;
                }
            }
        }
        let is_due = turn.next_at <= now || turn.next_at > now.saturating_add(self.longest_wait());
        if !is_due || room == 0 {
            let next = Turn { holder: self.me, since: self.since, ..turn };
            if takes_over && outside.shared.write(&self.place, &next.to_bytes(), Some(mark)) {
                self.next_at = Some(turn.next_at);
            }
            return None;
        }
        let deadline = now.saturating_add(self.timeout).saturating_add(GRACE_MS);
        let taken = Turn { holder: self.me, until: deadline, since: self.since, ..turn };
        if !outside.shared.write(&self.place, &taken.to_bytes(), Some(mark)) {
            return None;
        }
        let asked_for = self.most.min(room);
        self.flight = Some(Flight { token: None, deadline, asked_for });
        Some(poll_request(asked_for, &self.taken, &self.refused))
    }

    /// Notes that the poll is under way, and its answer comes under `token`.
    pub const fn sent(&mut self, token: u32) {
        if let Some(flight) = &mut self.flight {
            flight.token = Some(token);
        }
    }

    /// How many events were asked for by the poll whose answer comes under `token`; `None`: it is not awaited.
    pub fn awaits(&self, token: u32) -> Option<u32> {
        self.flight.as_ref().filter(|flight| flight.token == Some(token)).map(|flight| flight.asked_for)
    }

    /// Whether the answer is overdue, so that the host has lost it.
    pub fn is_overdue(&self, now: u64) -> bool {
        let longest = self.timeout.saturating_add(GRACE_MS);
        self.flight.as_ref().is_some_and(|it| it.deadline <= now || it.deadline > now.saturating_add(longest))
    }

    /// Ends a poll that was answered. Says whether the one before had failed.
    pub fn answered(&mut self, outside: &Outside<'_>, judged: Judged) -> Change {
        // Up to a tenth sooner at random, so that many processes do not come together.
        let period = self.interval.saturating_sub(share(self.interval / 10, outside.random));
        let at_once = judged.has_more && judged.left == 0;
        let next_at = if at_once { outside.now } else { outside.now.saturating_add(period) };
        self.most = MOST_EVENTS;
        (self.taken, self.refused) = (judged.taken, judged.refused);
        let answered = Turn { next_at, answered_at: outside.now, ..Turn::default() };
        self.end(outside, |_| answered, |before| before.failures > 0)
    }

    /// Ends a poll that failed. Says whether the one before had not, or for another reason.
    pub fn failed(&mut self, outside: &Outside<'_>, failure: FailureKind) -> Change {
        let kind = FailureKind::ALL.iter().zip(0..).find(|(other, _)| **other == failure).map_or(0, |(_, place)| place);
        match failure {
            FailureKind::TooLarge => self.most = self.most.div_ceil(2),
            // It may be what it was told. That comes again.
            FailureKind::Status => self.forget(),
            _ => {}
        }
        let (interval, random) = (self.interval, outside.random);
        let failed = |before: Turn| {
            let failures = before.failures.saturating_add(1);
            let next_at = outside.now.saturating_add(retry(interval, failures, random));
            Turn { next_at, failures, kind, ..before }
        };
        self.end(outside, failed, |before| before.failures == 0 || before.kind != kind)
    }

    /// Makes the next poll due, if this worker has the turn.
    pub fn wake(&mut self, outside: &Outside<'_>) {
        if self.flight.is_none() {
            self.end(outside, |before| Turn { next_at: outside.now, ..before }, |_| false);
        }
    }

    /// Gives the turn back, since the worker ends or has another configuration.
    pub fn give_up(&mut self, shared: &dyn SharedData) {
        if let Some((turn, mark)) = self.turn(shared).filter(|(turn, _)| turn.holder == self.me) {
            shared.write(&self.place, &Turn { holder: 0, until: 0, ..turn }.to_bytes(), Some(mark));
        }
        self.flight = None;
        self.lose();
    }

    /// How long ago the transmitter last answered, or was first to be asked, in milliseconds.
    pub fn age(&self, shared: &dyn SharedData, now: u64) -> u64 {
        self.turn(shared).map_or(0, |(turn, _)| now.saturating_sub(turn.answered_at))
    }

    /// How long from now this worker asks next, in milliseconds; `None`: it waits for an answer, or it is another's turn.
    pub fn due_in(&self, now: u64) -> Option<u64> {
        self.next_at.filter(|_| self.flight.is_none()).map(|at| at.saturating_sub(now))
    }

    /// Ends a poll: the turn becomes `next`, unless another worker has taken it. Of two ends, `is_news` says of what was before.
    fn end(
        &mut self,
        outside: &Outside<'_>,
        next: impl FnOnce(Turn) -> Turn,
        is_news: impl FnOnce(Turn) -> bool,
    ) -> Change {
        self.flight = None;
        let Some((before, mark)) = self.turn(outside.shared).filter(|(turn, _)| turn.holder == self.me) else {
            self.lose();
            return Change::Same;
        };
        let next = next(before);
        let until = next.next_at.saturating_add(GRACE_MS);
        let kept = Turn { holder: self.me, until, since: self.since, ..next };
        if !outside.shared.write(&self.place, &kept.to_bytes(), Some(mark)) {
            self.lose();
            return Change::Same;
        }
        self.next_at = Some(next.next_at);
        if is_news(before) { Change::Changed } else { Change::Same }
    }

    /// Another worker asks now. What was to be acknowledged comes to it again.
    fn lose(&mut self) {
        self.next_at = None;
        self.forget();
    }

    fn forget(&mut self) {
        self.taken.clear();
        self.refused.clear();
    }

    /// The turn and its mark. An unreadable one counts as free.
    fn turn(&self, shared: &dyn SharedData) -> Option<(Turn, u32)> {
        let (bytes, mark) = shared.read(&self.place)?;
        Some((Turn::from_bytes(&bytes).unwrap_or_default(), mark))
    }

    /// The longest wait for the next poll. A longer one comes from a clock that was set back.
    fn longest_wait(&self) -> u64 {
        self.interval.max(LAST_RETRY_MS)
    }

    fn longest_turn(&self) -> u64 {
        self.longest_wait().max(self.timeout).saturating_add(GRACE_MS)
    }
}

impl Turn {
    /// Whether no poll is under way.
    const fn is_between_polls(self) -> bool {
        self.until == self.next_at.saturating_add(GRACE_MS)
    }

    const fn numbers(self) -> [u64; 7] {
        [self.holder, self.until, self.next_at, self.answered_at, self.failures, self.kind, self.since]
    }

    fn to_bytes(self) -> Vec<u8> {
        FORM.into_iter().chain(self.numbers().into_iter().flat_map(u64::to_le_bytes)).collect()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (numbers, []) = bytes.strip_prefix(&FORM)?.as_chunks::<8>() else { return None };
        let numbers: [[u8; 8]; 7] = numbers.try_into().ok()?;
        let [holder, until, next_at, answered_at, failures, kind, since] = numbers.map(u64::from_le_bytes);
        Some(Self { holder, until, next_at, answered_at, failures, kind, since })
    }
}

/// The wait after so many failures in a row: the interval, and twice as long each time. Half of it is chance.
fn retry(interval: u64, failures: u64, random: u64) -> u64 {
    let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX).min(20);
    let wait = interval.saturating_mul(1 << doublings).min(LAST_RETRY_MS.max(interval));
    (wait / 2).saturating_add(share(wait.div_ceil(2), random))
}

/// A random part of `whole`, from nothing to all of it.
fn share(whole: u64, random: u64) -> u64 {
    random.checked_rem(whole.saturating_add(1)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
