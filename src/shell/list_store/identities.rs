//! Workers of one process, and the identities of sets that they fetch.

use super::scenarios::{START, document};
use super::*;
use crate::base::base64url;
use crate::base::time::Seconds;
use crate::crypto::{sha256, test_key};
use crate::jose::KeySet;
use crate::policy::{ApiKeys, Endpoint, HolderKind, IdentityTerms, SetId, SetKind, WhenStale};
use crate::shell::feed::local_data::LocalData;
use crate::shell::feed::{Change, FailureKind};
use serde_json::json;

const PARTNERS: SetId = SetId(1);
const MESH: SetId = SetId(2);

struct Process {
    shared: LocalData,
    workers: Vec<ListStore>,
    now: u64,
    chance: u64,
}

/// A set whose identities are fetched, in the order in which the documents are those of a store.
fn set(id: SetId, name: &str, signed_by: Option<Rc<KeySet>>) -> CredentialSet {
    let terms = IdentityTerms {
        set: id,
        name: name.into(),
        kind: HolderKind::Keys,
        scopes: [].into(),
        max_bytes: 1 << 20,
        signed_by,
        configured: [].into(),
        others: Vec::new(),
    };
    let endpoint = Endpoint::parse("https://ids.example.com/", "ids").expect("an address");
    let (refresh, max_stale, when_stale) = (Seconds(10), Seconds(60), WhenStale::Deny);
    let remote = RemoteList { endpoint, refresh, timeout_ms: 2000, max_stale, when_stale, terms };
    let set = CredentialSet::new(name, Vec::new(), SetKind::ApiKeys(ApiKeys::new(Vec::new(), &[])));
    CredentialSet { remote: Some(Box::new(remote)), ..set }
}

fn own() -> CredentialSet {
    CredentialSet::new("own", Vec::new(), SetKind::ApiKeys(ApiKeys::new(Vec::new(), &[])))
}

fn identities(keys: &[&str]) -> serde_json::Value {
    let hex = |key: &str| sha256(key.as_bytes()).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    keys.iter().map(|key| json!({ "id": key, "secrets": [{ "sha256": hex(key) }] })).collect()
}

/// A document with these keys, each of an identity of its name.
fn with(keys: &[&str]) -> Chunks {
    Chunks::from(json!({ "identities": identities(keys) }).to_string().as_bytes())
}

fn unreachable() -> Answer {
    FailureKind::Status.because("answered 500, not 200").into()
}

impl Process {
    fn new(workers: usize, sets: &[CredentialSet]) -> Self {
        let store = |me: usize| {
            let me = u64::try_from(me).expect("a number") + 1;
            ListStore::new(&RevocationSettings::default(), sets, UnixSeconds(0), true, me)
        };
        let workers = (0..workers).map(store).collect();
        let process = Self { shared: LocalData::default(), workers, now: START, chance: 0 };
        process.workers.iter().for_each(|worker| worker.seed(&process.shared));
        process
    }

    fn outside(&self) -> Outside<'_> {
        Outside { shared: &self.shared, now: self.now, random: self.chance }
    }

    /// Lets some time pass, in milliseconds, and every worker look and begin. Returns who asks for which list, and what
    /// has happened.
    fn tick(&mut self, milliseconds: u64) -> (Vec<(usize, ListId)>, Events) {
        self.now += milliseconds;
        let (mut requests, mut events) = (Vec::new(), Vec::new());
        for (index, worker) in self.workers.iter_mut().enumerate() {
            self.chance += 1;
            let outside = Outside { shared: &self.shared, now: self.now, random: self.chance };
            events.extend(worker.look(&outside));
            for Fetch { document, .. } in worker.begin(&outside) {
                let DocumentId::List(list) = document else { panic!("a request for {document:?}") };
                worker.sent(&outside, list, 7);
                requests.push((index, list));
            }
        }
        (requests, events)
    }

    fn answer(&mut self, (worker, list): (usize, ListId), answer: Answer, body: Chunks) -> Vec<Event<ListSize>> {
        self.chance += 1;
        let outside = Outside { shared: &self.shared, now: self.now, random: self.chance };
        self.workers[worker].answered(&outside, list, answer, body).into_iter().map(|(_, event)| event).collect()
    }

    /// Lets the worker that begins fetch these documents, by list, and all read them. Returns what has happened.
    fn fetch(&mut self, documents: &[Chunks]) -> Events {
        let (requests, mut events) = self.tick(11_000);
        assert_eq!(requests.len(), documents.len(), "one request for each document: {requests:?}");
        for request in requests {
            let list = request.1;
            let answered = self.answer(request, document(""), documents[list.0].clone());
            events.extend(answered.into_iter().map(|event| (list, event)));
        }
        for _ in 0..20 {
            events.extend(self.tick(10).1);
        }
        events
    }

    /// The ids of the identities that each worker knows of a set; `None` where it may use none.
    fn known(&self, set: SetId) -> Vec<Option<String>> {
        let ids = |set: &CredentialSet| set.identities.iter().map(|one| one.id.as_str()).collect::<Vec<_>>().join(" ");
        self.workers.iter().map(|worker| worker.identities().get(set).map(ids)).collect()
    }
}

