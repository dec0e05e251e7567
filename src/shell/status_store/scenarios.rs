//! Workers of one process, and what becomes of the status lists that their tokens name.

mod in_use;

use super::*;
use crate::base::base64url;
use crate::base::time::Seconds;
use crate::crypto::{AlgorithmSet, test_key};
use crate::jose::KeySet;
use crate::policy::{ImpliedScopes, KeySource, ListCluster, SenderConstraint, TokenTypes, WhenStale};
use crate::shell::feed::local_data::LocalData;
use crate::shell::feed::{FailureKind, Fetched};
use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde_json::json;
use std::io::Write as _;
use std::rc::Rc;

const START: u64 = 1_800_000_000_000;
const IDP: IssuerId = IssuerId(0);

/// Requests, by worker.
type Requests = Vec<(usize, Fetch)>;

struct Process {
    data: LocalData,
    workers: Vec<StatusStore>,
    keys: KeyRing,
    now: u64,
    /// What lists say of themselves beside their statuses.
    ttl: Option<u64>,
    exp: Option<u64>,
}

fn uri(list: u32) -> String {
    format!("https://a.example/lists/{list}")
}

fn issuer(change: impl FnOnce(&mut StatusListPolicy)) -> Issuer {
    let clusters = vec![ListCluster { uri_prefix: "https://a.example/lists/".into(), cluster: "lists".into() }];
    let terms = StatusTerms {
        issuer: "https://a.example".into(),
        uri: String::new(),
        max_bytes: 1 << 20,
        algorithms: AlgorithmSet::default_for_issuer(),
        keys: None,
    };
    let mut policy = StatusListPolicy {
        clusters,
        refresh: Seconds(300),
        timeout_ms: 2000,
        max_stale: Seconds(600),
        when_stale: WhenStale::Deny,
        max_lists: 3,
        terms,
    };
    change(&mut policy);
    Issuer {
        issuer: "https://a.example".into(),
        name: "a".into(),
        audiences: vec![],
        audience_claims: vec![],
        keys: KeySource::Configured(Rc::default()),
        algorithms: AlgorithmSet::default_for_issuer(),
        token_types: TokenTypes::default(),
        id_tokens: false,
        leeway: Seconds(0),
        max_lifetime: None,
        required_claims: vec![],
        scope_claims: vec![],
        implies: ImpliedScopes::default(),
        sender_constraint: SenderConstraint::IF_BOUND,
        status_list: Some(policy),
        token_header: None,
        websocket_protocol: false,
        introspection: None,
    }
}

impl Process {
    fn new(workers: usize) -> Self {
        Self::of(workers, |_| {})
    }

    fn of(workers: usize, change: impl FnOnce(&mut StatusListPolicy)) -> Self {
        let issuers = [issuer(change)];
        let store = |me: usize| StatusStore::new(&issuers, true, u64::try_from(me).expect("a number") + 1);
        let mut keys = KeyRing::default();
        keys.set(IDP, KeySet::parse(test_key::jwks().as_bytes(), 10_000, 10).ok().map(Rc::new));
        let workers = (0..workers).map(store).collect();
        Self { data: LocalData::default(), workers, keys, now: START, ttl: None, exp: None }
    }

