//! Tokens in query strings are refused on every route. Spellings stand beside the parser.

use crate::world::{config, get, token};
use scopegate::decision::Reason;
use serde_json::json;

#[test]
fn a_token_in_the_query_is_refused_wherever_it_is() {
    let config = config(json!({
        "rules": [
            { "match": { "path": "/public" }, "public": true },
            { "match": { "path": "/deny" }, "deny": true },
            { "match": { "path": "/optional" }, "allow_missing": true },
        ],
    }));
    for path in ["/public", "/deny", "/optional", "/other", "/a/../b"] {
        let ask = get(&format!("{path}?a=1&access_token=x"));
        assert_eq!(ask.refused(&config), Some(Reason::TokenInQuery), "{path}");
        assert_eq!(ask.bearer(token().sign()).refused(&config), Some(Reason::TokenInQuery), "{path} with a header");
    }
    let unreadable = get("/?jwt=x").metadata(json!({ "scopes": 1 }));
    assert_eq!(
        unreadable.refused(&config),
        Some(Reason::TokenInQuery),
        "also where the route's metadata cannot be read"
    );
}

#[test]
fn a_jwt_in_a_query_is_refused_unless_its_parameter_is_named() {
    let jwt = token().sign();
    let config = config(json!({
        "query_tokens": { "names": ["sid"], "jwt_allowed_in": ["id_token_hint"] },
        "rules": [{ "match": { "path": "/authorize" }, "public": true, "jwt_allowed_in": ["request"] }],
        "default": { "public": true },
    }));
    for (target, refused) in [
        (format!("/x?state={jwt}"), true),
        (format!("/x?id_token_hint={jwt}"), false),
        (format!("/x?request={jwt}"), true),
        (format!("/authorize?request={jwt}"), false),
        (format!("/authorize?id_token_hint={jwt}&request={jwt}"), false),
        (format!("/authorize?state={jwt}"), true),
        ("/x?SID=1".to_owned(), true),
    ] {
        let wanted = refused.then_some(Reason::TokenInQuery);
        assert_eq!(get(&target).refused(&config), wanted, "{target}");
    }
}

#[test]
fn a_jwt_that_is_admitted_is_never_read_as_a_credential() {
    let config = config(json!({ "query_tokens": { "jwt_allowed_in": ["request"] } }));
    let ask = get(&format!("/?request={}", token().sign()));
    assert_eq!(ask.refused(&config), Some(Reason::NoCredential));
}

#[test]
fn route_metadata_may_admit_a_parameter() {
    let ask = get(&format!("/?request={}", token().sign()))
        .metadata(json!({ "public": true, "jwt_allowed_in": ["request"] }));
    assert_eq!(ask.refused(&config(json!({}))), None);
    let restrict = config(json!({ "route_metadata": "restrict", "default": { "public": true } }));
    assert_eq!(ask.refused(&restrict), Some(Reason::TokenInQuery), "but not where it can only restrict");
}
