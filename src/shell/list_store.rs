//! The lists of the configuration that are fetched, each through a [`ListFeed`]: revocation lists, and the identities of sets.
//! Knows no host: it is given the time and the answers.

#[cfg(test)]
mod identities;
#[cfg(test)]
mod scenarios;
#[cfg(test)]
mod trouble;

use super::documents::{DocumentId, Event, Fetch};
use super::feed::{Answer, Outside, SharedData};
use super::list_feed::{ListFeed, ListSize, ListTerms, Listed, Standing, next_turn};
use crate::base::time::UnixSeconds;
use crate::decision::Need;
use crate::facts::{Awaited, FetchedIdentities};
use crate::policy::{CredentialSet, FetchedSet, RemoteList, RevocationSettings};
use crate::revocation::{Chunks, List, Revocations, SpreadList};
use std::rc::Rc;

/// The place of a list: those of the settings come first, then those of the sets that have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListId(pub usize);

/// All lists of one worker.
#[derive(Debug)]
pub struct ListStore {
    configured: Option<Rc<List>>,
    /// What events have revoked.
    told: Option<Rc<SpreadList>>,
    remotes: Vec<ListFeed>,
    revocations: Revocations,
    identities: FetchedIdentities,
    /// Whether the identities of all sets are there.
    has_all_identities: bool,
    /// The place of the list that did a step of reading last.
    turn: usize,
}

/// What happened, by list.
pub type Events = Vec<(ListId, Event<ListSize>)>;

impl ListStore {
    /// The lists of a configuration; configured entries are there at once. `shares` says whether the shared data belongs to
    /// all workers; `me` is a number that no other worker has.
    pub fn new(policy: &RevocationSettings, sets: &[CredentialSet], now: UnixSeconds, shares: bool, me: u64) -> Self {
        let revocations = policy.lists.iter().map(|list| {
            let remote = list.under(ListTerms::Revocations(list.terms.clone()));
            feed(remote, ["revocations", &list.terms.name], shares, me)
        });
        let mut remotes: Vec<ListFeed> = revocations.collect();
        for remote in sets.iter().filter_map(|set| set.remote.as_deref()) {
            let terms = remote.under(ListTerms::Identities(remote.terms.clone()));
            remotes.push(feed(terms, ["identities", &remote.terms.name], shares, me));
        }
        let (revocations, identities) = (Revocations::none(), FetchedIdentities::default());
        let configured = policy.configured(now);
        let mut store =
            Self { configured, told: None, remotes, revocations, identities, has_all_identities: false, turn: 0 };
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

    /// The identities that are there now.
    pub const fn identities(&self) -> &FetchedIdentities {
        &self.identities
    }

    /// What events have revoked is this now.
    pub fn tell(&mut self, told: Rc<SpreadList>, now: u64) {
        self.told = Some(told);
        self.review(now);
    }

    /// Whether every list is there that some request may not pass without.
    pub const fn is_complete(&self) -> bool {
        self.revocations.are_complete() && self.has_all_identities
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

    /// The deadline for a request that starts waiting now for what it needs; `None` if that will not come soon.
    pub fn wait_deadline(&self, need: &Need, outside: &Outside<'_>) -> Option<u64> {
        let longest = self.missing(need, outside.now).map(|remote| u64::from(remote.policy.timeout_ms)).max();
        let until = outside.now.saturating_add(longest.unwrap_or(0));
        self.missing(need, outside.now).all(|remote| remote.comes_before(until, outside)).then_some(until)
    }

    /// How a wait that began at `asked` has ended; `None` while it goes on.
    pub fn ended(&self, need: &Need, asked: u64, deadline: u64, outside: &Outside<'_>) -> Option<Awaited> {
        let over = outside.now >= deadline || asked > outside.now;
        let (is_there, may_go) = match need {
            // A combination may need two sets, and a request waits for identities once.
            Need::Identities(set) => (self.identities.get(*set).is_some(), over || !self.fetches_identities(outside)),
            _ => (self.revocations.are_complete(), true),
        };
        if is_there {
            return may_go.then_some(Awaited::Yes);
        }
        let comes = self.missing(need, outside.now).all(|remote| remote.comes_before(deadline, outside));
        (over || !comes).then_some(Awaited::InVain)
    }

    /// The lists that a request with this need may not pass without and that are missing or too old.
    fn missing(&self, need: &Need, now: u64) -> impl Iterator<Item = &ListFeed> {
        let is_needed = move |remote: &&ListFeed| match (&remote.policy.terms, need) {
            (ListTerms::Revocations(_), Need::Revocations) => remote.is_missing(now),
            (ListTerms::Identities(terms), Need::Identities(set)) => terms.set == *set && remote.is_missing(now),
            _ => false,
        };
        self.remotes.iter().filter(is_needed)
    }

    /// Whether identities of some set are missing and on their way.
    fn fetches_identities(&self, outside: &Outside<'_>) -> bool {
        self.remotes.iter().any(|remote| {
            matches!(remote.policy.terms, ListTerms::Identities(_))
                && remote.is_missing(outside.now)
                && (remote.is_busy() || remote.feed.is_under_way(outside))
        })
    }

    /// Combines the lists, and notes whether one is missing.
    fn review(&mut self, now: u64) {
        let complete = self.missing(&Need::Revocations, now).next().is_none();
        let fetched = |remote: &ListFeed| remote.list.as_ref().and_then(Listed::revocations);
        let lists = self.remotes.iter().filter_map(fetched).chain(self.configured.clone());
        self.revocations = self.revocations.followed_by(lists.collect(), self.told.clone(), complete);
        self.has_all_identities = true;
        let mut all: Vec<Rc<FetchedSet>> = Vec::new();
        for remote in &self.remotes {
            let ListTerms::Identities(terms) = &remote.policy.terms else { continue };
            let fetched = remote.list.as_ref().and_then(Listed::identities);
            all.extend(fetched.clone());
            let is_missing = remote.is_missing(now);
            self.has_all_identities &= !is_missing;
            self.identities.set(terms.set, fetched.filter(|_| !is_missing));
        }
        for remote in &mut self.remotes {
            let ListTerms::Identities(terms) = &mut remote.policy.terms else { continue };
            let own = remote.list.as_ref().and_then(Listed::identities);
            let is_other = |fetched: &&Rc<FetchedSet>| own.as_ref().is_none_or(|own| !Rc::ptr_eq(own, fetched));
            terms.others = all.iter().filter(is_other).cloned().collect();
        }
    }
}

fn feed(policy: RemoteList<ListTerms>, names: [&str; 2], shares: bool, me: u64) -> ListFeed {
    ListFeed::new(policy, &names, shares, me)
}