    fn outside(&self) -> Outside<'_> {
        Outside { shared: &self.data, now: self.now, random: self.now }
    }

    /// The document at an address: 256 tokens of 8 bits, all of this status.
    fn document(&self, list: u32, status: u8) -> Chunks {
        self.of_bytes(list, &[status; 256])
    }

    fn of_bytes(&self, list: u32, bytes: &[u8]) -> Chunks {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).expect("in memory");
        let deflated = base64url::encode(&encoder.finish().expect("in memory"));
        let mut claims = json!({"sub": uri(list), "iat": self.now / 1000, "status_list": {"bits": 8, "lst": deflated}});
        for (name, value) in [("ttl", self.ttl), ("exp", self.exp.map(|left| self.now / 1000 + left))] {
            if let Some(value) = value {
                claims[name] = value.into();
            }
        }
        let header = json!({"alg": "EdDSA", "typ": "statuslist+jwt"});
        let [header, claims] = [header, claims].map(|part| base64url::encode(part.to_string().as_bytes()));
        let input = format!("{header}.{claims}");
        let token = format!("{input}.{}", base64url::encode(&test_key::sign(input.as_bytes())));
        Chunks::from(token.as_bytes())
    }

    /// A token of a worker names a list.
    fn ask(&mut self, worker: usize, list: u32) -> Events {
        let outside = Outside { shared: &self.data, now: self.now, random: self.now };
        self.workers[worker].look_for(IDP, &uri(list), &outside, &self.keys)
    }

    /// Lets time pass, in milliseconds, and each worker look and begin. Returns the requests, by worker, with their paths.
    fn tick(&mut self, milliseconds: u64) -> (Requests, Vec<(usize, StatusEvent)>) {
        self.now += milliseconds;
        let outside = Outside { shared: &self.data, now: self.now, random: self.now };
        let (mut requests, mut events) = (Vec::new(), Vec::new());
        for (index, worker) in self.workers.iter_mut().enumerate() {
            events.extend(worker.look(&outside, &self.keys).into_iter().map(|(_, event)| (index, event)));
            for fetch in worker.begin(&outside) {
                worker.sent(&outside, id_of(&fetch), 7);
                requests.push((index, fetch));
            }
        }
        (requests, events)
    }

    fn answer(&mut self, (worker, fetch): &(usize, Fetch), answer: Answer, document: Chunks) -> Events {
        let outside = Outside { shared: &self.data, now: self.now, random: self.now };
        assert!(self.workers[*worker].awaits(id_of(fetch), 7));
        self.workers[*worker].answered(&outside, id_of(fetch), answer, document, &self.keys)
    }

    /// Answers with a list of this status.
    fn serve(&mut self, request: &(usize, Fetch), status: u8) {
        let list = request.1.endpoint.path.rsplit('/').next().and_then(|list| list.parse().ok()).expect("a list");
        let document = self.document(list, status);
        self.answer(request, Answer::Document(Fetched::default()), document);
    }

    /// Lets some ticks of 10 ms pass, with every request answered. Returns how many there were.
    fn settle(&mut self, status: u8) -> usize {
        let mut asked = 0;
        for _ in 0..20 {
            for request in self.tick(10).0 {
                asked += 1;
                self.serve(&request, status);
            }
        }
        asked
    }

    /// What the engine of each worker sees: a status, and whether it is fresh.
    fn seen(&self, list: u32) -> Vec<Option<(Option<u8>, bool)>> {
        let see = |worker: &StatusStore| {
            let place = worker.lists.places().iter().find(|place| place.uri == uri(list))?;
            Some((place.list.as_ref().and_then(|list| list.get(5)), !place.is_stale))
        };
        self.workers.iter().map(see).collect()
    }
}

fn id_of(fetch: &Fetch) -> StatusId {
    match fetch.document {
        DocumentId::Status(id) => id,
        other => panic!("a request for {other:?}"),
    }
}

#[test]
fn nothing_is_fetched_before_a_token_names_it() {
    let mut process = Process::new(2);
    assert!((0..100).all(|_| process.tick(10_000).0.is_empty()));
}

#[test]
fn one_worker_fetches_and_all_that_need_the_list_have_it() {
    let mut process = Process::new(4);
    (0..4).for_each(|worker| drop(process.ask(worker, 1)));
    let (requests, _) = process.tick(5);
    assert_eq!(requests.len(), 1, "{requests:?}");
    let fetch = &requests[0].1;
    assert_eq!((fetch.accept, fetch.endpoint.uri.as_str()), ("application/statuslist+jwt", uri(1).as_str()));
    assert_eq!((fetch.endpoint.cluster.as_str(), fetch.timeout_ms, fetch.max_bytes), ("lists", 2000, 1 << 20));
    process.serve(&requests[0], 1);
    assert_eq!(process.settle(0), 0, "and no other worker asks");
    assert_eq!(process.seen(1), [Some((Some(1), true)); 4]);
}

