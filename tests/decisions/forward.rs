//! What goes upstream.

use crate::world::{Ask, config, get, token};
use serde_json::{Value, json};

fn forwarding(forward: Value) -> Value {
    config(json!({ "forward": forward, "rules": [{ "match": { "path": "/public" }, "public": true }] }))
}

fn headers() -> Value {
    json!({ "headers": { "x-auth-subject": "sub", "x-auth-scope": "scope", "x-auth-roles": ["realm", "roles"] } })
}

#[test]
fn identity_headers_of_the_client_are_removed_in_every_spelling_on_every_route() {
    let config = forwarding(headers());
    for (target, credential) in [("/public", false), ("/", true)] {
        let mut ask = get(target)
            .header("x-auth-subject", "admin")
            .header("x_auth_subject", "admin")
            .header("x-auth_scope", "all")
            .header("x-auth-subject", "again")
            .header("x-other", "stays");
        if credential {
            ask = ask.bearer(token().sign());
        }
        let grant = ask.granted(&config);
        for name in ["x-auth-subject", "x_auth_subject", "x-auth_scope"] {
            assert_eq!(
                grant.remove.iter().filter(|removed| *removed == name).count(),
                1,
                "{target} {name}: {:?}",
                grant.remove
            );
        }
        assert!(!grant.remove.iter().any(|name| name == "x-other"));
    }
}

#[test]
fn headers_that_the_gate_does_not_set_are_removed_in_every_spelling_on_every_request() {
    let remove = json!(["x-forwarded-user", "X-JWT-Payload"]);
    for report_only in [false, true] {
        let mut config = forwarding(json!({ "headers": { "x-auth-subject": "sub" }, "remove": remove }));
        config["report_only"] = json!(report_only);
        for (target, credential) in [("/public", None), ("/", Some(token().sign()))] {
            let mut ask = get(target)
                .header("x-forwarded-user", "root")
                .header("x_forwarded_user", "root")
                .header("x-jwt_payload", "e30")
                .header("x-forwarded-for", "192.0.2.1");
            ask = credential.into_iter().fold(ask, Ask::bearer);
            let removed = ask.granted(&config).remove;
            for name in ["x-forwarded-user", "x_forwarded_user", "x-jwt_payload"] {
                assert!(removed.iter().any(|other| other == name), "{target} {name}: {removed:?}");
            }
            assert!(!removed.iter().any(|name| name == "x-forwarded-for"), "{removed:?}");
        }
    }
    let grant = get("/public").granted(&forwarding(json!({ "remove": remove })));
    assert!(grant.remove.is_empty(), "nothing is edited that is not there: {grant:?}");
}

#[test]
fn nothing_is_edited_that_is_not_there() {
    let config = forwarding(json!({ "headers": { "x-auth-tenant": "tenant" }, "token": "keep" }));
    let grant = get("/").bearer(token().sign()).granted(&config);
    assert!(grant.remove.is_empty() && grant.set.is_empty(), "{grant:?}");
    let grant = get("/public").header("authorization", "Bearer anything at all").granted(&config);
    assert!(grant.remove.is_empty(), "a public route leaves authorization alone: {grant:?}");
}

#[test]
fn a_claim_that_cannot_be_a_header_leaves_it_out_and_is_counted() {
    for (claim, counted) in [
        (json!("a\r\nx-admin: 1"), 1),
        (json!("a\nb"), 1),
        (json!({}), 1),
        (json!(["a,b"]), 1),
        (json!([1]), 1),
        (json!([]), 0),
        (json!(null), 0),
    ] {
        let grant =
            get("/").bearer(token().claim("realm", json!({ "roles": claim })).sign()).granted(&forwarding(headers()));
        assert!(!grant.set.iter().any(|(name, _)| &**name == "x-auth-roles"), "{claim}");
        assert_eq!(grant.left_out, if claim.is_null() { 1 } else { counted }, "{claim}");
    }
    for (claim, value) in [(json!(7), "7"), (json!(true), "true"), (json!("José"), "José")] {
        let grant =
            get("/").bearer(token().claim("realm", json!({ "roles": claim })).sign()).granted(&forwarding(headers()));
        assert!(grant.set.contains(&("x-auth-roles".into(), value.to_owned())), "{claim}");
    }
}

