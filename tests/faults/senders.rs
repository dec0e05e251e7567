//! Requests of thieves: with tokens that are bound to a key or a certificate, are good once, have a status, or are of a user
//! who authenticated otherwise.

use crate::support::client::head;
use crate::support::issuer::{ISSUER, Issuer, Token, now, sign_texts};
use crate::support::prover::{Proof, Prover};
use crate::support::random::Random;
use crate::traffic::{Hostile, random_id, sent};
use scopegate::base::base64url;
use serde_json::{Value, json};

const TARGET: &str = "https://api.example.com/orders/1";
/// Where the issuer has its status lists.
const LISTS: &str = "http://statuses.example.com/lists/";

/// What the gate asks for besides, so that all of these are judged.
pub fn asking() -> Value {
    json!({
        "dpop": { "origins": ["https://api.example.com"] },
        "replay": { "entries": 1_000_000 },
        "issuer": {
            "status_list": { "clusters": [{ "uri_prefix": LISTS, "cluster": "statuses" }], "refresh": "1s", "timeout": "200ms" },
        },
        "rules": [
            { "match": { "path_separated_prefix": "/closed" }, "deny": true },
            { "match": { "path_separated_prefix": "/write" }, "scopes": ["orders:write"] },
            { "match": { "path_separated_prefix": "/once" }, "single_use": true },
            { "match": { "path_separated_prefix": "/bound" }, "sender_constraint": "required" },
            { "match": { "path_separated_prefix": "/mtls" }, "sender_constraint": "mtls" },
            { "match": { "path_separated_prefix": "/step-up" }, "acr_values": ["phr"], "max_auth_age": "5m" },
        ],
    })
}

/// A Status List Token of 16 tokens, of which the first is invalid.
pub fn status_list(issuer: &Issuer) -> String {
    let header = json!({ "alg": issuer.key.algorithm.name(), "kid": issuer.key.kid, "typ": "statuslist+jwt" });
    let claims = json!({
        "iss": ISSUER, "sub": format!("{LISTS}1"), "iat": now(), "exp": now() + 3600, "ttl": 1,
        "status_list": { "bits": 1, "lst": "eNrbuRgAAhcBXQ" },
    });
    sign_texts(&issuer.key, &header.to_string(), &claims.to_string())
}

/// The lines of a request with a bound token and this proof.
fn lines<'a>(authorization: &'a str, proof: &'a str) -> [(&'a str, &'a str); 2] {
    [("authorization", authorization), ("dpop", proof)]
}

/// A good request with a token that is bound to the client's key, and a new proof.
pub fn proven(client: &Prover, token: &str) -> Vec<u8> {
    let proof = client.proof("GET", TARGET, token, now()).sign();
    head("GET", "/orders/1", &lines(&format!("DPoP {token}"), &proof))
}

/// A token that is bound to the client's key.
pub fn bound(issuer: &Issuer, client: &Prover) -> String {
    issuer.token(now()).claim("jti", format!("{:x}", random_id())).claim("cnf", client.cnf()).sign()
}

/// Good requests that are good once, each with the hostile one that repeats it.
pub fn good_once(issuer: &Issuer, client: &Prover) -> [(Vec<u8>, Hostile); 2] {
    let token = bound(issuer, client);
    let proof = client.proof("GET", TARGET, &token, now()).sign();
    let scheme = format!("DPoP {token}");
    let once = format!("Bearer {}", issuer.token(now()).claim("jti", format!("{:x}", random_id())).sign());
    [
        ("a used proof", "/orders/1", lines(&scheme, &proof).to_vec()),
        ("a used token", "/once/1", vec![("authorization", once.as_str())]),
    ]
    .map(|(what, target, lines)| (head("GET", target, &lines), sent(what, target, &lines)))
}

/// One request of each kind.
pub fn each_kind_of_thief(issuer: &Issuer, random: &mut Random) -> Vec<Hostile> {
    use scopegate::crypto::Algorithm::Es256;
    let (client, thief) = (Prover::new(Es256), Prover::new(Es256));
    let token = bound(issuer, &client);
    let scheme = format!("DPoP {token}");
    let good = || client.proof("GET", TARGET, &token, now());
    let with = |what, proof: &str| sent(what, "/orders/1", &lines(&scheme, proof));
    let edited = |what, proof: Proof<'_>| with(what, &proof.sign());
    let mut all = vec![
        sent("bound, and sent as Bearer", "/orders/1", &[("authorization", &format!("Bearer {token}"))]),
        sent("bound, and sent as Bearer with a proof", "/orders/1", &lines(&format!("Bearer {token}"), &good().sign())),
        sent("bound, without a proof", "/orders/1", &[("authorization", &scheme)]),
        edited("a proof of a thief", thief.proof("GET", TARGET, &token, now())),
        with("a proof that a thief signed", &good().sign_by(&thief.key)),
        edited("a proof for another method", good().claim("htm", "POST")),
        edited("a proof for another address", good().claim("htu", "https://api.example.com/orders/2")),
        edited("a proof for another host", good().claim("htu", "https://evil.example.com/orders/1")),
        edited("a proof of another token", good().claim("ath", base64url::encode(&[7; 32]))),
        edited("an old proof", good().claim("iat", now() - 200)),
        edited("a proof of the future", good().claim("iat", now() + 200)),
        edited("a proof without jti", good().claim("jti", Value::Null)),
        edited("a proof of another type", good().header("typ", "JWT")),
        edited("a proof of no algorithm", good().header("alg", "none")),
        edited("a proof of a secret", good().header("alg", "HS256")),
        edited("a proof without a key", good().header("jwk", Value::Null)),
        edited("a proof with a private key", good().header("jwk", Value::Object(client.key.to_jwk()))),
        edited("a proof with another key", good().header("jwk", thief.jwk())),
        edited("a proof with something critical", good().header("crit", json!(["x"])).header("x", 1)),
        with("a proof that is garbage", &garbage(random)),
        with("a proof of garbage", &of_garbage(random)),
        with("a proof of garbage under a good signature", &in_garbage(&client, random)),
        with("a huge proof", &"x".repeat(9000)),
        with("an empty proof", ""),
        with("two proofs joined", &format!("{},{}", good().sign(), good().sign())),
        with("a changed proof", &changed(&good().sign(), random)),
    ];
    let (first, second) = (good().sign(), good().sign());
    let twice = [("authorization", scheme.as_str()), ("dpop", &first), ("dpop", &second)];
    all.push(sent("two proofs", "/orders/1", &twice));
    all.extend(of_tokens(issuer, &client, random));
    all
}

