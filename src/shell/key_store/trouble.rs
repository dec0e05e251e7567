//! Several issuers, answers that never come, and what others do to shared data.

use super::scenarios::{ISSUER, KEY, START, World, by_discovery, by_uri, document, key_set, told};
use super::*;
use crate::shell::documents::DocumentId;
use crate::shell::feed::local_data::LocalData;
use crate::shell::feed::{Change, Fetched};

/// Another key of the same `kid`.
const OTHER: &str = r#"{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

#[test]
fn two_issuers_behind_one_cluster_keep_keys_of_the_same_kid_apart() {
    for make in [by_uri, by_discovery] {
        let issuers = ["https://idp.example.com/a", "https://idp.example.com/b"].map(|name| Issuer {
            issuer: name.into(),
            name: name.into(),
            ..make()
        });
        let shared = LocalData::default();
        let mut stores = [1, 2].map(|me| KeyStore::new(&issuers, Limits::default(), true, me));
        let outside = |now| Outside { shared: &shared, now: START + now, random: 0 };
        let mut requests = stores[0].begin(&outside(0));
        assert_eq!(
            requests.iter().map(|request| request.document).collect::<Vec<_>>(),
            [0, 1].map(|id| DocumentId::Keys(IssuerId(id)))
        );
        // Both may name one key set: then each has its own copy of it.
        for (number, key) in [KEY, OTHER].into_iter().enumerate() {
            let id = IssuerId(number);
            let mut request = requests.remove(0);
            if request.endpoint.uri.contains("well-known") {
                let metadata =
                    format!(r#"{{"issuer":"{}","jwks_uri":"https://idp.example.com/k"}}"#, issuers[number].issuer);
                request = stores[0].answered(&outside(5), id, document(&metadata)).0.expect("the keys");
            }
            assert_eq!(request.document, DocumentId::Keys(id));
            stores[0].answered(&outside(10), id, key_set(key));
        }
        stores[1].look(&outside(20));
        for store in &stores {
            let keys = [0, 1].map(|number| store.ring().get(IssuerId(number)).expect("keys"));
            assert!(keys.iter().all(|keys| keys.names("a")) && !keys[0].has_same_keys(keys[1]));
            let first = KeySet::parse(format!(r#"{{"keys":[{KEY}]}}"#).as_bytes(), 10_000, 10).expect("a set");
            assert!(keys[0].has_same_keys(&first));
        }
    }
}

#[test]
fn an_answer_that_never_comes_is_a_failure_and_the_keys_are_asked_for_again() {
    let mut world = World::new(&by_uri());
    assert!(world.tick(0, 0).0.is_some());
    world.at(0, 0, |store, outside| store.sent(outside, ISSUER, 7));
    let (request, events) = world.tick(0, 3900);
    assert!(request.is_none() && events.is_empty(), "{events:?}");
    let (_, events) = world.tick(0, 200);
    assert!(
        matches!(&events[..], [(ISSUER, Event::Failed(failure, Change::Changed))] if failure.kind == FailureKind::Timeout),
        "{events:?}"
    );
    assert_eq!(told(&events), ["the answer was lost (GET https://idp.example.com/jwks through the cluster idp)"]);
    assert!(!world.at(0, 0, |store, _| store.awaits(ISSUER, 7)), "a late answer belongs to no fetch");
    assert!(world.tick(0, 1000).0.is_some());
}

#[test]
fn keys_that_another_writer_put_into_shared_data_are_replaced_by_one_fetch_of_the_same_as_before() {
    let mut world = World::new(&by_uri());
    let one_key = Limits { jwks_keys: 1, ..Limits::default() };
    world.stores =
        vec![KeyStore::new(&[by_uri()], one_key, true, 1), KeyStore::new(&[by_uri()], Limits::default(), true, 2)];
    world.tick(0, 0);
    world.answer(0, key_set(KEY));
    world.tick(1, 0);
    assert!(world.has_keys(1));
    // The second worker accepts what is too much for the first.
    assert!(world.tick(1, 700_000).0.is_some());
    world.answer(
        1,
        Answer::Document(Fetched {
            bytes: format!(r#"{{"keys":[{KEY},{}]}}"#, KEY.replace(r#""kid":"a""#, r#""kid":"b""#)).into_bytes(),
            ..Fetched::default()
        }),
    );
    let (request, events) = world.tick(0, 10);
    assert!(matches!(events[..], [(ISSUER, Event::Foreign(_))]), "{events:?}");
    assert!(request.is_some() && world.has_keys(0), "what is held stays in use, and is asked for anew");
    world.answer(0, key_set(KEY));
    for _ in 0..100 {
        let (request, events) = world.tick(0, 10);
        assert!(request.is_none() && events.is_empty(), "no further request: {events:?}");
    }
    world.tick(1, 0);
    assert!(!world.stores[1].ring().get(ISSUER).expect("keys").names("b"), "and the other one follows");
}
