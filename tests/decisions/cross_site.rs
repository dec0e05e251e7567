//! `csrf`: what a page of another site may not have a browser send.

use crate::world::{Ask, config, configured_keys, extend, get, policy, reported, token};
use scopegate::challenge::{self, Terms};
use scopegate::config::{Node, requirement};
use scopegate::decision::{Basis, Decision, Reason};
use serde_json::{Value, json};

const OWN: &str = "https://app.example.com";
const CROSS: Option<Reason> = Some(Reason::CrossSite);

fn guarded(more: Value) -> Value {
    let mut default = json!({ "csrf": { "origins": [OWN, "http://localhost:8080"] } });
    extend(&mut default, more);
    config(json!({ "default": default }))
}

fn ask(method: &str, headers: &[(&str, &str)]) -> Ask {
    headers.iter().fold(get("/").method(method).bearer(token().sign()), |ask, (name, value)| ask.header(name, value))
}

/// What became of a request of each kind: GET, HEAD, OPTIONS, TRACE, POST, DELETE, and a WebSocket handshake.
fn judged(headers: &[(&str, &str)]) -> [bool; 7] {
    let config = guarded(json!({}));
    let passes = |ask: Ask| match ask.refused(&config) {
        None => true,
        CROSS => false,
        other => panic!("{other:?}"),
    };
    let handshake = ask("GET", headers).header("upgrade", "websocket").header("connection", "upgrade");
    let methods = ["GET", "HEAD", "OPTIONS", "TRACE", "POST", "DELETE"].map(|method| passes(ask(method, headers)));
    let [get, head, options, trace, post, delete] = methods;
    [get, head, options, trace, post, delete, passes(handshake)]
}

const ALL: [bool; 7] = [true; 7];
const SAFE: [bool; 7] = [true, true, true, true, false, false, false];
const NONE: [bool; 7] = [false; 7];

#[test]
fn what_the_browser_says_decides_word_by_word() {
    let site = |value| ("sec-fetch-site", value);
    let own = ("origin", OWN);
    let evil = ("origin", "https://evil.example");
    let follows = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    for (headers, wanted) in [
        (&[site("same-origin")][..], ALL),
        (&[site("same-origin"), evil], ALL),
        (&[site("none")], SAFE),
        (&[site("none"), own], SAFE),
        (&[site("cross-site")], NONE),
        (&[site("same-site")], NONE),
        (&[site("cross-site"), own], ALL),
        (&[site("same-site"), own], ALL),
        (&[site("same-site"), ("origin", "http://localhost:8080")], ALL),
        (&[site("cross-site"), evil], NONE),
        (&[site("cross-site"), follows[0], follows[1]], SAFE),
        (&[site("same-site"), follows[0], follows[1]], SAFE),
        (&[site("cross-site"), evil, follows[0], follows[1]], SAFE),
        (&[site("cross-site"), follows[0]], NONE),
        (&[site("cross-site"), follows[1]], NONE),
        (&[site("cross-site"), follows[0], ("sec-fetch-dest", "iframe")], NONE),
        (&[site("cross-site"), ("sec-fetch-mode", "no-cors"), follows[1]], NONE),
        (&[site("cross-site"), follows[0], follows[0], follows[1]], NONE),
        (&[], NONE),
        (&[own], ALL),
        (&[evil], NONE),
        (&[("referer", "https://app.example.com/")], NONE),
        (&[follows[0], follows[1]], NONE),
        // Neither is what it seems.
        (&[("origin", "null")], NONE),
        (&[site("same-origin"), ("origin", "null")], NONE),
        (&[site("cross-site"), ("origin", "null"), follows[0], follows[1]], NONE),
        (&[own, own], NONE),
        (&[own, evil], NONE),
        (&[site("same-origin"), own, own], NONE),
        (&[site("same-origin"), site("same-origin")], NONE),
        (&[site("same-origin"), site("cross-site"), own], NONE),
        (&[site("same-origin, cross-site")], NONE),
        (&[site("Same-Origin")], NONE),
        (&[site("")], NONE),
        (&[site("trusted"), own], NONE),
        // An origin is compared as it is.
        (&[("origin", "https://app.example.com/")], NONE),
        (&[("origin", "https://app.example.com:443")], NONE),
        (&[("origin", "https://APP.example.com")], NONE),
        (&[("origin", "http://app.example.com")], NONE),
        (&[("origin", "https://app.example.com.evil.example")], NONE),
        (&[("origin", "https://app.example.com https://evil.example")], NONE),
        (&[("origin", "")], NONE),
    ] {
        assert_eq!(judged(headers), wanted, "{headers:?}");
    }
    let connect = Ask { target: None, ..ask("CONNECT", &[("sec-fetch-site", "none")]) };
    assert_eq!(connect.refused(&guarded(json!({}))), CROSS);
}

