//! Requests that are good, and requests that must never pass, by construction.

use crate::stage::HOSTILE;
use crate::support::client::head;
use crate::support::issuer::{Issuer, Token, now};
use crate::support::random::Random;
use scopegate::base::base64url;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};

/// A request that must not pass: what is wrong with it, and its bytes.
#[derive(Clone, Debug)]
pub struct Hostile {
    pub what: &'static str,
    pub bytes: Vec<u8>,
}

/// A good request.
pub fn good(token: &str) -> Vec<u8> {
    head("GET", "/orders/1", &[("authorization", &format!("Bearer {token}"))])
}

/// A request with this token that must not pass.
pub fn hostile(what: &'static str, token: &str) -> Hostile {
    sent(what, "/orders/1", &[("authorization", &format!("Bearer {token}"))])
}

/// A request with these lines that must not pass.
pub fn sent(what: &'static str, target: &str, lines: &[(&str, &str)]) -> Hostile {
    let lines = [lines, &[(HOSTILE, "1"), ("x-auth-subject", "admin")]].concat();
    Hostile { what, bytes: head("GET", target, &lines) }
}

fn with_signature(token: &str, edit: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    let (input, signature) = token.rsplit_once('.').unwrap();
    format!("{input}.{}", base64url::encode(&edit(base64url::decode(signature.as_bytes()).unwrap())))
}

/// One request of each kind that must not pass, from a token of `issuer` that would.
pub fn each_kind(issuer: &Issuer, foreign: &Issuer, random: &mut Random) -> Vec<Hostile> {
    let now = now();
    let token = || issuer.token(now).claim("jti", format!("{:x}", random_id()));
    let good = token().sign();
    let said = |what, token: Token<'_>| hostile(what, &token.sign());
    let bearer = format!("Bearer {good}");
    let mut all = vec![
        sent("no token", "/orders/1", &[]),
        sent("a route that is closed", "/closed/1", &[("authorization", &bearer)]),
        sent("a route that needs another scope", "/write/1", &[("authorization", &bearer)]),
        sent("another scheme", "/orders/1", &[("authorization", &format!("Basic {good}"))]),
        sent("twice", "/orders/1", &[("authorization", &bearer), ("authorization", &bearer)]),
        sent("in the query", &format!("/orders/1?access_token={good}"), &[]),
        sent("in the query too", &format!("/orders/1?x={good}"), &[("authorization", &bearer)]),
        sent("in a cookie", "/orders/1", &[("cookie", &format!("access_token={good}"))]),
        sent("an ambiguous path", "/write%2f..%2f1;/x", &[("authorization", &bearer)]),
        hostile("garbage", "garbage"),
        hostile("another signature", &with_signature(&good, |signature| vec![0; signature.len()])),
        hostile("a longer signature", &with_signature(&good, |signature| [signature, vec![0]].concat())),
        hostile("a shorter signature", &with_signature(&good, |signature| signature[1..].to_vec())),
        hostile("no signature", &with_signature(&good, |_| Vec::new())),
        hostile("padded", &format!("{good}=")),
        hostile("huge", &"x".repeat(9000)),
        hostile("of a foreign key", &foreign.token(now).header("kid", issuer.key.kid.clone()).sign()),
        said("expired", token().claim("iat", now - 900).claim("exp", now - 600)),
        said("without exp", token().claim("exp", Value::Null)),
        said("not yet valid", token().claim("nbf", now + 600)),
        said("issued in the future", token().claim("iat", now + 600).claim("exp", now + 900)),
        said("for too long", token().claim("exp", now + 100_000)),
        said("of another issuer", token().claim("iss", "https://other.example.com/")),
        said("for another audience", token().claim("aud", "https://other.example.com")),
        said("of nobody", token().claim("sub", Value::Null)),
        said("without a scope", token().claim("scope", Value::Null)),
        said("of another type", token().header("typ", "JWT")),
        said("with something critical", token().header("crit", json!(["x"])).header("x", 1)),
        said("of an unknown key", token().header("kid", format!("unknown {}", random.below(1000)))),
        said("of another algorithm", token().header("alg", "HS256")),
        said("of no algorithm", token().header("alg", "none")),
    ];
    all.push(flipped(&good, random));
    all
}

/// The token with one character changed, anywhere.
pub fn flipped(token: &str, random: &mut Random) -> Hostile {
    let mut bytes = token.as_bytes().to_vec();
    let place = random.below(bytes.len());
    bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
    hostile("one character changed", std::str::from_utf8(&bytes).unwrap())
}

/// A number that is not used twice.
pub fn random_id() -> u64 {
    use std::hash::{BuildHasher as _, RandomState};
    RandomState::new().hash_one(0)
}

/// The keys that an issuer has one after the other.
pub fn next_key(number: usize) -> Issuer {
    let algorithms = [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Es384];
    Issuer::new(algorithms[number % algorithms.len()], &format!("key {number}"))
}
