//! Pages that may send requests.

use super::{problems, read, with};

#[test]
fn what_is_wrong_with_origins_is_said() {
    let origins = |list: &str| with(&format!("default: {{csrf: {{origins: {list}}}}}"));
    snapshot!(problems(&[
        ("none", with("default: {csrf: {}}")),
        ("a list in place of an object", with("default: {csrf: ['https://a']}")),
        ("an empty list", origins("[]")),
        ("a star", origins("['*']")),
        ("null", origins("['null']")),
        ("no scheme", origins("[app.example.com]")),
        ("another scheme", origins("['ws://a']")),
        ("a path", origins("['https://a/']")),
        ("upper case", origins("['https://A']")),
        ("a default port", origins("['https://a:443', 'http://a:80']")),
        ("a port that is none", origins("['https://a:0443', 'https://a:', 'https://a:99999']")),
        ("a user", origins("['https://u@a']")),
        ("no host", origins("['https://', 'https://:8443', 'https://[]']")),
        ("csrf beside public", with("default: {public: true, csrf: {origins: ['https://a']}}")),
    ]));
    assert!(
        read(&origins(
            "['https://a', 'http://a:443', 'https://a-b_c.d:8443', 'http://[::1]:8080', 'https://[fe80::1]']"
        ))
        .is_ok()
    );
}

#[test]
fn what_is_wrong_with_a_cookie_is_said() {
    let sets = |sets: &str| with(&format!("credentials: [{sets}]"));
    let cookie = |members: &str| sets(&format!("{{name: web, cookie: {{{members}}}}}"));
    let good = "{name: web, cookie: {name: __Host-t, origins: ['https://a']}}";
    let key = format!(
        "{{name: k, api_key: {{header: x-k}}, identities: [{{id: i, secrets: [{{sha256: '{}'}}]}}]}}",
        "01".repeat(32)
    );
    let asking = |credentials: &str, more: &str| {
        with(&format!("credentials: [{good}, {key}]\ndefault: {{credentials: {credentials}{more}}}"))
    };
    let bound = |default: &str| with(&format!("dpop: {{origins: ['https://a']}}\ncredentials: [{good}]\n{default}"));
    assert!(read(&bound("default: {credentials: web, sender_constraint: mtls}")).is_ok());
    snapshot!(problems(&[
        ("no name and no origins", cookie("")),
        ("a name without the prefix", cookie("name: token, origins: ['https://a']")),
        ("the prefix in other letters", cookie("name: __host-token, origins: ['https://a']")),
        ("the prefix alone", cookie("name: __Host-, origins: ['https://a']")),
        ("no name of a cookie", cookie("name: '__Host-a b', origins: ['https://a']")),
        ("origins that are none", cookie("name: __Host-t, origins: ['*']")),
        ("neither key nor cookie", sets("{name: web}")),
        (
            "key and cookie",
            sets("{name: web, api_key: {header: x-k}, cookie: {name: __Host-t, origins: ['https://a']}}")
        ),
        ("cookie and certificates", sets(&good.replace("cookie:", "mtls: {}, cookie:"))),
        ("a cookie where a key has to be proven", bound("default: {credentials: web, sender_constraint: dpop}")),
        (
            "a cookie of a method where a key has to be proven",
            bound("default: {sender_constraint: dpop, methods: {GET: {credentials: {any_of: [bearer, web]}}}}")
        ),
        ("identities", sets(&good.replace("}}", "}, identities: [], scopes: [a]}"))),
        ("one cookie twice", sets(&format!("{good}, {}", good.replace("web", "other")))),
        ("a cookie beside a token", asking("{all_of: [bearer, web]}", "")),
        ("what only tokens meet", asking("{any_of: [web, k]}", ", single_use: true")),
        ("a router that would have to edit a list", format!("forward: {{by: router}}\n{}", sets(good))),
    ]));
    for (credentials, more) in [
        ("web", ", single_use: true, max_token_age: 1m, issuers: ['https://a/']"),
        ("{any_of: [bearer, web]}", ", acr_values: [phr]"),
        ("{all_of: [web, k]}", ", max_auth_age: 1m"),
    ] {
        assert!(read(&asking(credentials, more)).is_ok(), "{:?}", read(&asking(credentials, more)).err());
    }
    let no_issuers = format!("credentials: [{good}]\ndefault: {{credentials: web}}");
    assert!(read(&no_issuers).unwrap_err().contains("holds tokens of the issuers, and there are none"));
}
