//! Streams that are still open when their token is revoked, or what vouches for it withdrawn.

use super::Action;
use super::proxy::{Client, Proxy, ROOT, START, STATUS_LIST, jwks};
use crate::base::base64url;
use crate::crypto::test_key;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A key that is called as that of the issuer was.
const OTHER_KEYS: &str = r#"{"keys":[{"kid":"a","kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#;

fn gate(more: &Value) -> Proxy {
    let mut members = json!({
        "default": { "close_streams": "revocation" },
        "issuers": [{
            "issuer": "https://idp.example.com/", "audiences": ["api"],
            "jwks": { "uri": "https://idp.example.com/jwks", "cluster": "idp", "refresh": "10s", "max_stale": "60s" },
            "status_list": {
                "clusters": [{ "uri_prefix": "https://status.example.com/lists/", "cluster": "status" }], "refresh": "20m",
            },
        }],
        "revocation": { "lists": [{ "uri": "https://lists.example.com/a", "cluster": "lists", "refresh": "5s" }] },
    });
    members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let proxy = Proxy::configured(&members);
    proxy.tick(0);
    answer(&proxy, "idp", &jwks());
    revoke(&proxy, &[]);
    proxy
}

/// The answer to what this cluster has been asked. Returns whether it had been.
fn answer(proxy: &Proxy, cluster: &str, body: &str) -> bool {
    let callouts = proxy.script().callouts.borrow().clone();
    let asked: Vec<u32> = callouts.into_iter().filter(|(_, name)| name == cluster).map(|(token, _)| token).collect();
    asked.iter().for_each(|token| proxy.answer_with(*token, 200, body.to_owned()));
    !asked.is_empty()
}

/// The list comes, with entries for these tokens, and is read, until the tick in which it is there.
fn revoke(proxy: &Proxy, numbers: &[u64]) {
    // A list without an entry is one, too.
    let numbers = numbers.iter().map(u64::to_string).chain(["none".to_owned()]);
    let entries = numbers.map(|jti| json!({ "iss": "https://idp.example.com/", "jti": jti }).to_string());
    assert!(answer(proxy, "lists", &entries.collect::<Vec<_>>().join("\n")), "the list is asked for");
    let fetches = || ["updated", "unchanged"].map(|outcome| proxy.metric(&format!("revocation.fetches.{outcome}")));
    let before = fetches();
    while fetches() == before {
        assert_eq!(proxy.script().tick_ms.get(), 10, "it is read");
        proxy.tick(10);
    }
}

/// Time passes until the list is asked for again, and other documents with it; these are what they were.
fn until_due(proxy: &Proxy) {
    proxy.tick(5_000);
    answer(proxy, "idp", &jwks());
}

/// The ticks that come in this time, as often as the timer is set for. Returns how many these were.
fn run(proxy: &Proxy, milliseconds: u64) -> usize {
    let (mut passed, mut ticks) = (0, 0);
    loop {
        passed += u64::from(proxy.script().tick_ms.get());
        if passed > milliseconds {
            return ticks;
        }
        proxy.tick(u64::from(proxy.script().tick_ms.get()));
        ticks += 1;
    }
}

fn token(claims: &Value) -> String {
    let header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "a" });
    let mut all = json!({
        "iss": "https://idp.example.com/", "aud": "api", "sub": "alice", "iat": START / 1000, "exp": START / 1000 + 100_000,
    });
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    let input = [header, all].map(|part| base64url::encode(part.to_string().as_bytes())).join(".");
    format!("{input}.{}", base64url::encode(&test_key::sign(input.as_bytes())))
}

fn open_with(proxy: &mut Proxy, token: &str) -> u32 {
    let context = proxy.begin(Client::Own);
    proxy.change(context, |stream| {
        let fields = [
            (":method", "GET"),
            (":path", "/orders"),
            (":authority", "api.example.com"),
            ("authorization", &format!("Bearer {token}")),
        ];
        stream.headers = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    });
    assert_eq!(proxy.headers(context, true), Action::Continue, "{:?}", proxy.answers(context));
    context
}

/// An open stream with the token of this number.
fn open(proxy: &mut Proxy, number: u64) -> u32 {
    open_with(proxy, &token(&json!({ "jti": number.to_string() })))
}

fn is_closed(proxy: &Proxy, context: u32) -> bool {
    proxy.stream(context).is_closed
}

