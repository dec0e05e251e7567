//! What senders have to prove.

use super::{issuer, problems, read, with};

#[test]
fn what_is_wrong_with_a_constraint_on_senders_is_said() {
    snapshot!(problems(&[
        ("an unknown word", issuer("sender_constraint: tls")),
        ("a flag", issuer("sender_constraint: true")),
        ("senders that are ignored on a route", with("default: {methods: {GET: {sender_constraint: ignore}}}")),
        ("an unknown word on a route", with("default: {sender_constraint: cert}")),
        ("a constraint beside public", with("default: {public: true, sender_constraint: mtls}")),
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
