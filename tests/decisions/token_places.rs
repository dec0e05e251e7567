//! Tokens in other places than `authorization`: a header of an issuer's own, and the subprotocols of a WebSocket.

use crate::proofs::{BOUND, plain};
use crate::support::issuer::{AUDIENCE, ISSUER};
use crate::world::{Ask, DEMO, OTHER, config, extend, get, policy, reported, token};
use scopegate::audit::AuditRecord;
use scopegate::challenge::{self, Terms};
use scopegate::decision::{Basis, Decision, Reason};
use scopegate::policy::{AuditSettings, CacheLimits};
use scopegate::token_cache::TokenCache;
use serde_json::{Value, json};

const PARTNER: &str = "https://partner.example.com/";

/// A gate of two issuers: one with `authorization` and the subprotocols, one with a header of its own.
fn gate(members: Value) -> Value {
    let mut all = json!({ "issuers": [
        { "issuer": ISSUER, "name": "demo", "audiences": [AUDIENCE], "jwks": { "inline": DEMO.jwks() },
          "websocket_protocol": true },
        { "issuer": PARTNER, "name": "partner", "audiences": [AUDIENCE], "jwks": { "inline": OTHER.jwks() },
          "token_header": { "name": "X-Partner-Token", "prefix": "Token " } },
    ] });
    extend(&mut all, members);
    config(all)
}

fn of_partner() -> String {
    OTHER.token(crate::world::NOW).claim("iss", PARTNER).sign()
}

fn in_header(text: &str) -> Ask {
    get("/").header("x-partner-token", format!("Token {text}"))
}

fn handshake(protocols: &str) -> Ask {
    get("/").header("upgrade", "websocket").header("sec-websocket-protocol", protocols)
}

fn offering(text: &str) -> Ask {
    handshake(&format!("bearer, {text}"))
}

#[test]
fn a_token_is_good_in_the_place_of_its_issuer_and_nowhere_else() {
    let (config, own) = (gate(json!({})), token().sign());
    let partner = of_partner();
    for (ask, wanted) in [
        (get("/").bearer(&own), None),
        (in_header(&partner), None),
        (offering(&own), None),
        (get("/").bearer(&partner), Some(Reason::UnknownIssuer)),
        (in_header(&own), Some(Reason::UnknownIssuer)),
        (offering(&partner), Some(Reason::UnknownIssuer)),
        (in_header("x"), Some(Reason::MalformedToken)),
        (offering("x"), Some(Reason::MalformedToken)),
        (in_header(&OTHER.token(0).claim("iss", PARTNER).sign()), Some(Reason::Expired)),
        (in_header(&token().claim("iss", PARTNER).sign()), Some(Reason::BadSignature)),
        (get("/"), Some(Reason::NoCredential)),
    ] {
        assert_eq!(ask.refused(&config), wanted, "{ask:?}");
    }
    // What is remembered of a token says nothing of where it is.
    let policy = policy(&config);
    let (keys, cache) = (crate::world::configured_keys(&policy), TokenCache::new(CacheLimits::default()));
    assert!(matches!(get("/").bearer(&own).decide_by(&policy, &keys, &cache), Decision::Allow(_)));
    let Decision::Deny(refusal) = in_header(&own).decide_by(&policy, &keys, &cache) else { panic!("it passes") };
    assert_eq!(refusal.denial.reason(), Reason::UnknownIssuer);
}

#[test]
fn two_filled_places_or_lines_are_refused_whatever_is_in_them() {
    let (config, own, partner) = (gate(json!({})), token().sign(), of_partner());
    let header = format!("Token {partner}");
    for ask in [
        get("/").bearer(&own).header("x-partner-token", &header),
        get("/").bearer("bad").header("x-partner-token", &header),
        in_header("bad").bearer(&own),
        in_header(&partner).header("x-partner-token", &header),
        get("/").header("x-partner-token", format!("{header}, {header}")),
        offering(&own).bearer(&own),
        offering(&own).header("x-partner-token", &header),
        handshake(&format!("bearer, {own}, bearer, {own}")),
        offering(&own).header("sec-websocket-protocol", format!("bearer, {own}")),
    ] {
        assert_eq!(ask.refused(&config), Some(Reason::MultipleCredentials), "{ask:?}");
    }
    // Another scheme is no token.
    assert_eq!(in_header(&partner).header("authorization", "Basic dTpw").refused(&config), None);
}

