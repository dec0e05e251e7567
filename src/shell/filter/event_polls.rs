//! Events that are asked for: one worker polls, and what comes is revoked for all.

use super::super::pairs;
use super::super::scripted::{NO_CLUSTER, ScriptedHost};
use super::Filter;
use super::proxy::{Client, Proxy, START, jwks};
use crate::base::base64url;
use crate::crypto::test_key;
use serde_json::{Value, json};
use std::rc::Rc;

const OTHER_ROOT: u32 = 2;
const INTERVAL: u64 = 5000;
const TIMEOUT: u64 = 2000;
const GRACE: u64 = 1000;
const ISSUER: &str = "https://idp.example.com/";
const OTHER_ISSUER: &str = "https://other.example.com/";

fn members(cluster: &str) -> Value {
    let issuer = |iss: &str, name: &str| {
        json!({
            "issuer": iss, "name": name, "audiences": ["api"],
            "jwks": { "uri": format!("{iss}jwks"), "cluster": name, "timeout": "2s", "refresh": "1h" },
        })
    };
    let poll = json!({ "uri": "https://idp.example.com/poll", "cluster": cluster });
    json!({
        "issuers": [issuer(ISSUER, "idp"), issuer(OTHER_ISSUER, "other")],
        "events": {
            "path": "/events",
            "issuers": { "idp": { "audience": "gate", "poll": poll }, "other": { "audience": "gate" } },
        },
    })
}

/// A gate whose keys are there, and whose first poll has not been answered.
fn gate() -> Proxy {
    with(&members("events"))
}

fn with(members: &Value) -> Proxy {
    let proxy = Proxy::configured(members);
    proxy.tick(0);
    let keys: Vec<u32> = of_clusters(&proxy, |cluster| cluster != "events");
    keys.into_iter().for_each(|token| proxy.answer(token, 200));
    proxy.script().now_ms.set(START + 1);
    proxy
}

fn of_clusters(proxy: &Proxy, is_one: impl Fn(&str) -> bool) -> Vec<u32> {
    let callouts = proxy.script().callouts.borrow();
    callouts.iter().filter(|(_, cluster)| is_one(cluster)).map(|(token, _)| *token).collect()
}

/// The poll that is under way: the token of the callout, and its body.
fn polled(proxy: &Proxy) -> Option<(u32, Value)> {
    let [token] = of_clusters(proxy, |cluster| cluster == "events")[..] else { return None };
    Some((token, serde_json::from_str(&proxy.script().bodies.borrow()[&token]).unwrap()))
}

/// A Security Event Token: of this `jti`, about the token of this `jti`.
fn event(id: &str, about: &str, changed: &Value) -> String {
    let mut header = json!({ "alg": "EdDSA", "typ": "secevent+jwt", "kid": "a" });
    let mut claims = json!({
        "iss": ISSUER, "aud": "gate", "iat": START / 1000, "jti": id,
        "sub_id": { "format": "jwt_id", "iss": ISSUER, "jti": about },
        "events": { "https://schemas.openid.net/secevent/oauth/event-type/tokens-revoked": {} },
    });
    for (name, value) in changed.as_object().unwrap() {
        let of = if name == "kid" { &mut header } else { &mut claims };
        of[name] = value.clone();
    }
    let input = [header, claims].map(|part| base64url::encode(part.to_string().as_bytes())).join(".");
    format!("{input}.{}", base64url::encode(&test_key::sign(input.as_bytes())))
}

fn good(id: &str, about: &str) -> (String, String) {
    (id.to_owned(), event(id, about, &json!({})))
}

fn say(proxy: &Proxy, sets: &[(String, String)], has_more: bool) {
    let (token, _) = polled(proxy).expect("a poll under way");
    let sets: serde_json::Map<String, Value> = sets.iter().map(|(id, set)| (id.clone(), set.as_str().into())).collect();
    proxy.answer_with(token, 200, json!({ "sets": sets, "moreAvailable": has_more }).to_string());
}

fn passes(proxy: &mut Proxy, id: u8) -> bool {
    let context = proxy.request(Client::Once(id));
    let stream = proxy.stream(context);
    assert!(!stream.is_undecided());
    stream.upstream.is_some()
}

/// Another worker of the same process.
struct Other(Rc<Filter<ScriptedHost>>);

