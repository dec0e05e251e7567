//! Events that are pushed: RFC 8417, RFC 8935, and OpenID Connect Back-Channel Logout 1.0.

use crate::event_world::{
    LOGOUT, OPERATOR, SESSION_REVOKED, SET_TYPE, assert_told, events_of, logout, operation, push, push_logout,
    push_set, set, taking, told, user,
};
use crate::support::issuer::{AUDIENCE, sign_texts, with_signature};
use crate::world::{Ask, DEMO, NOW, OTHER, awaited, config, configured_keys, get, policy, with_issuer};
use scopegate::challenge::{Terms, received, render};
use scopegate::decision::{Decision, Need, Reason};
use scopegate::facts::{Awaited, KeyRing};
use scopegate::jose::KeySet;
use scopegate::policy::{CacheLimits, IssuerId};
use scopegate::token_cache::TokenCache;
use serde_json::{Value, json};
use std::rc::Rc;

const SESSION_ENDS: &str = "200: [sid s-1 until +3600]";
const USER_OUT: &str = "202: [sub alice issued_before +1 until +3600]";
const NO_TYPE: &str = "400 invalid_request: its `typ` is none of an event of this issuer";
const OTHER_AUDIENCE: &str = "400 invalid_audience: its `aud` is not this gate";
const STRANGER: &str = "400 invalid_issuer: its `iss` is none of those who may send events";

#[test]
fn what_is_pushed_well_is_answered_as_its_standard_says() {
    let policy = policy(&taking());
    assert_told(
        [
            ("a Security Event Token", push_set(set()), USER_OUT),
            ("a logout token", push_logout(logout()), SESSION_ENDS),
            (
                "an operator's",
                push_set(operation(json!({ "iss": "https://issuer.example.com/", "sid": "x" }))),
                "202: [sid x until +86400]",
            ),
            ("a logout token, pushed as the other", push_set(logout()), "202: [sid s-1 until +3600]"),
        ],
        &policy,
    );
    let Decision::Receive(event) = push_set(set()).decide(&policy) else { panic!("not taken") };
    let reply = received(&event);
    assert_eq!((reply.body.as_str(), &reply.headers[..]), ("", &[("cache-control", "no-store".to_owned())][..]));
    assert_eq!(event.id, "e-1");
}

#[test]
fn a_refusal_has_the_members_the_language_and_no_challenge_that_its_standard_wants() {
    let policy = policy(&taking());
    let rendered = |ask: Ask| {
        let Decision::Deny(refusal) = ask.decide(&policy) else { panic!("not refused") };
        assert_eq!(refusal.denial.reason(), Reason::InvalidEvent);
        render(&refusal.denial, &refusal.trace, &Terms::default(), false)
    };
    for (ask, wanted) in [
        (
            push_set(set().claim("aud", "x")),
            json!({ "err": "invalid_audience", "description": "its `aud` is not this gate" }),
        ),
        (
            push_logout(logout().claim("aud", "x")),
            json!({ "error": "invalid_request", "error_description": "its `aud` is not this gate" }),
        ),
    ] {
        let reply = rendered(ask);
        assert_eq!(serde_json::from_str::<Value>(&reply.body).unwrap(), wanted);
        let headers: Vec<_> = reply.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(headers, ["cache-control: no-store", "content-type: application/json", "content-language: en"]);
    }
}

