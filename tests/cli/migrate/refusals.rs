//! What the old filters refused for a reason that is easily passed over: tokens, keys and headers that Scopegate does not read.

use super::credentials::{JWKS, KEY, issuer, keys};
use super::rbac::{ANY, claim, policies};
use super::{Became, EVERY, assert_good, beside, envoy, jwt, migrate, migrate_in};
use crate::world::folder;
use serde_json::{Value, json};
use std::fs;

const RULE: &str = "rules: [{match: {prefix: /}, requires: {provider_name: idp}}]";

fn denied() -> Value {
    json!({"deny": true})
}

/// The issuers of a configuration that have a header and no tokens.
fn nobodies(became: &Became) -> Vec<Value> {
    let all = became.plugin["issuers"].as_array().unwrap();
    let own = all.iter().filter(|issuer| issuer["issuer"].as_str().unwrap().starts_with("nobody:"));
    own.map(|issuer| issuer["token_header"].clone()).collect()
}

#[test]
fn a_second_place_of_tokens_is_refused_removed_or_denied() {
    let base = format!("issuer: https://idp.example.com/\naudiences: [a]\n{JWKS}\n");
    let bearer = "{name: Authorization, value_prefix: 'Bearer '}";
    let token = json!({"issuers": ["idp"], "scopes": []});
    for (members, wanted, refused) in [
        (format!("from_headers: [{bearer}, {{name: X-Jwt}}]"), token.clone(), json!([{"name": "x-jwt"}])),
        (
            format!("from_headers: [{{name: x-jwt, value_prefix: a}}, {bearer}]"),
            token.clone(),
            json!([{"name": "x-jwt"}]),
        ),
        ("from_headers: [{name: x-a}, {name: x-b}]".to_owned(), token.clone(), json!([{"name": "x-b"}])),
        (format!("from_headers: [{bearer}, {{name: x-forwarded-authorization}}]"), token.clone(), json!([])),
        // One header has one of both.
        (
            format!("from_headers: [{bearer}, {{name: authorization, value_prefix: 'Token '}}]"),
            token.clone(),
            json!([]),
        ),
        (format!("from_headers: [{bearer}, {bearer}]"), token, json!([])),
        // `Bearer eyJ…` is no token without a prefix, and `jwt_authn` refuses that.
        (format!("from_headers: [{bearer}, {{name: Authorization}}]"), denied(), json!([])),
        (format!("from_headers: [{bearer}, {{name: Authorization, value_prefix: 'earer '}}]"), denied(), json!([])),
        ("from_headers: [{name: x-a, value_prefix: 'a '}, {name: x-a}]".to_owned(), denied(), json!([])),
        ("from_headers: [{name: x-a}, {name: Authorization, value_prefix: 'Token '}]".to_owned(), denied(), json!([])),
        (format!("from_headers: [{bearer}, {{name: x-envoy-jwt}}]"), denied(), json!([])),
        (format!("from_headers: [{bearer}]\nfrom_cookies: [tok]"), denied(), json!([])),
    ] {
        let (_, became) = issuer(&format!("{base}{members}"));
        assert_eq!(beside(&became), wanted, "{members}: {:?}", became.told);
        assert_eq!(json!(nobodies(&became)), refused, "{members}");
        assert_eq!(became.run.status == 2, wanted == denied(), "{members}: {:?}", became.told);
        assert_good(&became);
    }
    let (_, became) = issuer(&format!("{base}from_headers: [{bearer}, {{name: x-forwarded-authorization}}]"));
    assert_eq!(became.plugin["forward"], json!({"remove": ["x-forwarded-authorization"]}));
    assert!(became.tells("stricter", "a bad token there is no longer refused"), "{:?}", became.told);
    // Behind a gate that only reports `jwt_authn` still reads it.
    let filter = super::credentials::filter(&format!(
        "{base}from_headers: [{bearer}, {{name: x-forwarded-authorization}}]\nclaim_to_headers: [{{header_name: x-forwarded-user, claim_name: sub}}]"
    ));
    let folder = folder();
    fs::write(folder.join("envoy.yaml"), envoy(&filter, EVERY)).unwrap();
    let became = migrate_in(&folder, &["envoy.yaml", "--report-only"]);
    assert_eq!(became.plugin["forward"], json!({"token": "keep", "remove": ["x-forwarded-user"]}), "{:?}", became.told);
}

