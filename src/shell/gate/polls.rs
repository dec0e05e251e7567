//! Events that are asked for ([RFC 8936](https://www.rfc-editor.org/rfc/rfc8936)): one worker polls, and judges and stores what
//! comes for all of them.

use super::super::callouts::Purpose;
use super::super::event_poll::{Judged, Poller};
use super::super::feed::{Answer, Change, Failure, FailureKind, Outside, SharedData};
use super::super::host::{Counter, Gauge, Host};
use super::super::metrics;
use super::{Gate, StreamRequest, fetch};
use crate::audit::Outcome;
use crate::decision::{Denial, Need, ReceivedEvent};
use crate::engine::{Unproven, receive};
use crate::facts::Awaited;
use crate::policy::{EventPoll, EventSource, Policy, SecurityEvents};
use crate::security_event::{EventForm, PolledSets};
use std::cell::{Cell, RefCell};

/// The longest answer, in bytes.
const ANSWER_BYTES: usize = 1_048_576;
/// How many polls may follow each other at once.
const MOST_IN_A_TICK: u32 = 4;
/// How often an event is judged again because keys came in between, or its key is known to be in none.
const ATTEMPTS: usize = 3;

/// The transmitters that are asked; none where the policy asks none.
#[derive(Default)]
pub(super) struct Polls {
    all: Vec<Polled>,
    shared: Option<Box<dyn SharedData>>,
    meters: PollMeters,
}

/// A transmitter that is asked.
struct Polled {
    /// Its source alone: an event of another `iss` is refused, though that may push it.
    events: SecurityEvents,
    poller: RefCell<Poller>,
    /// The keys that events wait for which are left.
    waits: RefCell<Vec<Wait>>,
    in_tick: Cell<u32>,
    /// What was last told of events that are left.
    told: Cell<Option<&'static str>>,
    age: Option<Gauge>,
}

struct Wait {
    need: Need,
    since: u64,
    deadline: u64,
}

#[derive(Default)]
struct PollMeters {
    with_events: Option<Counter>,
    without_events: Option<Counter>,
    failed: Vec<(FailureKind, Counter)>,
    taken: Option<Counter>,
    refused: Option<Counter>,
    left: Option<Counter>,
}

/// What becomes of one event.
enum Verdict {
    Taken,
    /// With the error code, and the words for it.
    Refused(&'static str, &'static str),
    /// It is not acknowledged, so it comes again.
    Left(&'static str),
}

impl Polls {
    /// The transmitters of the policy. The main thread is the first to open them, before there are workers.
    pub(super) fn open(host: &impl Host, policy: &Policy, me: u64) -> Self {
        let sources = policy.events.iter().flat_map(|events| &events.sources);
        let asked: Vec<_> = sources.filter_map(|source| Some((source, source.poll.as_ref()?))).collect();
        if asked.is_empty() {
            return Self::default();
        }
        let shared = host.shared_data();
        let now = host.now_ns() / super::NANOS_PER_MILLI;
        let polled = |(source, terms): (&EventSource, &EventPoll)| {
            let poller = Poller::new(source, terms, me, now);
            poller.seed(&*shared, now);
            Polled {
                events: SecurityEvents { path: None, max_bytes: 0, sources: vec![source.clone()] },
                poller: RefCell::new(poller),
                waits: RefCell::default(),
                in_tick: Cell::new(0),
                told: Cell::new(None),
                age: host.define_gauge(&metrics::named(metrics::EVENTS_AGE_SECONDS, &source.name)).ok(),
            }
        };
        let all = asked.into_iter().map(polled).collect();
        Self { all, shared: Some(shared), meters: PollMeters::define(host) }
    }

    /// How soon this worker asks next, in milliseconds; `None`: another worker asks, or an answer is awaited.
    pub(super) fn due_in(&self, now: u64) -> Option<u64> {
        self.all.iter().filter_map(|polled| polled.poller.borrow().due_in(now)).min()
    }

    /// The gate ends: another one asks.
    pub(super) fn give_up(&self) {
        let Some(shared) = &self.shared else { return };
        self.all.iter().for_each(|polled| polled.poller.borrow_mut().give_up(&**shared));
    }
}

impl Polled {
    fn source(&self) -> Option<&EventSource> {
        self.events.sources.first()
    }

    fn name(&self) -> &str {
        self.source().map_or("", |source| &source.name)
    }
}

impl<H: Host> Gate<H> {
    /// At each tick: asks those that are due, and gives up lost answers.
    pub(super) fn poll(&self) {
        for (place, polled) in self.polls.all.iter().enumerate() {
            let Some(outside) = self.outside_of_polls() else { return };
            if self.end_waits(polled) {
                polled.poller.borrow_mut().wake(&outside);
            }
            if polled.poller.borrow().is_overdue(outside.now) {
                self.poll_failed(polled, &FailureKind::Timeout.because("the answer was lost"));
            }
            polled.in_tick.set(0);
            self.ask_for_events(place, polled);
            let age = polled.poller.borrow().age(outside.shared, outside.now);
            polled.age.into_iter().for_each(|gauge| self.host.set_gauge(gauge, age / 1000));
        }
    }