#[test]
fn a_worker_whose_first_token_comes_later_has_the_list_at_once() {
    let mut process = Process::new(2);
    process.ask(0, 1);
    assert_eq!(process.settle(2), 1);
    assert_eq!(process.seen(1)[1], None);
    let events = process.ask(1, 1);
    assert_eq!(events, [(uri(1), StatusEvent::Document(Event::PickedUp))]);
    assert_eq!(process.seen(1), [Some((Some(2), true)); 2]);
}

#[test]
fn a_list_is_fetched_again_and_its_new_statuses_hold_in_all_workers() {
    let mut process = Process::new(3);
    (0..3).for_each(|worker| drop(process.ask(worker, 1)));
    process.settle(0);
    assert_eq!(process.seen(1), [Some((Some(0), true)); 3]);
    process.now += 300_000;
    assert_eq!(process.settle(1), 1);
    assert_eq!(process.seen(1), [Some((Some(1), true)); 3]);
}

#[test]
fn ttl_brings_the_next_fetch_forward_whatever_the_server_says() {
    let mut process = Process::new(1);
    process.ttl = Some(60);
    process.ask(0, 1);
    let (requests, _) = process.tick(5);
    let head = Fetched { max_age_ms: Some(200_000), ..Fetched::default() };
    let document = process.document(1, 0);
    process.answer(&requests[0], Answer::Document(head), document);
    process.settle(0);
    process.now += 50_000;
    assert_eq!(process.settle(0), 0);
    process.now += 10_000;
    assert_eq!(process.settle(1), 1);
    assert_eq!(process.seen(1), [Some((Some(1), true))]);
    // A `ttl` that is longer than the server's `max-age` counts as well.
    let mut process = Process::new(1);
    process.ttl = Some(200);
    process.ask(0, 1);
    let (requests, _) = process.tick(5);
    let head = Fetched { max_age_ms: Some(20_000), ..Fetched::default() };
    let document = process.document(1, 0);
    process.answer(&requests[0], Answer::Document(head), document);
    process.now += 100_000;
    assert_eq!(process.settle(0), 0);
}

#[test]
fn a_list_that_has_expired_is_stale_however_long_an_old_one_may_be_used() {
    let mut process = Process::new(2);
    process.exp = Some(100);
    (0..2).for_each(|worker| drop(process.ask(worker, 1)));
    process.settle(0);
    let mut fetches = 0;
    for _ in 0..300 {
        for request in process.tick(1000).0 {
            fetches += 1;
            process.answer(&request, FailureKind::Status.because("answered 500, not 200").into(), Chunks::default());
        }
        let is_over = process.now >= START + 161_000;
        if !(START + 159_000..START + 162_000).contains(&process.now) {
            assert_eq!(process.seen(1), [Some((Some(0), !is_over)); 2], "{}", process.now - START);
        }
    }
    assert!((4..20).contains(&fetches), "it is asked for before it is over, and with patience: {fetches}");
    assert_eq!(process.settle(0), 0);
    process.now += 60_000;
    assert_eq!(process.settle(1), 1);
    assert_eq!(process.seen(1), [Some((Some(1), true)); 2]);
}

#[test]
fn an_outage_leaves_the_list_until_it_is_too_old() {
    let mut process = Process::new(1);
    process.ask(0, 1);
    process.settle(0);
    let mut told = 0;
    for _ in 0..1000 {
        let (requests, events) = process.tick(1000);
        told += events.iter().filter(|(_, event)| matches!(event, StatusEvent::Document(Event::TooOld(_)))).count();
        for request in requests {
            process.answer(&request, FailureKind::Unreachable.because("gone").into(), Chunks::default());
        }
        // A token names it all the while.
        process.workers[0].lists.find(IDP, &uri(1)).expect("a place");
        assert_eq!(process.seen(1), [Some((Some(0), process.now < START + 900_000))], "{}", process.now - START);
    }
    assert_eq!(told, 1);
    assert_eq!(process.workers[0].count(), (1, 1));
}

