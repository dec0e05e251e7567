//! What people would use instead, configured with care, before the same upstream: where both agree, and what it lets
//! through. tests/README.md has the rows of the second.

mod bindings;
mod changes;
mod claims;
mod comparison;
mod differential;
mod differential_kinds;
mod disagreements;
mod headers;
mod keyring;
mod presentations;
mod rows;
mod signers;
mod spellings;
mod targets;
mod writings;

use crate::support::client::{Response, head, send};
use crate::support::envoy::{Envoy, Gate, cluster, listener, root};
use crate::support::issuer::{AUDIENCE, ISSUER, Issuer, Token, now, sign_texts};
use crate::support::server::Server;
use rows::{Row, Verdict, rows};
use scopegate::base::base64url;
use scopegate::crypto::Algorithm;
use serde_json::{Value, json};
use superboring::hash::MessageDigest;
use superboring::pkey::PKey;
use superboring::rsa::{Padding, Rsa};
use superboring::sign::Signer;

/// An RSA key of 1024 bits, made for this test and used nowhere else.
const SMALL_RSA: &str = "MIICXAIBAAKBgQDDVMZmGOExWcjuN9-UKEVSxGsfRW9FcgzA8FNKhpECjXXP2789evtdtvC_EGgf5gG8W3PGgCl1NTXT7sA-Rn75_xLJ65GZ9f\
    xLMst_wTbXbEjLwdUhYc9XgNkY5FWPmc7fjStDqokoLGDvUK5K5xMoS2EatCQLirGBQ8bHrbbIcwIDAQABAoGARmqnY2MQu8PMZeSKm1SxORdK\
    LunPJU_qPRvmSvWcDTmGATsNBFLzj2NGAvsdLnKyqX6mjCbjyzc1goONlmW_nCpjgbe84RsJKSpjMCVRFsJxU1KXorYoPe-frIiiNMMCU9BmUY\
    K5MIrApNobnvgHfaY-vs2J4xi3gYEtNUn0zzECQQD1foUPdXV1HIN_hQmt7eXN_OqJy9VtEi6t6U_tLi_QIqK7Q5zmt0xp1J1riQaOz2l_HsBG\
    AApR36a28fqcdpVHAkEAy7CzQqEQSQZlTAfTfmQ6Edhwz-WGfeJ0Tj_FaHayXOpsrvK0YnzOvH0yoybyFdaBTF_FasYvF87nb977PFp5dQJAFC\
    civTYjQk3o7Zr6RHD3IIXWqyE0kBOiCVzR1uKnwipVuZG_W6FIgJeXpLBG_YpBWtInbpeqQTZe9T3AGQATGQJBAIg1fFpU_F_o3_pMzXgaq95d\
    H2tWsG4j7eSZrnfhz_pkZRNEh63IijLvgdoqY_6Id-RLsudo6fsAyDE-KkE8uzUCQCj1SvvjhuuC-4ymffZhG6ktV8e69OOczxjT4iru9q5-eA\
    IxaALSA3TCX-WUIFromQHQkNynAE-7Yri6oJSbbYo";
const SMALL_RSA_MODULUS: &str = "w1TGZhjhMVnI7jfflChFUsRrH0VvRXIMwPBTSoaRAo11z9u_PXr7XbbwvxBoH-YBvFtzxoApdTU10-7APkZ--f8SyeuRmfX8SzLLf8E212xIy8\
    HVIWHPV4DZGORVj5nO340rQ6qJKCxg71CuSucTKEthGrQkC4qxgUPGx622yHM";
/// A secret that was put into a key set.
const SHARED: &[u8] = b"a secret in a key set is no secret";

