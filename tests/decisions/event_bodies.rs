//! How events come: paths, methods, bodies, and what else a policy asks.

use crate::event_world::{
    FORM_TYPE, PATH, SET_TYPE, assert_told, events_of, logout, push, push_logout, push_set, set, taking, told,
};
use crate::world::{Ask, Sent, awaited, config, extend, get, policy};
use scopegate::decision::{Decision, MessageWanted, Need, Reason};
use scopegate::engine::brings_events;
use scopegate::facts::KeyRing;
use scopegate::request::RequestView;
use serde_json::{Value, json};

const USER_OUT: &str = "202: [sub alice issued_before +1 until +3600]";
const SESSION_ENDS: &str = "200: [sid s-1 until +3600]";
const NO_TYPE: &str =
    "400 invalid_request: the Content-Type is neither application/secevent+jwt nor application/x-www-form-urlencoded";
const CODED: &str = "400 invalid_request: the body has a Content-Encoding";
const NONE_IN_FORM: &str = "400 invalid_request: the form has no logout_token";
const TWO_IN_FORM: &str = "400 invalid_request: the form has more than one logout_token";

fn form(body: impl Into<Vec<u8>>) -> Ask {
    push(body).header("content-type", FORM_TYPE)
}

#[test]
fn a_body_is_read_by_its_type() {
    let raw = || push(set().sign());
    let logged_out = format!("logout_token={}", logout().sign());
    assert_told(
        [
            (
                "in other letters, with a parameter",
                raw().header("content-type", "Application/SecEvent+JWT ; charset=utf-8"),
                USER_OUT,
            ),
            ("spaces around", push(format!("\r\n {}\n", set().sign())).header("content-type", SET_TYPE), USER_OUT),
            (
                "spaces within",
                push(set().sign().replace('.', " .")).header("content-type", SET_TYPE),
                "400 invalid_request: the header is not base64url",
            ),
            ("of no type", raw(), NO_TYPE),
            ("of an empty type", raw().header("content-type", ""), NO_TYPE),
            ("as JSON", raw().header("content-type", "application/json"), NO_TYPE),
            ("as a JWT", raw().header("content-type", "application/jwt"), NO_TYPE),
            ("as text", raw().header("content-type", "text/plain"), NO_TYPE),
            ("as parts of a form", raw().header("content-type", "multipart/form-data; boundary=x"), NO_TYPE),
            ("of two types", raw().header("content-type", SET_TYPE).header("content-type", SET_TYPE), NO_TYPE),
            ("of two types in one line", raw().header("content-type", format!("{SET_TYPE}, {SET_TYPE}")), NO_TYPE),
            ("compressed", push_set(set()).header("content-encoding", "gzip"), CODED),
            (
                "compressed in the end",
                push_set(set()).header("content-encoding", "identity").header("content-encoding", "br"),
                CODED,
            ),
            ("not compressed, as it says", push_set(set()).header("content-encoding", "identity"), USER_OUT),
            (
                "a form as an event",
                push(logged_out.clone()).header("content-type", SET_TYPE),
                "400 invalid_request: the header is not base64url",
            ),
            ("an event as a form", raw().header("content-type", FORM_TYPE), NONE_IN_FORM),
            ("nothing", push("").header("content-type", SET_TYPE), "400 invalid_request: not three segments"),
            (
                "no UTF-8",
                push(vec![0xff, b'.', 0xfe, b'.', 0]).header("content-type", SET_TYPE),
                "400 invalid_request: the header is not base64url",
            ),
            (
                "trailers behind",
                Ask { body: Sent::WithTrailers(set().sign().into_bytes()), ..push_set(set()) },
                USER_OUT,
            ),
            ("no body", Ask { body: Sent::Nothing, ..push_set(set()) }, "400 invalid_request: it has no body"),
            (
                "too long",
                Ask { body: Sent::TooLarge, ..push_set(set()) },
                "413 scopegate_body_too_large: The message is too large",
            ),
        ],
        &policy(&taking()),
    );
}

#[test]
fn a_form_has_one_logout_token_and_may_have_others() {
    let token = logout().sign();
    let with = |text: &str| form(text.replace('#', &token));
    let escaped = token.bytes().fold(String::new(), |text, byte| format!("{text}%{byte:02x}"));
    assert_told(
        [
            ("others around", with("a=b&logout_token=#&state=x"), SESSION_ENDS),
            ("empty pairs around", with("&&logout_token=#&"), SESSION_ENDS),
            ("a name with escapes", with("logout%5Ftoken=#"), SESSION_ENDS),
            ("a value in escapes", form(format!("logout_token={escaped}")), SESSION_ENDS),
            (
                "another charset",
                push(format!("logout_token={token}"))
                    .header("content-type", "application/x-www-form-urlencoded; charset=ISO-8859-1"),
                SESSION_ENDS,
            ),
            ("a line end behind", with("logout_token=#\r\n"), SESSION_ENDS),
            ("the same twice", with("logout_token=#&logout_token=#"), TWO_IN_FORM),
            ("twice, once with escapes", with("logout_token=x&logout%5ftoken=#"), TWO_IN_FORM),
            ("twice, once empty", with("logout_token=&logout_token=#"), TWO_IN_FORM),
            ("in other letters", with("Logout_Token=#"), NONE_IN_FORM),
            ("of another name", with("id_token=#&token=#"), NONE_IN_FORM),
            ("after a semicolon", with("a=b;logout_token=#"), NONE_IN_FORM),
            ("nothing", form(""), NONE_IN_FORM),
            ("a name alone", form("logout_token"), "400 invalid_request: not three segments"),
            ("an escape that is none", with("logout_token=#%"), "400 invalid_request: the signature is not base64url"),
            ("a plus", with("logout_token=+#"), "400 invalid_request: the header is not base64url"),
            ("a zero", with("logout_token=#%00"), "400 invalid_request: the signature is not base64url"),
            ("a second value", with("logout_token=#=x"), "400 invalid_request: the signature is not base64url"),
        ],
        &policy(&taking()),
    );
}

