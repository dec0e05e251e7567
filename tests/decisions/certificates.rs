//! Tokens that are bound to the certificate of their client: RFC 8705 and RFC 7800, and what issuers and requirements ask.

use crate::world::{Ask, DEMO, NOW, config, get, policy, token, with_issuer};
use scopegate::audit::AuditRecord;
use scopegate::base::base64url;
use scopegate::base::time::UnixSeconds;
use scopegate::config::{Node, requirement};
use scopegate::crypto::PureVerifier;
use scopegate::decision::{Decision, Reason};
use scopegate::engine::decide;
use scopegate::facts::{Facts, PeerName, Surroundings};
use scopegate::policy::{AuditSettings, CacheLimits};
use scopegate::request::RequestView;
use scopegate::revocation::Revocations;
use scopegate::token_cache::TokenCache;
use serde_json::{Value, json};
use std::cell::Cell;

/// The digests of two certificates.
const OURS: [u8; 32] = [7; 32];
const ANOTHER: [u8; 32] = [8; 32];

fn digest(certificate: [u8; 32]) -> String {
    base64url::encode(&certificate)
}

/// A request with a token that has this confirmation.
fn confirmed(cnf: Value) -> Ask {
    get("/").bearer(token().claim("cnf", cnf).sign())
}

fn bound() -> Ask {
    confirmed(json!({ "x5t#S256": digest(OURS) }))
}

/// A policy whose issuer, default and rule for `/` ask this of senders; null for what asks nothing.
fn asking(issuer: &Value, default: &Value) -> Value {
    let member = |value: &Value| if value.is_null() { json!({}) } else { json!({ "sender_constraint": value }) };
    with_issuer(member(issuer), json!({ "default": member(default) }))
}

#[test]
fn a_bound_token_is_good_on_a_connection_with_its_certificate_and_on_no_other() {
    let everywhere = config(json!({
        "rules": [{ "match": { "path": "/scoped" }, "scopes": ["orders:read"] }, { "match": { "path": "/optional" }, "allow_missing": true }],
    }));
    for target in ["/", "/scoped", "/optional"] {
        let bound = || Ask { target: Some(target.to_owned()), ..bound() };
        assert_eq!(bound().certificate(OURS).refused(&everywhere), None, "{target}");
        assert_eq!(bound().certificate(ANOTHER).refused(&everywhere), Some(Reason::CertificateMismatch), "{target}");
        assert_eq!(bound().refused(&everywhere), Some(Reason::CertificateMismatch), "{target}");
    }
}

#[test]
fn a_forwarded_certificate_of_the_request_never_counts() {
    for name in ["x-forwarded-client-cert", "client-cert", "x-ssl-client-cert", "ssl-client-cert"] {
        for value in [format!("Hash={}", "07".repeat(32)), digest(OURS)] {
            let asked = bound().header(name, value);
            assert_eq!(asked.refused(&config(json!({}))), Some(Reason::CertificateMismatch), "{name}");
        }
    }
}

#[test]
fn what_is_remembered_of_a_token_says_nothing_of_who_sends_it() {
    let policy = policy(&config(json!({})));
    let keys = crate::world::configured_keys(&policy);
    let cache = TokenCache::new(CacheLimits::default());
    let allowed = |ask: Ask| matches!(ask.decide_by(&policy, &keys, &cache), Decision::Allow(_));
    let signed = token().claim("cnf", json!({ "x5t#S256": digest(OURS) })).sign();
    let sent = || get("/").bearer(&signed);
    assert!(allowed(sent().certificate(OURS)));
    assert!(allowed(sent().certificate(OURS)));
    assert!(!allowed(sent().certificate(ANOTHER)));
    assert!(!allowed(sent()));
    assert!(cache.take_counts().hits >= 3);
}

