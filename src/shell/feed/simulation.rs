//! Six workers, the same shared data and one source, at random: clocks tick, workers die, the source fails and changes.

use super::local_data::LocalData;
use super::*;

const TIMING: Timing = Timing { refresh: 60_000, timeout: 2000, max_stale: 120_000, out_of_turn: 30_000 };
const START: u64 = 1_700_000_000_000;

fn feed(me: u64) -> Feed {
    Feed::new("scopegate/1/x", TIMING, true, me)
}

/// A feed, when its fetch ends with which content, and what it holds.
type Worker = (Feed, Option<(u64, u64)>, Vec<u8>);

/// The random numbers of the walk: xorshift.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn one_in(&mut self, number: u64) -> bool {
        self.next().is_multiple_of(number)
    }
}

#[test]
fn whatever_happens_everybody_has_the_newest_content_within_a_second_and_the_source_is_asked_as_if_by_one() {
    for seed in 1..=60_u64 {
        let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let shared = LocalData::default();
        let mut workers: Vec<Worker> = (1..=6).map(|me| (feed(me), None, vec![])).collect();
        feed(0).seed(&shared);
        let (mut content, mut down, mut changed_at, mut requests, mut next_id) = (1_u64, false, START, 0_u64, 7_u64);
        let mut born = START;
        let steps = 6000_u64;
        for step in 0..steps {
            let now = START + step * 100;
            if chance.one_in(600) {
                down = !down;
            }
            if chance.one_in(300) {
                content += 1;
                changed_at = now;
            }
            let index = usize::try_from(chance.next() % 6).unwrap();
            if chance.one_in(900) {
                // The VM of a worker dies and another replaces it, maybe during a fetch.
                workers[index] = (feed(next_id), None, vec![]);
                born = now;
                next_id += 1;
            }
            for (feed, flight, held) in &mut workers {
                let outside = Outside { shared: &shared, now, random: chance.next() };
                if let Some((ends, body)) = *flight
                    && ends <= now
                {
                    *flight = None;
                    if down {
                        feed.fail(&outside, "down");
                    } else if *held == body.to_le_bytes() && feed.version().is_some() {
                        feed.confirm(&outside, None, None);
                    } else {
                        *held = body.to_le_bytes().to_vec();
                        feed.publish(&outside, "https://a", &Fetched { bytes: held.clone(), ..Fetched::default() });
                    }
                }
                // Each worker ticks once a second, at its own time.
                if !(step + feed.me).is_multiple_of(10) {
                    continue;
                }
                if let Some((version, body)) = feed.look(&outside) {
                    *held = body;
                    feed.hold(version);
                }
                if feed.expire(&outside).is_some() {
                    held.clear();
                }
                if flight.is_none() && feed.begin(&outside).is_some() {
                    requests += 1;
                    *flight = Some((now + 100 * (1 + outside.random % 15), content));
                }
            }
            // Every worker has what was published more than a second ago, unless it is too old.
            let (state, _) = feed(0).names.state(&shared);
            if state.attempt_ended.max(born) + 1000 < now && state.confirmed_at + TIMING.good_for() > now + 1000 {
                for (feed, _, _) in &workers {
                    assert_eq!(feed.held, Some(state.version), "seed {seed}, step {step}, worker {}", feed.me);
                }
            }
            // While the source is up, the content lags by no more than a refresh and a fetch.
            if !down && state.failures == 0 && state.version > 0 && now > changed_at + 60_000 + 8000 {
                assert!(state.attempt_began + 60_000 + 8000 >= now, "seed {seed}, step {step}: forgotten");
            }
        }
        let seconds = steps / 10;
        assert!(requests >= seconds / 70, "seed {seed}: {requests}");
        assert!(requests <= seconds / 2, "seed {seed}: {requests} in {seconds} s");
    }
}
