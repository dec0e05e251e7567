//! Opaque tokens: requests that wait for what an issuer says of them.

use super::super::pairs;
use super::super::scripted::{HostStream, NO_CLUSTER, ScriptedHost};
use super::Filter;
use super::proxy::{Client, Proxy, ROOT, Reports, START};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::rc::Rc;

/// The timeout of the issuer, in milliseconds, and the time after it at which an answer is taken for lost.
const TIMEOUT: u64 = 1000;
const LOST: u64 = TIMEOUT + 1000;

const INACTIVE: &str = r#"{"active":false}"#;

/// An active token of alice that expires after so many seconds from the start.
fn active_for(seconds: u64) -> String {
    let now = START / 1000;
    json!({ "active": true, "token_type": "Bearer", "sub": "alice", "aud": "api", "exp": now + seconds }).to_string()
}

fn active() -> String {
    active_for(3600)
}

/// A gate whose issuer is asked, with these members of `introspection` and of the configuration.
fn gate_with(terms: &Value, more: &Value) -> Proxy {
    Proxy::configured(&members(terms, more))
}

fn members(terms: &Value, more: &Value) -> Value {
    let mut introspection = json!({
        "uri": "https://idp.example.com/introspect", "cluster": "idp", "client_id": "gate", "secret": { "env": "SECRET" },
    });
    introspection.as_object_mut().unwrap().extend(terms.as_object().unwrap().clone());
    let issuer = json!({ "issuer": "https://idp.example.com/", "audiences": ["api"], "introspection": introspection });
    let mut members = json!({ "issuers": [issuer] });
    members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    members
}

fn gate() -> Proxy {
    gate_with(&json!({}), &json!({}))
}

/// The questions that have not been answered: the token of the callout, and the number of the opaque token.
fn asked(proxy: &Proxy) -> Vec<(u32, u32)> {
    let callouts = proxy.script().callouts.borrow();
    let bodies = proxy.script().bodies.borrow();
    let number = |body: &str| {
        let token =
            body.strip_prefix("token=opaque_").and_then(|rest| rest.strip_suffix("&token_type_hint=access_token"));
        token.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{body}"))
    };
    callouts.keys().map(|call| (*call, number(&bodies[call]))).collect()
}

/// How many questions have ever been asked.
fn count_asked(proxy: &Proxy) -> usize {
    proxy.script().bodies.borrow().len()
}

fn say(proxy: &Proxy, status: u16, body: &str) {
    let (call, _) = *asked(proxy).first().expect("a question under way");
    proxy.answer_with(call, status, body.to_owned());
}

fn passed(proxy: &Proxy, context: u32) -> bool {
    proxy.stream(context).upstream.is_some()
}

/// A request with an opaque token from this address.
fn request_from(proxy: &mut Proxy, number: u32, address: &str) -> u32 {
    let context = proxy.begin(Client::Opaque(number));
    proxy.script().streams.borrow_mut().get_mut(&context).unwrap().address = format!("{address}:1");
    proxy.headers(context, true);
    context
}

#[test]
fn a_request_waits_for_its_issuer_and_passes_where_the_token_is_active() {
    let mut proxy = gate();
    let context = proxy.request(Client::Opaque(1));
    assert!(proxy.stream(context).is_undecided());
    assert_eq!((asked(&proxy).len(), asked(&proxy)[0].1, proxy.metric("waiting")), (1, 1, 1));
    say(&proxy, 200, &active());
    assert!(passed(&proxy, context));
    assert_eq!((proxy.metric("introspection.active"), proxy.metric("waiting")), (1, 0));
}

#[test]
fn what_is_active_is_remembered_for_the_time_of_the_cache_and_never_beyond_exp() {
    for (cache, exp, holds) in [("30s", 3600, 30_000), ("5s", 3600, 5000), ("1h", 20, 20_000)] {
        let mut proxy = gate_with(&json!({ "cache": cache }), &json!({}));
        proxy.request(Client::Opaque(1));
        say(&proxy, 200, &active_for(exp));
        proxy.tick(holds - 1);
        let again = proxy.request(Client::Opaque(1));
        assert!(passed(&proxy, again) && count_asked(&proxy) == 1, "{cache} {exp}");
        let other = proxy.request(Client::Opaque(2));
        assert!(proxy.stream(other).is_undecided(), "another token is another question");
        say(&proxy, 200, INACTIVE);
        proxy.tick(1);
        let later = proxy.request(Client::Opaque(1));
        assert!(proxy.stream(later).is_undecided(), "{cache} {exp}");
        say(&proxy, 200, INACTIVE);
        assert_eq!(proxy.answers(later), ["scopegate_inactive"]);
    }
}

