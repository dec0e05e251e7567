//! Two and three workers on the same shared data: every interleaving that we could think of.

use super::local_data::LocalData;
use super::*;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

const TIMING: Timing = Timing { refresh: 60_000, timeout: 2000, max_stale: 120_000, out_of_turn: 30_000 };
pub(super) const START: u64 = 1_700_000_000_000;

pub(super) fn feed(me: u64) -> Feed {
    Feed::new("scopegate/1/x", TIMING, true, me)
}

pub(super) fn at(shared: &dyn SharedData, now: u64) -> Outside<'_> {
    Outside { shared, now, random: 0 }
}

pub(super) fn document(text: &str) -> Fetched {
    Fetched { bytes: text.as_bytes().to_vec(), etag: format!("\"{text}\""), ..Fetched::default() }
}

/// Shared data in which another worker acts just before the `turn`-th access.
struct Meddled<'a> {
    shared: &'a LocalData,
    accesses: Cell<usize>,
    turn: usize,
    act: RefCell<Option<Box<dyn FnOnce() + 'a>>>,
}

impl Meddled<'_> {
    fn access(&self) {
        let access = self.accesses.replace(self.accesses.get() + 1);
        if access == self.turn
            && let Some(act) = self.act.take()
        {
            act();
        }
    }
}

impl SharedData for Meddled<'_> {
    fn read(&self, name: &str) -> Option<(Vec<u8>, u32)> {
        self.access();
        self.shared.read(name)
    }

    fn write(&self, name: &str, value: &[u8], seen: Option<u32>) -> bool {
        self.access();
        self.shared.write(name, value, seen)
    }

    fn lacks(&self, name: &str) -> bool {
        self.access();
        self.shared.lacks(name)
    }
}

/// Runs `one`, with `other` in between, at every access of `one` to shared data.
pub(super) fn at_every_access(
    setup: impl Fn(&LocalData),
    one: impl Fn(&dyn SharedData),
    other: impl Fn(&LocalData),
    check: impl Fn(&LocalData, usize),
) {
    for turn in 0.. {
        let shared = LocalData::default();
        setup(&shared);
        let meddled = Meddled {
            shared: &shared,
            accesses: Cell::new(0),
            turn,
            act: RefCell::new(Some(Box::new(|| other(&shared)))),
        };
        one(&meddled);
        let met = meddled.act.borrow().is_none();
        check(&shared, turn);
        if !met {
            assert!(turn > 1, "the shared data was read");
            return;
        }
    }
}

#[test]
fn of_two_workers_that_find_a_document_due_one_fetches_whenever_the_other_comes_between() {
    let started = RefCell::new(Vec::new());
    at_every_access(
        |shared| {
            started.borrow_mut().clear();
            feed(0).seed(shared);
        },
        |shared| {
            let begun = feed(1).begin(&at(shared, START)).is_some();
            started.borrow_mut().push(begun);
        },
        |shared| {
            let begun = feed(2).begin(&at(shared, START)).is_some();
            started.borrow_mut().push(begun);
        },
        |_, turn| {
            let begun = started.borrow().iter().filter(|begun| **begun).count();
            assert_eq!(begun, 1, "{turn}");
        },
    );
}

#[test]
fn a_fetch_that_ended_a_moment_ago_is_not_made_again() {
    // The other worker begins, fetches and publishes wholly within the first one's attempt to begin.
    let fetched = Cell::new(0);
    let fetch = |me: u64, shared: &dyn SharedData| {
        let mut feed = feed(me);
        feed.look(&at(shared, START));
        if feed.begin(&at(shared, START)).is_some() {
            fetched.set(fetched.get() + 1);
            feed.publish(&at(shared, START), "https://a", &document("a"));
        }
    };
    at_every_access(
        |shared| {
            fetched.set(0);
            feed(0).seed(shared);
        },
        |shared| fetch(1, shared),
        |shared| fetch(2, shared),
        |shared, turn| {
            assert_eq!(fetched.get(), 1, "{turn}");
            let mut reader = feed(3);
            let (_, body) = reader.look(&at(shared, START)).unwrap_or_else(|| panic!("{turn}"));
            assert_eq!(body, b"a");
        },
    );
}

