//! Clients that go on sending, good requests and hostile ones, while something fails.

use crate::stage::Stage;
use crate::support::client::try_send;
use crate::support::issuer::{Issuer, now};
use crate::support::random::Random;
use crate::traffic::{Hostile, each_kind, flipped, good};
use scopegate::crypto::Algorithm;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// How many requests were answered with which status; 0 is none.
pub type Statuses = BTreeMap<u16, u64>;

/// What the clients saw.
#[derive(Debug, Default)]
pub struct Seen {
    pub good: Statuses,
    pub hostile: Statuses,
    /// What passed and should not have.
    pub wrong: Vec<&'static str>,
}

impl Seen {
    pub fn good(&self, status: u16) -> u64 {
        self.good.get(&status).copied().unwrap_or_default()
    }

    pub fn hostile(&self) -> u64 {
        self.hostile.values().sum()
    }
}

/// Tells the threads of a scope to stop when it goes, also when what goes on beside them fails: otherwise the scope would
/// wait for them for ever.
pub struct Stops<'s>(pub &'s AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Sends from several threads while `meanwhile` runs, and then asserts that nothing hostile passed.
pub fn during(stage: &Stage, issuer: &Issuer, clients: u64, meanwhile: impl FnOnce()) -> Seen {
    let (seen, stop) = (Mutex::new(Seen::default()), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for number in 0..clients {
            let (seen, stop) = (&seen, &stop);
            scope.spawn(move || client(stage, issuer, number, seen, stop));
        }
        let _stopping = Stops(&stop);
        meanwhile();
    });
    let seen = seen.into_inner().unwrap();
    assert!(seen.wrong.is_empty(), "{seen:?}");
    assert_eq!(stage.reached.hostile.load(Ordering::SeqCst), 0, "nothing hostile reached the upstream: {seen:?}");
    seen
}

fn client(stage: &Stage, issuer: &Issuer, number: u64, seen: &Mutex<Seen>, stop: &AtomicBool) {
    let mut random = Random::new(number);
    let foreign = Issuer::new(Algorithm::Es256, "foreign");
    let address = stage.envoy.listener("gate");
    let all: Vec<Hostile> = each_kind(issuer, &foreign, &mut random);
    let token = issuer.token(now()).sign();
    while !stop.load(Ordering::SeqCst) {
        let status = try_send(address, &good(&token)).map_or(0, |answer| answer.status);
        *seen.lock().unwrap().good.entry(status).or_default() += 1;
        for _ in 0..4 {
            let hostile = if random.chance(4) { flipped(&token, &mut random) } else { random.of(&all) };
            let status = try_send(address, &hostile.bytes).map_or(0, |answer| answer.status);
            let mut seen = seen.lock().unwrap();
            *seen.hostile.entry(status).or_default() += 1;
            if status != 0 && status < 400 {
                seen.wrong.push(hostile.what);
            }
        }
    }
}
