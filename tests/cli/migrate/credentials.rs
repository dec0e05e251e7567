//! API keys, passwords, and where tokens are.

use super::rbac::{ANY, claim, policies};
use super::{Became, EVERY, assert_good, beside, envoy, jwt, migrate};
use scopegate::base::text::to_hex;
use scopegate::crypto::sha256;
use serde_json::{Value, json};

pub const KEY: &str = "sk-0123456789abcdefghij";

pub fn keys(members: &str) -> String {
    format!(
        "- name: keys
  typed_config:
    '@type': type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth
    {}
",
        members.replace('\n', "\n    ")
    )
}

fn with_keys(sources: &str) -> Became {
    migrate(&envoy(&keys(&format!("credentials: [{{key: {KEY}, client: acme}}]\nkey_sources: [{sources}]")), EVERY))
}

#[test]
fn keys_become_digests_and_are_never_printed() {
    let became = with_keys("{header: X-Api-Key}");
    assert_eq!(became.run.status, 0, "{:?}", became.told);
    assert_eq!(
        became.plugin["credentials"],
        json!([{
            "name": "keys",
            "api_key": {"header": "x-api-key"},
            "identities": [{"id": "acme", "secrets": [{"sha256": to_hex(&sha256(KEY.as_bytes()))}]}],
        }])
    );
    assert_eq!(beside(&became), json!({"credentials": "keys"}));
    assert!(!became.run.stdout.contains(KEY) && !became.run.stderr.contains(KEY), "{:?}", became.run);
    assert_good(&became);
}

#[test]
fn keys_in_the_query_are_told_and_keys_without_a_header_are_denied() {
    let became = with_keys("{header: x-api-key}, {query: key}");
    assert!(became.tells("let_through", "takes keys from the query"), "{:?}", became.told);
    assert_eq!(beside(&became), json!({"credentials": "keys"}));
    let alone = with_keys("{query: key}");
    assert_eq!((alone.run.status, &alone.plugin), (2, &Value::Null), "{:?}", alone.told);
    assert!(!alone.run.stdout.contains(KEY), "{:?}", alone.run);
}

#[test]
fn short_keys_are_left_out() {
    let both = format!(
        "credentials: [{{key: short, client: a}}, {{key: {KEY}, client: b}}]\nkey_sources: [{{header: x-api-key}}]"
    );
    let became = migrate(&envoy(&keys(&both), EVERY));
    assert_eq!(became.run.status, 2);
    assert!(became.tells("left_out", "the key of `a` is shorter than 20 characters"), "{:?}", became.told);
    assert!(!became.run.stdout.contains("short,"), "{:?}", became.run);
    assert_eq!(became.plugin["credentials"][0]["identities"][0]["id"], json!("b"));
}

#[test]
fn a_token_and_a_key_are_both_needed_as_before() {
    let token = jwt("rules: [{match: {prefix: /}, requires: {provider_name: idp}}]");
    let own = keys(&format!("credentials: [{{key: {KEY}, client: acme}}]\nkey_sources: [{{header: x-api-key}}]"));
    let became = migrate(&envoy(&format!("{token}{own}"), EVERY));
    assert_eq!(beside(&became), json!({"credentials": {"all_of": ["bearer", "keys"]}, "issuers": ["idp"]}));
    assert_good(&became);
    // In one header there is one credential.
    let own = own.replace("x-api-key", "authorization");
    let became = migrate(&envoy(&format!("{token}{own}"), EVERY));
    assert_eq!((beside(&became), became.run.status), (json!({"deny": true}), 2), "{:?}", became.told);
}

#[test]
fn clients_of_a_route_are_its_condition() {
    let routes = "- name: all
  match: {prefix: /}
  route: {cluster: up}
  typed_per_filter_config:
    keys:
      '@type': type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuthPerRoute
      allowed_clients: [acme]";
    let own = keys(&format!("credentials: [{{key: {KEY}, client: acme}}]\nkey_sources: [{{header: x-api-key}}]"));
    let became = migrate(&envoy(&own, routes));
    assert_eq!(beside(&became), json!({"credentials": "keys", "claims": [{"claim": "sub", "equals": "acme"}]}));
    assert_good(&became);
}

/// A filter of this name with keys of `acme` and `other` in a header.
pub fn keys_of(name: &str, header: &str, more: &str) -> String {
    let key = |client: &str| format!("{{key: 'sk-{name}-0123456789-{client}', client: {client}}}");
    let members =
        format!("credentials: [{}, {}]\nkey_sources: [{{header: {header}}}]{more}", key("acme"), key("other"));
    keys(&members).replacen("name: keys", &format!("name: {name}"), 1)
}

