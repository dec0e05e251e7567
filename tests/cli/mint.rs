//! `scopegate token mint`.

use crate::world::{Run, folder, run};
use scopegate::base::base64url;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::fs::write;
use std::path::{Path, PathBuf};

const AT: &str = "2026-11-21T10:00:00Z";
const NOW: i64 = 1_795_255_200;

/// A folder with a key.
fn place(algorithm: &str) -> PathBuf {
    let folder = folder();
    let key = run(&["jwks", "generate", "--algorithm", algorithm, "--kid", "k"], &folder);
    write(folder.join("key.json"), key.stdout).unwrap();
    folder
}

fn mint(folder: &Path, more: &[&str]) -> Run {
    run(&[&["token", "mint", "--key", "key.json", "--issuer", "https://a/", "--at", AT], more].concat(), folder)
}

/// The header and the claims of a token.
fn read(token: &str) -> [Value; 2] {
    let mut parts = token.trim().split('.');
    [(); 2].map(|()| serde_json::from_slice(&base64url::decode(parts.next().unwrap().as_bytes()).unwrap()).unwrap())
}

#[test]
fn a_token_says_what_it_is_told_to_say() {
    let folder = place("ES256");
    for (more, header, claims) in [
        (
            &[][..],
            json!({ "alg": "ES256", "kid": "k", "typ": "at+jwt" }),
            json!({ "iss": "https://a/", "iat": NOW, "exp": NOW + 300 }),
        ),
        (
            &["--audience", "b", "--subject", "alice", "--scope", "r w", "--expires-in", "1h", "--not-before", "1m"],
            json!({ "alg": "ES256", "kid": "k", "typ": "at+jwt" }),
            json!({ "iss": "https://a/", "aud": "b", "sub": "alice", "scope": "r w", "iat": NOW, "nbf": NOW + 60, "exp": NOW + 3600 }),
        ),
        (
            &["--audience", "b", "--audience", "c", "--expires-in", "-1h", "--type", "JWT"],
            json!({ "alg": "ES256", "kid": "k", "typ": "JWT" }),
            json!({ "iss": "https://a/", "aud": ["b", "c"], "iat": NOW - 3600, "exp": NOW - 3600 }),
        ),
        (
            &[
                "--claim",
                "tenant=\"acme\"",
                "--claim",
                "iat=null",
                "--claim",
                "exp=1",
                "--header",
                "kid=null",
                "--header",
                "x=[1]",
            ],
            json!({ "alg": "ES256", "typ": "at+jwt", "x": [1] }),
            json!({ "iss": "https://a/", "tenant": "acme", "exp": 1 }),
        ),
        // A value may hold the sign that ends a name.
        (
            &["--claim", "a=\"b=c\"", "--header", "typ=null"],
            json!({ "alg": "ES256", "kid": "k" }),
            json!({ "iss": "https://a/", "a": "b=c", "iat": NOW, "exp": NOW + 300 }),
        ),
    ] {
        let minted = mint(&folder, more);
        assert_eq!(minted.status, 0, "{minted:?}");
        assert_eq!(read(&minted.stdout), [header, claims], "{more:?}");
    }
    let now = run(&["token", "mint", "--key", "key.json", "--issuer", "a"], &folder);
    let issued = read(&now.stdout)[1]["iat"].as_i64().unwrap();
    assert!(issued > 1_700_000_000, "{issued}: now without --at");
}

#[test]
fn tokens_of_every_algorithm_are_verified_with_the_published_key() {
    for algorithm in Algorithm::ALL.into_iter().map(Algorithm::name).filter(|name| !name.starts_with("HS")) {
        let folder = place(algorithm);
        let jwks = run(&["jwks", "public", "key.json"], &folder).stdout;
        write(folder.join("jwks.json"), jwks).unwrap();
        let config = json!({
            "issuers": [{ "issuer": "https://a/", "audiences": ["b"], "algorithms": [algorithm],
                          "jwks": { "uri": "https://a/jwks.json", "cluster": "a" } }],
        });
        write(folder.join("config.json"), config.to_string()).unwrap();
        let token = mint(&folder, &["--audience", "b", "--subject", "alice"]).stdout;
        write(folder.join("token.txt"), token).unwrap();
        let explained = run(
            &[
                "explain",
                "config.json",
                "--request",
                "GET /",
                "--token",
                "@token.txt",
                "--keys",
                "jwks.json",
                "--at",
                AT,
            ],
            &folder,
        );
        assert_eq!(explained.status, 0, "{algorithm}: {explained:?}");
    }
}

#[test]
fn what_cannot_be_minted_is_said_and_no_key_is_shown() {
    let folder = place("ES256");
    let key = std::fs::read_to_string(folder.join("key.json")).unwrap();
    let mut nameless: Value = serde_json::from_str(&key).unwrap();
    nameless.as_object_mut().unwrap().remove("alg");
    write(folder.join("nameless.json"), nameless.to_string()).unwrap();
    let public: Value = serde_json::from_str(&run(&["jwks", "public", "key.json"], &folder).stdout).unwrap();
    write(folder.join("public.json"), public["keys"][0].to_string()).unwrap();
    write(folder.join("text.json"), "key").unwrap();
    write(folder.join("set.json"), public.to_string()).unwrap();
    for (key, more, wanted) in [
        ("none.json", &[][..], "cannot read none.json"),
        ("text.json", &[], "text.json is not a JSON Web Key"),
        ("set.json", &[], "set.json is a key set; give one private key"),
        ("public.json", &[], "public.json: not a private JSON Web Key"),
        ("nameless.json", &[], "nameless.json: the key has no alg"),
        ("key.json", &["--algorithm", "RS256"], "--algorithm RS256: the key is for ES256"),
        ("key.json", &["--algorithm", "none"], "--algorithm none: not an algorithm; the algorithms are RS256,"),
        ("key.json", &["--expires-in", "5"], "--expires-in 5: write a whole number and s, m or h"),
        ("key.json", &["--not-before", "soon"], "--not-before soon: write"),
        ("key.json", &["--claim", "tenant"], "--claim tenant: write NAME=JSON"),
        ("key.json", &["--claim", "tenant=acme"], "text needs quotes"),
        ("key.json", &["--header", "a=b"], "--header a: the value is not JSON"),
        ("key.json", &["--at", "yesterday"], "--at yesterday"),
    ] {
        let minted = run(&[&["token", "mint", "--issuer", "a", "--key", key], more].concat(), &folder);
        assert!(minted.status == 2 && minted.stderr.contains(wanted), "{wanted}: {minted:?}");
        assert!(!minted.stderr.contains(nameless["d"].as_str().unwrap()), "{minted:?}");
    }
    let minted = run(&["token", "mint", "--issuer", "a", "--key", "nameless.json", "--algorithm", "ES256"], &folder);
    assert_eq!(minted.status, 0, "{minted:?}");
}