#[test]
fn without_a_cache_each_request_asks_and_equal_tokens_of_one_moment_ask_once() {
    for (terms, more) in [(json!({ "cache": "0s" }), json!({})), (json!({}), json!({ "cache": { "entries": 0 } }))] {
        let mut proxy = gate_with(&terms, &more);
        let both = [proxy.request(Client::Opaque(1)), proxy.request(Client::Opaque(1))];
        assert_eq!((asked(&proxy).len(), proxy.metric("waiting")), (1, 2));
        say(&proxy, 200, &active());
        assert!(both.iter().all(|context| passed(&proxy, *context)), "{terms}");
        let later = proxy.request(Client::Opaque(1));
        assert!(proxy.stream(later).is_undecided() && count_asked(&proxy) == 2, "{terms}");
        say(&proxy, 200, INACTIVE);
        assert_eq!(proxy.answers(later), ["scopegate_inactive"]);
    }
}

#[test]
fn what_is_not_active_is_known_for_ten_seconds() {
    let mut proxy = gate();
    let first = proxy.request(Client::Opaque(1));
    say(&proxy, 200, INACTIVE);
    assert_eq!(proxy.answers(first), ["scopegate_inactive"]);
    proxy.tick(9999);
    let again = proxy.request(Client::Opaque(1));
    assert_eq!((proxy.answers(again), count_asked(&proxy)), (vec!["scopegate_inactive".to_owned()], 1));
    proxy.tick(1);
    let later = proxy.request(Client::Opaque(1));
    say(&proxy, 200, &active());
    assert!(passed(&proxy, later));
    proxy.tick(0);
    assert_eq!((proxy.metric("introspection.inactive"), proxy.metric("denied.inactive")), (1, 2));
}

