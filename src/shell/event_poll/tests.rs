use super::super::feed::local_data::LocalData;
use super::*;
use crate::base::time::Seconds;
use crate::policy::{Endpoint, EventKeys, IssuerId, TokenTypes};
use crate::security_event::Breadth;
use proptest::prelude::*;

const START: u64 = 1_700_000_000_000;
const INTERVAL: u64 = 5000;
const TIMEOUT: u64 = 2000;

fn poller(me: u64) -> Poller {
    configured(me, START)
}

/// That of a gate that was configured at this time.
fn configured(me: u64, since: u64) -> Poller {
    let endpoint = Endpoint::parse("https://idp.example.com/poll", "idp").unwrap();
    let source = EventSource {
        name: "idp".to_owned(),
        issuer: "https://idp.example.com/".to_owned(),
        keys: EventKeys::Issuer(IssuerId(0)),
        audiences: vec!["gate".to_owned()],
        types: TokenTypes::new(["secevent+jwt"]),
        allow_missing_exp: false,
        breadth: Breadth::Session,
        leeway: Seconds(0),
        keep: Seconds(3600),
        poll: None,
    };
    let terms = EventPoll { endpoint, authorization: None, interval_ms: 5000, timeout_ms: 2000 };
    Poller::new(&source, &terms, me, since)
}

fn at(shared: &LocalData, now: u64) -> Outside<'_> {
    Outside { shared, now, random: 0 }
}

fn seeded() -> LocalData {
    let shared = LocalData::default();
    poller(9).seed(&shared, START);
    shared
}

/// Begins a poll, whose answer comes under `token`.
fn begun(poller: &mut Poller, outside: &Outside<'_>, token: u32) -> Option<String> {
    let body = poller.begin(outside, 100)?;
    poller.sent(token);
    Some(body)
}

fn took(ids: &[&str]) -> Judged {
    Judged { taken: ids.iter().map(|id| (*id).to_owned()).collect(), ..Judged::default() }
}

