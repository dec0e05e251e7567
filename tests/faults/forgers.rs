//! Requests of forgers: signed by AWS Signature Version 4, as Apinto has it, and by HTTP message signatures, and nearly good.

pub mod events;
mod keyed;
mod messages;

use crate::stage::HOSTILE;
use crate::support::client::head;
use crate::support::issuer::now;
use crate::support::random::Random;
use crate::support::signer::{Signer, Unsigned, content_digest, hex, nonce};
use crate::traffic::{Hostile, random_id};
use scopegate::base::base64url;
use scopegate::crypto::sha256;
use serde_json::{Value, json};

/// The region and the service of a signature.
const SCOPE: (&str, &str) = ("eu-west-1", "orders");
/// The sets of signatures, each with a path of its own.
const SETS: [&str; 3] = ["aws", "apinto", "message"];
/// Those who have a key in each set.
const IDENTITIES: [&str; 6] = ["batch", "other", "gone", "late", "revoked", "bare"];
const BODY: &[u8] = b"{\"qty\":2}";

/// The key id and the secret of an identity of a set.
fn key(set: &str, id: &str) -> (String, String) {
    (format!("{set}-{id}"), format!("the secret of {id} in the set {set}"))
}

/// The environment variable with the secret of a key id. A shell drops one whose name has a hyphen.
fn variable(key_id: &str) -> String {
    key_id.replace('-', "_")
}

/// The key of an HTTP message signature that is public.
fn public() -> ed25519_dalek::SigningKey {
    ed25519_dalek::SigningKey::from_bytes(&[7; 32])
}

/// What the VM needs for it: the secrets, and headers that may be held until a body is there.
pub fn add_to_plugin(plugin: &mut Value) {
    let values = &mut plugin["vm_config"]["environment_variables"]["key_values"];
    for (set, id) in SETS.iter().flat_map(|set| IDENTITIES.map(|id| (set, id))) {
        let (key_id, secret) = key(set, id);
        values[variable(&key_id)] = json!(secret);
    }
    plugin["allow_on_headers_stop_iteration"] = json!(true);
}

/// Lets a configuration know sets of signatures. Nothing that is sent is older than they take but what is meant to be.
pub fn add_to(configuration: &mut Value) {
    let scopes = json!(["orders:read"]);
    let point = base64url::encode(&public().verifying_key().to_bytes());
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": point });
    for set in SETS {
        let mut identities: Vec<Value> = IDENTITIES
            .iter()
            .map(|id| {
                let (key_id, _) = key(set, id);
                let mut identity = json!({ "id": id, "secrets": [{ "key_id": key_id, "env": variable(&key_id) }] });
                match *id {
                    "gone" => identity["disabled"] = json!(true),
                    "late" => identity["expires"] = json!(1_700_000_000),
                    "bare" => identity["scopes"] = json!([]),
                    _ => {}
                }
                identity
            })
            .collect();
        let (kind, terms) = match set {
            "aws" => {
                ("aksk", json!({ "form": "sigv4", "regions": [SCOPE.0], "services": [SCOPE.1, "s3"], "max_age": "1h" }))
            }
            "apinto" => ("aksk", json!({ "form": "apinto", "max_age": "1h" })),
            _ => {
                identities.push(json!({ "id": "public", "secrets": [{ "jwk": jwk }] }));
                ("signature", json!({ "max_age": "1h" }))
            }
        };
        let sets = configuration["credentials"].as_array_mut().unwrap();
        sets.push(json!({ "name": set, kind: terms, "scopes": scopes, "identities": identities }));
        let entries = configuration["revocation"]["entries"].as_array_mut().unwrap();
        entries.push(json!({ "credential": set, "id": "revoked" }));
        let path = json!({ "path_separated_prefix": format!("/{set}") });
        let rules = configuration["rules"].as_array_mut().unwrap();
        rules.push(json!({ "match": path, "credentials": set, "scopes": scopes }));
    }
}

