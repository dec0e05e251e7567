//! What the targets share: a policy to judge by, and a verifier that a fuzzer can satisfy.

pub mod events;
pub mod mcp;
pub mod message;

use scopegate::base::base64url;
use scopegate::base::time::UnixSeconds;
use scopegate::config::{self, Node};
use scopegate::crypto::{Algorithm, Verification, VerificationKey, Verifier};
use scopegate::decision::Decision;
use scopegate::engine::decide;
use scopegate::facts::{
    Awaited, AwaitedNeeds, Body, Facts, Introspected, Introspections, KeyRing, KnownSurroundings, MetadataRequirement,
    NoMemory, NothingIntrospected, TokenMemory,
};
use scopegate::policy::{IssuerId, KeySource, Policy};
use scopegate::request::RequestView;
use scopegate::revocation::Revocations;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

/// The time at which everything is decided.
pub const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

/// The signature that [`StandIn`] takes for that of any message: no fuzzer finds a real one, and what comes after it is
/// to be reached.
pub const SIGNATURE: &[u8] = b"good";

/// The end of every good key.
pub const KEY: &str = "-acme-0123456789abcdef";

/// Sets of keys, in three headers: of each set one key that is good, one that is disabled, and one that has ended.
pub fn key_sets() -> Value {
    let identity = |set: &str, id: &str, more: Value| {
        let secret = hex(format!("sk-{set}-{id}-0123456789abcdef"));
        let mut identity = json!({ "id": id, "scopes": ["orders:read"], "secrets": [{ "sha256": secret }] });
        if let (Some(members), Value::Object(more)) = (identity.as_object_mut(), more) {
            members.extend(more);
        }
        identity
    };
    let set = |name: &str, place: Value| {
        json!({ "name": name, "api_key": place, "identities": [
            identity(name, "acme", json!({})),
            identity(name, "gone", json!({ "disabled": true })),
            identity(name, "late", json!({ "expires": 1_799_999_999 })),
        ] })
    };
    json!([
        set("partners", json!({ "header": "x-api-key" })),
        set("openai", json!({ "scheme": "Bearer", "prefix": "sk-" })),
        set("mesh", json!([{ "header": "x-mesh" }, { "header": "x-mesh-old" }])),
    ])
}

/// The opaque token of which the first issuer says something.
pub const OPAQUE: &[u8] = b"ory_at_fuzz";

/// What the first issuer says of [`OPAQUE`]; of no other token anything is known.
pub struct Said(pub Option<Introspected>);

impl Introspections for Said {
    fn recall(&self, issuer: IssuerId, token: &[u8], _now: UnixSeconds) -> Option<Introspected> {
        self.0.clone().filter(|_| issuer.0 == 0 && token == OPAQUE)
    }
}

/// How an issuer is asked about opaque tokens.
pub fn introspection() -> Value {
    json!({
        "uri": "https://issuer.example.com/introspect", "cluster": "keys", "client_id": "gate", "secret": { "env": "SECRET" },
    })
}

/// The password of every user.
pub const PASSWORD: &str = "a:good-password-0123";

/// A set of users: one whose password is good, one who is disabled, and one whose time is over.
pub fn staff() -> Value {
    let secret = |id: &str| json!([{ "sha256": hex(format!("{PASSWORD}{id}")) }]);
    json!({ "name": "staff", "basic": {}, "scopes": ["orders:read"], "identities": [
        { "id": "ann", "secrets": secret("ann") },
        { "id": "gone", "secrets": secret("gone"), "disabled": true },
        { "id": "late", "secrets": secret("late"), "expires": 1_799_999_999 },
    ] })
}

/// The certificate of a client that a set names.
pub const CERTIFICATE: &[u8] = b"a certificate";

