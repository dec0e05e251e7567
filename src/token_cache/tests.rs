use super::*;
use crate::base::details::DetailsCell;
use crate::base::members::Members;
use crate::base::names::FingerprintCell;
use crate::crypto::Algorithm;
use crate::facts::{KeyRing, Voucher};
use crate::jose::{Claims, JoseHeader};
use crate::policy::IssuerId;
use proptest::prelude::*;

const NOW: UnixSeconds = UnixSeconds(1000);

fn keys() -> KeyRing {
    let mut keys = KeyRing::default();
    keys.set(IssuerId(0), Some(Rc::default()));
    keys
}

#[expect(clippy::default_trait_access, reason = "what revocation keeps with a token is not for this room")]
fn token(expires_at: i64, filler: usize) -> VerifiedToken {
    let claims = format!(r#"{{"iss":"a","exp":{expires_at},"x":"{}"}}"#, "x".repeat(filler));
    VerifiedToken {
        details: DetailsCell::default(),
        header: JoseHeader { alg: "ES256".into(), kid: None, typ: None },
        claims: Claims::from_members(Members::parse(claims.into_bytes()).expect("an object")).expect("claims"),
        voucher: Voucher::Signature(Algorithm::Es256, keys().generation(IssuerId(0)).expect("keys"), 0),
        fingerprint: FingerprintCell::default(),
        subject: None,
        issuer: IssuerId(0),
        clearance: Default::default(),
        held: Default::default(),
    }
}

fn cache(entries: usize) -> TokenCache {
    TokenCache::new(CacheLimits { entries, bytes: 1 << 20 })
}

fn name(cache: &TokenCache, number: usize) -> TokenName {
    cache.name(format!("token {number}").as_bytes()).expect("the cache is on")
}

fn remember(cache: &TokenCache, number: usize) {
    cache.remember(name(cache, number), token(2000, 0));
}

fn recall(cache: &TokenCache, number: usize, now: i64) -> Option<Rc<VerifiedToken>> {
    cache.recall(name(cache, number), UnixSeconds(now), &keys())
}

fn knows(cache: &TokenCache, number: usize) -> bool {
    recall(cache, number, NOW.0).is_some()
}

#[test]
fn a_token_is_recalled_until_its_exp_and_not_after() {
    let cache = cache(10);
    remember(&cache, 1);
    assert!(knows(&cache, 1));
    assert!(!knows(&cache, 2));
    assert!(recall(&cache, 1, 1999).is_some());
    assert!(recall(&cache, 1, 2000).is_none());
    assert!(recall(&cache, 1, NOW.0).is_none(), "it is gone for good, also where the clock goes back");
    assert!(cache.is_empty());
    assert_eq!(cache.bytes(), 0);
    assert_eq!(cache.take_counts(), CacheCounts { hits: 2, misses: 3, evictions: 0 });
    assert_eq!(cache.take_counts(), CacheCounts::default());
}

#[test]
fn a_token_is_not_recalled_once_its_issuer_has_other_keys() {
    let cache = cache(10);
    remember(&cache, 1);
    let mut other = keys();
    other.set(IssuerId(1), Some(Rc::default()));
    assert!(cache.recall(name(&cache, 1), NOW, &other).is_some(), "another issuer's keys do not matter");
    other.set(IssuerId(0), Some(Rc::default()));
    assert!(cache.recall(name(&cache, 1), NOW, &other).is_none());
    other.set(IssuerId(0), None);
    assert!(cache.recall(name(&cache, 1), NOW, &other).is_none());
    assert_eq!(cache.take_counts(), CacheCounts { hits: 1, misses: 2, evictions: 0 });
}

#[test]
fn a_cache_without_entries_is_off() {
    assert_eq!(cache(0).name(b"a"), None);
}

#[test]
fn two_caches_call_one_token_differently() {
    assert_ne!(cache(1).name(b"a"), cache(1).name(b"a"));
}

#[test]
fn new_tokens_push_out_new_tokens_and_not_those_in_use() {
    let cache = cache(1000);
    for number in 0..800 {
        remember(&cache, number);
        assert!(knows(&cache, number));
    }
    // A hundred new tokens for each use of a token that is in use.
    for spray in 0..100_000 {
        remember(&cache, 10_000 + spray);
        if spray % 100 == 0 {
            assert!(knows(&cache, spray / 100 % 800), "spray {spray}");
        }
    }
    assert_eq!((0..800).filter(|&number| knows(&cache, number)).count(), 800);
    assert!(cache.take_counts().evictions > 90_000);
}

#[test]
fn a_token_that_comes_back_soon_stays() {
    let cache = cache(100);
    for number in 0..100 {
        remember(&cache, number);
        assert!(knows(&cache, number));
    }
    remember(&cache, 200);
    for number in 300..350 {
        remember(&cache, number);
    }
    assert!(!knows(&cache, 200), "pushed out by the like of it");
    remember(&cache, 200);
    for number in 400..500 {
        remember(&cache, number);
    }
    assert!(knows(&cache, 200));
}

#[test]
fn a_token_that_is_verified_anew_takes_the_place_of_its_entry() {
    let cache = cache(10);
    cache.remember(name(&cache, 1), token(2000, 500));
    let before = cache.bytes();
    cache.remember(name(&cache, 1), token(2000, 0));
    assert_eq!(cache.len(), 1);
    assert!(cache.bytes() < before);
}

#[test]
fn a_token_larger_than_the_whole_room_is_not_remembered() {
    let cache = TokenCache::new(CacheLimits { entries: 10, bytes: 2000 });
    remember(&cache, 1);
    cache.remember(name(&cache, 2), token(2000, 3000));
    assert!(!knows(&cache, 2));
    assert!(knows(&cache, 1), "and pushes nothing out");
}

#[derive(Clone, Debug)]
enum Step {
    Remember(usize),
    Recall(usize, i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..40_usize).prop_map(Step::Remember),
        (0..40_usize, 900..1100_i64).prop_map(|(number, now)| Step::Recall(number, now)),
    ]
}

