//! Tokens around what a configuration asks for: good ones, and such as have one or two flaws.

use super::configurations::{Keys, Old, Provider};
use super::material::{Claim, Material};
use crate::support::issuer::Issuer;
use crate::support::random::Random;
use scopegate::base::base64url;
use scopegate::cli::signing::SigningKey;
use serde_json::{Map, Value, json};

/// A token, and whose it is.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) provider: usize,
    /// What is wrong with it.
    pub(super) flaws: Vec<&'static str>,
}

/// A token while it is made.
struct Draft<'k> {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    signer: Option<&'k SigningKey>,
    now: i64,
}

impl Draft<'_> {
    fn claim(&mut self, name: &str, value: impl Into<Value>) {
        self.claims.insert(name.to_owned(), value.into());
    }
}

/// Who may sign in another's place.
pub(super) struct Others<'k> {
    keys: &'k Keys,
    /// One that no configuration knows.
    stranger: &'k Issuer,
}

type Flaw = (&'static str, for<'k> fn(&mut Draft<'k>, &Others<'k>, &Provider, &mut Random));

const FLAWS: &[Flaw] = &[
    ("expired", |draft, _, _, _| draft.claim("exp", draft.now - 600)),
    ("just expired", |draft, _, _, _| draft.claim("exp", draft.now - 40)),
    ("no exp", |draft, _, _, _| drop(draft.claims.remove("exp"))),
    ("not yet valid", |draft, _, _, _| draft.claim("nbf", draft.now + 600)),
    ("no iat", |draft, _, _, _| drop(draft.claims.remove("iat"))),
    ("good for years", |draft, _, _, _| draft.claim("exp", draft.now + 100_000_000)),
    ("another audience", |draft, _, _, _| draft.claim("aud", "somebody-else")),
    ("no audience", |draft, _, _, _| drop(draft.claims.remove("aud"))),
    ("a list of audiences", |draft, _, _, _| {
        let own = draft.claims.get("aud").cloned().unwrap_or_default();
        draft.claim("aud", json!(["somebody-else", own]));
    }),
    ("an audience with a slash", |draft, _, _, _| {
        let own = draft.claims.get("aud").and_then(Value::as_str).unwrap_or_default().to_owned();
        draft.claim("aud", format!("{}/", own.trim_end_matches('/')));
    }),
    ("another issuer", |draft, _, _, _| draft.claim("iss", "https://else.example.com/")),
    ("no issuer", |draft, _, _, _| drop(draft.claims.remove("iss"))),
    ("an issuer with another slash", |draft, _, _, _| {
        let own = draft.claims.get("iss").and_then(Value::as_str).unwrap_or_default().to_owned();
        let other = own.strip_suffix('/').map_or_else(|| format!("{own}/"), str::to_owned);
        draft.claim("iss", other);
    }),
    ("no subject", |draft, _, _, _| drop(draft.claims.remove("sub"))),
    ("signed by another issuer", |draft, others, provider, random| {
        let keys: Vec<&Issuer> =
            others.keys.0.iter().filter(|(place, _)| **place != provider.keys).map(|(_, key)| key).collect();
        let key = &random.of(&keys).key;
        draft.header.insert("alg".to_owned(), key.algorithm.name().into());
        draft.header.insert("kid".to_owned(), key.kid.clone().into());
        draft.signer = Some(key);
    }),
    ("signed by a stranger", |draft, others, _, _| {
        draft.header.insert("alg".to_owned(), others.stranger.key.algorithm.name().into());
        draft.signer = Some(&others.stranger.key);
    }),
    ("not signed", |draft, _, _, _| {
        draft.header.insert("alg".to_owned(), "none".into());
        draft.signer = None;
    }),
    ("no kid", |draft, _, _, _| drop(draft.header.remove("kid"))),
    ("an unknown kid", |draft, _, _, _| drop(draft.header.insert("kid".to_owned(), "nobody".into()))),
    ("no typ", |draft, _, _, _| drop(draft.header.remove("typ"))),
    ("another typ", |draft, _, _, _| drop(draft.header.insert("typ".to_owned(), "logout+jwt".into()))),
    ("an ID token", |draft, _, _, _| draft.claim("nonce", "n-0S6_WzA2Mj")),
    ("bound to a key", |draft, _, _, _| {
        draft.claim("cnf", json!({ "jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" }));
    }),
];

