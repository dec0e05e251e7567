//! Requests that are prepared for a run: tokens and proofs, signed just before they are sent.

use super::super::cases::Case;
use super::super::load::{request, request_with};
use super::super::support::issuer::{ISSUER, now, sign_texts};
use super::super::support::prover::Prover;
use super::super::tokens::Mint;
use super::front::Front;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::cell::Cell;
use std::rc::Rc;

/// Where clients reach the gate, as proofs have it.
pub const ORIGIN: &str = "https://api.example.com";
/// Where the status lists are.
pub const LISTS: &str = "http://status.example.com/lists/";

/// Makes requests.
pub struct Prepared<'f> {
    mint: Rc<Mint>,
    path: String,
    scope: String,
    front: &'f Front,
    /// How many there are of those that are good once.
    count: u64,
    /// Numbers tokens, so that no two are alike.
    next: Cell<u64>,
}

impl<'f> Prepared<'f> {
    pub fn new(case: &Case, front: &'f Front, count: u64) -> Self {
        let (mint, path, scope) = (Rc::clone(&case.mint), case.path.clone(), case.scope.clone());
        Self { mint, path, scope, front, count, next: Cell::new(0) }
    }

    /// A token with these claims.
    fn token(&self, claims: &Value) -> String {
        let token = self.mint.token().scope(&self.scope);
        let with = claims.as_object().unwrap().iter();
        with.fold(token, |token, (name, value)| token.claim(name, value.clone())).sign()
    }

    fn bearer(&self, claims: &Value) -> Vec<Vec<u8>> {
        vec![request(&self.path, Some(&format!("Bearer {}", self.token(claims))))]
    }

    pub fn hit(&self) -> Vec<Vec<u8>> {
        self.bearer(&json!({}))
    }

    pub fn stepped_up(&self) -> Vec<Vec<u8>> {
        self.bearer(&json!({ "acr": "phr", "auth_time": now() - 60 }))
    }

    pub fn with_status(&self) -> Vec<Vec<u8>> {
        self.bearer(&json!({ "status": { "status_list": { "idx": 1, "uri": format!("{LISTS}1") } } }))
    }

    /// A token that is bound to the certificate of the front.
    pub fn certified(&self) -> Vec<Vec<u8>> {
        self.bearer(&json!({ "cnf": { "x5t#S256": self.front.thumbprint() } }))
    }

    /// New tokens, of as many users.
    pub fn fresh(&self) -> Vec<Vec<u8>> {
        let fresh = (0..self.count).map(|_| {
            let number = self.next.replace(self.next.get() + 1);
            let claims =
                json!({ "jti": format!("fresh-{number}"), "sub": format!("user-{number}"), "exp": now() + 300 });
            self.bearer(&claims)
        });
        fresh.flatten().collect()
    }

    /// One token that is bound to the key of a new client, each time with another proof.
    pub fn proven(&self, algorithm: Algorithm) -> Vec<Vec<u8>> {
        let client = Prover::new(algorithm);
        let token = self.token(&json!({ "cnf": client.cnf() }));
        let (authorization, htu, now) = (format!("DPoP {token}"), format!("{ORIGIN}{}", self.path), now());
        let proven = (0..self.count).map(|_| {
            let proof = client.proof("GET", &htu, &token, now).sign();
            request_with(&self.path, &[("authorization", &authorization), ("dpop", &proof)])
        });
        proven.collect()
    }

    /// A Status List Token of 16 tokens, of which the second is valid.
    pub fn status_list(&self) -> String {
        let key = &self.mint.issuer.key;
        let header = json!({ "alg": key.algorithm.name(), "kid": key.kid, "typ": "statuslist+jwt" });
        let claims = json!({
            "iss": ISSUER, "sub": format!("{LISTS}1"), "iat": now(), "exp": now() + 86_400, "ttl": 43_200,
            "status_list": { "bits": 1, "lst": "eNrbuRgAAhcBXQ" },
        });
        sign_texts(key, &header.to_string(), &claims.to_string())
    }
}
