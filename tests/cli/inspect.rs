//! `scopegate token inspect` and `scopegate jwks inspect`.

use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, sign_texts};
use crate::support::prover::Prover;
use crate::world::{Run, folder, run};
use scopegate::base::base64url;
use scopegate::crypto::Algorithm;
use scopegate::jose::thumbprint;
use serde_json::{Value, json};
use std::fs::write;
use std::path::Path;

const AT: &str = "2026-11-21T10:00:00Z";
const NOW: i64 = 1_795_255_200;

fn inspect(token: &str) -> Run {
    let folder = folder();
    write(folder.join("token.txt"), token).unwrap();
    run(&["token", "inspect", "@token.txt", "--at", AT], &folder)
}

fn issuer() -> Issuer {
    Issuer::new(Algorithm::Es256, "a")
}

#[test]
fn a_token_is_shown_and_not_trusted() {
    let token = issuer().token(NOW - 60).sign();
    let run = inspect(&format!("Bearer {token}\n"));
    assert_eq!(run.status, 0, "{run:?}");
    for wanted in [
        "not verified",
        "\"alg\": \"ES256\"",
        "\"sub\": \"alice\"",
        "fingerprint ",
        "issued 1 minute ago (2026-11-21T09:59:00Z)",
        "good for another 4 minutes (2026-11-21T10:04:00Z)",
        "lifetime 5 minutes",
    ] {
        assert!(run.stdout.contains(wanted), "{wanted}\n{}", run.stdout);
    }
    for segment in token.split('.') {
        assert!(!run.stdout.contains(segment), "{}", run.stdout);
    }
    assert!(!run.stdout.contains("warning"), "{}", run.stdout);
    assert_eq!(run.stdout.lines().last(), Some(concat!("judged by scopegate ", env!("CARGO_PKG_VERSION"))));
    assert!(inspect(&issuer().token(NOW - 480).sign()).stdout.contains("expired 3 minutes ago"));
}

