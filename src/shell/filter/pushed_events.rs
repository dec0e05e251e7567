//! Events that are pushed, in the life of a gate: what is answered is stored, and what cannot be stored is not answered as such.

use super::super::host::Host as _;
use super::Action;
use super::proxy::{Client, Proxy, START, jwks};
use crate::base::base64url;
use crate::crypto::test_key;
use serde_json::{Value, json};

const ISSUER: &str = "https://idp.example.com/";
const SET_TYPE: &str = "application/secevent+jwt";

/// A gate with its keys, and with these limits.
fn gate(limits: &Value) -> Proxy {
    let keys: Value = serde_json::from_str(&jwks()).unwrap();
    let events = json!({
        "path": "/events",
        "issuers": { ISSUER: { "audience": "gate", "keep": "1h" } },
        "operators": { "ops": { "audience": "gate", "signed_by": keys } },
    });
    Proxy::configured(&json!({ "events": events, "limits": limits })).fetched()
}

fn event(about: &str) -> String {
    of(&json!({ "format": "jwt_id", "iss": ISSUER, "jti": about }))
}

fn of(subject: &Value) -> String {
    let events = json!({ "https://schemas.openid.net/secevent/oauth/event-type/tokens-revoked": {} });
    signed(&json!({
        "iss": ISSUER, "aud": "gate", "iat": START / 1000, "jti": "e", "sub_id": subject, "events": events,
    }))
}

/// Of 32 tokens, from this number on.
fn many(first: u32) -> String {
    let one = |number: u32| json!({ "format": "jwt_id", "iss": ISSUER, "jti": number.to_string() });
    of(&json!({ "format": "aliases", "identifiers": (first..first + 32).map(one).collect::<Vec<_>>() }))
}

/// That of an operator, about the token of this `jti`.
fn operation(about: &str) -> String {
    let events = json!({ "urn:scopegate:event-type:revocation": { "iss": ISSUER, "jti": about } });
    signed(&json!({ "iss": "ops", "aud": "gate", "iat": START / 1000, "jti": "e", "events": events }))
}

fn signed(claims: &Value) -> String {
    let header = &json!({ "alg": "EdDSA", "typ": "secevent+jwt", "kid": "a" });
    let input = [header, claims].map(|part| base64url::encode(part.to_string().as_bytes())).join(".");
    format!("{input}.{}", base64url::encode(&test_key::sign(input.as_bytes())))
}

fn forged(about: &str) -> String {
    let (set, other) = (event(about), event("another"));
    format!("{}.{}", set.rsplit_once('.').unwrap().0, other.rsplit_once('.').unwrap().1)
}

/// Pushes a body in parts. Returns the answer; nothing ever goes upstream.
fn push(proxy: &mut Proxy, body: &str) -> (u16, String) {
    let context = begin(proxy);
    let (first, rest) = body.as_bytes().split_at(body.len() / 2);
    proxy.part(context, first, false);
    if proxy.stream(context).answers.is_empty() {
        proxy.part(context, rest, true);
    }
    let stream = proxy.stream(context);
    assert!(stream.upstream.is_none() && stream.gone.is_empty());
    let [answer] = &stream.answers[..] else { panic!("no answer: {stream:?}") };
    answer.clone()
}

/// Begins to push an event, of whose body nothing comes. Returns its context.
fn begin(proxy: &mut Proxy) -> u32 {
    let context = proxy.begin(Client::Own);
    let headers = [(":method", "POST"), (":path", "/events"), (":authority", "a"), ("content-type", SET_TYPE)];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    proxy.change(context, |stream| stream.headers = headers.into());
    assert_eq!(proxy.headers(context, false), Action::Pause);
    context
}

fn passes(proxy: &mut Proxy, id: u8) -> bool {
    let context = proxy.request(Client::Once(id));
    proxy.stream(context).upstream.is_some()
}

fn told(status: u16, details: &str) -> (u16, String) {
    (status, format!("scopegate_{details}"))
}

#[test]
fn what_was_answered_is_revoked_at_once_and_what_is_refused_revokes_nothing() {
    let mut proxy = gate(&json!({}));
    assert!(passes(&mut proxy, 1));
    assert_eq!(push(&mut proxy, &forged("1")), told(400, "invalid_event"));
    assert!(passes(&mut proxy, 1));
    assert_eq!(push(&mut proxy, &event("1")), told(202, "event"));
    assert!(!passes(&mut proxy, 1) && passes(&mut proxy, 2));
    assert_eq!(push(&mut proxy, &event("1")), told(202, "event"), "it comes again");
    proxy.tick(1000);
    let counts = ["events_received", "events.repeated", "events.entries", "denied.invalid_event"];
    assert_eq!(counts.map(|name| proxy.metric(name)), [2, 1, 1, 1]);
}

