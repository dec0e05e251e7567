//! Tokens that are bound to the certificate of a client, where its TLS connection ends at another proxy.

use crate::certificates::Counting;
use crate::world::{Ask, NOW, config, configured_keys, get, policy, token, with_issuer};
use scopegate::audit::AuditRecord;
use scopegate::base::base64url;
use scopegate::base::time::UnixSeconds;
use scopegate::config::{Node, requirement};
use scopegate::crypto::{PureVerifier, sha256};
use scopegate::decision::{Decision, Denial, Grant, Reason};
use scopegate::engine::{decide, end_wait};
use scopegate::facts::{Facts, KeyRing};
use scopegate::policy::AuditSettings;
use scopegate::request::RequestView;
use scopegate::revocation::Revocations;
use serde_json::{Value, json};
use std::cell::Cell;

const XFCC: &str = "x-forwarded-client-cert";
const FRONT_URI: &str = "spiffe://example.com/front";
/// The certificates of the front proxy, of a stranger, and of another client.
const FRONT: [u8; 32] = [1; 32];
const STRANGER: [u8; 32] = [2; 32];
const ANOTHER: [u8; 32] = [3; 32];
/// The client's certificate: what stands for its DER.
const DER: &[u8] = b"\x30\x03\x02\x01\x07";

