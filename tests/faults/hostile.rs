//! A flood of hostile requests while everything around the gate fails in turn: none passes, counted.

use crate::crowd::Stops;
use crate::forgers::{self, each_kind_of_forger, events};
use crate::senders::{asking, bound, each_kind_of_thief, good_once, proven, status_list};
use crate::stage::{Stage, list, published};
use crate::strangers::{
    WITHDRAWN, add_to, all_are_active, each_kind_of_stranger, good_of_each_kind, opaque, plugin, ways_of_introspection,
};
use crate::support::client::{KeptClient, get_with, send};
use crate::support::issuer::{Issuer, now};
use crate::support::outage::{Conduct, ways};
use crate::support::prover::Prover;
use crate::support::random::{Random, from_environment};
use crate::support::wait::eventually;
use crate::traffic::{Hostile, each_kind, flipped, good, hostile};
use scopegate::crypto::Algorithm;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

/// Threads that send, each over its own connection and one request after the other: of requests that it answers itself
/// Envoy answers no more than two that come at once, `direct_response` and `rbac` alike. And hostile requests between two
/// good ones.
const CLIENTS: u64 = 6;
const ROUND: u64 = 25;

/// What is sent for a time.
struct Sent {
    /// A good token.
    token: String,
    /// A client, and a good token that is bound to its key.
    client: Prover,
    bound: String,
    /// Good requests with other credentials.
    others: Vec<Vec<u8>>,
    /// Requests that must not pass.
    hostile: Vec<Hostile>,
}

/// How many were answered with which status.
type Statuses = BTreeMap<u16, u64>;

#[derive(Debug, Default)]
struct Counts {
    hostile: BTreeMap<&'static str, Statuses>,
    good: Statuses,
    wrong: Vec<&'static str>,
}

impl Counts {
    fn add(&mut self, other: Self) {
        for (what, statuses) in other.hostile {
            let of_kind = self.hostile.entry(what).or_default();
            statuses.into_iter().for_each(|(status, count)| *of_kind.entry(status).or_default() += count);
        }
        other.good.into_iter().for_each(|(status, count)| *self.good.entry(status).or_default() += count);
        self.wrong.extend(other.wrong);
    }

    fn by_status(&self) -> Statuses {
        let mut all = Statuses::new();
        for (status, count) in self.hostile.values().flatten() {
            *all.entry(*status).or_default() += count;
        }
        all
    }
}

/// Waits until each of these requests passes.
fn all_pass(address: SocketAddr, requests: &[Vec<u8>]) {
    for request in requests {
        eventually(&String::from_utf8_lossy(request), || send(address, request).status == 200);
    }
}

/// Sends hostile requests, a good one after each round of them.
fn client(address: SocketAddr, current: &RwLock<Arc<Sent>>, sent: &AtomicU64, stop: &AtomicBool, seed: u64) -> Counts {
    let (mut random, mut counts) = (Random::new(seed), Counts::default());
    let mut connection = KeptClient::new(address);
    while !stop.load(Ordering::Relaxed) {
        let now_sent = Arc::clone(&current.read().unwrap());
        let Sent { token, client, bound, others, hostile: all } = &*now_sent;
        for _ in 0..ROUND {
            // Of those made up now, few are opaque: a request waits for what its issuer says.
            let new = match random.below(90) {
                0 => Some(opaque(&mut random)),
                1..30 => Some(flipped(token, &mut random)),
                _ => None,
            };
            let request = new.as_ref().unwrap_or_else(|| &all[random.below(all.len())]);
            let status = connection.send(&request.bytes).status;
            *counts.hostile.entry(request.what).or_default().entry(status).or_default() += 1;
            if status < 400 {
                counts.wrong.push(request.what);
            }
        }
        let request = match random.below(4) {
            0 => good(token),
            1 => proven(client, bound),
            2 => forgers::good(&mut random),
            _ => random.of(others),
        };
        *counts.good.entry(connection.send(&request).status).or_default() += 1;
        sent.fetch_add(ROUND, Ordering::Relaxed);
    }
    counts
}

const STOLEN: &str = "stolen";

/// The list while its server works.
fn stolen_and_another() -> String {
    list(&[STOLEN.to_owned(), "another".to_owned()])
}