#[test]
fn what_is_no_list_is_an_outage() {
    let mut process = Process::new(1);
    process.ask(0, 1);
    let other = process.document(2, 0);
    let bomb = process.of_bytes(1, &vec![0; (1 << 20) + 1]);
    assert!(bomb.len() < 5000);
    for document in [Chunks::from(&b"<html>"[..]), other, bomb] {
        process.now += 60_000;
        let (requests, _) = process.tick(0);
        let mut events: Vec<StatusEvent> = process
            .answer(&requests[0], Answer::Document(Fetched::default()), document)
            .into_iter()
            .map(|(_, event)| event)
            .collect();
        (0..10).for_each(|_| events.extend(process.tick(10).1.into_iter().map(|(_, event)| event)));
        assert!(matches!(events[..], [StatusEvent::Document(Event::Failed(..))]), "{events:?}");
        assert_eq!(process.seen(1), [Some((None, false))]);
    }
}

#[test]
fn a_long_list_is_read_in_steps_in_each_worker() {
    let mut process = Process::new(2);
    (0..2).for_each(|worker| drop(process.ask(worker, 1)));
    let (requests, _) = process.tick(5);
    let document = process.of_bytes(1, &vec![0; 1 << 20]);
    process.answer(&requests[0], Answer::Document(Fetched::default()), document);
    assert!(process.workers.iter().any(StatusStore::is_busy));
    let mut ticks = 0;
    while process.seen(1) != [Some((Some(0), true)); 2] {
        assert!(process.tick(10).0.is_empty());
        ticks += 1;
        assert!(ticks < 40);
    }
    assert!(ticks >= 8, "{ticks}");
}

#[test]
fn waiting_has_a_deadline_while_the_list_comes() {
    let mut process = Process::new(2);
    let wait = |process: &Process, worker: usize| {
        let outside = process.outside();
        let deadline = process.workers[worker].wait_deadline(IDP, &uri(1), &outside);
        (deadline, process.workers[worker].ended(IDP, &uri(1), START, START + 2000, &outside))
    };
    assert_eq!(wait(&process, 0), (None, Some(Awaited::InVain)), "it was not asked for");
    (0..2).for_each(|worker| drop(process.ask(worker, 1)));
    assert_eq!(wait(&process, 0), (Some(START + 2000), None));
    let (requests, _) = process.tick(5);
    assert_eq!((wait(&process, 0).1, wait(&process, 1).1), (None, None), "one fetches, and the other one sees that");
    process.serve(&requests[0], 0);
    process.settle(0);
    assert_eq!((wait(&process, 0).1, wait(&process, 1).1), (Some(Awaited::Yes), Some(Awaited::Yes)));
    let mut process = Process::new(1);
    process.ask(0, 1);
    process.tick(5);
    process.now = START + 2000;
    assert_eq!(wait(&process, 0).1, Some(Awaited::InVain), "and no request waits beyond the deadline");
}

#[test]
fn the_number_of_lists_is_bounded_and_those_in_use_stay() {
    let mut process = Process::new(1);
    (1..=3).for_each(|list| drop(process.ask(0, list)));
    assert_eq!(process.settle(0), 3);
    assert_eq!(process.ask(0, 4), [(uri(4), StatusEvent::NoRoom)]);
    assert_eq!(process.ask(0, 5), [], "this is said once");
    assert_eq!((process.seen(4), process.settle(0)), (vec![None], 0));
    let outside = process.outside();
    assert_eq!(process.workers[0].wait_deadline(IDP, &uri(4), &outside), None, "there is no point in waiting");
    // The one that no token has named for a minute makes room.
    process.now += 61_000;
    for list in [1, 3] {
        process.workers[0].lists.find(IDP, &uri(list)).expect("a place");
    }
    assert_eq!(process.ask(0, 4), []);
    assert_eq!(process.settle(1), 1);
    assert_eq!(process.seen(2), [None]);
    assert_eq!(process.seen(4), [Some((Some(1), true))]);
    assert_eq!(process.workers[0].count(), (3, 0));
}

