//! The claims of an access token: RFC 7519, RFC 9068, RFC 8725.

use crate::support::issuer::AUDIENCE;
use crate::world::{NOW, config, get, token, with_issuer};
use scopegate::decision::Reason;
use serde_json::{Value, json};

const LEEWAY: i64 = 10;

fn refused(token: crate::support::issuer::Token<'_>) -> Option<Reason> {
    get("/").bearer(token.sign()).refused(&config(json!({})))
}

#[test]
fn a_token_expires_when_its_time_and_the_leeway_are_over() {
    assert_eq!(refused(token().claim("exp", NOW + 1)), None);
    assert_eq!(refused(token().claim("exp", NOW - LEEWAY + 1)), None);
    for exp in
        [json!(NOW - LEEWAY), json!(NOW - LEEWAY - 1), json!(0), json!(-1), json!(NOW as f64 - 10.5), json!(-1e300)]
    {
        assert_eq!(refused(token().claim("exp", exp.clone())), Some(Reason::Expired), "{exp}");
    }
    for exp in [json!(NOW + 1), json!(NOW as f64 + 0.5), json!(1e300), json!(u64::MAX), json!(i64::MAX)] {
        assert_eq!(refused(token().claim("exp", exp.clone())), None, "{exp}");
    }
    assert_eq!(refused(token().claim("exp", Value::Null)), Some(Reason::MissingClaim));
    for exp in [json!("1900000000"), json!(true), json!([1_900_000_000]), json!({})] {
        assert_eq!(refused(token().claim("exp", exp.clone())), Some(Reason::MalformedToken), "{exp}");
    }
}

#[test]
fn a_token_is_not_good_before_its_time() {
    assert_eq!(refused(token().claim("nbf", NOW + LEEWAY)), None);
    for nbf in [json!(NOW + LEEWAY + 1), json!(i64::MAX), json!(u64::MAX), json!(1e300)] {
        assert_eq!(refused(token().claim("nbf", nbf.clone())), Some(Reason::NotYetValid), "{nbf}");
    }
    assert_eq!(refused(token().claim("iat", NOW + LEEWAY)), None);
    assert_eq!(refused(token().claim("iat", NOW + LEEWAY + 1)), Some(Reason::IssuedInFuture));
    assert_eq!(refused(token().claim("iat", "now")), Some(Reason::MalformedToken));
}

#[test]
fn the_leeway_is_that_of_the_issuer() {
    let strict = with_issuer(json!({ "leeway": "0s" }), json!({}));
    assert_eq!(get("/").bearer(token().claim("exp", NOW).sign()).refused(&strict), Some(Reason::Expired));
    assert_eq!(get("/").bearer(token().claim("exp", NOW + 1).sign()).refused(&strict), None);
}

#[test]
fn the_issuer_is_compared_byte_by_byte() {
    for iss in [
        json!("https://issuer.example.com"),
        json!("https://issuer.example.com//"),
        json!("http://issuer.example.com/"),
        json!("https://ISSUER.example.com/"),
        json!("https://issuer.example.com:443/"),
        json!("https://issuer.example.com/x"),
        json!(" https://issuer.example.com/"),
        json!(""),
        json!("https://issuer.example.c\u{43e}m/"),
        Value::Null,
    ] {
        assert_eq!(refused(token().claim("iss", iss.clone())), Some(Reason::UnknownIssuer), "{iss}");
    }
    assert_eq!(refused(token().claim("iss", json!(["https://issuer.example.com/"]))), Some(Reason::MalformedToken));
}

#[test]
fn a_token_must_name_our_audience_exactly() {
    for aud in [json!(AUDIENCE), json!([AUDIENCE]), json!(["https://other.example.com", AUDIENCE])] {
        assert_eq!(refused(token().claim("aud", aud.clone())), None, "{aud}");
    }
    for aud in [
        Value::Null,
        json!(""),
        json!([]),
        json!("https://api.example.com/"),
        json!("http://api.example.com"),
        json!("api.example.com"),
        json!("https://api.example.com.evil"),
        json!("https://api.example"),
        json!({ "a": AUDIENCE }),
        json!(1),
        json!([AUDIENCE, 1]),
        json!([[AUDIENCE]]),
        json!("HTTPS://API.EXAMPLE.COM"),
    ] {
        assert_eq!(refused(token().claim("aud", aud.clone())), Some(Reason::WrongAudience), "{aud}");
    }
}

#[test]
fn the_first_audience_claim_that_is_there_decides() {
    let config = with_issuer(json!({ "audience_claims": ["client_id", "aud"] }), json!({}));
    let ask = |token: crate::support::issuer::Token<'_>| get("/").bearer(token.sign()).refused(&config);
    assert_eq!(ask(token().claim("client_id", AUDIENCE).claim("aud", "other")), None);
    assert_eq!(ask(token().claim("client_id", "other")), Some(Reason::WrongAudience));
    assert_eq!(ask(token()), None);
}

#[test]
fn a_token_of_another_kind_is_refused() {
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt"] {
        assert_eq!(refused(token().header("typ", typ)), None, "{typ}");
    }
    for typ in [
        json!("JWT"),
        Value::Null,
        json!("dpop+jwt"),
        json!("logout+jwt"),
        json!("secevent+jwt"),
        json!("statuslist+jwt"),
        json!("token-introspection+jwt"),
        json!("text/at+jwt"),
        json!(" at+jwt"),
        json!(""),
    ] {
        assert_eq!(refused(token().header("typ", typ.clone())), Some(Reason::WrongType), "{typ}");
    }
    assert_eq!(refused(token().header("typ", json!(["at+jwt"]))), Some(Reason::MalformedToken));
}

