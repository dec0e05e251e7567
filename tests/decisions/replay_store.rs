//! The store of what is good once, over threads that share data as the workers of Envoy do.

use crate::support::shared::Shared;
use scopegate::base::shared_data::OpenError;
use scopegate::base::shared_data::SharedData;
use scopegate::base::time::UnixSeconds;
use scopegate::facts::{Claim, Claimed, Pool, ReplayStore};
use scopegate::replay_store::{SharedStore, Trouble};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::thread;

const NOW: i64 = 1_800_000_000;
const BIRTH: &str = "scopegate/replay/tokens/birth";

fn open(shared: &Shared, entries: usize) -> SharedStore {
    SharedStore::open(Box::new(shared.clone()), &[Pool::Tokens], entries, UnixSeconds(NOW)).unwrap()
}

/// Claims for a minute from `now` on.
fn claim_at(store: &SharedStore, id: &str, principal: &str, now: i64) -> Claimed {
    claim_until(store, id, principal, now, now + 60)
}

fn claim_until(store: &SharedStore, id: &str, principal: &str, now: i64, until: i64) -> Claimed {
    let claim = Claim {
        pool: Pool::Tokens,
        id: &[id.as_bytes()],
        principal: &[principal.as_bytes()],
        until: UnixSeconds(until),
        made_at: None,
    };
    store.claim(&claim, UnixSeconds(now))
}

fn claim(store: &SharedStore, id: &str) -> Claimed {
    claim_at(store, id, id, NOW)
}

fn troubles(store: &SharedStore) -> Vec<(Trouble, u32)> {
    store.take_troubles().filter(|(_, count)| *count > 0).collect()
}

#[test]
fn of_claims_of_the_same_thing_at_the_same_moment_exactly_one_is_the_first() {
    const THREADS: u64 = 8;
    const IDS: usize = 60;
    for seed in 1..=6_u64 {
        let shared = Shared::default();
        open(&shared, 100_000);
        let claimers: Vec<_> = (0..THREADS)
            .map(|number| {
                let shared = shared.hesitant(seed * 1_000_003 + number);
                thread::spawn(move || {
                    let store = open(&shared, 100_000);
                    // Each thread in an order of its own: some together, some one after the other.
                    let step = [1, 7, 11, 13][usize::try_from((number + seed) % 4).unwrap()];
                    let ids = (0..IDS).map(|at| at * step % IDS);
                    let won: Vec<_> = ids.filter(|id| claim(&store, &id.to_string()) == Claimed::First).collect();
                    (won, troubles(&store))
                })
            })
            .collect();
        let mut firsts = BTreeMap::new();
        for claimer in claimers {
            let (won, troubles) = claimer.join().unwrap();
            assert_eq!(troubles, [], "seed {seed}");
            won.into_iter().for_each(|id| *firsts.entry(id).or_insert(0) += 1);
        }
        assert_eq!(firsts, (0..IDS).map(|id| (id, 1)).collect(), "seed {seed}");
    }
}

/// Shared data in which somebody else acts before some accesses.
struct Meddled {
    shared: Shared,
    accesses: Cell<usize>,
    act: Box<dyn Fn(usize)>,
}

impl Meddled {
    fn store(shared: &Shared, act: impl Fn(usize) + 'static) -> SharedStore {
        let open = open(shared, 100_000);
        drop(open);
        let meddled = Self { shared: shared.clone(), accesses: Cell::new(0), act: Box::new(act) };
        SharedStore::open(Box::new(meddled), &[Pool::Tokens], 100_000, UnixSeconds(NOW)).unwrap()
    }

    fn access(&self) {
        (self.act)(self.accesses.replace(self.accesses.get() + 1));
    }
}

impl SharedData for Meddled {
    fn read(&self, name: &str) -> Option<(Vec<u8>, u32)> {
        self.access();
        self.shared.read(name)
    }

