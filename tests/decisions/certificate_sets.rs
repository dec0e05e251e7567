//! Identities of client certificates: which certificate stands for whom, and that it is never presented, but there.

use crate::credentials::{ACME, challenges, hex_sha256};
use crate::world::{Ask, NOW, config, extend, get, policy, token};
use scopegate::config;
use scopegate::config::Node;
use scopegate::crypto::sha256;
use scopegate::decision::{Basis, Decision, Reason};
use scopegate::policy::CredentialSet;
use serde_json::{Value, json};

const PINNED: &[u8] = b"a certificate that is named by its digest";
const OTHER: &[u8] = b"any other certificate";
const ORDERS: &str = "spiffe://example.com/orders";

fn sets() -> Value {
    json!([
        { "name": "mesh", "mtls": {}, "scopes": ["orders:read"], "identities": [
            { "id": "pinned", "subject": "worker", "secrets": [{ "sha256": hex_sha256(PINNED) }] },
            { "id": "orders", "scopes": ["orders:write"], "claims": { "tier": "gold" }, "secrets": [{ "uri": ORDERS }] },
            { "id": "named", "secrets": [{ "dns": "Billing.example.com" }, { "uri": "urn:old", "expires": NOW }] },
            { "id": "gone", "disabled": true, "secrets": [{ "uri": "spiffe://example.com/gone" }] },
        ] },
        { "name": "partners", "api_key": { "header": "x-api-key" },
          "identities": [{ "id": "acme", "scopes": ["orders:read"], "secrets": [{ "sha256": hex_sha256(ACME) }] }] },
    ])
}

fn accepting(credentials: Value, more: Value) -> Value {
    let mut default = json!({ "credentials": credentials });
    extend(&mut default, more);
    config(json!({ "credentials": sets(), "default": default }))
}

fn with(certificate: &[u8]) -> Ask {
    get("/").certificate(sha256(certificate))
}

fn with_uri(uri: &str) -> Ask {
    Ask { peer_uri: Some(uri.into()), ..with(OTHER) }
}

fn with_dns(name: &str) -> Ask {
    Ask { peer_dns: Some(name.into()), ..with(OTHER) }
}

/// Whose it is, by its records; or why it is refused.
fn whose(ask: &Ask, config: &Value) -> Result<String, Reason> {
    match ask.decide_under(config) {
        Decision::Allow(grant) => {
            let identity = grant.token.and_then(|token| token.verified?.identity);
            Ok(identity.map_or_else(|| format!("{:?}", grant.basis), |id| id.to_string()))
        }
        Decision::Deny(refusal) => Err(refusal.denial.reason()),
        other => panic!("undecided: {other:?}"),
    }
}

#[test]
fn a_certificate_is_found_by_its_digest_before_its_names() {
    let config = accepting(json!("mesh"), json!({}));
    for (ask, wanted) in [
        (with(PINNED), Ok("pinned")),
        (Ask { peer_uri: Some(ORDERS.into()), ..with(PINNED) }, Ok("pinned")),
        (with_uri(ORDERS), Ok("orders")),
        (Ask { peer_dns: Some("billing.example.com".into()), ..with_uri(ORDERS) }, Ok("orders")),
        (with_dns("billing.EXAMPLE.com"), Ok("named")),
        (Ask { peer_dns: Some("billing.example.com".into()), ..with_uri("spiffe://example.com/x") }, Ok("named")),
        (with_uri("spiffe://example.com/Orders"), Err(Reason::UnknownIdentity)),
        (with_uri("billing.example.com"), Err(Reason::UnknownIdentity)),
        (with_dns(ORDERS), Err(Reason::UnknownIdentity)),
        (with_dns("xbilling.example.com"), Err(Reason::UnknownIdentity)),
        (with(OTHER), Err(Reason::UnknownIdentity)),
        (with_uri("urn:old"), Err(Reason::CredentialExpired)),
        (Ask { now: NOW - 1, ..with_uri("urn:old") }, Ok("named")),
        (with_uri("spiffe://example.com/gone"), Err(Reason::Revoked)),
        (get("/"), Err(Reason::NoCredential)),
        // Names without a certificate stand for no identity.
        (Ask { peer_uri: Some(ORDERS.into()), ..get("/") }, Err(Reason::NoCredential)),
        // No header speaks for a certificate.
        (get("/").header("x-forwarded-client-cert", format!("URI={ORDERS}")), Err(Reason::NoCredential)),
    ] {
        assert_eq!(whose(&ask, &config), wanted.map(str::to_owned), "{ask:?}");
    }
}