#[test]
fn what_no_configuration_takes_is_said() {
    let key = issuer().key;
    for (header, payload, wanted) in [
        (r#"{"alg":"none"}"#, r#"{"iss":"a","exp":1}"#, "alg none"),
        (r#"{"alg":"FOO"}"#, r#"{"iss":"a","exp":1}"#, "alg is none that is known"),
        (r#"{"alg":"ES256","crit":["x"]}"#, r#"{"iss":"a","exp":1}"#, "crit"),
        (r#"{"alg":"ES256","alg":"none"}"#, r#"{"iss":"a","exp":1}"#, "the header has duplicate members"),
        (r#"{"alg":"ES256"}"#, r#"{"iss":"a","iss":"b","exp":1}"#, "the payload has duplicate members"),
        (r#"{"alg":"ES256","jku":"https://x"}"#, r#"{"iss":"a","exp":1}"#, "jku is ignored"),
        (r#"{"alg":"ES256"}"#, r#"{"iss":"a"}"#, "no exp"),
        (r#"{"alg":"ES256"}"#, r#"{"iss":"a","exp":"1"}"#, "`exp` is text, not a number"),
        (r#"{"alg":"ES256"}"#, r#"{"iss":"a","nbf":[],"exp":1}"#, "`nbf` is a list, not a number"),
        (r#"{"alg":"ES256"}"#, r#"{"iss":"a","sub":4,"exp":1}"#, "`sub` is a number, not text"),
        (r#"{"alg":"ES256"}"#, r#"{"iss":"a","jti":{},"exp":1}"#, "`jti` is an object, not text"),
        (r#"{"alg":"ES256"}"#, r#"{"iss":null,"exp":1}"#, "`iss` is null, not text"),
        (r#"{"alg":"ES256","kid":7}"#, r#"{"iss":"a","exp":1}"#, "the header parameter `kid` is a number, not text"),
        (
            r#"{"alg":"ES256","typ":true}"#,
            r#"{"iss":"a","exp":1}"#,
            "the header parameter `typ` is a boolean, not text",
        ),
        ("[]", "1", "header: cannot be decoded"),
    ] {
        let run = inspect(&sign_texts(&key, header, payload));
        assert!(run.stdout.contains(wanted), "{wanted}: {}", run.stdout);
    }
}

#[test]
fn what_is_no_token_is_an_answer_and_no_crash() {
    for (token, wanted) in [
        ("x", "not three segments"),
        ("a.b", "not three segments"),
        ("..", "an empty segment"),
        ("a.b.c.d.e", "JWE"),
        ("\u{e9}.\u{e9}.\u{e9}", "not base64url"),
    ] {
        let run = inspect(token);
        assert_eq!(run.status, 1, "{run:?}");
        assert!(run.stdout.contains(wanted), "{wanted}: {}", run.stdout);
    }
    assert_eq!(inspect(" ").status, 2);
}

#[test]
fn claims_cannot_steer_the_terminal() {
    let token = issuer().token(NOW).claim("sub", "a\u{1b}[2J\u{9b}31m\u{202e}b\r\n").sign();
    let text = inspect(&token).stdout;
    assert!(text.chars().all(|character| character == '\n' || !character.is_control()), "{text:?}");
    assert!(!text.contains('\u{202e}') && text.contains("\\u202e"), "{text:?}");
}

#[test]
fn a_configuration_says_what_it_would_refuse_it_for() {
    let folder = folder();
    let issuer = issuer();
    let config = json!({
        "issuers": [{ "issuer": ISSUER, "name": "demo", "audiences": [AUDIENCE],
                      "jwks": { "uri": "https://idp.example.com/jwks.json", "cluster": "idp" } }],
        "rules": [{ "match": { "path": "/admin" }, "scopes": ["admin"] }],
    });
    write(folder.join("config.json"), config.to_string()).unwrap();
    write(folder.join("jwks.json"), issuer.jwks().to_string()).unwrap();
    write(folder.join("token.txt"), issuer.token(NOW).sign()).unwrap();
    let with = |more: &[&str]| {
        run(&[&["token", "inspect", "@token.txt", "--at", AT, "--config", "config.json"], more].concat(), &folder)
    };
    for (more, status, wanted) in [
        (&[][..], 1, "would wait for the keys of demo"),
        (&["--keys", "jwks.json"], 0, "allowed"),
        (&["--keys", "jwks.json", "--request", "GET /admin"], 1, "refused: insufficient_scope"),
    ] {
        let run = with(more);
        assert!(run.status == status && run.stdout.contains(wanted), "{wanted}: {run:?}");
    }
}

fn keys(folder: &Path, set: &Value) -> Run {
    write(folder.join("jwks.json"), set.to_string()).unwrap();
    run(&["jwks", "inspect", "jwks.json"], folder)
}

#[test]
fn each_key_of_a_set_is_told() {
    let good = issuer().key.to_public_jwk();
    let private = issuer().key.to_jwk();
    let secret = json!({ "kty": "oct", "k": "AAAA", "kid": "s" });
    let run = keys(&folder(), &json!({ "keys": [secret, good, private] }));
    assert_eq!(run.status, 0, "{run:?}");
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert!(lines[0].starts_with("keys[0]  kid s  cannot be used: a symmetric key"), "{run:?}");
    let thumbprint = base64url::encode(&thumbprint(&Value::Object(good.clone())).unwrap());
    assert_eq!(lines[1], format!("keys[1]  kid a  usable for ES256  thumbprint {thumbprint}"));
    assert!(!lines[0].contains("thumbprint"), "a secret has none: {}", lines[0]);
    assert!(lines[2].contains("this key is compromised"), "{run:?}");
    assert_eq!(lines[3], "1 of 3 keys can be used");
}

#[test]
fn a_set_without_a_usable_key_fails_and_says_why() {
    let folder = folder();
    let run = keys(&folder, &json!({ "keys": [{ "kty": "oct", "k": "AAAA" }, { "kty": "RSA" }, 1] }));
    assert_eq!(run.status, 1, "{run:?}");
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert!(lines[0].starts_with("keys[0]  no kid  cannot be used: a symmetric key"), "{run:?}");
    assert!(lines[1].starts_with("keys[1]  no kid  cannot be used: "), "{run:?}");
    assert!(lines[2].ends_with("cannot be used: not an object"), "{run:?}");
    assert_eq!(lines[3], "0 of 3 keys can be used");
    assert_eq!(keys(&folder, &json!({ "keys": [] })).status, 1);
    let run = keys(&folder, &json!({ "key": [] }));
    assert!(run.status == 2 && run.stderr.contains("jwks.json: not a JSON Web Key Set"), "{run:?}");
}

#[test]
fn what_came_in_place_of_a_key_set_is_named_and_a_byte_order_mark_is_passed_over() {
    let folder = folder();
    let inspect = |bytes: &[u8]| {
        write(folder.join("jwks.json"), bytes).unwrap();
        run(&["jwks", "inspect", "jwks.json"], &folder)
    };
    for (bytes, words) in [
        (&b""[..], "it is empty"),
        (b"<html><body>login</body></html>", "it is HTML or XML, such as a login page"),
        (b"\x1f\x8b\x08\0\0", "it is compressed"),
        (b"{\"abc\":\"-----BEGIN CERTIFICATE-----\\n\"}", "it holds certificates by kid"),
        (b"{\"issuer\":\"https://a/\",\"jwks_uri\":\"https://a/k\"}", "it is the metadata of an issuer"),
        (b"{\"keys\":1}", "without a list `keys`"),
        (b"moved", "it is not JSON"),
    ] {
        let run = inspect(bytes);
        assert!(run.status == 2 && run.stderr.contains("jwks.json: not a JSON Web Key Set: "), "{run:?}");
        assert!(run.stderr.contains(words), "{words}: {run:?}");
    }
    // A bad key spoils no other, and is named.
    let good = r#"{"kty":"OKP","crv":"Ed25519","kid":"good","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    for bad in [
        r#"{"kty":"RSA","kid":"bad","n":"AQAB","e":"AQAB"}"#,
        r#"{"kid":"bad"}"#,
        r#"{"kty":1,"kid":"bad"}"#,
        r#"{"kty":"OKP","kid":"bad","kid":"good"}"#,
        "1",
        "null",
    ] {
        let run = inspect(format!("\u{feff}{{\"keys\":[{bad},{good}]}}").as_bytes());
        assert!(
            run.status == 0 && run.stdout.contains("keys[0]") && run.stdout.contains("kid good  usable"),
            "{bad}: {run:?}"
        );
        assert!(
            run.stdout.contains("cannot be used: ") && run.stdout.contains("1 of 2 keys can be used"),
            "{bad}: {run:?}"
        );
    }
}

#[test]
fn a_proof_is_judged_beside_its_token_without_a_server() {
    let (client, other) = (Prover::new(Algorithm::Es256), Prover::new(Algorithm::Es256));
    let bound = issuer().token(NOW).claim("cnf", client.cnf()).sign();
    let unbound = issuer().token(NOW).sign();
    let by_other = other.proof("GET", "https://api.example.com/", &bound, NOW - 5).sign();
    let proof = || client.proof("GET", "https://api.example.com/", &bound, NOW - 5);
    let good = proof().sign();
    let (input, _) = good.rsplit_once('.').unwrap();
    let forged = format!("{input}.{}", proof().sign().rsplit_once('.').unwrap().1);
    for (token, proof, wanted) in [
        (&bound, good.clone(), None),
        (&bound, by_other, Some("it is of another key than the token")),
        (&bound, proof().claim("ath", "x").sign(), Some("its ath is of another token")),
        (&bound, proof().header("typ", "JWT").sign(), Some("its typ is not dpop+jwt")),
        (&bound, proof().claim("jti", Value::Null).sign(), Some("no jti")),
        (&bound, proof().header("alg", "ES384").sign(), Some("its alg is not one of its key")),
        (&bound, proof().header("alg", "none").sign(), Some("its alg is not known")),
        (&bound, forged, Some("its signature is not of its key")),
        (&unbound, good.clone(), Some("the token is bound to no key")),
    ] {
        let folder = folder();
        write(folder.join("token.txt"), token).unwrap();
        write(folder.join("proof.txt"), &proof).unwrap();
        let run = run(&["token", "inspect", "@token.txt", "--dpop", "@proof.txt", "--at", AT], &folder);
        assert_eq!(run.status, i32::from(wanted.is_some()), "{wanted:?}: {run:?}");
        let told = run.stdout.contains("warning: no configuration takes the proof: ");
        assert!(
            told == wanted.is_some() && run.stdout.contains(wanted.unwrap_or("proof made 5 seconds ago")),
            "{run:?}"
        );
        assert!(run.stdout.contains("\"htu\": \"https://api.example.com/\""), "{run:?}");
        assert!(!run.stdout.contains(proof.rsplit_once('.').unwrap().1), "no signature is printed: {run:?}");
    }
    let folder = folder();
    write(folder.join("token.txt"), &bound).unwrap();
    let later = run(&["token", "inspect", "@token.txt", "--dpop", &good, "--at", "2026-11-21T10:02:00Z"], &folder);
    assert!(later.status == 0 && later.stdout.contains("too old, unless dpop.max_age says otherwise"), "{later:?}");
}
