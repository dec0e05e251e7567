//! Both sides, set up for the same work.

use super::Kind;
use super::changes::{CLIENT, HEADER, KEYS, PASSWORDS, PREFIX};
use crate::native::comparison::with_details;
use crate::support::envoy::{Gate, listener};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use scopegate::crypto::{PasswordHash, sha256};
use serde_json::{Value, json};

/// Scopegate, and the filter of Envoy.
pub(super) fn listeners(kind: Kind, issuer: &Issuer) -> [Value; 2] {
    let [here, there] = kind.listeners();
    let gate = Gate { name: here, ..Gate::new(configuration(kind, issuer)) };
    let routes = json!([{ "match": { "prefix": "/" }, "route": { "cluster": "upstream" } }]);
    let native = listener(there, &[native(kind, issuer)], &routes, &json!({}), &json!({}));
    [gate.listener(), native].map(with_details)
}

fn configuration(kind: Kind, issuer: &Issuer) -> Value {
    let hex = |text: &str| sha256(text.as_bytes()).iter().fold(String::new(), |all, byte| format!("{all}{byte:02x}"));
    let pbkdf2 = |text: &str| PasswordHash::pbkdf2(text.as_bytes(), 100, b"0123456789abcdef");
    let keys = KEYS.map(|(client, key)| json!({ "id": client, "secrets": [{ "sha256": hex(key) }] }));
    let users = PASSWORDS.map(|(user, password)| json!({ "id": user, "secrets": [{ "pbkdf2": pbkdf2(password) }] }));
    let mut own = json!({ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": issuer.jwks() } });
    if kind == Kind::Header {
        own["token_header"] = json!({ "name": HEADER, "prefix": PREFIX });
    }
    json!({
        "issuers": [own],
        "credentials": [{ "name": "keys", "api_key": { "header": "x-api-key" }, "identities": keys },
                        { "name": "users", "basic": {}, "identities": users }],
        "default": { "credentials": match kind { Kind::Key => "keys", Kind::Password => "users", Kind::Header => "bearer" } },
        "forward": { "headers": { CLIENT: "sub" } },
        "limits": { "wasm_crypto_percent": 100, "denial_logs_per_second": 0 },
    })
}

fn native(kind: Kind, issuer: &Issuer) -> Value {
    let (name, message, config) = match kind {
        Kind::Key => {
            let keys = KEYS.map(|(client, key)| json!({ "key": key, "client": client }));
            let forwarding = json!({ "header": CLIENT, "hide_credentials": true });
            let sources = json!([{ "header": "x-api-key" }]);
            (
                "api_key_auth",
                "ApiKeyAuth",
                json!({ "key_sources": sources, "credentials": keys, "forwarding": forwarding }),
            )
        }
        Kind::Password => {
            // It knows no other hash.
            let sha = |text: &str| STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()));
            let lines = PASSWORDS.map(|(user, password)| format!("{user}:{{SHA}}{}", sha(password)));
            let users = json!({ "inline_string": lines.join("\n") });
            ("basic_auth", "BasicAuth", json!({ "users": users, "forward_username_header": CLIENT }))
        }
        Kind::Header => {
            let provider = json!({
                "issuer": ISSUER, "audiences": [AUDIENCE], "local_jwks": { "inline_string": issuer.jwks().to_string() },
                "require_expiration": true, "clock_skew_seconds": 10, "forward": false,
                "from_headers": [{ "name": HEADER, "value_prefix": PREFIX }],
                "claim_to_headers": [{ "header_name": CLIENT, "claim_name": "sub" }],
            });
            let rules = json!([{ "match": { "prefix": "/" }, "requires": { "provider_name": "issuer" } }]);
            ("jwt_authn", "JwtAuthentication", json!({ "providers": { "issuer": provider }, "rules": rules }))
        }
    };
    let mut typed = config;
    typed["@type"] = json!(format!("type.googleapis.com/envoy.extensions.filters.http.{name}.v3.{message}"));
    json!({ "name": format!("envoy.filters.http.{name}"), "typed_config": typed })
}
