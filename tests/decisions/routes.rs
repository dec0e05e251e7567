//! Which requirement holds: rules, methods, hosts, route metadata, precedence, ambiguous paths.

use crate::world::{Ask, config, get, token};
use scopegate::decision::Reason;
use serde_json::{Value, json};

/// A rule that denies, so that it can be seen whether it is the one that decides.
fn denies(matching: Value) -> Value {
    config(json!({ "rules": [{ "match": matching, "deny": true }], "default": { "public": true } }))
}

fn matched(matching: &Value, ask: &Ask) -> bool {
    match ask.refused(&denies(matching.clone())) {
        None => false,
        Some(Reason::Denied) => true,
        other => panic!("{matching} {ask:?}: {other:?}"),
    }
}

#[test]
fn path_conditions_match_what_they_match_in_envoy() {
    for (matching, target, wanted) in [
        (json!({ "path": "/a" }), "/a", true),
        (json!({ "path": "/a" }), "/a?x=/b", true),
        (json!({ "path": "/a" }), "/a/", false),
        (json!({ "path": "/a" }), "/A", false),
        (json!({ "path": "/a", "ignore_case": true }), "/A", true),
        (json!({ "prefix": "/a" }), "/ab", true),
        (json!({ "prefix": "/" }), "/x", true),
        (json!({ "path_separated_prefix": "/a" }), "/a", true),
        (json!({ "path_separated_prefix": "/a" }), "/a/b", true),
        (json!({ "path_separated_prefix": "/a" }), "/ab", false),
        (json!({ "path_separated_prefix": "/a", "ignore_case": true }), "/A/b", true),
        (json!({ "template": "/a/{id}" }), "/a/1", true),
        (json!({ "template": "/a/{id}" }), "/a/1/2", false),
        (json!({ "template": "/a/**" }), "/a/1/2", true),
    ] {
        assert_eq!(matched(&matching, &get(target)), wanted, "{matching} {target}");
    }
}

#[test]
fn other_conditions_must_all_hold() {
    let ask = Ask { route: Some("admin"), virtual_host: Some("api"), ..get("/x") };
    for (matching, wanted) in [
        (json!({ "route": "admin" }), true),
        (json!({ "route": "admi" }), false),
        (json!({ "route": "Admin" }), false),
        (json!({ "virtual_host": "api" }), true),
        (json!({ "virtual_host": "other" }), false),
        (json!({ "host": "api.example.com" }), true),
        (json!({ "host": "API.example.com" }), true),
        (json!({ "host": "*.example.com" }), true),
        (json!({ "host": "example.com" }), false),
        (json!({ "host": "*.api.example.com" }), false),
        (json!({ "methods": ["GET"] }), true),
        (json!({ "methods": ["POST"] }), false),
        (json!({ "route": "admin", "path": "/x", "methods": ["GET", "POST"] }), true),
        (json!({ "route": "admin", "path": "/y" }), false),
    ] {
        assert_eq!(matched(&matching, &ask), wanted, "{matching}");
    }
    for authority in ["API.example.com:8443", "api.example.com.", "api.example.com:443"] {
        assert!(
            matched(&json!({ "host": "api.example.com" }), &get("/").header(":authority", authority)),
            "{authority}"
        );
    }
    assert!(!matched(&json!({ "route": "admin" }), &get("/x")), "no route at all");
}

#[test]
fn a_host_that_is_none_is_refused_when_a_host_rule_has_to_judge_it() {
    let config = config(json!({
        "rules": [{ "match": { "path": "/a" }, "public": true }, { "match": { "host": "open.example.com", "methods": ["GET"] }, "public": true }],
        "default": { "public": true },
    }));
    for authority in [
        "open.example.com:x",
        "open.example.com:",
        "open.example.com:a@internal",
        "a@open.example.com",
        "open.example.com..",
        "a b",
    ] {
        let ask = get("/").header(":authority", authority);
        assert_eq!(ask.refused(&config), Some(Reason::AmbiguousHost), "{authority}");
        assert_eq!(ask.clone().method("POST").refused(&config), None, "{authority}: no host rule is for POST");
        assert_eq!(
            get("/a").header(":authority", authority).refused(&config),
            None,
            "{authority}: a rule before it decides"
        );
    }
}