#[test]
fn the_native_filters_and_scopegate_agree_on_the_ordinary_cases() {
    let world = World::new();
    let (_upstream, envoy) = start(&world);
    let token = || world.token();
    let good = token().sign();
    let (input, _) = good.rsplit_once('.').unwrap();
    for (case, request) in [
        ("a good token", bearer(&good)),
        ("a list of scopes", bearer(&token().claim("scope", json!(["x", "orders:read"])).sign())),
        ("no token", request("/orders", &[])),
        ("no token, on a route that is open", request("/open/a", &[])),
        ("expired", bearer(&token().claim("iat", world.now - 600).claim("exp", world.now - 300).sign())),
        ("not yet valid", bearer(&token().claim("nbf", world.now + 100).sign())),
        ("good for years", bearer(&token().claim("exp", world.now + 100_000_000).sign())),
        ("without exp", bearer(&token().claim("exp", Value::Null).sign())),
        ("another issuer", bearer(&token().claim("iss", "https://issuer.example.org/").sign())),
        ("another audience", bearer(&token().claim("aud", "https://other.example.com").sign())),
        ("another key", bearer(&Issuer::new(Algorithm::Es256, "a").token(world.now).sign())),
        ("a signature of zeros", bearer(&format!("{input}.{}", base64url::encode(&[0; 64])))),
        ("no signature", bearer(&sign_nothing(&world))),
        ("another scope", bearer(&token().scope("orders:write").sign())),
        ("a scope that begins alike", bearer(&token().scope("orders:reader").sign())),
        ("no scope", bearer(&token().claim("scope", Value::Null).sign())),
        ("a member twice", bearer(&world.sign_claims(|claims| claims.replacen('}', ",\"exp\":9999999999}", 1)))),
        ("a cookie", request("/orders", &[("cookie", &format!("access_token={good}"))])),
        (
            "two tokens",
            request("/orders", &[("authorization", &format!("Bearer {good}")), ("authorization", "Bearer a.b.c")]),
        ),
    ] {
        let [gate, native, hardened] = ["gate", "native", "hardened"].map(|name| send(envoy.listener(name), &request));
        assert_eq!(native.status / 100, gate.status / 100, "{case}: {native:?} {gate:?}");
        assert_eq!(native.status, hardened.status, "{case}");
        if gate.status == 200 {
            let [gate, native] = [gate, native].map(|response| response.echoed());
            assert_eq!(native.headers("x-auth-subject"), gate.headers("x-auth-subject"), "{case}");
            assert!(gate.headers("authorization").is_empty() && native.headers("authorization").is_empty(), "{case}");
        }
    }
}

#[test]
fn what_the_native_filters_let_through_is_refused_by_scopegate() {
    let world = World::new();
    let (_upstream, envoy) = start(&world);
    for Row { sent, closed_by, verdict, requests } in rows() {
        let requests = requests(&world);
        let counter = match verdict {
            Verdict::Refused(_, reason) => format!("scopegate.denied.{reason}"),
            Verdict::Removed => "scopegate.allowed".to_owned(),
        };
        let before = envoy.counter(&counter);
        for request in &requests {
            let request_text = String::from_utf8_lossy(request);
            let [gate, native, hardened] =
                ["gate", "native", "hardened"].map(|name| send(envoy.listener(name), request));
            match verdict {
                Verdict::Refused(status, _) => {
                    assert_eq!(gate.status, status, "{sent}: {request_text}");
                    native.echoed();
                    assert_eq!(hardened.status == 200, closed_by.is_none(), "{sent}: {request_text}");
                }
                Verdict::Removed => {
                    assert!(!impersonates(&gate), "{sent}: {request_text}");
                    assert!(impersonates(&native), "{sent}: {request_text}");
                    assert_eq!(impersonates(&hardened), closed_by.is_none(), "{sent}: {request_text}");
                }
            }
        }
        let wanted = before + u64::try_from(requests.len()).unwrap();
        assert_eq!(envoy.counter_of_at_least(&counter, wanted), wanted, "{sent}: {counter}");
    }
}

#[test]
fn the_table_of_what_the_native_filters_let_through_is_the_one_that_is_tested() {
    let mut table = "| What is sent | `jwt_authn` + `rbac` 1.40 | Scopegate |\n|---|---|---|\n".to_owned();
    for Row { sent, closed_by, verdict, .. } in rows() {
        let (mut native, scopegate) = match verdict {
            Verdict::Refused(status, reason) => ("200".to_owned(), format!("{status} `{reason}`")),
            Verdict::Removed => ("200, the upstream reads it".to_owned(), "200, it is removed".to_owned()),
        };
        if let Some(setting) = closed_by {
            native.push_str(&format!(", but not with `{setting}`"));
        }
        table.push_str(&format!("| {sent} | {native} | {scopegate} |\n"));
    }
    let evidence = std::fs::read_to_string(root().join("tests/README.md")).unwrap();
    assert!(evidence.contains(&table), "tests/README.md is to hold:\n{table}");
}

