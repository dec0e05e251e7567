//! What is changed of the token.

use super::changes::Step::Token;
use super::changes::{Change, bad};
use serde_json::{Value, json};

pub(super) const TOKENS: &[Change] = &[
    bad("exp", "the token has expired", Token(|token, base| token.claim("exp", base.now - 60))),
    bad("exp", "the token has no exp", Token(|token, _| token.claim("exp", Value::Null))),
    bad("iat", "the token is of the future", Token(|token, base| token.claim("iat", base.now + 120))),
    bad("iat", "the token has no iat", Token(|token, _| token.claim("iat", Value::Null))),
    bad("nbf", "the token is not yet good", Token(|token, base| token.claim("nbf", base.now + 120))),
    bad("iss", "the token is of another issuer", Token(|token, _| token.claim("iss", "https://other.example.com/"))),
    bad("aud", "the token is for another audience", Token(|token, _| token.claim("aud", "https://other.example.com"))),
    bad("sub", "the token has no sub", Token(|token, _| token.claim("sub", Value::Null))),
    bad("client_id", "the token has no client_id", Token(|token, _| token.claim("client_id", Value::Null))),
    bad("token jti", "the token has no jti", Token(|token, _| token.claim("jti", Value::Null))),
    bad("token typ", "the token is an ID token", Token(|token, _| token.header("typ", "JWT"))),
    bad("token typ", "the token is a proof", Token(|token, _| token.header("typ", "dpop+jwt"))),
    bad("token alg", "the token is of alg none", Token(|token, _| token.header("alg", "none"))),
    bad("token alg", "the token is of alg HS256", Token(|token, _| token.header("alg", "HS256"))),
    bad("cnf", "the token is bound to another key", Token(|token, base| token.claim("cnf", base.keys.thief.cnf()))),
    bad("cnf", "the token is not bound", Token(|token, _| token.claim("cnf", Value::Null))),
    bad("cnf", "cnf is empty", Token(|token, _| token.claim("cnf", json!({})))),
    bad("cnf", "cnf is no object", Token(|token, base| token.claim("cnf", base.client.jkt()))),
    bad("cnf", "cnf is a list", Token(|token, base| token.claim("cnf", json!([base.client.cnf()])))),
    bad("cnf", "cnf has an unknown member", Token(|token, _| token.claim("cnf", json!({ "kid": "a" })))),
    bad(
        "cnf",
        "cnf has an unknown member too",
        Token(|token, base| token.claim("cnf", json!({ "jkt": base.client.jkt(), "kid": "a" }))),
    ),
    bad(
        "cnf",
        "cnf has a certificate too",
        Token(|token, base| token.claim("cnf", json!({ "jkt": base.client.jkt(), "x5t#S256": base.client.jkt() }))),
    ),
    bad("cnf", "jkt is no text", Token(|token, _| token.claim("cnf", json!({ "jkt": 1 })))),
    bad("cnf", "jkt is null", Token(|token, _| token.claim("cnf", json!({ "jkt": null })))),
    bad("cnf", "jkt is empty", Token(|token, _| token.claim("cnf", json!({ "jkt": "" })))),
    bad(
        "cnf",
        "jkt is padded",
        Token(|token, base| token.claim("cnf", json!({ "jkt": format!("{}=", base.client.jkt()) }))),
    ),
    bad(
        "cnf",
        "jkt is in lower case",
        Token(|token, base| token.claim("cnf", json!({ "jkt": base.client.jkt().to_ascii_lowercase() }))),
    ),
];
