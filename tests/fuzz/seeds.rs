//! Writes the seeds of the fuzz targets, made of the policy cases of the tests: `fuzz-seeds FOLDER`.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "it runs on our own files, and says what is wrong"
)]

#[path = "support/message.rs"]
mod message;
#[path = "support/pushed.rs"]
mod pushed;
#[path = "module/sequences.rs"]
mod sequences;
#[path = "support/signed.rs"]
mod signed;
#[path = "../support/mod.rs"]
mod support;

use scopegate::base::base64url;
use scopegate::base::time::{Seconds, UnixSeconds};
use scopegate::crypto::PasswordHash;
use scopegate::policy::NoncePolicy;
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use support::{bodies, envoy::root, random::Random, yaml};

fn main() {
    let folder = std::env::args().nth(1).map(PathBuf::from).expect("usage: fuzz-seeds FOLDER");
    let hooks = sequences::all().into_iter().map(|sequence| ("module", sequence));
    for (number, (target, seed)) in seeds().into_iter().chain(hooks).enumerate() {
        let folder = folder.join(target);
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join(format!("seed-{:04}", number + 1)), seed).expect("a file");
    }
}

/// All of them: the target, and its input.
pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let mut seeds = Seeds::default();
    let cases = root().join("tests/decisions/cases");
    let mut files: Vec<PathBuf> =
        fs::read_dir(&cases).expect("the cases").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    for document in files.iter().flat_map(|file| yaml::documents(file)) {
        seeds.add_document(&document);
    }
    seeds.add_others();
    seeds.0
}

