//! What is said of an `introspection` that is wrong, and what holds where it is silent.

use crate::{around, issuer, problems, read};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

const GOOD: &str = "uri: 'https://a/introspect', cluster: a, client_id: gate, secret: {env: KEY_20}";

fn with(members: &str) -> String {
    issuer(&format!("introspection: {{{GOOD}, {members}}}"))
}

/// Issuers that are asked, with these members of their `introspection`, and members of the configuration.
fn several(terms: &[&str], members: &str) -> String {
    let issuers = terms.iter().enumerate().map(|(index, terms)| {
        format!("- {{issuer: 'https://{index}/', name: i{index}, audiences: [b], introspection: {{{GOOD}{terms}}}}}\n")
    });
    format!("issuers:\n{}{members}\n", issuers.collect::<String>())
}

#[test]
fn what_is_wrong_with_an_introspection_is_said() {
    let of = |members: &str| issuer(&format!("introspection: {{{members}}}"));
    let key = "identities: [{id: a, secrets: [{sha256: '0000000000000000000000000000000000000000000000000000000000000000'}]}]";
    snapshot!(problems(&[
        ("no object", issuer("introspection: https://a/introspect")),
        ("nothing", of("")),
        ("a misspelt field", with("client: a")),
        ("no address", of("uri: /introspect, cluster: a, client_id: gate, secret: {env: KEY_20}")),
        ("a secret that is written out", of("uri: 'https://a/i', cluster: a, client_id: gate, secret: hunter2")),
        ("a secret that is not there", of("uri: 'https://a/i', cluster: a, client_id: gate, secret: {env: NONE}")),
        ("a secret of nothing", of("uri: 'https://a/i', cluster: a, client_id: gate, secret: {env: EMPTY}")),
        ("a secret of two lines", of("uri: 'https://a/i', cluster: a, client_id: gate, secret: {env: LINES}")),
        ("a secret of other characters", of("uri: 'https://a/i', cluster: a, client_id: gate, secret: {env: UMLAUT}")),
        ("a client id of two lines", of("uri: 'https://a/i', cluster: a, client_id: \"a\\nb\", secret: {env: KEY_20}")),
        ("a prefix that no token has", with("prefix: 'a b'")),
        ("a long prefix", with(&format!("prefix: {}", "a".repeat(33)))),
        ("numbers out of range", with("cache: 2h, timeout: 1ms")),
        ("token types that are no list", with("token_types: access_token")),
        ("no keys and no issuer to ask", around("", "")),
        ("two issuers without a prefix", several(&["", ""], "")),
        ("two issuers with one prefix", several(&[", prefix: a_", ", prefix: a_"], "")),
        ("a default that accepts both", several(&["", ""], "default: {scopes: [a]}")),
        (
            "a rule that accepts both",
            several(
                &["", "", ", prefix: a_"],
                "default: {issuers: [i0]}\nrules: [{match: {path: /a}, issuers: [i0, i1, i2]}]"
            )
        ),
        ("a method that accepts both", several(&["", ""], "default: {issuers: [i0], methods: {GET: {scopes: [a]}}}")),
        (
            "a prefix of keys",
            several(
                &[", prefix: sk-at-"],
                &format!("credentials: [{{name: k, api_key: {{header: x-api-key, prefix: sk-}}, {key}}}]")
            )
        ),
    ]));
}

#[test]
fn an_answer_holds_for_half_a_minute_and_comes_within_a_second_unless_it_says_otherwise() {
    let loaded = read(&issuer(&format!("introspection: {{{GOOD}}}"))).unwrap();
    assert_eq!(loaded.warnings, Vec::<String>::new());
    let terms = loaded.policy.issuers[0].introspection.as_ref().unwrap();
    assert_eq!((terms.cache.0, terms.timeout_ms, terms.prefix.as_str()), (30, 1000, ""));
    assert!(!terms.token_types.accept(None) && terms.token_types.types().is_empty());
    assert!(read(&with("cache: 0s, timeout: 10s, prefix: a_")).is_ok());
    assert!(read(&several(&["", ""], "default: {issuers: [i0]}")).is_ok());
    assert!(read(&several(&["", ", prefix: a", ", prefix: ab"], "")).is_ok());
}

#[test]
fn the_client_of_the_gate_is_written_as_a_form_and_shown_nowhere() {
    let text = issuer("introspection: {uri: 'https://a/i', cluster: a, client_id: 'a:b %', secret: {env: SPACED}}");
    let policy = read(&text).unwrap().policy;
    let terms = policy.issuers[0].introspection.as_ref().unwrap();
    let encoded = terms.authorization.strip_prefix("Basic ").unwrap();
    let plain = String::from_utf8(STANDARD.decode(encoded).unwrap()).unwrap();
    assert_eq!(plain, "a%3Ab+%25:a+b%3Ac%2F%26%25", "RFC 6749 section 2.3.1");
    assert!(!format!("{policy:?}").contains(encoded));
}

#[test]
fn tokens_of_no_type_are_admitted_with_a_warning() {
    let warnings = read(&with("token_types: [access_token, missing]")).unwrap().warnings;
    let [warning] = &warnings[..] else { panic!("{warnings:?}") };
    assert!(
        warning.starts_with("issuers[0].introspection.token_types") && warning.contains("a refresh token"),
        "{warning}"
    );
}