#[test]
fn a_template_does_not_guess_about_bytes_that_envoys_operators_leave_out() {
    let config = config(
        json!({ "rules": [{ "match": { "template": "/admin/**" }, "deny": true }], "default": { "public": true } }),
    );
    for target in ["/admin/a", "/admin/x=y", "/admin/*", "/admin/a:b@c,d"] {
        assert_eq!(get(target).refused(&config), Some(Reason::Denied), "{target}");
    }
    for target in ["/admin/a|b", "/admin/\"x\"", "/admin/{x}", "/admin/\u{e9}"] {
        assert_eq!(get(target).refused(&config), Some(Reason::AmbiguousPath), "{target}");
    }
    for target in ["/other/a|b", "/admin"] {
        assert_eq!(get(target).refused(&config), None, "{target}");
    }
}

#[test]
fn get_covers_head() {
    assert!(matched(&json!({ "methods": ["GET"] }), &get("/").method("HEAD")));
    assert!(!matched(&json!({ "methods": ["GET"] }), &get("/").method("get")));
    assert!(!matched(&json!({ "methods": ["HEAD"] }), &get("/")));
    let config =
        config(json!({ "default": { "deny": false, "scopes": ["w"], "methods": { "GET": { "public": true } } } }));
    assert_eq!(get("/").refused(&config), None);
    assert_eq!(get("/").method("HEAD").refused(&config), None);
    assert_eq!(get("/").method("POST").refused(&config), Some(Reason::NoCredential));
    assert_eq!(get("/").method("GET2").refused(&config), Some(Reason::NoCredential));
    let split = crate::world::config(
        json!({ "default": { "methods": { "GET": { "public": true }, "HEAD": { "deny": true } } } }),
    );
    assert_eq!(get("/").method("HEAD").refused(&split), Some(Reason::Denied));
}

#[test]
fn the_first_rule_that_matches_decides() {
    let config = config(json!({
        "rules": [
            { "match": { "path": "/a" }, "public": true },
            { "match": { "prefix": "/a" }, "deny": true },
            { "match": { "path": "/a" }, "deny": true },
        ],
    }));
    assert_eq!(get("/a").refused(&config), None);
    assert_eq!(get("/ab").refused(&config), Some(Reason::Denied));
    assert_eq!(get("/b").refused(&config), Some(Reason::NoCredential), "the default asks for a token");
}

#[test]
fn an_ambiguous_path_is_refused_when_a_path_rule_has_to_judge_it() {
    let config = config(json!({
        "rules": [{ "match": { "route": "open" }, "public": true }, { "match": { "path": "/a", "methods": ["GET"] }, "public": true }],
        "default": { "public": true },
    }));
    for target in [
        "/a//b",
        "/a/../b",
        "/a%2fb",
        "/a;b",
        "/a\\b",
        "/%2e%2e/a",
        "/a%00",
        "/a%",
        "/%252e%252e/",
        "/%61",
        "a",
        "http://x/a",
    ] {
        assert_eq!(get(target).refused(&config), Some(Reason::AmbiguousPath), "{target}");
        assert_eq!(
            Ask { route: Some("open"), ..get(target) }.refused(&config),
            None,
            "{target}: a rule before it decides"
        );
        assert_eq!(get(target).method("POST").refused(&config), None, "{target}: no path rule is for POST");
        assert_eq!(
            get(target).metadata(json!({ "public": true })).refused(&config),
            None,
            "{target}: metadata decides"
        );
    }
    let without = crate::world::config(
        json!({ "rules": [{ "match": { "route": "x" }, "deny": true }], "default": { "public": true } }),
    );
    assert_eq!(get("/a/../b").refused(&without), None, "no rule looks at the path");
}

#[test]
fn admitted_forms_are_matched_as_written() {
    let config = config(json!({
        "paths": { "allow": ["encoded_slash", "semicolon"] },
        "rules": [{ "match": { "template": "/projects/{id}/raw" }, "deny": true }, { "match": { "path": "/a;v=1" }, "deny": true }],
        "default": { "public": true },
    }));
    assert_eq!(get("/projects/group%2Fname/raw").refused(&config), Some(Reason::Denied));
    assert_eq!(get("/a;v=1").refused(&config), Some(Reason::Denied));
    assert_eq!(get("/a;v=2").refused(&config), None);
    for target in ["/projects/..%2Fx/raw", "/a/..;/b", "/projects/a%5Cb/raw", "/projects/%2e%2e/raw"] {
        assert_eq!(get(target).refused(&config), Some(Reason::AmbiguousPath), "{target}");
    }
}