#[derive(Default)]
struct Seeds(Vec<(&'static str, Vec<u8>)>);

impl Seeds {
    fn add(&mut self, target: &'static str, seed: &[u8]) {
        self.0.push((target, seed.to_vec()));
    }

    fn add_document(&mut self, document: &Value) {
        if let Some(policy) = document.get("inline") {
            self.add("configuration", policy.to_string().as_bytes());
            if let Some(bytes) = message::to_struct(policy) {
                self.add("struct_configuration", &bytes);
            }
        }
        for case in document.get("cases").and_then(Value::as_array).into_iter().flatten() {
            self.add_case(case);
        }
    }

    fn add_case(&mut self, case: &Value) {
        let request = &case["request"];
        let (method, target) = match request.as_str() {
            Some(text) => text.split_once(' ').unwrap_or(("GET", text)),
            None => (request["method"].as_str().unwrap_or("GET"), request["path"].as_str().unwrap_or("/")),
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        self.add("path", path.as_bytes());
        if !query.is_empty() {
            self.add("query", query.as_bytes());
        }
        if let Some(metadata) = request.get("metadata").and_then(message::to_metadata) {
            self.add("metadata", &metadata);
        }
        let mut lines = format!("{method}\n{target}");
        for (name, value) in request.get("headers").and_then(Value::as_object).into_iter().flatten() {
            lines += &format!("\n{name}|{}", value.as_str().unwrap_or_default());
        }
        if let Some(claims) = case.get("token").and_then(Value::as_object) {
            lines += &format!("\nauthorization|Bearer {}", self.add_token(&json!({}), &Value::Object(claims.clone())));
        }
        self.add_request(&lines);
    }

    /// Adds a token with these parameters and claims beside those that every token has, and returns it.
    fn add_token(&mut self, header: &Value, claims: &Value) -> String {
        let mut all = json!({
            "iss": "https://issuer.example.com/", "aud": "https://api.example.com", "sub": "alice", "iat": 1_800_000_000,
            "exp": 1_800_000_300, "scope": "orders:read",
        });
        support::envoy::merge(&mut all, claims);
        let mut parameters = json!({ "alg": "ES256", "kid": "a", "typ": "at+jwt" });
        support::envoy::merge(&mut parameters, header);
        let (header, claims) = (parameters.to_string(), all.to_string());
        self.add("claims", claims.as_bytes());
        self.add("header", header.as_bytes());
        // What the verifier of the targets takes for a signature.
        let token = [header.as_bytes(), claims.as_bytes(), b"good"].map(base64url::encode).join(".");
        self.add("compact", token.as_bytes());
        token
    }

    /// Adds a request under each policy of the target.
    fn add_request(&mut self, lines: &str) {
        // The last two have awaited everything, the second in vain.
        for choice in (0..18).chain([29, 45]) {
            self.add("decide", &[&[choice], lines.as_bytes()].concat());
        }
    }

    fn add_others(&mut self) {
        for (header, claims) in [
            (
                json!({ "crit": ["exp"], "b64": true }),
                json!({ "nbf": 1.5, "groups": ["a", "b"], "act": { "sub": "b" } }),
            ),
            (json!({}), json!({ "jti": "x" })),
            (json!({ "typ": "JWT" }), json!({ "iss": "https://other.example.com/", "jti": "x" })),
            (json!({ "kid": null }), json!({ "role": "admin", "aud": ["a", "https://api.example.com"] })),
        ] {
            let token = self.add_token(&header, &claims);
            for target in ["/orders/1", "/admin/a", "/optional", "/%6frders/1;a=b"] {
                self.add_request(&format!(
                    "POST\n{target}\nAuthorization|bearer  {token}\nx-auth-subject|root\nhost|a"
                ));
            }
            self.add_request(&format!("GET\n/?a={token}"));
        }
        self.add_proofs();
        self.add_keys();
        self.add_credentials();
        self.add_messages();
        self.add_events();
        signed::requests().iter().for_each(|request| self.add("signature", request.as_bytes()));
        pushed::requests().iter().for_each(|request| self.add("security_event", request));
        // With a body, and without one: requests of an even length have none.
        self.add_request("POST\n/events\ncontent-type|application/secevent+jwt");
        self.add_request("POST\n/events\ncontent-type|application/secevent+jwt\nx|");
        self.add_request("GET\n/\nauthorization|HMAC-SHA256 a.eyJjbmYiOnt9fQ.b\n:certificate|a certificate");
        self.add_request("OPTIONS\n/\norigin|https://a\naccess-control-request-method|GET");
        let issuers = [
            json!({ "kty": "EC", "crv": "P-256", "kid": "a", "alg": "ES256", "use": "sig", "key_ops": ["verify"],
                "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" }),
            json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "alg": null }),
            json!({ "kty": "oct", "k": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "kid": "s" }),
        ];
        self.add("key_set", json!({ "keys": issuers }).to_string().as_bytes());
        for issuer in issuers {
            self.add("key_set", json!({ "keys": [issuer] }).to_string().as_bytes());
        }
        for uri in ["https://issuer.example.com/jwks?a=b", "http://[::1]:8080/", "https://issuer.example.com"] {
            let metadata =
                json!({ "issuer": "https://issuer.example.com/", "jwks_uri": uri, "grant_types_supported": [] });
            self.add("discovery", metadata.to_string().as_bytes());
        }
        let lines: String = [
            json!({ "entries_at_least": 2 }),
            json!({ "iss": "https://issuer.example.com/", "jti": "a", "until": 1_900_000_000, "reason": "lost" }),
            json!({ "fingerprint": "AAAAAAAAAAAAAAAAAAAAAA" }),
            json!({ "iss": "https://issuer.example.com/", "sub": "alice", "issued_before": 1_800_000_000 }),
            json!({ "iss": "https://issuer.example.com/", "sid": "s" }),
            json!({ "iss": "https://issuer.example.com/", "client_id": "c", "issued_before": 1_800_000_000 }),
            json!({ "iss": "https://issuer.example.com/", "kid": "k" }),
        ]
        .map(|line| format!("{line}\n"))
        .concat();
        for list in [lines.as_bytes(), &binary(&lines)] {
            self.add("revocations", list);
            self.add("revocations", &signed(list));
        }
        for secrets in [
            json!([{ "sha256": "ab".repeat(32) }, { "sha256": "CD".repeat(32), "expires": 1_900_000_000 }]),
            json!([{ "bcrypt": "$2y$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK" }]),
            json!([{ "uri": "spiffe://example.com/orders" }, { "dns": "orders.example.com" }]),
            json!([{ "env": "KEY" }]),
        ] {
            let other = json!({ "id": "b", "disabled": true, "secrets": [{ "sha256": "12".repeat(32) }] });
            let more = json!({ "id": "a", "subject": "A", "scopes": ["s"], "claims": { "t": [1] }, "expires": 7, "secrets": secrets });
            let document = json!({ "identities": [more, other] });
            self.add("identities", document.to_string().as_bytes());
            self.add("identities", &signed_identities(&document));
        }
        self.add("identities", br#"{"identities":[]}"#);
        // Of 16 tokens of one bit, of 12 of two, of 100 000 of four, and of none.
        for (bits, lst) in [
            (1, "eNrbuRgAAhcBXQ"),
            (2, "eNo76fITAAPfAgc"),
            (4, "eNrtwQENAAAAwqD3T20PBxQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABPBsNQAAE"),
            (8, "eNoDAAAAAAE"),
        ] {
            self.add("status_list", &status_list(bits, lst));
        }
    }
}

impl Seeds {
    /// Adds bodies for an MCP server, and names as a header has them.
    fn add_messages(&mut self) {
        let mut random = Random::new(1);
        for _ in 0..300 {
            let body = bodies::body(&mut random);
            self.add("message", &body);
        }
        let deep = format!(r#"{{"jsonrpc":"2.0","method":"a","params":{{"a":{}{}}}}}"#, "[".repeat(62), "]".repeat(62));
        self.add("message", deep.as_bytes());
        self.add("message", deep.replace("[]", "[[]]").as_bytes());
        for value in [
            "get_weather",
            " a\tb ",
            "=?base64?w6k=?=",
            "=?base64?w6k=",
            "=?base64?w6l=?=",
            "=?BASE64?w6k=?=",
            "é",
            "a\0",
        ] {
            self.add("mcp_name", value.as_bytes());
        }
    }

    /// Adds streams of events: lists, flaws, and what is neither. The first byte is the size of the parts.
    fn add_events(&mut self) {
        let tools = |items: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":[{items}],"ttlMs":5}}}}"#);
        let list = tools(r#"{"name":"a"},{"name":"xb"},{"name":"c","inputSchema":{}}"#);
        let spaced = list.replace(',', ",\n");
        let streams = [
            format!(": ping\n\nid: 1\ndata: \n\nevent: message\ndata: {list}\n\n"),
            format!("data: {}\r\n\r\n", spaced.replace('\n', "\r\ndata: ")),
            format!("data:{}\n\n", list.replace("tools", "resources").replace("name", "uri")),
            format!("data: [{list}]\n\n"),
            format!("\u{feff}data: {list}\n\n"),
            format!("data: {list}\r\rdata: {list}\n\n"),
            format!("Data: {list}\n\ndata: {list}"),
            format!("data: {}\n\n", tools(r#"{"title":"a"}"#)),
            format!("data: {}\n\n", tools(r#"{"name":"a","Name":"x"}"#)),
            format!("data: {}\n\n", list.replace("\"id\":1", "\"result\":1")),
            format!("data: {}\n\n", " ".repeat(5_000)),
            "data: {\"method\":\"a\"}\n\nretry: 1\n\ndata\n\n".to_owned(),
        ];
        for (size, stream) in (1..).zip(&streams) {
            self.add("events", &[&[size], stream.as_bytes()].concat());
        }
    }

    /// Adds requests with keys: good, bad, ended, of a revoked holder, in two places, beside a token.
    fn add_keys(&mut self) {
        let token = self.add_token(&json!({}), &json!({}));
        let key = |set: &str, id: &str| format!("sk-{set}-{id}-0123456789abcdef");
        let [partner, openai, mesh] = ["partners", "openai", "mesh"].map(|set| key(set, "acme"));
        for lines in [
            format!("x-api-key|{partner}"),
            format!("x-api-key|{partner}\nauthorization|Bearer {token}"),
            format!("x-api-key|sk-bad\nauthorization|Bearer {token}"),
            format!("authorization|Bearer {openai}\nx-mesh|{mesh}"),
            format!("authorization|Bearer {openai}\nx-mesh|{mesh}\nx-mesh-old|{mesh}"),
            format!("authorization|Bearer {openai}"),
            format!("x-api-key|{partner}\nx-api-key|{partner}"),
            format!("x-api-key|{}", key("partners", "gone")),
            format!("x-api-key|{}", key("partners", "late")),
            "x-api-key|a b".to_owned(),
            "x_api_key|sk-bad\norigin|https://a\naccess-control-request-method|GET".to_owned(),
        ] {
            self.add_request(&format!("GET\n/\n{lines}"));
        }
    }

    /// Adds requests with passwords, cookies, client certificates, and tokens in other places; and what each is read from.
    fn add_credentials(&mut self) {
        let token = self.add_token(&json!({}), &json!({}));
        let other = json!({ "iss": "https://other.example.com/", "jti": "x" });
        let of_other = self.add_token(&json!({ "typ": "JWT" }), &other);
        let basic = |user: &str, password: &str| {
            let text = base64url::encode(format!("{user}:{password}").as_bytes()).replace('-', "+").replace('_', "/");
            format!("Basic {text}{}", "=".repeat((4 - text.len() % 4) % 4))
        };
        let password = |user: &str| basic(user, &format!("a:good-password-0123{user}"));
        let (mesh, partner) = ("x-mesh|sk-mesh-acme-0123456789abcdef", "x-api-key|sk-partners-acme-0123456789abcdef");
        let (ann, certificate) = (format!("authorization|{}", password("ann")), ":certificate|a certificate");
        let own_page = "sec-fetch-site|same-origin";
        for lines in [
            ann.clone(),
            format!("authorization|{}", password("gone")),
            format!("authorization|{}", password("late")),
            format!("authorization|{}", password("zoe")),
            format!("authorization|{}", basic("ann", "wrong")),
            format!("authorization|{}", basic("ann", "")),
            "authorization|Basic !".to_owned(),
            format!("{ann}\n{mesh}"),
            format!("{ann}\n{certificate}\n{partner}"),
            format!("{ann}\n:certificate|another\n{partner}"),
            certificate.to_owned(),
            ":certificate|another".to_owned(),
            format!("{own_page}\ncookie|a=1; __Host-token={token}; b=2"),
            format!("{own_page}\ncookie|__Host-token={token}\n{mesh}"),
            format!("sec-fetch-site|cross-site\ncookie|__Host-token={token}"),
            "origin|https://a.example.com\ncookie|__Host-token=ory_at_fuzz".to_owned(),
            format!("{own_page}\ncookie|__Host-token={token}; __Host-token={token}"),
            "authorization|Bearer ory_at_fuzz".to_owned(),
            "authorization|Bearer ory_at_other".to_owned(),
            format!("origin|https://a.example.com\nauthorization|Bearer {token}"),
            format!("x-partner-token|Token {of_other}"),
            format!("x-partner-token|Token {of_other}\nauthorization|Bearer {token}"),
            format!("upgrade|websocket\nsec-websocket-protocol|chat, bearer, {token}, v2"),
        ] {
            self.add_request(&format!("GET\n/\n{lines}"));
            self.add("places", format!("GET\n/\n{lines}").as_bytes());
            for line in lines.lines().filter_map(|line| line.strip_prefix("authorization|")) {
                self.add("basic", line.as_bytes());
            }
            for line in lines.lines().filter_map(|line| line.strip_prefix("cookie|")) {
                self.add("cookies", line.as_bytes());
            }
        }
        for value in [&b"Basic YTpi"[..], b"basic  YTo=", b"Basic w6k6w6k=", b"Basic Oi8/", b"Basic YTpiAA=="] {
            self.add("basic", value);
        }
        for lines in ["a=1; __Host-token =\"x\";b=2\n__Host-token=y", "__Host-token", "a=1;; b", "__host-token=x; =y"] {
            self.add("cookies", lines.as_bytes());
        }
        for lines in [
            "x-jwt|a.b.c",
            "x-partner-token|Key a",
            "x-partner-token|Token a\nx-partner-token|Key b",
            "upgrade|WebSocket\nsec-websocket-protocol|bearer, a\nsec-websocket-protocol|bearer, b",
            "upgrade|websocket\nsec-websocket-protocol|bearer, a, b",
        ] {
            self.add("places", format!("GET\n/\n{lines}").as_bytes());
        }
        for answer in [
            json!({ "active": false }),
            json!({ "active": "true" }),
            json!({ "active": true, "token_type": "Bearer", "sub": "a", "aud": "https://api.example.com", "exp": 1_800_000_300 }),
            json!({ "active": true, "token_type": "DPoP", "sub": "a", "aud": ["x", "https://api.example.com"],
                "exp": 1_800_000_300, "iss": "https://issuer.example.com/", "iat": 1_800_000_000, "scope": "a b" }),
            json!({ "active": true, "token_type": "refresh_token", "sub": "a", "aud": "https://api.example.com",
                "exp": 1_800_000_300, "cnf": { "jkt": "a" } }),
        ] {
            self.add("introspection", answer.to_string().as_bytes());
        }
        let bcrypt = |cost| PasswordHash::bcrypt(b"a", cost, [3; 16]);
        let pbkdf2 = PasswordHash::pbkdf2(b"a", 20, b"0123456789abcdef");
        let sha512 = format!("$pbkdf2-sha512$1$MDEyMzQ1Njc4OWFiY2RlZg${}", "A".repeat(86));
        for text in [
            format!("# made by htpasswd -B\n\nann:{}\r\n bob:{pbkdf2}\nzoé:{sha512}", bcrypt(5)),
            format!("ann:{}\nann:{}", bcrypt(5), bcrypt(6)),
            bcrypt(5),
            pbkdf2.clone(),
            "ann:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=".to_owned(),
            "ann:$apr1$a$b\nbob:rl0uE7uUYzZ1o".to_owned(),
        ] {
            self.add("htpasswd", text.as_bytes());
        }
    }

    /// Adds requests with a token that is bound to a key, and a proof of it.
    fn add_proofs(&mut self) {
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0" });
        let jkt = scopegate::jose::thumbprint(&jwk).map(|digest| base64url::encode(&digest));
        let token = self.add_token(&json!({}), &json!({ "cnf": { "jkt": jkt } }));
        let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": jwk });
        // Of the secret in the policies of the target.
        let secret = base64url::decode(b"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8").expect("base64url");
        let nonce = NoncePolicy::new(&secret, Seconds(300)).issue(UnixSeconds(1_800_000_000));
        for (htm, path, nonce) in
            [("GET", "/", None), ("POST", "/orders/1", Some("x")), ("PUT", "/", Some(nonce.as_str()))]
        {
            let mut claims = json!({ "jti": "a", "htm": htm, "htu": format!("https://a.example.com{path}"),
                "iat": 1_800_000_000, "ath": scopegate::jose::access_token_hash(token.as_bytes()) });
            if let (Some(nonce), Some(members)) = (nonce, claims.as_object_mut()) {
                members.insert("nonce".to_owned(), json!(nonce));
            }
            let proof = [header.to_string().as_bytes(), claims.to_string().as_bytes(), b"good"]
                .map(base64url::encode)
                .join(".");
            self.add("proof", proof.as_bytes());
            self.add_request(&format!("{htm}\n{path}\nauthorization|DPoP {token}\ndpop|{proof}"));
            self.add_request(&format!("{htm}\n/elsewhere\nauthorization|DPoP {token}\ndpop|{proof}"));
        }
        for uri in ["https://a.example.com:443/%61/../b?x#y", "http://[::1]:8080", "HTTPS://A/%2e%2E/%c3%a9"] {
            self.add("proof", uri.as_bytes());
        }
        let claims = json!({ "acr": "phr", "auth_time": 1_799_999_990, "jti": "once" });
        let token = self.add_token(&json!({}), &claims);
        self.add_request(&format!("GET\n/\nauthorization|Bearer {token}"));
        let digest = base64url::encode(&[7; 32]);
        for cnf in [json!({ "x5t#S256": digest }), json!({ "jkt": digest, "x5t#S256": digest }), json!({ "kid": "a" })]
        {
            let token = self.add_token(&json!({}), &json!({ "cnf": cnf }));
            self.add_request(&format!("GET\n/\nauthorization|Bearer {token}"));
        }
    }
}

/// The list in its binary form.
fn binary(lines: &str) -> Vec<u8> {
    use scopegate::revocation::{Builder, Line};
    let mut builder = Builder::new(UnixSeconds(1_800_000_000));
    for line in lines.lines() {
        if let Line::Entry(entry) = Line::read(line.as_bytes()).expect("a line") {
            builder.add(&entry);
        }
    }
    builder.finish().bytes().pieces().concat()
}

/// A Status List Token, under a signature that the verifier of the targets accepts.
fn status_list(bits: u8, lst: &str) -> Vec<u8> {
    let header = json!({ "alg": "ES256", "kid": "a", "typ": "statuslist+jwt" });
    let claims = json!({
        "iss": "https://issuer.example.com/", "sub": "https://issuer.example.com/lists/1", "iat": 1_800_000_000,
        "ttl": 60, "status_list": { "bits": bits, "lst": lst },
    });
    [header.to_string().as_bytes(), claims.to_string().as_bytes(), b"good"]
        .map(base64url::encode)
        .join(".")
        .into_bytes()
}

/// A document of identities under a signature that the verifier of the targets accepts.
fn signed_identities(document: &Value) -> Vec<u8> {
    let header = json!({ "alg": "ES256", "kid": "a", "typ": "scopegate-identities+jwt" });
    let claims = json!({ "sub": "partners", "iat": 1_800_000_000, "identities": document.get("identities") });
    [header.to_string().as_bytes(), claims.to_string().as_bytes(), b"good"]
        .map(base64url::encode)
        .join(".")
        .into_bytes()
}

/// The list under a signature that the verifier of the targets accepts.
fn signed(list: &[u8]) -> Vec<u8> {
    let header = json!({ "alg": "ES256", "kid": "a", "typ": "scopegate-revocations+jwt" });
    let digest = base64url::encode(&scopegate::crypto::sha256(list));
    let claims = json!({ "iat": 1_800_000_000, "exp": 1_800_000_300, "sha256": digest });
    let head = [header.to_string().as_bytes(), claims.to_string().as_bytes(), b"good"].map(base64url::encode).join(".");
    [format!("{head}\n").as_bytes(), list].concat()
}
