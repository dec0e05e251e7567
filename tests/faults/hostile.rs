//! A flood of hostile requests while everything around the gate fails in turn: none passes, counted.

use crate::stage::{Stage, published, revoked};
use crate::support::client::{KeptClient, get_with};
use crate::support::issuer::{Issuer, now};
use crate::support::outage::ways;
use crate::support::random::{Random, from_environment};
use crate::traffic::{Hostile, each_kind, flipped, good};
use scopegate::crypto::Algorithm;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

/// Threads that send, each over its own connection, and hostile requests between two good ones.
const CLIENTS: u64 = 6;
const ROUND: u64 = 25;

/// A good token, and requests that must not pass.
type Sent = Arc<(String, Vec<Hostile>)>;

#[derive(Debug, Default)]
struct Counts {
    hostile: BTreeMap<u16, u64>,
    good: BTreeMap<u16, u64>,
    wrong: Vec<&'static str>,
}

impl Counts {
    fn add(&mut self, other: Self) {
        other.hostile.into_iter().for_each(|(status, count)| *self.hostile.entry(status).or_default() += count);
        other.good.into_iter().for_each(|(status, count)| *self.good.entry(status).or_default() += count);
        self.wrong.extend(other.wrong);
    }
}

/// Sends hostile requests, a good one after each round of them.
fn client(address: SocketAddr, current: &RwLock<Sent>, sent: &AtomicU64, stop: &AtomicBool, seed: u64) -> Counts {
    let (mut random, mut counts) = (Random::new(seed), Counts::default());
    let mut connection = KeptClient::new(address);
    while !stop.load(Ordering::Relaxed) {
        let now_sent = Arc::clone(&current.read().unwrap());
        let (token, all) = &*now_sent;
        for _ in 0..ROUND {
            let flip = random.chance(3).then(|| flipped(token, &mut random));
            let request = flip.as_ref().unwrap_or_else(|| &all[random.below(all.len())]);
            let status = connection.send(&request.bytes).status;
            *counts.hostile.entry(status).or_default() += 1;
            if status < 400 {
                counts.wrong.push(request.what);
            }
        }
        *counts.good.entry(connection.send(&good(token)).status).or_default() += 1;
        sent.fetch_add(ROUND, Ordering::Relaxed);
    }
    counts
}

#[test]
fn of_all_hostile_requests_none_passes_while_issuer_lists_and_configuration_fail_in_every_way() {
    let wanted = from_environment("SCOPEGATE_REQUESTS", 20_000);
    let seed = Random::seed(7);
    let (issuer, foreign) = (Issuer::new(Algorithm::Es256, "a"), Issuer::new(Algorithm::Es256, "foreign"));
    let stage = Stage::start(&[&issuer], 2, json!({}));
    let address = stage.envoy.listener("gate");
    let deadline = Instant::now() + Duration::from_secs(20);
    while get_with(address, "/", &issuer.token(now()).sign()).status != 200 {
        assert!(Instant::now() < deadline, "no keys");
        std::thread::sleep(Duration::from_millis(50));
    }
    let prepared = |random: &mut Random| {
        let all: Vec<Hostile> = (0..4).flat_map(|_| each_kind(&issuer, &foreign, random)).collect();
        Arc::new((issuer.token(now()).sign(), all))
    };
    let mut random = Random::new(seed);
    let current = RwLock::new(prepared(&mut random));
    let (sent, stop, total) = (AtomicU64::new(0), AtomicBool::new(false), Mutex::new(Counts::default()));
    let mut failures: BTreeMap<&str, u64> = BTreeMap::new();
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (current, sent, stop, total) = (&current, &sent, &stop, &total);
            scope.spawn(move || {
                let counts = client(address, current, sent, stop, seed.wrapping_add(number));
                total.lock().unwrap().add(counts);
            });
        }
        let mut turn = 0_u64;
        let keys = issuer.jwks().to_string();
        let (of_keys, of_lists) = (ways(keys.as_bytes()), ways(b"{\"iss\":\"a\",\"jti\":\"b\"}\n"));
        while sent.load(Ordering::Relaxed) < wanted || turn < 16 {
            let (what, conduct) = random.of(&of_keys);
            *failures.entry(what).or_default() += 1;
            stage.issuer.now(conduct);
            let (what, conduct) = random.of(&of_lists);
            *failures.entry(what).or_default() += 1;
            stage.lists.now(conduct);
            std::thread::sleep(Duration::from_millis(250));
            if turn.is_multiple_of(4) {
                stage.configure(turn);
            }
            if turn.is_multiple_of(3) {
                stage.issuer.now(published(&[&issuer]));
                stage.lists.now(revoked(&[]));
                std::thread::sleep(Duration::from_millis(250));
            }
            if turn.is_multiple_of(40) {
                *current.write().unwrap() = prepared(&mut random);
            }
            turn += 1;
        }
        stop.store(true, Ordering::Relaxed);
    });
    let Counts { hostile, good, wrong } = total.into_inner().unwrap();
    let all: u64 = hostile.values().sum();
    println!("{all} hostile requests, by status: {hostile:?}; {} passed", wrong.len());
    println!("good requests among them, by status: {good:?}");
    println!("failures of the issuer and of the list server: {failures:?}");
    println!("configurations taken and refused: {:?}", stage.configured());
    assert!(wrong.is_empty(), "SCOPEGATE_SEED={seed}: {wrong:?}");
    assert_eq!(stage.reached.hostile.load(Ordering::SeqCst), 0, "nothing hostile reached the upstream");
    assert!(all >= wanted, "{all}");
    assert!(good.get(&200).is_some_and(|count| *count * 2 > good.values().sum()), "good ones go on: {good:?}");
    assert!(!stage.envoy.log().contains("panicked"));
}