#[test]
fn a_confirmation_that_is_none_is_refused_and_one_that_is_not_known_too() {
    let ours = digest(OURS);
    for (cnf, wanted) in [
        (json!({}), Reason::MalformedToken),
        (json!([]), Reason::MalformedToken),
        (json!("x"), Reason::MalformedToken),
        (json!(true), Reason::MalformedToken),
        (json!({ "x5t#S256": "" }), Reason::MalformedToken),
        (json!({ "x5t#S256": 7 }), Reason::MalformedToken),
        (json!({ "x5t#S256": [ours] }), Reason::MalformedToken),
        (json!({ "x5t#S256": format!("{ours}=") }), Reason::MalformedToken),
        (json!({ "x5t#S256": "07".repeat(32) }), Reason::MalformedToken),
        (json!({ "x5t#S256": ours, "jkt": "x" }), Reason::MalformedToken),
        (json!({ "x5t": "BwcHBwcHBwcHBwcHBwcHBwcHBwc" }), Reason::BoundToAnother),
        (json!({ "x5t#S256": ours, "kid": "a" }), Reason::BoundToAnother),
        (json!({ "jwk": { "kty": "EC" } }), Reason::BoundToAnother),
        (json!({ "jkt": ours }), Reason::ProofMissing),
        // Both have to hold.
        (json!({ "jkt": ours, "x5t#S256": ours }), Reason::ProofMissing),
        (json!({ "jkt": ours, "x5t#S256": digest(ANOTHER) }), Reason::CertificateMismatch),
    ] {
        let asked = confirmed(cnf.clone()).certificate(OURS);
        assert_eq!(asked.refused(&config(json!({}))), Some(wanted), "{cnf}");
        assert_eq!(asked.refused(&asking(&json!("ignore"), &Value::Null)), None, "{cnf}: it is not looked at");
    }
    // A null is a claim of the wrong type, and no token without the claim.
    let payload = json!({
        "iss": "https://issuer.example.com/", "aud": "https://api.example.com", "sub": "a", "exp": NOW + 60, "cnf": null,
    });
    let header = json!({ "alg": "ES256", "kid": "a", "typ": "at+jwt" });
    let signed = crate::support::issuer::sign_texts(&DEMO.key, &header.to_string(), &payload.to_string());
    assert_eq!(get("/").bearer(signed).refused(&config(json!({}))), Some(Reason::MalformedToken));
}

#[test]
fn the_stricter_of_issuer_and_requirement_holds() {
    let unbound = || get("/").bearer(token().sign()).certificate(OURS);
    let key = || confirmed(json!({ "jkt": digest(OURS) })).certificate(OURS);
    let (mismatch, missing, unbound_refused) =
        (Some(Reason::CertificateMismatch), Some(Reason::ProofMissing), Some(Reason::NotBound));
    let null = Value::Null;
    // What becomes of an unbound token, of one bound to the certificate shown, to another, and to a key.
    for (issuer, default, wanted) in [
        (&null, &null, [None, None, mismatch, missing]),
        (&json!("if_bound"), &json!("if_bound"), [None, None, mismatch, missing]),
        (&json!("required"), &null, [unbound_refused, None, mismatch, missing]),
        (&json!("required"), &json!("if_bound"), [unbound_refused, None, mismatch, missing]),
        (&null, &json!("required"), [unbound_refused, None, mismatch, missing]),
        (&null, &json!("mtls"), [unbound_refused, None, mismatch, unbound_refused]),
        (&json!("mtls"), &json!("if_bound"), [unbound_refused, None, mismatch, unbound_refused]),
        (&json!("ignore"), &null, [None, None, None, None]),
        (&json!("ignore"), &json!("if_bound"), [None, None, mismatch, missing]),
        (&json!("ignore"), &json!("required"), [unbound_refused, None, mismatch, missing]),
    ] {
        let config = asking(issuer, default);
        let asked = [unbound(), bound().certificate(OURS), bound().certificate(ANOTHER), key()];
        assert_eq!(asked.map(|ask| ask.refused(&config)), wanted, "issuer {issuer}, default {default}");
    }
}

#[test]
fn route_metadata_drops_nothing_that_the_issuer_asks() {
    let unbound = get("/").bearer(token().sign());
    for mode in ["replace", "restrict"] {
        let policy =
            policy(&with_issuer(json!({ "sender_constraint": "required" }), json!({ "route_metadata": mode })));
        for metadata in [json!({}), json!({ "sender_constraint": "if_bound" })] {
            let asked = unbound.clone().under(requirement(&Node::from(metadata), &policy, &|_| None).unwrap());
            let Decision::Deny(refusal) = asked.decide(&policy) else { panic!("{mode}") };
            assert_eq!(refusal.denial.reason(), Reason::NotBound, "{mode}");
        }
    }
}

#[test]
fn what_metadata_adds_and_what_it_is_added_to_both_hold() {
    for (default, metadata) in [("mtls", "if_bound"), ("if_bound", "mtls"), ("required", "mtls")] {
        let policy =
            policy(&config(json!({ "route_metadata": "restrict", "default": { "sender_constraint": default } })));
        let metadata = requirement(&Node::from(json!({ "sender_constraint": metadata })), &policy, &|_| None).unwrap();
        let asked = confirmed(json!({ "jkt": digest(OURS) })).under(metadata);
        let Decision::Deny(refusal) = asked.decide(&policy) else { panic!("{default}") };
        assert_eq!(refusal.denial.reason(), Reason::NotBound, "{default}");
    }
}

