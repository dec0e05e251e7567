//! The documents that are fetched and kept fresh: the key sets of issuers, the revocation lists, the identities of sets, and
//! the status lists.
//!
//! One state machine for all of them: it returns the fetches to make, takes their answers, and returns what has
//! happened. It knows no host, no log and no metric. Another kind of document needs its own store and a variant of
//! [`DocumentId`].

use super::feed::{Answer, Change, Failure, Fetched, Outside, SharedData};
use super::key_store::{self, KeyStore};
use super::list_feed::ListSize;
use super::list_store::{self, ListId, ListStore};
use super::status_store::{self, StatusEvent, StatusId, StatusStore};
use crate::base::time::UnixSeconds;
use crate::decision::Need;
use crate::facts::{Awaited, FetchedIdentities, KeyRing, StatusLists, Withdrawals};
use crate::jose::KeySet;
use crate::policy::{Endpoint, IssuerId, Policy, Settings};
use crate::revocation::{Chunks, Revocations, SpreadList};
use std::rc::Rc;

/// A document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentId {
    /// The key set of an issuer.
    Keys(IssuerId),
    /// A revocation list, or the identities of a set.
    List(ListId),
    /// A status list.
    Status(StatusId),
}

/// A request to be made.
#[derive(Debug, PartialEq, Eq)]
pub struct Fetch {
    /// The document.
    pub document: DocumentId,
    /// Its address.
    pub endpoint: Endpoint,
    /// The value of `Accept`.
    pub accept: &'static str,
    /// The value of `If-None-Match`.
    pub etag: Option<String>,
    /// The timeout, in milliseconds.
    pub timeout_ms: u32,
    /// The longest answer, in bytes.
    pub max_bytes: usize,
}

/// What has happened to a document, for the log and the metrics. `T` describes a content.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<T> {
    /// A fetch brought a new content.
    Updated(T),
    /// A fetch brought the same content as before, but other parts of it cannot be used and were left out.
    LeftOut(T),
    /// A fetch brought the same content as before.
    Unchanged,
    /// The server said that nothing has changed.
    NotModified,
    /// A fetch failed. Whether the log has to be told.
    Failed(Failure, Change),
    /// The first successful fetch after failures.
    Recovered,
    /// A content that another worker fetched is in use.
    PickedUp,
    /// What another worker or plugin put into shared data cannot be used, and why.
    Foreign(String),
    /// The content has outlived its server for too long. Whether the log has to be told.
    TooOld(Change),
}

/// What has happened, by document.
#[derive(Debug)]
pub enum Happened {
    /// To the keys of an issuer.
    Keys(IssuerId, Event<Rc<KeySet>>),
    /// To a revocation list, or to the identities of a set.
    List(ListId, Event<ListSize>),
    /// To the status list at this address.
    Status(String, StatusEvent),
}

/// All documents of one worker.
#[derive(Debug)]
pub struct Documents {
    keys: KeyStore,
    lists: ListStore,
    statuses: StatusStore,
}

impl Documents {
    /// The documents of a configuration; what is configured is there at once. `shares` says whether the shared data belongs to
    /// all workers; `me` is a number that no other worker has.
    pub fn new(policy: &Policy, settings: &Settings, now: UnixSeconds, shares: bool, me: u64) -> Self {
        Self {
            keys: KeyStore::new(&policy.issuers, settings.limits, shares, me),
            lists: ListStore::new(&settings.revocation, &policy.credentials, now, shares, me),
            statuses: StatusStore::new(&policy.issuers, shares, me),
        }
    }

    /// Prepares the shared data; see [`super::feed::Feed::seed`].
    pub fn seed(&self, shared: &dyn SharedData) {
        self.keys.seed(shared);
        self.lists.seed(shared);
    }

    /// Gives up the fetches under way, since the worker ends or has another configuration.
    pub fn give_up(&mut self, shared: &dyn SharedData) {
        self.keys.give_up(shared);
        self.lists.give_up(shared);
        self.statuses.give_up(shared);
    }

    /// The keys that are there.
    pub const fn ring(&self) -> &KeyRing {
        self.keys.ring()
    }

    /// What is revoked now.
    pub const fn revocations(&self) -> &Revocations {
        self.lists.revocations()
    }

    /// What events have revoked is this now.
    pub fn tell(&mut self, told: Rc<SpreadList>, now: u64) {
        self.lists.tell(told, now);
    }

    /// The identities that are fetched, as far as they are there.
    pub const fn identities(&self) -> &FetchedIdentities {
        self.lists.identities()
    }

    /// The status lists that are there.
    pub const fn statuses(&self) -> &StatusLists {
        self.statuses.lists()
    }