#[test]
fn route_metadata_takes_the_place_of_everything_else() {
    let config =
        config(json!({ "rules": [{ "match": { "prefix": "/" }, "deny": true }], "default": { "deny": true } }));
    assert_eq!(get("/").metadata(json!({ "public": true })).refused(&config), None);
    let scoped =
        get("/").metadata(json!({ "scopes": ["orders:write"], "methods": { "GET": { "scopes": ["orders:read"] } } }));
    assert_eq!(scoped.clone().bearer(token().sign()).refused(&config), None);
    assert_eq!(scoped.method("POST").bearer(token().sign()).refused(&config), Some(Reason::InsufficientScope));
    assert_eq!(
        get("/").metadata(json!({})).refused(&config),
        Some(Reason::NoCredential),
        "nothing said: a valid token"
    );
}

#[test]
fn metadata_that_cannot_be_read_refuses_and_never_falls_back() {
    let open = config(json!({ "default": { "public": true } }));
    for bad in [
        json!({ "scope": ["a"] }),
        json!({ "scopes": "a" }),
        json!({ "public": null }),
        json!({ "public": "yes" }),
        json!({ "public": true, "deny": true }),
        json!({ "public": true, "scopes": [] }),
        json!([]),
        json!("public"),
        json!({ "issuers": ["unknown"] }),
        json!({ "scopes": { "any_of": [] } }),
        json!({ "methods": { "get": {} } }),
    ] {
        assert_eq!(get("/").metadata(bad.clone()).refused(&open), Some(Reason::PolicyUnreadable), "{bad}");
    }
    let ignore = config(json!({ "route_metadata": "ignore", "default": { "public": true } }));
    assert_eq!(get("/").metadata(json!({ "deny": true })).refused(&ignore), None);
    assert_eq!(get("/").metadata(json!("x")).refused(&ignore), None);
}

#[test]
fn restricting_metadata_can_add_and_never_open() {
    let restricting = |default: Value| config(json!({ "route_metadata": "restrict", "default": default }));
    let refused = |default: Value, metadata: Value, scope: &str| {
        get("/").metadata(metadata).bearer(token().scope(scope).sign()).refused(&restricting(default))
    };
    assert_eq!(refused(json!({ "scopes": ["a"] }), json!({ "scopes": ["b"] }), "a b"), None);
    for scope in ["a", "b"] {
        assert_eq!(
            refused(json!({ "scopes": ["a"] }), json!({ "scopes": ["b"] }), scope),
            Some(Reason::InsufficientScope),
            "{scope}"
        );
    }
    assert_eq!(refused(json!({ "scopes": ["a"] }), json!({ "public": true }), "x"), Some(Reason::InsufficientScope));
    assert_eq!(
        refused(json!({ "scopes": ["a"] }), json!({ "report_only": true, "scopes": ["b"] }), "x"),
        Some(Reason::InsufficientScope)
    );
    assert_eq!(refused(json!({ "public": true }), json!({ "deny": true }), "x"), Some(Reason::Denied));
    assert_eq!(refused(json!({ "deny": true }), json!({ "public": true }), "x"), Some(Reason::Denied));
    let ask = |default: Value, metadata: Value| get("/").metadata(metadata).refused(&restricting(default));
    assert_eq!(ask(json!({ "public": true }), json!({ "scopes": ["b"] })), Some(Reason::NoCredential));
    assert_eq!(ask(json!({ "allow_missing": true }), json!({ "public": true })), None);
    assert_eq!(ask(json!({ "scopes": ["a"] }), json!({ "allow_missing": true })), Some(Reason::NoCredential));
    assert_eq!(ask(json!({ "allow_missing": true }), json!({ "scopes": ["b"] })), Some(Reason::NoCredential));
    let missing = json!({ "scopes": ["b"], "allow_missing": true });
    for base in
        [json!({ "public": true }), json!({ "allow_missing": true }), json!({ "report_only": true, "scopes": ["x"] })]
    {
        assert_eq!(
            ask(base.clone(), missing.clone()),
            Some(Reason::NoCredential),
            "{base}: it cannot say allow_missing"
        );
    }
    let both = get("/").metadata(json!({ "scopes": ["b", "a"] }));
    assert_eq!(both.wanted(&restricting(json!({ "scopes": ["a"] }))), "a b");
}

