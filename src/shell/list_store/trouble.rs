//! What servers do wrong, what others do to shared data, and what time does to signatures.

use super::scenarios::{Process, START, document, line, list_of, policy};
use super::*;
use crate::base::base64url;
use crate::crypto::{sha256, test_key};
use crate::jose::KeySet;
use crate::policy::{Endpoint, WhenStale};
use crate::revocation::{Builder, Entry};
use serde_json::json;

/// The events that matter, without those about normal operation.
fn bad(events: &[(usize, Event<ListSize>)]) -> Vec<&Event<ListSize>> {
    let is_bad = |event: &&Event<ListSize>| {
        matches!(event, Event::Failed(..) | Event::Foreign(_) | Event::TooOld(_) | Event::Recovered)
    };
    events.iter().map(|(_, event)| event).filter(is_bad).collect()
}

/// Answers every request with this document for `ticks` ticks of 10 ms; returns the number of requests.
fn serve(process: &mut Process, ticks: usize, document: impl Fn() -> (Answer, Chunks)) -> usize {
    let mut asked = 0;
    for _ in 0..ticks {
        let (requests, _) = process.tick(10);
        for (worker, _) in requests {
            asked += 1;
            let (answer, pieces) = document();
            process.answer(worker, answer, pieces);
        }
    }
    asked
}

fn newcomer(process: &mut Process, policy: &RevocationSettings) {
    let me = u64::try_from(process.workers.len()).expect("a number") + 100;
    process.workers.push(ListStore::new(policy, &[], UnixSeconds(0), true, me));
}

#[test]
fn documents_that_are_no_lists_leave_the_good_one_to_later_workers() {
    let mut process = Process::new(1, WhenStale::Deny);
    process.fetch(document(""), line("a"));
    for (wait, page) in [(10_000, "<html>1"), (2000, "<html>2"), (4000, "<html>3")] {
        let (requests, _) = process.tick(wait);
        let events = process.answer(requests[0].0, document(""), Chunks::from(page.as_bytes()));
        assert!(matches!(events[..], [Event::Failed(..)]), "{events:?}");
    }
    newcomer(&mut process, &policy(WhenStale::Deny));
    (0..5).for_each(|_| drop(process.tick(10)));
    assert_eq!((process.complete(), process.refuses("a")), (vec![true; 2], vec![true; 2]));
}

#[test]
fn a_worker_that_first_looks_when_a_list_is_too_old_still_refuses_what_it_revokes() {
    for when_stale in [WhenStale::Allow, WhenStale::Deny] {
        let mut process = Process::new(1, when_stale);
        process.fetch(document(""), line("a"));
        // An outage until the list is too old.
        for _ in 0..200 {
            let (requests, _) = process.tick(1000);
            for (worker, _) in requests {
                process.answer(
                    worker,
                    Answer::Failed(crate::shell::feed::FailureKind::Unreachable.because("gone")),
                    Chunks::default(),
                );
            }
        }
        newcomer(&mut process, &policy(when_stale));
        (0..5).for_each(|_| drop(process.tick(10)));
        assert_eq!(process.refuses("a"), [true; 2], "{when_stale:?}");
        assert_eq!(process.complete(), [when_stale == WhenStale::Allow; 2], "it is too old for both");
    }
}

#[test]
fn a_piece_that_was_written_over_is_mended_by_one_fetch() {
    let mut process = Process::new(2, WhenStale::Deny);
    process.fetch(document(""), line("a"));
    process.shared.write(&process.workers[0].remotes[0].piece_name(1), &[0; 40], None);
    newcomer(&mut process, &policy(WhenStale::Deny));
    assert_eq!(serve(&mut process, 100, || (document(""), line("a"))), 1, "and no further request");
    assert_eq!((process.complete(), process.refuses("a")), (vec![true; 3], vec![true; 3]));
    newcomer(&mut process, &policy(WhenStale::Deny));
    (0..5).for_each(|_| drop(process.tick(10)));
    assert_eq!(process.refuses("a"), [true; 4], "the next one finds it whole");
}

#[test]
fn an_answer_that_never_comes_is_a_failure_and_the_list_is_asked_for_again() {
    let mut process = Process::new(1, WhenStale::Deny);
    assert_eq!(process.tick(0).0.len(), 1);
    let (requests, events) = process.tick(3900);
    assert!(requests.is_empty() && events.is_empty(), "{events:?}");
    let (_, events) = process.tick(200);
    assert!(
        matches!(&events[..], [(0, Event::Failed(failure, _))] if failure.kind == super::super::feed::FailureKind::Timeout),
        "{events:?}"
    );
    assert_eq!(process.tick(1000).0.len(), 1);
}

