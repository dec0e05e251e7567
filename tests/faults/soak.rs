//! The soak: mixed traffic for a long time, while keys change, tokens are revoked and the filter is configured again.
//! It writes what it saw under `target/soak` and judges by itself whether memory and latency stayed flat.

mod chart;
mod judge;
mod messages;
mod sample;

use crate::stage::{Stage, published, revoked};
use crate::support::client::{KeptClient, get_with};
use crate::support::envoy::root;
use crate::support::issuer::{Issuer, now};
use crate::support::random::{Random, from_environment};
use crate::traffic::{Hostile, each_kind, good, hostile, next_key, random_id};
use sample::{Sample, Window};
use serde_json::json;
use std::collections::VecDeque;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

/// Threads that send, and requests a second of each.
const CLIENTS: u64 = 4;
const RATE: u32 = 100;
/// Seconds between two: samples, rotations of the issuer's key, revocations, configurations.
const SAMPLE: u64 = 5;
const ROTATION: u64 = 30;
const REVOCATION: u64 = 7;
const CONFIGURATION: u64 = 20;
/// Seconds after which every worker has the published keys and lists.
const SETTLED: u64 = 6;

/// What is sent at the moment.
struct Round {
    good: Vec<Vec<u8>>,
    hostile: Vec<Hostile>,
}

/// The issuer's keys: the one that signs, and those before it, with the second in which they were withdrawn.
struct Keys {
    count: usize,
    current: Arc<Issuer>,
    next: Option<(u64, Arc<Issuer>)>,
    before: Option<Arc<Issuer>>,
    withdrawn: VecDeque<(u64, String)>,
}

impl Keys {
    /// Publishes the next key, signs with it when it is known, then withdraws the one before.
    fn turn(&mut self, second: u64, stage: &Stage) -> bool {
        match self.next.take() {
            None if second % ROTATION == ROTATION / 2 => {
                let next = Arc::new(next_key(self.count));
                self.count += 1;
                stage.issuer.now(published(&[&self.current, &next]));
                self.next = Some((second + SETTLED, next));
                false
            }
            Some((due, next)) if second >= due && !Arc::ptr_eq(&self.current, &next) => {
                self.before = Some(std::mem::replace(&mut self.current, Arc::clone(&next)));
                // Holders of tokens of the key before go on for a while.
                self.next = Some((second + SETTLED, next));
                false
            }
            Some((due, _)) if second >= due => {
                let gone = self.before.take().map(|before| before.token(now()).sign());
                self.withdrawn.extend(gone.map(|token| (second + SETTLED, token)));
                self.withdrawn.drain(..self.withdrawn.len().saturating_sub(5));
                stage.issuer.now(published(&[&self.current]));
                true
            }
            waiting => {
                self.next = waiting;
                false
            }
        }
    }
}

fn client(number: u64, stage: &Stage, round: &RwLock<Arc<Round>>, window: &Mutex<Window>, stop: &AtomicBool) {
    let mut random = Random::new(number);
    let mut gate = KeptClient::new(stage.envoy.listener("gate"));
    let mut bare = KeptClient::new(stage.envoy.listener("bare"));
    let pause = Duration::from_secs(1) / RATE;
    let mut due = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        due += pause;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if due.elapsed() > Duration::from_secs(1) {
            due = Instant::now();
        }
        let now_sent = Arc::clone(&round.read().unwrap());
        let chosen = random.below(20);
        let began = Instant::now();
        if chosen < 3 {
            let status = bare.send(&now_sent.good[0]).status;
            window.lock().unwrap().bare(began.elapsed(), status);
        } else if chosen < 15 {
            let request = &now_sent.good[random.below(now_sent.good.len())];
            let status = gate.send(request).status;
            window.lock().unwrap().good(began.elapsed(), status);
        } else {
            let hostile = &now_sent.hostile[random.below(now_sent.hostile.len())];
            let status = gate.send(&hostile.bytes).status;
            window.lock().unwrap().hostile(hostile.what, status);
        }
    }
}

