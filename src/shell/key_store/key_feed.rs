//! The fetched keys of one issuer: the requests of a fetch, and the answers.

use super::Events;
use super::unknown_kids::UnknownKids;
use crate::base::base64url;
use crate::crypto::sha256;
use crate::facts::KeyRing;
use crate::jose::{KeySet, KeySetError};
use crate::policy::{Endpoint, IssuerId, KeyOrigin, Limits, RemoteKeys, jwks_endpoint};
use crate::shell::documents::{DocumentId, Event, Fetch};
use crate::shell::feed::{Answer, Change, Failure, FailureKind, Feed, Fetched, Outside, Timing, Validator};
use std::rc::Rc;

/// The fetched keys of one issuer.
#[derive(Debug)]
pub(super) struct KeyFeed {
    pub(super) id: IssuerId,
    issuer: String,
    pub(super) source: RemoteKeys,
    max_bytes: usize,
    pub(super) feed: Feed,
    pub(super) keys: Option<Rc<KeySet>>,
    step: Step,
    /// The place where metadata was found last.
    found_at: usize,
    pub(super) unknown_kids: UnknownKids,
}

/// Which request of a fetch is under way.
#[derive(Debug)]
enum Step {
    None,
    /// For the metadata at this place of the list, with what was wrong at an earlier place.
    Metadata(usize, Option<Failure>),
    /// For the key set.
    Keys(Endpoint),
}

impl KeyFeed {
    pub(super) fn new(
        id: IssuerId,
        issuer: &str,
        source: &RemoteKeys,
        max_bytes: usize,
        shares: bool,
        me: u64,
    ) -> Self {
        Self {
            id,
            issuer: issuer.to_owned(),
            source: source.clone(),
            max_bytes,
            feed: Feed::new(&place(issuer, source), timing(source), shares, me),
            keys: None,
            step: Step::None,
            found_at: 0,
            unknown_kids: UnknownKids::default(),
        }
    }

    pub(super) fn interval_ms(&self) -> u64 {
        u64::from(self.source.unknown_kid_interval.0).saturating_mul(1000)
    }

    /// The request to be made now.
    pub(super) fn begin(&mut self, outside: &Outside<'_>) -> Option<Fetch> {
        let start = self.feed.begin(outside)?;
        match &self.source.origin {
            KeyOrigin::Document(endpoint) => Some(self.ask_for_keys(endpoint.clone(), start.validator)),
            KeyOrigin::Discovery { .. } => self.ask_for_metadata(self.found_at, None),
        }
    }

    fn ask_for_metadata(&mut self, place: usize, wrong: Option<Failure>) -> Option<Fetch> {
        let KeyOrigin::Discovery { metadata, .. } = &self.source.origin else { return None };
        let endpoint = metadata.get(place)?.clone();
        self.step = Step::Metadata(place, wrong);
        Some(self.request(endpoint, "application/json", None))
    }

    fn ask_for_keys(&mut self, endpoint: Endpoint, validator: Option<Validator>) -> Fetch {
        let validator = validator.filter(|validator| validator.source == endpoint.uri);
        let etag = validator.map(|validator| validator.etag);
        self.step = Step::Keys(endpoint.clone());
        self.request(endpoint, "application/jwk-set+json, application/json", etag)
    }

    const fn request(&self, endpoint: Endpoint, accept: &'static str, etag: Option<String>) -> Fetch {
        let (document, timeout_ms, max_bytes) = (DocumentId::Keys(self.id), self.source.timeout_ms, self.max_bytes);
        Fetch { document, endpoint, accept, etag, timeout_ms, max_bytes }
    }

    /// Takes the answer to the request under way. Returns the request that has to follow, if any.
    pub(super) fn answered(
        &mut self,
        outside: &Outside<'_>,
        answer: Answer,
        limits: Limits,
        ring: &mut KeyRing,
        events: &mut Events,
    ) -> Option<Fetch> {
        match std::mem::replace(&mut self.step, Step::None) {
            Step::None => None,
            Step::Metadata(place, wrong) => self.metadata(outside, place, wrong, answer, events),
            Step::Keys(endpoint) => {
                self.key_set(outside, &endpoint, answer, limits, ring, events);
                None
            }
        }
    }

    fn metadata(
        &mut self,
        outside: &Outside<'_>,
        place: usize,
        wrong: Option<Failure>,
        answer: Answer,
        events: &mut Events,
    ) -> Option<Fetch> {
        let KeyOrigin::Discovery { metadata, jwks_cluster } = &self.source.origin else { return None };
        let places = metadata.len();
        let failure = match answer {
            Answer::Document(document) => match jwks_endpoint(&document.bytes, &self.issuer, jwks_cluster) {
                Ok(endpoint) => {
                    self.found_at = place;
                    self.feed.renew(outside);
                    let validator = self.feed.validator();
                    return Some(self.ask_for_keys(endpoint, validator));
                }
                Err(why) => FailureKind::Invalid.because(why),
            },
            Answer::NotModified { .. } => FailureKind::Status.because("answered 304 to a request without a condition"),
            Answer::Failed(failure) => failure,
        };
        // Metadata that is missing may be at the next place, once around. An unreachable issuer is unreachable at every
        // place.
        let next = place.saturating_add(1).checked_rem(places).unwrap_or(0);
        let elsewhere = matches!(failure.kind, FailureKind::Status | FailureKind::Invalid) && next != self.found_at;
        // A wrong document says more than a missing one.
        let failure = wrong.unwrap_or_else(|| {
            let failure = Failure { why: format!("its metadata: {}", failure.why), ..failure };
            match metadata.get(place) {
                Some(endpoint) => failure.at(endpoint),
                None => failure,
            }
        });
        if elsewhere {
            self.feed.renew(outside);
            return self.ask_for_metadata(next, (failure.kind == FailureKind::Invalid).then_some(failure));
        }
        self.found_at = 0;
        self.fail(outside, failure, events);
        None
    }