#[test]
fn scopes_and_claims_of_its_identity_count_as_those_of_a_token() {
    let config = accepting(
        json!("mesh"),
        json!({ "scopes": ["orders:write"], "claims": [{ "claim": "tier", "equals": "gold" }] }),
    );
    assert_eq!(whose(&with_uri(ORDERS), &config), Ok("orders".to_owned()));
    assert_eq!(whose(&with(PINNED), &config), Err(Reason::InsufficientScope));
    let silver = accepting(json!("mesh"), json!({ "claims": [{ "claim": "tier", "equals": "silver" }] }));
    assert_eq!(whose(&with_uri(ORDERS), &silver), Err(Reason::ClaimMismatch));
}

#[test]
fn a_certificate_is_judged_only_where_the_chosen_alternative_names_it() {
    let good = || token().sign();
    let expired = || token().claim("exp", NOW - 900).sign();
    let either = accepting(json!({ "any_of": ["bearer", "partners", "mesh"] }), json!({}));
    let both = accepting(json!({ "any_of": [{ "all_of": ["bearer", "mesh"] }, "partners"] }), json!({}));
    let certificate_first = accepting(json!({ "all_of": ["mesh", "bearer"] }), json!({}));
    for (ask, config, wanted) in [
        (with(PINNED), &either, Ok("pinned")),
        (with(OTHER).bearer(good()), &either, Ok("Token")),
        (with(PINNED).bearer(expired()), &either, Err(Reason::Expired)),
        (with(OTHER).header("x-api-key", ACME), &either, Ok("acme")),
        (with(PINNED).header("x-api-key", "bad"), &either, Err(Reason::UnknownIdentity)),
        (with(PINNED).header("x-api-key", ACME).bearer(good()), &either, Err(Reason::MultipleCredentials)),
        (with(OTHER), &either, Err(Reason::UnknownIdentity)),
        (get("/"), &either, Err(Reason::NoCredential)),
        (with(PINNED).bearer(good()), &both, Ok("Token")),
        (with(OTHER).bearer(good()), &both, Err(Reason::UnknownIdentity)),
        (get("/").bearer(good()), &both, Err(Reason::NoCredential)),
        (with(PINNED).bearer(expired()), &both, Err(Reason::Expired)),
        (with(PINNED), &both, Err(Reason::NoCredential)),
        (with(OTHER).header("x-api-key", ACME), &both, Ok("acme")),
        (with(PINNED).bearer(good()), &certificate_first, Ok("pinned")),
    ] {
        assert_eq!(whose(&ask, config), wanted.map(str::to_owned), "{ask:?}");
    }
}

#[test]
fn where_metadata_restricts_a_certificate_does_not_replace_what_is_presented() {
    let base = |rule: Value| {
        let mut config = accepting(rule, json!({ "scopes": ["orders:read"] }));
        extend(&mut config, json!({ "route_metadata": "restrict" }));
        config
    };
    let under = |ask: Ask, config: &Value, metadata: Value| {
        let added = config::requirement(&Node::from(metadata), &policy(config), &|_| None).unwrap();
        whose(&ask.under(added), config)
    };
    let signed = |scope: &str| token().claim("scope", scope).sign();
    let either = base(json!({ "any_of": ["mesh", "bearer"] }));
    for (ask, wanted) in [
        (get("/").bearer(signed("orders:read")), Ok("Token")),
        (with(PINNED).bearer(signed("orders:read")), Ok("Token")),
        (with(OTHER).bearer(signed("orders:read")), Ok("Token")),
        (with(PINNED).bearer(signed("other")), Err(Reason::InsufficientScope)),
        (with(PINNED), Err(Reason::NoCredential)),
    ] {
        assert_eq!(under(ask.clone(), &either, json!({})), wanted.map(str::to_owned), "{ask:?}");
    }
    let tokens = base(json!("bearer"));
    for (ask, wanted) in [
        (with(PINNED).bearer(signed("orders:read")), Ok("Token")),
        (with(OTHER).bearer(signed("orders:read")), Err(Reason::UnknownIdentity)),
        (get("/").bearer(signed("orders:read")), Err(Reason::NoCredential)),
    ] {
        assert_eq!(under(ask.clone(), &tokens, json!({ "credentials": "mesh" })), wanted.map(str::to_owned), "{ask:?}");
    }
}

