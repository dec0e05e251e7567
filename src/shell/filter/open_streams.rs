//! Streams that are still open when the time of their token is over.

use super::Action;
use super::proxy::{Client, IDENTITY, Proxy, ROOT, START};
use crate::base::base64url;
use crate::crypto::test_key;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::rc::Rc;

/// How far clocks may differ, in seconds.
const LEEWAY: u64 = 10;

fn gate(more: &Value) -> Proxy {
    let mut members = json!({ "default": { "close_streams": "expiry" } });
    members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Proxy::configured(&members).fetched()
}

/// The time since the start, in milliseconds.
fn now(proxy: &Proxy) -> u64 {
    proxy.script().now_ms.get() - START
}

/// A stream whose token expires this many seconds after the start.
fn begin(proxy: &mut Proxy, expires: u64) -> u32 {
    let context = proxy.begin(Client::Own);
    let header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "a" });
    let claims = json!({
        "iss": "https://idp.example.com/", "aud": "api", "sub": "alice", "iat": START / 1000, "exp": START / 1000 + expires,
    });
    let input = [header, claims].map(|part| base64url::encode(part.to_string().as_bytes())).join(".");
    let token = format!("{input}.{}", base64url::encode(&test_key::sign(input.as_bytes())));
    proxy.change(context, |stream| {
        let fields = [
            (":method", "GET"),
            (":path", "/orders"),
            (":authority", "api.example.com"),
            ("authorization", &format!("Bearer {token}")),
        ];
        stream.headers = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    });
    context
}

/// A stream that is open, without a body or with one that does not end.
fn open(proxy: &mut Proxy, expires: u64, ends: bool) -> u32 {
    let context = begin(proxy, expires);
    assert_eq!(proxy.headers(context, ends), Action::Continue, "{:?}", proxy.answers(context));
    context
}

fn is_closed(proxy: &Proxy, context: u32) -> bool {
    proxy.stream(context).is_closed
}

/// How often the host has been called so.
fn calls(proxy: &Proxy, name: &str) -> usize {
    proxy.script().calls.borrow().iter().filter(|call| **call == name).count()
}

#[test]
fn an_open_stream_is_closed_once_when_its_token_would_be_refused_and_others_go_on() {
    let mut proxy = gate(&json!({}));
    let (short, body, long) = (open(&mut proxy, 60, true), open(&mut proxy, 60, false), open(&mut proxy, 600, true));
    proxy.tick(1);
    assert_eq!(proxy.metric("streams.open"), 3);
    proxy.tick((60 + LEEWAY) * 1000 - 1 - now(&proxy));
    assert!(!is_closed(&proxy, short) && !is_closed(&proxy, body), "the token would still pass");
    proxy.tick(1);
    assert!(is_closed(&proxy, short) && is_closed(&proxy, body) && !is_closed(&proxy, long));
    // A stream that has been closed is forgotten, also while the host has not ended it.
    proxy.tick(1000);
    assert_eq!(calls(&proxy, "close_stream"), 2);
    assert_eq!((proxy.metric("streams.open"), proxy.metric("streams.closed.expiry")), (1, 2));
    proxy.end(long);
    proxy.tick(1_000_000);
    assert_eq!(calls(&proxy, "close_stream"), 2);
    assert_eq!(proxy.metric("streams.open"), 0);
}

#[test]
fn nothing_is_kept_of_a_stream_where_that_is_not_asked_for_or_where_nothing_is_refused() {
    for members in [
        json!({ "default": {} }),
        json!({ "default": { "close_streams": "never" } }),
        json!({ "report_only": true }),
        json!({ "default": { "close_streams": "expiry", "report_only": true } }),
        json!({ "default": { "close_streams": "expiry", "methods": { "GET": { "close_streams": "never" } } } }),
    ] {
        let mut proxy = gate(&members);
        let context = open(&mut proxy, 60, true);
        proxy.tick(1_000_000);
        assert!(!is_closed(&proxy, context), "{members}");
        assert_eq!((proxy.metric("streams.open"), calls(&proxy, "close_stream")), (0, 0), "{members}");
    }
}

#[test]
fn a_hit_costs_no_more_calls_of_the_host() {
    let [plain, watched] = [json!({ "default": {} }), json!({})].map(|members| {
        let mut proxy = gate(&members);
        open(&mut proxy, 60, true);
        let context = begin(&mut proxy, 60);
        let before = proxy.script().calls.borrow().len();
        proxy.headers(context, true);
        let made = proxy.script().calls.borrow().get(before..).unwrap().to_vec();
        proxy.end(context);
        made
    });
    assert_eq!(plain, watched);
}

#[test]
fn at_most_a_hundred_streams_are_closed_in_a_tick_and_the_next_tick_comes_at_once() {
    let mut proxy = gate(&json!({}));
    let streams: Vec<u32> = (0..250).map(|_| open(&mut proxy, 60, true)).collect();
    let closed = |proxy: &Proxy| streams.iter().filter(|context| is_closed(proxy, **context)).count();
    proxy.tick((60 + LEEWAY) * 1000 - now(&proxy));
    assert_eq!((closed(&proxy), proxy.script().tick_ms.get()), (100, 5));
    proxy.tick(5);
    assert_eq!((closed(&proxy), proxy.script().tick_ms.get()), (200, 5));
    proxy.tick(5);
    assert_eq!((closed(&proxy), proxy.script().tick_ms.get()), (250, 500));
}

