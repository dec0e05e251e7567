//! What is changed of a token before it is signed: its header, and what makes it a JWT of another kind.

use super::changes::{Draft, Kind, Say, passes, refused};
use crate::support::issuer::{AUDIENCE, ISSUER};
use crate::support::random::Random;
use serde_json::{Value, json};

pub(super) const HEADERS: &[Kind<Say>] = &[
    passes("typ is at+jwt in another form", |draft, _, random| {
        let choices = ["AT+JWT", "application/at+jwt", "Application/AT+jwt"];
        draft.header("typ", json!(random.of(&choices)));
    }),
    refused("typ is another or missing", |draft, _, random| {
        let choices = [
            "JWT",
            "dpop+jwt",
            "logout+jwt",
            "secevent+jwt",
            "statuslist+jwt",
            "token-introspection+jwt",
            "text/at+jwt",
            " at+jwt",
            "jwt",
            "at+jwt\0",
        ];
        draft.header("typ", if random.chance(5) { Value::Null } else { json!(random.of(&choices)) });
    }),
    refused("typ is no string", |draft, _, random| {
        let value = random.of(&[json!(5), json!(["at+jwt"]), json!(true), json!({})]);
        draft.header("typ", value);
    }),
    refused("alg is another", |draft, _, random| {
        let choices = ["none", "None", "NONE", "nOnE", "", "HS256", "HS512", "ES256K", "es256", "RS1", "ES256 ", "MD5"];
        draft.header("alg", json!(random.of(&choices)));
    }),
    refused("alg is missing or no string", |draft, _, random| {
        let value = random.of(&[Value::Null, json!(5), json!(["ES256"]), json!(true)]);
        draft.header("alg", value);
    }),
    passes("kid is missing", |draft, _, _| draft.header("kid", Value::Null)),
    refused("kid is another", |draft, _, random| {
        let long = "k".repeat(3000);
        let choices = [
            "unknown",
            "../../dev/null",
            "' or '1'='1",
            "http://127.0.0.1/keys",
            "a\0",
            "A",
            &long,
            "small",
            "shared",
            "free",
        ];
        draft.header("kid", json!(random.of(&choices)));
    }),
    refused("kid is empty", |draft, _, _| draft.header("kid", json!(""))),
    refused("kid is no string", |draft, _, random| {
        let value = random.of(&[json!(5), json!(["a"]), json!({}), json!(true)]);
        draft.header("kid", value);
    }),
    refused("crit is there", |draft, _, random| {
        let value = random.of(&[
            json!(["x"]),
            json!([]),
            json!(["exp"]),
            json!(["alg"]),
            json!(["kid"]),
            json!(["alg", "kid", "typ"]),
            json!("x"),
            json!(["b64"]),
            json!([1]),
        ]);
        draft.header("crit", value);
        draft.header("x", json!(1));
        draft.header("b64", if random.chance(2) { json!(true) } else { Value::Null });
    }),
    refused("b64 is false", |draft, _, _| draft.header("b64", json!(false))),
    passes("a key of its own is offered", |draft, keyring, random| {
        let name = random.of(&["jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256"]);
        let value = match name {
            "jwk" => Value::Object(keyring.world.encryption.key.to_public_jwk()),
            "x5c" => json!([keyring.certificate]),
            _ => json!(keyring.offered_at()),
        };
        draft.header(name, value);
    }),
    refused("it is an ID token", |draft, keyring, random| {
        typ(draft, random, &["JWT"]);
        // A client may have the name of what it calls.
        draft.claim("aud", json!(AUDIENCE));
        draft.claim("azp", json!(AUDIENCE));
        draft.claim("nonce", json!("n-0S6_WzA2Mj"));
        draft.claim("at_hash", json!("77QmUPtjPfzWtF2AnpK9RQ"));
        draft.claim("auth_time", json!(keyring.world.now - 30));
        draft.claim("email", json!("alice@example.com"));
    }),
    refused("it is a client assertion", |draft, _, random| {
        typ(draft, random, &["JWT", "client-authentication+jwt"]);
        let client = random.of(&["client-1", ISSUER]);
        draft.claim("iss", json!(client));
        draft.claim("sub", json!(client));
        draft.claim("aud", json!(random.of(&[AUDIENCE, ISSUER])));
        draft.claim("jti", json!("a6f1"));
    }),
    refused("it is a token about a token or an event", |draft, keyring, random| {
        let events = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
        draft.claim("jti", json!("a6f2"));
        let (kind, claim, value) = match random.below(4) {
            0 => ("logout+jwt", "events", events),
            1 => ("secevent+jwt", "events", events),
            2 => ("token-introspection+jwt", "token_introspection", json!({ "active": true, "sub": "alice" })),
            _ => ("statuslist+jwt", "status_list", json!({ "bits": 1, "lst": "eNrbuRgAAhcBXQ" })),
        };
        draft.header("typ", json!(kind));
        draft.claim(claim, value);
        draft.claim("ttl", json!(keyring.world.now % 1000));
    }),
    refused("it is a proof of DPoP", |draft, keyring, _| {
        draft.header("typ", json!("dpop+jwt"));
        draft.header("jwk", Value::Object(keyring.foreign[0].key.to_public_jwk()));
        draft.claim("htm", json!("GET"));
        draft.claim("htu", json!("https://api.example.com/orders"));
        draft.claim("jti", json!("a6f3"));
    }),
];

/// One of these types, or none at all.
fn typ(draft: &mut Draft, random: &mut Random, names: &[&str]) {
    let value = if random.chance(3) { Value::Null } else { json!(random.of(names)) };
    draft.header("typ", value);
}