/// Every way in which the server of the list fails.
fn ways_of_lists() -> Vec<(&'static str, Conduct)> {
    let good = stolen_and_another();
    let (head, _) = good.split_once('\n').unwrap();
    let mut all = ways(good.as_bytes());
    all.push(("lines too few", Conduct::answer("200 OK", "", format!("{head}\n").as_bytes())));
    all
}

/// A stage that knows every kind of credential.
fn start(keys: &[&Issuer], partner: &Issuer) -> Stage {
    let (mut more, mut plugin) = (asking(), plugin());
    add_to(&mut more, partner);
    forgers::add_to(&mut more);
    events::add_to(&mut more);
    forgers::add_to_plugin(&mut plugin);
    Stage::start_asking(keys, 2, plugin, "500ms", more)
}

#[test]
fn of_all_hostile_requests_none_passes_while_issuer_lists_and_configuration_fail_in_every_way() {
    let wanted = from_environment("SCOPEGATE_REQUESTS", 20_000);
    let seed = Random::seed(7);
    let [issuer, foreign, withdrawn, partner] =
        ["a", "foreign", "withdrawn", "partner"].map(|kid| Issuer::new(Algorithm::Es256, kid));
    let stage = start(&[&issuer, &withdrawn], &partner);
    stage.introspection.now(all_are_active());
    let address = stage.envoy.listener("gate");
    // Good for longer than they are sent: what keeps them out is that they are revoked, and that their key is gone.
    let stolen = || issuer.token(now()).claim("jti", STOLEN).claim("exp", now() + 3000).sign();
    let of_withdrawn = || withdrawn.token(now()).claim("exp", now() + 3000).sign();
    let taken_back = [stolen(), of_withdrawn(), WITHDRAWN.to_owned()];
    // Each over separate connections, so both workers remember them as good.
    let all_answer = |statuses: &dyn Fn(u16) -> bool| {
        (0..18).all(|turn| statuses(get_with(address, "/orders/1", &taken_back[turn % 3]).status))
    };
    eventually("keys, and tokens that are good still", || all_answer(&|status| status == 200));
    let (good_keys, good_list) =
        (published(&[&issuer]), Conduct::answer("200 OK", "", stolen_and_another().as_bytes()));
    stage.issuer.now(good_keys.clone());
    stage.lists.now(good_list.clone());
    let of_introspection = ways_of_introspection();
    stage.introspection.now(of_introspection.last().unwrap().clone());
    eventually("what was taken back is refused", || all_answer(&|status| status == 401));

    let good_statuses = Conduct::answer("200 OK", "", status_list(&issuer).as_bytes());
    let prepared = |random: &mut Random| {
        let mut all: Vec<Hostile> = (0..4).flat_map(|_| each_kind(&issuer, &foreign, random)).collect();
        all.extend((0..2).flat_map(|_| each_kind_of_thief(&issuer, random)));
        all.extend(each_kind_of_stranger(&issuer, &partner, random));
        all.extend(each_kind_of_forger(random));
        // All good tokens are of this user: were an event taken, none would pass any more.
        all.extend(events::each_kind(&issuer, "alice", "session", random));
        let others = good_of_each_kind(&issuer, &partner);
        all_pass(address, &[&others[..], &forgers::good_of_each_kind()].concat());
        let client = Prover::new(Algorithm::Es256);
        for (first, again) in good_once(&issuer, &client).into_iter().chain(forgers::good_once()) {
            eventually(again.what, || send(address, &first).status == 200);
            all.push(again);
        }
        // Both the ones that were remembered as good, and new ones.
        let new = [stolen(), of_withdrawn()];
        for [revoked, of_key] in [[&taken_back[0], &taken_back[1]], new.each_ref()] {
            all.extend([hostile("revoked", revoked), hostile("of a key that was withdrawn", of_key)]);
        }
        let (token, bound) = (issuer.token(now()).sign(), bound(&issuer, &client));
        Arc::new(Sent { token, client, bound, others, hostile: all })
    };
    // A proof of the second in which the store began could have been used before it.
    std::thread::sleep(Duration::from_secs(2));
    let mut random = Random::new(seed);
    let current = RwLock::new(prepared(&mut random));
    let (sent, stop, total) = (AtomicU64::new(0), AtomicBool::new(false), Mutex::new(Counts::default()));
    let (mut turn, mut misconfigured) = (0, 0);
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (current, sent, stop, total) = (&current, &sent, &stop, &total);
            scope.spawn(move || {
                let counts = client(address, current, sent, stop, seed.wrapping_add(number));
                total.lock().unwrap().add(counts);
            });
        }
        let keys = issuer.jwks().to_string();
        let (of_keys, of_lists) = (ways(keys.as_bytes()), ways_of_lists());
        let of_statuses = ways(status_list(&issuer).as_bytes());
        let _stopping = Stops(&stop);
        while sent.load(Ordering::Relaxed) < wanted || turn < of_keys.len().max(of_lists.len()) {
            let asked = [stage.asked(&stage.issuer, "issuer"), stage.asked(&stage.lists, "lists")];
            // In step they would fail alike for ever: their numbers have no common divisor.
            let (what, conduct) = of_keys[turn % of_keys.len()].clone();
            stage.issuer.now(conduct);
            let (of_list, conduct) = of_lists[turn % of_lists.len()].clone();
            stage.lists.now(conduct);
            stage.statuses.now(of_statuses[turn / 2 % of_statuses.len()].1.clone());
            stage.introspection.now(of_introspection[turn % of_introspection.len()].clone());
            match turn % 4 {
                0 => stage.configure(turn as u64),
                2 => {
                    stage.misconfigure(turn as u64);
                    misconfigured += 1;
                }
                _ => {}
            }
            eventually(what, || stage.asked(&stage.issuer, "issuer") > asked[0]);
            eventually(of_list, || stage.asked(&stage.lists, "lists") > asked[1]);
            // Until what was fetched has been read, or the time for it is over.
            std::thread::sleep(Duration::from_millis(600));
            if turn % 3 == 2 {
                let asked = [stage.asked(&stage.issuer, "issuer"), stage.asked(&stage.lists, "lists")];
                stage.issuer.now(good_keys.clone());
                stage.lists.now(good_list.clone());
                stage.statuses.now(good_statuses.clone());
                eventually("keys again", || stage.asked(&stage.issuer, "issuer") > asked[0]);
                eventually("lists again", || stage.asked(&stage.lists, "lists") > asked[1]);
                std::thread::sleep(Duration::from_millis(500));
            }
            // After keys and lists are good again, so that what is good once can be used.
            if turn % 42 == 41 {
                *current.write().unwrap() = prepared(&mut random);
            }
            turn += 1;
        }
    });
    let sent = current.into_inner().unwrap();
    let kinds: BTreeSet<&str> = sent.hostile.iter().map(|request| request.what).collect();
    println!("the issuer and the list server failed {turn} times each; {} introspections", stage.introspection.count());
    let counts = total.into_inner().unwrap();
    assert!(counts.wrong.is_empty(), "SCOPEGATE_SEED={seed}: {:?}", counts.wrong);
    assert_eq!(counts.hostile.len(), kinds.len(), "every kind was sent: {:?}", counts.hostile);
    judge(&stage, &counts, wanted, misconfigured);
}