/// A set of tokens in a cookie, and one of client certificates.
pub fn ambient_sets() -> [Value; 2] {
    let certificate = hex(CERTIFICATE);
    [
        json!({ "name": "web", "cookie": { "name": "__Host-token", "origins": ["https://a.example.com"] } }),
        json!({ "name": "workloads", "mtls": {}, "scopes": ["orders:read"],
                "identities": [{ "id": "w", "secrets": [{ "sha256": certificate }] }] }),
    ]
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    let digest = scopegate::crypto::sha256(bytes.as_ref());
    digest.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

thread_local! {
    static REACHED: RefCell<BTreeSet<String>> = RefCell::default();
}

/// Notes that an input of a target came this far.
pub fn reached(target: &str, what: &str) {
    REACHED.with_borrow_mut(|reached| {
        let name = format!("{target}: {what}");
        if !reached.contains(&name) {
            reached.insert(name);
        }
    });
}

/// What has been noted in this thread.
pub fn all_reached() -> BTreeSet<String> {
    REACHED.with_borrow(BTreeSet::clone)
}

/// Takes [`SIGNATURE`] for valid, and counts how often it did.
#[derive(Default)]
pub struct StandIn {
    pub accepted: Cell<u32>,
}

impl Verifier for StandIn {
    fn verify(&self, key: &VerificationKey, algorithm: Algorithm, _message: &[u8], signature: &[u8]) -> Verification {
        assert!(key.fits(algorithm), "a key is tried for an algorithm that it is not for");
        if signature == SIGNATURE {
            self.accepted.set(self.accepted.get() + 1);
            Verification::Valid
        } else {
            Verification::Invalid
        }
    }
}

/// Takes nothing for valid.
pub struct Nobody;

impl Verifier for Nobody {
    fn verify(&self, _: &VerificationKey, _: Algorithm, _: &[u8], _: &[u8]) -> Verification {
        Verification::Invalid
    }
}

/// No environment variable is set, but one secret.
pub fn environment(name: &str) -> Option<String> {
    (name == "SECRET").then(|| "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8".to_owned())
}

/// Two issuers, one of which has a key and a secret; rules of every kind.
pub fn configuration(more: Value) -> Value {
    let mut configuration = json!({
        "issuers": [
            {
                "issuer": "https://issuer.example.com/", "name": "demo", "audiences": ["https://api.example.com"],
                "jwks": { "inline": { "keys": [{
                    "kty": "EC", "crv": "P-256", "kid": "a",
                    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
                }] } },
            },
            {
                "issuer": "https://other.example.com/", "name": "other", "audiences": ["https://api.example.com"],
                "token_types": ["JWT"], "required_claims": ["jti"], "max_lifetime": "1h",
                "jwks": { "uri": "https://other.example.com/keys", "cluster": "keys" },
            },
        ],
        "rules": [
            { "match": { "path": "/public" }, "public": true },
            { "match": { "prefix": "/deny" }, "deny": true },
            { "match": { "path": "/optional" }, "allow_missing": true },
            { "match": { "template": "/orders/{id}" }, "scopes": ["orders:read"] },
            { "match": { "prefix": "/admin" }, "claims": [{ "claim": "role", "one_of": ["admin"] }], "issuers": ["demo"] },
        ],
        "forward": { "headers": { "x-auth-subject": "sub", "x-auth-scope": "scope" } },
    });
    let (Some(members), Value::Object(more)) = (configuration.as_object_mut(), more) else { panic!("not an object") };
    members.extend(more);
    configuration
}

/// Who may send events: two issuers and an operator.
pub fn event_senders() -> Value {
    let key = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "o", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
    json!({
        "path": "/events",
        "issuers": {
            "demo": { "audience": "gate", "keep": "1h" },
            "other": { "audience": ["gate", "x"], "token_types": ["JWT", "missing"], "allow_missing_exp": true },
        },
        "operators": { "ops": { "audience": "gate", "signed_by": { "keys": [key] } } },
    })
}

/// Compiles a configuration that must be good.
pub fn policy(configuration: Value) -> Policy {
    match config::compile(&Node::from(configuration), &environment) {
        Ok(loaded) => loaded.policy,
        Err(error) => panic!("{error}"),
    }
}

/// The keys in a configuration.
pub fn keys(policy: &Policy) -> KeyRing {
    let mut ring = KeyRing::default();
    for (index, issuer) in policy.issuers.iter().enumerate() {
        if let KeySource::Configured(keys) = &issuer.keys {
            ring.set(IssuerId(index), Some(Rc::clone(keys)));
        }
    }
    ring
}

/// A request as text: a line with the method, one with the target, and one for each header. A line `:certificate` has the
/// certificate that the client has shown.
pub struct Request<'d> {
    pub headers: Vec<(Vec<u8>, &'d [u8])>,
    pub certificate: Option<&'d [u8]>,
    pub ends_with_headers: bool,
}

impl<'d> Request<'d> {
    pub fn read(text: &'d [u8]) -> Self {
        let mut lines = text.split(|&byte| byte == b'\n');
        let mut headers = Vec::new();
        for name in [":method", ":path"] {
            headers.extend(lines.next().map(|value| (name.as_bytes().to_vec(), value)));
        }
        let mut certificate = None;
        for line in lines {
            let mut sides = line.splitn(2, |&byte| byte == b'|');
            let name = sides.next().unwrap_or_default().to_ascii_lowercase();
            let value = sides.next().unwrap_or_default();
            if name == b":certificate" {
                certificate = Some(value);
            } else {
                headers.push((name, value));
            }
        }
        Self { headers, certificate, ends_with_headers: text.len().is_multiple_of(2) }
    }

    /// Whether it has a token with `cnf`.
    pub fn is_bound(&self) -> bool {
        // Of another scheme, whatever it is, it is no token.
        let is_token = |value: &[u8]| {
            let scheme = value.trim_ascii().split(|&byte| byte == b' ').next().unwrap_or_default();
            scheme.eq_ignore_ascii_case(b"bearer") || scheme.eq_ignore_ascii_case(b"dpop")
        };
        let lines = self.headers.iter().filter(|(name, value)| name == b"authorization" && is_token(value));
        let mut claims = lines.filter_map(|(_, value)| base64url::decode(value.split(|&byte| byte == b'.').nth(1)?));
        claims.any(|claims| serde_json::from_slice::<Value>(&claims).is_ok_and(|claims| claims.get("cnf").is_some()))
    }

    /// Decides it.
    pub fn decide(&self, policy: &Policy, verifier: &dyn Verifier, options: &Options<'_>) -> Decision {
        let headers: Vec<(&[u8], &[u8])> = self.headers.iter().map(|(name, value)| (name.as_slice(), *value)).collect();
        let view = RequestView {
            headers: &headers,
            route_name: Some("a"),
            virtual_host: None,
            ends_with_headers: self.ends_with_headers,
        };
        let nothing = Revocations::none();
        let surroundings = KnownSurroundings {
            now: NOW,
            peer_certificate: self.certificate.map(scopegate::crypto::sha256),
            peer_uri: None,
            peer_dns: None,
            source_address: None,
        };
        let offline = Facts::offline(&surroundings, options.keys, verifier, options.revocations.unwrap_or(&nothing));
        let awaited = AwaitedNeeds::all(options.awaited);
        let Options { memory, metadata, introspections, body, .. } = *options;
        let facts = Facts { memory, metadata, introspections, body, awaited, ..offline };
        decide(policy, &view, &facts)
    }
}

/// What else a decision is told.
pub struct Options<'o> {
    pub keys: &'o KeyRing,
    pub memory: &'o dyn TokenMemory,
    pub metadata: MetadataRequirement<'o>,
    pub awaited: Awaited,
    /// Nothing is revoked where there are none.
    pub revocations: Option<&'o Revocations>,
    pub introspections: &'o dyn Introspections,
    pub body: Body<'o>,
}

impl<'o> Options<'o> {
    pub fn new(keys: &'o KeyRing) -> Self {
        Self {
            keys,
            memory: &NoMemory,
            metadata: MetadataRequirement::None,
            awaited: Awaited::No,
            revocations: None,
            introspections: &NothingIntrospected,
            body: Body::Awaited,
        }
    }
}
