//! Content that another worker publishes between a look and what follows it.

use super::interleavings::{START, at, at_every_access, document, feed};
use super::local_data::LocalData;
use super::*;

#[test]
fn a_fetch_is_not_over_before_this_worker_has_looked_at_what_it_brought() {
    // The other worker fetches new content wholly within the first one's look and attempt to begin.
    let asked = START + 100;
    at_every_access(
        |shared| {
            feed(3).begin(&at(shared, START));
            feed(3).publish(&at(shared, START), "https://a", &document("old"));
        },
        |shared| {
            let mut feed = feed(1);
            if let Some((version, _)) = feed.look(&at(shared, asked)) {
                feed.hold(version);
            }
            feed.want(&at(shared, asked));
            let begun = feed.begin(&at(shared, asked)).is_some();
            let outcome = feed.outcome(&at(shared, asked), asked, true);
            assert!(outcome == FetchState::Coming || feed.holds_newest(), "{outcome:?}, begun: {begun}");
            let next = feed.next_at(asked);
            assert!(next == asked || feed.holds_newest(), "content that may come at the next look, not at {next}");
        },
        |shared| {
            let mut feed = feed(2);
            feed.look(&at(shared, asked));
            feed.want(&at(shared, asked));
            if feed.begin(&at(shared, asked)).is_some() {
                feed.publish(&at(shared, asked), "https://a", &document("new"));
            }
        },
        |_, _| {},
    );
}

#[test]
fn a_fetch_out_of_turn_does_not_begin_before_this_worker_has_looked_at_what_another_brought() {
    let shared = LocalData::default();
    let at = |ms| at(&shared, START + ms);
    let (mut one, mut two) = (feed(1), feed(2));
    assert!(two.begin(&at(0)).is_some());
    two.publish(&at(0), "https://a", &document("old"));
    let (version, _) = one.look(&at(0)).expect("what is published");
    one.hold(version);
    two.want(&at(100));
    assert!(two.begin(&at(100)).is_some());
    assert!(one.want(&at(150)), "for a fetch that begins after this");
    assert!(one.look(&at(200)).is_none(), "the other worker's fetch is under way");
    two.publish(&at(200), "https://a", &document("new"));
    assert!(one.begin(&at(200)).is_none(), "the content may have what was wanted");
    assert_eq!(one.outcome(&at(200), START + 150, true), FetchState::Coming);
    let (version, body) = one.look(&at(200)).expect("what the other worker fetched");
    assert_eq!(body, b"new");
    one.hold(version);
    assert!(one.begin(&at(200)).is_some(), "it has not, since the wish was not withdrawn");
}