#[test]
fn what_is_wrong_with_a_security_event_token_is_told_with_its_code() {
    let claim = |name: &str, value: Value| push_set(set().claim(name, value));
    let typ = |typ: Value| push_set(set().header("typ", typ));
    let many: serde_json::Map<_, _> = (0..17).map(|number| (format!("urn:x:{number}"), json!({}))).collect();
    let in_events = "400 invalid_request: its `events` are none, or more than 16";
    assert_told(
        [
            ("of a stranger", claim("iss", json!("https://evil.example.com/")), STRANGER),
            ("of no issuer", claim("iss", Value::Null), STRANGER),
            (
                "of a list",
                claim("iss", json!(["https://issuer.example.com/"])),
                "400 invalid_request: `iss` is a list, not text",
            ),
            ("of a longer name", claim("iss", json!("https://issuer.example.com/x")), STRANGER),
            ("of the entry's name", claim("iss", json!("demo")), STRANGER),
            ("an access token", typ(json!("at+jwt")), NO_TYPE),
            ("of a general type", typ(json!("JWT")), NO_TYPE),
            ("of no type", typ(Value::Null), NO_TYPE),
            ("a proof", typ(json!("dpop+jwt")), NO_TYPE),
            (
                "of a type that is no text",
                typ(json!(7)),
                "400 invalid_request: the header parameter `typ` is a number, not text",
            ),
            ("of its whole media type", typ(json!("application/SecEvent+JWT")), USER_OUT),
            ("for another", claim("aud", json!("gate-2")), OTHER_AUDIENCE),
            ("for a prefix", claim("aud", json!("gate-1/")), OTHER_AUDIENCE),
            ("for tokens' audience", claim("aud", json!(AUDIENCE)), OTHER_AUDIENCE),
            ("for the operator's", claim("aud", json!("gates")), OTHER_AUDIENCE),
            ("for no audience", claim("aud", Value::Null), OTHER_AUDIENCE),
            ("for none of none", claim("aud", json!([])), OTHER_AUDIENCE),
            ("for some", claim("aud", json!(["x", "gate-1"])), USER_OUT),
            ("for what is no text beside", claim("aud", json!(["gate-1", 1])), OTHER_AUDIENCE),
            ("without an id", claim("jti", Value::Null), "400 invalid_request: it has no `jti`"),
            ("with an empty id", claim("jti", json!("")), "400 invalid_request: it has no `jti`"),
            ("with a number for an id", claim("jti", json!(7)), "400 invalid_request: `jti` is a number, not text"),
            ("without events", claim("events", Value::Null), "400 invalid_request: it has no `events`"),
            (
                "with a list of events",
                claim("events", json!([SESSION_REVOKED])),
                "400 invalid_request: its `events` are no object",
            ),
            ("with events in text", claim("events", json!("{}")), "400 invalid_request: its `events` are no object"),
            ("with no event", claim("events", json!({})), in_events),
            ("with too many events", claim("events", Value::Object(many)), in_events),
            (
                "with an event that is text",
                claim("events", json!({ SESSION_REVOKED: {}, "urn:x": "" })),
                "400 invalid_request: one of its `events` is no object",
            ),
            ("with a nonce", claim("nonce", json!("n")), "400 invalid_request: it has a `nonce`, as an ID token does"),
            (
                "with an unknown extension",
                push_set(set().header("crit", json!(["x"]))),
                "400 invalid_request: a critical header parameter that is not understood",
            ),
        ],
        &policy(&taking()),
    );
}

