//! One list that is fetched: its requests, and the steps in which a document is read, in the pieces in which it came.
//!
//! In shared data lie the pieces of a document, and as the content of its feed only a [`Manifest`] that says which: so no
//! worker ever holds a long list in one piece. What a list is, its [`ListTerms`] say.

mod kind;
mod manifest;
mod upload;

pub use kind::{ListTerms, Listed};

use super::documents::{DocumentId, Event, Fetch};
use super::feed::{
    Answer, Change, Failure, FailureKind, Feed, Fetched, Outside, SharedData, Timing, Validator, Version,
};
use crate::base::base64url;
use crate::base::time::{Seconds, UnixSeconds};
use crate::crypto::sha256;
use crate::policy::{RemoteList, WhenStale};
use crate::revocation::{CHUNK_BYTES, Chunks, ListError, Revision, Signature};
use kind::Loading;
use manifest::Manifest;
use upload::Upload;

/// How long a list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListSize {
    /// How many entries it has.
    pub entries: usize,
    /// How many bytes.
    pub bytes: usize,
}

/// How a list stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How many entries are in use.
    pub entries: usize,
    /// How long ago its server confirmed it, in milliseconds.
    pub age_ms: u64,
    /// Whether it is missing or too old.
    pub stale: bool,
    /// The revision of the revocation list in use.
    pub revision: Revision,
}

/// A list that is fetched.
#[derive(Debug)]
pub struct ListFeed {
    pub(super) policy: RemoteList<ListTerms>,
    pub(super) feed: Feed,
    pub(super) list: Option<Listed>,
    place: String,
    shares: bool,
    work: Option<Work>,
}

/// What is being read.
#[derive(Debug)]
enum Work {
    /// A document that this worker fetched, on its way to shared data.
    Uploading(Upload),
    /// A document in shared data that this worker fetched, and what to publish of it.
    Fetched { loader: Loading, content: Fetched },
    /// The pieces of a document that another worker fetched.
    Gathering { version: Version, manifest: Manifest, pieces: Chunks },
    /// A document whose pieces have been gathered.
    Gathered { version: Version, loader: Loading },
}

/// Which of `count` lists does the next step of reading after the one at `turn`. They take turns, so that many lists delay
/// a request no longer than one.
pub(super) fn next_turn(turn: usize, count: usize, is_busy: impl Fn(usize) -> bool) -> usize {
    let after = turn.saturating_add(1)..count;
    after.chain(0..=turn).find(|index| is_busy(*index)).unwrap_or(turn)
}

impl ListFeed {
    /// The list of this policy. `names` are what no other list has: they say where it lies in shared data.
    pub(super) fn new(policy: RemoteList<ListTerms>, names: &[&str], shares: bool, me: u64) -> Self {
        let place = place(names, &policy);
        let feed = Feed::new(&place, timing(&policy), shares, me);
        Self { policy, feed, list: None, place, shares, work: None }
    }

    pub(super) const fn is_busy(&self) -> bool {
        self.work.is_some()
    }

    pub(super) fn standing(&self, now: u64) -> Standing {
        let signature = self.signature();
        let over = signature.is_some_and(|signature| signature.is_over(seconds(now)));
        Standing {
            entries: self.list.as_ref().map_or(0, |list| list.size().entries),
            age_ms: self.feed.age(now).unwrap_or(0),
            stale: over || self.list.is_none() || !self.feed.holds_one(),
            revision: self.list.as_ref().map(Listed::revision).unwrap_or_default(),
        }
    }

    /// Whether requests may not pass because of it.
    pub(super) fn is_missing(&self, now: u64) -> bool {
        self.policy.when_stale == WhenStale::Deny && self.standing(now).stale
    }

    /// Whether it is being fetched or read, or will be before `until`.
    pub(super) fn comes_before(&self, until: u64, outside: &Outside<'_>) -> bool {
        self.is_busy() || self.feed.is_under_way(outside) || self.feed.next_at(outside.now) < until
    }

    /// The request to be made now.
    pub(super) fn begin(&mut self, document: DocumentId, outside: &Outside<'_>) -> Option<Fetch> {
        if self.work.is_some() {
            return None;
        }
        let start = self.feed.begin(outside)?;
        // A list that expires has to be fetched in full, even if the server would answer 304.
        let signed = self.policy.terms.may_expire();
        let endpoint = self.policy.endpoint.clone();
        let validator = start.validator.filter(|validator| validator.source == endpoint.uri);
        let fresh = !signed || !self.standing(outside.now).stale;
        let etag = validator.filter(|_| fresh).map(|validator| validator.etag);
        let (timeout_ms, max_bytes) = (self.policy.timeout_ms, self.policy.terms.max_bytes());
        Some(Fetch { document, endpoint, accept: self.policy.terms.accept(), etag, timeout_ms, max_bytes })
    }