    /// What can have withdrawn a credential since it was judged.
    pub const fn withdrawals(&self) -> Withdrawals<'_> {
        Withdrawals {
            revocations: self.revocations(),
            keys: self.ring(),
            statuses: self.statuses(),
            identities: self.identities(),
        }
    }

    /// Whether every document that any request may need is there.
    pub fn are_complete(&self) -> bool {
        self.keys.is_complete() && self.lists.is_complete()
    }

    /// Whether a document is being read, so that the next step has to come soon.
    pub fn are_busy(&self) -> bool {
        self.lists.is_busy() || self.statuses.is_busy()
    }

    /// The stores, for the metrics.
    pub const fn stores(&self) -> (&KeyStore, &ListStore, &StatusStore) {
        (&self.keys, &self.lists, &self.statuses)
    }

    /// Picks up what other workers fetched, does one step of reading, drops what is too old, and gives up lost answers.
    pub fn look(&mut self, outside: &Outside<'_>) -> Vec<Happened> {
        let mut happened = of_keys(self.keys.look(outside));
        happened.extend(of_lists(self.lists.look(outside)));
        happened.extend(of_statuses(self.statuses.look(outside, self.keys.ring())));
        happened
    }

    /// Picks up what other workers fetched of what a request needs.
    pub fn look_for(&mut self, need: &Need, outside: &Outside<'_>) -> Vec<Happened> {
        match need {
            Need::Keys(issuer) | Need::Kid(issuer, _) => of_keys(self.keys.look_for(*issuer, outside)),
            Need::Revocations
            | Need::Identities(_)
            | Need::FirstUse(_)
            | Need::Introspection(_)
            | Need::Password(_)
            | Need::Message(_) => Vec::new(),
            Need::StatusList(issuer, uri) => {
                of_statuses(self.statuses.look_for(*issuer, uri, outside, self.keys.ring()))
            }
        }
    }

    /// The fetches to be made now.
    pub fn begin(&mut self, outside: &Outside<'_>) -> Vec<Fetch> {
        let mut fetches = self.keys.begin(outside);
        fetches.extend(self.lists.begin(outside));
        fetches.extend(self.statuses.begin(outside));
        fetches
    }

    /// Notes that a fetch of this document is under way, whose answer comes under `token`.
    pub fn sent(&mut self, outside: &Outside<'_>, document: DocumentId, token: u32) {
        match document {
            DocumentId::Keys(issuer) => self.keys.sent(outside, issuer, token),
            DocumentId::List(list) => self.lists.sent(outside, list, token),
            DocumentId::Status(list) => self.statuses.sent(outside, list, token),
        }
    }

    /// Whether an answer under `token` is still one to the fetch of this document.
    pub fn awaits(&self, document: DocumentId, token: u32) -> bool {
        match document {
            DocumentId::Keys(issuer) => self.keys.awaits(issuer, token),
            DocumentId::List(list) => self.lists.awaits(list, token),
            DocumentId::Status(list) => self.statuses.awaits(list, token),
        }
    }

    /// Takes the answer to a fetch, and the document in pieces. Returns the fetch that has to follow, if any.
    pub fn answered(
        &mut self,
        outside: &Outside<'_>,
        document: DocumentId,
        answer: Answer,
        body: Chunks,
    ) -> (Option<Fetch>, Vec<Happened>) {
        match document {
            DocumentId::Keys(issuer) => {
                let answer = match answer {
                    Answer::Document(head) => Answer::Document(Fetched { bytes: body.pieces().concat(), ..head }),
                    Answer::NotModified { .. } | Answer::Failed(_) => answer,
                };
                let (next, events) = self.keys.answered(outside, issuer, answer);
                (next, of_keys(events))
            }
            DocumentId::List(list) => (None, of_lists(self.lists.answered(outside, list, answer, body))),
            DocumentId::Status(list) => {
                (None, of_statuses(self.statuses.answered(outside, list, answer, body, self.keys.ring())))
            }
        }
    }

    /// The deadline for a request that starts waiting now; `None` where waiting is pointless. For an unknown `kid` this
    /// also asks for a fetch.
    pub fn wait_deadline(&mut self, need: &Need, outside: &Outside<'_>) -> Option<u64> {
        match need {
            Need::FirstUse(_) | Need::Introspection(_) | Need::Password(_) | Need::Message(_) => None,
            Need::Revocations | Need::Identities(_) => self.lists.wait_deadline(need, outside),
            Need::StatusList(issuer, uri) => self.statuses.wait_deadline(*issuer, uri, outside),
            Need::Keys(_) | Need::Kid(..) => self.keys.wait_deadline(need, outside),
        }
    }

    /// How the wait for `need` that began at `since` has ended; `None` while it goes on.
    pub fn ended(&mut self, need: &Need, since: u64, deadline: u64, outside: &Outside<'_>) -> Option<Awaited> {
        match need {
            Need::FirstUse(_) | Need::Introspection(_) | Need::Password(_) | Need::Message(_) => Some(Awaited::InVain),
            Need::Revocations | Need::Identities(_) => self.lists.ended(need, since, deadline, outside),
            Need::StatusList(issuer, uri) => self.statuses.ended(*issuer, uri, since, deadline, outside),
            Need::Keys(_) | Need::Kid(..) => self.keys.ended(need, since, deadline, outside),
        }
    }

    /// Whether a key was looked for a moment ago, in the keys that its issuer has now, and was not there.
    pub fn is_looked_for_in_vain(&self, need: &Need, now: u64) -> bool {
        self.keys.is_looked_for_in_vain(need, now)
    }

    /// Notes that the last request that waited for an unknown `kid` of `issuer` has its answer.
    pub fn want_no_more(&mut self, issuer: IssuerId) {
        self.keys.want_no_more(issuer);
    }
}

fn of_keys(events: key_store::Events) -> Vec<Happened> {
    events.into_iter().map(|(issuer, event)| Happened::Keys(issuer, event)).collect()
}

fn of_lists(events: list_store::Events) -> Vec<Happened> {
    events.into_iter().map(|(list, event)| Happened::List(list, event)).collect()
}

fn of_statuses(events: status_store::Events) -> Vec<Happened> {
    events.into_iter().map(|(uri, event)| Happened::Status(uri, event)).collect()
}
