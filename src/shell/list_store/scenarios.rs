//! Workers of one process, and their lists.

use super::*;
use crate::base::time::Seconds;
use crate::policy::{Endpoint, RemoteList, WhenStale};
use crate::revocation::{Builder, Entry, EntryKind, Revision, Revocable, Terms};
use crate::shell::documents::DocumentId;
use crate::shell::feed::local_data::LocalData;
use crate::shell::feed::{Change, FailureKind, Fetched};
use std::borrow::Cow;

pub(super) const START: u64 = 1_800_000_000_000;

/// What happened, to which worker.
type WorkerEvents = Vec<(usize, Event<ListSize>)>;

pub(super) struct Process {
    pub(super) shared: LocalData,
    pub(super) workers: Vec<ListStore>,
    pub(super) now: u64,
    chance: u64,
}

pub(super) fn policy(when_stale: WhenStale) -> RevocationSettings {
    let endpoint = Endpoint::parse("https://lists.example.com/revoked", "lists").expect("an address");
    let terms = Terms { name: "main".into(), max_bytes: 32 << 20, signed_by: None };
    let (refresh, max_stale) = (Seconds(10), Seconds(60));
    let list = RemoteList { endpoint, refresh, timeout_ms: 2000, max_stale, when_stale, terms };
    RevocationSettings { entries: Vec::new(), lists: vec![list] }
}

struct Token<'t>(&'t str);

impl Revocable for Token<'_> {
    fn iss(&self) -> &'static str {
        "i"
    }

    fn name(&self, kind: EntryKind) -> Option<Cow<'_, str>> {
        (kind == EntryKind::TokenId).then_some(Cow::Borrowed(self.0))
    }

    fn issued_at(&self) -> Option<UnixSeconds> {
        None
    }
}

pub(super) fn line(id: &str) -> Chunks {
    Chunks::from(format!("{{\"iss\":\"i\",\"jti\":\"{id}\"}}\n").as_bytes())
}

pub(super) fn document(etag: &str) -> Answer {
    Answer::Document(Fetched { etag: etag.to_owned(), ..Fetched::default() })
}

impl Process {
    pub(super) fn new(workers: usize, when_stale: WhenStale) -> Self {
        Self::of(workers, &policy(when_stale))
    }

    pub(super) fn of(workers: usize, policy: &RevocationSettings) -> Self {
        let store = |me: usize| {
            let me = u64::try_from(me).expect("a number") + 1;
            ListStore::new(policy, &[], UnixSeconds(0), true, me)
        };
        let process =
            Self { shared: LocalData::default(), workers: (0..workers).map(store).collect(), now: START, chance: 0 };
        process.workers.iter().for_each(|worker| worker.seed(&process.shared));
        process
    }

    /// Lets some time pass, in milliseconds, and every worker look and begin. Returns the requests, by worker.
    pub(super) fn tick(&mut self, milliseconds: u64) -> (Vec<(usize, Fetch)>, WorkerEvents) {
        self.now += milliseconds;
        let (mut requests, mut events) = (Vec::new(), Vec::new());
        for (index, worker) in self.workers.iter_mut().enumerate() {
            self.chance += 1;
            let outside = Outside { shared: &self.shared, now: self.now, random: self.chance };
            events.extend(worker.look(&outside).into_iter().map(|(_, event)| (index, event)));
            for request in worker.begin(&outside) {
                worker.sent(&outside, list_of(&request), 7);
                requests.push((index, request));
            }
        }
        (requests, events)
    }

    pub(super) fn answer(&mut self, worker: usize, answer: Answer, pieces: Chunks) -> Vec<Event<ListSize>> {
        self.chance += 1;
        let outside = Outside { shared: &self.shared, now: self.now, random: self.chance };
        let lists = (0..self.workers[worker].remotes.len()).map(ListId);
        let list = lists.into_iter().find(|list| self.workers[worker].awaits(*list, 7)).expect("a request under way");
        self.workers[worker].answered(&outside, list, answer, pieces).into_iter().map(|(_, event)| event).collect()
    }