/// A request with what was signed of it.
#[derive(Clone, Debug)]
struct Signed {
    method: String,
    target: String,
    lines: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Signed {
    fn of(request: &Unsigned<'_>, lines: Vec<(String, String)>) -> Self {
        let (method, target) = (request.method.to_owned(), request.target.to_owned());
        Self { method, target, lines, body: request.body.to_vec() }
    }

    fn bytes(&self) -> Vec<u8> {
        let length = self.body.len().to_string();
        let mut lines: Vec<(&str, &str)> =
            self.lines.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        if self.method != "GET" && !lines.iter().any(|(name, _)| *name == "transfer-encoding") {
            lines.push(("content-length", &length));
        }
        [head(&self.method, &self.target, &lines), self.body.clone()].concat()
    }

    fn hostile(&self, what: &'static str) -> Hostile {
        let marked = [(HOSTILE, "1"), ("x-auth-subject", "admin")];
        let bytes = marked.iter().fold(self.clone(), |all, (name, value)| all.with(name, value)).bytes();
        Hostile { what, bytes }
    }

    fn method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    fn target(mut self, target: &str) -> Self {
        target.clone_into(&mut self.target);
        self
    }

    fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    /// One more line.
    fn with(mut self, name: &str, value: &str) -> Self {
        self.lines.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Every line of this name changed, which must be there.
    fn change(mut self, name: &str, change: impl Fn(&str) -> String) -> Self {
        let mut changed = 0;
        for (_, value) in self.lines.iter_mut().filter(|(other, _)| other == name) {
            let other = change(value);
            changed += usize::from(other != *value);
            *value = other;
        }
        assert!(changed > 0, "{name} of {self:?}");
        self
    }

    fn replace(self, name: &str, from: &str, to: &str) -> Self {
        self.change(name, |value| value.replacen(from, to, 1))
    }

    fn rename(mut self, name: &str, other: &str) -> Self {
        self.lines.iter_mut().filter(|(own, _)| own == name).for_each(|(own, _)| other.clone_into(own));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.lines.retain(|(own, _)| own != name);
        self
    }

    fn value(&self, name: &str) -> String {
        self.lines.iter().find(|(own, _)| own == name).unwrap().1.clone()
    }

    /// A line with one character changed, or cut, somewhere.
    fn spoilt(&self, name: &str, random: &mut Random) -> String {
        let value = self.value(name);
        let place = random.below(value.len());
        let other = if value[place..].starts_with('A') { "B" } else { "A" };
        if random.chance(2) {
            value[..place].to_owned()
        } else {
            format!("{}{other}{}", &value[..place], &value[place + 1..])
        }
    }
}

/// A request that is signed in the way of a set, by this identity of it.
fn signed_by(set: &str, id: &str, request: &Unsigned<'_>) -> Signed {
    let (key_id, secret) = key(set, id);
    signed_with(set, Signer { key_id: &key_id, secret: &secret }, request)
}

fn signed_with(set: &str, signer: Signer<'_>, request: &Unsigned<'_>) -> Signed {
    let lines = match set {
        "aws" => signer.sigv4(request, SCOPE),
        "apinto" => signer.apinto(request),
        _ => signer.message(request, &fresh(request.at)),
    };
    Signed::of(request, lines)
}

/// The parameters of a message that is signed at this time.
fn fresh(at: i64) -> String {
    format!(";created={at};nonce=\"{}\"", nonce(random_id()))
}

/// A GET with a query.
fn get(set: &str) -> Unsigned<'static> {
    let target = match set {
        "aws" => "/aws/1?a=1&b=2",
        "apinto" => "/apinto/1?a=1&b=2",
        _ => "/message/1?a=1&b=2",
    };
    Unsigned { target, at: now(), ..Unsigned::default() }
}

/// A POST whose body is signed: in a header of its own, where `in_header`.
fn post(set: &str, in_header: bool) -> Unsigned<'static> {
    let headers = match set {
        "aws" if in_header => {
            vec![("content-type", "application/json".to_owned()), ("x-amz-content-sha256", hex(&sha256(BODY)))]
        }
        "message" => vec![("content-digest", content_digest(BODY))],
        _ => vec![("content-type", "application/json".to_owned())],
    };
    Unsigned { method: "POST", headers, body: BODY, ..get(set) }
}

/// A good request of one of the sets, which was not sent before.
pub fn good(random: &mut Random) -> Vec<u8> {
    let set = random.of(&SETS);
    let id = random.of(&["batch", "other"]);
    // What makes it another one, so that a POST is no replay.
    let number = format!("{:x}", random_id());
    let mut request = if random.chance(2) { get(set) } else { post(set, random.chance(2)) };
    request.headers.push(("x-number", number));
    signed_by(set, id, &request).bytes()
}

/// A good request of each kind.
pub fn good_of_each_kind() -> Vec<Vec<u8>> {
    let gets = SETS.map(|set| signed_by(set, "batch", &get(set)).bytes());
    gets.into_iter().chain([messages::by_public_key().bytes()]).collect()
}

/// Good requests that are good once, each with the hostile one that repeats it.
pub fn good_once() -> Vec<(Vec<u8>, Hostile)> {
    let mut all: Vec<(&str, Signed)> = vec![
        ("a signature of aws that was used", signed_by("aws", "batch", &post("aws", true))),
        ("a signature of aws with a held body that was used", signed_by("aws", "other", &post("aws", false))),
        ("a signature of apinto that was used", signed_by("apinto", "batch", &post("apinto", false))),
        ("a signature of a message that was used", signed_by("message", "batch", &post("message", true))),
    ];
    let nonce = vec![("x-gateway-nonce", nonce(random_id()))];
    all.push((
        "a nonce of apinto that was used",
        signed_by("apinto", "batch", &Unsigned { headers: nonce, ..get("apinto") }),
    ));
    all.push(("a nonce of a message that was used", signed_by("message", "batch", &get("message"))));
    all.into_iter().map(|(what, signed)| (signed.bytes(), signed.hostile(what))).collect()
}

/// One request of each kind.
pub fn each_kind_of_forger(random: &mut Random) -> Vec<Hostile> {
    let mut all = keyed::of_each_set(random);
    all.extend(keyed::of_aws());
    all.extend(keyed::of_apinto());
    all.extend(messages::each_kind());
    all
}