#[test]
fn one_worker_asks_and_keeps_the_turn_from_poll_to_poll() {
    let shared = seeded();
    let (mut one, mut other) = (poller(1), poller(2));
    let body = begun(&mut one, &at(&shared, START), 7).expect("the first poll");
    assert_eq!(body, r#"{"maxEvents":50,"returnImmediately":true}"#);
    assert!(other.begin(&at(&shared, START), 100).is_none(), "one is under way");
    assert_eq!((one.awaits(7), one.awaits(8), one.due_in(START)), (Some(50), None, None));
    assert_eq!(one.answered(&at(&shared, START + 100), took(&["a"])), Change::Same);
    let due = START + 100 + INTERVAL;
    assert_eq!((one.due_in(START + 100), other.due_in(START + 100)), (Some(INTERVAL), None));
    assert!(one.begin(&at(&shared, due - 1), 100).is_none());
    assert!(other.begin(&at(&shared, due), 100).is_none(), "the turn is the first one's for a while");
    let body = begun(&mut one, &at(&shared, due), 8).expect("the second poll");
    assert_eq!(body, r#"{"ack":["a"],"maxEvents":50,"returnImmediately":true}"#);
    one.answered(&at(&shared, due + 1), Judged::default());
    let body = begun(&mut one, &at(&shared, due + 1 + INTERVAL), 9).expect("the third poll");
    assert!(!body.contains("ack"), "what was acknowledged is not again: {body}");
}

#[test]
fn a_worker_that_stops_loses_the_turn_and_what_it_had_not_acknowledged() {
    let shared = seeded();
    let (mut one, mut other) = (poller(1), poller(2));
    begun(&mut one, &at(&shared, START), 7);
    let lost = START + TIMEOUT + GRACE_MS;
    assert!(other.begin(&at(&shared, lost - 1), 100).is_none(), "its answer may come");
    begun(&mut other, &at(&shared, lost), 8).expect("the turn of the other");
    assert_eq!(one.answered(&at(&shared, lost + 1), took(&["late"])), Change::Same);
    assert!(one.due_in(lost + 1).is_none() && one.taken.is_empty());
    other.answered(&at(&shared, lost + 2), took(&["a"]));
    // Between polls.
    let late = lost + 2 + INTERVAL + GRACE_MS;
    assert!(one.begin(&at(&shared, late - 1), 100).is_none());
    let body = begun(&mut one, &at(&shared, late), 9).expect("the turn again");
    assert!(!body.contains("ack"), "{body}");
    other.begin(&at(&shared, late + 1), 100);
    assert!(other.taken.is_empty(), "what it took comes again to the first");
    // A gate that ends leaves its turn to the next.
    one.give_up(&shared);
    assert!(one.awaits(9).is_none());
    assert!(begun(&mut other, &at(&shared, late + 2), 10).is_some());
}

#[test]
fn a_gate_of_a_newer_configuration_takes_the_turn_between_polls_and_none_takes_it_back() {
    let shared = seeded();
    let (mut old, mut beside) = (configured(1, START), configured(2, START + SAME_MS));
    let mut new = configured(3, START + SAME_MS + 1);
    begun(&mut old, &at(&shared, START), 1);
    assert!(new.begin(&at(&shared, START + 1), 100).is_none(), "a poll is under way");
    old.failed(&at(&shared, START + 2), FailureKind::Status);
    let due = START + 2 + old.due_in(START + 2).expect("its turn");
    assert!(beside.begin(&at(&shared, START + 3), 100).is_none() && beside.due_in(START + 3).is_none());
    assert!(new.begin(&at(&shared, START + 3), 100).is_none(), "it is not due");
    assert_eq!(new.due_in(START + 3), Some(due - START - 3), "and it is its turn");
    assert!(old.begin(&at(&shared, due), 100).is_none() && old.due_in(due).is_none(), "the old one lets go");
    assert!(begun(&mut new, &at(&shared, due), 2).is_some());
    new.answered(&at(&shared, due), took(&["a"]));
    assert!(old.begin(&at(&shared, due + INTERVAL), 100).is_none());
    let body = begun(&mut new, &at(&shared, due + INTERVAL), 3).expect("it keeps the turn");
    assert!(body.contains(r#""ack":["a"]"#), "{body}");
    // It ends: the old one may be all there is.
    new.give_up(&shared);
    assert!(begun(&mut old, &at(&shared, due + INTERVAL), 4).is_some());
}

#[test]
fn more_events_are_asked_for_at_once_unless_some_are_left() {
    let shared = seeded();
    let mut one = poller(1);
    begun(&mut one, &at(&shared, START), 1);
    one.answered(&at(&shared, START), Judged { has_more: true, ..took(&["a"]) });
    assert!(one.begin(&at(&shared, START), 0).is_none(), "no room in this second");
    let body = begun(&mut one, &at(&shared, START), 2).expect("at once");
    assert!(body.contains(r#""ack":["a"]"#), "{body}");
    one.answered(&at(&shared, START), Judged { has_more: true, left: 1, ..Judged::default() });
    assert_eq!(one.due_in(START), Some(INTERVAL));
    one.wake(&at(&shared, START + 1));
    let refused = vec![("b".to_owned(), "invalid_key", "no key has its `kid`")];
    assert!(begun(&mut one, &at(&shared, START + 1), 3).is_some(), "keys have come");
    one.answered(&at(&shared, START + 2), Judged { refused, ..Judged::default() });
    let body = one.begin(&at(&shared, START + 2 + INTERVAL), 3).expect("the next");
    let errors = r#""setErrs":{"b":{"description":"no key has its `kid`","err":"invalid_key"}}"#;
    assert!(body.contains(errors) && body.contains(r#""maxEvents":3,"#), "{body}");
}

#[test]
fn failures_are_told_once_wait_longer_each_time_and_keep_what_was_to_be_acknowledged() {
    let shared = seeded();
    let (mut one, mut now) = (poller(1), START);
    begun(&mut one, &at(&shared, now), 1);
    one.answered(&at(&shared, now), took(&["a"]));
    let waits = [INTERVAL, 2500, 5000, 10_000, 15_000, 15_000];
    for (number, wait) in (0..).zip(waits) {
        now += wait;
        assert_eq!(one.due_in(now), Some(0), "{number}");
        let body = begun(&mut one, &at(&shared, now), number).expect("due");
        assert!(body.contains(r#""ack":["a"]"#), "{body}");
        let change = one.failed(&at(&shared, now), FailureKind::Timeout);
        assert_eq!(change, if number == 0 { Change::Changed } else { Change::Same }, "{number}");
    }
    now += 15_000;
    begun(&mut one, &at(&shared, now), 50);
    assert_eq!(one.failed(&at(&shared, now), FailureKind::Status), Change::Changed, "another reason");
    assert_eq!(one.age(&shared, now), now - START);
    now += 15_000;
    let body = begun(&mut one, &at(&shared, now), 51).expect("due");
    assert!(!body.contains("ack"), "an answer of 400 may be to what it was told: {body}");
    assert_eq!(one.answered(&at(&shared, now), Judged::default()), Change::Changed);
    assert_eq!((one.age(&shared, now), one.due_in(now)), (0, Some(INTERVAL)));
}

#[test]
fn an_answer_that_is_too_large_has_fewer_events_asked_for() {
    let shared = seeded();
    let (mut one, mut now) = (poller(1), START);
    for most in [50, 25, 13, 7, 4, 2, 1, 1] {
        let body = begun(&mut one, &at(&shared, now), 1).expect("due");
        assert!(body.contains(&format!(r#""maxEvents":{most},"#)), "{body}");
        one.failed(&at(&shared, now), FailureKind::TooLarge);
        now += LAST_RETRY_MS;
    }
}

#[test]
fn a_clock_that_is_set_back_and_a_record_that_is_none_stop_nothing() {
    let shared = seeded();
    let mut one = poller(1);
    begun(&mut one, &at(&shared, START + 1_000_000_000), 1);
    assert!(one.is_overdue(START), "of another time");
    one.failed(&at(&shared, START + 1_000_000_000), FailureKind::Timeout);
    assert!(begun(&mut poller(2), &at(&shared, START), 2).is_some());
    shared.write(&one.place, b"something else", None);
    assert!(begun(&mut one, &at(&shared, START), 3).is_some());
    assert_eq!(Turn::from_bytes(&[&FORM[..], &[0; 47]].concat()), None);
    let turn = Turn { holder: 1, until: 2, next_at: 3, answered_at: 4, failures: 5, kind: 6, since: 7 };
    assert_eq!(Turn::from_bytes(&turn.to_bytes()), Some(turn));
}

/// Shared data in which another worker comes first, just before a write.
struct Raced<'d>(&'d LocalData, std::cell::RefCell<Option<(String, Vec<u8>)>>);

impl SharedData for Raced<'_> {
    fn read(&self, name: &str) -> Option<(Vec<u8>, u32)> {
        self.0.read(name)
    }

    fn write(&self, name: &str, value: &[u8], seen: Option<u32>) -> bool {
        if let Some((other, bytes)) = self.1.take() {
            self.0.write(&other, &bytes, None);
        }
        self.0.write(name, value, seen)
    }

    fn lacks(&self, name: &str) -> bool {
        self.0.lacks(name)
    }
}

#[test]
fn of_two_workers_that_find_a_poll_due_at_the_same_moment_one_asks() {
    let data = seeded();
    let mut one = poller(1);
    let turn = Turn { holder: 2, until: START + 3000, ..Turn::default() };
    let raced = Raced(&data, Some((one.place.clone(), turn.to_bytes())).into());
    let outside = Outside { shared: &raced, now: START, random: 0 };
    assert!(one.begin(&outside, 100).is_none());
    assert!(one.begin(&outside, 100).is_none(), "the other has the turn");
}

proptest! {
    /// Whatever workers do, and whatever becomes of them: two polls are never under way at the same time, each event that was not
    /// acknowledged comes again, and there is a poll within the longest wait.
    #[test]
    fn two_workers_never_ask_at_the_same_time(
        steps in proptest::collection::vec((0_usize..4, 0_u64..4000, 0_u8..6), 1..200),
    ) {
        let shared = seeded();
        let mut workers: Vec<Poller> = (1..5).map(|me| configured(me, START + me * SAME_MS)).collect();
        let mut now = START;
        // The worker that was asked, when its answer comes, and what it acknowledged.
        let mut under_way: Option<(usize, u64)> = None;
        let mut last = START;
        for (number, wait, outcome) in steps {
            now += wait;
            if let Some((asked, by)) = under_way.filter(|(_, by)| *by <= now) {
                // The host ends a callout at its timeout.
                let outside = at(&shared, by);
                match outcome {
                    0 => workers[asked].give_up(&shared),
                    1 => workers[asked] = configured(100 + now, now),
                    2 => drop(workers[asked].failed(&outside, FailureKind::Timeout)),
                    _ => drop(workers[asked].answered(&outside, took(&["x"]))),
                }
                under_way = None;
            }
            let outside = at(&shared, now);
            let worker = &mut workers[number];
            if worker.is_overdue(now) {
                worker.failed(&outside, FailureKind::Timeout);
            }
            if begun(worker, &outside, 1).is_some() {
                prop_assert!(under_way.is_none(), "two polls at the same time");
                under_way = Some((number, now + wait.min(TIMEOUT)));
                last = now;
            }
            // A worker that never ticks keeps its turn for its grace; the next tick of any other is a poll.
            prop_assert!(now - last <= LAST_RETRY_MS + TIMEOUT + GRACE_MS + 4000 * 2, "{} ms without a poll", now - last);
        }
    }
}