    fn key_set(
        &mut self,
        outside: &Outside<'_>,
        endpoint: &Endpoint,
        answer: Answer,
        limits: Limits,
        ring: &mut KeyRing,
        events: &mut Events,
    ) {
        let (change, event) = match answer {
            Answer::Failed(failure) => return self.fail(outside, failure.at(endpoint), events),
            Answer::NotModified { max_age_ms } => (self.feed.confirm(outside, max_age_ms, None), Event::NotModified),
            Answer::Document(document) => match usable(&document.bytes, limits) {
                Err(error) => return self.fail(outside, unusable(error, &document.form).at(endpoint), events),
                Ok(keys) => self.key_set_read(outside, endpoint, &document, keys, ring),
            },
        };
        if change == Change::Changed {
            events.push((self.id, Event::Recovered));
        }
        events.push((self.id, event));
    }

    fn key_set_read(
        &mut self,
        outside: &Outside<'_>,
        endpoint: &Endpoint,
        document: &Fetched,
        keys: KeySet,
        ring: &mut KeyRing,
    ) -> (Change, Event<Rc<KeySet>>) {
        let is_told = self.keys.as_ref().is_some_and(|held| held.skipped() == keys.skipped());
        let is_same = is_told && self.keys.as_ref().is_some_and(|held| held.has_same_keys(&keys));
        if is_same && self.feed.holds_newest() {
            let tag = Validator { source: endpoint.uri.clone(), etag: document.etag.clone() };
            return (self.feed.confirm(outside, document.max_age_ms, Some(&tag)), Event::Unchanged);
        }
        let change = self.feed.publish(outside, &endpoint.uri, document);
        let event = match (self.take(keys, ring), &self.keys) {
            (true, Some(keys)) => Event::Updated(Rc::clone(keys)),
            (false, Some(keys)) if !is_told => Event::LeftOut(Rc::clone(keys)),
            _ => Event::Unchanged,
        };
        (change, event)
    }

    /// Puts keys in use, unless they are the same as before: then tokens verified with them stay verified. Returns
    /// whether they differ.
    pub(super) fn take(&mut self, keys: KeySet, ring: &mut KeyRing) -> bool {
        let is_other = self.keys.as_ref().is_none_or(|held| !held.has_same_keys(&keys));
        let keys = Rc::new(keys);
        if is_other {
            ring.set(self.id, Some(Rc::clone(&keys)));
        }
        // Other keys may have been left out even so.
        self.keys = Some(keys);
        is_other
    }

    /// The address of the request under way.
    fn under_way(&self) -> Option<&Endpoint> {
        match (&self.step, &self.source.origin) {
            (Step::Keys(endpoint), _) => Some(endpoint),
            (Step::Metadata(place, _), KeyOrigin::Discovery { metadata, .. }) => metadata.get(*place),
            _ => None,
        }
    }

    /// Notes that a fetch has failed. The words name the address of the request, if it is still under way.
    pub(super) fn fail(&mut self, outside: &Outside<'_>, failure: Failure, events: &mut Events) {
        let failure = match self.under_way() {
            Some(endpoint) => failure.at(endpoint),
            None => failure,
        };
        self.step = Step::None;
        let change = self.feed.fail(outside, &failure.why);
        events.push((self.id, Event::Failed(failure, change)));
    }
}

/// Reads a key set that came from outside. One without a usable key is an outage, since an issuer that withdraws keys
/// publishes others.
pub(super) fn usable(bytes: &[u8], limits: Limits) -> Result<KeySet, KeySetError> {
    let keys = KeySet::parse(bytes, limits.jwks_bytes, limits.jwks_keys)?;
    if keys.keys().is_empty() { Err(KeySetError::NothingUsable(None)) } else { Ok(keys) }
}

/// Why a document cannot be used. If it is no key set, also the form that its source states.
fn unusable(error: KeySetError, form: &str) -> Failure {
    match error {
        KeySetError::TooLarge => FailureKind::TooLarge.because(error.to_string()),
        KeySetError::NotAKeySet(_) if !form.is_empty() => FailureKind::Invalid.because(format!("{error} ({form})")),
        KeySetError::NotAKeySet(_) | KeySetError::TooManyKeys | KeySetError::NothingUsable(_) => {
            FailureKind::Invalid.because(error.to_string())
        }
    }
}

fn timing(source: &RemoteKeys) -> Timing {
    let milliseconds = |seconds: u32| u64::from(seconds).saturating_mul(1000);
    Timing {
        refresh: milliseconds(source.refresh.0),
        timeout: u64::from(source.timeout_ms),
        max_stale: milliseconds(source.max_stale.0),
        out_of_turn: milliseconds(source.unknown_kid_interval.0),
    }
}

/// The name of the document in shared data, which no other issuer, address or cluster has.
fn place(issuer: &str, source: &RemoteKeys) -> String {
    let uri = match &source.origin {
        KeyOrigin::Document(endpoint) => endpoint.uri.as_str(),
        KeyOrigin::Discovery { .. } => "discovery",
    };
    let clusters = source.clusters().join("\n");
    let digest = sha256([issuer, uri, &clusters].join("\n").as_bytes());
    let name = base64url::encode(&digest);
    format!("scopegate/1/{}", name.get(..22).unwrap_or(&name))
}