#[test]
fn an_entry_closes_the_streams_of_its_token_in_the_tick_in_which_it_comes_and_no_others() {
    let mut proxy = gate(&json!({}));
    let (one, same, other) = (open(&mut proxy, 1), open(&mut proxy, 1), open(&mut proxy, 2));
    run(&proxy, 1_000);
    until_due(&proxy);
    revoke(&proxy, &[1]);
    assert_eq!([one, same, other].map(|context| is_closed(&proxy, context)), [true, true, false]);
    assert_eq!(["revocation", "expiry"].map(|cause| proxy.metric(&format!("streams.closed.{cause}"))), [2, 0]);
    run(&proxy, 1_000);
    assert!(!is_closed(&proxy, other));
    assert_eq!((proxy.metric("streams.open"), proxy.script().tick_ms.get()), (1, 500), "and rest comes back");
}

#[test]
fn streams_are_closed_for_expiry_alone_where_no_more_is_asked_for() {
    let mut proxy = gate(&json!({ "default": { "close_streams": "expiry" } }));
    let stream = open(&mut proxy, 1);
    until_due(&proxy);
    revoke(&proxy, &[1]);
    run(&proxy, 1_000);
    assert!(!is_closed(&proxy, stream));
    proxy.tick((100_000 + 20) * 1000);
    assert!(is_closed(&proxy, stream));
    assert_eq!(proxy.metric("streams.closed.expiry"), 1);
}

#[test]
fn a_key_that_is_withdrawn_closes_and_keys_that_are_too_old_do_not() {
    let mut proxy = gate(&json!({}));
    let stream = open(&mut proxy, 1);
    // More than `max_stale` later the keys are gone.
    for _ in 0..20 {
        proxy.tick(10_000);
        proxy.answer_all(503);
    }
    let refused = proxy.request(Client::Good);
    proxy.tick(10_000);
    assert_eq!(proxy.answers(refused), ["scopegate_keys_unavailable"]);
    assert!(!is_closed(&proxy, stream), "an outage closes nothing");
    while !answer(&proxy, "idp", OTHER_KEYS) {
        proxy.tick(10_000);
    }
    proxy.tick(5);
    assert!(is_closed(&proxy, stream), "another key has its name");
}

