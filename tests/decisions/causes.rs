//! A refusal says what came and what was wanted: to the operator, who holds both, and never to the client.

use crate::support::issuer::{AUDIENCE, ISSUER, Token};
use crate::world::{Ask, NOW, compiled, config, get, policy, token, with_issuer};
use scopegate::audit::{AuditRecord, Seen};
use scopegate::challenge::{self, Terms};
use scopegate::config::Loaded;
use scopegate::decision::Decision;
use scopegate::policy::AuditSettings;
use serde_json::{Value, json};

/// Why a request is refused, in one sentence.
fn cause(ask: &Ask, config: &Value) -> Option<String> {
    let policy = policy(config);
    let decision = ask.decide(&policy);
    AuditRecord::of(&decision, &policy, AuditSettings::default(), b"GET").unwrap().cause()
}

fn of(token: Token<'_>, config: &Value) -> String {
    cause(&get("/").bearer(token.sign()), config).unwrap_or_else(|| panic!("no cause"))
}

#[test]
fn a_refusal_names_the_member_with_what_it_is_and_what_was_wanted() {
    let plain = config(json!({}));
    for (token, wanted) in [
        (
            token().claim("iss", "https://issuer.example.com"),
            format!("iss is \"https://issuer.example.com\" (unverified); wanted: {ISSUER}"),
        ),
        (token().claim("iss", Value::Null), format!("iss is missing; wanted: {ISSUER}")),
        (token().claim("aud", "other"), format!("aud is \"other\" (unverified); wanted: {AUDIENCE}")),
        (token().claim("aud", json!(["a", "b"])), format!("aud is a list: a, b (unverified); wanted: {AUDIENCE}")),
        (token().header("typ", "JWT"), "header typ is \"JWT\" (unverified); wanted: at+jwt".to_owned()),
        (token().header("typ", Value::Null), "header typ is missing; wanted: at+jwt".to_owned()),
        (
            token().header("kid", "z"),
            "header kid is \"z\" (unverified); wanted: the kid of a key of demo that fits alg".to_owned(),
        ),
        (token().claim("exp", Value::Null), "exp is missing".to_owned()),
        (token().claim("sub", Value::Null), "sub is missing".to_owned()),
        (token().claim("sub", ""), "sub is missing".to_owned()),
        (
            token().claim("exp", NOW - 35),
            format!("exp is {} (unverified); wanted: a time after {}", NOW - 35, NOW - 10),
        ),
        (
            token().claim("nbf", NOW + 60),
            format!("nbf is {} (unverified); wanted: a time up to {}", NOW + 60, NOW + 10),
        ),
    ] {
        let text = cause(&get("/").bearer(token.sign()), &plain).unwrap_or_default();
        assert_eq!(text, wanted);
    }
    let refused = of(token().header("alg", "none"), &plain);
    assert!(
        refused.starts_with("header alg is \"none\" (unverified); wanted: RS256 or RS384 or RS512 or PS256"),
        "{refused}"
    );
}

#[test]
fn a_requirement_that_narrows_is_named_beside_what_the_issuer_admits() {
    let narrowed = config(json!({ "default": { "audiences": ["https://b.example.com"], "token_types": ["at+jwt"] } }));
    let wanted = format!("aud is \"{AUDIENCE}\" (unverified); wanted: {AUDIENCE}, and https://b.example.com");
    assert_eq!(of(token(), &narrowed), wanted);
    let types = with_issuer(json!({ "token_types": ["JWT", "missing"] }), json!({}));
    let id_token = of(token().header("typ", "JWT").claim("nonce", "secret-nonce"), &types);
    assert!(id_token.starts_with("nonce is there (unverified); wanted: an access token"), "{id_token}");
    assert!(!id_token.contains("secret-nonce"), "{id_token}");
    assert_eq!(of(token(), &types), "header typ is \"at+jwt\" (unverified); wanted: jwt or missing");
}