#[test]
#[ignore = "it takes as long as it is told to: make soak"]
fn nothing_grows_and_nothing_passes_while_keys_lists_and_configuration_change() {
    let seconds = from_environment("SCOPEGATE_MINUTES", 2) * 60;
    let mut random = Random::new(Random::seed(1));
    let foreign = Issuer::new(scopegate::crypto::Algorithm::Es256, "foreign");
    let first = Arc::new(next_key(0));
    let mut keys = Keys { count: 1, current: first, next: None, before: None, withdrawn: VecDeque::new() };
    let stage = Stage::start(&[&keys.current], 2, json!({}));
    let mut ids: Vec<String> = Vec::new();
    let mut stolen: VecDeque<(u64, String, Arc<Issuer>)> = VecDeque::new();
    while get_with(stage.envoy.listener("gate"), "/", &keys.current.token(now()).sign()).status != 200 {
        std::thread::sleep(Duration::from_millis(100));
    }

    let make = |keys: &Keys, stolen: &VecDeque<(u64, String, Arc<Issuer>)>, second: u64, random: &mut Random| {
        let token = || keys.current.token(now()).claim("jti", format!("{:x}", random_id())).sign();
        let mut all = each_kind(&keys.current, &foreign, random);
        let gone = keys.withdrawn.iter().filter(|(from, _)| *from <= second);
        all.extend(gone.map(|(_, token)| hostile("of a key that was withdrawn", token)));
        let of_now = stolen.iter().filter(|(from, _, signer)| *from <= second && Arc::ptr_eq(signer, &keys.current));
        all.extend(of_now.map(|(_, token, _)| hostile("revoked", token)));
        Arc::new(Round { good: (0..10).map(|_| good(&token())).collect(), hostile: all })
    };
    let round = RwLock::new(make(&keys, &stolen, 0, &mut random));
    let (window, stop) = (Mutex::new(Window::default()), AtomicBool::new(false));
    let mut samples: Vec<Sample> = Vec::new();
    let began = Instant::now();
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (stage, round, window, stop) = (&stage, &round, &window, &stop);
            scope.spawn(move || client(number, stage, round, window, stop));
        }
        let mut events = sample::Events::default();
        for second in 1..=seconds {
            std::thread::sleep((Duration::from_secs(second)).saturating_sub(began.elapsed()));
            events.rotations += u64::from(keys.turn(second, &stage));
            if second.is_multiple_of(REVOCATION) {
                let id = format!("stolen {second}");
                let token = keys.current.token(now()).claim("jti", id.clone()).sign();
                // Both workers may remember it as good.
                for _ in 0..4 {
                    get_with(stage.envoy.listener("gate"), "/", &token);
                }
                ids.push(id);
                ids.drain(..ids.len().saturating_sub(200));
                stage.lists.now(revoked(&ids));
                stolen.push_front((second + SETTLED, token, Arc::clone(&keys.current)));
                stolen.truncate(10);
                events.revocations += 1;
            }
            if second.is_multiple_of(CONFIGURATION) {
                stage.configure(second);
                events.configurations += 1;
            }
            *round.write().unwrap() = make(&keys, &stolen, second, &mut random);
            if second.is_multiple_of(SAMPLE) {
                let taken = std::mem::take(&mut *window.lock().unwrap());
                samples.push(Sample::take(second, &stage, taken, std::mem::take(&mut events)));
            }
        }
        stop.store(true, Ordering::Relaxed);
    });

    let folder = root().join("target/soak");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("soak.csv"), sample::csv(&samples)).unwrap();
    fs::write(folder.join("soak.svg"), chart::draw(&samples)).unwrap();
    let verdict = judge::judge(&samples);
    println!("{}", verdict.text);
    fs::write(folder.join("soak.txt"), &verdict.text).unwrap();
    let (taken, rejected) = stage.configured();
    assert!(rejected == 0 && taken > 0, "{taken} configurations taken, {rejected} refused");
    assert_eq!(stage.reached.hostile.load(Ordering::SeqCst), 0, "nothing hostile reached the upstream");
    assert!(!stage.envoy.log().contains("panicked"));
    assert!(verdict.problems.is_empty(), "{:#?}", verdict.problems);
}