    fn write(&self, name: &str, value: &[u8], seen: Option<u32>) -> bool {
        self.access();
        self.shared.write(name, value, seen)
    }

    fn lacks(&self, name: &str) -> bool {
        self.shared.lacks(name)
    }
}

#[test]
fn whenever_another_worker_claims_the_same_in_between_one_of_them_is_the_first() {
    let mut orders = BTreeSet::new();
    for turn in 0..12 {
        let (shared, other) = (Shared::default(), Rc::new(Cell::new(None)));
        let act = {
            let (shared, other) = (shared.clone(), Rc::clone(&other));
            move |access| {
                if access == turn {
                    other.set(Some(claim(&open(&shared, 100_000), "x")));
                }
            }
        };
        let store = Meddled::store(&shared, act);
        let won = claim(&store, "x");
        let other = other.get().unwrap_or_else(|| claim(&store, "x"));
        assert!(matches!((won, other), (Claimed::First, Claimed::Again) | (Claimed::Again, Claimed::First)), "{turn}");
        assert_eq!(troubles(&store), []);
        orders.insert(won == Claimed::First);
    }
    assert_eq!(orders.len(), 2, "either came first");
}

#[test]
fn a_claim_gives_up_where_others_write_its_bucket_again_and_again() {
    let shared = Shared::default();
    let bucket = bucket_of(&shared, "x");
    let act = {
        let (shared, bucket) = (shared.clone(), bucket.clone());
        // Written anew before each access, so that no mark is ever the last one.
        move |_| assert!(shared.write(&bucket, &shared.value(&bucket), None))
    };
    let store = Meddled::store(&shared, act);
    let before = counted(&shared);
    assert_eq!(claim(&store, "x"), Claimed::Unknown);
    assert_eq!(troubles(&store), [(Trouble::Contended, 1)]);
    assert_eq!(counted(&shared), before, "it counts for no subject");
    assert_eq!(claim(&open(&shared, 100_000), "x"), Claimed::First, "and has used nothing up");
}

/// The bucket in which `id` is remembered, found on a copy.
fn bucket_of(shared: &Shared, id: &str) -> String {
    open(shared, 100_000);
    let copy = shared.copy();
    assert_eq!(claim(&open(&copy, 100_000), id), Claimed::First);
    copy.last_written()
}

/// What is counted for principals.
fn counted(shared: &Shared) -> Vec<Vec<u8>> {
    let names = shared.names();
    names.iter().filter(|name| name.contains("/principal/")).map(|name| shared.value(name)).collect()
}

/// A bucket with these entries, each with its time.
fn bucket(entries: &[(u64, i64)]) -> Vec<u8> {
    let mut bytes = b"sgR1\0\0\0\0".to_vec();
    for (tag, until) in entries {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(u32::try_from(*until).unwrap().to_le_bytes());
    }
    bytes
}

#[test]
fn what_has_been_used_is_remembered_until_it_would_be_refused_anyway() {
    let shared = Shared::default();
    let store = open(&shared, 100_000);
    assert_eq!(claim_at(&store, "x", "alice", NOW), Claimed::First);
    for now in [NOW, NOW + 1, NOW + 59] {
        assert_eq!(claim_at(&store, "x", "alice", now), Claimed::Again, "{now}");
        assert_eq!(claim_at(&store, "x", "bob", now), Claimed::Again, "for another subject: {now}");
    }
    let bucket = bucket_of(&shared, "y");
    assert_eq!(claim_at(&store, "x", "alice", NOW + 60), Claimed::First, "its time is over, so it is another one");
    assert_eq!(claim_until(&store, "z", "alice", NOW, NOW), Claimed::Unknown, "what is over cannot be remembered");
    assert_eq!(claim_until(&store, "far", "alice", NOW, i64::MAX), Claimed::First);
    assert_eq!(claim_until(&store, "far", "alice", i64::MAX - 1, i64::MAX), Claimed::Unknown);
    assert_eq!(claim_until(&store, "far", "alice", 4_000_000_000, i64::MAX), Claimed::Again);
    assert!(shared.value(&bucket).len() < 100, "no bucket grows by what is over");
}