#[test]
fn every_place_is_read_on_every_route_that_asks_for_a_token() {
    let (own, partner) = (token().sign(), of_partner());
    let narrow = gate(json!({ "default": { "issuers": ["demo"] } }));
    assert_eq!(get("/").bearer(&own).refused(&narrow), None);
    assert_eq!(in_header(&partner).refused(&narrow), Some(Reason::UnknownIssuer));
    assert_eq!(in_header(&partner).bearer(&own).refused(&narrow), Some(Reason::MultipleCredentials));
    let anonymous = gate(json!({ "default": { "allow_missing": true } }));
    assert_eq!(in_header("bad").refused(&anonymous), Some(Reason::MalformedToken), "never no one");
    assert_eq!(offering("bad").refused(&anonymous), Some(Reason::MalformedToken));
    assert_eq!(get("/").granted(&anonymous).basis, Basis::Missing);
}

#[test]
fn a_header_of_tokens_holds_nothing_else() {
    let (config, partner) = (gate(json!({ "default": { "allow_missing": true } })), of_partner());
    for value in [partner.as_str(), "", "Token ", "token x", "Bearer x", "Basic dTpw"] {
        let ask = get("/").header("x-partner-token", value);
        assert_eq!(ask.refused(&config), Some(Reason::MalformedHeader), "{value}");
    }
    assert_eq!(get("/").header("x-partner-token", format!("  Token {partner}\t")).refused(&config), None);
    assert_eq!(in_header("a b").refused(&config), Some(Reason::MalformedHeader));
    assert_eq!(handshake("chat, bearer").refused(&config), Some(Reason::MalformedHeader));
    assert_eq!(handshake("chat").granted(&config).basis, Basis::Missing);
}

#[test]
fn two_issuers_share_a_header_and_may_differ_in_the_prefix() {
    let issuer = |iss: &str, jwks: Value, prefix: Option<&str>| {
        let mut header = json!({ "name": "x-token" });
        prefix.into_iter().for_each(|prefix| header["prefix"] = json!(prefix));
        json!({ "issuer": iss, "audiences": [AUDIENCE], "jwks": { "inline": jwks }, "token_header": header })
    };
    let with = |text: String| get("/").header("x-token", text);
    let (own, partner) = (token().sign(), of_partner());
    let apart = config(
        json!({ "issuers": [issuer(ISSUER, DEMO.jwks(), Some("A ")), issuer(PARTNER, OTHER.jwks(), Some("B "))] }),
    );
    for (text, wanted) in [
        (format!("A {own}"), None),
        (format!("B {partner}"), None),
        (format!("B {own}"), Some(Reason::UnknownIssuer)),
        (format!("C {own}"), Some(Reason::MalformedHeader)),
    ] {
        assert_eq!(with(text.clone()).refused(&apart), wanted, "{text}");
    }
    let shared = config(json!({ "issuers": [issuer(ISSUER, DEMO.jwks(), None), issuer(PARTNER, OTHER.jwks(), None)] }));
    assert_eq!(with(own.clone()).refused(&shared), None);
    assert_eq!(with(partner).refused(&shared), None);
    // Where no issuer has it, `authorization` is not read, and is the upstream's.
    let grant = with(own.clone()).bearer("of the application").granted(&shared);
    assert_eq!(grant.remove, ["x-token"]);
    assert_eq!(get("/").bearer(own).refused(&shared), Some(Reason::NoCredential));
}

#[test]
fn a_token_that_is_bound_to_a_key_is_good_after_the_scheme_dpop_alone() {
    let with = |issuer: Value| {
        let mut config = plain();
        extend(&mut config["issuers"][0], issuer);
        config
    };
    for more in [json!({}), json!({ "sender_constraint": "ignore" })] {
        let mut header = json!({ "token_header": { "name": "x-token" } });
        extend(&mut header, more.clone());
        let ask = get("/orders").header("x-token", &*BOUND);
        assert_eq!(ask.refused(&with(header)), Some(Reason::ProofMissing), "{more}");
        let mut protocol = json!({ "websocket_protocol": true });
        extend(&mut protocol, more);
        assert_eq!(offering(&BOUND).refused(&with(protocol)), Some(Reason::ProofMissing));
    }
    let bound = token().claim("cnf", json!({ "x5t#S256": scopegate::base::base64url::encode(&[7; 32]) })).sign();
    let config = with(json!({ "token_header": { "name": "x-token" } }));
    let ask = get("/").header("x-token", bound);
    assert_eq!(ask.clone().certificate([7; 32]).refused(&config), None, "a certificate is of the connection");
    assert_eq!(ask.refused(&config), Some(Reason::CertificateMismatch));
}