#[test]
fn several_lists_are_read_in_turn_and_each_refuses_its_own() {
    let one = policy(WhenStale::Deny).lists.remove(0);
    let lists = ["x", "y", "z"].map(|name| {
        let endpoint = Endpoint::parse(&format!("https://lists.example.com/{name}"), "lists").expect("an address");
        let terms = crate::revocation::Terms { name: name.into(), ..one.terms.clone() };
        RemoteList { endpoint, terms, ..one.clone() }
    });
    let policy = RevocationSettings { entries: Vec::new(), lists: lists.to_vec() };
    let mut process = Process::of(1, &policy);
    let long = |name: &str| {
        let mut builder = Builder::new(UnixSeconds(0));
        (0..200_000).for_each(|id| builder.add(&Entry::token("i".into(), format!("{name}{id}"))));
        builder.finish().bytes().clone()
    };
    let (requests, _) = process.tick(0);
    let asked: Vec<_> =
        requests.iter().map(|(_, request)| (list_of(request).0, request.endpoint.uri.as_str())).collect();
    let uris = ["x", "y", "z"].map(|name| format!("https://lists.example.com/{name}"));
    assert_eq!(asked, [(0, uris[0].as_str()), (1, uris[1].as_str()), (2, uris[2].as_str())]);
    for (name, (_, request)) in ["x", "y", "z"].into_iter().zip(&requests) {
        let outside = Outside { shared: &process.shared, now: process.now, random: 0 };
        process.workers[0].answered(&outside, list_of(request), document(""), long(name));
    }
    let mut ends = Vec::new();
    for tick in 0..60 {
        let (_, events) = process.tick(10);
        assert!(bad(&events).is_empty() && events.len() <= 1, "one step at a time: {events:?}");
        ends.extend(events.iter().map(|_| tick));
        assert_eq!(process.complete(), [ends.len() == 3], "all of them have to be there");
    }
    assert!(ends[2] - ends[0] <= 3, "they went on side by side: {ends:?}");
    for id in ["x7", "y7", "z199999"] {
        assert_eq!(process.refuses(id), [true], "{id}");
    }
    assert_eq!(process.refuses("x200000"), [false]);
}

/// A list with this entry, signed at this time.
fn signed(id: &str, issued_at: u64, expires_at: u64) -> Chunks {
    let list = line(id).pieces().concat();
    let header = json!({ "alg": "EdDSA", "typ": "scopegate-revocations+jwt" });
    let claims = json!({
        "iat": issued_at / 1000, "exp": expires_at / 1000, "sha256": base64url::encode(&sha256(&list)),
    });
    let input = [header, claims].map(|part| base64url::encode(part.to_string().as_bytes())).join(".");
    let signature = base64url::encode(&test_key::sign(input.as_bytes()));
    Chunks::from([format!("{input}.{signature}\n").as_bytes(), &list].concat().as_slice())
}

/// A list that has to be signed.
fn signing() -> RevocationSettings {
    let mut policy = policy(WhenStale::Deny);
    let keys = KeySet::parse(test_key::jwks().as_bytes(), 10_000, 10).expect("a set");
    policy.lists[0].terms.signed_by = Some(Rc::new(keys));
    policy
}

#[test]
fn a_signed_list_is_fetched_anew_before_it_is_over_however_long_the_period() {
    let mut policy = signing();
    policy.lists[0].refresh = crate::base::time::Seconds(3600);
    let mut process = Process::of(2, &policy);
    let minute = 60_000;
    process.now = START - 10_000;
    process.fetch(document(""), signed("a", START, START + 5 * minute));
    // The server renews its signature every four minutes.
    let mut asked = 0;
    for _ in 0..3600 {
        let (requests, events) = process.tick(500);
        assert!(bad(&events).is_empty(), "{events:?}");
        for (worker, _) in requests {
            asked += 1;
            let renewed = process.now - process.now % (4 * minute);
            let (answer, list) = (document(""), signed("a", renewed, renewed + 5 * minute));
            process.answer(worker, answer, list);
        }
        assert_eq!(process.complete(), [true; 2], "{} s", (process.now - START) / 1000);
    }
    assert!((5..=20).contains(&asked), "in half an hour, {asked} times");
}

#[test]
fn what_lies_in_shared_data_is_checked_as_what_comes_from_the_server() {
    let policy = signing();
    let mut careless = policy.clone();
    careless.lists[0].terms.signed_by = None;
    let mut process = Process::of(1, &careless);
    process.fetch(document(""), line("forged"));
    newcomer(&mut process, &policy);
    let (requests, events) = process.tick(10);
    assert!(matches!(bad(&events)[..], [Event::Foreign(why)] if why.contains("not signed")), "{events:?}");
    assert_eq!((process.refuses("forged"), process.complete()), (vec![true, false], vec![true, false]));
    assert_eq!(requests.len(), 1, "it is fetched at once");
    let now = process.now;
    process.answer(requests[0].0, document(""), signed("a", now, now + 60_000));
    (0..5).for_each(|_| drop(process.tick(10)));
    assert_eq!((process.refuses("a")[1], process.complete()[1]), (true, true));
}

#[test]
fn a_list_that_was_forged_in_shared_data_is_replaced_by_one_fetch_of_the_same_as_before() {
    let policy = signing();
    let mut careless = policy.clone();
    careless.lists[0].terms.signed_by = None;
    let mut process = Process::of(2, &policy);
    let good = signed("a", START, START + 3_600_000);
    process.fetch(document(""), good.clone());
    newcomer(&mut process, &careless);
    let (requests, _) = process.tick(10);
    assert_eq!(requests.len(), 1, "who cannot use it asks anew");
    process.answer(requests[0].0, document(""), line("forged"));
    (0..3)
        .for_each(|_| drop(process.workers[2].look(&Outside { shared: &process.shared, now: process.now, random: 0 })));
    assert!(process.workers[2].revocations().are_complete(), "it has put the forged one in shared data");
    process.workers.truncate(2);
    assert_eq!(serve(&mut process, 100, || (document(""), good.clone())), 1, "and no further request");
    assert_eq!((process.refuses("a"), process.refuses("forged")), (vec![true; 2], vec![false; 2]));
}