#[test]
fn a_missing_certificate_may_be_missing_and_an_unknown_one_may_not() {
    let optional = accepting(json!("mesh"), json!({ "allow_missing": true }));
    let missing = format!("{:?}", Basis::Missing);
    assert_eq!(whose(&get("/"), &optional), Ok(missing.clone()));
    assert_eq!(whose(&with(OTHER), &optional), Err(Reason::UnknownIdentity));
    assert_eq!(whose(&with(PINNED), &optional), Ok("pinned".to_owned()));
    let keys = accepting(json!({ "any_of": ["partners", "mesh"] }), json!({ "allow_missing": true }));
    assert_eq!(whose(&get("/"), &keys), Ok(missing));
    assert_eq!(whose(&get("/").header("x-api-key", ""), &keys), Err(Reason::MalformedCredential));
}

#[test]
fn where_no_challenge_can_ask_for_it_the_answer_is_403() {
    let only = accepting(json!("mesh"), json!({}));
    for (ask, text) in [
        (get("/"), "This resource needs a credential"),
        (with(OTHER), "The client certificate is not one that this resource accepts"),
        (with_uri("spiffe://example.com/gone"), "The client certificate is not one that this resource accepts"),
    ] {
        let (status, challenges, body) = challenges(&ask, &only);
        assert_eq!((status, challenges), (403, vec![]), "{ask:?}");
        assert!(body.contains(text) && body.contains("\"title\":\"Forbidden\""), "{body}");
    }
    let either = accepting(json!({ "any_of": ["mesh", "partners"] }), json!({}));
    for ask in [get("/"), with(OTHER)] {
        let (status, challenges, _) = challenges(&ask, &either);
        assert_eq!((status, challenges), (401, vec!["ApiKey realm=\"api\", header=\"x-api-key\"".to_owned()]));
    }
}

#[test]
fn what_no_request_can_choose_is_an_error() {
    let wrong = |sets: Value, credentials: Value| {
        let config = config(json!({ "credentials": sets, "default": { "credentials": credentials } }));
        match config::compile(&Node::from(config), &|_| None) {
            Ok(_) => panic!("it is taken"),
            Err(error) => error.to_string(),
        }
    };
    let mesh = |name: &str, secret: Value| json!({ "name": name, "mtls": {}, "identities": [{ "id": "a", "secrets": [secret] }] });
    let two = || json!([mesh("a", json!({ "uri": "urn:a" })), mesh("b", json!({ "uri": "urn:b" }))]);
    for (credentials, wanted) in [
        (json!({ "any_of": ["a", "b"] }), "default.credentials: has alternatives that differ in a certificate alone"),
        (json!({ "any_of": ["bearer", { "all_of": ["bearer", "a"] }] }), "differ in a certificate alone"),
        (json!({ "all_of": ["a", "b"] }), "default.credentials.all_of: needs two identities of one certificate"),
    ] {
        let error = wrong(two(), credentials);
        assert!(error.contains(wanted), "{error}");
    }
    for (secret, wanted) in [
        (json!({}), "secrets[0]: does not name one certificate in one way"),
        (json!({ "uri": "urn:a", "dns": "a" }), "secrets[0]: does not name one certificate in one way"),
        (json!({ "env": "A" }), "secrets[0].env: is not a field"),
        (json!({ "uri": "example.com" }), "secrets[0].uri: is not a URI"),
        (json!({ "dns": "*.example.com" }), "secrets[0].dns: is not a DNS name"),
        (json!({ "dns": "" }), "secrets[0].dns: is empty"),
        (json!({ "sha256": "00" }), "secrets[0].sha256: is not a SHA-256"),
    ] {
        let error = wrong(json!([mesh("a", secret)]), json!("a"));
        assert!(error.contains(wanted), "{error}");
    }
    let same = json!([mesh("a", json!({ "dns": "A.example.com" })), mesh("b", json!({ "dns": "a.example.com" }))]);
    assert!(wrong(same, json!("a")).contains("is the secret of another entry"));
    assert!(policy(&accepting(json!("mesh"), json!({}))).credentials.iter().any(CredentialSet::is_ambient));
}
