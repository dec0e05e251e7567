//! Dates that YAML cannot write: fractions, and numbers beyond 32 bits. The tables are in `cases/time.yaml` and
//! `cases/claims.yaml`.

use crate::world::{NOW, config, get, token, with_issuer};
use scopegate::decision::Reason;
use serde_json::json;

fn refused(token: crate::support::issuer::Token<'_>) -> Option<Reason> {
    get("/").bearer(token.sign()).refused(&config(json!({})))
}

#[test]
fn an_expiry_may_be_any_number_and_nothing_else() {
    for exp in [json!(NOW as f64 - 10.5), json!(-1e300)] {
        assert_eq!(refused(token().claim("exp", exp.clone())), Some(Reason::Expired), "{exp}");
    }
    for exp in [json!(NOW as f64 + 0.5), json!(1e300), json!(u64::MAX), json!(i64::MAX)] {
        assert_eq!(refused(token().claim("exp", exp.clone())), None, "{exp}");
    }
    assert_eq!(refused(token().claim("exp", "1900000000")), Some(Reason::MalformedToken));
}

#[test]
fn a_token_may_begin_at_any_number() {
    for nbf in [json!(i64::MAX), json!(u64::MAX), json!(1e300)] {
        assert_eq!(refused(token().claim("nbf", nbf.clone())), Some(Reason::NotYetValid), "{nbf}");
    }
}

#[test]
fn a_lifetime_that_no_number_holds_is_too_long() {
    let config = with_issuer(json!({ "max_lifetime": "300s" }), json!({ "default": { "max_token_age": "60s" } }));
    for iat in [json!(i64::MIN), json!(-1e300)] {
        let refused = get("/").bearer(token().claim("iat", iat.clone()).claim("exp", NOW + 1).sign()).refused(&config);
        assert_eq!(refused, Some(Reason::LifetimeTooLong), "{iat}");
    }
}