#[test]
fn what_is_wrong_with_a_logout_token_is_told() {
    let claim = |name: &str, value: Value| push_logout(logout().claim(name, value));
    let bad = |why: &str| -> &'static str { Box::leak(format!("400 invalid_request: {why}").into_boxed_str()) };
    assert_told(
        [
            ("a user alone", claim("sid", Value::Null), "200: [sub alice issued_before +1 until +3600]"),
            ("a session alone", claim("sub", Value::Null), SESSION_ENDS),
            (
                "neither",
                push_logout(logout().claim("sub", Value::Null).claim("sid", Value::Null)),
                bad("it has neither `sub` nor `sid`"),
            ),
            ("an empty session", claim("sid", json!("")), bad("its `sid` is not text with something in it")),
            ("a session that is a number", claim("sid", json!(1)), bad("its `sid` is not text with something in it")),
            (
                "a user that is a list, beside a session",
                claim("sub", json!(["alice"])),
                bad("`sub` is a list, not text"),
            ),
            (
                "an empty user, beside a session",
                claim("sub", json!("")),
                bad("its `sub` is not text with something in it"),
            ),
            ("a nonce", claim("nonce", json!("n")), bad("it has a `nonce`, as an ID token does")),
            ("another event", claim("events", json!({ SESSION_REVOKED: {} })), bad("it has no logout event")),
            (
                "another event beside",
                claim("events", json!({ LOGOUT: {}, "urn:x": {} })),
                "200: [sid s-1 until +3600], 1 in vain",
            ),
            ("an event with members", claim("events", json!({ LOGOUT: { "x": 1 } })), SESSION_ENDS),
            (
                "an event that is none",
                claim("events", json!({ LOGOUT: true })),
                bad("one of its `events` is no object"),
            ),
            ("no event", claim("events", Value::Null), bad("it has no `events`")),
            ("no exp", claim("exp", Value::Null), bad("it has no `exp`")),
            ("an exp that is text", claim("exp", json!("soon")), bad("`exp` is text, not a number")),
            (
                "of a general type",
                push_logout(logout().header("typ", "JWT")),
                bad("its `typ` is none of an event of this issuer"),
            ),
            ("for another", claim("aud", json!("x")), bad("its `aud` is not this gate")),
            ("of a stranger", claim("iss", json!("x")), bad("its `iss` is none of those who may send events")),
        ],
        &policy(&taking()),
    );
}

#[test]
fn types_and_a_missing_exp_are_as_the_entry_of_the_issuer_says() {
    let old = policy(&config(events_of(json!({ "token_types": ["JWT", "missing"], "allow_missing_exp": true }))));
    let typ = |typ: Value| push_logout(logout().header("typ", typ).claim("exp", Value::Null));
    assert_told(
        [
            ("as old ones wrote", typ(json!("JWT")), SESSION_ENDS),
            ("in other letters", typ(json!("jwt")), SESSION_ENDS),
            ("with nothing", typ(Value::Null), SESSION_ENDS),
            (
                "of the type of new ones, which is not listed",
                typ(json!("logout+jwt")),
                "400 invalid_request: its `typ` is none of an event of this issuer",
            ),
            (
                "of access tokens",
                typ(json!("at+jwt")),
                "400 invalid_request: its `typ` is none of an event of this issuer",
            ),
            (
                "an exp is judged where it is",
                push_logout(logout().header("typ", "JWT").claim("exp", NOW - 10)),
                "400 invalid_request: it has expired",
            ),
            (
                "an ID token",
                push_logout(logout().header("typ", "JWT").claim("events", Value::Null)),
                "400 invalid_request: it has no `events`",
            ),
        ],
        &old,
    );
    let strict = policy(&config(events_of(json!({ "allow_missing_exp": false, "token_types": ["logout+jwt"] }))));
    assert_told(
        [
            ("without exp", push_logout(logout().claim("exp", Value::Null)), "400 invalid_request: it has no `exp`"),
            ("a type that is not listed", push_set(set()), NO_TYPE),
        ],
        &strict,
    );
}

#[test]
fn times_are_judged_with_the_leeway_of_the_issuer() {
    let at = |name: &str, seconds: i64| push_set(set().claim(name, NOW + seconds));
    let future = "400 invalid_request: it is of the future";
    let old = "400 invalid_request: its `iat` is longer ago than what it revokes is kept";
    assert_told(
        [
            ("as far ahead as clocks may be", at("iat", 10), "202: [sub alice issued_before +11 until +3610]"),
            ("further", at("iat", 11), future),
            ("of the last second that counts", at("iat", -3599), "202: [sub alice issued_before -3598 until +1]"),
            ("of the one before", at("iat", -3600), old),
            ("of the beginning", at("iat", -NOW), old),
            ("before the beginning", push_set(set().claim("iat", i64::MIN)), old),
            ("of the end", push_set(set().claim("iat", i64::MAX)), future),
            ("of no time", push_set(set().claim("iat", Value::Null)), "400 invalid_request: it has no `iat`"),
            (
                "of a time in text",
                push_set(set().claim("iat", "now")),
                "400 invalid_request: `iat` is text, not a number",
            ),
            ("not yet", at("nbf", 11), future),
            ("now", at("nbf", 10), USER_OUT),
            ("with an end, which it need not have", at("exp", -9), USER_OUT),
            ("that has passed", at("exp", -10), "400 invalid_request: it has expired"),
        ],
        &policy(&taking()),
    );
}