/// What makes tokens for a configuration.
pub(super) struct Maker<'k> {
    pub(super) old: &'k Old,
    pub(super) others: Others<'k>,
    pub(super) now: i64,
}

impl<'k> Maker<'k> {
    pub(super) const fn new(old: &'k Old, keys: &'k Keys, stranger: &'k Issuer, now: i64) -> Self {
        Self { old, others: Others { keys, stranger }, now }
    }

    /// A token of the provider at this place in the list.
    pub(super) fn token(&self, index: usize, material: &Material, random: &mut Random) -> Token {
        let provider = &self.old.providers[index];
        let key = &self.others.keys.0[&provider.keys].key;
        // Access tokens by RFC 9068, and those that issuers made before it.
        let typ = random.of(&["at+jwt", "at+jwt", "JWT"]);
        let header = json!({ "alg": key.algorithm.name(), "kid": key.kid, "typ": typ });
        let claims = json!({ "iat": self.now, "exp": self.now + 300, "sub": "alice" });
        let members = |value: Value| value.as_object().unwrap().clone();
        let mut draft = Draft { header: members(header), claims: members(claims), signer: Some(key), now: self.now };
        draft.claim("iss", provider.issuer.clone().unwrap_or_else(|| "https://any.example.com".to_owned()));
        if provider.audiences.is_empty() {
            draft.claim("aud", random.of(&["anything", "https://api.example.com"]));
        } else {
            draft.claim("aud", random.of(&provider.audiences));
        }
        let is_good = random.chance(3);
        for claim in &material.claims {
            if let Some(value) = value(claim, is_good, random) {
                set(&mut draft.claims, &claim.path, value);
            }
        }
        let count = if is_good { 0 } else { random.of(&[0, 0, 1, 1, 1, 2]) };
        let mut flaws = Vec::new();
        for _ in 0..count {
            let (name, apply) = random.of(FLAWS);
            apply(&mut draft, &self.others, provider, random);
            flaws.push(name);
        }
        Token { text: signed(&draft), provider: index, flaws }
    }
}

fn signed(draft: &Draft<'_>) -> String {
    let texts = [&draft.header, &draft.claims].map(|part| Value::Object(part.clone()).to_string());
    let input = texts.map(|part| base64url::encode(part.as_bytes())).join(".");
    let signature = draft.signer.map(|key| base64url::encode(&key.sign(input.as_bytes()).unwrap()));
    format!("{input}.{}", signature.unwrap_or_default())
}

/// A value of a claim that meets the condition, or one that is near it.
fn value(claim: &Claim, is_good: bool, random: &mut Random) -> Option<Value> {
    if claim.values.is_empty() {
        return None;
    }
    let one = random.of(&claim.values);
    let text = one.as_str().map(str::to_owned);
    let as_is = if claim.is_list { json!([one]) } else { one.clone() };
    if is_good {
        return Some(as_is);
    }
    Some(match (random.below(10), text) {
        (0..=2, _) => as_is,
        (3, _) => json!(["other", one]),
        (4, Some(text)) => format!("other {text}").into(),
        (5, Some(text)) => text.into(),
        (6, Some(text)) => json!([format!("{text}x")]),
        (7, Some(text)) => format!("{text}x").into(),
        (8, _) => return None,
        (9, _) => random.of(&[json!(7), json!(true), json!(false), json!({ "x": one }), json!([7]), json!("")]),
        (_, _) => "other".into(),
    })
}

/// Sets a claim within others.
fn set(claims: &mut Map<String, Value>, path: &[String], value: Value) {
    let [first, rest @ ..] = path else { return };
    if rest.is_empty() {
        claims.insert(first.clone(), value);
        return;
    }
    let inner = claims.entry(first.clone()).or_insert_with(|| json!({}));
    if !inner.is_object() {
        *inner = json!({});
    }
    set(inner.as_object_mut().unwrap(), rest, value);
}
