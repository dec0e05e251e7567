//! The cases with requests that are signed by AWS Signature Version 4.

use super::cases::{Caches, Case, SCOPE};
use super::contenders::{CLIENT_SECRET, api_key_auth, native_client_policy};
use super::support::issuer::now;
use super::support::signer::{Signer, Unsigned};
use serde_json::json;

/// The secret of the plugin's environment.
const SECRET: &str = "0123456789abcdefghij";

/// What is sent in `authorization`, and the line that follows it: one request, which may be sent again, since it changes
/// nothing.
fn sent(key_id: &str) -> String {
    let request = Unsigned { target: "/orders/1", at: now(), ..Unsigned::default() };
    let lines = Signer { key_id, secret: SECRET }.sigv4(&request, ("eu-west-1", "orders"));
    let of = |name: &str| lines.iter().find(|(other, _)| other == name).unwrap().1.clone();
    format!("{}\r\nx-amz-date: {}", of("authorization"), of("x-amz-date"))
}

/// What the native filter takes for a key: the value of `authorization`.
fn key(sent: &str) -> &str {
    sent.split_once('\r').unwrap().0
}

/// As `hit-rules`, with a signed request without a body. No filter of Envoy checks signatures of requests, so what is beside
/// it is `api_key_auth`, which knows the line as a key.
pub fn hit(base: Case) -> Case {
    let signed = sent("AKIDEXAMPLE");
    let mut scopegate = base.scopegate.clone();
    scopegate["credentials"] = json!([{
        "name": "machines",
        "aksk": { "form": "sigv4", "regions": ["eu-west-1"], "services": ["orders"], "max_age": "24h" },
        "identities": [
            { "id": "batch", "scopes": [SCOPE], "secrets": [{ "key_id": "AKIDEXAMPLE", "env": CLIENT_SECRET }] },
        ],
    }]);
    scopegate["rules"][0]["credentials"] = json!("machines");
    let unknown = sent("AKIDNOBODY");
    Case {
        what: "a request that is signed by SigV4, without a body, against `api_key_auth`, which checks no signature",
        target: None,
        is_paced: false,
        scopegate,
        native_authentication: Some(api_key_auth(&[json!({ "key": key(&signed), "client": "batch" })])),
        native_policies: json!({ "client": native_client_policy("batch") }),
        credentials: vec![Some(signed)],
        refused: vec![("the signature of an unknown key", unknown, 401)],
        caches: Caches::Apart,
        ..base
    }
}

/// The same, with an access key that is unknown.
pub fn unknown(base: Case) -> Case {
    let hit = hit(base);
    Case {
        what: "the same of an access key that is unknown",
        credentials: vec![Some(sent("AKIDNOBODY"))],
        refused: Vec::new(),
        forwards_alike: false,
        status: 401,
        ..hit
    }
}