#[test]
fn a_reader_never_sees_half_of_anything() {
    // Two contents are published while a worker reads, between any two of its accesses.
    let seen = RefCell::new(BTreeSet::new());
    let publish = |shared: &dyn SharedData, now: u64, text: &str| {
        let mut writer = feed(1);
        if let Some((version, _)) = writer.look(&at(shared, now)) {
            writer.hold(version);
        }
        writer.want(&at(shared, now));
        assert!(writer.begin(&at(shared, now)).is_some());
        writer.publish(&at(shared, now), "https://a", &document(text));
    };
    at_every_access(
        |shared| {
            let mut writer = feed(1);
            assert!(writer.begin(&at(shared, START)).is_some());
            writer.publish(&at(shared, START), "https://a", &document("first"));
        },
        |shared| {
            let mut reader = feed(2);
            if let Some((version, body)) = reader.look(&at(shared, START)) {
                seen.borrow_mut().insert((version, String::from_utf8(body).unwrap()));
            }
        },
        |shared| {
            publish(shared, START + 1, "the second one");
            publish(shared, START + 2, "a third");
        },
        |shared, _| {
            let state = feed(3).names.state(shared).0;
            assert!(state.version == 1 || state.version == 3);
        },
    );
    assert!(seen.borrow().len() > 1);
    for (version, body) in seen.borrow().iter() {
        assert_eq!((version.0, body.as_str()), if body == "first" { (1, "first") } else { (3, "a third") });
    }
}

#[test]
fn a_worker_that_dies_while_it_fetches_is_replaced_when_its_lease_ends() {
    let shared = LocalData::default();
    assert!(feed(1).begin(&at(&shared, START)).is_some());
    let mut other = feed(2);
    assert!(other.begin(&at(&shared, START + 3999)).is_none());
    assert!(other.begin(&at(&shared, START + 4000)).is_some());
}

#[test]
fn a_worker_that_goes_gives_its_fetch_up_to_the_next() {
    let shared = LocalData::default();
    let (mut going, mut other) = (feed(1), feed(2));
    assert!(going.begin(&at(&shared, START)).is_some());
    going.give_up(&shared);
    assert!(other.begin(&at(&shared, START + 1)).is_some());
    going.give_up(&shared);
    assert!(feed(3).begin(&at(&shared, START + 2)).is_none(), "not the fetch of another");
}

#[test]
fn a_lease_that_lasts_longer_than_any_is_a_free_one() {
    let shared = LocalData::default();
    for deadline in [START + 4001, START + 1_000_000, u64::MAX] {
        let lease = Lease { deadline, holder: 9, paid_until: 0 };
        shared.write("scopegate/1/x/lease", &lease.to_bytes(), None);
        assert!(feed(1).begin(&at(&shared, START)).is_some(), "{deadline}");
    }
    shared.write("scopegate/1/x/lease", &Lease { deadline: START + 4000, holder: 9, paid_until: 0 }.to_bytes(), None);
    assert!(feed(1).begin(&at(&shared, START)).is_none());
}

#[test]
fn what_others_wrote_over_is_not_used_and_is_fetched_anew() {
    let shared = LocalData::default();
    let mut first = feed(1);
    assert!(first.begin(&at(&shared, START)).is_some());
    first.publish(&at(&shared, START), "https://a", &document("good"));
    shared.write("scopegate/1/x/body/1", b"evil", None);
    let mut second = feed(2);
    assert_eq!(second.look(&at(&shared, START + 1)), None, "the same length, another sum");
    assert!(second.begin(&at(&shared, START + 1)).is_some(), "due at once");
    second.publish(&at(&shared, START + 2), "https://a", &document("good"));
    assert!(first.look(&at(&shared, START + 3)).is_some());
    // Unreadable records count as missing.
    for garbage in [&b""[..], b"x", &[0xff; 200]] {
        shared.write("scopegate/1/x/state", garbage, None);
        shared.write("scopegate/1/x/lease", garbage, None);
        let mut third = feed(3);
        assert_eq!(third.look(&at(&shared, START)), None);
        assert!(third.begin(&at(&shared, START)).is_some());
    }
}

#[test]
fn a_version_that_a_worker_cannot_use_is_fetched_once_more_and_not_over_and_over() {
    let shared = LocalData::default();
    let mut writer = feed(1);
    assert!(writer.begin(&at(&shared, START)).is_some());
    writer.publish(&at(&shared, START), "https://a", &document("no key set"));
    let mut reader = feed(2);
    let (version, _) = reader.look(&at(&shared, START + 1)).unwrap();
    reader.refuse(version);
    assert_eq!(reader.look(&at(&shared, START + 2)), None, "said once");
    assert!(reader.begin(&at(&shared, START + 2)).is_some());
    reader.fail(&at(&shared, START + 3), "no answer");
    assert!(reader.begin(&at(&shared, START + 4)).is_none(), "a failure backs off all the same");
}