    /// Lets the worker that begins fetch the list, and all read it.
    pub(super) fn fetch(&mut self, answer: Answer, pieces: Chunks) -> WorkerEvents {
        let (requests, mut events) = self.tick(10_000);
        assert_eq!(requests.len(), 1, "one request for the process: {requests:?}");
        let worker = requests[0].0;
        events.extend(self.answer(worker, answer, pieces).into_iter().map(|event| (worker, event)));
        for _ in 0..100 {
            let (requests, more) = self.tick(10);
            assert!(requests.is_empty(), "{requests:?}");
            events.extend(more);
        }
        assert!(self.workers.iter().all(|worker| !worker.is_busy()));
        events
    }

    pub(super) fn refuses(&self, id: &str) -> Vec<bool> {
        self.workers.iter().map(|worker| worker.revocations().find(&Token(id)).is_some()).collect()
    }

    fn outside(&self) -> Outside<'_> {
        Outside { shared: &self.shared, now: self.now, random: 0 }
    }

    /// The revision of the list, by worker.
    fn revisions(&self) -> Vec<u64> {
        let of = |worker: &ListStore| worker.standings(self.now).map(|(_, standing)| standing.revision.number()).sum();
        self.workers.iter().map(of).collect()
    }

    pub(super) fn complete(&self) -> Vec<bool> {
        self.workers.iter().map(|worker| worker.revocations().are_complete()).collect()
    }
}

/// The list that a request is for.
pub(super) fn list_of(fetch: &Fetch) -> ListId {
    match fetch.document {
        DocumentId::List(list) => list,
        other => panic!("a request for {other:?}"),
    }
}

#[test]
fn one_worker_fetches_and_all_refuse() {
    let mut process = Process::new(4, WhenStale::Deny);
    assert_eq!(process.complete(), [false; 4], "nothing is known yet");
    let events = process.fetch(document("\"1\""), line("a"));
    assert_eq!(
        events.iter().filter(|(_, event)| matches!(event, Event::Updated(ListSize { entries: 1, .. }))).count(),
        1,
        "{events:?}"
    );
    assert_eq!(events.iter().filter(|(_, event)| *event == Event::PickedUp).count(), 3, "{events:?}");
    assert_eq!((process.refuses("a"), process.refuses("b")), (vec![true; 4], vec![false; 4]));
    assert_eq!(process.complete(), [true; 4]);
    process.fetch(document("\"2\""), line("b"));
    assert_eq!((process.refuses("a"), process.refuses("b")), (vec![false; 4], vec![true; 4]));
}

#[test]
fn a_long_list_goes_round_in_pieces() {
    let mut builder = Builder::new(UnixSeconds(0));
    (0..200_000).for_each(|id| builder.add(&Entry::token("i".into(), id.to_string())));
    let bytes = builder.finish().bytes().clone();
    assert!(bytes.pieces().len() > 3);
    let mut process = Process::new(2, WhenStale::Deny);
    process.fetch(document(""), bytes);
    assert_eq!((process.refuses("199999"), process.refuses("200000")), (vec![true; 2], vec![false; 2]));
}

#[test]
fn who_comes_later_picks_up_what_a_server_has_sent_again_and_again() {
    let mut process = Process::new(1, WhenStale::Deny);
    for _ in 0..5 {
        process.fetch(document(""), line("a"));
    }
    process.workers.push(ListStore::new(&policy(WhenStale::Deny), &[], UnixSeconds(0), true, 9));
    let mut events = Vec::new();
    for _ in 0..5 {
        let (requests, more) = process.tick(0);
        assert!(requests.is_empty(), "{requests:?}");
        events.extend(more);
    }
    assert_eq!(events, [(1, Event::PickedUp)]);
    assert_eq!((process.complete(), process.refuses("a")), (vec![true; 2], vec![true; 2]));
}

