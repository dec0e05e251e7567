//! The status lists that tokens name: each through a [`ListFeed`]. Which lists there are is not known before a token names
//! one, so their number is bounded, and a list that no token names any longer is dropped.
//!
//! Knows no host: it is told the time, the keys and what came of a request.

#[cfg(test)]
mod scenarios;

use super::documents::{DocumentId, Event, Fetch};
use super::feed::{Answer, Outside, SharedData};
use super::list_feed::{ListFeed, ListSize, ListTerms, Listed, next_turn};
use crate::facts::{Awaited, KeyRing, StatusLists, StatusPlace};
use crate::policy::{Issuer, IssuerId, RemoteList, StatusListPolicy};
use crate::revocation::{Chunks, StatusTerms};
use std::cell::Cell;
use std::rc::Rc;

/// How long a list is kept fresh that no token names, in milliseconds.
const IDLE_MS: u64 = 15 * 60_000;
/// How long ago the last token must have named a list that makes room for another one, in milliseconds. Lists in use do
/// not displace each other.
const SPARE_MS: u64 = 60_000;
/// How many steps of a list that another worker fetched are done at once for a request: enough for a list of ordinary
/// length.
const STEPS_AT_ONCE: usize = 3;

/// A status list, as long as one worker holds it. No other list ever has the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StatusId(u64);

/// All status lists of one worker.
#[derive(Debug)]
pub struct StatusStore {
    /// By issuer; `None` where the claim is not honoured.
    policies: Vec<Option<StatusListPolicy>>,
    /// What is fetched, and what the engine is told of it: two halves of one table.
    held: Vec<Held>,
    lists: StatusLists,
    shares: bool,
    me: u64,
    next: u64,
    /// The place of the list that did a step of reading last.
    turn: usize,
    /// Whether it has been said that there is no room.
    is_full: bool,
}

#[derive(Debug)]
struct Held {
    id: StatusId,
    feed: ListFeed,
    /// When a token last named it.
    asked_at: u64,
}

/// What happened, to the list at which address.
pub type Events = Vec<(String, StatusEvent)>;

/// What has happened to a status list.
#[derive(Debug, PartialEq, Eq)]
pub enum StatusEvent {
    /// What happens to any document.
    Document(Event<ListSize>),
    /// There is no room for it beside those in use. Said once until there is room again.
    NoRoom,
}

impl StatusStore {
    /// A store without lists. `shares` says whether the shared data belongs to all workers; `me` is a number that no
    /// other worker has.
    pub fn new(issuers: &[Issuer], shares: bool, me: u64) -> Self {
        Self {
            policies: issuers.iter().map(|issuer| issuer.status_list.clone()).collect(),
            held: Vec::new(),
            lists: StatusLists::default(),
            shares,
            me,
            next: 0,
            turn: 0,
            is_full: false,
        }
    }

    /// What the engine is told.
    pub const fn lists(&self) -> &StatusLists {
        &self.lists
    }

    /// Whether a list is being read: then the next step is to come soon.
    pub fn is_busy(&self) -> bool {
        self.held.iter().any(|held| held.feed.is_busy())
    }

    /// How many lists there are, and how many of them are missing or too old.
    pub fn count(&self) -> (usize, usize) {
        let stale = self.lists.places().iter().filter(|place| place.is_stale).count();
        (self.held.len(), stale)
    }

    /// How many statuses the lists of an issuer have, and how long ago the oldest of those in use was confirmed, in
    /// milliseconds. `None` while none is in use.
    pub fn in_use(&self, issuer: IssuerId, now: u64) -> (usize, Option<u64>) {
        let places = self.lists.places().iter().zip(&self.held);
        let of_issuer = places.filter(|(place, _)| place.issuer == issuer).map(|(_, held)| &held.feed);
        of_issuer.fold((0, None), |(entries, oldest), feed| {
            let entries = feed.standing(now).entries.saturating_add(entries);
            (entries, feed.feed.age(now).max(oldest))
        })
    }

    /// Gives up what is under way: the worker goes, or has another configuration.
    pub fn give_up(&mut self, shared: &dyn SharedData) {
        self.held.iter_mut().for_each(|held| held.feed.feed.give_up(shared));
    }

