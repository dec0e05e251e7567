//! The size and the age of the lists in use, for the metrics.

use super::*;

#[test]
fn the_age_is_that_of_the_oldest_list_and_no_list_that_is_missing_has_one() {
    let mut process = Process::new(2);
    let in_use = |process: &Process, worker: usize| process.workers[worker].in_use(IDP, process.now);
    process.ask(0, 1);
    assert_eq!(in_use(&process, 0), (0, None), "it is not there yet");
    process.settle(0);
    process.now += 100_000;
    process.ask(0, 2);
    process.settle(0);
    let (entries, age) = in_use(&process, 0);
    assert_eq!(entries, 512);
    assert!(age.is_some_and(|age| (100_000..101_000).contains(&age)), "{age:?}");
    assert_eq!(in_use(&process, 1), (0, None), "no token of the other worker named one");
    assert_eq!(process.workers[0].in_use(IssuerId(1), process.now), (0, None), "they are another issuer's");
    // Both are confirmed by now.
    process.now += 290_000;
    process.settle(1);
    let (entries, age) = in_use(&process, 0);
    assert_eq!(entries, 512);
    assert!(age.is_some_and(|age| age < 300_000), "{age:?}");
}