/// Why signed requests were refused: each of these has happened.
const REFUSALS: [&str; 7] = [
    "malformed_signature",
    "signature_incomplete",
    "stale",
    "bad_signature",
    "digest_mismatch",
    "body_unsigned",
    "replayed",
];

/// What has to be true at the end.
fn judge(stage: &Stage, counts: &Counts, wanted: u64, misconfigured: u64) {
    let all: u64 = counts.by_status().values().sum();
    println!("{all} hostile requests, by status: {:?}; {} passed", counts.by_status(), counts.wrong.len());
    println!("good requests among them, by status: {:?}", counts.good);
    let (taken, refused) = stage.configured();
    println!("configurations taken: {taken}, refused: {refused}");
    let refusals = REFUSALS.map(|reason| (reason, stage.envoy.counter(&format!("scopegate.denied.{reason}"))));
    println!("refused as {refusals:?}");
    assert!(refusals.iter().all(|(_, count)| *count > 0), "{refusals:?}");
    let good = &counts.good;
    assert_eq!(stage.reached.hostile.load(Ordering::SeqCst), 0, "nothing hostile reached the upstream");
    assert!(all >= wanted, "{all}");
    assert!(good.get(&200).is_some_and(|count| *count * 2 > good.values().sum()), "good ones go on: {good:?}");
    assert!(taken > 4 && refused == misconfigured, "{taken} taken, {refused} refused of {misconfigured}");
    assert!(!stage.envoy.log().contains("panicked"));
}