    /// Picks up what other workers fetched, does a step of what is being read, notices what is too old, and drops what no
    /// token names any longer.
    pub fn look(&mut self, outside: &Outside<'_>, keys: &KeyRing) -> Events {
        let mut events = Vec::new();
        let is_busy = |index: usize| self.held.get(index).is_some_and(|held| held.feed.is_busy());
        self.turn = next_turn(self.turn, self.held.len(), is_busy);
        for index in 0..self.held.len() {
            let has_turn = index == self.turn;
            self.look_at(index, has_turn, outside, keys, &mut events);
        }
        self.drop_idle(outside);
        events
    }

    fn look_at(&mut self, index: usize, has_turn: bool, outside: &Outside<'_>, keys: &KeyRing, events: &mut Events) {
        let (Some(held), Some(place)) = (self.held.get_mut(index), self.lists.places_mut().get_mut(index)) else {
            return;
        };
        if place.asked.take() || held.asked_at > outside.now {
            held.asked_at = outside.now;
        }
        held.take_keys(place, keys);
        let happened = held.feed.look(outside, has_turn);
        events.extend(happened.into_iter().map(|event| (place.uri.clone(), StatusEvent::Document(event))));
        if held.tell(place, outside.now) {
            self.lists.note_change();
        }
    }

    /// Makes a place for a list that a token names, and picks it up where another worker has fetched it.
    pub fn look_for(&mut self, issuer: IssuerId, uri: &str, outside: &Outside<'_>, keys: &KeyRing) -> Events {
        let mut events = Vec::new();
        if self.place_of(issuer, uri).is_none() {
            let policy = self.policies.get(issuer.0).and_then(Option::as_ref);
            let list = policy.and_then(|policy| Some((policy.list_at(policy.endpoint(uri)?), policy.max_lists)));
            let Some((list, max_lists)) = list else { return events };
            if !self.make_room(issuer, max_lists, outside) {
                if !std::mem::replace(&mut self.is_full, true) {
                    events.push((uri.to_owned(), StatusEvent::NoRoom));
                }
                return events;
            }
            self.admit(issuer, &list, outside);
        }
        let Some(index) = self.place_of(issuer, uri) else { return events };
        for _ in 0..STEPS_AT_ONCE {
            self.look_at(index, true, outside, keys, &mut events);
            if !self.held.get(index).is_some_and(|held| held.feed.is_busy()) {
                break;
            }
        }
        events
    }

    /// Makes a place.
    ///
    /// Where the workers meet, a free lease is put for it now, and taken at the next tick. Where nothing was, the last
    /// writer wins; so a worker that writes one at the same moment has written it by then.
    fn admit(&mut self, issuer: IssuerId, list: &RemoteList<StatusTerms>, outside: &Outside<'_>) {
        let (name, uri) = (list.terms.issuer.clone(), list.terms.uri.clone());
        let policy = list.under(ListTerms::Statuses(list.terms.clone()));
        let feed = ListFeed::new(policy, &["status list", &name], self.shares, self.me);
        feed.feed.seed(outside.shared);
        self.next = self.next.saturating_add(1);
        self.held.push(Held { id: StatusId(self.next), feed, asked_at: outside.now });
        let asked = Cell::new(true);
        self.lists.places_mut().push(StatusPlace { issuer, uri, list: None, is_stale: true, asked });
    }

    /// Returns whether there is room for one more list of an issuer. One that no token has named for some time gives its
    /// place up.
    fn make_room(&mut self, issuer: IssuerId, max_lists: usize, outside: &Outside<'_>) -> bool {
        let of_issuer =
            || self.lists.places().iter().zip(&self.held).enumerate().filter(|(_, (place, _))| place.issuer == issuer);
        if of_issuer().count() < max_lists {
            return true;
        }
        let is_spare = |place: &StatusPlace, held: &Held| {
            !place.asked.get() && held.asked_at.saturating_add(SPARE_MS) <= outside.now
        };
        let spare = of_issuer().filter(|(_, (place, held))| is_spare(place, held));
        let Some(index) = spare.min_by_key(|(_, (_, held))| held.asked_at).map(|(index, _)| index) else {
            return false;
        };
        self.drop_at(index, outside);
        true
    }