    /// Takes the answer to the request under way.
    pub(super) fn answered(&mut self, outside: &Outside<'_>, answer: Answer, document: Chunks) -> Vec<Event<ListSize>> {
        match answer {
            Answer::Failed(failure) => vec![self.fail(outside, failure)],
            Answer::NotModified { max_age_ms } => {
                let max_age_ms = self.max_age(outside, max_age_ms);
                let change = self.feed.confirm(outside, max_age_ms, None);
                after(change, Event::NotModified)
            }
            // A long document was copied in just now, which is enough work for one step.
            Answer::Document(head) if document.pieces().len() > 1 => {
                self.work = Some(Work::Uploading(Upload::new(document, head)));
                Vec::new()
            }
            Answer::Document(head) => self.put(outside, Upload::new(document, head)),
        }
    }

    /// Picks up what another worker fetched, does one step of reading when it has its turn, and drops what is too old.
    pub(super) fn look(&mut self, outside: &Outside<'_>, has_turn: bool) -> Vec<Event<ListSize>> {
        let mut events = match self.work.take_if(|_| has_turn) {
            Some(Work::Uploading(upload)) => self.put(outside, upload),
            Some(Work::Fetched { loader, content }) => self.judge(outside, loader, content),
            Some(Work::Gathering { version, manifest, pieces }) => self.gather(outside, version, manifest, pieces),
            Some(Work::Gathered { version, loader }) => self.pick_up(version, loader),
            None if self.is_busy() => {
                self.feed.renew(outside);
                Vec::new()
            }
            None => self.find(outside),
        };
        if let Some(change) = self.feed.expire(outside) {
            events.push(Event::TooOld(change));
        }
        if self.work.is_none() && self.feed.is_overdue(outside.now) {
            events.push(self.fail(outside, FailureKind::Timeout.because("the answer was lost")));
        }
        events
    }

    fn loader(&self, outside: &Outside<'_>, document: Chunks, is_shared: bool) -> Result<Loading, ListError> {
        self.policy.terms.begin(document, self.list.as_ref(), is_shared, seconds(outside.now))
    }

    fn signature(&self) -> Option<Signature> {
        self.list.as_ref().and_then(Listed::signature)
    }

    /// Does a step of a document that this worker fetched.
    fn judge(&mut self, outside: &Outside<'_>, mut loader: Loading, content: Fetched) -> Vec<Event<ListSize>> {
        match loader.step() {
            Ok(None) => {
                self.feed.renew(outside);
                self.work = Some(Work::Fetched { loader, content });
                Vec::new()
            }
            Err(error) => vec![self.fail(outside, unusable(&error))],
            Ok(Some(list)) => {
                let held = self.list.as_ref();
                let same = held.is_some_and(|held| held.signature() == list.signature() && held.says_the_same(&list));
                // Other text may say the same. All workers take it over, since they show its revision.
                let is_held = same && held.is_some_and(|held| held.revision() == list.revision());
                let event = if same { Event::Unchanged } else { Event::Updated(list.size()) };
                if !is_held {
                    self.list = Some(list);
                }
                let uri = self.policy.endpoint.uri.clone();
                let max_age_ms = self.max_age(outside, content.max_age_ms);
                if is_held && self.feed.holds_newest() {
                    let tag = Validator { source: uri, etag: content.etag };
                    return after(self.feed.confirm(outside, max_age_ms, Some(&tag)), Event::Unchanged);
                }
                after(self.feed.publish(outside, &uri, &Fetched { max_age_ms, ..content }), event)
            }
        }
    }

    /// How long the list in use is good: as long as its `ttl` says, else its server, and no longer than its signature says.
    fn max_age(&self, outside: &Outside<'_>, max_age_ms: Option<u64>) -> Option<u64> {
        let signature = self.signature();
        let milliseconds = |at: UnixSeconds| u64::try_from(at.0).unwrap_or(0).saturating_mul(1000);
        let expires_at = signature.and_then(|signature| signature.expires_at);
        let left = expires_at.map(|at| milliseconds(at).saturating_sub(outside.now));
        let ttl = signature.and_then(|signature| signature.ttl).map(|ttl| u64::from(ttl.0).saturating_mul(1000));
        left.into_iter().chain(ttl.or(max_age_ms)).min()
    }

    /// Puts more of a document in shared data, and begins to read it when all is there.
    fn put(&mut self, outside: &Outside<'_>, mut upload: Upload) -> Vec<Event<ListSize>> {
        let in_use = self.feed.content(outside.shared).and_then(|content| Manifest::from_bytes(&content));
        let is_intact = !self.feed.refuses_newest();
        let Some(manifest) = upload.step(outside.shared, &self.place, self.shares, (in_use, is_intact)) else {
            self.feed.renew(outside);
            self.work = Some(Work::Uploading(upload));
            return Vec::new();
        };
        match self.loader(outside, upload.document, false) {
            Ok(loader) => {
                self.feed.renew(outside);
                let content = Fetched { bytes: manifest.to_bytes(), ..upload.head };
                self.work = Some(Work::Fetched { loader, content });
                Vec::new()
            }
            Err(error) => vec![self.fail(outside, unusable(&error))],
        }
    }

