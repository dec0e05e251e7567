//! A good request with a bound token and its proof, and what is changed of it.

use super::proofs::{HEADERS, PROOFS, SPELLINGS, WRITINGS};
use super::sendings::SENDINGS;
use super::tokens::TOKENS;
use crate::support::client::head;
use crate::support::issuer::{Issuer, Token, sign_texts};
use crate::support::prover::{Proof, Prover};
use crate::support::random::Random;
use scopegate::crypto::Algorithm;
use serde_json::Value;

pub(super) const ORIGIN: &str = "https://api.example.com";

/// The issuer, clients with a key of each algorithm, and a thief with one.
pub(super) struct Keys {
    pub(super) issuer: Issuer,
    clients: Vec<Prover>,
    pub(super) thief: Prover,
}

impl Keys {
    pub(super) fn new() -> Self {
        let algorithms = [
            Algorithm::Es256,
            Algorithm::Es384,
            Algorithm::Es512,
            Algorithm::EdDsa,
            Algorithm::Rs256,
            Algorithm::Ps256,
        ];
        let clients = algorithms.into_iter().map(Prover::new).collect();
        Self { issuer: Issuer::new(Algorithm::Es256, "a"), clients, thief: Prover::new(Algorithm::Es256) }
    }
}

/// What a good request is made of.
pub(super) struct Base<'k> {
    pub(super) keys: &'k Keys,
    pub(super) client: &'k Prover,
    pub(super) now: i64,
    method: &'static str,
    target: &'static str,
}

impl<'k> Base<'k> {
    pub(super) fn new(keys: &'k Keys, now: i64, random: &mut Random) -> Self {
        // Half of them with ES256, whose signatures cost least.
        let client = if random.chance(2) { 0 } else { random.below(keys.clients.len()) };
        Self {
            keys,
            client: &keys.clients[client],
            now,
            method: random.of(&["GET", "POST", "PUT", "DELETE"]),
            target: random.of(&["/orders/1", "/orders/1?x=1&y=/a/../b", "/", "/caf%C3%A9/a-b_c~d", "/a%2Fb;c=d/e,f"]),
        }
    }

    /// A token with all claims that the other judge asks for.
    pub(super) fn token(&self) -> Token<'k> {
        self.keys.issuer.token(self.now).claim("jti", "a").claim("client_id", "client-1")
    }
}

/// A request as it is sent.
pub(super) struct Sent {
    pub(super) method: &'static str,
    pub(super) target: String,
    pub(super) lines: Vec<(String, String)>,
    pub(super) is_used_before: bool,
}

impl Sent {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let lines: Vec<_> = self.lines.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        head(self.method, &self.target, &lines)
    }

    /// The value of the line of this name.
    pub(super) fn line(&mut self, name: &str) -> &mut String {
        &mut self.lines.iter_mut().find(|(other, _)| other == name).unwrap().1
    }

    pub(super) fn add(&mut self, name: &str, value: impl Into<String>) {
        self.lines.push((name.to_owned(), value.into()));
    }
}

/// The part of a change that goes with no other.
pub(super) const WHOLE: &str = "whole";

/// A change of a part of the request.
#[derive(Clone, Copy)]
pub(super) enum Step {
    Token(for<'k> fn(Token<'k>, &Base<'k>) -> Token<'k>),
    Proof(for<'k> fn(Proof<'k>, &Base<'k>) -> Proof<'k>),
    /// How header (the first) and claims (the second) of the proof are written.
    Write(fn(&mut String, &mut String)),
    Spell(fn(&str, &Base<'_>) -> String),
    Send(fn(&mut Sent, &Base<'_>)),
}

#[derive(Clone, Copy)]
pub(super) struct Change {
    pub(super) name: &'static str,
    /// The part that it changes: of two changes of one part only the last would count.
    part: &'static str,
    pub(super) may_pass: bool,
    step: Step,
}

/// A change that leaves the request good.
pub(super) const fn good(part: &'static str, name: &'static str, step: Step) -> Change {
    Change { name, part, may_pass: true, step }
}

/// A change after which the request must not pass.
pub(super) const fn bad(part: &'static str, name: &'static str, step: Step) -> Change {
    Change { name, part, may_pass: false, step }
}

impl Change {
    pub(super) fn all() -> Vec<Self> {
        [TOKENS, HEADERS, PROOFS, WRITINGS, SPELLINGS, SENDINGS].concat()
    }

    /// Whether both count when both are made.
    pub(super) fn goes_with(self, other: Self) -> bool {
        // Together they make a bearer token, which needs no proof (RFC 6750).
        let is_bearer = [self.name, other.name] == ["the token is not bound", "the scheme is Bearer"];
        self.part != other.part && ![self.part, other.part].contains(&WHOLE) && !is_bearer
    }
}

/// A good request with these changes.
pub(super) fn made(changes: &[Change], base: &Base<'_>) -> Sent {
    let mut token = base.token().claim("cnf", base.client.cnf());
    for change in changes {
        if let Step::Token(apply) = change.step {
            token = apply(token, base);
        }
    }
    let token = token.sign();
    let path = base.target.split('?').next().unwrap();
    let mut proof = base.client.proof(base.method, &format!("{ORIGIN}{path}"), &token, base.now);
    for change in changes {
        if let Step::Proof(apply) = change.step {
            proof = apply(proof, base);
        }
    }
    let [mut header, mut claims] = [proof.header, proof.claims].map(|part| Value::Object(part).to_string());
    for change in changes {
        if let Step::Write(apply) = change.step {
            apply(&mut header, &mut claims);
        }
    }
    let mut proof = sign_texts(&base.client.key, &header, &claims);
    for change in changes {
        if let Step::Spell(apply) = change.step {
            proof = apply(&proof, base);
        }
    }
    let mut sent =
        Sent { method: base.method, target: base.target.to_owned(), lines: Vec::new(), is_used_before: false };
    sent.add("authorization", format!("DPoP {token}"));
    sent.add("dpop", proof);
    for change in changes {
        if let Step::Send(apply) = change.step {
            apply(&mut sent, base);
        }
    }
    sent
}