#[test]
fn a_worker_takes_so_many_in_a_second_and_forged_ones_do_not_count() {
    let mut proxy = gate(&json!({ "events_per_second": 3, "wasm_crypto_percent": 100 }));
    for _ in 0..20 {
        assert_eq!(push(&mut proxy, &forged("1")), told(400, "invalid_event"));
    }
    let answers: Vec<u16> = (1..=5).map(|id| push(&mut proxy, &event(&id.to_string())).0).collect();
    assert_eq!(answers, [202, 202, 202, 503, 503]);
    assert!(passes(&mut proxy, 4), "it was not answered as stored");
    proxy.tick(1000);
    assert_eq!(push(&mut proxy, &event("4")), told(202, "event"), "it comes again");
    assert!(!passes(&mut proxy, 4));
}

#[test]
fn without_room_the_answer_is_503_and_nothing_is_forgotten() {
    let mut proxy = gate(&json!({ "event_entries": 1000, "events_per_second": 10_000, "wasm_crypto_percent": 100 }));
    assert_eq!(push(&mut proxy, &event("1")), told(202, "event"));
    let full = (1000..9000).step_by(32).find(|first| push(&mut proxy, &many(*first)) == told(503, "events_full"));
    assert!(full.is_some());
    assert!(!passes(&mut proxy, 1));
    assert_eq!(push(&mut proxy, &event("1")), told(202, "event"), "what is known needs none");
}

#[test]
fn what_issuers_have_filled_has_room_for_an_operator() {
    let mut proxy = gate(&json!({ "event_entries": 1000, "events_per_second": 10_000, "wasm_crypto_percent": 100 }));
    let answers: Vec<_> = (1000..17_000).step_by(32).map(|first| push(&mut proxy, &many(first))).collect();
    assert!(answers.iter().rev().take(100).all(|answer| *answer == told(503, "events_full")), "it is full");
    assert_eq!(push(&mut proxy, &event("1")), told(503, "events_full"));
    assert_eq!(push(&mut proxy, &operation("1")), told(202, "event"));
    assert!(!passes(&mut proxy, 1));
}

#[test]
fn what_issuers_send_in_a_second_keeps_no_event_of_an_operator_out() {
    let mut proxy = gate(&json!({ "events_per_second": 2 }));
    let answers = ["1", "2", "3"].map(|id| push(&mut proxy, &event(id)).0);
    assert_eq!(answers, [202, 202, 503]);
    let answers = ["3", "4", "5"].map(|id| push(&mut proxy, &operation(id)).0);
    assert_eq!(answers, [202, 202, 503]);
    assert!(!passes(&mut proxy, 3) && passes(&mut proxy, 5));
}

/// A client that can reach the path can hold a request there, without a credential.
#[test]
fn events_whose_body_does_not_come_leave_half_of_the_room_to_requests_with_a_credential() {
    let events = json!({ "path": "/events", "issuers": { ISSUER: { "audience": "gate" } } });
    let mut proxy = Proxy::configured(&json!({
        "events": events, "limits": { "waiting_requests": 4 }, "route_metadata": "ignore",
        "default": { "mcp": { "hold_headers": true } },
    }))
    .fetched();
    let call = |proxy: &mut Proxy| {
        let context = proxy.begin(Client::Good);
        let json = ("content-type".to_owned(), "application/json".to_owned());
        proxy.change(context, |stream| stream.headers.push(json));
        assert_eq!(proxy.headers(context, false), Action::Pause);
        proxy.answers(context)
    };
    let pushed = [0, 1, 2].map(|_| begin(&mut proxy));
    assert_eq!(pushed.map(|context| proxy.answers(context).len()), [0, 0, 1]);
    assert_eq!(proxy.answers(pushed[2]), ["scopegate_too_busy"]);
    assert!(call(&mut proxy).is_empty() && call(&mut proxy).is_empty());
    assert_eq!(call(&mut proxy), ["scopegate_too_busy"], "that was all of it");
    // One whose body begins to come makes room.
    proxy.part(pushed[0], b"e", false);
    let late = begin(&mut proxy);
    assert!(proxy.answers(late).is_empty());
}

#[test]
fn where_another_plugin_wrote_over_the_store_what_was_revoked_stays_revoked_and_events_get_503() {
    let mut proxy = gate(&json!({}));
    assert_eq!(push(&mut proxy, &event("1")), told(202, "event"));
    let shared = proxy.host.shared_data();
    for place in 0..256 {
        assert!(shared.write(&format!("scopegate/events/{place}"), b"another plugin's", None));
    }
    assert_eq!(push(&mut proxy, &event("2")), told(503, "events_full"));
    assert!(!passes(&mut proxy, 1) && passes(&mut proxy, 2));
    assert!(shared.write("scopegate/events/changes", b"", None));
    proxy.tick(1000);
    assert!(!passes(&mut proxy, 1));
    assert_eq!(push(&mut proxy, &event("1")), told(503, "events_full"));
    // Long after all of its entries are over, too: it can no longer be read which are.
    proxy.tick(1000);
    assert!(!passes(&mut proxy, 1));
}