#[test]
fn where_no_token_is_needed_no_bad_one_passes_for_none() {
    let provider = |members: &str| format!("issuer: https://idp.example.com/\naudiences: [a]\n{JWKS}\n{members}");
    let bearer = "{name: Authorization, value_prefix: 'Bearer '}";
    let any = "requires_any: {requirements: [{provider_name: idp}, {allow_missing: {}}]}";
    let optional = |members: &str| {
        let filter = super::credentials::filter(&provider(members)).replace("provider_name: idp", any);
        beside(&migrate(&envoy(&filter, EVERY)))
    };
    let passes = json!({"issuers": ["idp"], "scopes": [], "allow_missing": true});
    assert_eq!(optional(&format!("from_headers: [{bearer}, {{name: x-jwt}}]")), passes);
    for members in [
        format!("from_headers: [{bearer}, {{name: x-forwarded-authorization}}]"),
        format!("from_headers: [{bearer}, {{name: authorization, value_prefix: 'Token '}}]"),
        format!("from_headers: [{bearer}]\nfrom_cookies: [tok]"),
    ] {
        assert_eq!(optional(&members), denied(), "{members}");
    }
}

#[test]
fn a_provider_that_cannot_be_carried_over_lets_no_token_pass_for_none() {
    for (broken, requires, is_denied) in [
        ("subjects: {prefix: a}", "{allow_missing: {}}", true),
        ("something_new: 1", "{allow_missing: {}}", true),
        ("subjects: {prefix: a}", "{requires_any: {requirements: [{allow_missing: {}}]}}", true),
        (
            "subjects: {prefix: a}",
            "{requires_any: {requirements: [{requires_all: {requirements: [{provider_name: other}]}}, {allow_missing: {}}]}}",
            true,
        ),
        // Tokens of other providers are not looked for.
        (
            "subjects: {prefix: a}",
            "{requires_any: {requirements: [{provider_name: other}, {allow_missing: {}}]}}",
            false,
        ),
    ] {
        let filter = jwt(&format!("rules: [{{match: {{prefix: /}}, requires: {requires}}}]"));
        let filter = filter.replacen("audiences:", &format!("{broken}\n        audiences:"), 1);
        let became = migrate(&envoy(&filter, EVERY));
        assert_eq!(beside(&became) == denied(), is_denied, "{broken} {requires}: {:?}", became.told);
        assert_eq!(became.run.status, 2);
        assert_good(&became);
    }
}

#[test]
fn an_empty_audience_is_not_any() {
    let base = format!("issuer: https://idp.example.com/\n{JWKS}\n");
    for (audiences, wanted) in
        [("['']", Value::Null), ("['', '']", Value::Null), ("['', a]", json!(["a"])), ("7", Value::Null)]
    {
        let (own, became) = issuer(&format!("{base}audiences: {audiences}"));
        assert_eq!(own["audiences"], wanted, "{audiences}: {:?}", became.told);
        assert_eq!(beside(&became) == denied(), wanted.is_null(), "{audiences}");
        assert!(!became.tells("let_through", "any audience") || !wanted.is_null(), "{:?}", became.told);
        assert_good(&became);
    }
    for (audiences, is_denied) in [("['']", true), ("['', special]", false)] {
        let requires = format!("{{provider_and_audiences: {{provider_name: idp, audiences: {audiences}}}}}");
        let became = migrate(&envoy(&jwt(&format!("rules: [{{match: {{prefix: /}}, requires: {requires}}}]")), EVERY));
        assert_eq!(beside(&became) == denied(), is_denied, "{audiences}: {:?}", became.told);
        assert_good(&became);
    }
}