#[test]
fn a_claim_of_another_shape_is_told_with_the_condition_that_fits_it() {
    for (condition, value, wanted) in [
        (json!({ "equals": "acme" }), json!("other"), "c is \"other\"; wanted: equals acme"),
        (
            json!({ "one_of": ["a", "b"] }),
            json!(["a"]),
            "c is a list: a; wanted: one_of a or b (for a list write contains or contains_any)",
        ),
        (
            json!({ "contains": "a" }),
            json!("a b"),
            "c is \"a b\"; wanted: contains a (for text write equals or one_of)",
        ),
        (
            json!({ "contains": "a" }),
            json!({"a": 1}),
            "c is an object: {%22a%22:1}; wanted: contains a (for an object write has_member)",
        ),
        (
            json!({ "has_member": "a" }),
            json!(["a"]),
            "c is a list: a; wanted: has_member a (for a list write contains)",
        ),
        (json!({ "contains_any": ["a", 1] }), json!(["b"]), "c is a list: b; wanted: contains_any a or 1"),
        (json!({ "equals": true }), Value::Null, "c is missing; wanted: equals true"),
    ] {
        let mut condition = condition;
        condition["claim"] = json!("c");
        let config = config(json!({ "default": { "claims": [condition] } }));
        assert_eq!(of(token().claim("c", value), &config), wanted);
    }
    let objects = with_issuer(json!({ "scope_claims": ["roles"] }), json!({ "default": { "scopes": ["admin"] } }));
    let told = of(token().claim("roles", json!({ "admin": { "1": "d" } })), &objects);
    assert!(told.starts_with("roles is an object: ") && told.contains("has_member"), "{told}");
}

#[test]
fn the_condition_that_failed_is_told_and_not_another_on_the_same_claim() {
    let claims = json!([{ "claim": "c", "one_of": ["a", "b"] }, { "claim": "c", "equals": "b" }]);
    let config = config(json!({ "default": { "claims": claims } }));
    assert_eq!(of(token().claim("c", "a"), &config), "c is \"a\"; wanted: equals b");
}

#[test]
fn a_subject_that_records_do_not_show_is_not_shown_as_the_cause_either() {
    let told = |form: &str| {
        let conditions = json!([{ "claim": "sub", "equals": "root" }]);
        let config = config(json!({ "default": { "claims": conditions }, "audit": { "subject": form } }));
        let Loaded { policy, settings, .. } = compiled(&config);
        let decision = get("/").bearer(token().claim("sub", "alice").sign()).decide(&policy);
        let record = AuditRecord::of(&decision, &policy, settings.audit, b"GET").unwrap();
        assert_eq!(record.to_json().contains("alice"), form == "plain", "{}", record.to_json());
        assert_eq!(record.to_line().contains("alice"), form == "plain", "{}", record.to_line());
        record.cause().unwrap()
    };
    assert_eq!(told("plain"), "sub is \"alice\"; wanted: equals root");
    for form in ["hash", "omit"] {
        assert_eq!(told(form), "sub is there; wanted: equals root");
    }
}

#[test]
fn of_an_unverified_token_no_other_claim_is_shown() {
    let by_client = with_issuer(json!({ "audience_claims": ["client_id"], "audiences": ["a"] }), json!({}));
    assert_eq!(of(token().claim("client_id", "private"), &by_client), "client_id is there (unverified); wanted: a");
    let forged = token().claim("sub", "private").claim("iss", "https://else.example.com/").claim("tenant", "private");
    let told = of(forged, &config(json!({})));
    assert!(!told.contains("private"), "{told}");
    let expired = json!({ "default": { "claims": [{ "claim": "tenant", "equals": "acme" }] } });
    let told = of(token().claim("tenant", "private").claim("exp", NOW - 900), &config(expired));
    assert!(!told.contains("private"), "{told}");
}

#[test]
fn what_came_cannot_forge_a_line_and_is_capped() {
    let hostile = format!("x\" decision=allow\r\n{}", "y".repeat(500));
    let plain = config(json!({}));
    let policy = policy(&plain);
    for signed in [
        token().claim("iss", hostile.as_str()).sign(),
        token().claim("aud", hostile.as_str()).sign(),
        token().header("typ", hostile.as_str()).sign(),
        token().header("kid", hostile.as_str()).sign(),
        token().header("alg", hostile.as_str()).sign(),
    ] {
        let decision = get("/").bearer(signed).decide(&policy);
        let record = AuditRecord::of(&decision, &policy, AuditSettings::default(), b"GET").unwrap();
        let line =
            record.with_seen(Seen::default().with_places(Some(b"a\" b\n"), None).with_id(Some(b"id\r"))).to_line();
        assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line:?}");
        assert!(line.contains("unverified_received=\"x%22 decision=allow%0D%0Ay"), "{line}");
        assert!(line.contains(" route=\"a%22 b%0A\" request_id=\"id%0D\""), "{line}");
        assert_eq!(line.matches('"').count() % 2, 0, "{line}");
        assert!(line.len() < 800, "{line}");
    }
}