#[test]
fn what_has_not_changed_is_not_read_again() {
    let mut process = Process::new(2, WhenStale::Deny);
    process.fetch(document("\"1\""), line("a"));
    let (requests, _) = process.tick(10_000);
    assert_eq!(requests[0].1.etag.as_deref(), Some("\"1\""), "{requests:?}");
    let events = process.answer(requests[0].0, Answer::NotModified { max_age_ms: None }, Chunks::default());
    assert_eq!(events, [Event::NotModified]);
    // Also where the server has no ETag and sends the same document again.
    let events = process.fetch(document("\"2\""), line("a"));
    assert_eq!(events.iter().map(|(_, event)| event).collect::<Vec<_>>(), [&Event::Unchanged], "{events:?}");
    assert_eq!(process.refuses("a"), [true; 2]);
}

#[test]
fn all_workers_show_the_revision_of_the_document_also_where_only_its_text_is_new() {
    let mut process = Process::new(3, WhenStale::Deny);
    assert_eq!(process.revisions(), [0; 3], "there is no list");
    let text =
        |reason: &str| Chunks::from(format!("{{\"iss\":\"i\",\"jti\":\"a\",\"reason\":\"{reason}\"}}\n").as_bytes());
    for (etag, reason) in [("\"1\"", "stolen"), ("\"2\"", "lost"), ("\"3\"", "lost")] {
        let events = process.fetch(document(etag), text(reason));
        let wanted = Revision::of(&text(reason)).number();
        assert!(wanted > 0 && process.revisions() == [wanted; 3], "{etag}: {:?}", process.revisions());
        let again: Vec<&Event<ListSize>> = events.iter().map(|(_, event)| event).collect();
        match etag {
            "\"1\"" => {}
            "\"2\"" => assert_eq!(again, [&Event::Unchanged, &Event::PickedUp, &Event::PickedUp], "the text is new"),
            _ => assert_eq!(again, [&Event::Unchanged], "nothing is new"),
        }
    }
    // What cannot be used leaves the revision that is in use.
    let in_use = process.revisions();
    let (requests, _) = process.tick(10_000);
    let events = process.answer(requests[0].0, document("\"4\""), Chunks::from(&b"<html>"[..]));
    assert!(matches!(events[..], [Event::Failed(..)]), "{events:?}");
    assert_eq!(process.revisions(), in_use);
}

#[test]
fn an_outage_leaves_the_list_where_it_is_until_it_is_too_old() {
    for (when_stale, complete) in [(WhenStale::Deny, false), (WhenStale::Allow, true)] {
        let mut process = Process::new(2, when_stale);
        process.fetch(document("\"1\""), line("a"));
        let mut told = Vec::new();
        let mut failed = 0;
        for second in 0..75 {
            let (requests, events) = process.tick(1000);
            told.extend(events.into_iter().filter(|(_, event)| matches!(event, Event::TooOld(_))));
            for (worker, _) in requests {
                let events = if second % 2 == 0 {
                    process.answer(
                        worker,
                        FailureKind::Status.because("answered 404, not 200").into(),
                        Chunks::default(),
                    )
                } else {
                    process.answer(worker, document(""), Chunks::from(&b"<html>"[..]))
                };
                assert!(matches!(events[..], [Event::Failed(..)]), "{events:?}");
                failed += 1;
            }
            assert_eq!(process.refuses("a"), [true; 2], "what is known to be revoked stays so");
            let good = second < 68 || complete;
            if !(67..=71).contains(&second) {
                assert_eq!(process.complete(), [good; 2], "{second}");
            }
        }
        assert!((5..30).contains(&failed), "{failed}");
        assert_eq!(told.len(), 2, "each worker notices once: {told:?}");
        let first = |(_, event): &&(usize, Event<ListSize>)| *event == Event::TooOld(Change::Changed);
        assert_eq!(told.iter().filter(first).count(), 1, "and one of them tells the log: {told:?}");
        let events = process.fetch(document("\"1\""), line("a"));
        assert!(events.iter().any(|(_, event)| *event == Event::Recovered), "{events:?}");
        assert_eq!(process.complete(), [true; 2]);
    }
}