/// The keys of the issuer: a good one, and some that should not be used for this.
struct World {
    issuer: Issuer,
    encryption: Issuer,
    signing_only: Issuer,
    nameless: Issuer,
    /// Further keys, as they are published.
    others: Vec<Value>,
    now: i64,
}

impl World {
    fn new() -> Self {
        Self {
            issuer: Issuer::new(Algorithm::Es256, "a"),
            encryption: Issuer::new(Algorithm::Es256, "encryption"),
            signing_only: Issuer::new(Algorithm::Es256, "signing"),
            nameless: Issuer::new(Algorithm::Es384, "nameless"),
            others: Vec::new(),
            now: now(),
        }
    }

    fn jwks(&self) -> Value {
        let mut encryption = self.encryption.key.to_public_jwk();
        encryption.insert("use".into(), "enc".into());
        let mut signing_only = self.signing_only.key.to_public_jwk();
        signing_only.remove("use");
        signing_only.insert("key_ops".into(), json!(["sign"]));
        let mut nameless = self.nameless.key.to_public_jwk();
        nameless.remove("kid");
        let mut keys = json!([
            self.issuer.key.to_public_jwk(),
            encryption,
            signing_only,
            nameless,
            { "kty": "RSA", "kid": "small", "alg": "RS256", "e": "AQAB", "n": SMALL_RSA_MODULUS },
            { "kty": "oct", "kid": "shared", "alg": "HS256", "k": base64url::encode(SHARED) },
        ]);
        keys.as_array_mut().unwrap().extend(self.others.iter().cloned());
        json!({ "keys": keys })
    }

    fn token(&self) -> Token<'_> {
        self.issuer.token(self.now)
    }

    /// Header and claims of a good token as JSON text.
    fn texts(&self) -> (String, String) {
        let Token { header, claims, .. } = self.token();
        (Value::Object(header).to_string(), Value::Object(claims).to_string())
    }

    fn sign_header(&self, edit: fn(&str) -> String) -> String {
        let (header, claims) = self.texts();
        let edited = edit(&header);
        assert_ne!(edited, header);
        sign_texts(&self.issuer.key, &edited, &claims)
    }

    fn sign_claims(&self, edit: fn(&str) -> String) -> String {
        let (header, claims) = self.texts();
        let edited = edit(&claims);
        assert_ne!(edited, claims);
        sign_texts(&self.issuer.key, &header, &edited)
    }

    /// A good token with its signature edited.
    fn with_signature(&self, edit: fn(&[u8]) -> Vec<u8>) -> String {
        let token = self.token().sign();
        let (input, signature) = token.rsplit_once('.').unwrap();
        format!("{input}.{}", base64url::encode(&edit(&base64url::decode(signature.as_bytes()).unwrap())))
    }

    /// What is signed of a good token with this header.
    fn signing_input(&self, header: &Value) -> String {
        let (_, claims) = self.texts();
        [header.to_string(), claims].map(|text| base64url::encode(text.as_bytes())).join(".")
    }

    fn sign_with_small_rsa(&self) -> String {
        let input = self.signing_input(&json!({ "alg": "RS256", "kid": "small", "typ": "at+jwt" }));
        let key = Rsa::private_key_from_der(&base64url::decode(SMALL_RSA.as_bytes()).unwrap()).unwrap();
        let key = PKey::from_rsa(key).unwrap();
        let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
        signer.set_rsa_padding(Padding::PKCS1).unwrap();
        signer.update(input.as_bytes()).unwrap();
        format!("{input}.{}", base64url::encode(&signer.sign_to_vec().unwrap()))
    }
}