#[test]
fn the_requirement_of_a_method_asks_no_less_than_the_one_around_it() {
    let config = config(json!({
        "default": { "sender_constraint": "required", "methods": {
            "GET": { "scopes": [] }, "PUT": { "sender_constraint": "if_bound" }, "POST": { "sender_constraint": "mtls" },
        } },
    }));
    for method in ["GET", "HEAD", "PUT", "POST", "DELETE"] {
        let unbound = get("/").bearer(token().sign()).method(method);
        assert_eq!(unbound.refused(&config), Some(Reason::NotBound), "{method}");
        assert_eq!(bound().certificate(OURS).method(method).refused(&config), None, "{method}");
        let by_key = confirmed(json!({ "jkt": digest(OURS) })).method(method);
        let wanted = if method == "POST" { Reason::NotBound } else { Reason::ProofMissing };
        assert_eq!(by_key.refused(&config), Some(wanted), "{method}");
    }
}

#[test]
fn validity_is_judged_before_the_sender_and_the_sender_before_the_scope() {
    let bound = |token: crate::support::issuer::Token<'_>| {
        get("/").bearer(token.claim("cnf", json!({ "x5t#S256": digest(OURS) })).sign()).certificate(ANOTHER)
    };
    let config = config(json!({ "default": { "scopes": ["orders:admin"] } }));
    assert_eq!(bound(token().claim("exp", NOW - 60)).refused(&config), Some(Reason::Expired));
    assert_eq!(bound(token()).refused(&config), Some(Reason::CertificateMismatch));
    assert_eq!(bound(token()).certificate(OURS).refused(&config), Some(Reason::InsufficientScope));
}

#[test]
fn public_routes_and_preflights_prove_nothing() {
    let config = with_issuer(
        json!({ "sender_constraint": "mtls" }),
        json!({ "default": { "public": true }, "bypass_cors_preflight": true }),
    );
    assert_eq!(bound().refused(&config), None);
    assert_eq!(get("/").refused(&config), None);
}

/// Counts how often the host is asked for a certificate.
pub struct Counting(pub Cell<u32>);

impl Surroundings for Counting {
    fn now(&self) -> UnixSeconds {
        UnixSeconds(NOW)
    }

    fn peer_certificate(&self) -> Option<[u8; 32]> {
        self.0.set(self.0.get() + 1);
        Some(OURS)
    }

    fn peer_name(&self, _: PeerName) -> Option<&[u8]> {
        self.0.set(self.0.get() + 1);
        None
    }

    fn source_address(&self) -> Option<&[u8]> {
        None
    }

    fn tls_version(&self) -> Option<&[u8]> {
        None
    }
}

#[test]
fn the_host_is_asked_for_a_certificate_only_for_a_token_that_names_one() {
    let policy = policy(&config(json!({ "default": { "scopes": ["orders:read"] } })));
    let keys = crate::world::configured_keys(&policy);
    let revocations = Revocations::none();
    let asked = |cnf: Value, expires: i64| {
        let signed = token().claim("cnf", cnf).claim("exp", expires).sign();
        let value = format!("Bearer {signed}");
        let headers: [(&[u8], &[u8]); 4] =
            [(b":method", b"GET"), (b":authority", b"a"), (b":path", b"/"), (b"authorization", value.as_bytes())];
        let view = RequestView { headers: &headers, route_name: None, virtual_host: None, ends_with_headers: true };
        let counting = Counting(Cell::new(0));
        drop(decide(&policy, &view, &Facts::offline(&counting, &keys, &PureVerifier, &revocations)));
        counting.0.get()
    };
    assert_eq!(asked(Value::Null, NOW + 60), 0);
    assert_eq!(asked(json!({ "jkt": digest(OURS) }), NOW + 60), 0);
    assert_eq!(asked(json!({ "x5t#S256": "x" }), NOW + 60), 0);
    assert_eq!(asked(json!({ "x5t#S256": digest(OURS) }), NOW - 60), 0, "an expired one");
    assert_eq!(asked(json!({ "x5t#S256": digest(OURS) }), NOW + 60), 1);
}

#[test]
fn the_record_says_what_is_wrong_with_the_binding() {
    let policy = policy(&asking(&Value::Null, &json!("mtls")));
    for (ask, wanted) in [
        (
            get("/").bearer(token().sign()),
            "cnf is missing; wanted: one with x5t#S256, which binds the token to the certificate of its client",
        ),
        (bound(), "cnf is there; wanted: the x5t#S256 of the certificate of the connection"),
    ] {
        let decision = ask.decide(&policy);
        let record = AuditRecord::of(&decision, &policy, AuditSettings::default(), b"GET").unwrap();
        assert_eq!(record.cause().as_deref(), Some(wanted));
        assert!(!record.to_line().contains(&digest(OURS)), "{}", record.to_line());
    }
    let line =
        |ask: Ask| AuditRecord::of(&ask.decide(&policy), &policy, AuditSettings::default(), b"GET").unwrap().to_line();
    assert!(line(bound()).ends_with("(the client showed no certificate)"));
    assert!(line(bound().certificate(ANOTHER)).ends_with("(the client showed another certificate)"));
}
