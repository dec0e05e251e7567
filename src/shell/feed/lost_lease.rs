//! A worker whose fetch took longer than its lease, and the one that fetches in its place.

use super::interleavings::{START, at, document, feed};
use super::local_data::LocalData;
use super::*;

#[test]
fn a_worker_that_lost_its_lease_publishes_nothing_and_takes_what_the_other_published() {
    let shared = LocalData::default();
    let (mut slow, mut quick) = (feed(1), feed(2));
    assert!(slow.begin(&at(&shared, START)).is_some());
    assert!(quick.begin(&at(&shared, START + 4000)).is_some());
    quick.publish(&at(&shared, START + 4001), "https://a", &document("new"));
    slow.publish(&at(&shared, START + 4002), "https://a", &document("old"));
    assert!(slow.holds_one() && slow.version().is_none(), "what it fetched is good, and is no version in shared data");
    let (_, body) = slow.look(&at(&shared, START + 4003)).expect("the other's content");
    assert_eq!(body, b"new");
    // Also while the other still fetches.
    let shared = LocalData::default();
    let (mut slow, mut quick) = (feed(1), feed(2));
    assert!(slow.begin(&at(&shared, START)).is_some());
    assert!(quick.begin(&at(&shared, START + 4000)).is_some());
    slow.fail(&at(&shared, START + 4001), "late");
    assert!(quick.is_under_way(&at(&shared, START + 4001)), "the lease of another is left alone");
    assert!(feed(3).begin(&at(&shared, START + 4002)).is_none());
    quick.publish(&at(&shared, START + 4003), "https://a", &document("new"));
    assert_eq!(slow.look(&at(&shared, START + 4004)).unwrap().1, b"new");
    // Also when it comes first, with what would have been the same version.
    let shared = LocalData::default();
    let (mut slow, mut quick) = (feed(1), feed(2));
    assert!(slow.begin(&at(&shared, START)).is_some());
    assert!(quick.begin(&at(&shared, START + 4000)).is_some());
    slow.publish(&at(&shared, START + 4001), "https://a", &document("old"));
    quick.publish(&at(&shared, START + 4002), "https://a", &document("new"));
    assert_eq!(slow.look(&at(&shared, START + 4003)).unwrap().1, b"new");
}

#[test]
fn of_two_workers_that_fetch_at_once_the_one_that_holds_the_lease_tells_how_it_went() {
    let shared = LocalData::default();
    let (mut slow, mut quick) = (feed(1), feed(2));
    assert!(slow.begin(&at(&shared, START)).is_some());
    assert_eq!(slow.fail(&at(&shared, START + 1), "x"), Change::Changed);
    quick.look(&at(&shared, START + 2));
    assert!(slow.begin(&at(&shared, START + 1000)).is_some() && quick.begin(&at(&shared, START + 6000)).is_some());
    assert_eq!(slow.publish(&at(&shared, START + 6001), "https://a", &document("a")), Change::Same);
    assert_eq!(quick.publish(&at(&shared, START + 6002), "https://a", &document("a")), Change::Changed);
    assert!(
        slow.begin(&at(&shared, START + 700_000)).is_some() && quick.begin(&at(&shared, START + 706_000)).is_some()
    );
    assert_eq!(slow.fail(&at(&shared, START + 706_001), "late"), Change::Same);
    assert_eq!(quick.fail(&at(&shared, START + 706_002), "y"), Change::Changed);
}