#[test]
fn a_time_that_cannot_be_read_or_said_is_not_left_out() {
    let base = format!("issuer: a\naudiences: [a]\n{JWKS}\n");
    for (member, wanted) in [
        ("clock_skew_seconds: 3.0", json!({"leeway": "3s"})),
        ("clock_skew_seconds: '3'", json!({"leeway": "3s"})),
        ("clock_skew_seconds: '3.0'", json!({"leeway": "3s"})),
        ("clock_skew_seconds: 0", json!({})),
        ("clock_skew_seconds: null", json!({})),
        ("clock_skew_seconds: 3.5", Value::Null),
        ("clock_skew_seconds: -3", Value::Null),
        ("clock_skew_seconds: much", Value::Null),
        ("max_lifetime: {seconds: 60.0}", json!({"max_lifetime": "1m", "leeway": "0s"})),
        ("max_lifetime: 1.9s", json!({"max_lifetime": "1s", "leeway": "0s"})),
        ("max_lifetime: null", json!({})),
        // No token of a second is as short.
        ("max_lifetime: 0.2s", Value::Null),
        ("max_lifetime: 0s", Value::Null),
        ("max_lifetime: -5s", Value::Null),
        ("max_lifetime: 1h", Value::Null),
    ] {
        let (own, became) = issuer(&format!("{base}{member}"));
        if wanted.is_null() {
            assert_eq!((own, beside(&became), became.run.status), (Value::Null, denied(), 2), "{member}");
            continue;
        }
        assert_eq!(became.run.status, 0, "{member}: {:?}", became.told);
        for name in ["leeway", "max_lifetime"] {
            assert_eq!(own.get(name), wanted.get(name), "{member}");
        }
    }
}

#[test]
fn no_client_may_send_a_header_that_was_made_of_its_token() {
    let base = format!("issuer: a\naudiences: [a]\n{JWKS}\n");
    for member in ["claim_to_headers: [{header_name: NAME, claim_name: sub}]", "forward_payload_header: NAME"] {
        for (name, is_removed) in [
            ("x-forwarded-user", true),
            ("X-Forwarded-User", true),
            ("x-forwarded-for", false),
            ("x-envoy-foo", false),
            ("cookie", false),
            ("host", false),
        ] {
            let (_, became) = issuer(&format!("{base}{}", member.replace("NAME", name)));
            assert_eq!(beside(&became) == denied(), !is_removed, "{member} {name}: {:?}", became.told);
            assert_eq!(became.run.status == 2, !is_removed, "{member} {name}");
            if is_removed {
                assert_eq!(became.plugin["forward"]["remove"], json!(["x-forwarded-user"]), "{member} {name}");
            }
            assert_good(&became);
        }
    }
    // A claim that no condition can name makes no header.
    let (_, became) = issuer(&format!("{base}claim_to_headers: [{{header_name: x-who, claim_path: []}}]"));
    assert_eq!(became.plugin["forward"]["remove"], json!(["x-who"]), "{:?}", became.told);
    let with = |header: &str| {
        let more = format!("key_sources: [{{header: x-key}}]\nforwarding: {{header: {header}}}");
        migrate(&envoy(&keys(&format!("credentials: [{{key: {KEY}, client: acme}}]\n{more}")), EVERY))
    };
    let became = with("x-forwarded-user");
    assert_eq!((became.run.status, &became.plugin["forward"]), (0, &json!({"remove": ["x-forwarded-user"]})));
    let became = with("x-forwarded-for");
    assert_eq!((became.run.status, became.new.as_str()), (2, ""), "{:?}", became.told);
}