impl Other {
    fn of(proxy: &Proxy) -> Self {
        let filter = Rc::new(Filter::new(proxy.host.clone()));
        // The number of a worker is random.
        proxy.script().random.set(8);
        filter.on_context_create(OTHER_ROOT, 0);
        proxy.host.enter(OTHER_ROOT);
        assert!(filter.on_configure(OTHER_ROOT));
        proxy.script().random.set(7);
        Self(filter)
    }

    fn tick(&self, proxy: &Proxy) {
        proxy.host.enter(OTHER_ROOT);
        self.0.on_tick(OTHER_ROOT);
        let keys = of_clusters(proxy, |cluster| cluster != "events");
        for token in keys {
            self.answer(proxy, token, &jwks());
        }
    }

    fn answer(&self, proxy: &Proxy, token: u32, body: &str) {
        proxy.script().callouts.borrow_mut().remove(&token);
        *proxy.script().answer.borrow_mut() = (pairs::serialise(&[(":status", "200")]), body.into());
        proxy.host.enter(OTHER_ROOT);
        self.0.on_http_call_response(OTHER_ROOT, token, 1, body.len());
    }
}

#[test]
fn an_event_that_is_polled_revokes_and_is_acknowledged_by_the_next_poll() {
    let mut proxy = gate();
    let (_, asked) = polled(&proxy).expect("the first poll");
    assert_eq!(asked, json!({ "maxEvents": 20, "returnImmediately": true }), "at most those of a second");
    assert!(passes(&mut proxy, 1));
    say(&proxy, &[good("e1", "1")], false);
    assert!(!passes(&mut proxy, 1), "revoked at once");
    assert!(passes(&mut proxy, 2));
    proxy.tick(INTERVAL - 1000);
    assert!(polled(&proxy).is_none(), "not before it is due");
    proxy.tick(1000);
    let (_, asked) = polled(&proxy).expect("the next poll");
    assert_eq!(asked["ack"], json!(["e1"]));
    assert_eq!(asked.get("setErrs"), None);
    say(&proxy, &[], false);
    proxy.tick(INTERVAL);
    assert_eq!(polled(&proxy).expect("the third").1.get("ack"), None);
    proxy.tick(0);
    assert_eq!((proxy.metric("events.polls.with_events"), proxy.metric("events.polls.without_events")), (1, 1));
    assert_eq!((proxy.metric("events.polled.taken"), proxy.metric("events_received")), (1, 1));
    assert_eq!(proxy.metric("denied.revoked"), 1);
}

#[test]
fn what_is_wrong_with_an_event_is_said_with_the_next_poll_and_the_others_count() {
    let mut proxy = gate();
    let forged = |id: &str, about: &str| {
        let set = event(id, about, &json!({}));
        let other = event(id, "another", &json!({}));
        format!("{}.{}", set.rsplit_once('.').unwrap().0, other.rsplit_once('.').unwrap().1)
    };
    let sets = [
        ("forged".to_owned(), forged("forged", "1")),
        ("audience".to_owned(), event("audience", "2", &json!({ "aud": "another gate" }))),
        ("issuer".to_owned(), event("issuer", "3", &json!({ "iss": OTHER_ISSUER }))),
        ("name".to_owned(), event("another name", "4", &json!({}))),
        ("text".to_owned(), "x".to_owned()),
        good("good", "5"),
    ];
    say(&proxy, &sets, false);
    for id in 1..=5 {
        assert_eq!(passes(&mut proxy, id), id != 5, "{id}");
    }
    proxy.tick(INTERVAL);
    let (_, asked) = polled(&proxy).expect("the next poll");
    assert_eq!(asked["ack"], json!(["good"]));
    let codes: Vec<(&str, &str)> = asked["setErrs"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(id, error)| {
            assert!(error["description"].as_str().is_some_and(|why| !why.is_empty()), "{error}");
            (id.as_str(), error["err"].as_str().unwrap())
        })
        .collect();
    let wanted = [
        ("audience", "invalid_audience"),
        ("forged", "invalid_key"),
        ("issuer", "invalid_issuer"),
        ("name", "invalid_request"),
        ("text", "invalid_request"),
    ];
    assert_eq!(codes, wanted);
    proxy.tick(0);
    assert_eq!((proxy.metric("events.polled.refused"), proxy.metric("events.polled.taken")), (5, 1));
}

