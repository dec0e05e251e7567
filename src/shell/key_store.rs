//! The keys of each issuer: fetched through a [`Feed`](super::feed::Feed), in one step or, with discovery, in two.
//!
//! Knows no host: it is given the time and the answers, and returns the requests to make.

mod key_feed;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod trouble;
mod unknown_kids;

use super::documents::{Event, Fetch};
use super::feed::{Answer, FailureKind, FetchState, Outside, SharedData};
use crate::decision::Need;
use crate::facts::{Awaited, KeyRing};
use crate::jose::KeySet;
use crate::policy::{Issuer, IssuerId, KeySource, Limits};
use key_feed::KeyFeed;
use std::rc::Rc;

/// The keys of all issuers.
#[derive(Debug)]
pub struct KeyStore {
    ring: KeyRing,
    remotes: Vec<KeyFeed>,
    limits: Limits,
}

/// What happened, by issuer.
pub type Events = Vec<(IssuerId, Event<Rc<KeySet>>)>;

impl KeyStore {
    /// The store of these issuers; what is configured is there at once. `shares` says whether the shared data belongs
    /// to all workers; `me` is a number that no other worker has.
    pub fn new(issuers: &[Issuer], limits: Limits, shares: bool, me: u64) -> Self {
        let mut ring = KeyRing::default();
        let mut remotes = Vec::new();
        for (index, issuer) in issuers.iter().enumerate() {
            let id = IssuerId(index);
            match &issuer.keys {
                KeySource::Configured(keys) => ring.set(id, Some(Rc::clone(keys))),
                KeySource::Remote(source) => {
                    remotes.push(KeyFeed::new(id, &issuer.issuer, source, limits.jwks_bytes, shares, me));
                }
            }
        }
        Self { ring, remotes, limits }
    }

    /// Prepares the shared data; see [`Feed::seed`](super::feed::Feed::seed).
    pub fn seed(&self, shared: &dyn SharedData) {
        self.remotes.iter().for_each(|remote| remote.feed.seed(shared));
    }

    /// The keys that are there.
    pub const fn ring(&self) -> &KeyRing {
        &self.ring
    }

    /// Whether every issuer has keys.
    pub fn is_complete(&self) -> bool {
        self.remotes.iter().all(|remote| remote.keys.is_some())
    }

    /// The issuers whose keys are fetched: how many keys are in use, and how long ago the issuer confirmed them, in
    /// milliseconds.
    pub fn in_use(&self, now: u64) -> impl Iterator<Item = (IssuerId, usize, u64)> {
        self.remotes.iter().map(move |remote| {
            let count = remote.keys.as_ref().map_or(0, |keys| keys.keys().len());
            (remote.id, count, remote.feed.age(now).unwrap_or(0))
        })
    }

    /// Picks up what other workers fetched, drops what is too old, and gives up lost answers.
    pub fn look(&mut self, outside: &Outside<'_>) -> Events {
        let mut events = Vec::new();
        for index in 0..self.remotes.len() {
            self.look_at(index, outside, &mut events);
        }
        events
    }

    /// [`Self::look`] for one issuer.
    pub fn look_for(&mut self, issuer: IssuerId, outside: &Outside<'_>) -> Events {
        let mut events = Vec::new();
        if let Some(index) = self.remotes.iter().position(|remote| remote.id == issuer) {
            self.look_at(index, outside, &mut events);
        }
        events
    }

    fn look_at(&mut self, index: usize, outside: &Outside<'_>, events: &mut Events) {
        let limits = self.limits;
        let Some(remote) = self.remotes.get_mut(index) else { return };
        if let Some((version, bytes)) = remote.feed.look(outside) {
            match key_feed::usable(&bytes, limits) {
                Ok(keys) => {
                    remote.feed.hold(version);
                    if remote.take(keys, &mut self.ring) {
                        events.push((remote.id, Event::PickedUp));
                    }
                }
                Err(error) => {
                    remote.feed.refuse(version);
                    events.push((remote.id, Event::Foreign(error.to_string())));
                }
            }
        }
        if let Some(change) = remote.feed.expire(outside) {
            remote.keys = None;
            self.ring.set(remote.id, None);
            events.push((remote.id, Event::TooOld(change)));
        }
        if remote.feed.is_overdue(outside.now) {
            remote.fail(outside, FailureKind::Timeout.because("the answer was lost"), events);
        }
    }

    /// The requests to be made now.
    pub fn begin(&mut self, outside: &Outside<'_>) -> Vec<Fetch> {
        self.remotes.iter_mut().filter_map(|remote| remote.begin(outside)).collect()
    }

    /// Notes that a request is under way, whose answer comes under `token`.
    pub fn sent(&mut self, outside: &Outside<'_>, issuer: IssuerId, token: u32) {
        if let Some(remote) = self.of(issuer) {
            remote.feed.sent(outside, token);
        }
    }