#[test]
fn a_clock_that_is_set_back_lets_nothing_pass_twice() {
    let shared = Shared::default();
    let store = open(&shared, 100_000);
    let place = bucket_of(&shared, "x");
    assert_eq!(claim_at(&store, "x", "x", NOW), Claimed::First);
    assert_eq!(claim_at(&store, "x", "x", NOW - 1000), Claimed::Again, "a clock that goes back forgets nothing");
    // The clock is far ahead for a while, and what was used is dropped from its bucket.
    assert!(shared.write(&place, &bucket(&[(1, NOW + 60)]), None));
    assert_eq!(claim_at(&store, "x", "x", NOW + 5000), Claimed::First);
    let kept = shared.value(&place);
    assert!(shared.write(&place, &kept[..8], None), "what was put in then is not what is looked for");
    assert_eq!(claim_at(&store, "x", "x", NOW + 1), Claimed::Unknown, "it may have been used before");
    assert_eq!(troubles(&store), [(Trouble::Clock, 1)]);
    assert_eq!(claim_until(&store, "x", "x", NOW + 1, NOW + 5001), Claimed::First, "this one was not dropped then");
}

#[test]
fn a_full_bucket_refuses_and_forgets_nothing() {
    let shared = Shared::default();
    let place = bucket_of(&shared, "x");
    let store = open(&shared, 1_000);
    let full: Vec<_> = (0..14).map(|tag| (tag, NOW + 60)).collect();
    assert!(shared.write(&place, &bucket(&full), None));
    let before = (shared.value(&place), counted(&shared));
    for _ in 0..50 {
        assert_eq!(claim(&store, "x"), Claimed::Unknown);
    }
    assert_eq!(troubles(&store), [(Trouble::Full, 50)]);
    assert_eq!((shared.value(&place), counted(&shared)), before, "who is refused takes no room");
    assert_eq!(claim_at(&store, "x", "x", NOW + 60), Claimed::First, "what is over makes room");
    assert_eq!(claim(&open(&shared, 100_000), "x"), Claimed::Again);
}

#[test]
fn there_is_room_for_as_many_as_configured() {
    for entries in [1_000, 20_000] {
        let store = open(&Shared::default(), entries);
        let refused = (0..entries).filter(|id| claim(&store, &id.to_string()) != Claimed::First).count();
        assert_eq!(refused, 0, "{entries}: {:?}", troubles(&store));
    }
}

#[test]
fn one_principal_holds_at_most_a_sixteenth() {
    let store = open(&Shared::default(), 10_000);
    let firsts = |principal: &str, now| {
        (0..1500).filter(|id| claim_at(&store, &format!("{principal} {id}"), principal, now) == Claimed::First).count()
    };
    let of_mallory = firsts("mallory", NOW);
    assert!((500..=625).contains(&of_mallory), "{of_mallory}");
    assert_eq!(troubles(&store), [(Trouble::Share, 1500 - u32::try_from(of_mallory).unwrap())]);
    let others = (0..8000).filter(|id| claim(&store, &id.to_string()) == Claimed::First).count();
    assert_eq!(others, 8000, "there is room for all others");
    assert!(firsts("mallory", NOW + 60) > 400, "and for its next ones when those are over");
}

