//! Events as they are pushed, under a signature that the verifier of the targets accepts.

use scopegate::base::base64url;
use serde_json::{Value, json};

fn token(header: &Value, claims: &Value) -> String {
    [header.to_string().as_bytes(), claims.to_string().as_bytes(), b"good"].map(base64url::encode).join(".")
}

/// The claims of every event, and these.
fn claims(more: Value) -> Value {
    let mut all = json!({ "iss": "https://issuer.example.com/", "aud": "gate", "iat": 1_800_000_000, "jti": "e" });
    let (Some(members), Value::Object(more)) = (all.as_object_mut(), more) else { panic!("not an object") };
    members.extend(more);
    all
}

/// Headers, an empty line and the body, behind a number that says how the body comes and what has been awaited.
pub fn requests() -> Vec<Vec<u8>> {
    let set_header = |typ: &str| json!({ "alg": "ES256", "kid": "a", "typ": typ });
    let set = |more: Value| token(&set_header("secevent+jwt"), &claims(more));
    let ops = |entry: Value| {
        let events = json!({ "urn:scopegate:event-type:revocation": entry });
        token(
            &json!({ "alg": "EdDSA", "kid": "o", "typ": "secevent+jwt" }),
            &claims(json!({ "iss": "ops", "events": events })),
        )
    };
    let logout = |more: Value| {
        let mut all =
            json!({ "events": { "http://schemas.openid.net/event/backchannel-logout": {} }, "exp": 1_800_000_060 });
        let (Some(members), Value::Object(more)) = (all.as_object_mut(), more) else { panic!("not an object") };
        members.extend(more);
        token(&set_header("logout+jwt"), &claims(all))
    };
    let iss = "https://issuer.example.com/";
    let user = json!({ "format": "iss_sub", "iss": iss, "sub": "alice" });
    let caep = |name: &str| format!("https://schemas.openid.net/secevent/caep/event-type/{name}");
    let revoked = caep("session-revoked");
    let about = |subject: Value| set(json!({ "events": { &revoked: {} }, "sub_id": subject }));
    let names: Vec<Value> =
        (0..33).map(|number| json!({ "format": "iss_sub", "iss": iss, "sub": number.to_string() })).collect();
    let other = json!({ "iss": "https://other.example.com/", "sub": "bob", "events": { "http://schemas.openid.net/event/backchannel-logout": {} } });
    let sets = [
        about(user.clone()),
        about(json!({ "format": "jwt_id", "iss": iss, "jti": "t" })),
        about(
            json!({ "format": "aliases", "identifiers": [user, { "format": "email", "email": "a@b" }, { "format": "iss_sub", "iss": iss, "sub": "b" }] }),
        ),
        about(json!({ "format": "aliases", "identifiers": names })),
        about(json!({ "user": user, "session": { "format": "opaque", "id": "s" }, "device": {} })),
        about(json!({ "format": "opaque", "id": "s" })),
        about(json!("alice")),
        set(json!({ "events": { caep("credential-change"): { "change_type": "create", "subject": user } } })),
        set(
            json!({ "events": { "https://schemas.openid.net/secevent/risc/event-type/account-disabled": { "subject": { "subject_type": "iss-sub", "iss": iss, "sub": "x" } } } }),
        ),
        set(
            json!({ "events": { "https://schemas.openid.net/secevent/ssf/event-type/verification": { "state": "x" } }, "nbf": 1, "toe": 2, "txn": "y" }),
        ),
        set(json!({ "events": {}, "nonce": "n" })),
        set(json!({ "events": { "a": {} }, "nonce": "n" })),
        set(json!({ "aud": ["x"] })),
        set(json!({ "iat": 1_900_000_000 })),
        set(json!({ "iat": 1 })),
        set(json!({ "iss": "https://evil.example.com/" })),
        logout(json!({ "sid": "s" })),
        ops(json!({ "iss": iss, "sub": "alice", "issued_before": 1_800_000_000 })),
        ops(json!({ "fingerprint": "AAAAAAAAAAAAAAAAAAAAAA", "until": 1_900_000_000, "reason": "lost" })),
        ops(json!({ "iss": "x", "jti": "y" })),
        ops(json!({})),
        token(&json!({ "alg": "ES256", "kid": "b" }), &claims(other)),
        token(&json!({ "alg": "HS256", "kid": "a", "typ": "secevent+jwt" }), &claims(json!({ "events": { "a": {} } }))),
        "a.b.c".to_owned(),
        String::new(),
    ];
    let mut all: Vec<Vec<u8>> = Vec::new();
    for set in &sets {
        for choice in [0, 1, 2, 6, 9] {
            all.push(pushed(choice, "content-type|application/secevent+jwt", set));
        }
        all.push(pushed(0, "content-type|application/secevent+jwt\ncontent-encoding|gzip", set));
    }
    let escaped = logout(json!({ "sub": "alice" })).replace('.', "%2E");
    for body in [
        format!("logout_token={}", logout(json!({ "sub": "alice", "sid": "s" }))),
        format!("a=b&logout%5Ftoken={escaped}&x"),
        format!("logout_token={}", logout(json!({}))),
        format!("logout_token={}", logout(json!({ "exp": null }))),
        format!("logout_token={}", set(json!({ "events": { "a": {} }, "exp": 1_800_000_060 }))),
        format!(
            "logout_token={}",
            set(json!({ "events": { "http://schemas.openid.net/event/backchannel-logout": {} } }))
        ),
        "logout_token=%&logout_token=".to_owned(),
        "a=b".to_owned(),
    ] {
        all.push(pushed(0, "content-type|application/x-www-form-urlencoded", &body));
    }
    all.push(pushed(0, "content-type|text/plain", "x"));
    all.push(b"\0content-type|application/secevent+jwt".to_vec());
    all
}

fn pushed(choice: u8, headers: &str, body: &str) -> Vec<u8> {
    [&[choice], format!("{headers}\n\n{body}").as_bytes()].concat()
}