fn hex(digest: [u8; 32]) -> String {
    digest.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn bound_to(digest: [u8; 32]) -> Ask {
    get("/").bearer(token().claim("cnf", json!({ "x5t#S256": base64url::encode(&digest) })).sign())
}

/// A request with a token of the client.
fn bound() -> Ask {
    bound_to(sha256(DER))
}

fn element(digest: [u8; 32]) -> String {
    format!("By={FRONT_URI};Hash={};Subject=\"CN=client\"", hex(digest))
}

/// `DER` in base64, as RFC 9440 has it.
fn client_cert() -> String {
    ":MAMCAQc=:".to_owned()
}

fn mtls(header: &str) -> Value {
    json!({ "forwarded": { "header": header, "from": [FRONT_URI, hex(FRONT)] } })
}

fn forwarding(header: &str) -> Value {
    config(json!({ "mtls": mtls(header) }))
}

/// The request, from the proxy by its certificate, and from it by its URI.
fn from_front(ask: &Ask) -> [Ask; 2] {
    let renewed = Ask { peer_uri: Some(FRONT_URI.into()), ..ask.clone() };
    [ask.clone().certificate(FRONT), renewed.certificate([9; 32])]
}

fn why(ask: &Ask, config: &Value) -> String {
    let policy = policy(config);
    let decision = ask.decide(&policy);
    AuditRecord::of(&decision, &policy, AuditSettings::default(), b"GET").expect("a record").to_line()
}

#[test]
fn what_a_proxy_of_the_list_forwards_is_the_clients_certificate() {
    for (header, own, anothers) in
        [(XFCC, element(sha256(DER)), element(ANOTHER)), ("client-cert", client_cert(), ":MAMCAQg=:".to_owned())]
    {
        let config = forwarding(header);
        for ask in from_front(&bound().header(header, own)) {
            assert_eq!(ask.refused(&config), None, "{header}");
        }
        for ask in from_front(&bound().header(header, anothers)) {
            assert_eq!(ask.refused(&config), Some(Reason::CertificateMismatch), "{header}");
            assert!(why(&ask, &config).contains("the client showed another certificate"), "{}", why(&ask, &config));
        }
    }
}

#[test]
fn the_proxys_own_certificate_is_never_that_of_its_client() {
    let config = forwarding(XFCC);
    for ask in from_front(&bound_to(FRONT)) {
        assert_eq!(ask.refused(&config), Some(Reason::CertificateMismatch));
        assert!(why(&ask, &config).contains("the client showed no certificate"), "{}", why(&ask, &config));
    }
}

#[test]
fn what_anyone_else_forwards_counts_for_nothing() {
    for (header, value) in [(XFCC, element(sha256(DER))), ("client-cert", client_cert())] {
        let forged = bound().header(header, &value);
        let other_uris =
            ["spiffe://example.com/frontier", "spiffe://example.com/fron", "SPIFFE://example.com/front", ""];
        let mut strangers = vec![forged.clone(), forged.clone().certificate(STRANGER)];
        strangers
            .extend(other_uris.map(|uri| Ask { peer_uri: Some(uri.into()), ..forged.clone() }.certificate(STRANGER)));
        for ask in strangers {
            assert_eq!(ask.refused(&forwarding(header)), Some(Reason::CertificateMismatch), "{ask:?}");
        }
        // The other header of a proxy of the list is not the one that it forwards certificates in.
        let other = if header == XFCC { "client-cert" } else { XFCC };
        for ask in from_front(&forged) {
            assert_eq!(ask.refused(&forwarding(other)), Some(Reason::CertificateMismatch), "{header}");
            assert_eq!(ask.refused(&config(json!({}))), Some(Reason::CertificateMismatch), "{header}: not configured");
        }
    }
}

#[test]
fn a_client_that_comes_without_the_proxy_proves_its_certificate_itself() {
    let config = forwarding(XFCC);
    for ask in [bound(), bound().header(XFCC, element(ANOTHER)), bound().header(XFCC, "nonsense")] {
        assert_eq!(ask.certificate(sha256(DER)).refused(&config), None);
    }
}

#[test]
fn a_header_that_does_not_hold_one_certificate_proves_none() {
    let own = hex(sha256(DER));
    for (header, values, said) in [
        (XFCC, vec![element(sha256(DER)), element(sha256(DER))], "several lines"),
        (XFCC, vec![format!("{},{}", element(ANOTHER), element(sha256(DER)))], "several elements"),
        (XFCC, vec![format!("Hash={own};Hash={own}")], "several Hash"),
        (XFCC, vec![String::new()], "malformed"),
        (XFCC, vec![format!("URI=\"a;Hash={own}")], "malformed"),
        (XFCC, vec![format!("URI={}", "a".repeat(60_000))], "no Hash"),
        (XFCC, vec![format!("Hash={}", "a".repeat(60_000))], "not a SHA-256 digest"),
        ("client-cert", vec![client_cert(), client_cert()], "several lines"),
        ("client-cert", vec![String::new()], "not a certificate"),
        ("client-cert", vec![client_cert().replace(':', "")], "not a certificate"),
        ("client-cert", vec![format!(":{}:", "A".repeat(60_001))], "not a certificate"),
        ("client-cert", vec![format!(":{}:", "A".repeat(60_000))], "another certificate"),
    ] {
        let ask = values.iter().fold(bound(), |ask, value| ask.header(header, value)).certificate(FRONT);
        let config = forwarding(header);
        assert_eq!(ask.refused(&config), Some(Reason::CertificateMismatch), "{header} {said}");
        assert!(why(&ask, &config).contains(said), "{header} {said}: {}", why(&ask, &config));
        assert!(!why(&ask, &config).contains(&own), "no log has the digest of a certificate");
    }
    let upper = format!("HASH={}", own.to_ascii_uppercase());
    assert_eq!(bound().header(XFCC, upper).certificate(FRONT).refused(&forwarding(XFCC)), None);
}

/// Ways to pass, each with a request and a configuration.
fn passing(header: &str) -> Vec<(&'static str, Ask, Value)> {
    let of = |members: Value| {
        let mut all = config(members);
        all["mtls"] = mtls(header);
        all
    };
    let preflight =
        get("/").method("OPTIONS").header("origin", "https://a").header("access-control-request-method", "GET");
    let covered =
        requirement(&Node::from(json!({ "scopes": ["x"], "report_only": true })), &policy(&of(json!({}))), &|_| None)
            .unwrap();
    vec![
        ("a token", get("/").bearer(token().sign()), of(json!({}))),
        ("public", get("/"), of(json!({ "default": { "public": true } }))),
        ("no token", get("/"), of(json!({ "default": { "allow_missing": true } }))),
        ("report-only", get("/"), of(json!({ "report_only": true }))),
        ("report-only of a rule", get("/"), of(json!({ "default": { "report_only": true } }))),
        ("report-only of a route", get("/").bearer(token().sign()).under(covered), of(json!({}))),
        ("a query with a token", get("/?access_token=a"), of(json!({ "report_only": true }))),
        ("a preflight", preflight, of(json!({ "bypass_cors_preflight": true }))),
        ("by the router", get("/").bearer(token().sign()), of(json!({ "forward": { "by": "router" } }))),
    ]
}

#[test]
fn only_a_proxy_of_the_list_brings_the_header_to_an_upstream() {
    for (header, others) in [
        (XFCC, &["x_forwarded_client_cert", "x-forwarded_client-cert"][..]),
        ("client-cert", &["client_cert", "client_cert_chain"]),
    ] {
        let own: &[&str] = if header == XFCC { &[XFCC] } else { &["client-cert", "client-cert-chain"] };
        for (what, ask, config) in passing(header) {
            let ask = own.iter().chain(others).fold(ask, |ask, name| ask.header(name, "a"));
            let is_removed = |grant: &Grant, name: &str| grant.remove.iter().filter(|removed| *removed == name).count();
            for stranger in [ask.clone(), ask.clone().certificate(STRANGER)] {
                let grant = stranger.granted(&config);
                for name in own.iter().chain(others) {
                    assert_eq!(is_removed(&grant, name), 1, "{what}: {name} of a stranger");
                }
            }
            for ask in from_front(&ask) {
                let grant = ask.granted(&config);
                assert!(own.iter().all(|name| is_removed(&grant, name) == 0), "{what}: {grant:?}");
                assert!(others.iter().all(|name| is_removed(&grant, name) == 1), "{what}: a proxy writes it otherwise");
            }
        }
    }
    let untouched = get("/").header(XFCC, "a").bearer(token().sign()).granted(&config(json!({})));
    assert!(!untouched.remove.iter().any(|name| name == XFCC), "without mtls nothing is removed");
}

#[test]
fn a_request_whose_wait_ends_is_reported_without_the_header() {
    let remote = json!({ "jwks": { "uri": "https://idp.example.com/jwks", "cluster": "idp" } });
    let policy = policy(&with_issuer(remote, json!({ "report_only": true, "mtls": mtls(XFCC) })));
    let Decision::Await(pending) = get("/").bearer(token().sign()).decide_with(&policy, &KeyRing::default()) else {
        panic!("it waits")
    };
    let headers: [(&[u8], &[u8]); 2] = [(b":path", b"/"), (XFCC.as_bytes(), b"a")];
    let view = RequestView { headers: &headers, route_name: None, virtual_host: None, ends_with_headers: true };
    let Decision::Allow(grant) = end_wait(&policy, &view, &UnixSeconds(NOW), pending, Denial::TooBusy) else {
        panic!("it is reported")
    };
    assert_eq!(grant.remove, [XFCC]);
}

#[test]
fn the_host_is_asked_who_the_peer_is_only_where_that_matters() {
    let policy = policy(&forwarding(XFCC));
    let (keys, revocations) = (configured_keys(&policy), Revocations::none());
    let asked = |ask: &Ask| {
        ask.judge(&keys, &scopegate::facts::NoMemory, |view, _| {
            let counting = Counting(Cell::new(0));
            drop(decide(&policy, view, &Facts::offline(&counting, &keys, &PureVerifier, &revocations)));
            counting.0.get()
        })
    };
    assert_eq!(asked(&get("/").bearer(token().sign())), 0);
    assert_eq!(asked(&get("/").header(XFCC, "a")), 0, "a refused request goes nowhere");
    assert_eq!(asked(&get("/").bearer(token().sign()).header(XFCC, "a")), 2, "once for each way to name a peer");
}

#[test]
fn explaining_what_else_fails_reads_the_header_too() {
    let mut config = config(json!({ "report_only": true, "default": { "scopes": ["none"] } }));
    config["mtls"] = mtls(XFCC);
    let policy = policy(&config);
    let further = |ask: Ask| ask.decide_further(&policy, &configured_keys(&policy)).1.certain;
    let forwarded = |digest| bound().header(XFCC, element(digest)).certificate(FRONT);
    assert_eq!(further(forwarded(ANOTHER)), [Reason::InsufficientScope]);
    assert_eq!(further(forwarded(sha256(DER))), [], "the scope is the first reason");
}
