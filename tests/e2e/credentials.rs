//! API keys in a real Envoy, with curl.

use crate::gate::{configuration, start};
use crate::support::client::{get, head, send};
use crate::support::envoy::Gate;
use crate::support::issuer::{Issuer, now};
use scopegate::crypto::{Algorithm, sha256};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::process::Command;

const ACME: &str = "acme-0123456789abcdef";
const OPENAI: &str = "sk-0123456789abcdefgh";

fn digest(key: &str) -> String {
    sha256(key.as_bytes()).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn gate(issuer: &Issuer, members: Value) -> Gate {
    let mut all = json!({
        "credentials": [
            { "name": "partners", "api_key": { "header": "x-api-key" }, "identities": [
                { "id": "acme-1", "subject": "acme", "scopes": ["orders:read"], "claims": { "tenant": "a" },
                  "secrets": [{ "sha256": digest(ACME) }] },
                { "id": "gone", "disabled": true, "secrets": [{ "sha256": digest("gone-0123456789abcdef") }] }] },
            { "name": "openai", "api_key": [{ "scheme": "Bearer", "prefix": "sk-" }, { "header": "x-openai-key" }],
              "identities": [{ "id": "bot", "scopes": ["orders:read"], "secrets": [{ "env": "OPENAI_KEY" }] }] }],
        "default": { "credentials": { "any_of": ["bearer", "partners", "openai"] }, "scopes": ["orders:read"] },
        "rules": [{ "match": { "path": "/both" }, "credentials": { "all_of": ["partners", "bearer"] } },
                  { "match": { "path": "/open" }, "public": true }],
        "forward": { "headers": { "x-auth-subject": "sub", "x-auth-credential": "credential" } },
    });
    all.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let mut gate = Gate::new(configuration(issuer, all));
    gate.plugin = json!({ "vm_config": { "environment_variables": { "key_values": { "OPENAI_KEY": OPENAI } } } });
    gate
}

/// What curl says: the status and the body; with the headers of the answer before it.
fn curl(address: SocketAddr, target: &str, headers: &[&str]) -> (String, String) {
    let mut command = Command::new("curl");
    command.args(["--silent", "--include", "--write-out", "\n%{http_code}", "--noproxy", "*", "--max-time", "20"]);
    headers.iter().for_each(|header| {
        command.args(["--header", header]);
    });
    let output = command.arg(format!("http://{address}{target}")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (text, status) = text.rsplit_once('\n').unwrap();
    (status.to_owned(), text.to_owned())
}

#[test]
fn curl_passes_with_a_key_and_the_upstream_sees_whose_it_is_and_not_the_key() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let (envoy, _upstream) = start(gate(&issuer, json!({})));
    let ask = |headers: &[&str]| curl(envoy.address(), "/orders", headers);
    let key = format!("X-Api-Key: {ACME}");
    let (status, text) = ask(&[&key, "Authorization: Basic dTpw", "X-OpenAI-Key: stray", "X_Api_Key: stray"]);
    assert_eq!(status, "400", "two credentials: {text}");
    let (status, text) = ask(&[&key]);
    assert_eq!(status, "200", "{text}");
    assert!(
        text.contains(r#"["x-auth-subject","acme"]"#) && text.contains(r#"["x-auth-credential","partners"]"#),
        "{text}"
    );
    assert!(!text.contains("0123456789") && !text.contains("x-api-key"), "{text}");
    let openai = format!("Authorization: Bearer {OPENAI}");
    for headers in [&[openai.as_str()][..], &[&openai, &format!("x-openai-key: {OPENAI}")]] {
        let (status, text) = ask(headers);
        assert_eq!(status, "200", "{text}");
        assert!(text.contains(r#"["x-auth-credential","openai"]"#) && !text.contains("0123456789"), "{text}");
    }
    let token = format!("Authorization: Bearer {}", issuer.token(now()).scope("orders:read").sign());
    let (status, text) = ask(&[&token]);
    assert!(status == "200" && text.contains(r#"["x-auth-credential","bearer"]"#), "{text}");
    let (status, text) = curl(envoy.address(), "/both", &[&key, &token]);
    assert!(
        status == "200" && text.contains(r#"["x-auth-subject","acme"]"#) && !text.contains("\"authorization\""),
        "{text}"
    );
    let log = envoy.wait_for_log("\"credential\":\"api_key\",\"credential_set\":\"partners\",\"identity\":\"acme-1\"");
    assert!(!log.contains("0123456789"), "{log}");
}

#[test]
fn no_credential_travels_among_the_trailers_of_a_request_with_a_good_key() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let (envoy, _upstream) = start(gate(&issuer, json!({})));
    let request = format!(
        "POST /orders HTTP/1.1\r\nhost: a\r\nx-api-key: {ACME}\r\nte: trailers\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\
         authorization: Bearer forged\r\nx-api-key: other\r\nx_openai_key: other\r\nx-checksum: 1\r\n\r\n"
    );
    let echoed = send(envoy.address(), request.as_bytes()).echoed();
    assert_eq!((echoed.0["body"].as_str(), echoed.trailers("x-checksum")), (Some("abc"), vec!["1"]));
    assert_eq!(echoed.0["trailers"].as_array().unwrap().len(), 1, "{echoed:?}");
}

#[test]
fn every_bad_key_gets_the_same_bytes_and_no_bad_one_is_saved_by_a_good_one() {
    let issuer = Issuer::new(Algorithm::Es256, "a");
    let (envoy, _upstream) = start(gate(&issuer, json!({})));
    let address = envoy.address();
    let bytes = |key: &[u8]| {
        let mut request = b"GET /orders HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-api-key: ".to_vec();
        request.extend_from_slice(key);
        request.extend_from_slice(b"\r\n\r\n");
        let mut answer = send(address, &request);
        answer.headers.retain(|(name, _)| name != "date");
        (answer.status, answer.headers, answer.body)
    };
    let unknown = bytes(b"nobody-0123456789abcdef");
    assert_eq!(unknown.0, 401, "{unknown:?}");
    for key in [
        &b"gone-0123456789abcdef"[..],
        b"",
        b"a b",
        b"a\tb",
        b"\xc3\xa9\xff",
        digest(ACME).as_bytes(),
        &vec![b'a'; 20_000],
    ] {
        assert_eq!(bytes(key), unknown, "{}", String::from_utf8_lossy(key));
    }
    let challenges: Vec<&str> =
        unknown.1.iter().filter(|(name, _)| name == "www-authenticate").map(|(_, value)| value.as_str()).collect();
    assert_eq!(
        challenges,
        [
            "Bearer realm=\"api\"",
            "ApiKey realm=\"api\", header=\"x-api-key\", error=\"invalid_key\", error_description=\"The API key is not one that this resource accepts\"",
            "ApiKey realm=\"api\", header=\"x-openai-key\"",
        ]
    );
    let good = issuer.token(now()).scope("orders:read").sign();
    let (bearer, bad) = (format!("Bearer {good}"), "Bearer sk-not-a-key-of-anyone");
    for (headers, wanted) in [
        (&[("x-api-key", "bad"), ("authorization", bearer.as_str())][..], 400),
        (&[("x-api-key", ACME), ("authorization", bad)], 400),
        (&[("authorization", bad)], 401),
        (&[("authorization", "Bearer sk-x, Bearer y")], 400),
        (&[("x-api-key", ACME), ("x-api-key", ACME)], 400),
        (&[("x-api-key", ACME), ("x-api-key", "bad")], 400),
        (&[("x-openai-key", "sk-another"), ("authorization", &format!("Bearer {OPENAI}"))], 400),
    ] {
        assert_eq!(send(address, &head("GET", "/orders", headers)).status, wanted, "{headers:?}");
    }
    for name in ["api_key", "apikey", "API-KEY", "x-api-key", "x%2Dopenai-key"] {
        assert_eq!(get(address, &format!("/open?{name}=x"), &[]).status, 400, "{name}");
    }
    assert_eq!(envoy.counter_of_at_least("scopegate.denied.unknown_identity", 2), 3);
    envoy.wait_for_log("reason=revoked subject=\"gone\"");
}