#[test]
fn it_is_judged_before_any_credential_and_for_requests_without_one() {
    let config = guarded(json!({ "allow_missing": true }));
    assert_eq!(get("/").refused(&config), CROSS);
    assert_eq!(get("/").bearer("bad").refused(&config), CROSS);
    assert_eq!(get("/").header("sec-fetch-site", "none").granted(&config).basis, Basis::Missing);
    assert_eq!(get("/?access_token=x").refused(&config), Some(Reason::TokenInQuery));
    let policy = policy(&config);
    let Decision::Deny(refusal) = get("/").decide(&policy) else { panic!("it passes") };
    let reply = challenge::render(&refusal.denial, &refusal.trace, &Terms::of(&policy, "api"), false);
    assert_eq!((reply.status, reply.details.as_str()), (403, "scopegate_cross_site"));
    assert!(reply.headers.iter().all(|(name, _)| *name != "www-authenticate"), "no credential would help");
}

#[test]
fn preflights_and_public_routes_are_not_judged() {
    let mut config = guarded(json!({ "methods": { "GET": { "public": true } } }));
    extend(&mut config, json!({ "bypass_cors_preflight": true }));
    assert_eq!(get("/").granted(&config).basis, Basis::Public);
    let preflight = get("/").method("OPTIONS").header("origin", "https://evil.example");
    assert_eq!(preflight.header("access-control-request-method", "POST").granted(&config).basis, Basis::Preflight);
}

#[test]
fn of_two_requirements_the_stricter_one_holds() {
    let from = |origin: &str, method: &str| ask(method, &[("origin", origin)]);
    let in_methods = guarded(json!({ "methods": {
        "POST": { "scopes": [] },
        "PUT": { "csrf": { "origins": [OWN, "https://b.example"] } },
        "DELETE": { "csrf": { "origins": ["https://b.example"] } },
    } }));
    for (origin, method, wanted) in [
        (OWN, "POST", None),
        ("https://b.example", "POST", CROSS),
        (OWN, "PUT", None),
        ("https://b.example", "PUT", CROSS),
        ("http://localhost:8080", "PUT", CROSS),
        (OWN, "DELETE", CROSS),
        ("https://b.example", "DELETE", CROSS),
    ] {
        assert_eq!(from(origin, method).refused(&in_methods), wanted, "{origin} {method}");
    }
    for (base, added, origin, wanted) in [
        (true, json!({}), "https://b.example", CROSS),
        (true, json!({ "csrf": { "origins": ["https://b.example"] } }), OWN, CROSS),
        (true, json!({ "csrf": { "origins": [OWN] } }), OWN, None),
        (false, json!({ "csrf": { "origins": [OWN] } }), "https://b.example", CROSS),
        (false, json!({ "csrf": { "origins": [OWN] } }), OWN, None),
    ] {
        let mut config = if base { guarded(json!({})) } else { config(json!({})) };
        extend(&mut config, json!({ "route_metadata": "restrict" }));
        let compiled = requirement(&Node::from(added.clone()), &policy(&config), &|_| None).unwrap();
        assert_eq!(from(origin, "POST").under(compiled).refused(&config), wanted, "{added} {origin}");
    }
}

#[test]
fn what_is_only_reported_has_it_among_its_reasons() {
    let mut config = guarded(json!({ "scopes": ["x"] }));
    extend(&mut config, json!({ "report_only": true }));
    let policy = policy(&config);
    let told = |ask: Ask| {
        let (decision, further) = ask.decide_further(&policy, &configured_keys(&policy));
        let Decision::Allow(grant) = decision else { panic!("reported") };
        (reported(&grant), further.certain, further.unverified)
    };
    assert_eq!(told(get("/")), (CROSS, vec![Reason::NoCredential], vec![]));
    assert_eq!(told(ask("GET", &[])), (CROSS, vec![], vec![Reason::InsufficientScope]));
    assert_eq!(
        told(get("/?access_token=x")),
        (Some(Reason::TokenInQuery), vec![Reason::CrossSite, Reason::NoCredential], vec![])
    );
    assert_eq!(told(ask("GET", &[("sec-fetch-site", "none")])), (Some(Reason::InsufficientScope), vec![], vec![]));
}
