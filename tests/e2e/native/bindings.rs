//! What is changed of a token that only Scopegate looks at: what it is bound to, its status, how its user authenticated, and
//! whether it is good once.

use super::changes::{Draft, Kind, Say, passes, refused};
use super::keyring::{LISTS, SECOND};
use crate::support::random::Random;
use scopegate::base::base64url;
use scopegate::jose::thumbprint;
use serde_json::{Value, json};

/// A digest of nothing that the sender has.
fn digest(random: &mut Random) -> String {
    let bytes: Vec<u8> = (0..4).flat_map(|_| random.next().to_le_bytes()).collect();
    base64url::encode(&bytes)
}

/// Where the issuer of the token has its list.
fn list(draft: &Draft) -> String {
    format!("{LISTS}{}", if draft.claims.get("iss") == Some(&json!(SECOND)) { "second" } else { "first" })
}

fn status(draft: &mut Draft, status: Value) {
    draft.claim("status", json!({ "status_list": status }));
}

pub(super) const BINDINGS: &[Kind<Say>] = &[
    refused("it is bound to a key", |draft, keyring, random| {
        let own = thumbprint(&Value::Object(keyring.foreign[0].key.to_public_jwk())).unwrap();
        let jkt = if random.chance(2) { base64url::encode(&own) } else { digest(random) };
        draft.claim("cnf", json!({ "jkt": jkt }));
    }),
    refused("it is bound to a certificate", |draft, _, random| {
        draft.claim("cnf", json!({ "x5t#S256": digest(random) }));
    }),
    refused("it is bound to a key and a certificate", |draft, _, random| {
        draft.claim("cnf", json!({ "jkt": digest(random), "x5t#S256": digest(random) }));
    }),
    refused("it is bound by an unknown member", |draft, keyring, random| {
        let name = random.of(&["kid", "jwk", "jwe", "jku", "x5t", "x5t#S512", "JKT", "osc", ""]);
        let value =
            if name == "jwk" { Value::Object(keyring.foreign[0].key.to_public_jwk()) } else { json!(digest(random)) };
        draft.claim("cnf", json!({ name: value }));
    }),
    refused("it says not to what it is bound", |draft, _, random| {
        draft.text(
            "cnf",
            random.of(&["{}", "null", "\"a\"", "[]", "1", "{\"jkt\":1}", "{\"jkt\":\"\"}", "{\"x5t#S256\":null}"]),
        );
    }),
    passes("its status is valid", |draft, _, random| {
        let uri = list(draft);
        status(draft, json!({ "idx": random.of(&[0, 3]), "uri": uri }));
    }),
    refused("its status is invalid or suspended", |draft, _, random| {
        let uri = list(draft);
        status(draft, json!({ "idx": random.of(&[1, 2]), "uri": uri }));
    }),
    refused("its status is in no list", |draft, _, random| {
        let uri = list(draft);
        status(draft, json!({ "idx": random.of(&[4, 1_000_000, i64::MAX]), "uri": uri }));
    }),
    refused("its status is elsewhere", |draft, keyring, random| {
        let elsewhere = [
            keyring.offered_at(),
            format!("{LISTS}../first"),
            "http://status.example.com.evil.example/lists/first".into(),
        ];
        status(draft, json!({ "idx": 0, "uri": random.of(&elsewhere) }));
    }),
    refused("its status is no status", |draft, _, random| {
        let uri = list(draft);
        let value = random.of(&[
            json!({}),
            json!(0),
            json!({ "idx": "0", "uri": uri }),
            json!({ "idx": -1, "uri": uri }),
            json!({ "idx": 0.5, "uri": uri }),
            json!({ "idx": 0, "uri": 1 }),
            json!({ "idx": 0 }),
        ]);
        status(draft, value);
    }),
    passes("the route asks how the user authenticated, and it says so", |draft, keyring, random| {
        draft.path("/step-up");
        draft.claim("acr", json!(random.of(&["phr", "phrh"])));
        draft.claim("auth_time", json!(keyring.world.now - 60));
    }),
    refused("the route asks how the user authenticated, and it was not so", |draft, keyring, random| {
        draft.path("/step-up");
        draft.claim("acr", random.of(&[Value::Null, json!("pwd"), json!(["phr"]), json!("PHR"), json!("")]));
        draft.claim("auth_time", json!(keyring.world.now - 60));
    }),
    refused("the route asks when the user authenticated, and it was long ago", |draft, keyring, random| {
        draft.path("/step-up");
        draft.claim("acr", json!("phr"));
        draft.claim("auth_time", random.of(&[Value::Null, json!(keyring.world.now - 700), json!("now"), json!(0)]));
    }),
    passes("it is good once", |draft, _, random| {
        draft.path("/once");
        draft.claim("jti", json!(format!("once-{:x}", random.next())));
    }),
];