fn some(ids: &str, workers: usize) -> Vec<Option<String>> {
    vec![Some(ids.to_owned()); workers]
}

#[test]
fn one_worker_fetches_and_all_know_who_has_a_key() {
    let mut process = Process::new(3, &[own(), set(PARTNERS, "partners", None)]);
    assert_eq!(process.known(PARTNERS), [None, None, None]);
    assert!(process.workers.iter().all(|worker| !worker.is_complete()));
    let events = process.fetch(&[with(&["a"])]);
    assert_eq!(process.known(PARTNERS), some("a", 3), "{events:?}");
    assert!(process.workers.iter().all(ListStore::is_complete));
    let updated = |event: &Event<ListSize>| matches!(event, Event::Updated(ListSize { entries: 1, .. }));
    assert_eq!(events.iter().filter(|(_, event)| updated(event)).count(), 1, "{events:?}");
    process.fetch(&[with(&["a", "b"])]);
    assert_eq!(process.known(PARTNERS), some("a b", 3), "another is issued");
    process.fetch(&[with(&["b"])]);
    assert_eq!(process.known(PARTNERS), some("b", 3), "one is withdrawn");
    let events = process.fetch(&[with(&["b"])]);
    assert_eq!(events, [(ListId(0), Event::Unchanged)]);
    process.fetch(&[with(&[])]);
    assert_eq!(process.known(PARTNERS), some("", 3), "all are");
}

#[test]
fn an_outage_or_a_bad_document_leaves_the_last_good_one_until_it_is_too_old() {
    let mut process = Process::new(2, &[set(PARTNERS, "partners", None)]);
    process.fetch(&[with(&["a"])]);
    let mut told = Vec::new();
    for second in 0..80 {
        let (requests, events) = process.tick(1000);
        told.extend(events.into_iter().filter(|(_, event)| matches!(event, Event::TooOld(_))));
        for request in requests {
            let events = match second % 3 {
                0 => process.answer(request, unreachable(), Chunks::default()),
                1 => process.answer(request, document(""), Chunks::from(&b"{\"identities\":[{\"id\":\"b\"}]}"[..])),
                _ => process.answer(request, document(""), Chunks::from(&b"<html>"[..])),
            };
            // An identity that cannot be read is found a step later.
            assert!(matches!(events[..], [] | [Event::Failed(..)]), "{events:?}");
        }
        // It is counted from the refresh that was due.
        if !(67..=71).contains(&second) {
            assert_eq!(process.known(PARTNERS), if second < 68 { some("a", 2) } else { vec![None; 2] }, "{second}");
        }
    }
    let told: Vec<&Event<ListSize>> = told.iter().map(|(_, event)| event).collect();
    assert_eq!(told.len(), 2, "each worker notices: {told:?}");
    assert!(told.contains(&&Event::TooOld(Change::Changed)) && told.contains(&&Event::TooOld(Change::Same)));
    let events = process.fetch(&[with(&["a"])]);
    assert!(events.iter().any(|(_, event)| *event == Event::Recovered), "{events:?}");
    assert_eq!(process.known(PARTNERS), some("a", 2));
}

