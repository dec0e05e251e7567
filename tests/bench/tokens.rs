//! Tokens, many of them: signed once, and kept under `target/bench` with their key while they are good.

use super::support::issuer::{Issuer, Token, now};
use super::work_directory;
use scopegate::base::base64url;
use scopegate::cli::signing::SigningKey;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::fs;

/// How long tokens are good, in seconds.
const LIFETIME: i64 = 30 * 24 * 3600;
/// How long they have to be good yet for being used, in seconds.
const LEAST_LEFT: i64 = 24 * 3600;

/// An issuer with many good tokens, no two alike.
#[derive(Debug)]
pub struct Mint {
    pub issuer: Issuer,
    pub tokens: Vec<String>,
}

impl Mint {
    /// The kept ones, or `count` new ones.
    pub fn open(algorithm: Algorithm, count: usize) -> Self {
        let path = work_directory().join(format!("tokens-{}.json", algorithm.name()));
        let kept = fs::read_to_string(&path).ok().and_then(|text| Self::read(&text, count));
        kept.unwrap_or_else(|| {
            let mint = Self::sign(algorithm, count);
            let content = json!({
                "key": mint.issuer.key.to_jwk(), "good_until": now() + LIFETIME, "tokens": mint.tokens,
            });
            fs::write(&path, content.to_string()).unwrap();
            mint
        })
    }

    fn read(text: &str, count: usize) -> Option<Self> {
        let content: Value = serde_json::from_str(text).ok()?;
        let tokens = content["tokens"].as_array()?.iter().take(count).filter_map(|token| token.as_str());
        let tokens: Vec<String> = tokens.map(str::to_owned).collect();
        let good = content["good_until"].as_i64()? > now() + LEAST_LEFT && tokens.len() == count;
        let key = SigningKey::from_jwk(content["key"].as_object()?).ok()?;
        good.then_some(Self { issuer: Issuer { key }, tokens })
    }

    fn sign(algorithm: Algorithm, count: usize) -> Self {
        let issuer = Issuer::new(algorithm, algorithm.name());
        let tokens = (0..count).map(|number| token_of(&issuer, number).sign()).collect();
        Self { issuer, tokens }
    }

    /// One more token, to be signed with other claims.
    pub fn token(&self) -> Token<'_> {
        token_of(&self.issuer, self.tokens.len())
    }
}

/// A token as they are issued: with what RFC 9068 section 2.2 asks for.
fn token_of(issuer: &Issuer, number: usize) -> Token<'_> {
    let now = now();
    let id = format!("5f1b3c52-7a0e-4d5c-9b7e-{number:012}");
    let token = issuer.token(now).claim("jti", id).claim("client_id", "s6BhdRkqt3");
    token.claim("sub", format!("5ba552d6-{number:012}")).claim("exp", now + LIFETIME)
}

/// The token with one bit of its signature changed.
pub fn with_changed_signature(token: &str) -> String {
    let (input, signature) = token.rsplit_once('.').unwrap();
    let mut signature = base64url::decode(signature.as_bytes()).unwrap();
    let middle = signature.len() / 2;
    signature[middle] ^= 1;
    format!("{input}.{}", base64url::encode(&signature))
}