#[test]
fn the_time_that_counts_is_that_of_the_event_whenever_it_comes() {
    let policy = policy(&taking());
    let entries = |now: i64| match (Ask { now, ..push_set(set()) }).decide(&policy) {
        Decision::Receive(event) => event.entries,
        other => panic!("{other:?}"),
    };
    assert_eq!(entries(NOW), entries(NOW + 3000));
}

#[test]
fn what_signs_an_event_is_a_key_of_its_sender_with_an_algorithm_of_its_sender() {
    let claims = Value::Object(set().claims).to_string();
    let header = |alg: &str| json!({ "alg": alg, "kid": "a", "typ": "secevent+jwt" }).to_string();
    let raw = |text: String| push(text).header("content-type", SET_TYPE);
    let good = set().sign();
    let (input, _) = good.rsplit_once('.').unwrap();
    let by_other = sign_texts(&OTHER.key, &header("ES256"), &claims);
    let by_operator = sign_texts(&OPERATOR.key, &header("EdDSA"), &claims);
    let operators =
        Value::Object(operation(json!({ "iss": "https://issuer.example.com/", "sid": "x" })).claims).to_string();
    let not_good = "400 invalid_key: no key verifies its signature";
    let no_algorithm = "400 invalid_key: its `alg` is none of this issuer";
    assert_told(
        [
            ("another issuer's", raw(by_other), not_good),
            ("zeros", raw(format!("{input}.{}", "A".repeat(86))), not_good),
            ("nothing", raw(format!("{input}.")), "400 invalid_request: an empty segment"),
            ("none", raw(with_signature(&header("none"), &claims, b"x")), no_algorithm),
            ("HMAC", raw(with_signature(&header("HS256"), &claims, &[7; 32])), no_algorithm),
            (
                "the operator's, in the name of the issuer",
                raw(by_operator),
                "400 invalid_key: no key has its `kid` and `alg`",
            ),
            (
                "an unknown kid, among configured keys",
                push_set(set().header("kid", "b")),
                "400 invalid_key: no key has its `kid` and `alg`",
            ),
            ("no kid", push_set(set().header("kid", Value::Null)), USER_OUT),
            (
                "the issuer's, in the name of the operator",
                raw(sign_texts(&DEMO.key, &header("ES256"), &operators)),
                "400 invalid_key: no key has its `kid` and `alg`",
            ),
            (
                "HMAC of an operator",
                raw(with_signature(&header("HS256"), &operators, &[7; 32])),
                "400 invalid_key: its `alg` is none of an operator",
            ),
            (
                "none of an operator",
                raw(with_signature(&header("none"), &operators, b"x")),
                "400 invalid_key: its `alg` is none of an operator",
            ),
            ("encrypted", raw("a.b.c.d.e".to_owned()), "400 invalid_request: not three segments"),
        ],
        &policy(&taking()),
    );
}