#[test]
fn a_stream_that_finds_no_room_is_refused_and_one_that_ends_makes_room() {
    let mut proxy = gate(&json!({ "limits": { "open_streams": 2, "wasm_crypto_percent": 100 } }));
    let (first, _second) = (open(&mut proxy, 60, true), open(&mut proxy, 60, true));
    let third = begin(&mut proxy, 60);
    assert_eq!(proxy.headers(third, true), Action::Pause);
    assert_eq!(proxy.stream(third).answers, [(503, "scopegate_too_busy".to_owned())]);
    let public = proxy.request(Client::Public);
    assert!(proxy.stream(public).upstream.is_some(), "no credential, no watch");
    proxy.end(first);
    open(&mut proxy, 60, true);
}

/// The reset of one stream can end others, and the host says so in the middle.
#[test]
fn a_stream_that_ends_while_another_is_closed_is_not_closed() {
    let mut proxy = gate(&json!({}));
    let streams: Vec<u32> = (0..3).map(|_| open(&mut proxy, 60, true)).collect();
    let (filter, host) = (Rc::clone(&proxy.filter), proxy.host.clone());
    *proxy.script().comes_back.borrow_mut() = Some(Rc::new(move |closed| {
        for context in &streams {
            host.script().streams.borrow_mut().get_mut(context).unwrap().is_gone = true;
            filter.on_delete(*context);
        }
        assert_ne!(closed, ROOT);
    }));
    let before = calls(&proxy, "set_effective_context");
    proxy.tick((60 + LEEWAY) * 1000 - now(&proxy));
    assert_eq!(calls(&proxy, "close_stream"), 1);
    assert_eq!(calls(&proxy, "set_effective_context") - before, 2, "the stream, and the root again");
    *proxy.script().comes_back.borrow_mut() = None;
}

#[test]
fn a_stream_that_waited_for_keys_is_watched_too_and_one_that_ended_meanwhile_is_not() {
    let mut proxy = Proxy::configured(&json!({ "default": { "close_streams": "expiry" } }));
    let (context, gone) = (begin(&mut proxy, 60), begin(&mut proxy, 60));
    proxy.headers(context, true);
    proxy.headers(gone, true);
    assert!(proxy.stream(context).is_undecided());
    proxy.end(gone);
    let mut proxy = proxy.fetched();
    assert_eq!(proxy.metric("streams.open"), 1);
    let later = open(&mut proxy, 60, true);
    proxy.tick((60 + LEEWAY) * 1000);
    assert!(is_closed(&proxy, context) && is_closed(&proxy, later));
    assert_eq!(proxy.stream(context).upstream.unwrap().iter().filter(|(name, _)| name == IDENTITY).count(), 1);
}

/// Something that happens.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A stream opens whose token expires so many seconds from then on.
    Open(u64, bool),
    /// The stream of this place ends, if it is there.
    End(usize),
    /// Milliseconds pass.
    Tick(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..40_u64, any::<bool>()).prop_map(|(expires, ends)| Step::Open(expires, ends)),
        2 => (0..30_usize).prop_map(Step::End),
        3 => prop_oneof![Just(0), Just(500), Just(999), Just(5_000), Just(20_000)].prop_map(Step::Tick),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn each_stream_is_closed_once_in_time_and_never_when_it_is_gone(
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let mut proxy = gate(&json!({}));
        // The streams that are there: the context, and when each is to be closed, in milliseconds.
        let mut there: Vec<(u32, u64)> = Vec::new();
        let (mut closed, mut effective) = (0, calls(&proxy, "set_effective_context"));
        for step in steps {
            match step {
                Step::Open(expires, ends) => {
                    let expires = now(&proxy) / 1000 + expires;
                    let context = open(&mut proxy, expires, ends);
                    there.push((context, (expires + LEEWAY) * 1000));
                }
                Step::End(place) => {
                    if place < there.len() {
                        let (context, _) = there.remove(place);
                        proxy.end(context);
                    }
                }
                Step::Tick(milliseconds) => {
                    proxy.tick(milliseconds);
                    let now = now(&proxy);
                    let over = there.iter().filter(|(_, at)| *at <= now).count();
                    closed += over;
                    prop_assert_eq!(calls(&proxy, "close_stream"), closed);
                    // No stream that is gone was even looked at: one call for each, and one back to the root.
                    let looked = calls(&proxy, "set_effective_context");
                    prop_assert_eq!(looked - effective, over + usize::from(over > 0));
                    effective = looked;
                    for (context, at) in &there {
                        prop_assert_eq!(is_closed(&proxy, *context), *at <= now);
                    }
                    there.retain(|(context, at)| {
                        if *at <= now {
                            proxy.end(*context);
                        }
                        *at > now
                    });
                    prop_assert_eq!(proxy.metric("streams.open"), i64::try_from(there.len()).unwrap());
                }
            }
        }
    }
}
