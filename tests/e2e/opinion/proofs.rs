//! What is changed of the proof.

use super::changes::Step::{Proof, Spell, Write};
use super::changes::{Base, Change, ORIGIN, bad, good};
use crate::support::prover;
use scopegate::base::base64url;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};

/// The proof with its key edited.
fn jwk<'k>(proof: prover::Proof<'k>, base: &Base<'_>, edit: impl FnOnce(&mut Value)) -> prover::Proof<'k> {
    let mut jwk = base.client.jwk();
    edit(&mut jwk);
    proof.header("jwk", jwk)
}

/// The proof with its address written otherwise.
fn htu(proof: prover::Proof<'_>, write: impl FnOnce(&str) -> String) -> prover::Proof<'_> {
    let path = proof.claims["htu"].as_str().unwrap()[ORIGIN.len()..].to_owned();
    proof.claim("htu", write(&path))
}

pub(super) const HEADERS: &[Change] = &[
    bad("typ", "typ is missing", Proof(|proof, _| proof.header("typ", Value::Null))),
    bad("typ", "typ is JWT", Proof(|proof, _| proof.header("typ", "JWT"))),
    bad("typ", "typ is at+jwt", Proof(|proof, _| proof.header("typ", "at+jwt"))),
    bad("typ", "typ is no text", Proof(|proof, _| proof.header("typ", 1))),
    good("typ", "typ is in capitals", Proof(|proof, _| proof.header("typ", "DPoP+JWT"))),
    good("typ", "typ is a whole media type", Proof(|proof, _| proof.header("typ", "application/dpop+jwt"))),
    bad("alg", "alg is none", Proof(|proof, _| proof.header("alg", "none"))),
    bad("alg", "alg is HS256", Proof(|proof, _| proof.header("alg", "HS256"))),
    bad("alg", "alg is missing", Proof(|proof, _| proof.header("alg", Value::Null))),
    bad(
        "alg",
        "alg is in lower case",
        Proof(|proof, base| proof.header("alg", base.client.key.algorithm.name().to_lowercase())),
    ),
    bad(
        "alg",
        "alg is one of another key",
        Proof(|proof, base| {
            let is_rsa = [Algorithm::Rs256, Algorithm::Ps256].contains(&base.client.key.algorithm);
            proof.header("alg", if is_rsa { "ES256" } else { "RS256" })
        }),
    ),
    bad("crit", "crit is there", Proof(|proof, _| proof.header("crit", json!(["x"])).header("x", 1))),
    bad("b64", "b64 is false", Proof(|proof, _| proof.header("b64", false))),
    good(
        "other parameters",
        "there are other parameters",
        Proof(|proof, _| proof.header("kid", "a").header("jku", "https://x.example/")),
    ),
    bad("jwk", "jwk is missing", Proof(|proof, _| proof.header("jwk", Value::Null))),
    bad("jwk", "jwk is text", Proof(|proof, base| proof.header("jwk", base.client.jwk().to_string()))),
    bad("jwk", "jwk is a list", Proof(|proof, base| proof.header("jwk", json!([base.client.jwk()])))),
    bad(
        "jwk",
        "jwk is a private key",
        Proof(|proof, base| proof.header("jwk", Value::Object(base.client.key.to_jwk()))),
    ),
    bad(
        "jwk",
        "jwk is a secret",
        Proof(|proof, _| {
            proof.header("jwk", json!({ "kty": "oct", "k": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" }))
        }),
    ),
    bad("jwk", "jwk is of a thief", Proof(|proof, base| proof.header("jwk", base.keys.thief.jwk()))),
    good(
        "jwk",
        "jwk says what it is for",
        Proof(|proof, base| {
            jwk(proof, base, |jwk| {
                jwk["use"] = json!("sig");
                jwk["key_ops"] = json!(["verify"]);
                jwk["kid"] = json!("my key");
            })
        }),
    ),
    bad("jwk", "jwk is for encryption", Proof(|proof, base| jwk(proof, base, |jwk| jwk["use"] = json!("enc")))),
    bad(
        "jwk",
        "jwk is not for signatures",
        Proof(|proof, base| jwk(proof, base, |jwk| jwk["key_ops"] = json!(["encrypt"]))),
    ),
    bad("jwk", "jwk is of another alg", Proof(|proof, base| jwk(proof, base, |jwk| jwk["alg"] = json!("HS256")))),
    bad(
        "jwk",
        "jwk has no kty",
        Proof(|proof, base| jwk(proof, base, |jwk| drop(jwk.as_object_mut().unwrap().remove("kty")))),
    ),
    bad(
        "jwk",
        "jwk is padded",
        Proof(|proof, base| {
            jwk(proof, base, |jwk| {
                let name = if jwk.get("x").is_some() { "x" } else { "n" };
                jwk[name] = json!(format!("{}=", jwk[name].as_str().unwrap()));
            })
        }),
    ),
    bad(
        "jwk",
        "jwk is another key by one bit",
        Proof(|proof, base| {
            jwk(proof, base, |jwk| {
                let name = if jwk.get("x").is_some() { "x" } else { "n" };
                let mut bytes = base64url::decode(jwk[name].as_str().unwrap().as_bytes()).unwrap();
                bytes[3] ^= 1;
                jwk[name] = json!(base64url::encode(&bytes));
            })
        }),
    ),
];

pub(super) const PROOFS: &[Change] = &[
    bad("htm", "htm is another method", Proof(|proof, _| proof.claim("htm", "PATCH"))),
    bad(
        "htm",
        "htm is in lower case",
        Proof(|proof, _| {
            let lower = proof.claims["htm"].as_str().unwrap().to_ascii_lowercase();
            proof.claim("htm", lower)
        }),
    ),
    bad("htm", "htm is missing", Proof(|proof, _| proof.claim("htm", Value::Null))),
    bad(
        "htm",
        "htm is a list",
        Proof(|proof, _| {
            let htm = json!([proof.claims["htm"]]);
            proof.claim("htm", htm)
        }),
    ),
    bad("htu", "htu is missing", Proof(|proof, _| proof.claim("htu", Value::Null))),
    bad(
        "htu",
        "htu is a list",
        Proof(|proof, _| {
            let htu = json!([proof.claims["htu"]]);
            proof.claim("htu", htu)
        }),
    ),
    bad("htu", "htu has another host", Proof(|proof, _| htu(proof, |path| format!("https://evil.example.com{path}")))),
    bad("htu", "htu has another scheme", Proof(|proof, _| htu(proof, |path| format!("http://api.example.com{path}")))),
    bad("htu", "htu has another port", Proof(|proof, _| htu(proof, |path| format!("{ORIGIN}:8443{path}")))),
    bad("htu", "htu has another path", Proof(|proof, _| htu(proof, |path| format!("{ORIGIN}{path}x")))),
    bad("htu", "htu has one slash more", Proof(|proof, _| htu(proof, |path| format!("{ORIGIN}{path}/")))),
    bad("htu", "htu has a dot after the host", Proof(|proof, _| htu(proof, |path| format!("{ORIGIN}.{path}")))),
    bad("htu", "htu has no origin", Proof(|proof, _| htu(proof, str::to_owned))),
    bad("htu", "htu has no scheme", Proof(|proof, _| htu(proof, |path| format!("//api.example.com{path}")))),
    bad("htu", "htu has a user", Proof(|proof, _| htu(proof, |path| format!("https://me:x@api.example.com{path}")))),
    bad("htu", "htu has backslashes", Proof(|proof, _| htu(proof, |path| format!("https:\\\\api.example.com{path}")))),
    bad("htu", "htu has one slash less", Proof(|proof, _| htu(proof, |path| format!("https:/api.example.com{path}")))),
    bad("htu", "htu has spaces around it", Proof(|proof, _| htu(proof, |path| format!(" {ORIGIN}{path} ")))),
    bad(
        "htu",
        "htu has a line feed in it",
        Proof(|proof, _| htu(proof, |path| format!("https://api.exa\nmple.com{path}"))),
    ),
    bad(
        "htu",
        "htu has a host in wide letters",
        Proof(|proof, _| htu(proof, |path| format!("https://\u{ff41}pi.example.com{path}"))),
    ),
    bad(
        "htu",
        "htu has an escape in its host",
        Proof(|proof, _| htu(proof, |path| format!("https://%61pi.example.com{path}"))),
    ),
    good("htu", "htu has a query", Proof(|proof, _| htu(proof, |path| format!("{ORIGIN}{path}?x=1")))),
    good("htu", "htu has a fragment", Proof(|proof, _| htu(proof, |path| format!("{ORIGIN}{path}#x")))),
    good("htu", "htu has capitals", Proof(|proof, _| htu(proof, |path| format!("HTTPS://API.Example.com{path}")))),
    good("htu", "htu has the port of its scheme", Proof(|proof, _| htu(proof, |path| format!("{ORIGIN}:443{path}")))),
    good("htu", "htu has dot segments", Proof(|proof, _| htu(proof, |path| format!("{ORIGIN}/x/.././%2e{path}")))),
    good(
        "htu",
        "htu has an escape that it does not need",
        Proof(|proof, _| {
            htu(proof, |path| format!("{ORIGIN}{}", path.replacen("/o", "/%6f", 1).replacen("/c", "/%63", 1)))
        }),
    ),
    good("proof iat", "the proof is of a minute ago", Proof(|proof, base| proof.claim("iat", base.now - 60))),
    bad("proof iat", "the proof is old", Proof(|proof, base| proof.claim("iat", base.now - 310))),
    bad("proof iat", "the proof is of the future", Proof(|proof, base| proof.claim("iat", base.now + 310))),
    good("proof iat", "the proof is a little ahead", Proof(|proof, base| proof.claim("iat", base.now + 100))),
    good(
        "proof iat",
        "iat of the proof is a fraction",
        Proof(|proof, base| proof.claim("iat", json!(base.now as f64 + 0.5))),
    ),
    bad("proof iat", "iat of the proof is text", Proof(|proof, base| proof.claim("iat", base.now.to_string()))),
    bad("proof iat", "iat of the proof is missing", Proof(|proof, _| proof.claim("iat", Value::Null))),
    bad("proof iat", "iat of the proof is in milliseconds", Proof(|proof, base| proof.claim("iat", base.now * 1000))),
    bad("proof jti", "jti of the proof is missing", Proof(|proof, _| proof.claim("jti", Value::Null))),
    bad("proof jti", "jti of the proof is empty", Proof(|proof, _| proof.claim("jti", ""))),
    bad("proof jti", "jti of the proof is a number", Proof(|proof, _| proof.claim("jti", 7))),
    good(
        "proof jti",
        "jti of the proof is long",
        Proof(|proof, _| {
            let long = proof.claims["jti"].as_str().unwrap().repeat(100);
            proof.claim("jti", long)
        }),
    ),
    bad("ath", "ath is missing", Proof(|proof, _| proof.claim("ath", Value::Null))),
    bad(
        "ath",
        "ath is of another token",
        Proof(|proof, _| proof.claim("ath", scopegate::jose::access_token_hash(b"x"))),
    ),
    bad(
        "ath",
        "ath is padded",
        Proof(|proof, _| {
            let padded = format!("{}=", proof.claims["ath"].as_str().unwrap());
            proof.claim("ath", padded)
        }),
    ),
    bad("ath", "ath is a number", Proof(|proof, _| proof.claim("ath", 1))),
    good("nonce", "there is a nonce that was not asked for", Proof(|proof, _| proof.claim("nonce", "x"))),
    bad("nonce", "the nonce is a number", Proof(|proof, _| proof.claim("nonce", 1))),
    bad("proof exp", "exp of the proof is past", Proof(|proof, base| proof.claim("exp", base.now - 60))),
    good("proof exp", "exp of the proof is ahead", Proof(|proof, base| proof.claim("exp", base.now + 60))),
    bad("proof exp", "exp of the proof is text", Proof(|proof, _| proof.claim("exp", "x"))),
    bad("proof nbf", "nbf of the proof is ahead", Proof(|proof, base| proof.claim("nbf", base.now + 400))),
    good(
        "other claims",
        "there are other claims",
        Proof(|proof, _| proof.claim("iss", "x").claim("more", json!({ "a": [1] }))),
    ),
];

pub(super) const WRITINGS: &[Change] = &[
    good(
        "writing",
        "there are spaces in the JSON",
        Write(|header, claims| {
            *header = header.replacen(':', " : ", 1);
            *claims = format!(" {claims}\n");
        }),
    ),
    good(
        "writing",
        "the name of a claim has an escape",
        Write(|_, claims| *claims = claims.replacen("\"htm\"", "\"\\u0068tm\"", 1)),
    ),
    bad("writing", "htm is there twice", Write(|_, claims| *claims = claims.replacen('{', "{\"htm\":\"PATCH\",", 1))),
    bad("writing", "jwk is there twice", Write(|header, _| *header = header.replacen('{', "{\"jwk\":{},", 1))),
    bad("writing", "the claims have a comma at the end", Write(|_, claims| *claims = claims.replace('}', ",}"))),
    bad("writing", "the claims begin with a byte order mark", Write(|_, claims| claims.insert(0, '\u{feff}'))),
    bad("writing", "the claims are a list", Write(|_, claims| *claims = format!("[{claims}]"))),
    bad("writing", "the header has more after it", Write(|header, _| header.push('x'))),
];

/// The proof with another signature.
fn signature(proof: &str, edit: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    let (input, signature) = proof.rsplit_once('.').unwrap();
    format!("{input}.{}", base64url::encode(&edit(base64url::decode(signature.as_bytes()).unwrap())))
}

pub(super) const SPELLINGS: &[Change] = &[
    bad(
        "signature",
        "the signature is another by one bit",
        Spell(|proof, _| {
            signature(proof, |mut bytes| {
                bytes[9] ^= 4;
                bytes
            })
        }),
    ),
    bad("signature", "the signature is empty", Spell(|proof, _| signature(proof, |_| Vec::new()))),
    bad("signature", "the signature is zero", Spell(|proof, _| signature(proof, |bytes| vec![0; bytes.len()]))),
    bad(
        "signature",
        "the signature has a byte after it",
        Spell(|proof, _| signature(proof, |bytes| [bytes, vec![0]].concat())),
    ),
    bad("signature", "the signature lacks a byte", Spell(|proof, _| signature(proof, |bytes| bytes[1..].to_vec()))),
    bad(
        "signature",
        "a thief signs",
        Spell(|proof, base| {
            let (input, _) = proof.rsplit_once('.').unwrap();
            format!("{input}.{}", base64url::encode(&base.keys.thief.key.sign(input.as_bytes()).unwrap()))
        }),
    ),
    bad("spelling", "the signature is padded", Spell(|proof, _| format!("{proof}=="))),
    bad(
        "spelling",
        "the proof has stray bits at its end",
        Spell(|proof, _| {
            const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
            let (rest, last) = proof.split_at(proof.len() - 1);
            // After another change it may end with padding, or with the dot before an empty signature.
            let Some(last) = ALPHABET.find(last) else { return proof.to_owned() };
            format!("{rest}{}", &ALPHABET[last ^ 1..=last ^ 1])
        }),
    ),
    bad(
        "spelling",
        "the proof has a character of no alphabet",
        Spell(|proof, _| {
            let (input, signature) = proof.rsplit_once('.').unwrap();
            format!("{input}.~{}", &signature[1..])
        }),
    ),
    bad("spelling", "the proof has a part more", Spell(|proof, _| format!("{proof}.x"))),
    bad("spelling", "the proof has a part less", Spell(|proof, _| proof.rsplit_once('.').unwrap().0.to_owned())),
    bad("spelling", "the proof is no token", Spell(|_, _| "x".to_owned())),
];