#[test]
fn the_first_source_of_a_key_decides_as_before() {
    let with = |sources: &str| {
        migrate(&envoy(&keys(&format!("credentials: [{{key: {KEY}, client: acme}}]\nkey_sources: [{sources}]")), EVERY))
    };
    let became = with("{query: kk}, {header: x-key}, {query: other}");
    assert_eq!((became.run.status, beside(&became)), (0, json!({"credentials": "keys"})), "{:?}", became.told);
    assert_eq!(became.plugin["query_tokens"], json!({"names": ["kk", "other"]}));
    assert_good(&became);
    let place = |became: &Became| became.plugin["credentials"][0]["api_key"].clone();
    assert_eq!(place(&with("{header: x-key}, {cookie: ck}")), json!({"header": "x-key"}));
    let became = with("{header: x-a}, {cookie: ck}, {header: x-b}");
    assert_eq!(place(&became), json!({"header": "x-a"}));
    assert!(became.tells("stricter", "if there is none in a cookie"), "{:?}", became.told);
    let became = with("{cookie: ck}, {header: x-key}");
    assert_eq!((became.run.status, became.new.as_str()), (2, ""), "{:?}", became.told);
    let own = format!("credentials: [{{key: {KEY}, client: acme}}]\nkey_sources: [{{cookie: ck}}, {{header: x-key}}]");
    let became = migrate(&envoy(&format!("{}{}", jwt(RULE), keys(&own)), EVERY));
    assert_eq!((became.run.status, beside(&became)), (2, denied()), "{:?}", became.told);
    assert!(became.tells("denied", "takes a key from a cookie before one from a header"), "{:?}", became.told);
}

#[test]
fn a_credential_behind_a_filter_that_may_change_it_is_denied() {
    let all = policies("ALLOW", &[(ANY, ANY)]);
    let between = |type_name: &str| {
        format!(
            "- {{name: between, typed_config: {{'@type': type.googleapis.com/envoy.extensions.filters.http.{type_name}}}}}\n"
        )
    };
    let key = keys(&format!("credentials: [{{key: {KEY}, client: acme}}]\nkey_sources: [{{header: x-key}}]"));
    for (type_name, is_denied) in [
        ("header_mutation.v3.HeaderMutation", true),
        ("lua.v3.Lua", true),
        ("ext_authz.v3.ExtAuthz", true),
        ("oauth2.v3.OAuth2", true),
        ("cors.v3.Cors", false),
    ] {
        for filter in [jwt(RULE), jwt("rules: [{match: {prefix: ''}, requires: {provider_name: idp}}]"), key.clone()] {
            let became = migrate(&envoy(&format!("{all}{}{filter}", between(type_name)), EVERY));
            assert_eq!(became.run.status == 2, is_denied, "{type_name}: {:?}", became.told);
            assert_eq!(beside(&became) == denied(), is_denied, "{type_name}: {}", became.new);
        }
    }
    // Where nothing is asked of a token, no change to one matters.
    let became =
        migrate(&envoy(&format!("{all}{}{}", between("lua.v3.Lua"), jwt("rules: [{match: {prefix: /}}]")), EVERY));
    assert_eq!(beside(&became), json!({"public": true}), "{:?}", became.told);
}

#[test]
fn the_first_provider_of_an_issuer_alone_writes_metadata() {
    let filter = |key: &str, requires: &str| {
        jwt(&format!("rules: [{{match: {{prefix: /}}, requires: {requires}}}]"))
            .replace("https://other.example.com/", "https://idp.example.com/")
            .replace("timeout: 1s}, cache_duration: 300s}", "timeout: 1s}}")
            .replace("other.example.com", "idp.example.com")
            .replace("payload_in_metadata: others", &format!("payload_in_metadata: {key}"))
    };
    let any = "{requires_any: {requirements: [{provider_name: other}, {provider_name: idp}]}}";
    let policy = policies("ALLOW", &[(ANY, &claim("role", "{string_match: {exact: admin}}"))]);
    for (key, requires, is_denied) in
        [("others", any, true), ("claims", any, false), ("others", "{provider_name: idp}", false)]
    {
        let became = migrate(&envoy(&format!("{}{policy}", filter(key, requires)), EVERY));
        assert_eq!(beside(&became) == denied(), is_denied, "{key} {requires}: {:?}", became.told);
        assert_eq!(became.run.status == 2, is_denied, "{key} {requires}: {:?}", became.told);
    }
}