#[test]
fn what_another_wrote_over_is_refused_and_left_as_it_is() {
    let shared = Shared::default();
    let (place, store) = (bucket_of(&shared, "x"), open(&shared, 100_000));
    let copy = shared.copy();
    let counting: Vec<String> = shared.names().into_iter().filter(|name| name.contains("/principal/")).collect();
    for garbage in [&b""[..], b"x", &[0xff; 200], b"sgR2\0\0\0\0", &bucket(&[(1, NOW)])[..19]] {
        assert!(shared.write(&place, garbage, None));
        assert_eq!(claim(&store, "x"), Claimed::Unknown, "{garbage:?}");
        assert_eq!(shared.value(&place), garbage);
        counting.iter().for_each(|name| assert!(copy.write(name, garbage, None)));
        assert_eq!(claim(&open(&copy, 100_000), "x"), Claimed::Unknown, "where principals are counted: {garbage:?}");
    }
    assert_eq!(troubles(&store), [(Trouble::Unreadable, 5)]);
    shared.forget(&place);
    assert_eq!(claim(&store, "x"), Claimed::Unknown, "a bucket that is gone is not made anew");
    assert!(shared.lacks(&place));
    for garbage in [&b""[..], b"sgB1", &[0; 28], &[shared.value(BIRTH), vec![0]].concat()] {
        assert!(shared.write(BIRTH, garbage, None));
        let opened = SharedStore::open(Box::new(shared.clone()), &[Pool::Tokens], 1_000, UnixSeconds(NOW));
        assert_eq!(opened.err(), Some(OpenError::Unreadable), "{garbage:?}");
        assert_eq!(shared.value(BIRTH), garbage);
    }
}

#[test]
fn opening_it_again_forgets_nothing_whatever_is_configured() {
    let shared = Shared::default();
    let store = open(&shared, 100_000);
    assert_eq!(claim(&store, "x"), Claimed::First);
    let place = shared.last_written();
    let (names, written) = (shared.names(), shared.written());
    assert_eq!(names.len(), 16_384 + 4_096 + 1);
    for entries in [1_000, 100_000, 4_000_000] {
        assert_eq!(claim(&open(&shared, entries), "x"), Claimed::Again, "{entries}");
        let fresh = Shared::default();
        open(&fresh, entries);
        assert_eq!(fresh.names(), names, "{entries}");
    }
    assert_eq!((shared.names(), shared.written()), (names, written), "nothing is written to open it");
    // Where opening it for the first time was cut short, what is there stays.
    let before = shared.value(&place);
    assert_ne!(before, bucket(&[]));
    shared.forget(BIRTH);
    open(&shared, 100_000);
    assert_eq!(shared.value(&place), before);
}

#[test]
fn what_could_be_used_before_the_store_was_there_is_refused() {
    let store = open(&Shared::default(), 100_000);
    let made = |id: &str, made_at| {
        let claim = Claim {
            pool: Pool::Tokens,
            id: &[id.as_bytes()],
            principal: &[b"alice"],
            until: UnixSeconds(NOW + 60),
            made_at: Some(UnixSeconds(made_at)),
        };
        store.claim(&claim, UnixSeconds(NOW + 5))
    };
    assert_eq!([made("a", NOW - 1), made("a", NOW)], [Claimed::TooOld; 2], "also in the second of its birth");
    assert_eq!([made("a", NOW + 1), made("a", NOW + 1)], [Claimed::First, Claimed::Again]);
}

#[test]
fn a_pool_that_is_not_open_lets_nothing_pass() {
    let shared = Shared::default();
    let store = SharedStore::open(Box::new(shared.clone()), &[], 100_000, UnixSeconds(NOW)).unwrap();
    assert_eq!((claim(&store, "x"), shared.written()), (Claimed::Unknown, 0));
}

#[test]
fn a_store_that_cannot_be_written_is_none() {
    struct ReadOnly;
    impl SharedData for ReadOnly {
        fn read(&self, _name: &str) -> Option<(Vec<u8>, u32)> {
            None
        }

        fn write(&self, _name: &str, _value: &[u8], _seen: Option<u32>) -> bool {
            false
        }

        fn lacks(&self, _name: &str) -> bool {
            true
        }
    }
    let opened = SharedStore::open(Box::new(ReadOnly), &[Pool::Tokens], 1_000, UnixSeconds(NOW));
    assert_eq!(opened.err(), Some(OpenError::NotWritten));
}