#[test]
fn what_metadata_adds_and_what_it_is_added_to_must_both_hold() {
    let second = "https://second.example.com/";
    let members = json!({ "audiences": ["a", "b"], "token_types": ["at+jwt", "JWT"] });
    // Each row: one side, the other, the token that meets the first alone, and the reason. Either side may be metadata.
    for (one, other, token, reason) in [
        (
            json!({ "audiences": ["a"] }),
            json!({ "audiences": ["b"] }),
            token().claim("aud", "a"),
            Reason::WrongAudience,
        ),
        (
            json!({ "issuers": ["demo"] }),
            json!({ "issuers": ["second"] }),
            token().claim("aud", "a"),
            Reason::UnknownIssuer,
        ),
        (
            json!({ "token_types": ["at+jwt"] }),
            json!({ "token_types": ["JWT"] }),
            token().claim("aud", "a"),
            Reason::WrongType,
        ),
        (
            json!({ "max_lifetime": "10m" }),
            json!({ "max_lifetime": "1m" }),
            token().claim("aud", "a"),
            Reason::LifetimeTooLong,
        ),
        (
            json!({ "max_token_age": "10m" }),
            json!({ "max_token_age": "1m" }),
            token().claim("aud", "a").claim("iat", crate::world::NOW - 100),
            Reason::TooOld,
        ),
        (
            json!({ "claims": [{ "claim": "sub", "equals": "alice" }] }),
            json!({ "claims": [{ "claim": "sub", "equals": "bob" }] }),
            token().claim("aud", "a"),
            Reason::ClaimMismatch,
        ),
    ] {
        let ask = get("/").bearer(token.sign());
        let refused = |base: &Value, added: &Value| {
            let base = json!({ "route_metadata": "restrict", "default": base });
            let mut config = crate::world::with_issuer(members.clone(), base);
            let mut entry = config["issuers"][0].clone();
            entry["issuer"] = json!(second);
            entry["name"] = json!("second");
            config["issuers"].as_array_mut().unwrap().push(entry);
            ask.clone().metadata(added.clone()).refused(&config)
        };
        assert_eq!(refused(&one, &one), None, "{one}");
        assert_eq!(refused(&one, &other), Some(reason), "{one} and {other}");
        assert_eq!(refused(&other, &one), Some(reason), "{other} and {one}");
    }
}

#[test]
fn a_missing_credential_may_be_allowed_and_a_bad_one_not() {
    let config = config(json!({ "default": { "allow_missing": true, "scopes": ["orders:read"] } }));
    assert_eq!(get("/").refused(&config), None);
    assert_eq!(get("/").header("authorization", "Basic dTpw").refused(&config), None, "no credential that we read");
    assert_eq!(get("/").bearer(token().sign()).refused(&config), None);
    assert_eq!(get("/").bearer(token().scope("x").sign()).refused(&config), Some(Reason::InsufficientScope));
    assert_eq!(get("/").bearer(token().claim("exp", 1).sign()).refused(&config), Some(Reason::Expired));
    assert_eq!(get("/").bearer("x").refused(&config), Some(Reason::MalformedToken));
}

#[test]
fn a_requirement_can_only_narrow_what_the_issuer_asks() {
    let base = |default: Value| {
        crate::world::with_issuer(
            json!({ "audiences": ["a", "b"], "token_types": ["at+jwt", "JWT"], "max_lifetime": "10m" }),
            json!({ "default": default }),
        )
    };
    let ask = |default: Value, token: crate::support::issuer::Token<'_>| {
        get("/").bearer(token.sign()).refused(&base(default))
    };
    let to = |aud: &str| token().claim("aud", aud);
    assert_eq!(ask(json!({ "audiences": ["a"] }), to("a")), None);
    assert_eq!(ask(json!({ "audiences": ["a"] }), to("b")), Some(Reason::WrongAudience));
    assert_eq!(
        ask(json!({ "audiences": ["c"] }), to("c")),
        Some(Reason::WrongAudience),
        "not an audience of the issuer"
    );
    assert_eq!(ask(json!({ "token_types": ["at+jwt"] }), to("a").header("typ", "JWT")), Some(Reason::WrongType));
    assert_eq!(ask(json!({ "token_types": ["other"] }), to("a").header("typ", "other")), Some(Reason::WrongType));
    assert_eq!(ask(json!({ "max_lifetime": "1m" }), to("a")), Some(Reason::LifetimeTooLong));
    assert_eq!(
        ask(json!({ "max_lifetime": "1h" }), to("a").claim("exp", crate::world::NOW + 700)),
        Some(Reason::LifetimeTooLong)
    );
}