#[test]
fn an_event_with_a_new_key_is_left_until_keys_are_fetched_and_taken_at_once_then() {
    let mut proxy = gate();
    say(&proxy, &[("e1".to_owned(), event("e1", "1", &json!({ "kid": "b" })))], false);
    assert!(passes(&mut proxy, 1));
    proxy.tick(10);
    let [fetch] = of_clusters(&proxy, |cluster| cluster == "idp")[..] else { panic!("keys are asked for") };
    assert!(polled(&proxy).is_none());
    proxy.answer_with(fetch, 200, jwks().replace("\"a\"", "\"b\""));
    proxy.tick(10);
    let (_, asked) = polled(&proxy).expect("it is asked for again");
    assert_eq!((asked.get("ack"), asked.get("setErrs")), (None, None), "neither taken nor refused");
    say(&proxy, &[("e1".to_owned(), event("e1", "1", &json!({ "kid": "b" })))], false);
    proxy.tick(INTERVAL);
    assert_eq!(polled(&proxy).expect("the next poll").1["ack"], json!(["e1"]));
    assert_eq!((proxy.metric("events.polled.left"), proxy.metric("events.polled.taken")), (1, 1));
}

#[test]
fn an_event_whose_key_is_not_in_new_keys_is_refused_and_one_whose_keys_cannot_be_fetched_is_left() {
    let proxy = gate();
    let unknown = [("e1".to_owned(), event("e1", "1", &json!({ "kid": "b" })))];
    say(&proxy, &unknown, false);
    proxy.tick(10);
    of_clusters(&proxy, |cluster| cluster == "idp").into_iter().for_each(|token| proxy.answer(token, 500));
    proxy.tick(10);
    assert!(polled(&proxy).is_none(), "nothing has come");
    proxy.tick(INTERVAL);
    say(&proxy, &unknown, false);
    proxy.tick(10);
    of_clusters(&proxy, |cluster| cluster == "idp").into_iter().for_each(|token| proxy.answer(token, 200));
    proxy.tick(10);
    let (_, asked) = polled(&proxy).expect("at once");
    assert_eq!(asked.get("setErrs"), None);
    say(&proxy, &unknown, false);
    proxy.tick(INTERVAL);
    assert_eq!(polled(&proxy).expect("the next").1["setErrs"]["e1"]["err"], "invalid_key");
}

#[test]
fn while_there_are_no_keys_at_all_events_are_left() {
    let proxy = Proxy::configured(&members("events"));
    proxy.tick(0);
    say(&proxy, &[good("e1", "1")], false);
    of_clusters(&proxy, |cluster| cluster == "idp").into_iter().for_each(|token| proxy.answer(token, 503));
    proxy.tick(INTERVAL);
    let (_, asked) = polled(&proxy).expect("the next poll");
    assert_eq!((asked.get("ack"), asked.get("setErrs")), (None, None));
    assert_eq!(proxy.metric("events.polled.left"), 1);
}

#[test]
fn more_events_are_asked_for_at_once_up_to_those_of_a_second_and_a_few_polls_in_a_tick() {
    let mut all = members("events");
    all["limits"] = json!({ "events_per_second": 3 });
    let proxy = with(&all);
    assert_eq!(polled(&proxy).expect("a poll").1["maxEvents"], 3);
    say(&proxy, &[good("e1", "1"), good("e2", "2")], true);
    assert_eq!(polled(&proxy).expect("at once").1["maxEvents"], 1);
    say(&proxy, &[good("e3", "3"), good("e4", "4")], true);
    assert!(polled(&proxy).is_none(), "one was left, since it was not asked for");
    proxy.tick(INTERVAL);
    let (_, asked) = polled(&proxy).expect("the next");
    assert_eq!((&asked["ack"], &asked["maxEvents"]), (&json!(["e3"]), &json!(3)));
    for _ in 1..4 {
        say(&proxy, &[], true);
    }
    assert!(polled(&proxy).is_some());
    say(&proxy, &[], true);
    assert!(polled(&proxy).is_none(), "a transmitter that always has more does not keep the worker");
    assert_eq!(proxy.script().tick_ms.get(), 50);
    proxy.tick(50);
    assert!(polled(&proxy).is_some());
}