#[test]
fn only_a_post_to_exactly_the_path_brings_events_and_others_are_judged_as_ever() {
    let policy = policy(&taking());
    let event = set().sign();
    for (method, target) in [
        ("GET", PATH),
        ("PUT", PATH),
        ("post", PATH),
        ("OPTIONS", PATH),
        ("HEAD", PATH),
        ("POST", "/.well-known/scopegate/events/"),
        ("POST", "/.well-known/scopegate/events?"),
        ("POST", "/.well-known/scopegate/events?x=1"),
        ("POST", "/.well-known/scopegate/events#x"),
        ("POST", "/.well-known/scopegate/event%73"),
        ("POST", "/.well-known//scopegate/events"),
        ("POST", "/.well-known/./scopegate/events"),
        ("POST", "/.well-known/x/../scopegate/events"),
        ("POST", "/.WELL-KNOWN/scopegate/events"),
        ("POST", "/.well-known/scopegate/events;x"),
        ("POST", "//.well-known/scopegate/events"),
        ("POST", "https://api.example.com/.well-known/scopegate/events"),
        ("POST", "/.well-known/scopegate/event"),
        ("POST", ""),
    ] {
        let ask = Ask { body: Sent::Whole(event.clone().into()), ..get(target).method(method) };
        let decision = ask.header("content-type", SET_TYPE).decide(&policy);
        let Decision::Deny(refusal) = decision else { panic!("{method} {target}: {decision:?}") };
        assert_ne!(refusal.denial.reason(), Reason::InvalidEvent, "{method} {target}");
    }
    let headers: [(&[u8], &[u8]); 2] = [(b":method", b"POST"), (b":path", PATH.as_bytes())];
    let view = RequestView { headers: &headers, route_name: None, virtual_host: None, ends_with_headers: false };
    assert!(brings_events(&policy, &view));
    assert!(!brings_events(&crate::world::policy(&config(json!({}))), &view), "without a path there is none");
}

#[test]
fn the_body_is_awaited_with_the_headers_held_and_not_longer_than_it_may_be() {
    let policy = policy(&taking());
    let awaited_body = |ask: Ask| (Ask { body: Sent::Awaited, ..ask }).decide_with(&policy, &KeyRing::default());
    let decision = awaited_body(push_set(set()));
    let wanted = MessageWanted { max_bytes: 65_536, holds_headers: true };
    assert_eq!(awaited(&decision), Some(&Need::Message(wanted)));
    let Decision::Await(pending) = decision else { panic!("not awaited") };
    assert!(!pending.report_only && pending.grant.is_none(), "nothing goes on");
    // What the headers tell is refused before.
    assert_eq!(told(&awaited_body(push("x"))), NO_TYPE);
    assert_eq!(told(&awaited_body(push_set(set()).header("content-encoding", "gzip"))), CODED);
}

#[test]
fn events_are_taken_whatever_the_policy_asks_of_requests_there() {
    for members in [
        json!({ "default": { "deny": true } }),
        json!({ "default": { "public": true } }),
        json!({ "default": { "scopes": ["admin"], "sender_constraint": "mtls" } }),
        json!({ "report_only": true }),
        json!({ "default": { "report_only": true } }),
        json!({ "rules": [{ "match": { "prefix": "/.well-known" }, "deny": true }] }),
    ] {
        let mut all = events_of(json!({}));
        extend(&mut all, members.clone());
        let policy = policy(&config(all));
        assert_told(
            [
                ("a Security Event Token", push_set(set()), USER_OUT),
                ("a logout token", push_logout(logout()), SESSION_ENDS),
                ("with what others need", push_set(set()).bearer(crate::world::token().sign()), USER_OUT),
                ("with two of that", push_set(set()).bearer("x").bearer("y"), USER_OUT),
                (
                    "what is refused is refused in report-only, too",
                    push_set(set().claim("jti", Value::Null)),
                    "400 invalid_request: it has no `jti`",
                ),
            ],
            &policy,
        );
    }
}

#[test]
fn what_is_refused_tells_nothing_of_what_was_sent() {
    let policy = policy(&taking());
    for ask in [
        push_set(set().claim("iss", "<secret>")),
        push_set(set().header("kid", "<secret>")),
        push_set(set().claim("sub_id", "<secret>")),
        push("<secret>").header("content-type", SET_TYPE),
        push_logout(logout().claim("sid", json!({ "<secret>": 1 }))),
        push_logout(logout().claim("events", json!({ "<secret>": {} }))),
    ] {
        let decision = ask.decide(&policy);
        assert!(matches!(decision, Decision::Deny(_)));
        assert!(!told(&decision).contains("<secret>") && !format!("{decision:?}").contains("<secret>"), "{decision:?}");
    }
}