    fn drop_idle(&mut self, outside: &Outside<'_>) {
        let is_idle = |held: &Held| !held.feed.is_busy() && held.asked_at.saturating_add(IDLE_MS) <= outside.now;
        while let Some(index) = self.held.iter().position(is_idle) {
            self.drop_at(index, outside);
        }
    }

    fn drop_at(&mut self, index: usize, outside: &Outside<'_>) {
        if index < self.held.len() && index < self.lists.places().len() {
            self.held.swap_remove(index).feed.forget(outside.shared);
            self.lists.places_mut().swap_remove(index);
            self.is_full = false;
        }
    }

    /// The requests to be made now.
    pub fn begin(&mut self, outside: &Outside<'_>) -> Vec<Fetch> {
        self.held.iter_mut().filter_map(|held| held.feed.begin(DocumentId::Status(held.id), outside)).collect()
    }

    /// Notes that a request is under way, whose answer comes under `token`.
    pub fn sent(&mut self, outside: &Outside<'_>, list: StatusId, token: u32) {
        if let Some(held) = self.held.iter_mut().find(|held| held.id == list) {
            held.feed.feed.sent(outside, token);
        }
    }

    /// Whether an answer under `token` is still one to the request for this list.
    pub fn awaits(&self, list: StatusId, token: u32) -> bool {
        self.held.iter().any(|held| held.id == list && held.feed.feed.awaits(token))
    }

    /// Takes in what came of a request: the answer, and the document in pieces.
    pub fn answered(
        &mut self,
        outside: &Outside<'_>,
        list: StatusId,
        answer: Answer,
        document: Chunks,
        keys: &KeyRing,
    ) -> Events {
        let Some(index) = self.held.iter().position(|held| held.id == list) else { return Vec::new() };
        let (Some(held), Some(place)) = (self.held.get_mut(index), self.lists.places_mut().get_mut(index)) else {
            return Vec::new();
        };
        held.take_keys(place, keys);
        let events = held.feed.answered(outside, answer, document);
        let is_other = held.tell(place, outside.now);
        let events = events.into_iter().map(|event| (place.uri.clone(), StatusEvent::Document(event))).collect();
        if is_other {
            self.lists.note_change();
        }
        events
    }

    /// Until when a request may wait for this list, which begins to now; `None` where there is no point in waiting, since
    /// it does not come soon.
    pub fn wait_deadline(&self, issuer: IssuerId, uri: &str, outside: &Outside<'_>) -> Option<u64> {
        let held = self.held.get(self.place_of(issuer, uri)?)?;
        let until = outside.now.saturating_add(u64::from(held.feed.policy.timeout_ms));
        held.feed.comes_before(until, outside).then_some(until)
    }

    /// How such a wait has ended that began at `asked`; `None` while it goes on.
    pub fn ended(
        &self,
        issuer: IssuerId,
        uri: &str,
        asked: u64,
        deadline: u64,
        outside: &Outside<'_>,
    ) -> Option<Awaited> {
        let place = self.place_of(issuer, uri);
        let Some(held) = place.and_then(|index| self.held.get(index)) else { return Some(Awaited::InVain) };
        if !held.feed.standing(outside.now).stale {
            return Some(Awaited::Yes);
        }
        let over = outside.now >= deadline || asked > outside.now;
        (over || !held.feed.comes_before(deadline, outside)).then_some(Awaited::InVain)
    }

    fn place_of(&self, issuer: IssuerId, uri: &str) -> Option<usize> {
        self.lists.places().iter().position(|place| place.issuer == issuer && place.uri == uri)
    }
}

impl Held {
    /// Takes the keys that its list may be signed with now.
    fn take_keys(&mut self, place: &StatusPlace, keys: &KeyRing) {
        if let ListTerms::Statuses(terms) = &mut self.feed.policy.terms {
            terms.keys = keys.shared(place.issuer);
        }
    }

    /// Tells the engine's half how the list stands. Returns whether it is another list now.
    fn tell(&self, place: &mut StatusPlace, now: u64) -> bool {
        let list = self.feed.list.as_ref().and_then(Listed::statuses);
        let is_same = match (&place.list, &list) {
            (Some(before), Some(now)) => Rc::ptr_eq(before, now),
            (before, now) => before.is_none() && now.is_none(),
        };
        place.list = list;
        place.is_stale = self.feed.standing(now).stale;
        !is_same
    }
}