#[test]
fn without_room_events_are_left_and_come_again() {
    let mut all = members("events");
    all["limits"] = json!({ "event_entries": 1000, "events_per_second": 10_000 });
    let proxy = with(&all);
    let mut number = 0;
    let mut next = || {
        number += 1;
        good(&format!("e{number}"), &number.to_string())
    };
    for _ in 0..80 {
        let sets: Vec<_> = (0..50).map(|_| next()).collect();
        say(&proxy, &sets, false);
        proxy.tick(INTERVAL);
    }
    let left = proxy.metric("events.polled.left");
    assert!(left > 0);
    assert_eq!(proxy.metric("events.polled.taken") + left, 4000);
    assert_eq!(proxy.metric("events.polled.refused"), 0);
}

#[test]
fn failures_are_counted_by_kind_and_the_age_grows_until_there_is_an_answer() {
    let long = format!("{{\"sets\":{{}},\"x\":\"{}\"}}", "x".repeat(1_048_576));
    for (status, body, kind) in [
        (401, "", "status"),
        (403, "", "status"),
        (500, "", "status"),
        (202, "{\"sets\":{}}", "status"),
        (503, "", "unreachable"),
        (504, "", "timeout"),
        (200, "[]", "invalid"),
        (200, "{\"sets\":{\"a\":1}}", "invalid"),
        (200, long.as_str(), "too_large"),
    ] {
        let proxy = gate();
        let (token, _) = polled(&proxy).expect("a poll");
        proxy.answer_with(token, status, body.to_owned());
        assert_eq!(proxy.metric(&format!("events.polls.{kind}")), 1, "{status} {body:.20}");
        proxy.tick(2000);
        assert_eq!(proxy.metric("events.age_seconds.idp"), 2, "{kind}");
        proxy.tick(3000);
        say(&proxy, &[], false);
        proxy.tick(1000);
        assert_eq!(proxy.metric("events.age_seconds.idp"), 1, "{kind}");
    }
    let nowhere = with(&members(NO_CLUSTER));
    assert_eq!(nowhere.metric("events.polls.no_cluster"), 1);
    let lost = gate();
    lost.tick(TIMEOUT + GRACE);
    assert_eq!(lost.metric("events.polls.timeout"), 1, "an answer that the host lost");
}

#[test]
fn a_worker_that_stops_asking_gives_way_to_another_which_gets_the_events_again() {
    let mut all = members("events");
    all["shared_keys"] = "always".into();
    let proxy = with(&all);
    let other = Other::of(&proxy);
    other.tick(&proxy);
    say(&proxy, &[good("e1", "1")], false);
    other.tick(&proxy);
    assert!(polled(&proxy).is_none(), "the first one has the turn");
    // The first one hangs.
    proxy.script().now_ms.set(START + INTERVAL + GRACE - 600);
    other.tick(&proxy);
    assert!(polled(&proxy).is_none());
    proxy.script().now_ms.set(START + INTERVAL + GRACE);
    other.tick(&proxy);
    let (token, asked) = polled(&proxy).expect("the turn of the other");
    assert_eq!(asked.get("ack"), None, "what the first took is not known to the other");
    proxy.tick(0);
    assert!(polled(&proxy).is_some(), "the first does not ask beside it");
    let (id, set) = good("e1", "1");
    other.answer(&proxy, token, &json!({ "sets": { id: set } }).to_string());
    assert_eq!(proxy.metric("events.repeated"), 1, "it changes nothing");
    // A gate that ends gives the turn back.
    other.0.on_delete(OTHER_ROOT);
    proxy.tick(INTERVAL);
    let (_, asked) = polled(&proxy).expect("the first again");
    assert_eq!(asked.get("ack"), None);
}

#[test]
fn a_gate_that_polls_no_issuer_makes_no_callout_and_has_no_metric_of_polls() {
    let mut all = members("events");
    all["events"]["issuers"]["idp"].as_object_mut().unwrap().remove("poll");
    let proxy = with(&all);
    for _ in 0..20 {
        proxy.tick(INTERVAL);
    }
    assert!(polled(&proxy).is_none());
    assert!(proxy.script().values.borrow().keys().all(|name| !name.contains("events.poll")));
}
