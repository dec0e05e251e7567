//! Sets of signed requests.

use super::{KEY, problems, read, with};
use scopegate::base::time::Seconds;
use scopegate::policy::{SignatureForm, SignatureReplay};

const SIGV4: &str = "form: sigv4, regions: [eu-west-1], services: [orders]";

fn set(kind: &str, terms: &str, identities: &str) -> String {
    with(&format!("credentials: [{{name: machines, {kind}: {{{terms}}}, identities: {identities}}}]"))
}

fn aksk(terms: &str) -> String {
    set("aksk", terms, "[{id: a, secrets: [{env: SIGNING}]}]")
}

fn message(terms: &str) -> String {
    set("signature", terms, "[{id: a, secrets: [{env: SIGNING}]}]")
}

fn key(kind: &str, key: &str) -> String {
    let terms = if kind == "aksk" { SIGV4 } else { "" };
    set(kind, terms, &format!("[{{id: a, secrets: [{key}]}}]"))
}

fn two_sets(rule: &str) -> String {
    let set = |name: &str, env: &str| {
        format!("{{name: {name}, aksk: {{{SIGV4}}}, identities: [{{id: a, secrets: [{{env: {env}}}]}}]}}")
    };
    with(&format!("credentials: [{}, {}]\ndefault: {{credentials: {rule}}}", set("a", "SIGNING"), set("b", "NONCES")))
}

#[test]
fn what_is_wrong_with_a_set_of_signatures_is_said() {
    const RSA: &str = "{kty: RSA, n: 0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw, e: AQAB}";
    snapshot!(problems(&[
        ("no form", aksk("regions: [a], services: [b]")),
        ("an unknown form", aksk("form: sigv2")),
        ("no scope", aksk("form: sigv4")),
        ("a scope that apinto has not", aksk("form: apinto, regions: [a], services: [b]")),
        ("no region", aksk("form: sigv4, regions: [], services: [b]")),
        ("a region that is no word", aksk("form: sigv4, regions: ['EU/1'], services: [b]")),
        ("a header that holds the signature", aksk(&format!("{SIGV4}, signed_headers: [Authorization]"))),
        ("a header that is none", aksk(&format!("{SIGV4}, signed_headers: ['a b']"))),
        ("too old", aksk(&format!("{SIGV4}, max_age: 25h"))),
        ("half seconds", aksk(&format!("{SIGV4}, max_ahead: 500ms"))),
        ("an unknown way to count", aksk(&format!("{SIGV4}, replay: once"))),
        ("a field of message signatures", aksk(&format!("{SIGV4}, tag: a"))),
        ("no path", message("components: ['@method', '@authority', '@query']")),
        ("no method", message("components: ['@target-uri']")),
        ("no query", message("components: ['@method', '@authority', '@path']")),
        ("a component of responses", message("components: ['@status']")),
        ("a tag with a space", message("tag: 'a b'")),
        ("a nonce that is forbidden", message("nonce: forbidden")),
        ("no secret", key("aksk", "{key_id: a}")),
        ("a secret as it is", key("aksk", "wJalrXUtnFEMI")),
        ("a secret that is short", key("aksk", "{env: KEY_19}")),
        ("a secret that is not there", key("aksk", "{env: ABSENT}")),
        (
            "a digest of a secret",
            key("aksk", "{sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}")
        ),
        ("a public key of aksk", key("aksk", &format!("{{jwk: {KEY}}}"))),
        ("a secret and a public key", key("signature", &format!("{{env: SIGNING, jwk: {KEY}}}"))),
        ("a public key without an algorithm", key("signature", &format!("{{jwk: {RSA}}}"))),
        (
            "an algorithm of no message",
            key("signature", &format!("{{jwk: {}}}", RSA.replace("e: AQAB", "e: AQAB, alg: PS256")))
        ),
        ("no key", key("signature", "{jwk: {kty: OKP}}")),
        ("a key id with a slash", key("aksk", "{key_id: 'a/b', env: SIGNING}")),
        ("one secret twice", key("aksk", "{key_id: a, env: SIGNING}, {key_id: b, env: SIGNING}")),
        (
            "a key id of two identities",
            set("aksk", SIGV4, "[{id: a, secrets: [{env: SIGNING}]}, {id: b, secrets: [{key_id: a, env: NONCES}]}]"),
        ),
        ("secrets that are fetched", set("aksk", SIGV4, "{uri: 'https://ids/a', cluster: ids}")),
        (
            "two kinds",
            with(
                "credentials: [{name: a, aksk: {form: apinto}, basic: {}, identities: [{id: a, secrets: [{env: SIGNING}]}]}]"
            )
        ),
        (
            "passwords",
            with(
                "credentials: [{name: a, aksk: {form: apinto}, htpasswd: 'a:b', identities: [{id: a, secrets: [{env: SIGNING}]}]}]"
            )
        ),
        ("two sets for one route", two_sets("{any_of: [a, b]}")),
        ("two signatures of one request", two_sets("{all_of: [a, b]}")),
    ]));
}

#[test]
fn what_is_not_written_is_strict() {
    let loaded = read(&aksk(SIGV4)).unwrap();
    let terms = |index: usize| loaded.policy.credentials[index].signatures().unwrap().terms.clone();
    assert_eq!(
        (terms(0).max_age, terms(0).max_ahead, terms(0).replay),
        (Seconds(300), Seconds(60), SignatureReplay::Unsafe)
    );
    let loaded = read(&message("")).unwrap();
    let terms = loaded.policy.credentials[0].signatures().unwrap().terms.clone();
    assert_eq!(terms.form, SignatureForm::Message { tag: None, needs_nonce: true });
    assert_eq!(terms.covered, ["@method", "@authority", "@path", "@query"]);
    assert_eq!(loaded.policy.signed_body_bytes, 1 << 20);
    let named = read(&key("signature", &format!("{{jwk: {KEY}}}"))).unwrap();
    let key = named.policy.credentials[0].signatures().unwrap().keys().next().unwrap();
    assert_eq!(&*key.key_id, "a", "the id of the identity, not the kid");
}