    /// The time, a random number, and what workers share of polls.
    fn outside_of_polls(&self) -> Option<Outside<'_>> {
        let shared = &**self.polls.shared.as_ref()?;
        Some(Outside { shared, now: self.now_ms(), random: self.host.random() })
    }

    fn ask_for_events(&self, place: usize, polled: &Polled) {
        let (Some(outside), Some(source)) = (self.outside_of_polls(), polled.source()) else { return };
        let Some(terms) = &source.poll else { return };
        let room = self.events.room(self.host.now_ns(), self.settings.limits.events_per_second);
        let Some(body) = polled.poller.borrow_mut().begin(&outside, room) else { return };
        polled.in_tick.set(polled.in_tick.get().saturating_add(1));
        let endpoint = &terms.endpoint;
        match self.host.http_call(&endpoint.cluster, &headers(terms), body.as_bytes(), terms.timeout_ms) {
            Ok(token) => {
                polled.poller.borrow_mut().sent(token);
                self.callouts.borrow_mut().sent(token, Purpose::Poll(place));
            }
            Err(failure) => self.poll_failed(polled, &fetch::not_sent(failure, &endpoint.cluster)),
        }
    }

    fn poll_failed(&self, polled: &Polled, failure: &Failure) {
        let counter = self.polls.meters.failed.iter().find(|(kind, _)| *kind == failure.kind);
        counter.into_iter().for_each(|(_, counter)| self.host.count(*counter, 1));
        let Some(outside) = self.outside_of_polls() else { return };
        if polled.poller.borrow_mut().failed(&outside, failure.kind) == Change::Changed {
            log::warn!("scopegate: events: {} could not be asked: {}", polled.name(), failure.why);
        }
    }

    /// A transmitter has answered, with `headers` headers and a body of `bytes` bytes.
    pub(super) fn on_poll(&self, place: usize, token: u32, headers: usize, bytes: usize) {
        let Some(polled) = self.polls.all.get(place) else { return };
        let Some(asked_for) = polled.poller.borrow().awaits(token) else { return };
        match self.read_poll(headers, bytes) {
            Ok(sets) => self.take_polled(place, polled, sets, asked_for),
            Err(failure) => self.poll_failed(polled, &failure),
        }
        self.set_tick();
    }

    fn read_poll(&self, headers: usize, bytes: usize) -> Result<PolledSets, Failure> {
        match fetch::receive(&self.host, headers, bytes, ANSWER_BYTES, false) {
            (Answer::Document(_), body) => PolledSets::parse(&body.pieces().concat())
                .map_err(|why| FailureKind::Invalid.because(["sent an answer that cannot be used: ", why].concat())),
            (Answer::Failed(failure), _) => Err(failure),
            (Answer::NotModified { .. }, _) => Err(FailureKind::Invalid.because("sent no answer to a poll")),
        }
    }

    /// Judges what has come. More than was asked for is left, since it takes time.
    fn take_polled(&self, place: usize, polled: &Polled, sets: PolledSets, asked_for: u32) {
        let mut judged = Judged { has_more: sets.has_more, ..Judged::default() };
        let mut left = None;
        for ((id, set), number) in sets.sets.into_iter().zip(0..) {
            let verdict = if number < asked_for {
                self.judge_polled(polled, &id, set.as_bytes())
            } else {
                Verdict::Left("more came than was asked for")
            };
            match verdict {
                Verdict::Taken => judged.taken.push(id),
                Verdict::Refused(code, why) => judged.refused.push((id, code, why)),
                Verdict::Left(why) => {
                    left = Some(why);
                    judged.left = judged.left.saturating_add(1);
                }
            }
        }
        self.tell_of_polled(polled, &judged, left);
        let Some(outside) = self.outside_of_polls() else { return };
        let has_more = judged.has_more;
        if polled.poller.borrow_mut().answered(&outside, judged) == Change::Changed {
            log::info!("scopegate: events: {} answers again", polled.name());
        }
        if has_more && polled.in_tick.get() < MOST_IN_A_TICK {
            self.ask_for_events(place, polled);
        }
    }

