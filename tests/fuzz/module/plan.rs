//! What an input says: configurations, requests, and what happens while Envoy does something.

use super::envoy::Line;
use scopegate::base::base64url;
use scopegate::cli::signing::SigningKey;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

/// The input, byte by byte.
pub struct Plan<'i>(pub &'i [u8]);

impl Plan<'_> {
    pub fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub fn below(&mut self, end: u8) -> u8 {
        self.next().unwrap_or(0) % end
    }
}

/// What happens while a call of the module's is under way that answers, resumes or resets a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum During {
    Nothing,
    Response,
    Destroy,
    ResponseAndDestroy,
    Body,
}

impl During {
    pub fn read(plan: &mut Plan<'_>) -> Self {
        let all = [Self::Nothing, Self::Response, Self::Destroy, Self::ResponseAndDestroy, Self::Body];
        all[usize::from(plan.below(5))]
    }
}

/// Who sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    Good,
    Forged,
    Expired,
    WithoutScope,
    OtherKey,
    Nobody,
    Public,
    OpaqueGood,
    OpaqueBad,
    Garbage,
}

/// What the route of a request requires beside the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    Nothing,
    Configuration,
    Metadata,
    Both,
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    pub client: Client,
    pub route: Route,
    is_grpc: bool,
}

/// The key that is published, and another one under the same name.
fn key(is_good: bool) -> &'static SigningKey {
    static KEYS: [OnceLock<SigningKey>; 2] = [const { OnceLock::new() }; 2];
    KEYS[usize::from(is_good)]
        .get_or_init(|| SigningKey::generate(Algorithm::EdDsa, Some("a".to_owned())).expect("a key"))
}

/// The key set of the issuer, or one of someone else's.
pub fn jwks(is_good: bool) -> Value {
    json!({ "keys": [key(is_good).to_public_jwk()] })
}

impl Sent {
    pub fn read(plan: &mut Plan<'_>) -> Self {
        use Client::*;
        let all =
            [Good, Good, Forged, Expired, WithoutScope, OtherKey, Nobody, Public, OpaqueGood, OpaqueBad, Garbage, Good];
        let client = all[usize::from(plan.below(12))];
        let more = plan.next().unwrap_or(0);
        let route = match more & 0x0f {
            1 => Route::Configuration,
            2 => Route::Metadata,
            3 => Route::Both,
            _ => Route::Nothing,
        };
        Self { client, route, is_grpc: more & 0x10 != 0 }
    }

    /// Whether it may ever go on, with whatever Envoy and the issuer say.
    pub fn may_pass(&self) -> bool {
        self.route == Route::Nothing && matches!(self.client, Client::Good | Client::Public | Client::OpaqueGood)
    }

    pub fn has_metadata(&self) -> bool {
        matches!(self.route, Route::Metadata | Route::Both)
    }

    fn token(&self) -> Option<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_secs();
        match self.client {
            Client::Nobody | Client::Public => return None,
            Client::OpaqueGood => return Some("opaque_good".to_owned()),
            Client::OpaqueBad => return Some("opaque_bad".to_owned()),
            Client::Garbage => return Some("e30.e30.e30".to_owned()),
            _ => {}
        }
        let scope = if self.client == Client::WithoutScope { "orders:other" } else { "orders:read" };
        let expires = if self.client == Client::Expired { now - 1000 } else { now + 1000 };
        let header = json!({ "alg": "EdDSA", "kid": "a", "typ": "at+jwt" });
        let claims = json!({
            "iss": "https://idp.example.com/", "aud": "api", "sub": "alice", "iat": now - 2000, "exp": expires,
            "scope": scope, "jti": "j",
        });
        let input = [header, claims].map(|part| base64url::encode(part.to_string().as_bytes())).join(".");
        let signed = if self.client == Client::Forged { "another" } else { &input };
        let signature = key(self.client != Client::OtherKey).sign(signed.as_bytes()).expect("a signature");
        Some(format!("{input}.{}", base64url::encode(&signature)))
    }

    pub fn headers(&self) -> Vec<Line> {
        let path = if self.client == Client::Public { "/open" } else { "/orders" };
        let content = if self.is_grpc { "application/grpc" } else { "application/json" };
        let mut headers = vec![
            (":method", "POST".to_owned()),
            (":path", path.to_owned()),
            (":authority", "api.example.com".to_owned()),
            ("content-type", content.to_owned()),
            ("x-user", "root".to_owned()),
        ];
        headers.extend(self.token().map(|token| ("authorization", format!("Bearer {token}"))));
        headers.into_iter().map(|(name, value)| (name.as_bytes().into(), value.as_bytes().into())).collect()
    }
}

/// How many configurations there are.
pub const KINDS: u8 = 6;

/// A plugin configuration; the last one is refused.
pub fn configuration(kind: u8) -> String {
    let remote = json!({ "uri": "https://idp.example.com/jwks", "cluster": "idp", "timeout": "2s" });
    let (keys, member) = match kind {
        0 | 4 => (json!({ "inline": jwks(true) }), "jwks"),
        3 => (
            json!({ "uri": "https://idp.example.com/introspect", "cluster": "idp", "client_id": "gate",
                    "secret": { "env": "SECRET" } }),
            "introspection",
        ),
        _ => (remote, "jwks"),
    };
    let mut configuration = json!({
        "issuers": [{ "issuer": "https://idp.example.com/", "audiences": ["api"], member: keys }],
        "rules": [{ "match": { "path": "/open" }, "public": true }],
        "default": { "scopes": ["orders:read"] },
        "route_metadata": "restrict",
        "forward": { "headers": { "x-user": "sub" } },
        "limits": { "wasm_crypto_percent": 100 },
    });
    match kind {
        2 => {
            configuration["revocation"] =
                json!({ "lists": [{ "uri": "https://lists.example.com/a", "cluster": "lists" }] });
            configuration["default"]["close_streams"] = json!("revocation");
        }
        4 => configuration["default"]["mcp"] = json!({ "tools": { "rules": [{ "tool": "debug", "deny": true }] } }),
        5 => configuration["issuers"] = json!("none"),
        _ => {}
    }
    configuration.to_string()
}

/// What answers a callout: the status, and the body. `None`: nothing comes.
pub fn answer(cluster: &str, body: &[u8], how: u8) -> Option<(&'static str, String)> {
    let asked = String::from_utf8_lossy(body);
    Some(match how {
        0 => return None,
        1 => ("500", "{}".to_owned()),
        2 => ("200", "{".to_owned()),
        3 if cluster == "lists" => ("200", "{\"iss\":\"https://idp.example.com/\",\"jti\":\"j\"}\n".to_owned()),
        _ if cluster == "lists" => ("200", "{\"iss\":\"https://idp.example.com/\",\"jti\":\"other\"}\n".to_owned()),
        _ if asked.starts_with("token=") => {
            let is_good = asked.contains("token=opaque_good");
            let scope = if is_good { "orders:read" } else { "" };
            ("200", json!({ "active": is_good, "sub": "alice", "aud": "api", "scope": scope }).to_string())
        }
        _ => ("200", jwks(true).to_string()),
    })
}

/// Pieces of bodies.
pub fn piece(which: u8) -> &'static [u8] {
    match which % 4 {
        0 => b"",
        1 => br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read"}}"#,
        2 => br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"na"#,
        _ => br#"me":"debug"}}"#,
    }
}
