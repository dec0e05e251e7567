//! Presenting the token: RFC 6750, RFC 9110 section 11. Grammar cases stand beside the parser.

use crate::world::{config, get, token};
use scopegate::decision::Reason;
use serde_json::json;

#[test]
fn a_token_in_the_header_passes_whatever_the_case_of_the_scheme() {
    let config = config(json!({}));
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        let value = format!("{scheme}  {}", token().sign());
        assert_eq!(get("/").header("authorization", value).refused(&config), None, "{scheme}");
    }
}

#[test]
fn a_request_without_a_credential_is_told_so() {
    let config = config(json!({}));
    assert_eq!(get("/").refused(&config), Some(Reason::NoCredential));
    for scheme in ["Basic", "Token", "JWT", "DPoP", "OAuth"] {
        let value = format!("{scheme} {}", token().sign());
        assert_eq!(get("/").header("authorization", value).refused(&config), Some(Reason::NoCredential), "{scheme}");
    }
}

#[test]
fn a_token_anywhere_else_is_ignored() {
    let config = config(json!({}));
    for name in [
        "cookie",
        "x-access-token",
        "proxy-authorization",
        "sec-websocket-protocol",
        "x-authorization",
        "authentication",
    ] {
        let value = format!("Bearer {}", token().sign());
        assert_eq!(get("/").header(name, value).refused(&config), Some(Reason::NoCredential), "{name}");
    }
}

#[test]
fn two_credentials_are_refused_even_when_one_of_them_is_good() {
    let config = config(json!({}));
    let good = token().sign();
    for value in
        [format!("Bearer {good},Bearer {good}"), format!("Bearer x,Bearer {good}"), format!("Basic dTpw,Bearer {good}")]
    {
        assert_eq!(get("/").header("authorization", value).refused(&config), Some(Reason::MultipleCredentials));
    }
    let twice = get("/").bearer(&good).bearer(&good);
    assert_eq!(twice.refused(&config), Some(Reason::MultipleCredentials));
}

#[test]
fn bytes_that_are_no_text_are_malformed() {
    let config = config(json!({}));
    for value in [&b"Bearer \xff"[..], b"\xff\xfe", b"Bearer a\0b", b"Bearer", b""] {
        assert_eq!(
            get("/").header("authorization", value).refused(&config),
            Some(Reason::MalformedHeader),
            "{value:?}"
        );
    }
}

#[test]
fn a_missing_path_is_judged_without_path_rules() {
    let config = config(json!({ "rules": [{ "match": { "prefix": "/" }, "public": true }] }));
    let mut connect = get("/").method("CONNECT");
    connect.target = None;
    assert_eq!(connect.refused(&config), Some(Reason::NoCredential));
    connect.target = Some("*".to_owned());
    assert_eq!(connect.refused(&config), Some(Reason::NoCredential));
}

#[test]
fn a_preflight_passes_only_where_it_is_allowed_and_only_when_it_is_one() {
    let preflight =
        get("/").method("OPTIONS").header("origin", "https://a").header("access-control-request-method", "GET");
    assert_eq!(preflight.refused(&config(json!({}))), Some(Reason::NoCredential), "not by default");
    let open = config(json!({ "bypass_cors_preflight": true }));
    assert_eq!(preflight.refused(&open), None);
    let mut with_body = preflight.clone();
    with_body.body = true;
    for (case, ask) in [
        ("another method", preflight.clone().method("GET")),
        ("a credential", preflight.clone().header("authorization", "Basic dTpw")),
        ("two origins", preflight.clone().header("origin", "https://b")),
        (
            "two methods",
            get("/").method("OPTIONS").header("origin", "https://a").header("access-control-request-method", "GET,PUT"),
        ),
        (
            "two origins, joined",
            get("/")
                .method("OPTIONS")
                .header("origin", "https://a,https://b")
                .header("access-control-request-method", "GET"),
        ),
        (
            "an empty origin",
            get("/").method("OPTIONS").header("origin", "").header("access-control-request-method", "GET"),
        ),
        ("no method asked for", get("/").method("OPTIONS").header("origin", "https://a")),
        ("a body", with_body),
    ] {
        assert_eq!(ask.refused(&open), Some(Reason::NoCredential), "{case}");
    }
    let closed = config(json!({ "bypass_cors_preflight": true, "default": { "deny": true } }));
    assert_eq!(preflight.refused(&closed), Some(Reason::Denied), "deny is stronger");
    let mut with_token = preflight;
    with_token.target = Some("/?access_token=x".into());
    assert_eq!(with_token.refused(&open), Some(Reason::TokenInQuery), "so is the query check");
}