#[test]
fn a_status_that_changes_closes_and_a_list_that_only_streams_use_stays_fresh() {
    let mut proxy = gate(&json!({}));
    let with_status = token(&json!({ "status": { "status_list": { "idx": 0, "uri": STATUS_LIST } } }));
    let context = proxy.begin(Client::WithStatus);
    proxy.headers(context, true);
    proxy.tick(5);
    assert_eq!(proxy.answer_with_status(0), 1);
    proxy.tick(10);
    let other = open(&mut proxy, 1);
    let stream = open_with(&mut proxy, &with_status);
    proxy.end(context);
    // No other request names the list meanwhile.
    for _ in 0..115 {
        proxy.tick(10_000);
        answer(&proxy, "idp", &jwks());
        answer(&proxy, "lists", r#"{"iss":"https://idp.example.com/","jti":"none"}"#);
        run(&proxy, 50);
    }
    assert_eq!(proxy.metric("status_list.held"), 1);
    assert!(!is_closed(&proxy, stream));
    while proxy.answer_with_status(2) == 0 {
        proxy.tick(10_000);
    }
    run(&proxy, 100);
    assert_eq!((is_closed(&proxy, stream), is_closed(&proxy, other)), (true, false));
    assert_eq!(proxy.metric("streams.closed.revocation"), 1);
    proxy.end(stream);
    (0..100).for_each(|_| proxy.tick(10_000));
    assert_eq!(proxy.metric("status_list.held"), 0, "nothing uses it any longer");
}

#[test]
fn many_streams_are_judged_and_closed_in_slices_and_within_a_second() {
    let mut proxy = gate(&json!({}));
    let (bad, good) = (token(&json!({ "jti": "1" })), token(&json!({ "jti": "2" })));
    let streams: Vec<(u32, bool)> = (0..1_200)
        .map(|number: usize| {
            let is_bad = number.is_multiple_of(2);
            (open_with(&mut proxy, if is_bad { &bad } else { &good }), is_bad)
        })
        .collect();
    run(&proxy, 1_000);
    until_due(&proxy);
    revoke(&proxy, &[1]);
    let count = |proxy: &Proxy| streams.iter().filter(|(context, _)| is_closed(proxy, *context)).count();
    assert_eq!((count(&proxy), proxy.script().tick_ms.get()), (100, 5), "1000 have been judged, and 100 closed");
    run(&proxy, 200);
    assert_eq!(count(&proxy), 600);
    assert!(streams.iter().all(|(context, is_bad)| is_closed(&proxy, *context) == *is_bad));
}

#[test]
fn what_changes_while_streams_are_judged_is_seen_by_those_that_have_been() {
    let mut proxy = gate(&json!({ "limits": { "wasm_crypto_percent": 100 } }));
    let good = token(&json!({ "jti": "2" }));
    let streams: Vec<u32> = (0..1_100).map(|_| open_with(&mut proxy, &good)).collect();
    let count = |proxy: &Proxy| streams.iter().filter(|context| is_closed(proxy, **context)).count();
    run(&proxy, 1_000);
    proxy.tick(11_000);
    revoke(&proxy, &[7]);
    assert_eq!((count(&proxy), proxy.script().tick_ms.get()), (0, 10), "1000 have been judged, and are good");
    assert!(answer(&proxy, "idp", OTHER_KEYS));
    run(&proxy, 500);
    assert_eq!(count(&proxy), 1_100);
}

#[test]
fn beyond_the_limit_a_request_passes_unwatched_where_that_is_said() {
    let limits = json!({ "open_streams": 1, "open_streams_when_full": "unwatched", "wasm_crypto_percent": 100 });
    let mut proxy = gate(&json!({ "limits": limits }));
    let (watched, unwatched) = (open(&mut proxy, 1), open(&mut proxy, 1));
    run(&proxy, 1_000);
    assert_eq!((proxy.metric("streams.open"), proxy.metric("streams.unwatched")), (1, 1));
    until_due(&proxy);
    revoke(&proxy, &[1]);
    run(&proxy, 1_000);
    assert_eq!((is_closed(&proxy, watched), is_closed(&proxy, unwatched)), (true, false));
}

/// Issuers have numbers of their own in each configuration.
#[test]
fn a_gate_judges_the_streams_that_it_let_pass_and_no_others() {
    let mut proxy = gate(&json!({}));
    let stream = open(&mut proxy, 1);
    proxy.filter.on_context_create(7, 0);
    proxy.host.enter(7);
    assert!(proxy.filter.on_configure(7));
    for body in [OTHER_KEYS, ""] {
        proxy.filter.on_tick(7);
        let callouts = proxy.script().callouts.borrow().clone();
        for (token, _) in callouts.into_iter().filter(|(_, cluster)| cluster == "idp" && !body.is_empty()) {
            proxy.script().callouts.borrow_mut().remove(&token);
            *proxy.script().answer.borrow_mut() =
                (crate::shell::pairs::serialise(&[(":status", "200")]), body.to_owned().into());
            proxy.filter.on_http_call_response(7, token, 1, body.len());
        }
    }
    proxy.filter.on_tick(7);
    proxy.host.enter(ROOT);
    assert!(!is_closed(&proxy, stream));
}

/// Something that happens.
#[derive(Clone, Debug)]
enum Step {
    /// A stream opens with the token of this number.
    Open(u64),
    /// The stream of this place ends, if it is there.
    End(usize),
    /// The list comes, with these tokens in it.
    Revoke(Vec<u64>),
    /// Milliseconds pass.
    Tick(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..6_u64).prop_map(Step::Open),
        2 => (0..30_usize).prop_map(Step::End),
        2 => proptest::collection::vec(0..6_u64, 0..3).prop_map(Step::Revoke),
        2 => prop_oneof![Just(0), Just(5), Just(500)].prop_map(Step::Tick),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn each_stream_is_closed_once_when_a_list_has_its_token_and_never_when_it_is_gone(
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        let mut proxy = gate(&json!({}));
        let mut there: Vec<(u32, u64)> = Vec::new();
        let (mut revoked, mut closed): (Vec<u64>, i64) = (Vec::new(), 0);
        for step in steps {
            match step {
                Step::Open(number) if !revoked.contains(&number) => there.push((open(&mut proxy, number), number)),
                Step::Open(_) => {}
                Step::End(place) => {
                    if place < there.len() {
                        let (context, _) = there.remove(place);
                        proxy.end(context);
                    }
                }
                Step::Revoke(numbers) => {
                    until_due(&proxy);
                    revoke(&proxy, &numbers);
                    revoked = numbers;
                    run(&proxy, 100);
                }
                Step::Tick(milliseconds) => proxy.tick(milliseconds),
            }
            let (over, good): (Vec<_>, Vec<_>) = there.iter().copied().partition(|(_, number)| revoked.contains(number));
            for (context, _) in &over {
                prop_assert!(is_closed(&proxy, *context));
                proxy.end(*context);
            }
            prop_assert!(good.iter().all(|(context, _)| !is_closed(&proxy, *context)));
            closed += i64::try_from(over.len()).unwrap();
            prop_assert_eq!(proxy.metric("streams.closed.revocation"), closed);
            there = good;
        }
    }
}
