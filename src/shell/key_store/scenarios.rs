//! The key store without a host: two steps of discovery, keys that change and keys that do not, unknown key ids.

use super::*;
use crate::base::time::Seconds;
use crate::crypto::AlgorithmSet;
use crate::policy::{Endpoint, ImpliedScopes, KeyOrigin, RemoteKeys, SenderConstraint, TokenTypes};
use crate::shell::feed::local_data::LocalData;
use crate::shell::feed::{Change, Fetched};

pub(super) const ISSUER: IssuerId = IssuerId(0);
pub(super) const START: u64 = 1_700_000_000_000;
pub(super) const KEY: &str = r#"{"kty":"EC","crv":"P-256","kid":"a","x":"ozg4G80FyJ5-CtTjUkv0x5rs3IAGaEEO9a163PMn2z8","y":"M8dJRT5-n2yHq9RU-wWyXS4xPQcOeyqZW3fqjXRrj_8"}"#;

pub(super) fn issuer(origin: KeyOrigin) -> Issuer {
    Issuer {
        issuer: "https://idp.example.com/a".into(),
        name: "idp".into(),
        audiences: vec!["api".into()],
        audience_claims: vec![],
        keys: KeySource::Remote(RemoteKeys {
            origin,
            refresh: Seconds(600),
            timeout_ms: 2000,
            max_stale: Seconds(3600),
            unknown_kid_interval: Seconds(30),
        }),
        algorithms: AlgorithmSet::default_for_issuer(),
        token_types: TokenTypes::new(["at+jwt"]),
        id_tokens: false,
        sender_constraint: SenderConstraint::IF_BOUND,
        leeway: Seconds(10),
        max_lifetime: None,
        required_claims: vec![],
        scope_claims: vec![],
        implies: ImpliedScopes::default(),
        status_list: None,
        token_header: None,
        websocket_protocol: false,
        introspection: None,
    }
}

pub(super) fn by_uri() -> Issuer {
    issuer(KeyOrigin::Document(Endpoint::parse("https://idp.example.com/jwks", "idp").unwrap()))
}

pub(super) fn by_discovery() -> Issuer {
    issuer(KeyOrigin::Discovery {
        metadata: Endpoint::of_metadata("https://idp.example.com/a", "idp").unwrap(),
        jwks_cluster: "keys".into(),
    })
}

/// Two workers and their shared data.
pub(super) struct World {
    pub(super) shared: LocalData,
    pub(super) stores: Vec<KeyStore>,
    pub(super) now: u64,
}

impl World {
    pub(super) fn new(issuer: &Issuer) -> Self {
        let issuers = std::slice::from_ref(issuer);
        let stores = (1..=2).map(|me| KeyStore::new(issuers, Limits::default(), true, me)).collect();
        Self { shared: LocalData::default(), stores, now: START }
    }

