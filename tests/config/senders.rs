//! What senders have to prove.

use super::{issuer, problems, read, with};

#[test]
fn what_is_wrong_with_a_constraint_on_senders_is_said() {
    snapshot!(problems(&[
        ("an unknown word", issuer("sender_constraint: tls")),
        ("a flag", issuer("sender_constraint: true")),
        ("senders that are ignored on a route", with("default: {methods: {GET: {sender_constraint: ignore}}}")),
        ("proofs of an issuer that are not read", issuer("sender_constraint: dpop")),
        ("proofs of a route that are not read", with("default: {methods: {GET: {sender_constraint: dpop}}}")),
        ("an unknown word on a route", with("default: {sender_constraint: cert}")),
        ("a constraint beside public", with("default: {public: true, sender_constraint: mtls}")),
    ]));
}

#[test]
fn what_is_wrong_with_proofs_is_said() {
    snapshot!(problems(&[
        ("proofs without an address", with("dpop: {}")),
        (
            "addresses that are none",
            with(
                "dpop: {origins: [api.example.com, 'https://u@a', 'https://a/?x', 'https://a#x', 'ftp://a', 'https://a', 'HTTPS://A:443/', 1]}"
            )
        ),
        ("no addresses", with("dpop: {origins: []}")),
        ("proofs with a shared secret", with("dpop: {origins: ['https://a'], algorithms: [ES256, HS256, none]}")),
        (
            "times out of range",
            with(
                "dpop: {origins: ['https://a'], max_age: 6m, max_ahead: 1h, nonce: {secret: {env: NONCES}, lifetime: 1s}}"
            )
        ),
        ("a nonce without a secret", with("dpop: {origins: ['https://a'], nonce: {}}")),
        ("secrets of nonces that are none", with("dpop: {origins: ['https://a'], nonce: {secret: {env: SHORT}}}")),
        ("a secret of nonces in the open", with("dpop: {origins: ['https://a'], nonce: {secret: AAAA}}")),
    ]));
}

#[test]
fn an_issuer_whose_senders_prove_nothing_is_warned_of() {
    let warnings = |word: &str| {
        read(&issuer(&format!("sender_constraint: {word}\n  jwks: {{uri: https://a/k, cluster: a}}"))).unwrap().warnings
    };
    assert_eq!(warnings("required"), [""; 0]);
    let [warning] = &warnings("ignore")[..] else { panic!("one warning") };
    assert!(warning.starts_with("issuers[0].sender_constraint: ignore: "), "{warning}");
}
