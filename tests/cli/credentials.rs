//! `scopegate credentials`, and what the other commands know of API keys.

use crate::world::{folder, run};
use std::fs::write;

/// The SHA-256 of `sk-0123456789abcdefghij`, by sha256sum.
const DIGEST: &str = "9b21de11b07dc56b7710253ad213adf9cd34e8ea36c5c53a6c81713139f2b10c";

#[test]
fn a_new_key_is_random_and_has_its_digest_beside_it() {
    let folder = folder();
    let made = |more: &[&str]| {
        let told = run(&[&["credentials", "new"], more].concat(), &folder);
        assert_eq!(told.status, 0, "{told:?}");
        let mut lines = told.stdout.lines().map(|line| line.split_whitespace().nth(1).unwrap().to_owned());
        (lines.next().unwrap(), lines.next().unwrap())
    };
    let (first, digest) = made(&["--prefix", "sk-"]);
    let (second, _) = made(&["--prefix", "sk-"]);
    assert_ne!(first, second);
    assert!(first.starts_with("sk-") && first.len() == 46, "{first}");
    assert_eq!(made(&[]).0.len(), 43);
    write(folder.join("key.txt"), format!("{first}\n")).unwrap();
    assert_eq!(run(&["credentials", "hash", "key.txt"], &folder).stdout.trim(), digest);
    assert_eq!(run(&["credentials", "new", "--prefix", "a b"], &folder).status, 2);
}

#[test]
fn a_key_that_no_gate_would_take_has_no_digest() {
    let folder = folder();
    let hash = |key: &str| {
        write(folder.join("key.txt"), key).unwrap();
        let told = run(&["credentials", "hash", "key.txt"], &folder);
        assert!(!told.stderr.contains("0123456789"), "{told:?}");
        (told.status, told.stdout.trim().to_owned())
    };
    assert_eq!(hash("sk-0123456789abcdefghij"), (0, DIGEST.to_owned()));
    assert_eq!(hash(" sk-0123456789abcdefghij\r\n"), (0, DIGEST.to_owned()));
    for key in ["", "0123456789012345678", "0123456789 0123456789", "0123456789é0123456789"] {
        assert_eq!(hash(key), (2, String::new()), "{key:?}");
    }
}

#[test]
fn explain_says_whose_key_it_is_and_never_the_key() {
    let folder = folder();
    let config = format!(
        "credentials: [{{name: partners, api_key: {{header: x-api-key}}, identities: [{{id: acme-1, secrets: [{{sha256: {DIGEST}}}], scopes: [a]}}]}}]\n\
         default: {{credentials: partners, scopes: [a]}}\nforward: {{headers: {{x-sub: sub, x-from: credential}}}}\n"
    );
    write(folder.join("gate.yaml"), &config).unwrap();
    let explain = |key: &str| {
        let header = format!("x-api-key: {key}");
        let told = run(&["explain", "gate.yaml", "--request", "GET /orders", "--header", &header], &folder);
        assert!(!told.stdout.contains("0123456789") && !told.stderr.contains("0123456789"), "{told:?}");
        (told.status, told.stdout)
    };
    let (status, text) = explain("sk-0123456789abcdefghij");
    assert_eq!(status, 0, "{text}");
    for wanted in [
        "identity    passed",
        "signature   not needed",
        "scopes      passed",
        "decision  allowed: the API key meets everything",
        "removes   x-api-key",
        "sets      x-from: partners",
        "x-sub: acme-1",
        "credential=api_key credential_set=partners identity=\"acme-1\"",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
    let (status, text) = explain("sk-another-0123456789");
    assert_eq!(status, 1);
    assert!(
        text.contains("identity    failed: unknown_identity")
            && text.contains("ApiKey realm=\"api\", header=\"x-api-key\""),
        "{text}"
    );
    let matrix = run(&["matrix", "gate.yaml"], &folder).stdout;
    assert!(matrix.contains("credential partners"), "{matrix}");
    let any = config.replace("credentials: partners, scopes: [a]", "credentials: partners, allow_missing: true");
    write(folder.join("gate.yaml"), any).unwrap();
    let matrix = run(&["matrix", "gate.yaml"], &folder).stdout;
    assert!(matrix.contains("no credential, or a valid credential"), "{matrix}");
}