/// Requests whose token says what cannot be met.
fn of_tokens(issuer: &Issuer, client: &Prover, random: &mut Random) -> Vec<Hostile> {
    let token = || issuer.token(now()).claim("jti", format!("{:x}", random_id()));
    let bearer = |token: Token<'_>| format!("Bearer {}", token.sign());
    let at = |what, target, token| sent(what, target, &[("authorization", &bearer(token))]);
    let digest = base64url::encode(&random_bytes(random, 32));
    let hex = format!("{:064x}", random.next());
    let certified = bearer(token().claim("cnf", json!({ "x5t#S256": digest })));
    let unbound = token().sign();
    let proof = client.proof("GET", TARGET, &unbound, now()).sign();
    let status = |value: Value| token().claim("status", value);
    let listed = |idx: i64| status(json!({ "status_list": { "idx": idx, "uri": format!("{LISTS}1") } }));
    let garbage = garbage(random);
    vec![
        sent("bound to a certificate", "/orders/1", &[("authorization", &certified)]),
        sent(
            "bound to a certificate that a header claims",
            "/orders/1",
            &[
                ("authorization", &certified),
                ("x-forwarded-client-cert", &format!("Hash={hex}")),
                ("client-cert", &format!(":{digest}:")),
            ],
        ),
        at(
            "bound to what nobody knows",
            "/orders/1",
            token().claim("cnf", json!({ random.of(&["kid", "jwk", "x"]): digest })),
        ),
        at("bound to nothing", "/orders/1", token().claim("cnf", json!({}))),
        at("bound to garbage", "/orders/1", token().claim("cnf", json!({ "jkt": garbage, "x5t#S256": garbage }))),
        at("not bound where that is asked for", "/bound/1", token()),
        at("not bound to a certificate where that is asked for", "/mtls/1", token()),
        sent("not bound, and sent as DPoP", "/orders/1", &lines(&format!("DPoP {unbound}"), &proof)),
        at("of a status that is invalid", "/orders/1", listed(0)),
        at("of a status that is in no list", "/orders/1", listed(16)),
        at(
            "of a status that is elsewhere",
            "/orders/1",
            status(json!({ "status_list": { "idx": 1, "uri": "http://other.example.com/1" } })),
        ),
        at(
            "of a status that is garbage",
            "/orders/1",
            status(random.of(&[json!(garbage), json!({}), json!({ "status_list": garbage })])),
        ),
        at("of a user who did not say how", "/step-up/1", token().claim("auth_time", now())),
        at(
            "of a user who authenticated otherwise",
            "/step-up/1",
            token().claim("acr", "pwd").claim("auth_time", now()),
        ),
        at(
            "of a user who authenticated long ago",
            "/step-up/1",
            token().claim("acr", "phr").claim("auth_time", now() - 700),
        ),
    ]
}

fn random_bytes(random: &mut Random, count: usize) -> Vec<u8> {
    (0..count).map(|_| random.next().to_le_bytes()[0]).collect()
}

/// Text that a header may have.
fn garbage(random: &mut Random) -> String {
    let count = 1 + random.below(200);
    random_bytes(random, count).iter().map(|byte| char::from(33 + byte % 94)).collect()
}

/// Three parts in base64url, of any bytes.
fn of_garbage(random: &mut Random) -> String {
    [0; 3].map(|_| base64url::encode(&random_bytes(random, 40))).join(".")
}

/// What the client signs of JSON with anything in it.
fn in_garbage(client: &Prover, random: &mut Random) -> String {
    let mut value = || random.of(&[json!(1), json!("x"), json!([]), json!({}), Value::Null, json!(true), json!(1e300)]);
    let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": value() });
    let claims = json!({ "jti": value(), "htm": value(), "htu": value(), "iat": value(), "ath": value() });
    sign_texts(&client.key, &header.to_string(), &claims.to_string())
}

/// The proof with one character changed.
fn changed(proof: &str, random: &mut Random) -> String {
    let place = random.below(proof.len());
    let other = if proof[place..].starts_with('A') { "B" } else { "A" };
    format!("{}{other}{}", &proof[..place], &proof[place + 1..])
}