#[test]
fn pieces_that_were_written_over_are_not_taken_for_the_list() {
    let mut process = Process::new(2, WhenStale::Deny);
    process.fetch(document("\"1\""), line("a"));
    let (requests, _) = process.tick(10_000);
    process.answer(requests[0].0, document("\"2\""), line("b"));
    let name = process.workers[0].remotes[0].piece_name(2);
    let forged = [&b"{\"entries_at_least\":0}\n"[..], &[0; 8]].concat();
    process.shared.write(&name, &forged, None);
    for _ in 0..10 {
        process.tick(10);
    }
    let other = 1 - requests[0].0;
    assert!(process.workers[other].revocations().find(&Token("a")).is_some(), "the list before stays in use");
}

#[test]
fn a_worker_that_goes_leaves_the_fetch_to_another() {
    let mut process = Process::new(2, WhenStale::Deny);
    let (requests, _) = process.tick(0);
    let gone = requests[0].0;
    process.workers[gone].give_up(&process.shared);
    process.workers.remove(gone);
    assert_eq!(process.tick(10).0.len(), 1, "at once, and not when the lease is over");
}

#[test]
fn waiting_for_the_first_list_has_a_deadline_only_while_it_comes_soon() {
    let mut process = Process::new(2, WhenStale::Deny);
    let deadlines = |process: &Process| {
        process
            .workers
            .iter()
            .map(|worker| worker.wait_deadline(&Need::Revocations, &process.outside()).is_some())
            .collect::<Vec<_>>()
    };
    let ended = |process: &Process, asked: u64| {
        let ended = |worker: &ListStore| worker.ended(&Need::Revocations, asked, asked + 2000, &process.outside());
        process.workers.iter().map(ended).collect::<Vec<_>>()
    };
    assert_eq!(
        process.workers[0].wait_deadline(&Need::Revocations, &process.outside()),
        Some(START + 2000),
        "the timeout of the list"
    );
    let (requests, _) = process.tick(0);
    assert_eq!(deadlines(&process), [true; 2], "one fetches, and the other one sees that");
    process.answer(requests[0].0, document("\"1\""), line("a"));
    assert_eq!((deadlines(&process), ended(&process, START)), (vec![true; 2], vec![None; 2]), "it is being read");
    let mut ticks = 0;
    while process.complete() != [true; 2] {
        assert!(deadlines(&process) == [true; 2] || process.complete().contains(&true));
        process.tick(10);
        ticks += 1;
        assert!(ticks < 20);
    }
    assert_eq!(ended(&process, START), [Some(Awaited::Yes); 2]);

    let mut process = Process::new(2, WhenStale::Deny);
    let asked = process.now;
    for _ in 0..8 {
        let (requests, _) = process.tick(60_000);
        process.answer(requests[0].0, FailureKind::Status.because("answered 500, not 200").into(), Chunks::default());
    }
    process.tick(0);
    assert_eq!(deadlines(&process), [false; 2], "the next attempt is too far off");
    let now = process.now;
    assert_eq!(ended(&process, now), [Some(Awaited::InVain); 2]);
    assert_eq!(ended(&process, asked), [Some(Awaited::InVain); 2], "and no request waits beyond the deadline");
    process.tick(60_000);
    let now = process.now;
    assert_eq!(ended(&process, now), [None; 2], "one fetches again");
    assert_eq!(ended(&process, now - 2000), [Some(Awaited::InVain); 2]);

    let process = Process::new(1, WhenStale::Allow);
    assert!(process.workers[0].revocations().are_complete(), "no request waits for an optional list");
}

#[test]
fn without_lists_nothing_is_missing() {
    let store = ListStore::new(&RevocationSettings::default(), &[], UnixSeconds(0), true, 1);
    assert!(store.revocations().are_complete());
    assert!(!store.is_busy());
}
