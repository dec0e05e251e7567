//! What senders have to prove.

use super::{issuer, problems, read, with};
use scopegate::policy::TrustedPeer;

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

#[test]
fn what_is_wrong_with_forwarded_certificates_is_said() {
    let forwarded = |members: &str| with(&format!("mtls: {{forwarded: {{{members}}}}}"));
    let digest = "01".repeat(32);
    snapshot!(problems(&[
        ("nothing about certificates", with("mtls: {}")),
        ("nothing about who forwards them, and in which header", forwarded("")),
        ("a header that is not known", forwarded("header: x-ssl-client-cert, from: ['spiffe://a/b']")),
        ("a header in the spelling of its RFC", forwarded("header: Client-Cert, from: ['spiffe://a/b']")),
        ("no proxies", forwarded("header: client-cert, from: []")),
        (
            "what does not name a certificate",
            forwarded(
                "header: client-cert, from: [10.0.0.1, '10.0.0.1:443', 'fe80::1', front, '*', '', 'spiffe://', '://a', '1a://b', 'spiffe://a b', 'spiffe://ä', abcd, 1]"
            )
        ),
        (
            "one certificate twice",
            forwarded(&format!(
                "header: client-cert, from: ['spiffe://a/b', '{digest}', 'spiffe://a/b', '{}']",
                "01:".repeat(32).trim_end_matches(':')
            ))
        ),
        (
            "a header that a claim sets",
            with(
                "forward: {headers: {client_cert: sub}}\nmtls: {forwarded: {header: client-cert, from: ['spiffe://a/b']}}"
            )
        ),
    ]));
}

#[test]
fn a_peer_is_named_by_its_digest_in_any_spelling_or_by_its_uri() {
    let digest = "0A".repeat(32);
    let colons = "0a:".repeat(32);
    for name in
        [digest.as_str(), colons.trim_end_matches(':'), "spiffe://example.com/front", "urn:x:front", "https://a/b"]
    {
        let loaded =
            read(&with(&format!("mtls: {{forwarded: {{header: x-forwarded-client-cert, from: ['{name}']}}}}")))
                .unwrap();
        let from = &loaded.policy.forwarded_certificate.unwrap().from;
        let wanted = if name.contains("//") || name.starts_with("urn") {
            TrustedPeer::Uri(name.to_owned())
        } else {
            TrustedPeer::Digest([10; 32])
        };
        assert_eq!(from, &[wanted]);
    }
}

#[test]
fn a_proxy_that_is_an_identity_too_is_warned_of() {
    let pinned = "01".repeat(32);
    let warnings = |secret: &str, from: &str| {
        let set = format!("{{name: mesh, mtls: {{}}, identities: [{{id: a, secrets: [{secret}]}}]}}");
        let forwarded = format!("{{header: x-forwarded-client-cert, from: ['{from}']}}");
        read(&with(&format!("credentials: [{set}]\nmtls: {{forwarded: {forwarded}}}"))).unwrap().warnings
    };
    let of_digest = format!("{{sha256: '{pinned}'}}");
    for (secret, from) in [("{uri: 'spiffe://a/front'}", "spiffe://a/front"), (&*of_digest, &*pinned)] {
        let [warning] = &warnings(secret, from)[..] else { panic!("one warning") };
        assert!(warning.contains("mtls.forwarded.from: names a certificate of mesh"), "{warning}");
        assert_eq!(warnings(secret, "spiffe://a/other"), [""; 0]);
    }
}