#[test]
fn keys_that_are_not_there_are_awaited_and_then_it_has_to_come_again() {
    let remote = json!({ "jwks": { "uri": "https://issuer.example.com/k", "cluster": "idp" } });
    let policy = policy(&with_issuer(remote, events_of(json!({}))));
    let none = KeyRing::default();
    let unavailable = "503 scopegate_keys_unavailable: The keys of the issuer are not available";
    for (state, wanted) in [(Awaited::Yes, unavailable), (Awaited::InVain, unavailable)] {
        assert_eq!(told(&Ask { awaited: state, ..push_set(set()) }.decide_with(&policy, &none)), wanted, "{state:?}");
    }
    let asked = push_set(set()).decide_with(&policy, &none);
    assert!(matches!(awaited(&asked), Some(Need::Keys(IssuerId(0)))), "{asked:?}");
    // What is refused anyway waits for nothing, and asks for no key.
    assert_eq!(told(&push_set(set().claim("aud", "x")).decide_with(&policy, &none)), OTHER_AUDIENCE);
    let mut ring = KeyRing::default();
    let Value::Object(members) = DEMO.jwks() else { panic!("a set") };
    ring.set(IssuerId(0), Some(Rc::new(KeySet::from_members(&members, 10).unwrap())));
    assert_eq!(told(&push_set(set()).decide_with(&policy, &ring)), USER_OUT);
    let new = || push_set(set().header("kid", "new"));
    let asked = new().decide_with(&policy, &ring);
    assert!(matches!(awaited(&asked), Some(Need::Kid(IssuerId(0), kid)) if kid == "new"), "{asked:?}");
    let long = |length: usize| push_set(set().header("kid", "k".repeat(length))).decide_with(&policy, &ring);
    assert!(matches!(awaited(&long(1024)), Some(Need::Kid(..))));
    assert_eq!(told(&long(1025)), "400 invalid_key: its `kid` is longer than 1024 bytes", "it would be kept meanwhile");
    let fetched = Ask { awaited: Awaited::Yes, ..new() }.decide_with(&policy, &ring);
    assert_eq!(told(&fetched), "400 invalid_key: no key has its `kid`");
    let in_vain = Ask { awaited: Awaited::InVain, ..new() }.decide_with(&policy, &ring);
    assert_eq!(told(&in_vain), unavailable, "it may be a key that could not be fetched");
}

#[test]
fn an_event_is_no_access_token_and_an_access_token_is_no_event() {
    let open = with_issuer(
        json!({ "token_types": ["at+jwt", "JWT", "missing"] }),
        events_of(json!({ "token_types": ["secevent+jwt", "logout+jwt", "JWT", "missing"] })),
    );
    let policy = policy(&open);
    let keys = configured_keys(&policy);
    for token in [set().claim("sub", "alice"), logout()] {
        for typ in [json!("JWT"), json!("jwt"), json!("application/jwt"), Value::Null] {
            let token = token
                .clone()
                .header("typ", typ.clone())
                .claim("exp", NOW + 120)
                .claim("aud", json!(["gate-1", AUDIENCE]));
            let cache = TokenCache::new(CacheLimits::default());
            let shown = get("/orders").bearer(token.clone().sign());
            for _ in 0..3 {
                let Decision::Deny(refusal) = shown.decide_by(&policy, &keys, &cache) else { panic!("{typ} passes") };
                assert_eq!(refusal.denial.reason(), Reason::WrongType, "{typ}");
            }
            assert!(matches!(push_set(token).decide(&policy), Decision::Receive(_)), "{typ}");
        }
    }
    let access = || DEMO.token(NOW).claim("aud", json!(["gate-1", AUDIENCE])).claim("jti", "t");
    for (typ, wanted) in [
        (json!("at+jwt"), "400 invalid_request: its `typ` is none of an event of this issuer"),
        (json!("JWT"), "400 invalid_request: it has no `events`"),
        (Value::Null, "400 invalid_request: it has no `events`"),
    ] {
        let token = access().header("typ", typ.clone());
        assert!(matches!(get("/orders").bearer(token.clone().sign()).decide(&policy), Decision::Allow(_)), "{typ}");
        assert_eq!(told(&push_set(token).decide(&policy)), wanted, "{typ}");
    }
    let with_events = access().claim("events", json!({ SESSION_REVOKED: {} })).claim("sub_id", user("alice"));
    assert_eq!(told(&push_set(with_events).decide(&policy)), NO_TYPE, "at+jwt is never an event");
}