    /// Lets a worker act some milliseconds later.
    pub(super) fn at<R>(&mut self, worker: usize, later: u64, act: impl FnOnce(&mut KeyStore, &Outside<'_>) -> R) -> R {
        self.now += later;
        act(&mut self.stores[worker], &Outside { shared: &self.shared, now: self.now, random: 0 })
    }

    /// Looks, and begins what is due.
    pub(super) fn tick(&mut self, worker: usize, later: u64) -> (Option<Fetch>, Events) {
        self.at(worker, later, |store, outside| {
            let events = store.look(outside);
            (store.begin(outside).pop(), events)
        })
    }

    pub(super) fn answer(&mut self, worker: usize, answer: Answer) -> (Option<Fetch>, Events) {
        self.at(worker, 10, |store, outside| store.answered(outside, ISSUER, answer))
    }

    pub(super) fn has_keys(&self, worker: usize) -> bool {
        self.stores[worker].ring().get(ISSUER).is_some()
    }
}

pub(super) fn document(text: &str) -> Answer {
    Answer::Document(Fetched { bytes: text.as_bytes().to_vec(), etag: "\"1\"".into(), ..Fetched::default() })
}

pub(super) fn key_set(keys: &str) -> Answer {
    document(&format!(r#"{{"keys":[{keys}]}}"#))
}

fn status(status: &str) -> Answer {
    FailureKind::Status.because(format!("answered {status}, not 200")).into()
}

fn kid(kid: &str) -> Need {
    Need::Kid(ISSUER, kid.to_owned())
}

/// The failures that the log would be told of.
pub(super) fn told(events: &Events) -> Vec<String> {
    let why = |(_, event): &(IssuerId, Event<Rc<KeySet>>)| match event {
        Event::Failed(failure, Change::Changed) => Some(failure.why.clone()),
        Event::Recovered => Some("recovered".to_owned()),
        _ => None,
    };
    events.iter().filter_map(why).collect()
}

#[test]
fn one_worker_fetches_and_the_other_picks_it_up() {
    let mut world = World::new(&by_uri());
    let (request, _) = world.tick(0, 0);
    assert_eq!(request.unwrap().endpoint.uri, "https://idp.example.com/jwks");
    assert!(world.tick(1, 10).0.is_none(), "one fetch for both");
    let (_, events) = world.answer(0, key_set(KEY));
    assert!(matches!(events.as_slice(), [(ISSUER, Event::Updated(_))]), "{events:?}");
    let (request, events) = world.tick(1, 10);
    assert!(request.is_none());
    assert!(matches!(events.as_slice(), [(ISSUER, Event::PickedUp)]), "{events:?}");
    assert!(world.has_keys(0) && world.has_keys(1) && world.stores[1].is_complete());
    let in_use: Vec<_> = world.stores[1].in_use(world.now + 5000).collect();
    assert_eq!(in_use, [(ISSUER, 1, 5010)]);
}

#[test]
fn the_same_keys_again_begin_no_new_generation_and_other_keys_do_at_once() {
    let mut world = World::new(&by_uri());
    world.tick(0, 0);
    world.answer(0, key_set(KEY));
    world.tick(1, 0);
    let generations = |world: &World| [0, 1].map(|worker: usize| world.stores[worker].ring().generation(ISSUER));
    let before = generations(&world);
    let renewed = KEY.replace(r#""kid":"a""#, r#""use":"sig","x5c":["bmV3"],"kid":"a""#);
    let unusable = format!(r#"{renewed},{{"kty":"oct","k":"AAAA"}}"#);
    for (same, left_out) in [(KEY, None), (&renewed, None), (&unusable, Some(1)), (&unusable, None), (KEY, Some(0))] {
        let (request, _) = world.tick(0, 600_000);
        assert_eq!(request.unwrap().etag.as_deref(), Some("\"1\""));
        let (_, events) = world.answer(0, key_set(same));
        match (events.as_slice(), left_out) {
            ([(ISSUER, Event::Unchanged)], None) => {}
            ([(ISSUER, Event::LeftOut(keys))], Some(count)) => assert_eq!(keys.skipped().len(), count),
            _ => panic!("{events:?}"),
        }
        world.tick(1, 0);
        assert_eq!(generations(&world), before);
    }
    world.tick(0, 600_000);
    let (_, events) = world.answer(0, Answer::NotModified { max_age_ms: None });
    assert!(matches!(events.as_slice(), [(ISSUER, Event::NotModified)]), "{events:?}");
    // A new worker publishes them again: the others hold another version of the same keys.
    let mut newcomer = KeyStore::new(&[by_uri()], Limits::default(), true, 3);
    world.now += 700_000;
    let outside = Outside { shared: &world.shared, now: world.now, random: 0 };
    assert_eq!(newcomer.begin(&outside).len(), 1);
    let (_, events) = newcomer.answered(&outside, ISSUER, key_set(KEY));
    assert!(matches!(events.as_slice(), [(ISSUER, Event::Updated(_))]), "{events:?}");
    for worker in 0..2 {
        let (_, events) = world.tick(worker, 0);
        assert!(events.is_empty(), "{events:?}");
    }
    assert_eq!(generations(&world), before);
    for other in
        [KEY.replace(r#""kid":"a""#, r#""kid":"b""#), KEY.replace(r#""kid":"a""#, r#""kid":"b","alg":"ES256""#)]
    {
        let before = generations(&world);
        world.tick(0, 600_000);
        world.answer(0, key_set(&other));
        world.tick(1, 0);
        let after = generations(&world);
        assert!(before[0] != after[0] && before[1] != after[1]);
        assert!(!world.stores[1].ring().get(ISSUER).unwrap().names("a"));
    }
}

#[test]
fn an_outage_takes_no_keys_away_before_their_time_and_is_told_once() {
    let mut world = World::new(&by_uri());
    world.tick(0, 0);
    world.answer(0, key_set(KEY));
    world.tick(1, 0);
    let mut heard = Vec::new();
    let outages = [
        FailureKind::Unreachable.because("x").into(),
        FailureKind::Unreachable.because("x").into(),
        status("500"),
        document("<html>"),
        document(""),
        document(r#"{"keys":["#),
        key_set(""),
        key_set(r#"{"kty":"oct","k":"AAAA"}"#),
        key_set(r#"{"kty":"oct","k":"AAAA"}"#),
    ];
    world.now += 540_000;
    for (turn, outage) in outages.into_iter().enumerate() {
        let (request, _) = world.tick(turn % 2, 60_000);
        assert!(request.is_some(), "{turn}");
        heard.extend(told(&world.answer(turn % 2, outage).1));
        assert!(world.has_keys(0) && world.has_keys(1), "{turn}");
    }
    assert_eq!(
        heard,
        [
            "x",
            "answered 500, not 200",
            "not a JSON Web Key Set: it is HTML or XML, such as a login page or an error",
            "not a JSON Web Key Set: it is empty",
            "not a JSON Web Key Set: it is not JSON",
            "no key in it can be used",
            "no key in it can be used; keys[0]: a symmetric key: a published secret is no secret",
        ]
        .map(|why| format!("{why} (GET https://idp.example.com/jwks through the cluster idp)"))
    );
    // The end of max_stale: both drop them, one tells the log, and requests need not wait any more.
    world.now = START + 4_200_000;
    let events: Vec<Events> = (0..2).map(|worker| world.at(worker, 20, KeyStore::look)).collect();
    let news = events.iter().flatten().filter(|(_, event)| matches!(event, Event::TooOld(Change::Changed))).count();
    assert_eq!(news, 1, "{events:?}");
    assert!(!world.has_keys(0) && !world.has_keys(1));
    // And they are back by themselves.
    world.tick(1, 60_000);
    let (_, events) = world.answer(1, key_set(KEY));
    assert_eq!(told(&events), ["recovered"]);
    world.tick(0, 0);
    assert!(world.has_keys(0) && world.has_keys(1));
}

#[test]
fn discovery_asks_for_the_metadata_and_then_for_the_keys_where_it_says() {
    let mut world = World::new(&by_discovery());
    let uris = [
        "https://idp.example.com/a/.well-known/openid-configuration",
        "https://idp.example.com/.well-known/oauth-authorization-server/a",
    ];
    let request = world.tick(0, 0).0.unwrap();
    assert_eq!((request.endpoint.uri.as_str(), request.endpoint.cluster.as_str()), (uris[0], "idp"));
    let request = world.answer(0, status("404")).0.unwrap();
    assert_eq!(request.endpoint.uri, uris[1]);
    let metadata = r#"{"issuer":"https://idp.example.com/a","jwks_uri":"https://keys.example.com/k"}"#;
    let request = world.answer(0, document(metadata)).0.unwrap();
    assert_eq!(
        (request.endpoint.uri.as_str(), request.endpoint.cluster.as_str()),
        ("https://keys.example.com/k", "keys")
    );
    assert_eq!(request.etag, None);
    let (next, events) = world.answer(0, key_set(KEY));
    assert!(next.is_none() && matches!(events.as_slice(), [(ISSUER, Event::Updated(_))]), "{events:?}");
    // The next time where it was found, and with the ETag of the keys, not for the metadata.
    let request = world.tick(0, 600_000).0.unwrap();
    assert_eq!((request.endpoint.uri.as_str(), request.etag), (uris[1], None));
    let request = world.answer(0, document(metadata)).0.unwrap();
    assert_eq!(request.etag.as_deref(), Some("\"1\""));
    world.answer(0, Answer::NotModified { max_age_ms: None });
    // At another address the ETag means nothing.
    world.tick(0, 600_000).0.unwrap();
    let moved = metadata.replace("/k\"", "/moved\"");
    assert_eq!(world.answer(0, document(&moved)).0.unwrap().etag, None);
}

#[test]
fn metadata_that_is_nowhere_or_of_somebody_else_is_an_outage_that_says_so() {
    let mut world = World::new(&by_discovery());
    let attempt = |world: &mut World, answers: &[Answer]| -> Vec<String> {
        assert!(world.tick(0, 60_000).0.is_some());
        let mut heard = Vec::new();
        for (index, answer) in answers.iter().enumerate() {
            let answer = match answer {
                Answer::Document(fetched) => document(std::str::from_utf8(&fetched.bytes).unwrap()),
                Answer::Failed(failure) => failure.clone().into(),
                Answer::NotModified { .. } => Answer::NotModified { max_age_ms: None },
            };
            let (next, events) = world.answer(0, answer);
            heard.extend(told(&events));
            assert_eq!(next.is_some(), index + 1 < answers.len(), "{index}");
        }
        heard
    };
    let foreign = document(r#"{"issuer":"https://idp.example.com/a/","jwks_uri":"https://x/"}"#);
    // The error names the place with wrong metadata; if all are wrong, the last one.
    let heard = attempt(&mut world, &[foreign, status("404"), status("404")]);
    assert_eq!(
        heard,
        ["its metadata: the metadata is of the issuer https://idp.example.com/a/, not https://idp.example.com/a (GET \
          https://idp.example.com/a/.well-known/openid-configuration through the cluster idp)"]
    );
    let heard = attempt(&mut world, &[status("404"), status("404"), status("404")]);
    assert!(heard[0].starts_with("its metadata: answered 404, not 200 (GET https://idp.example.com/"), "{heard:?}");
    // A server that cannot be reached is not asked three times.
    let heard = attempt(&mut world, &[FailureKind::Timeout.because("late").into()]);
    assert!(heard[0].starts_with("its metadata: late (GET https://idp.example.com/"), "{heard:?}");
    assert!(!world.has_keys(0));
}

#[test]
fn an_unknown_kid_is_looked_for_once_and_then_remembered_on_the_worker_that_asked() {
    let mut world = World::new(&by_uri());
    world.tick(0, 0);
    world.answer(0, key_set(KEY));
    world.tick(1, 0);
    let asked = world.now + 1000;
    let wait_deadline = world.at(1, 1000, |store, outside| store.wait_deadline(&kid("new"), outside));
    let deadline = wait_deadline.expect("it is looked for");
    assert_eq!(deadline, asked + 2000);
    let ended = |world: &mut World, wanted: &str| {
        world.at(1, 0, |store, outside| store.ended(&kid(wanted), asked, deadline, outside))
    };
    assert_eq!(ended(&mut world, "new"), None);
    assert!(world.tick(0, 0).0.is_none(), "nothing is due, and worker 0 wants nothing");
    assert!(world.tick(1, 5).0.is_some());
    assert_eq!(ended(&mut world, "new"), None);
    let both = format!("{KEY},{}", KEY.replace(r#""kid":"a""#, r#""kid":"new""#));
    world.answer(1, key_set(&both));
    assert_eq!(ended(&mut world, "new"), Some(Awaited::Yes));
    assert!(world.stores[1].ring().get(ISSUER).unwrap().names("new"));
    // Another one was not there either: that is remembered for the interval.
    assert_eq!(ended(&mut world, "bad"), Some(Awaited::Yes));
    assert_eq!(world.at(1, 0, |store, outside| store.wait_deadline(&kid("bad"), outside)), None);
    assert!(world.at(1, 30_000, |store, outside| store.wait_deadline(&kid("bad"), outside)).is_some());
}

#[test]
fn a_kid_that_could_not_be_looked_for_is_not_remembered() {
    let mut world = World::new(&by_uri());
    world.tick(0, 0);
    world.answer(0, key_set(KEY));
    let asked = world.now + 10;
    assert!(world.at(0, 10, |store, outside| store.wait_deadline(&kid("new"), outside)).is_some());
    assert!(world.tick(0, 0).0.is_some());
    world.answer(0, status("500"));
    let ended = world.at(0, 0, |store, outside| store.ended(&kid("new"), asked, asked + 2000, outside));
    assert_eq!(ended, Some(Awaited::InVain));
    assert!(world.at(0, 0, |store, outside| store.wait_deadline(&kid("new"), outside)).is_some());
    // And no request waits beyond the deadline, whatever happens.
    let ended = world.at(0, 2000, |store, outside| store.ended(&kid("new"), outside.now - 2000, outside.now, outside));
    assert_eq!(ended, Some(Awaited::InVain));
}

#[test]
fn an_attacker_with_random_kids_gets_no_more_fetches_than_the_budget() {
    let mut world = World::new(&by_uri());
    world.tick(0, 0);
    world.answer(0, key_set(KEY));
    let mut fetches = 0;
    for turn in 0..3000_u64 {
        let worker = usize::try_from(turn % 2).unwrap();
        world.at(worker, 100, |store, outside| store.wait_deadline(&kid(&format!("random-{turn}")), outside));
        if world.tick(worker, 0).0.is_some() {
            fetches += 1;
            world.answer(worker, key_set(KEY));
        }
    }
    assert!((11..=14).contains(&fetches), "3, then one each 30 s of 300: {fetches}");
}

#[test]
fn waiting_for_the_first_keys_has_a_deadline_only_while_a_fetch_is_near() {
    let mut world = World::new(&by_uri());
    let need = Need::Keys(ISSUER);
    let wait_deadline =
        |world: &mut World, worker: usize| world.at(worker, 0, |store, outside| store.wait_deadline(&need, outside));
    assert!(wait_deadline(&mut world, 0).is_some());
    world.tick(0, 0);
    assert!(wait_deadline(&mut world, 1).is_some(), "another worker fetches");
    let asked = world.now;
    for _ in 0..8 {
        world.answer(0, status("500"));
        world.tick(0, 60_000);
    }
    world.answer(0, status("500"));
    world.at(1, 0, KeyStore::look);
    for worker in 0..2 {
        assert_eq!(wait_deadline(&mut world, worker), None, "the next attempt is too far off");
        let ended = world.at(worker, 0, |store, outside| store.ended(&need, asked, outside.now + 2000, outside));
        assert_eq!(ended, Some(Awaited::InVain));
    }
}

#[test]
fn what_another_writer_put_into_shared_data_is_judged_like_what_came_from_the_wire() {
    let mut world = World::new(&by_uri());
    world.tick(0, 0);
    world.answer(0, key_set(KEY));
    // A key set of the right length and sum, as another plugin with our vm_id could write it, but none that we take.
    let two = format!("{KEY},{}", KEY.replace(r#""kid":"a""#, r#""kid":"b""#));
    world.tick(0, 600_000);
    world.answer(0, key_set(&two));
    let mut strict = KeyStore::new(&[by_uri()], Limits { jwks_keys: 1, ..Limits::default() }, true, 10);
    let outside = Outside { shared: &world.shared, now: world.now, random: 0 };
    let events = strict.look(&outside);
    assert!(matches!(events.as_slice(), [(ISSUER, Event::Foreign(_))]), "{events:?}");
    assert!(strict.ring().get(ISSUER).is_none());
    assert_eq!(strict.begin(&outside).len(), 1, "a worker that cannot use it fetches at once");
}