#[test]
fn a_document_that_is_not_signed_as_it_has_to_be_leaves_the_last_good_one() {
    let keys = KeySet::parse(test_key::jwks().as_bytes(), 10_000, 10).expect("a key");
    let mut process = Process::new(2, &[set(PARTNERS, "partners", Some(Rc::new(keys)))]);
    let signed = |iat: u64, exp: u64, keys: &[&str]| {
        let header = json!({ "alg": "EdDSA", "typ": "scopegate-identities+jwt" });
        let claims = json!({ "sub": "partners", "iat": iat, "exp": exp, "identities": identities(keys) });
        let [header, claims] = [header, claims].map(|part| base64url::encode(part.to_string().as_bytes()));
        let input = format!("{header}.{claims}");
        format!("{input}.{}", base64url::encode(&test_key::sign(input.as_bytes())))
    };
    let start = START / 1000;
    let good = signed(start, start + 50, &["a"]);
    process.fetch(&[Chunks::from(good.as_bytes())]);
    assert_eq!(process.known(PARTNERS), some("a", 2));
    let forged = signed(start + 1, start + 50, &["b"]);
    let forged = [forged.rsplit_once('.').expect("a JWT").0, good.rsplit_once('.').expect("a JWT").1].join(".");
    let older = signed(start - 1, start + 50, &["b"]);
    for bad in [Chunks::from(forged.as_bytes()), with(&["b"]), Chunks::from(older.as_bytes())] {
        let events = process.fetch(&[bad]);
        assert!(events.iter().any(|(_, event)| matches!(event, Event::Failed(..))), "{events:?}");
        assert_eq!(process.known(PARTNERS), some("a", 2));
    }
    // It says when it ends, a minute for other clocks included.
    process.now = START + 111_000;
    process.tick(0);
    assert_eq!(process.known(PARTNERS), [None, None]);
}

#[test]
fn a_key_of_another_document_is_refused_until_it_is_there_no_longer() {
    let mut process = Process::new(2, &[set(PARTNERS, "partners", None), set(MESH, "mesh", None)]);
    process.fetch(&[with(&["a", "moved"]), with(&["m"])]);
    assert_eq!((process.known(PARTNERS), process.known(MESH)), (some("a moved", 2), some("m", 2)));
    let (requests, _) = process.tick(11_000);
    let (partners, mesh): (Vec<_>, Vec<_>) = requests.into_iter().partition(|(_, list)| list.0 == 0);
    process.answer(mesh[0], document(""), with(&["m", "moved"]));
    let events = (0..5).flat_map(|_| process.tick(10).1).collect::<Vec<_>>();
    assert!(
        matches!(&events[..], [(ListId(1), Event::Failed(failure, _))] if failure.why.contains("another entry")),
        "{events:?}"
    );
    process.answer(partners[0], document(""), with(&["a"]));
    for _ in 0..10 {
        process.tick(10);
    }
    assert_eq!((process.known(PARTNERS), process.known(MESH)), (some("a", 2), some("m", 2)));
    let mesh = loop {
        let (requests, _) = process.tick(1000);
        let (partners, mesh): (Vec<_>, Vec<_>) = requests.into_iter().partition(|(_, list)| list.0 == 0);
        for request in partners {
            process.answer(request, Answer::NotModified { max_age_ms: None }, Chunks::default());
        }
        if let [mesh] = mesh[..] {
            break mesh;
        }
        assert!(process.now < START + 60_000, "it is fetched again");
    };
    process.answer(mesh, document(""), with(&["m", "moved"]));
    for _ in 0..10 {
        process.tick(10);
    }
    assert_eq!(process.known(MESH), some("m moved", 2));
}

#[test]
fn a_request_waits_for_its_set_and_for_those_that_come_with_it() {
    let mut process = Process::new(1, &[set(PARTNERS, "partners", None), set(MESH, "mesh", None)]);
    let need = Need::Identities(PARTNERS);
    let ended = |process: &Process, deadline: u64| process.workers[0].ended(&need, START, deadline, &process.outside());
    let deadline = process.workers[0].wait_deadline(&need, &process.outside()).expect("it comes soon");
    assert_eq!(deadline, START + 2000, "the timeout of the document");
    let (requests, _) = process.tick(0);
    assert_eq!((requests.len(), ended(&process, deadline)), (2, None));
    process.answer(requests[0], document(""), with(&["a"]));
    process.tick(10);
    process.tick(10);
    assert_eq!(process.known(PARTNERS), some("a", 1));
    assert_eq!(ended(&process, deadline), None, "the other one is on its way, and a combination may need both");
    assert_eq!(ended(&process, process.now), Some(Awaited::Yes), "but not for longer than it may wait");
    process.answer(requests[1], unreachable(), Chunks::default());
    assert_eq!(ended(&process, deadline), Some(Awaited::Yes), "it does not come");
    let of_mesh = Need::Identities(MESH);
    assert_eq!(process.workers[0].ended(&of_mesh, START, process.now, &process.outside()), Some(Awaited::InVain));
    assert_eq!(process.workers[0].ended(&Need::Revocations, START, deadline, &process.outside()), Some(Awaited::Yes));
}