#[test]
fn every_place_is_emptied_in_every_spelling() {
    let removed = |ask: &Ask, config: &Value| {
        let grant = ask.granted(config);
        let mut names: Vec<String> = grant.remove.iter().map(ToString::to_string).collect();
        names.sort();
        let list = |(name, value): &(&'static str, Vec<u8>)| format!("{name}: {}", String::from_utf8_lossy(value));
        names.extend(grant.shortened.iter().map(list));
        names
    };
    let strays = |ask: Ask| ask.header("X_Partner_Token", "stray").header("authorization", "Basic dTpw");
    let (own, partner) = (token().sign(), of_partner());
    let list = format!("chat, bearer, {own}, v2");
    let all = ["X_Partner_Token", "authorization", "x-partner-token"];
    assert_eq!(removed(&strays(in_header(&partner)), &gate(json!({}))), all);
    assert_eq!(removed(&handshake(&list), &gate(json!({}))), ["sec-websocket-protocol: chat, bearer, v2"]);
    let keep = gate(json!({ "forward": { "token": "keep" } }));
    assert_eq!(removed(&strays(in_header(&partner)), &keep), ["X_Partner_Token", "authorization"]);
    assert_eq!(removed(&handshake(&list), &keep), [""; 0]);
    let stray_list = || get("/").bearer(&own).header("sec-websocket-protocol", format!("bearer, {own}"));
    assert_eq!(removed(&stray_list(), &keep), ["sec-websocket-protocol: bearer"], "also where it was not read");
    let misspelt = |ask: Ask| ask.header("sec_websocket_protocol", "bearer, stray");
    assert_eq!(
        removed(&misspelt(handshake(&list)), &gate(json!({}))),
        ["sec_websocket_protocol", "sec-websocket-protocol: chat, bearer, v2"]
    );
    assert_eq!(removed(&misspelt(handshake(&list)), &keep), ["sec_websocket_protocol"]);
    for untouched in [
        gate(json!({ "default": { "public": true } })),
        gate(json!({ "report_only": true })),
        gate(json!({ "default": { "report_only": true, "scopes": ["x"] } })),
    ] {
        assert_eq!(removed(&strays(in_header(&partner)), &untouched), [""; 0], "{untouched}");
        assert_eq!(removed(&handshake(&list), &untouched), [""; 0], "{untouched}");
    }
    let anonymous = gate(json!({ "default": { "allow_missing": true } }));
    assert_eq!(removed(&strays(get("/")), &anonymous), ["X_Partner_Token", "authorization"]);
    let reporting = in_header("bad").granted(&gate(json!({ "report_only": true })));
    assert_eq!(reported(&reporting), Some(Reason::MalformedToken));
}

#[test]
fn a_request_with_a_token_in_another_place_is_no_preflight() {
    let config = gate(json!({ "bypass_cors_preflight": true }));
    let preflight = || {
        let ask = get("/").method("OPTIONS").header("origin", "https://a.example.com");
        ask.header("access-control-request-method", "GET")
    };
    assert_eq!(preflight().granted(&config).basis, Basis::Preflight);
    for name in ["x-partner-token", "x_partner_token", "sec-websocket-protocol"] {
        assert!(preflight().header(name, "x").refused(&config).is_some(), "{name}");
    }
}

#[test]
fn keys_and_tokens_in_headers_of_their_own_are_two_credentials() {
    let sets = json!([{ "name": "openai", "api_key": { "scheme": "Bearer", "prefix": "sk-" },
        "identities": [{ "id": "bot", "secrets": [{ "env": "KEY_20" }] }] },
        { "name": "kiosk", "api_key": { "header": "x-kiosk" },
        "identities": [{ "id": "bot", "secrets": [{ "sha256": "00".repeat(32) }] }] }]);
    let config = |rule: Value| gate(json!({ "credentials": sets, "default": { "credentials": rule } }));
    let partner = of_partner();
    let either = config(json!({ "any_of": ["openai", "bearer"] }));
    assert_eq!(in_header(&partner).refused(&either), None);
    assert_eq!(in_header(&partner).bearer("sk-bad").refused(&either), Some(Reason::MultipleCredentials));
    assert_eq!(
        in_header(&partner).header("x-kiosk", "bad").refused(&config(json!({ "all_of": ["kiosk", "bearer"] }))),
        Some(Reason::UnknownIdentity)
    );
}

#[test]
fn the_record_and_the_answer_say_where_a_token_has_to_be() {
    let policy = policy(&gate(json!({})));
    let decision = in_header(&token().sign()).decide(&policy);
    let record = AuditRecord::of(&decision, &policy, AuditSettings::default(), b"GET").unwrap();
    let line = record.to_line();
    assert!(
        line.contains("member=\"place\" unverified_received=\"x-partner-token\" wanted=\"authorization\""),
        "{line}"
    );
    let said = |ask: Ask| {
        let Decision::Deny(refusal) = ask.decide(&policy) else { panic!("it passes") };
        let reply = challenge::render(&refusal.denial, &refusal.trace, &Terms::of(&policy, "api"), false);
        (reply.status, reply.body)
    };
    let (status, body) = said(get("/"));
    assert!(status == 401 && body.contains("\"This resource needs an access token\""), "{body}");
    let (status, body) = said(get("/").header("x-partner-token", "x"));
    assert!(status == 400 && body.contains("\"The header of the credential is malformed\""), "{body}");
}
