//! Content that another worker publishes between a look and what follows it.

use super::interleavings::{START, at, at_every_access, document, feed};
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