    fn judge_polled(&self, polled: &Polled, id: &str, set: &[u8]) -> Verdict {
        let request = StreamRequest::unread(self.root_context);
        for _ in 0..ATTEMPTS {
            let heard =
                self.with_facts(&request, |facts| receive(&self.policy, &polled.events, set, EventForm::Set, facts));
            match heard {
                Ok(event) if event.id != id => {
                    return Verdict::Refused("invalid_request", "its `jti` is not the one that it came under");
                }
                Ok(event) => return self.take_good(&event),
                Err(Unproven::Deny(Denial::InvalidEvent(refusal))) => {
                    return Verdict::Refused(refusal.fault.code(), refusal.why);
                }
                Err(Unproven::Deny(Denial::TooBusy)) => return Verdict::Left("signatures take too much time"),
                Err(Unproven::Deny(_)) => return Verdict::Left("its key is not there"),
                Err(Unproven::Await(need)) => {
                    if !self.wait_for_key(polled, &request, need) {
                        return Verdict::Left("its key is not there");
                    }
                }
            }
        }
        Verdict::Left("its key is not there")
    }

    fn take_good(&self, event: &ReceivedEvent) -> Verdict {
        match self.take_event(event) {
            Ok(()) => {
                self.tallies.add(Outcome::Received, &event.trace, b"");
                Verdict::Taken
            }
            Err(Denial::EventsFull) => Verdict::Left("there is no room for what it revokes"),
            Err(_) => Verdict::Left("more came in a second than are taken"),
        }
    }

    /// Asks for a key. Returns whether the event can be judged again now: keys have come, or they are known to lack it.
    fn wait_for_key(&self, polled: &Polled, request: &StreamRequest, need: Need) -> bool {
        let outside = self.outside();
        let happened = self.documents.borrow_mut().look_for(&need, &outside);
        if !happened.is_empty() {
            self.tell(happened);
            return true;
        }
        let mut documents = self.documents.borrow_mut();
        if documents.is_looked_for_in_vain(&need, outside.now) {
            request.note(&need, Awaited::Yes);
            return true;
        }
        let mut waits = polled.waits.borrow_mut();
        if waits.iter().all(|wait| wait.need != need)
            && let Some(deadline) = documents.wait_deadline(&need, &outside)
        {
            waits.push(Wait { need, since: outside.now, deadline });
            drop(documents);
            self.hurry();
        }
        false
    }

    /// Ends the waits for keys that are over. Returns whether keys have come.
    fn end_waits(&self, polled: &Polled) -> bool {
        let mut waits = polled.waits.borrow_mut();
        if waits.is_empty() {
            return false;
        }
        let outside = self.outside();
        let mut documents = self.documents.borrow_mut();
        let mut has_come = false;
        waits.retain(|wait| {
            let ended = documents.ended(&wait.need, wait.since, wait.deadline, &outside);
            has_come |= ended == Some(Awaited::Yes);
            ended.is_none()
        });
        has_come
    }

    /// Counts what has come, and says in the log what was refused, and once why events are left.
    fn tell_of_polled(&self, polled: &Polled, judged: &Judged, left: Option<&'static str>) {
        let PollMeters { with_events, without_events, taken, refused, left: left_over, .. } = &self.polls.meters;
        let count = |events: usize| u32::try_from(events).unwrap_or(u32::MAX);
        let (of_taken, of_refused) = (count(judged.taken.len()), count(judged.refused.len()));
        let has_events = of_taken > 0 || of_refused > 0 || judged.left > 0;
        let answers = [(*with_events, u32::from(has_events)), (*without_events, u32::from(!has_events))];
        let events = [(*taken, of_taken), (*refused, of_refused), (*left_over, judged.left)];
        for (counter, count) in answers.into_iter().chain(events).filter(|(_, count)| *count > 0) {
            counter.into_iter().for_each(|counter| self.host.count(counter, count));
        }
        let name = polled.name();
        if let Some((_, code, why)) = judged.refused.first() {
            log::warn!("scopegate: events: {of_refused} of {name} were refused; the first: {code}: {why}");
        }
        if let Some(why) = left.filter(|why| polled.told.get() != Some(why)) {
            log::warn!("scopegate: events: {} of {name} are left for later: {why}", judged.left);
        }
        polled.told.set(left);
    }
}

impl PollMeters {
    fn define(host: &impl Host) -> Self {
        let define = |metric, outcome: &str| host.define_counter(&metrics::named(metric, outcome)).ok();
        let polls = |outcome| define(metrics::EVENTS_POLLS, outcome);
        let polled = |outcome| define(metrics::EVENTS_POLLED, outcome);
        Self {
            with_events: polls("with_events"),
            without_events: polls("without_events"),
            failed: FailureKind::ALL.into_iter().filter_map(|kind| Some((kind, polls(kind.name())?))).collect(),
            taken: polled("taken"),
            refused: polled("refused"),
            left: polled("left"),
        }
    }
}

fn headers(terms: &EventPoll) -> Vec<(&str, &str)> {
    let mut headers = terms.endpoint.request("POST");
    headers.extend([("accept", "application/json"), ("content-type", "application/json")]);
    headers.extend(terms.authorization.as_deref().map(|value| ("authorization", value)));
    headers
}