#[test]
fn what_goes_on_without_its_token_gets_no_identity_and_counts_none_as_left_out() {
    let config = config(json!({
        "forward": headers(),
        "rules": [
            { "match": { "path": "/public" }, "public": true },
            { "match": { "path": "/optional" }, "allow_missing": true },
            { "match": { "path": "/reported" }, "report_only": true, "scopes": ["x"] },
        ],
    }));
    for (ask, basis) in [
        (get("/public").bearer(token().sign()), "Public"),
        (get("/optional"), "Missing"),
        (get("/reported").bearer(token().sign()), "ReportOnly"),
    ] {
        let grant = ask.granted(&config);
        assert!(format!("{:?}", grant.basis).starts_with(basis), "{basis}: {grant:?}");
        assert!(grant.set.is_empty() && grant.remove.is_empty(), "{basis}: {grant:?}");
        assert_eq!(grant.left_out, 0, "{basis}");
    }
}

/// The names that Envoy has for the route, as a request of `get` has none.
fn judged(config: &Value, ask: &Ask, names: [Option<&str>; 2]) -> Option<(String, String)> {
    let grant = ask.clone().on_route(names).granted(config);
    grant.judged().map(|judged| (judged.virtual_host.clone(), judged.route.clone()))
}

#[test]
fn every_request_that_goes_on_carries_what_it_was_judged_by_where_the_policy_seals() {
    let rules = json!([
        { "match": { "path": "/public" }, "public": true },
        { "match": { "path": "/optional" }, "allow_missing": true },
        { "match": { "path": "/reported" }, "report_only": true, "scopes": ["x"] },
    ]);
    let members = json!({ "seal": true, "bypass_cors_preflight": true, "rules": rules });
    let names = [Some("api"), Some("orders")];
    let wanted = Some(("api".to_owned(), "orders".to_owned()));
    let bearer = token().sign();
    for ask in [get("/").bearer(&bearer), get("/public"), get("/optional"), get("/reported").bearer(&bearer)] {
        assert_eq!(judged(&config(members.clone()), &ask, names), wanted, "{ask:?}");
        assert_eq!(judged(&config(json!({ "rules": rules })), &ask, names), None, "no seal: {ask:?}");
        for lacking in
            [[None, Some("orders")], [Some("api"), None], [Some(""), Some("orders")], [Some("api"), Some("")]]
        {
            assert_eq!(judged(&config(members.clone()), &ask, lacking), None, "{lacking:?}");
        }
    }
    let top = config(json!({ "seal": true, "report_only": true }));
    assert_eq!(judged(&top, &get("/"), names), wanted, "a refusal that is only reported");
    assert!(get("/").refused(&config(members)).is_some(), "a refusal carries none");
}

#[test]
fn with_a_router_that_edits_the_gate_publishes_and_removes_only_what_a_client_forged() {
    let with = |by: &str| {
        let mut forward = headers();
        forward["by"] = by.into();
        forwarding(forward)
    };
    let ask = get("/").bearer(token().claim("realm", json!({ "roles": ["a", "b"] })).sign());
    let grant = ask.granted(&with("router"));
    assert!(grant.remove.is_empty() && grant.set.is_empty(), "{grant:?}");
    let published: Vec<(&str, &str)> = grant.identity().iter().map(|(key, value)| (&**key, value.as_str())).collect();
    let wanted = [("scopegate.roles", "a,b"), ("scopegate.scope", "orders:read"), ("scopegate.subject", "alice")];
    assert_eq!(published, wanted);
    let grant = ask.clone().header("x_auth_subject", "admin").granted(&with("router"));
    assert_eq!(grant.remove, ["x_auth_subject"], "never the token");
    let grant = ask.granted(&with("filter"));
    assert!(grant.identity().is_empty() && grant.set.len() == 3, "{grant:?}");
    // Without its claim a header is not published, and one that no header can carry is counted.
    let grant = get("/").bearer(token().claim("realm", json!({ "roles": ["a,b"] })).sign()).granted(&with("router"));
    assert_eq!((grant.identity().len(), grant.left_out), (2, 1), "{grant:?}");
    let grant = get("/public").bearer(token().sign()).granted(&with("router"));
    assert!(grant.identity().is_empty() && grant.remove.is_empty(), "{grant:?}");
}