/// The `exp` and the size of a token, which are the same whenever it comes.
fn nature(number: usize) -> (i64, usize) {
    (i64::try_from(900 + number * 5).unwrap(), number * 15)
}

proptest! {
    /// Whatever is asked of it: it stays within its limits, its books are right, and it never makes anything up.
    #[test]
    fn it_stays_within_its_limits_and_makes_nothing_up(
        entries in 1..20_usize, bytes in 500..10_000_usize, steps in prop::collection::vec(step(), 0..300)
    ) {
        let cache = TokenCache::new(CacheLimits { entries, bytes });
        let mut brought = std::collections::BTreeSet::new();
        for step in steps {
            match step {
                Step::Remember(number) => {
                    let (exp, filler) = nature(number);
                    cache.remember(name(&cache, number), token(exp, filler));
                    brought.insert(number);
                }
                Step::Recall(number, now) => {
                    if let Some(known) = recall(&cache, number, now) {
                        let (exp, filler) = nature(number);
                        prop_assert!(exp > now && brought.contains(&number));
                        prop_assert_eq!(known.claims.expires_at, Some(UnixSeconds(exp)));
                        prop_assert_eq!(known.claims.text("x").map(|text| text.len()), Some(filler));
                    }
                }
            }
            let state = cache.state.borrow();
            prop_assert!(state.entries.len() <= entries && state.bytes() <= bytes);
            prop_assert_eq!(state.probation.entries + state.main.entries, state.entries.len());
            prop_assert_eq!(state.bytes(), state.entries.values().map(|entry| entry.bytes).sum::<usize>());
            prop_assert!(state.gone.len() <= entries && state.gone_order.len() <= entries);
            prop_assert!(state.probation.order.len() + state.main.order.len() <= 4 * entries + 40);
        }
    }
}