#[test]
fn only_what_is_held_and_came_from_there_is_asked_for_conditionally() {
    let shared = LocalData::default();
    let mut one = feed(1);
    assert_eq!(one.begin(&at(&shared, START)).unwrap().validator, None);
    one.publish(&at(&shared, START), "https://a", &document("x"));
    let later = START + 60_000;
    let validator = one.begin(&at(&shared, later)).unwrap().validator.unwrap();
    assert_eq!((validator.source.as_str(), validator.etag.as_str()), ("https://a", "\"x\""));
    assert_eq!(one.confirm(&at(&shared, later), None, None), Change::Same);
    assert_eq!(one.version(), Some(Version(1)), "the same content is the same version");
    // A worker that holds nothing has no use for 304.
    let mut other = feed(2);
    other.look(&at(&shared, later));
    assert_eq!(other.begin(&at(&shared, later + 60_000)).unwrap().validator, None);
}

#[test]
fn a_document_outlives_its_source_for_as_long_as_configured_and_not_longer() {
    let shared = LocalData::default();
    let mut one = feed(1);
    assert!(one.is_stale(START), "what was never there is stale");
    one.begin(&at(&shared, START));
    one.publish(&at(&shared, START), "https://a", &document("x"));
    let end = START + 180_000;
    assert!(!one.is_stale(end - 1));
    assert_eq!(one.expire(&at(&shared, end - 1)), None);
    assert_eq!(one.expire(&at(&shared, end)), Some(Change::Changed));
    assert_eq!(one.expire(&at(&shared, end)), None, "said once");
    assert_eq!(one.version(), None);
    let mut late = feed(2);
    assert_eq!(late.look(&at(&shared, end)), None, "no worker picks up what is too old");
    assert!(late.look(&at(&shared, end - 1)).is_some());
    late.hold(Version(1));
    assert_eq!(late.expire(&at(&shared, end)), Some(Change::Same), "the log is told by the worker that noticed first");
    // The content is back as soon as the source has confirmed it, also for workers that had dropped it.
    assert!(late.begin(&at(&shared, end)).is_some());
    late.publish(&at(&shared, end), "https://a", &document("x"));
    assert!(one.look(&at(&shared, end)).is_some());
}

#[test]
fn the_first_worker_to_notice_tells_that_a_document_is_too_old_whichever_fetched_last() {
    let shared = LocalData::default();
    let (mut one, mut two) = (feed(1), feed(2));
    let mut now = START;
    // Each time the document outlives its source anew, and each time with the other one as the first.
    for turn in 0..4 {
        assert!(one.begin(&at(&shared, now)).is_some());
        one.publish(&at(&shared, now), "https://a", &document("x"));
        let (version, _) = two.look(&at(&shared, now)).unwrap();
        two.hold(version);
        now += 180_000;
        let (first, second) = if turn % 2 == 0 { (&mut one, &mut two) } else { (&mut two, &mut one) };
        let told = first.expire(&at(&shared, now));
        // In between the other worker fetches in vain, and so is the last to have written the state of the document.
        assert!(second.begin(&at(&shared, now)).is_some());
        second.fail(&at(&shared, now), "down");
        let also = second.expire(&at(&shared, now));
        first.look(&at(&shared, now));
        assert_eq!((told, also), (Some(Change::Changed), Some(Change::Same)), "turn {turn}");
        now += 60_000;
        one.look(&at(&shared, now));
    }
}

#[test]
fn a_clock_that_is_set_back_keeps_nothing_alive_and_stops_nothing() {
    const YEAR: u64 = 31_536_000_000;
    let shared = LocalData::default();
    let mut one = feed(1);
    one.begin(&at(&shared, START + YEAR));
    one.publish(&at(&shared, START + YEAR), "https://a", &document("x"));
    one.look(&at(&shared, START));
    assert!(one.begin(&at(&shared, START)).is_some(), "due at once");
    one.fail(&at(&shared, START), "down");
    let mut now = START;
    while one.expire(&at(&shared, now)).is_none() {
        now += 1000;
        one.look(&at(&shared, now));
        assert!(now <= START + 180_000, "as old as if it had come when the clock was set");
    }
}