#[test]
fn no_client_is_told_what_came_or_what_was_wanted() {
    let members = json!({ "default": { "claims": [{ "claim": "tenant", "equals": "acme" }] } });
    let policy = policy(&config(members));
    let reply = |token: Token<'_>| match get("/").bearer(token.sign()).decide(&policy) {
        Decision::Deny(refusal) => {
            challenge::render(&refusal.denial, &refusal.trace, &Terms::of(&policy, "api"), false)
        }
        other => panic!("{other:?}"),
    };
    for (one, other) in [
        (token().claim("iss", "https://a.example.com"), token().claim("iss", "https://b.example.com")),
        (token().claim("aud", "a"), token().claim("aud", json!(["b"]))),
        (token().header("typ", "JWT"), token().header("typ", "x")),
        (token().header("kid", "y"), token().header("kid", "z")),
        (token().claim("exp", NOW - 35), token().claim("exp", NOW - 900)),
        (token().claim("tenant", "a"), token().claim("tenant", json!(["b"]))),
        (token().claim("sub", 4), token().claim("exp", "x")),
    ] {
        assert_eq!(reply(one), reply(other), "the answer is the same whatever came");
    }
}

#[test]
fn a_token_in_a_query_is_named_by_its_fingerprint_and_a_secret_is_not() {
    let policy = policy(&config(json!({})));
    let record = |target: &str| -> Value {
        let decision = get(target).decide(&policy);
        serde_json::from_str(&AuditRecord::of(&decision, &policy, AuditSettings::default(), b"GET").unwrap().to_json())
            .unwrap()
    };
    let signed = token().sign();
    let in_header = get("/").bearer(&signed).decide(&policy);
    let fingerprint = AuditRecord::of(&in_header, &policy, AuditSettings::default(), b"GET").unwrap().to_json();
    let fingerprint: Value = serde_json::from_str(&fingerprint).unwrap();
    for target in [format!("/?access_token={signed}"), format!("/?x={signed}"), format!("/?jwt=Bearer+{signed}")] {
        let record = record(&target);
        assert_eq!(record["reason"], "token_in_query");
        assert_eq!(record["unverified_fingerprint"], fingerprint["fingerprint"], "as the token in the header is named");
    }
    let secret = record("/?access_token=s3cret");
    assert_eq!(secret, json!({ "decision": "deny", "reason": "token_in_query", "requirement": "default" }));
}

#[test]
fn the_issuer_that_an_unverified_token_names_is_marked_as_unverified() {
    let policy = policy(&config(json!({})));
    let decision = get("/").bearer(token().claim("exp", NOW - 900).sign()).decide(&policy);
    let record: Value =
        serde_json::from_str(&AuditRecord::of(&decision, &policy, AuditSettings::default(), b"GET").unwrap().to_json())
            .unwrap();
    assert_eq!((record.get("issuer"), &record["unverified_issuer"]), (None, &json!("demo")));
}

#[test]
fn what_came_is_not_kept_where_nothing_shows_it() {
    let policy = policy(&config(json!({ "default": { "scopes": ["orders:write"] } })));
    for ask in [get("/").bearer(token().sign()), get("/").bearer(token().claim("exp", NOW - 900).sign()), get("/")] {
        let mismatch = |shows_mismatch| match (Ask { shows_mismatch, ..ask.clone() }).decide(&policy) {
            Decision::Deny(refusal) => (refusal.denial.reason(), refusal.token.map(|token| token.mismatch.is_some())),
            other => panic!("{other:?}"),
        };
        let ((shown, kept), (hidden, not_kept)) = (mismatch(true), mismatch(false));
        assert_eq!(shown, hidden);
        assert_eq!((kept, not_kept), (kept.map(|_| true), kept.map(|_| false)), "{ask:?}");
    }
}