#[test]
fn a_list_that_no_token_names_is_dropped_and_comes_back_when_one_does() {
    let mut process = Process::new(2);
    (0..2).for_each(|worker| drop(process.ask(worker, 1)));
    process.settle(0);
    for _ in 0..15 {
        process.now += 60_000;
        process.settle(0);
        process.workers[0].lists.find(IDP, &uri(1)).expect("a place");
    }
    assert_eq!(process.seen(1), [Some((Some(0), true)), None], "the second worker had no token");
    process.now += 600_000;
    process.settle(0);
    assert_eq!(process.seen(1)[0], Some((Some(0), true)), "what one drops is not taken from the other");
    process.now += 900_000;
    assert_eq!(process.settle(0), 0, "what is not needed is not fetched");
    assert_eq!(process.seen(1), [None, None]);
    process.ask(1, 1);
    assert_eq!(process.settle(1), 1);
    assert_eq!(process.seen(1), [None, Some((Some(1), true))]);
}

#[test]
fn an_answer_to_a_list_that_was_dropped_is_ignored() {
    let mut process = Process::new(1);
    (1..=3).for_each(|list| drop(process.ask(0, list)));
    let (requests, _) = process.tick(5);
    process.now += 61_000;
    process.ask(0, 4);
    let gone = requests.iter().find(|(_, fetch)| process.seen(number(fetch)) == [None]).expect("one was dropped");
    assert!(!process.workers[0].awaits(id_of(&gone.1), 7));
    let document = process.document(4, 1);
    let outside = Outside { shared: &process.data, now: process.now, random: 0 };
    let answer = Answer::Document(Fetched::default());
    assert_eq!(process.workers[0].answered(&outside, id_of(&gone.1), answer, document, &process.keys), []);
    assert_eq!(process.seen(4), [Some((None, false))]);
}

fn number(fetch: &Fetch) -> u32 {
    fetch.endpoint.path.rsplit('/').next().and_then(|list| list.parse().ok()).expect("a list")
}

#[test]
fn what_lies_on_the_board_is_checked_as_what_comes_from_the_server() {
    let mut process = Process::new(2);
    process.ask(0, 1);
    process.settle(0);
    let piece = process.workers[0].held[0].feed.piece_name(1);
    let (mut bytes, _) = process.data.read(&piece).expect("a piece");
    let at = bytes.len() - 12;
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    process.data.write(&piece, &bytes, None);
    let events = process.ask(1, 1);
    assert!(matches!(&events[..], [(_, StatusEvent::Document(Event::Foreign(_)))]), "{events:?}");
    assert_eq!(process.seen(1)[1], Some((None, false)));
    assert_eq!(process.settle(0), 1, "and it is mended by one fetch");
    assert_eq!(process.seen(1), [Some((Some(0), true)); 2]);
}

#[test]
fn an_address_that_no_prefix_fits_is_never_fetched() {
    let mut process = Process::new(1);
    for uri in ["https://b.example/lists/1", "https://a.example/lists/../1", "https://a.example/lists/%2e%2e/1"] {
        let outside = Outside { shared: &process.data, now: process.now, random: 0 };
        process.workers[0].look_for(IDP, uri, &outside, &process.keys);
        process.workers[0].look_for(IssuerId(7), uri, &outside, &process.keys);
    }
    assert_eq!((process.settle(0), process.workers[0].count()), (0, (0, 0)));
}