#[test]
fn what_goes_wrong_is_told_once_for_the_process() {
    let shared = LocalData::default();
    let (mut one, mut two) = (feed(1), feed(2));
    let mut now = START;
    let mut attempt = |feed: &mut Feed, why: Option<&str>| {
        now += 60_000;
        feed.look(&at(&shared, now));
        assert!(feed.begin(&at(&shared, now)).is_some());
        match why {
            Some(why) => feed.fail(&at(&shared, now), why),
            None => feed.publish(&at(&shared, now), "https://a", &document("x")),
        }
    };
    assert_eq!(attempt(&mut one, None), Change::Same);
    assert_eq!(attempt(&mut one, Some("down")), Change::Changed);
    assert_eq!(attempt(&mut two, Some("down")), Change::Same);
    assert_eq!(attempt(&mut one, Some("down")), Change::Same);
    assert_eq!(attempt(&mut two, Some("garbage")), Change::Changed);
    assert_eq!(attempt(&mut one, None), Change::Changed, "it is back");
    assert_eq!(attempt(&mut two, None), Change::Same);
}

#[test]
fn a_fetch_out_of_turn_is_one_for_all_and_begins_after_it_was_asked_for() {
    let shared = LocalData::default();
    let (mut one, mut two) = (feed(1), feed(2));
    one.begin(&at(&shared, START));
    // Asked for while an earlier fetch is under way: another one follows.
    let asked = START + 10;
    assert!(two.want(&at(&shared, asked)));
    assert!(two.begin(&at(&shared, asked)).is_none());
    assert_eq!(two.outcome(&at(&shared, asked), asked, true), FetchState::Coming);
    one.publish(&at(&shared, START + 20), "https://a", &document("x"));
    let (version, _) = two.look(&at(&shared, START + 30)).unwrap();
    two.hold(version);
    assert_eq!(two.outcome(&at(&shared, START + 30), asked, true), FetchState::Coming, "that one began too early");
    assert_eq!(two.outcome(&at(&shared, START + 30), asked, false), FetchState::Done);
    // Both want it; one makes it.
    assert!(one.want(&at(&shared, START + 30)));
    assert!(two.begin(&at(&shared, START + 30)).is_some());
    assert!(one.begin(&at(&shared, START + 30)).is_none());
    two.confirm(&at(&shared, START + 40), None, None);
    assert_eq!(two.outcome(&at(&shared, START + 40), asked, true), FetchState::Done);
    one.look(&at(&shared, START + 50));
    assert_eq!(one.outcome(&at(&shared, START + 50), START + 30, true), FetchState::Done);
    assert!(one.begin(&at(&shared, START + 50)).is_none(), "satisfied by the other's");
}

#[test]
fn fetches_out_of_turn_have_one_budget_for_the_process() {
    let shared = LocalData::default();
    let mut feeds: Vec<Feed> = (1..=5).map(feed).collect();
    let mut fetches = Vec::new();
    // Every worker wants a fetch all the time, for a quarter of an hour in which nothing is due.
    let still = Timing { refresh: 86_400_000, ..TIMING };
    for feed in &mut feeds {
        feed.timing = still;
    }
    feeds[0].begin(&at(&shared, START));
    feeds[0].publish(&at(&shared, START), "https://a", &document("x"));
    let mut refused = 0;
    for step in 1..9000_u64 {
        let now = START + step * 100;
        for (index, feed) in feeds.iter_mut().enumerate() {
            let outside = Outside { shared: &shared, now: now + u64::try_from(index).unwrap(), random: step * 7919 };
            feed.look(&outside);
            refused += u32::from(!feed.want(&outside));
            if feed.begin(&outside).is_some() {
                fetches.push(now);
                feed.confirm(&outside, None, None);
            }
        }
    }
    assert!((24..=33).contains(&fetches.len()), "3, then one each 30 to 37.5 s of 900: {}", fetches.len());
    assert!(fetches[3..].windows(2).all(|pair| pair[1] - pair[0] >= 29_000), "{fetches:?}");
    assert!(refused > 10_000, "a fetch that cannot be paid is refused: {refused}");
}

#[test]
fn a_lost_answer_is_noticed() {
    let shared = LocalData::default();
    let mut one = feed(1);
    one.begin(&at(&shared, START));
    one.sent(&at(&shared, START + 1000), 7);
    assert!(one.awaits(7) && !one.awaits(8));
    assert!(!one.is_overdue(START + 4999));
    assert!(one.is_overdue(START + 5000));
    assert!(one.is_overdue(0), "a clock that was set back ends it too");
    one.fail(&at(&shared, START + 5000), "lost");
    assert!(!one.awaits(7));
}
