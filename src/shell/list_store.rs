//! The revocation lists that are fetched: each through a [`ListFeed`]. Knows no host: it is given the time and the answers.

#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod trouble;

use super::documents::{DocumentId, Event, Fetch};
use super::feed::{Answer, Outside, SharedData};
use super::list_feed::{ListFeed, ListSize, ListTerms, Listed, Standing, next_turn};
use crate::base::time::UnixSeconds;
use crate::facts::Awaited;
use crate::policy::{RemoteList, RevocationSettings};
use crate::revocation::{Chunks, List, Revocations};
use std::rc::Rc;

/// The place of a list in the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListId(pub usize);

/// All lists of one worker.
#[derive(Debug)]
pub struct ListStore {
    configured: Option<Rc<List>>,
    remotes: Vec<ListFeed>,
    revocations: Revocations,
    /// The place of the list that did a step of reading last.
    turn: usize,
}

/// What happened, by list.
pub type Events = Vec<(ListId, Event<ListSize>)>;

impl ListStore {
    /// The lists of a policy; configured entries are there at once. `shares` says whether the shared data belongs to
    /// all workers; `me` is a number that no other worker has.
    pub fn new(policy: &RevocationSettings, now: UnixSeconds, shares: bool, me: u64) -> Self {
        let remotes = policy.lists.iter().map(|list| feed(list, shares, me)).collect();
        let configured = policy.configured(now);
        let mut store = Self { configured, remotes, revocations: Revocations::none(), turn: 0 };
        store.review(0);
        store
    }

    /// Prepares the shared data; see [`super::feed::Feed::seed`].
    pub fn seed(&self, shared: &dyn SharedData) {
        self.remotes.iter().for_each(|remote| remote.feed.seed(shared));
    }

    /// Gives up the fetches under way, since the worker ends or has another configuration.
    pub fn give_up(&mut self, shared: &dyn SharedData) {
        self.remotes.iter_mut().for_each(|remote| remote.feed.give_up(shared));
    }

    /// What is revoked now.
    pub const fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    /// Whether a document is being read, so that the next step has to come soon.
    pub fn is_busy(&self) -> bool {
        self.remotes.iter().any(ListFeed::is_busy)
    }

    /// The state of each list.
    pub fn standings(&self, now: u64) -> impl Iterator<Item = (ListId, Standing)> {
        let ids = (0..).map(ListId);
        ids.zip(&self.remotes).map(move |(id, remote)| (id, remote.standing(now)))
    }

    /// Picks up what other workers fetched, does one step of reading, and drops what is too old.
    pub fn look(&mut self, outside: &Outside<'_>) -> Events {
        let mut events = Vec::new();
        let is_busy = |index| self.remotes.get(index).is_some_and(ListFeed::is_busy);
        self.turn = next_turn(self.turn, self.remotes.len(), is_busy);
        for (index, remote) in self.remotes.iter_mut().enumerate() {
            let has_turn = index == self.turn;
            events.extend(remote.look(outside, has_turn).into_iter().map(|event| (ListId(index), event)));
        }
        self.review(outside.now);
        events
    }

    /// The requests to be made now.
    pub fn begin(&mut self, outside: &Outside<'_>) -> Vec<Fetch> {
        let remotes = self.remotes.iter_mut().enumerate();
        remotes.filter_map(|(index, remote)| remote.begin(DocumentId::List(ListId(index)), outside)).collect()
    }

    /// Notes that a request is under way, whose answer comes under `token`.
    pub fn sent(&mut self, outside: &Outside<'_>, list: ListId, token: u32) {
        if let Some(remote) = self.remotes.get_mut(list.0) {
            remote.feed.sent(outside, token);
        }
    }

    /// Whether an answer under `token` is still one to the request for this list.
    pub fn awaits(&self, list: ListId, token: u32) -> bool {
        self.remotes.get(list.0).is_some_and(|remote| remote.feed.awaits(token))
    }

    /// Takes the answer to a request, and the document in pieces.
    pub fn answered(&mut self, outside: &Outside<'_>, list: ListId, answer: Answer, document: Chunks) -> Events {
        let Some(remote) = self.remotes.get_mut(list.0) else { return Vec::new() };
        let events = remote.answered(outside, answer, document);
        self.review(outside.now);
        events.into_iter().map(|event| (list, event)).collect()
    }

    /// The deadline for a request that starts waiting now for the lists that it may not pass without; `None` if one of
    /// them will not come soon.
    pub fn wait_deadline(&self, outside: &Outside<'_>) -> Option<u64> {
        let longest = self.missing(outside.now).map(|remote| u64::from(remote.policy.timeout_ms)).max();
        let until = outside.now.saturating_add(longest.unwrap_or(0));
        self.missing(outside.now).all(|remote| remote.comes_before(until, outside)).then_some(until)
    }

    /// How a wait that began at `asked` has ended; `None` while it goes on.
    pub fn ended(&self, asked: u64, deadline: u64, outside: &Outside<'_>) -> Option<Awaited> {
        if self.revocations.are_complete() {
            return Some(Awaited::Yes);
        }
        let over = outside.now >= deadline || asked > outside.now;
        let comes = self.missing(outside.now).all(|remote| remote.comes_before(deadline, outside));
        (over || !comes).then_some(Awaited::InVain)
    }

    /// The lists that a request may not pass without and that are missing or too old.
    fn missing(&self, now: u64) -> impl Iterator<Item = &ListFeed> {
        self.remotes.iter().filter(move |remote| remote.is_missing(now))
    }

    /// Combines the lists, and notes whether one is missing.
    fn review(&mut self, now: u64) {
        let complete = self.missing(now).next().is_none();
        let lists = self.remotes.iter().filter_map(|remote| remote.list.as_ref().and_then(Listed::revocations)).chain(self.configured.clone());
        self.revocations = self.revocations.followed_by(lists.collect(), complete);
    }
}

fn feed(list: &RemoteList, shares: bool, me: u64) -> ListFeed {
    let policy = list.under(ListTerms::Revocations(list.terms.clone()));
    ListFeed::new(policy, &["revocations", &list.terms.name], shares, me)
}