#[test]
fn an_answer_that_says_nothing_lets_nothing_pass_and_is_not_remembered() {
    let long = format!("{}{}", active(), " ".repeat(65_536));
    for (status, body, kind) in [
        (200, r#"{"active":"true"}"#, "invalid"),
        (200, r#"{"active":1}"#, "invalid"),
        (200, r#"{"active":false,"active":true}"#, "invalid"),
        (200, r#"{"sub":"alice"}"#, "invalid"),
        (200, r#"{"active":true,"exp":"9999999999"}"#, "invalid"),
        (200, "<html>", "invalid"),
        (200, "", "invalid"),
        (200, long.as_str(), "too_large"),
        (201, r#"{"active":true}"#, "status"),
        (204, "", "status"),
        (302, r#"{"active":true}"#, "status"),
        (304, r#"{"active":true}"#, "status"),
        (401, INACTIVE, "status"),
        (500, INACTIVE, "status"),
        (503, r#"{"active":true}"#, "unreachable"),
        (504, r#"{"active":true}"#, "timeout"),
    ] {
        let mut proxy = gate();
        let context = proxy.request(Client::Opaque(1));
        say(&proxy, status, body);
        assert_eq!(proxy.answers(context), ["scopegate_introspection_unavailable"], "{status} {body}");
        assert_eq!(proxy.metric(&format!("introspection.{kind}")), 1, "{status} {body}");
        let again = proxy.request(Client::Opaque(1));
        assert!(proxy.stream(again).is_undecided(), "it asks again: {status} {body}");
        say(&proxy, 200, &active());
        assert!(passed(&proxy, again));
    }
}

#[test]
fn an_answer_that_is_lost_or_cannot_be_asked_for_does_not_hang() {
    let mut proxy = gate();
    let context = proxy.request(Client::Opaque(1));
    let (call, _) = asked(&proxy)[0];
    proxy.tick(LOST - 1);
    assert!(proxy.stream(context).is_undecided());
    proxy.tick(1);
    assert_eq!(proxy.answers(context), ["scopegate_introspection_unavailable"]);
    proxy.answer_with(call, 200, active());
    let again = proxy.request(Client::Opaque(1));
    assert!(proxy.stream(again).is_undecided(), "an answer that comes later changes nothing");
    assert_eq!((proxy.metric("introspection.timeout"), proxy.metric("waiting")), (1, 1));
    let mut proxy = gate_with(&json!({ "cluster": NO_CLUSTER }), &json!({}));
    let context = proxy.request(Client::Opaque(1));
    assert_eq!(proxy.answers(context), ["scopegate_introspection_unavailable"]);
    assert_eq!((proxy.metric("introspection.no_cluster"), proxy.metric("waiting")), (1, 0));
}

#[test]
fn a_claim_of_the_answer_that_is_wrong_refuses_the_token_and_is_remembered() {
    let mut proxy = gate();
    for _ in 0..2 {
        let context = proxy.request(Client::Opaque(1));
        asked(&proxy).iter().for_each(|(call, _)| {
            proxy.answer_with(*call, 200, active().replace("\"api\"", "\"other\""));
        });
        assert_eq!(proxy.answers(context), ["scopegate_wrong_audience"]);
    }
    assert_eq!(count_asked(&proxy), 1);
}

#[test]
fn sixty_four_are_asked_at_once_and_the_others_in_turn_by_client_network() {
    let mut proxy = gate_with(&json!({ "timeout": "3s" }), &json!({}));
    let flood: Vec<u32> = (0..100).map(|number| request_from(&mut proxy, number, "192.0.2.7")).collect();
    let other = request_from(&mut proxy, 500, "198.51.100.1");
    assert_eq!((asked(&proxy).len(), proxy.metric("waiting")), (64, 101));
    say(&proxy, 200, &active());
    assert!(passed(&proxy, flood[0]));
    assert_eq!(asked(&proxy).last().map(|(_, number)| *number), Some(64), "who waited longest is next");
    say(&proxy, 200, &active());
    assert_eq!(asked(&proxy).last().map(|(_, number)| *number), Some(500), "and then the other network");
    assert_eq!(asked(&proxy).len(), 64);
    for _ in 0..98 {
        say(&proxy, 200, &active());
    }
    assert!(asked(&proxy).is_empty(), "a hundred have been asked in this second");
    proxy.tick(1000);
    say(&proxy, 200, &active());
    assert!(passed(&proxy, other) && flood.iter().all(|context| passed(&proxy, *context)), "none is forgotten");
}

#[test]
fn a_hundred_are_asked_in_a_second() {
    let mut proxy = gate_with(&json!({ "timeout": "3s" }), &json!({}));
    for number in 0..130 {
        request_from(&mut proxy, number, "192.0.2.7");
        asked(&proxy).iter().for_each(|(call, _)| proxy.answer_with(*call, 200, active()));
    }
    assert_eq!((count_asked(&proxy), proxy.metric("waiting")), (100, 30));
    assert!(proxy.script().tick_ms.get() <= 50, "those that wait are looked after soon");
    proxy.tick(999);
    assert_eq!(count_asked(&proxy), 100);
    proxy.tick(1);
    assert_eq!(count_asked(&proxy), 130);
    asked(&proxy).iter().for_each(|(call, _)| proxy.answer_with(*call, 200, active()));
    assert_eq!(proxy.metric("waiting"), 0);
}

#[test]
fn who_waits_too_long_for_a_turn_or_finds_no_room_is_told_so() {
    let mut proxy = gate_with(&json!({}), &json!({ "limits": { "waiting_requests": 70 } }));
    let flood: Vec<u32> = (0..134).map(|number| request_from(&mut proxy, number, "192.0.2.7")).collect();
    assert!(flood.iter().all(|context| proxy.stream(*context).is_undecided()));
    let own = request_from(&mut proxy, 900, "192.0.2.8");
    assert_eq!(proxy.answers(own), ["scopegate_too_busy"], "its own network has taken the room");
    let other = request_from(&mut proxy, 901, "198.51.100.1");
    assert!(proxy.stream(other).is_undecided(), "another network finds room");
    proxy.tick(5);
    assert_eq!(proxy.answers(flood[133]), ["scopegate_too_busy"], "the last one of the first gave way");
    assert!(proxy.stream(flood[132]).is_undecided());
    let joins = request_from(&mut proxy, 0, "198.51.100.1");
    assert_eq!(proxy.answers(joins), ["scopegate_too_busy"], "also who wants what has been asked needs a place");
    proxy.tick(TIMEOUT - 5);
    assert_eq!(proxy.answers(flood[132]), ["scopegate_too_busy"]);
    assert!(proxy.stream(flood[0]).is_undecided(), "what has been asked goes on waiting");
    let mut proxy = gate_with(&json!({}), &json!({ "limits": { "waiting_requests": 0 } }));
    let context = proxy.request(Client::Opaque(1));
    assert_eq!((proxy.answers(context), count_asked(&proxy)), (vec!["scopegate_too_busy".to_owned()], 0));
}

#[test]
fn nothing_is_asked_for_a_request_that_is_gone() {
    let mut proxy = gate();
    let all: Vec<u32> = (0..66).map(|number| proxy.request(Client::Opaque(number))).collect();
    proxy.end(all[64]);
    say(&proxy, 200, &active());
    assert_eq!(asked(&proxy).last().map(|(_, number)| *number), Some(65));
    assert_eq!(count_asked(&proxy), 65);
}

#[test]
fn report_only_waits_and_then_passes_whatever_the_issuer_says() {
    for (status, body, reason) in [
        (200, active(), None),
        (200, INACTIVE.to_owned(), Some("inactive")),
        (500, String::new(), Some("introspection_unavailable")),
    ] {
        let more = json!({ "report_only": true });
        let mut proxy = Proxy::reporting_with(Reports::Everything, &members(&json!({}), &more));
        let context = proxy.request(Client::Opaque(1));
        assert!(proxy.stream(context).is_undecided());
        say(&proxy, status, &body);
        assert!(passed(&proxy, context), "{reason:?}");
        proxy.tick(0);
        let reported = reason.map_or(0, |reason| proxy.metric(&format!("would_deny.{reason}")));
        assert_eq!(reported, i64::from(reason.is_some()), "{reason:?}");
    }
}

#[test]
fn a_policy_without_introspection_makes_no_call_for_opaque_tokens() {
    let mut proxy = Proxy::with_keys();
    proxy.script().calls.borrow_mut().clear();
    let context = proxy.request(Client::Opaque(1));
    assert_eq!(proxy.answers(context), ["scopegate_malformed_token"]);
    assert!(!proxy.script().calls.borrow().contains(&"http_call"));
}

/// A request, without what the proxy of other tests checks after each step.
fn send(host: &ScriptedHost, filter: &Filter<ScriptedHost>, context: u32, token: &str) {
    let headers =
        [(":method", "GET"), (":path", "/orders"), (":authority", "a"), ("authorization", &format!("Bearer {token}"))];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let stream = HostStream { headers, address: "192.0.2.7:1".to_owned(), ..HostStream::default() };
    host.script().streams.borrow_mut().insert(context, stream);
    filter.on_context_create(context, ROOT);
    host.enter(context);
    filter.on_request_headers(context, true);
    host.enter(ROOT);
}

#[test]
fn a_hundred_thousand_random_tokens_cost_a_hundred_questions_a_second_and_push_out_no_good_token() {
    let host = Proxy::host(&members(&json!({ "cache": "1h" }), &json!({})));
    let filter = Rc::new(Filter::new(host.clone()));
    filter.on_context_create(ROOT, 0);
    host.enter(ROOT);
    assert!(filter.on_configure(ROOT));
    let answer = |call: u32, body: &str| {
        host.script().callouts.borrow_mut().remove(&call);
        *host.script().answer.borrow_mut() = (pairs::serialise(&[(":status", "200")]), body.into());
        filter.on_http_call_response(ROOT, call, 1, body.len());
    };
    send(&host, &filter, 10, "good");
    let call = *host.script().callouts.borrow().keys().next().unwrap();
    answer(call, &active());
    let (mut most_waiting, mut refused) = (0, 0);
    for number in 0..100_000_u32 {
        let context = 11;
        send(&host, &filter, context, &format!("{number:x}-{}", u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        most_waiting =
            most_waiting.max(host.script().values.borrow().get("scopegate.waiting").copied().unwrap_or_default());
        let calls: Vec<u32> = host.script().callouts.borrow().keys().copied().collect();
        calls.into_iter().for_each(|call| answer(call, INACTIVE));
        refused += usize::from(!host.script().streams.borrow()[&context].answers.is_empty());
        host.script().streams.borrow_mut().get_mut(&context).unwrap().is_gone = true;
        filter.on_delete(context);
        if number % 10 == 0 {
            host.script().now_ms.set(START + u64::from(number));
            filter.on_tick(ROOT);
        }
        host.script().calls.borrow_mut().clear();
    }
    let asked = host.script().bodies.borrow().len();
    assert!(asked <= 1 + 100 * 101, "{asked} questions in 100 s");
    assert!(most_waiting <= 257 && refused > 9000, "{most_waiting} {refused}");
    send(&host, &filter, 12, "good");
    assert!(host.script().streams.borrow()[&12].answers.is_empty(), "the good token is still known");
    assert_eq!(host.script().bodies.borrow().len(), asked);
}

/// Something that happens to a gate.
#[derive(Clone, Copy, Debug)]
enum Step {
    Request(u32),
    /// The question is answered so.
    Answer(usize, u8),
    End(usize),
    Tick(u64),
    /// The host refuses the call after so many others.
    Refuse(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..4_u32).prop_map(Step::Request),
        6 => (0..4_usize, 0..6_u8).prop_map(|(which, how)| Step::Answer(which, how)),
        1 => (0..8_usize).prop_map(Step::End),
        2 => prop_oneof![Just(0), Just(50), Just(TIMEOUT), Just(LOST), Just(30_000)].prop_map(Step::Tick),
        1 => (0..8_usize).prop_map(Step::Refuse),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Tokens of an odd number are never active.
    #[test]
    fn in_whatever_order_things_happen_only_active_tokens_pass_and_none_hangs(
        refuses: bool,
        places in prop_oneof![Just(1), Just(3), Just(256)],
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let mut proxy = gate_with(&json!({ "cache": "20s" }), &json!({ "limits": { "waiting_requests": places } }));
        let mut streams: Vec<(u32, u32)> = Vec::new();
        for step in steps.into_iter().filter(|step| refuses || !matches!(step, Step::Refuse(_))) {
            match step {
                Step::Request(number) => {
                    let context = proxy.request(Client::Opaque(number));
                    streams.push((context, number));
                }
                Step::Answer(which, how) => {
                    if let Some((call, number)) = asked(&proxy).get(which).copied() {
                        let said = if number % 2 == 0 { active() } else { INACTIVE.to_owned() };
                        let (status, body) = match how {
                            0..3 => (200, said),
                            3 => (200, r#"{"active":"true"}"#.to_owned()),
                            4 => (302, active()),
                            _ => (503, String::new()),
                        };
                        proxy.answer_with(call, status, body);
                    }
                }
                Step::End(which) => {
                    if let Some((context, _)) = streams.get(which).filter(|(context, _)| !proxy.stream(*context).is_gone) {
                        proxy.end(*context);
                    }
                }
                Step::Tick(milliseconds) => proxy.tick(milliseconds),
                Step::Refuse(after) => {
                    let calls = proxy.script().calls.borrow().len();
                    proxy.script().refused.set(Some(calls + after));
                }
            }
            prop_assert!(streams.iter().all(|(context, number)| number % 2 == 0 || !passed(&proxy, *context)), "{:?}", step);
        }
        proxy.tick(LOST);
        proxy.tick(LOST);
        if !refuses {
            for (context, _) in &streams {
                let stream = proxy.stream(*context);
                prop_assert!(stream.is_gone || !stream.is_undecided(), "{:?}", stream);
            }
            prop_assert_eq!(proxy.metric("waiting"), 0);
        }
    }
}
