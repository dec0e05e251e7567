//! Bound tokens on the command line.

use crate::policy_test::Folder;
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer};
use scopegate::base::base64url;
use scopegate::crypto::{Algorithm, sha256};
use serde_json::{Value, json};

const AT: &str = "2026-11-21T10:00:00Z";
const NOW: i64 = 1_795_255_200;

/// A folder with a policy, two certificates, and a token that is bound to the first one.
fn place() -> (Folder, String) {
    let (folder, issuer) = (Folder::new(), Issuer::new(Algorithm::Es256, "a"));
    let config = json!({
        "issuers": [{ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": issuer.jwks() } }],
        "default": { "sender_constraint": "mtls" },
    });
    folder.write("a.json", &config.to_string());
    let own = rcgen::generate_simple_self_signed(vec!["a".to_owned()]).unwrap().cert;
    let other = rcgen::generate_simple_self_signed(vec!["a".to_owned()]).unwrap().cert;
    folder.write("own.pem", &format!("text before it\n{}{}", own.pem(), other.pem()));
    folder.write("other.pem", &other.pem());
    folder.write("none.pem", "-----BEGIN CERTIFICATE-----\n");
    let digest = sha256(own.der());
    let token = issuer.token(NOW).claim("cnf", json!({ "x5t#S256": base64url::encode(&digest) })).sign();
    folder.write("token.txt", &token);
    folder.write("unbound.txt", &issuer.token(NOW).sign());
    (folder, hex(&digest))
}

#[test]
fn explain_and_inspect_know_the_certificate_of_the_client() {
    let (folder, digest) = place();
    for (token, certificate, status, wanted) in [
        ("@token.txt", "own.pem", 0, "allowed: the token meets everything"),
        ("@token.txt", &digest, 0, "allowed: the token meets everything"),
        ("@token.txt", "other.pem", 1, "refused: certificate_mismatch"),
        ("@unbound.txt", "own.pem", 1, "refused: not_bound"),
    ] {
        let asked = ["explain", "a.json", "--request", "GET /", "--at", AT, "--token", token];
        let (code, said) = folder.say(&[&asked[..], &["--client-certificate", certificate]].concat());
        assert!(code == status && said.contains(wanted), "{token} {certificate}: {said}");
        let asked = ["token", "inspect", token, "--config", "a.json", "--at", AT];
        let (code, said) = folder.say(&[&asked[..], &["--client-certificate", certificate]].concat());
        assert!(code == status && said.contains(wanted), "{token} {certificate}: {said}");
    }
    let (code, said) = folder.say(&["explain", "a.json", "--request", "GET /", "--at", AT, "--token", "@token.txt"]);
    assert!(code == 1 && said.contains("sender      failed: certificate_mismatch: cnf is there; wanted: "), "{said}");
    let (_, said) = folder.say(&["token", "inspect", "@token.txt", "--at", AT]);
    assert!(said.contains("\nbound to the certificate "), "{said}");
    for (certificate, wanted) in
        [("none.pem", "is no certificate"), ("nowhere.pem", "cannot read"), ("00ff", "cannot read")]
    {
        let (code, said) =
            folder.say(&["explain", "a.json", "--request", "GET /", "--client-certificate", certificate]);
        assert!(code == 2 && said.contains(wanted), "{certificate}: {said}");
    }
}

#[test]
fn a_case_has_the_certificate_of_its_client() {
    let (folder, digest) = place();
    let policy = json!({
        "issuers": [{ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "uri": "https://a/k", "cluster": "a" } }],
    });
    let cnf = base64url::encode(&bytes_of(&digest));
    let case = |name: &str, certificate: Value, reason: Value| {
        let mut request = json!({ "path": "/" });
        if !certificate.is_null() {
            request["client_certificate"] = certificate;
        }
        let status = if reason.is_null() { 200 } else { 401 };
        json!({ "name": name, "request": request, "token": { "sub": "a", "cnf": { "x5t#S256": cnf } },
                "expect": { "status": status, "reason": reason } })
    };
    let cases = json!({ "inline": policy, "now": AT, "cases": [
        case("by file", json!("own.pem"), Value::Null),
        case("by digest", json!(digest), Value::Null),
        case("another", json!("other.pem"), json!("certificate_mismatch")),
        case("none", Value::Null, json!("certificate_mismatch")),
    ] });
    folder.write("cases.json", &cases.to_string());
    let (status, said) = folder.say(&["test", "cases.json"]);
    assert_eq!(status, 0, "{said}");
    let wrong = json!({ "inline": policy, "cases": [case("x", json!("none.pem"), Value::Null)] });
    folder.write("wrong.json", &wrong.to_string());
    let (status, said) = folder.say(&["test", "wrong.json"]);
    assert!(
        status == 2 && said.contains("request.client_certificate: ") && said.contains("is no certificate"),
        "{said}"
    );
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn bytes_of(digits: &str) -> Vec<u8> {
    scopegate::base::text::from_hex(digits.as_bytes()).unwrap()
}

#[test]
fn check_warns_of_an_issuer_whose_senders_prove_nothing() {
    let (folder, _) = place();
    let text = folder.read("a.json").replacen("\"audiences\"", "\"sender_constraint\": \"ignore\", \"audiences\"", 1);
    folder.write("ignore.json", &text);
    let (status, said) = folder.say(&["check", "ignore.json"]);
    assert!(status == 0 && said.contains("issuers[0].sender_constraint: ignore: "), "{said}");
    assert_eq!(folder.say(&["check", "ignore.json", "--strict"]).0, 1);
    assert!(!folder.say(&["check", "a.json"]).1.contains("sender_constraint"));
}

#[test]
fn explain_knows_proofs() {
    use crate::support::prover::Prover;
    let (folder, issuer, client) = (Folder::new(), Issuer::new(Algorithm::Es256, "a"), Prover::new(Algorithm::Es256));
    let config = json!({
        "issuers": [{ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": issuer.jwks() } }],
        "dpop": { "origins": ["https://api.example.com"], "algorithms": ["ES256"] },
    });
    folder.write("a.json", &config.to_string());
    let token = issuer.token(NOW).claim("cnf", client.cnf()).sign();
    folder.write("token.txt", &format!("DPoP {token}"));
    folder.write("proof.txt", &client.proof("GET", "https://api.example.com/orders", &token, NOW).sign());
    let explain = |target: &str, more: &[&str]| {
        let request = format!("GET {target}");
        let asked = ["explain", "a.json", "--request", &request, "--at", AT, "--token", "@token.txt"];
        folder.say(&[&asked[..], more].concat())
    };
    let (status, said) = explain("/orders", &["--dpop", "@proof.txt"]);
    assert!(status == 0 && said.contains("sender      passed") && said.contains("once        passed"), "{said}");
    let (status, said) = explain("/other", &["--dpop", "@proof.txt"]);
    assert!(status == 1 && said.contains("sender      failed: invalid_proof: its htu is another address\n"), "{said}");
    assert!(said.contains("www-authenticate: DPoP realm=\"api\", error=\"invalid_dpop_proof\""), "{said}");
    assert!(said.contains("(its htu is another address)"), "{said}");
    let (status, said) = explain("/orders", &[]);
    assert!(status == 1 && said.contains("sender      failed: proof_missing"), "{said}");
    for secret in [&token, &folder.read("proof.txt")] {
        assert!(!said.contains(secret.as_str()), "{said}");
    }
}