/// A route for everything that only clients of these filters may have: their name, and those who may.
fn only_for(clients: &[(&str, &str)]) -> String {
    let of = |(filter, clients): &(&str, &str)| {
        let own = "'@type': type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuthPerRoute";
        format!("{filter}: {{{own}, allowed_clients: [{clients}]}}")
    };
    let all: Vec<String> = clients.iter().map(of).collect();
    EVERY.replace("route: {", &format!("typed_per_filter_config: {{{}}}, route: {{", all.join(", ")))
}

#[test]
fn the_clients_of_a_route_are_asked_of_their_own_key_alone() {
    let token = jwt("rules: [{match: {prefix: /}, requires: {provider_name: idp}}]");
    let of_subject = token.replacen("issuer: ", "subjects: {exact: ann}\n        issuer: ", 1);
    let role = policies("ALLOW", &[(ANY, &claim("role", "{string_match: {exact: admin}}"))]);
    let (a, b) = (keys_of("a", "x-a", ""), keys_of("b", "x-b", ""));
    let sub = |value: &str| json!([{"claim": "sub", "equals": value}]);
    let all = |names: &[&str]| json!({"all_of": names});
    for (filters, clients, wanted) in [
        (
            format!("{token}{a}"),
            vec![("a", "acme")],
            json!({"credentials": all(&["keys", "bearer"]), "issuers": ["idp"], "claims": sub("acme")}),
        ),
        (format!("{token}{a}"), vec![("a", "")], json!({"credentials": all(&["bearer", "keys"]), "issuers": ["idp"]})),
        (
            format!("{a}{b}"),
            vec![("b", "acme")],
            json!({"credentials": all(&["keys-2", "keys"]), "claims": sub("acme")}),
        ),
        (
            format!("{a}{b}"),
            vec![("a", "acme")],
            json!({"credentials": all(&["keys", "keys-2"]), "claims": sub("acme")}),
        ),
        (
            a.clone(),
            vec![("a", "other, acme")],
            json!({"credentials": "keys", "claims": [{"claim": "sub", "one_of": ["acme", "other"]}]}),
        ),
        (
            format!("{token}{role}{a}"),
            vec![],
            json!({"credentials": all(&["bearer", "keys"]), "issuers": ["idp"], "claims": [{"claim": "role", "equals": "admin"}]}),
        ),
        // What is asked of two credentials cannot be said.
        (format!("{a}{b}"), vec![("a", "acme"), ("b", "acme")], json!({"deny": true})),
        (format!("{token}{role}{a}"), vec![("a", "acme")], json!({"deny": true})),
        (format!("{of_subject}{a}"), vec![("a", "acme")], json!({"deny": true})),
    ] {
        let became = migrate(&envoy(&filters, &only_for(&clients)));
        let is_denied = wanted.get("deny").is_some();
        assert_eq!(beside(&became), wanted, "{filters}{clients:?}: {:#}", became.told);
        assert_eq!(became.tells("denied", "looks into several of them"), is_denied, "{:#}", became.told);
        assert_eq!(became.run.status, if is_denied { 2 } else { 0 }, "{:#}", became.told);
        assert_good(&became);
    }
}

