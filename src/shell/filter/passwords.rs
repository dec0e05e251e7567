//! Passwords that are hashed in slices, while everything else goes on.

use super::proxy::{Client, Proxy};
use crate::crypto::PasswordHash;
use proptest::prelude::*;
use serde_json::{Value, json};

/// The slices that the hash of these tests takes: 256 rounds, 64 in each where the clock does not move.
const SLICES: usize = 4;

fn members(more: &Value) -> Value {
    let bcrypt = PasswordHash::bcrypt(b"1", 8, [5; 16]);
    let mut members = json!({
        "issuers": [{ "issuer": "https://idp.example.com/", "audiences": ["api"],
                      "jwks": { "inline": serde_json::from_str::<Value>(&super::proxy::jwks()).unwrap() } }],
        "credentials": [{ "name": "staff", "basic": {}, "identities": [
            { "id": "alice", "secrets": [{ "bcrypt": bcrypt }] },
            { "id": "user9", "secrets": [{ "sha256": "00".repeat(32) }] }] }],
        "default": { "credentials": { "any_of": ["staff", "bearer"] } },
        "limits": { "wasm_crypto_percent": 100, "waiting_requests": 4 },
    });
    members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    members
}

fn gate() -> Proxy {
    Proxy::configured(&members(&json!({})))
}

/// Ticks until the stream is decided: how many.
fn slices(proxy: &Proxy, context: u32) -> usize {
    (0..100)
        .find(|_| {
            if !proxy.stream(context).is_undecided() {
                return true;
            }
            proxy.tick(5);
            false
        })
        .expect("it is decided")
}

#[test]
fn a_password_is_hashed_in_slices_and_remembered() {
    let mut proxy = gate();
    let context = proxy.request(Client::User(1, 1));
    assert!(proxy.stream(context).is_undecided());
    assert_eq!(proxy.metric("waiting"), 1);
    let meanwhile = proxy.request(Client::Good);
    assert!(proxy.stream(meanwhile).upstream.is_some(), "tokens do not wait for passwords");
    assert_eq!(slices(&proxy, context), SLICES);
    assert!(proxy.stream(context).upstream.is_some());
    assert_eq!(proxy.metric("waiting"), 0);
    let again = proxy.request(Client::User(1, 1));
    assert!(proxy.stream(again).upstream.is_some(), "it is remembered");
    proxy.tick(299_000);
    let again = proxy.request(Client::User(1, 1));
    assert!(proxy.stream(again).upstream.is_some());
    proxy.tick(1_000);
    let again = proxy.request(Client::User(1, 1));
    assert!(proxy.stream(again).is_undecided(), "for five minutes");
    assert_eq!(slices(&proxy, again), SLICES);
}

#[test]
fn an_unknown_user_takes_as_many_slices_and_states_as_a_wrong_password() {
    let taken = |client| {
        let mut proxy = gate();
        let context = proxy.request(client);
        let first = slices(&proxy, context);
        let again = proxy.request(client);
        let remembered = slices(&proxy, again);
        let (one, other) = (proxy.request(Client::User(200, 200)), proxy.request(client));
        proxy.tick(59_000);
        proxy.tick(5_000);
        let late = proxy.request(client);
        let waits = proxy.stream(late).is_undecided();
        let stream = |context| {
            let stream = proxy.stream(context);
            (stream.answers.len(), stream.edits)
        };
        (first, remembered, waits, stream(context), stream(again), stream(one).0, stream(other).0)
    };
    let wrong = taken(Client::User(1, 2));
    assert_eq!((wrong.0, wrong.1, wrong.2), (SLICES, 0, true));
    assert_eq!(taken(Client::User(7, 2)), wrong);
    let mut proxy = gate();
    let contexts = [proxy.request(Client::User(1, 2)), proxy.request(Client::User(7, 2))];
    contexts.iter().for_each(|context| assert!(slices(&proxy, *context) > 0));
    let details = contexts.map(|context| proxy.answers(context));
    assert_eq!(details, [["scopegate_wrong_secret"], ["scopegate_unknown_identity"]]);
}

#[test]
fn equal_requests_are_hashed_once_for_known_and_unknown_users() {
    for client in [Client::User(1, 1), Client::User(1, 2), Client::User(7, 2)] {
        let mut proxy = gate();
        let contexts = [(); 4].map(|()| proxy.request(client));
        let fifth = proxy.request(client);
        assert_eq!(proxy.answers(fifth), ["scopegate_too_busy"], "four may wait: {client:?}");
        (0..SLICES).for_each(|_| proxy.tick(5));
        assert!(contexts.iter().all(|context| !proxy.stream(*context).is_undecided()), "{client:?}");
    }
}

#[test]
fn who_waits_longer_than_ten_seconds_is_refused_and_who_is_gone_is_forgotten() {
    let mut proxy = gate();
    let (late, gone) = (proxy.request(Client::User(1, 1)), proxy.request(Client::User(1, 2)));
    proxy.tick(5_000);
    proxy.end(gone);
    proxy.tick(4_999);
    assert!(proxy.stream(late).is_undecided());
    assert_eq!(proxy.metric("waiting"), 1);
    proxy.tick(1);
    assert_eq!(proxy.answers(late), ["scopegate_too_busy"]);
    assert_eq!((proxy.metric("denied.too_busy"), proxy.metric("waiting")), (1, 0));
}

#[test]
fn a_password_that_only_reports_is_waited_for_and_passes_in_any_case() {
    use super::proxy::Reports;
    let mut proxy = Proxy::reporting_with(Reports::Everything, &members(&json!({ "report_only": true })));
    let context = proxy.request(Client::User(1, 2));
    assert!(proxy.stream(context).is_undecided());
    (0..SLICES).for_each(|_| proxy.tick(5));
    assert!(proxy.stream(context).upstream.is_some());
    assert_eq!(proxy.metric("would_deny.wrong_secret"), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// [`Proxy::check`] holds at every moment that nothing passes but `alice` with her password.
    #[test]
    fn in_any_order_only_who_may_passes(events in prop::collection::vec((0_u8..8, 0_u8..3, 0_u64..4000), 1..40)) {
        let mut proxy = gate();
        let mut open = Vec::new();
        for (kind, password, time) in events {
            match kind {
                0..4 => open.push(proxy.request(Client::User(kind, password))),
                4 => open.push(proxy.request(Client::Good)),
                5 => open.pop().into_iter().for_each(|context| proxy.end(context)),
                _ => proxy.tick(time),
            }
        }
        (0..200).for_each(|_| proxy.tick(5));
        prop_assert!(open.iter().all(|context| !proxy.stream(*context).is_undecided()), "nothing hangs");
        prop_assert_eq!(proxy.metric("waiting"), 0);
    }
}
