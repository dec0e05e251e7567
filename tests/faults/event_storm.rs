//! A storm of forged events, and of one good event that is sent again and again: none revokes anything, no good event is kept out,
//! and no good request is refused.

use crate::crowd::Stops;
use crate::forgers::events::{add_to, each_kind};
use crate::stage::Stage;
use crate::support::client::{KeptClient, at_once, get_with, send};
use crate::support::events::{logout, push_logout, unique};
use crate::support::issuer::{Issuer, now};
use crate::support::native;
use crate::support::random::{Random, from_environment};
use crate::support::wait::eventually;
use crate::traffic::good;
use scopegate::crypto::Algorithm;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const USER: &str = "carol";
const SESSION: &str = "of-carol";
/// Threads that send forged events, and one that sends a good one again and again.
const FORGERS: u64 = 4;
/// How long a good event may take in the middle of it, until both workers refuse its session.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Default)]
struct Counts {
    forged: BTreeMap<u16, u64>,
    replayed: BTreeMap<u16, u64>,
    good: BTreeMap<u16, u64>,
    wrong: Vec<String>,
}

impl Counts {
    fn forged(&mut self, what: &str, status: u16) {
        *self.forged.entry(status).or_default() += 1;
        if status < 400 {
            self.wrong.push(format!("{what}: {status}"));
        }
    }

    fn good(&mut self, status: u16) {
        *self.good.entry(status).or_default() += 1;
        if status != 200 {
            self.wrong.push(format!("a good request: {status}"));
        }
    }

    fn replayed(&mut self, status: u16) {
        *self.replayed.entry(status).or_default() += 1;
    }
}

/// What goes on until it is stopped.
struct Storm<'s> {
    stage: &'s Stage,
    issuer: &'s Issuer,
    counts: Mutex<Counts>,
    sent: AtomicU64,
    stop: AtomicBool,
}

impl Storm<'_> {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// Sends one kind after the other, and a good request of the user that they name after each few.
    fn forge(&self, seed: u64) {
        let mut random = Random::new(seed);
        let mut connection = KeptClient::new(self.stage.envoy.listener("gate"));
        while self.goes_on() {
            let all = each_kind(self.issuer, USER, SESSION, &mut random);
            let token = self.issuer.token(now()).claim("sub", USER).claim("sid", SESSION).sign();
            for (number, forged) in all.iter().enumerate() {
                let status = connection.send(&forged.bytes).status;
                self.counts.lock().unwrap().forged(forged.what, status);
                if number % 5 == 0 {
                    let status = connection.send(&good(&token)).status;
                    self.counts.lock().unwrap().good(status);
                }
            }
            self.sent.fetch_add(all.len() as u64, Ordering::Relaxed);
        }
    }

    /// Sends one good event again and again.
    fn replay(&self, event: &[u8]) {
        let mut connection = KeptClient::new(self.stage.envoy.listener("gate"));
        while self.goes_on() {
            let status = connection.send(event).status;
            self.counts.lock().unwrap().replayed(status);
            self.sent.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sends a good event until it is taken, and waits until its session is refused. How often it was sent, and how long it took.
    fn revoke(&self) -> (u32, Duration) {
        let address = self.stage.envoy.listener("gate");
        let session = unique("session");
        let token = self.issuer.token(now()).claim("sid", &*session).sign();
        assert_eq!(at_once(&[address], 8, &token), [200; 8]);
        let event = push_logout(&logout(self.issuer).claim("sid", session).sign());
        let (began, mut times) = (Instant::now(), 1);
        while send(address, &event).status != 200 {
            times += 1;
            assert!(began.elapsed() < PATIENCE, "a good event was kept out");
            std::thread::sleep(Duration::from_millis(100));
        }
        while at_once(&[address], 16, &token) != [401; 16] {
            assert!(began.elapsed() < PATIENCE, "its session still passes");
            std::thread::sleep(Duration::from_millis(20));
        }
        (times, began.elapsed())
    }
}

#[test]
fn of_a_storm_of_forged_and_replayed_hostile_events_none_revokes_and_good_ones_are_taken_in_its_midst() {
    let wanted = from_environment("SCOPEGATE_REQUESTS", 20_000) / 2;
    let seed = Random::seed(11);
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let mut more = json!({ "limits": { "body_timeout": "1s" } });
    add_to(&mut more);
    let plugin = json!({ "allow_on_headers_stop_iteration": true });
    let mut stage = Stage::start_asking(&[&issuer], 2, plugin, "500ms", more);
    let address = stage.envoy.listener("gate");
    let token = issuer.token(now()).claim("sub", USER).claim("sid", SESSION).sign();
    eventually("keys", || at_once(&[address], 16, &token) == [200; 16]);
    let captured = push_logout(&logout(&issuer).claim("sid", unique("captured")).sign());
    assert_eq!(send(address, &captured).status, 200);
    // Buffers have their size once something of each kind has been there.
    let mut random = Random::new(seed);
    for forged in each_kind(&issuer, USER, SESSION, &mut random).iter().cycle().take(400) {
        send(address, &forged.bytes);
    }
    // A native module has no memory of its own.
    let memory = |stage: &Stage| {
        if native::is_tested() { 0 } else { stage.envoy.counter("scopegate.vm.memory_bytes") }
    };
    std::thread::sleep(Duration::from_secs(1));
    let before = memory(&stage);
    let storm = Storm {
        stage: &stage,
        issuer: &issuer,
        counts: Mutex::default(),
        sent: AtomicU64::new(0),
        stop: AtomicBool::new(false),
    };
    let mut revoked = Vec::new();
    std::thread::scope(|scope| {
        for number in 0..FORGERS {
            let storm = &storm;
            scope.spawn(move || storm.forge(seed.wrapping_add(number)));
        }
        scope.spawn(|| storm.replay(&captured));
        let _stopping = Stops(&storm.stop);
        while storm.sent.load(Ordering::Relaxed) < wanted {
            revoked.push(storm.revoke());
        }
    });
    let counts = storm.counts.into_inner().unwrap();
    let forged: u64 = counts.forged.values().sum();
    let slowest = revoked.iter().map(|(_, time)| *time).max().unwrap();
    println!("{forged} forged events, by status: {:?}; {} were taken", counts.forged, counts.wrong.len());
    println!(
        "one good event sent again {} times, by status: {:?}",
        counts.replayed.values().sum::<u64>(),
        counts.replayed
    );
    println!("good requests of the user whom they name, by status: {:?}", counts.good);
    let again = revoked.iter().filter(|(times, _)| *times > 1).count();
    println!(
        "{} good events in their midst, all taken, {again} of them when they came again; the slowest revoked after {slowest:?}",
        revoked.len()
    );
    assert!(counts.wrong.is_empty(), "SCOPEGATE_SEED={seed}: {:?}", counts.wrong);
    assert_eq!(stage.reached.hostile.load(Ordering::SeqCst), 0, "no event reached the upstream");
    assert_eq!(counts.replayed.keys().copied().collect::<Vec<_>>(), [200]);
    assert_eq!(get_with(address, "/orders/1", &token).status, 200, "nothing was revoked of the user");
    std::thread::sleep(Duration::from_secs(1));
    let after = memory(&stage);
    println!("memory of a VM: {before} bytes before, {after} after");
    // The gauge is of one worker or the other.
    assert!(after <= before + 262_144, "{before} to {after}");
    let entries = stage.envoy.counter("scopegate.events.entries");
    assert_eq!(entries, revoked.len() as u64 + 1, "what good events have revoked, and nothing else");
    assert!(stage.envoy.is_alive() && !stage.envoy.log().contains("panicked"));
}