fn basic(users: &str) -> Became {
    let filter = format!(
        "- name: basic
  typed_config:
    '@type': type.googleapis.com/envoy.extensions.filters.http.basic_auth.v3.BasicAuth
    users: {{inline_string: \"{users}\"}}
"
    );
    migrate(&envoy(&filter, EVERY))
}

#[test]
fn sha_users_are_left_out_and_named_with_the_command() {
    let bcrypt = "bob:$2y$05$abcdefghijklmnopqrstuuR4zQ9C1nQx1S0bN7hYJ3xq1Tq3dW9G6";
    let became = basic(&format!("alice:{{SHA}}5en6G6MezRroT3XKqkdPOmY/BfQ=\\n{bcrypt}"));
    assert_eq!(became.run.status, 2);
    assert!(became.tells("left_out", "the user `alice`"), "{:?}", became.told);
    assert!(became.told.to_string().contains("scopegate credentials hash --bcrypt"), "{:?}", became.told);
    assert_eq!(became.plugin["credentials"][0]["htpasswd"], json!(bcrypt));
    assert_eq!(beside(&became), json!({"credentials": "users"}));
    assert!(!became.run.stdout.contains("5en6G6"), "{:?}", became.run);
    assert_good(&became);
    // Of nobody nothing can be made: the chain stays as it is.
    let none = basic("alice:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=");
    assert_eq!((none.run.status, none.new.as_str()), (2, ""), "{:?}", none.told);
}

/// The first issuer of a filter whose provider has these members.
pub fn issuer(members: &str) -> (Value, Became) {
    let became = migrate(&envoy(&filter(members), EVERY));
    let all = became.plugin["issuers"].as_array().unwrap();
    (all.iter().find(|issuer| issuer["name"] == "idp").cloned().unwrap_or_default(), became)
}

/// A filter whose provider `idp` has these members, beside another one.
pub fn filter(members: &str) -> String {
    format!(
        "- name: envoy.filters.http.jwt_authn
  typed_config:
    '@type': type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication
    providers:
      idp:
        {}
      good:
        issuer: https://good.example.com/
        audiences: [a]
        remote_jwks: {{http_uri: {{uri: 'https://good.example.com/jwks', cluster: idp}}}}
    rules: [{{match: {{prefix: /}}, requires: {{provider_name: idp}}}}]
",
        members.trim().replace('\n', "\n        ")
    )
}

pub const JWKS: &str = "remote_jwks: {http_uri: {uri: 'https://idp.example.com/jwks', cluster: idp}}";

#[test]
fn places_of_tokens_are_carried_over_or_told() {
    let base = format!("issuer: https://idp.example.com/\naudiences: [a]\n{JWKS}\n");
    let (own, became) = issuer(&base);
    assert!(own.get("token_header").is_none(), "{own}");
    assert!(became.tells("let_through", "query parameter `access_token`"), "{:?}", became.told);
    let (own, became) = issuer(&format!("{base}from_headers: [{{name: x-token, value_prefix: 'Token '}}]"));
    assert_eq!(own["token_header"], json!({"name": "x-token", "prefix": "Token "}));
    let told = became.findings("let_through");
    assert!(!told.iter().any(|own| own.contains("providers.idp") && own.contains("query")), "{told:?}");
    assert_good(&became);
    let (own, became) =
        issuer(&format!("{base}from_headers: [{{name: x-token}}, {{name: Authorization, value_prefix: 'Bearer '}}]"));
    assert!(own.get("token_header").is_none(), "{own}");
    assert!(became.tells("stricter", "takes tokens from `x-token` too"), "{:?}", became.told);
    let (_, became) = issuer(&format!("{base}from_headers: [{{name: x-token}}]\nfrom_params: [jwt]"));
    assert_eq!(became.plugin["query_tokens"], json!({"names": ["jwt"]}));
    assert!(became.tells("let_through", "takes tokens from the query (`jwt`)"), "{:?}", became.told);
    let (own, became) = issuer(&format!("{base}from_cookies: [token]"));
    assert_eq!((own, beside(&became)), (Value::Null, json!({"deny": true})), "{:?}", became.told);
}

#[test]
fn what_no_issuer_has_makes_the_provider_denied() {
    for (members, words) in [
        (format!("audiences: [a]\n{JWKS}"), "names no issuer"),
        ("issuer: a\naudiences: [a]".to_owned(), "neither `remote_jwks` nor `local_jwks`"),
        (format!("issuer: a\naudiences: [a]\nsubjects: {{prefix: a}}\n{JWKS}"), "subjects that fit a pattern"),
        ("issuer: a\naudiences: [a]\nlocal_jwks: {inline_string: nonsense}".to_owned(), "a key set that is not JSON"),
        ("issuer: a\naudiences: [a]\nlocal_jwks: {filename: /nowhere/keys.json}".to_owned(), "cannot be read here"),
        ("issuer: a\naudiences: [a]\nremote_jwks: {http_uri: {uri: 'ftp://a', cluster: idp}}".to_owned(), "is not accepted as an issuer"),
        ("issuer: https://good.example.com/\naudiences: [b]\nremote_jwks: {http_uri: {uri: 'https://b', cluster: idp}}".to_owned(), ""),
    ] {
        let (own, became) = issuer(&members);
        if words.is_empty() {
            continue;
        }
        assert_eq!((own, beside(&became)), (Value::Null, json!({"deny": true})), "{members}");
        assert!(became.run.status == 2 && became.tells("denied", words), "{members}: {:?}", became.told);
        assert_good(&became);
    }
}

#[test]
fn secrets_in_a_key_set_are_not_written() {
    let ec = "{\\\"kty\\\": \\\"EC\\\", \\\"crv\\\": \\\"P-256\\\", \\\"kid\\\": \\\"a\\\", \\\"x\\\": \\\"ozg4G80FyJ5-CtTjUkv0x5rs3IAGaEEO9a163PMn2z8\\\", \\\"y\\\": \\\"M8dJRT5-n2yHq9RU-wWyXS4xPQcOeyqZW3fqjXRrj_8\\\", \\\"d\\\": \\\"c2VjcmV0LXNlY3JldA\\\"}";
    let oct =
        "{\\\"kty\\\": \\\"oct\\\", \\\"kid\\\": \\\"b\\\", \\\"k\\\": \\\"b3RoZXItc2VjcmV0LW90aGVyLXNlY3JldA\\\"}";
    let (own, became) = issuer(&format!(
        "issuer: a\naudiences: [a]\nlocal_jwks: {{inline_string: \"{{\\\"keys\\\": [{ec}, {oct}]}}\"}}"
    ));
    assert_eq!(own["jwks"]["inline"]["keys"].as_array().map(Vec::len), Some(1), "{:?}", became.told);
    for secret in ["c2VjcmV0LXNlY3JldA", "b3RoZXItc2VjcmV0"] {
        assert!(!became.run.stdout.contains(secret), "{:?}", became.run);
    }
    assert!(became.tells("stricter", "secret keys (`oct`)"), "{:?}", became.told);
}

#[test]
fn lifetimes_are_not_longer_than_before() {
    let base = format!("issuer: a\naudiences: [a]\n{JWKS}\n");
    let (own, became) = issuer(&format!("{base}max_lifetime: 3600s\nclock_skew_seconds: 30"));
    assert_eq!((&own["max_lifetime"], &own["leeway"]), (&json!("1h"), &json!("0s")));
    assert!(became.tells("stricter", "bounded the time that is left"), "{:?}", became.told);
    let (own, _) = issuer(&format!("{base}clock_skew_seconds: 30"));
    assert_eq!(own["leeway"], json!("30s"));
    let (own, became) = issuer(&format!("issuer: a\n{JWKS}"));
    assert_eq!((&own["audiences"], &own["audience_claims"]), (&json!(["a"]), &json!(["iss"])));
    assert!(became.tells("let_through", "for any audience"), "{:?}", became.told);
    assert_good(&became);
}

#[test]
fn headers_that_are_no_longer_made_are_removed() {
    let base = format!("issuer: a\naudiences: [a]\n{JWKS}\n");
    let more = "forward_payload_header: X-Payload\nclaim_to_headers: [{header_name: x-role, claim_name: realm.role}, {header_name: X-Forwarded-User, claim_name: sub}]\nforward: true";
    let (_, became) = issuer(&format!("{base}{more}"));
    assert_eq!(became.plugin["forward"], json!({"remove": ["x-forwarded-user", "x-payload", "x-role"]}));
    assert!(became.tells("changed", "sent the payload of the token in `X-Payload`"), "{:?}", became.told);
    assert!(became.tells("changed", "makes the header `x-forwarded-user`"), "{:?}", became.told);
    assert!(became.tells("stricter", "sent the token upstream"), "{:?}", became.told);
}

#[test]
fn a_header_of_one_provider_is_not_made_of_the_tokens_of_another() {
    let made = "claim_to_headers: [{header_name: x-role, claim_name: realm.role}]\n        issuer: ";
    let rules = jwt("rules: [{match: {prefix: /}, requires: {provider_name: idp}}]");
    let of_one = migrate(&envoy(&rules.replacen("issuer: ", made, 1), EVERY));
    assert_eq!(of_one.plugin["forward"], json!({"remove": ["x-role"]}));
    assert!(of_one.tells("denied", "makes the header `x-role` of its own tokens alone"), "{:?}", of_one.told);
    assert_eq!(of_one.run.status, 2);
    let of_both = migrate(&envoy(&rules.replace("issuer: ", made), EVERY));
    assert_eq!(of_both.plugin["forward"], json!({"headers": {"x-role": ["realm", "role"]}}));
    assert!(!of_both.tells("denied", "of its own tokens alone"), "{:?}", of_both.told);
    assert_eq!(of_both.run.status, 0);
    let of_two_claims = migrate(&envoy(&rules.replace("issuer: ", made).replacen("realm.role", "role", 1), EVERY));
    assert_eq!(of_two_claims.plugin["forward"], json!({"remove": ["x-role"]}));
    assert!(of_two_claims.tells("denied", "makes the header `x-role` of another claim"), "{:?}", of_two_claims.told);
}

#[test]
fn a_key_that_two_sets_would_have_is_in_the_first_alone() {
    let of = "@type: type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuthPerRoute";
    let route = |path: &str, members: &str| {
        format!(
            "- {{name: r{}, match: {{prefix: {path}}}, route: {{cluster: up}}, typed_per_filter_config: {{keys: {{'{}, {members}}}}}}}\n",
            &path[1..],
            of.replacen(": ", "': ", 1)
        )
    };
    let other = route("/b", "key_sources: [{header: x-alt}]");
    let routes = format!("{other}{EVERY}");
    let filters = keys(&format!("credentials: [{{key: {KEY}, client: acme}}]\nkey_sources: [{{header: x-api-key}}]"));
    let became = migrate(&envoy(&filters, &routes));
    assert!(became.tells("denied", "has a key that other `key_sources` take too"), "{:?}", became.told);
    assert_eq!((became.run.status, became.plugin["credentials"].as_array().unwrap().len()), (2, 1));
    assert_good(&became);
}

/// A route of its own for keys, on which no token is asked for, beside one for everything on which no key is.
fn apart() -> String {
    let off = |filter: &str, own: &str| format!("{filter}: {{'@type': type.googleapis.com/{own}, disabled: true}}");
    let of = |name: &str, path: &str, entry: &str| {
        format!(
            "- {{name: {name}, match: {{prefix: {path}}}, typed_per_filter_config: {{{entry}}}, route: {{cluster: up}}}}\n"
        )
    };
    let no_token = off("envoy.filters.http.jwt_authn", "envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig");
    let no_key = off("a", "envoy.config.route.v3.FilterConfig");
    format!("{}{}", of("keys", "/k", &no_token), of("all", "/", &no_key))
}

#[test]
fn a_header_of_a_claim_is_sent_only_if_the_first_credential_of_every_request_made_it() {
    let rules = jwt("rules: [{match: {prefix: /}, requires: {provider_name: idp}}]");
    let of = |claim: &str| {
        let made = format!("claim_to_headers: [{{header_name: x-who, claim_name: {claim}}}]\n        issuer: ");
        rules.replace("issuer: ", &made)
    };
    let key = |name: &str, header: &str| {
        let more = if header.is_empty() { String::new() } else { format!("\nforwarding: {{header: {header}}}") };
        keys_of(name, &format!("x-{name}"), &more)
    };
    let (plain, named, every) = (key("a", ""), key("a", "X-Who"), EVERY.to_owned());
    let set = |headers: &[&str]| {
        let headers: serde_json::Map<String, Value> =
            headers.iter().map(|name| ((*name).to_owned(), json!("sub"))).collect();
        json!({"headers": headers})
    };
    let removed = |headers: &[&str]| json!({"remove": headers});
    let one = "of one credential, and a gate makes it of the first of every request";
    for (filters, routes, forward, told) in [
        // A token comes first, before a key that makes no header.
        (format!("{}{plain}", of("sub")), every.clone(), set(&["x-who"]), ""),
        (format!("{}{plain}", of("sub")), only_for(&[("a", "acme")]), removed(&["x-who"]), one),
        (format!("{}{named}", of("sub")), every.clone(), removed(&["x-who"]), one),
        (format!("{rules}{named}"), every.clone(), removed(&["x-who"]), one),
        // Keys on a route of their own.
        (format!("{}{plain}", of("sub")), apart(), removed(&["x-who"]), one),
        (format!("{}{named}", of("sub")), apart(), set(&["x-who"]), ""),
        (format!("{}{named}", of("name")), apart(), removed(&["x-who"]), one),
        (format!("{rules}{named}"), apart(), removed(&["x-who"]), one),
        // Several keys.
        (named.clone(), every.clone(), set(&["x-who"]), ""),
        (format!("{named}{}", key("b", "")), every.clone(), set(&["x-who"]), ""),
        (format!("{plain}{}", key("b", "x-who")), every.clone(), removed(&["x-who"]), one),
        (format!("{named}{}", key("b", "x-who")), every.clone(), removed(&["x-who"]), one),
        (
            format!("{named}{}", key("b", "x-other")),
            every,
            json!({"headers": {"x-who": "sub"}, "remove": ["x-other"]}),
            one,
        ),
        (format!("{named}{}", key("b", "")), only_for(&[("b", "acme")]), removed(&["x-who"]), one),
    ] {
        let became = migrate(&envoy(&filters, &routes));
        assert_eq!(became.plugin["forward"], forward, "{filters}{routes}: {:#}", became.told);
        assert_eq!(became.tells("denied", one), !told.is_empty(), "{filters}{routes}: {:#}", became.told);
        assert_eq!(became.run.status, if told.is_empty() { 0 } else { 2 }, "{filters}{routes}: {:#}", became.told);
        assert_good(&became);
    }
}