/// A token of `alg: none`.
fn sign_nothing(world: &World) -> String {
    format!("{}.", world.signing_input(&json!({ "alg": "none", "typ": "at+jwt" })))
}

fn bearer(token: &str) -> Vec<u8> {
    request("/orders", &[("authorization", &format!("Bearer {token}"))])
}

fn request(target: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    head("GET", target, headers)
}

/// A request with an identity in its trailers.
fn with_trailer(target: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let chunked = [headers, &[("transfer-encoding", "chunked")]].concat();
    [&head("POST", target, &chunked)[..], b"1\r\nx\r\n0\r\nx-auth-subject: admin\r\n\r\n"].concat()
}

/// Whether an upstream would take the request for one of `admin`.
fn impersonates(response: &Response) -> bool {
    let echoed = response.echoed();
    let names = ["x-auth-subject", "x_auth_subject", "x-auth_subject"];
    names.into_iter().any(|name| echoed.headers(name).contains(&"admin") || echoed.trailers(name).contains(&"admin"))
}

/// Scopegate, the native filters, and the native filters with what closes some of the rows, before one upstream.
fn start(world: &World) -> (Server, Envoy) {
    let upstream = Server::echo(0).unwrap();
    let envoy = Envoy::shared(&json!({
        "listeners": [gate(world), native("native", world, false), native("hardened", world, true)],
        "clusters": [cluster("upstream", upstream.address)],
    }));
    (upstream, envoy)
}

fn connection_manager() -> Value {
    json!({ "path_with_escaped_slashes_action": "REJECT_REQUEST" })
}

fn gate(world: &World) -> Value {
    let gate = Gate::new(json!({
        "issuers": [{ "issuer": ISSUER, "audiences": [AUDIENCE], "jwks": { "inline": world.jwks() }, "max_lifetime": "1h" }],
        "default": { "scopes": ["orders:read"] },
        "rules": [{ "match": { "path_separated_prefix": "/open" }, "public": true }],
        "forward": { "headers": { "x-auth-subject": "sub" } },
    }));
    Gate { connection_manager: connection_manager(), ..gate }.listener()
}

fn native(name: &str, world: &World, hardened: bool) -> Value {
    let mut manager = connection_manager();
    let mut provider = json!({
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "local_jwks": { "inline_string": world.jwks().to_string() },
        "require_expiration": true,
        "max_lifetime": "3600s",
        "clock_skew_seconds": 10,
        "forward": false,
        "claim_to_headers": [{ "header_name": "x-auth-subject", "claim_name": "sub" }],
        "payload_in_metadata": "claims",
        "normalize_payload_in_metadata": { "space_delimited_claims": ["scope"] },
    });
    if hardened {
        provider["from_headers"] = json!([{ "name": "authorization", "value_prefix": "Bearer " }]);
        provider["subjects"] = json!({ "safe_regex": { "regex": ".+" } });
        manager["common_http_protocol_options"] = json!({ "headers_with_underscores_action": "DROP_HEADER" });
    }
    let jwt_authn = json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": { "issuer": provider },
            "rules": [
                { "match": { "path_separated_prefix": "/open" } },
                { "match": { "prefix": "/" }, "requires": { "provider_name": "issuer" } },
            ],
        },
    });
    let rbac = json!({
        "name": "envoy.filters.http.rbac",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
            "rules": { "action": "ALLOW", "policies": {
                "open": {
                    "permissions": [{ "url_path": { "path": { "prefix": "/open/" } } }],
                    "principals": [{ "any": true }],
                },
                "scope": {
                    "permissions": [{ "any": true }],
                    "principals": [{ "sourced_metadata": { "metadata_matcher": {
                        "filter": "envoy.filters.http.jwt_authn",
                        "path": [{ "key": "claims" }, { "key": "scope" }],
                        "value": { "list_match": { "one_of": { "string_match": { "exact": "orders:read" } } } },
                    } } }],
                },
            } },
        },
    });
    let routes = json!([{ "match": { "prefix": "/" }, "route": { "cluster": "upstream" } }]);
    listener(name, &[jwt_authn, rbac], &routes, &json!({}), &manager)
}