    /// Looks for a document that another worker fetched.
    fn find(&mut self, outside: &Outside<'_>) -> Vec<Event<ListSize>> {
        // What a list that is too old revokes stays revoked, also for a worker that did nothing while it was fresh.
        let Some((version, bytes)) = self.feed.look_at_any(outside) else { return Vec::new() };
        match Manifest::from_bytes(&bytes) {
            Some(manifest) => self.gather(outside, version, manifest, Chunks::default()),
            None => vec![self.refuse(version, "it is no manifest".to_owned())],
        }
    }

    /// Takes the next piece from shared data.
    fn gather(
        &mut self,
        outside: &Outside<'_>,
        version: Version,
        manifest: Manifest,
        mut pieces: Chunks,
    ) -> Vec<Event<ListSize>> {
        let total = usize::try_from(manifest.length).unwrap_or(usize::MAX);
        let rest = total.saturating_sub(pieces.len()).min(CHUNK_BYTES);
        if total > self.policy.terms.max_bytes() {
            return vec![self.refuse(version, unusable(&ListError::TooLarge(self.policy.terms.max_bytes())).why)];
        }
        let name = manifest.name(&self.place, pieces.pieces().len());
        let piece = outside.shared.read(&name).and_then(|(piece, _)| manifest.unmarked(piece));
        let Some(piece) = piece.filter(|piece| piece.len() == rest) else {
            // A newer document has replaced it. That one is found next, or fetched.
            self.feed.refuse(version);
            return Vec::new();
        };
        pieces.append(piece);
        if pieces.len() < total {
            self.work = Some(Work::Gathering { version, manifest, pieces });
            return Vec::new();
        }
        match self.loader(outside, pieces, true) {
            Ok(loader) => self.work = Some(Work::Gathered { version, loader }),
            Err(error) => return vec![self.refuse(version, error.to_string())],
        }
        Vec::new()
    }

    /// Does a step of a document that another worker fetched.
    fn pick_up(&mut self, version: Version, mut loader: Loading) -> Vec<Event<ListSize>> {
        match loader.step() {
            Ok(None) => {
                self.work = Some(Work::Gathered { version, loader });
                Vec::new()
            }
            Ok(Some(list)) => {
                self.list = Some(list);
                self.feed.hold(version);
                vec![Event::PickedUp]
            }
            Err(error) => vec![self.refuse(version, error.to_string())],
        }
    }

    /// Takes a list that this worker needs no longer out of shared data. If another worker still needs it, that one fetches
    /// it again.
    pub(super) fn forget(&mut self, shared: &dyn SharedData) {
        self.feed.give_up(shared);
        let most = self.policy.terms.max_bytes().div_ceil(CHUNK_BYTES);
        for turn in [0, 1] {
            let manifest = Manifest { mark: 0, turn, length: 0 };
            let names = (0..most).map(|piece| manifest.name(&self.place, piece));
            names.take_while(|name| shared.read(name).is_some()).for_each(|name| shared.remove(&name));
        }
        self.feed.forget(shared);
    }

    /// The name of the first piece of the document at this turn.
    #[cfg(test)]
    pub(super) fn piece_name(&self, turn: u64) -> String {
        Manifest { mark: 0, turn, length: 0 }.name(&self.place, 0)
    }

    fn refuse(&mut self, version: Version, why: String) -> Event<ListSize> {
        self.feed.refuse(version);
        Event::Foreign(why)
    }

    fn fail(&mut self, outside: &Outside<'_>, failure: Failure) -> Event<ListSize> {
        self.work = None;
        let failure = failure.at(&self.policy.endpoint);
        let change = self.feed.fail(outside, &failure.why);
        Event::Failed(failure, change)
    }
}

fn after(change: Change, event: Event<ListSize>) -> Vec<Event<ListSize>> {
    match change {
        Change::Changed => vec![Event::Recovered, event],
        Change::Same => vec![event],
    }
}

fn unusable(error: &ListError) -> Failure {
    let kind = match error {
        ListError::TooLarge(_) | ListError::TooManyEntries(_) => FailureKind::TooLarge,
        _ => FailureKind::Invalid,
    };
    kind.because(error.to_string())
}

fn seconds(now: u64) -> UnixSeconds {
    UnixSeconds(i64::try_from(now / 1000).unwrap_or(i64::MAX))
}

fn timing(policy: &RemoteList<ListTerms>) -> Timing {
    let milliseconds = |seconds: Seconds| u64::from(seconds.0).saturating_mul(1000);
    let refresh = milliseconds(policy.refresh);
    Timing {
        refresh,
        timeout: u64::from(policy.timeout_ms),
        max_stale: milliseconds(policy.max_stale),
        out_of_turn: refresh,
    }
}

/// The name of the document in shared data, which no other list, address or cluster has.
fn place(names: &[&str], policy: &RemoteList<ListTerms>) -> String {
    let whole = [names, &[&policy.endpoint.uri, &policy.endpoint.cluster]].concat().join("\n");
    let name = base64url::encode(&sha256(whole.as_bytes()));
    format!("scopegate/1/{}", name.get(..22).unwrap_or(&name))
}