    /// Whether an answer under `token` is still one to a request of this issuer.
    pub fn awaits(&self, issuer: IssuerId, token: u32) -> bool {
        self.remotes.iter().any(|remote| remote.id == issuer && remote.feed.awaits(token))
    }

    /// Takes the answer to a request. Returns the request that has to follow, if any.
    pub fn answered(&mut self, outside: &Outside<'_>, issuer: IssuerId, answer: Answer) -> (Option<Fetch>, Events) {
        let limits = self.limits;
        let mut events = Vec::new();
        let Some(remote) = self.remotes.iter_mut().find(|remote| remote.id == issuer) else { return (None, events) };
        let next = remote.answered(outside, answer, limits, &mut self.ring, &mut events);
        (next, events)
    }

    /// Whether the `kid` that is needed was looked for a moment ago, in the keys that its issuer has now, and was not there.
    pub fn is_looked_for_in_vain(&self, need: &Need, now: u64) -> bool {
        let Need::Kid(issuer, kid) = need else { return false };
        let remote = self.remotes.iter().find(|remote| remote.id == *issuer);
        remote.is_some_and(|remote| remote.unknown_kids.holds(kid, now, remote.interval_ms()))
    }

    /// The deadline for a request that starts waiting now; `None` where waiting is pointless. For an unknown `kid` this
    /// also asks for a fetch.
    pub fn wait_deadline(&mut self, need: &Need, outside: &Outside<'_>) -> Option<u64> {
        let remote = self.of_need(need)?;
        let deadline = outside.now.saturating_add(u64::from(remote.source.timeout_ms));
        let soon = match need {
            Need::Revocations
            | Need::StatusList(..)
            | Need::FirstUse(_)
            | Need::Introspection(_)
            | Need::Password(_)
            | Need::Identities(_)
            | Need::Message(_) => false,
            Need::Keys(_) => remote.feed.is_under_way(outside) || remote.feed.next_at(outside.now) < deadline,
            Need::Kid(_, kid) => {
                let interval = remote.interval_ms();
                !remote.unknown_kids.holds(kid, outside.now, interval) && remote.feed.want(outside)
            }
        };
        soon.then_some(deadline)
    }

    /// How the wait for `need` that began at `asked` has ended; `None` while it goes on.
    pub fn ended(&mut self, need: &Need, asked: u64, deadline: u64, outside: &Outside<'_>) -> Option<Awaited> {
        let over = outside.now >= deadline || asked > outside.now;
        let Some(remote) = self.of_need(need) else { return Some(Awaited::Yes) };
        match need {
            Need::Revocations
            | Need::StatusList(..)
            | Need::FirstUse(_)
            | Need::Introspection(_)
            | Need::Password(_)
            | Need::Identities(_)
            | Need::Message(_) => {
                return Some(Awaited::Yes);
            }
            Need::Keys(_) if remote.keys.is_some() => return Some(Awaited::Yes),
            Need::Keys(_) => {
                let soon = remote.feed.is_under_way(outside) || remote.feed.next_at(outside.now) < deadline;
                if !soon {
                    return Some(Awaited::InVain);
                }
            }
            Need::Kid(_, kid) => {
                if remote.keys.as_ref().is_none_or(|keys| keys.names(kid)) {
                    return Some(Awaited::Yes);
                }
                match remote.feed.outcome(outside, asked, true) {
                    FetchState::Done => {
                        let until = outside.now.saturating_add(remote.interval_ms());
                        remote.unknown_kids.remember(kid, until);
                        return Some(Awaited::Yes);
                    }
                    FetchState::Failed => return Some(Awaited::InVain),
                    FetchState::None => return Some(Awaited::Yes),
                    FetchState::Coming => {}
                }
            }
        }
        over.then_some(Awaited::InVain)
    }

    /// Gives up the fetches under way, since the worker ends or has another configuration.
    pub fn give_up(&mut self, shared: &dyn SharedData) {
        self.remotes.iter_mut().for_each(|remote| remote.feed.give_up(shared));
    }

    /// Notes that the last request that waited for an unknown `kid` of `issuer` has its answer.
    pub fn want_no_more(&mut self, issuer: IssuerId) {
        if let Some(remote) = self.of(issuer) {
            remote.feed.want_no_more();
        }
    }

    fn of_need(&mut self, need: &Need) -> Option<&mut KeyFeed> {
        need.issuer().and_then(|issuer| self.of(issuer))
    }

    fn of(&mut self, issuer: IssuerId) -> Option<&mut KeyFeed> {
        self.remotes.iter_mut().find(|remote| remote.id == issuer)
    }
}