#[test]
fn an_id_token_is_refused_where_plain_jwts_are_admitted() {
    let open = with_issuer(json!({ "token_types": ["at+jwt", "JWT", "missing"] }), json!({}));
    let ask = |token: crate::support::issuer::Token<'_>, config: &Value| get("/").bearer(token.sign()).refused(config);
    for typ in [json!("JWT"), json!("jwt"), Value::Null] {
        assert_eq!(ask(token().header("typ", typ.clone()), &open), None, "{typ}");
        for claim in ["nonce", "at_hash", "c_hash"] {
            let id_token = token().header("typ", typ.clone()).claim(claim, "x");
            assert_eq!(ask(id_token.clone(), &open), Some(Reason::WrongType), "{typ} {claim}");
            let lenient = with_issuer(json!({ "token_types": ["JWT", "missing"], "id_tokens": true }), json!({}));
            assert_eq!(ask(id_token, &lenient), None, "{typ} {claim}");
        }
    }
    assert_eq!(ask(token().claim("nonce", "x"), &open), None, "an explicit type leaves no doubt");
}

#[test]
fn claims_that_are_required_must_be_there() {
    assert_eq!(refused(token().claim("sub", Value::Null)), Some(Reason::MissingClaim));
    assert_eq!(refused(token().claim("sub", "")), Some(Reason::MissingClaim), "an empty subject names nobody");
    for name in ["sub", "jti"] {
        assert_eq!(refused(token().claim(name, 1)), Some(Reason::MalformedToken), "{name}");
    }
    let config = with_issuer(json!({ "required_claims": ["jti", ["realm_access", "roles"]] }), json!({}));
    let ask = |token: crate::support::issuer::Token<'_>| get("/").bearer(token.sign()).refused(&config);
    let full = token().claim("jti", "1").claim("realm_access", json!({ "roles": [] }));
    assert_eq!(ask(full.clone()), None);
    assert_eq!(ask(full.clone().claim("sub", Value::Null)), None, "the list replaces the default");
    assert_eq!(ask(full.clone().claim("jti", Value::Null)), Some(Reason::MissingClaim));
    assert_eq!(ask(full.claim("realm_access", json!({ "roles": null }))), Some(Reason::MissingClaim));
}

#[test]
fn lifetime_and_age_have_limits() {
    let config = with_issuer(json!({ "max_lifetime": "300s" }), json!({ "default": { "max_token_age": "60s" } }));
    let ask =
        |iat: Value, exp: i64| get("/").bearer(token().claim("iat", iat).claim("exp", exp).sign()).refused(&config);
    assert_eq!(ask(json!(NOW), NOW + 300), None);
    assert_eq!(ask(json!(NOW), NOW + 301), Some(Reason::LifetimeTooLong));
    assert_eq!(ask(json!(NOW - 70), NOW + 1), None, "60 seconds and the leeway");
    assert_eq!(ask(json!(NOW - 71), NOW + 1), Some(Reason::TooOld));
    assert_eq!(ask(Value::Null, NOW + 1), Some(Reason::LifetimeTooLong), "without iat nothing is known of its age");
    let aged = config_with_age();
    assert_eq!(get("/").bearer(token().claim("iat", Value::Null).sign()).refused(&aged), Some(Reason::TooOld));
    for iat in [json!(i64::MIN), json!(-1e300), json!(0)] {
        assert!(ask(iat.clone(), NOW + 1).is_some(), "{iat}");
    }
}

fn config_with_age() -> Value {
    config(json!({ "default": { "max_token_age": "60s" } }))
}

#[test]
fn validity_is_judged_before_scope() {
    let config = config(json!({ "default": { "scopes": ["orders:write"] } }));
    let ask = |token: crate::support::issuer::Token<'_>| get("/").bearer(token.sign()).refused(&config);
    assert_eq!(ask(token()), Some(Reason::InsufficientScope));
    assert_eq!(ask(token().claim("exp", 1)), Some(Reason::Expired));
    assert_eq!(ask(token().claim("aud", "x")), Some(Reason::WrongAudience));
}

#[test]
fn conditions_on_claims_are_judged_last() {
    let config = config(json!({ "default": { "scopes": ["orders:read"], "claims": [
        { "claim": "tenant", "equals": "acme" },
        { "claim": ["realm_access", "roles"], "contains": "admin" },
        { "claim": "plan", "one_of": ["gold", "silver"] },
    ] } }));
    let ask = |token: crate::support::issuer::Token<'_>| get("/").bearer(token.sign()).refused(&config);
    let full =
        token().claim("tenant", "acme").claim("realm_access", json!({ "roles": ["admin"] })).claim("plan", "gold");
    assert_eq!(ask(full.clone()), None);
    for (name, value) in
        [("tenant", json!("other")), ("tenant", Value::Null), ("plan", json!("tin")), ("realm_access", json!({}))]
    {
        assert_eq!(ask(full.clone().claim(name, value.clone())), Some(Reason::ClaimMismatch), "{name} {value}");
    }
    assert_eq!(ask(full.scope("x").claim("tenant", "other")), Some(Reason::InsufficientScope));
}
