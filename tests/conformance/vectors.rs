//! The published vectors, in the form that the runner takes.

use crate::support::envoy::root;
use crate::support::yaml;
use scopegate::base::base64url;
use serde_json::{Value, json};
use std::str::FromStr as _;

/// What a case is published as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Valid,
    Invalid,
    /// Accepting it is no mistake, and refusing it neither: strict is what is wanted here.
    Acceptable,
}

/// A set of vectors.
#[derive(Debug)]
pub struct Suite {
    pub name: String,
    pub groups: Vec<Value>,
    /// The number of each case, and what it should give, in the order of the groups.
    pub cases: Vec<(u64, Wanted)>,
}

/// All suites.
pub fn suites() -> Vec<Suite> {
    let mut all = rfc();
    all.extend(WYCHEPROOF.iter().map(|(name, family)| wycheproof(name, *family)));
    all
}

/// What the runner is given.
pub fn document(suites: &[Suite]) -> String {
    let suites: Vec<Value> = suites.iter().map(|suite| json!({ "name": suite.name, "groups": suite.groups })).collect();
    json!({ "suites": suites }).to_string()
}

fn wanted(text: &str) -> Wanted {
    match text {
        "valid" => Wanted::Valid,
        "invalid" => Wanted::Invalid,
        "acceptable" => Wanted::Acceptable,
        other => panic!("{other}"),
    }
}

fn rfc() -> Vec<Suite> {
    let mut suites: Vec<Suite> = Vec::new();
    let documents = yaml::documents(&root().join("tests/conformance/rfc.yaml"));
    for example in documents[0].as_array().unwrap() {
        let name = example["suite"].as_str().unwrap();
        if suites.last().is_none_or(|last| last.name != name) {
            suites.push(Suite { name: name.to_owned(), groups: Vec::new(), cases: Vec::new() });
        }
        let suite = suites.last_mut().unwrap();
        let case = if let Some(token) = example.get("token") {
            token.clone()
        } else {
            let input = example["signing_input"].as_str().unwrap();
            json!([base64url::encode(input.as_bytes()), example["signature"]])
        };
        let mut group = json!({ "alg": example["alg"], "cases": [case] });
        match example["key"].get("k") {
            Some(secret) => group["secret"] = secret.clone(),
            None => group["jwk"] = example["key"].clone(),
        }
        suite.groups.push(group);
        suite.cases.push((suite.cases.len() as u64 + 1, wanted(example["wanted"].as_str().unwrap())));
    }
    suites
}

#[derive(Clone, Copy)]
enum Family {
    Ecdsa {
        algorithm: &'static str,
        curve: &'static str,
        coordinate: usize,
    },
    Ed25519,
    Rsa(&'static str),
    /// PSS with the algorithm that the hash of the group has.
    Pss,
    Hmac(&'static str),
    MlDsa(&'static str),
}

const P256: Family = Family::Ecdsa { algorithm: "ES256", curve: "P-256", coordinate: 32 };
const P384: Family = Family::Ecdsa { algorithm: "ES384", curve: "P-384", coordinate: 48 };
const P521: Family = Family::Ecdsa { algorithm: "ES512", curve: "P-521", coordinate: 66 };
const SECP256K1: Family = Family::Ecdsa { algorithm: "ES256K", curve: "secp256k1", coordinate: 32 };

/// The sets of the crate that are about something JWS has, and those that are nearly that.
const WYCHEPROOF: &[(&str, Family)] = &[
    ("ecdsa_secp256r1_sha256_p1363", P256),
    ("ecdsa_secp384r1_sha384_p1363", P384),
    ("ecdsa_secp521r1_sha512_p1363", P521),
    ("ecdsa_secp256k1_sha256_p1363", SECP256K1),
    ("ed25519", Family::Ed25519),
    ("rsa_signature_2048_sha256", Family::Rsa("RS256")),
    ("rsa_signature_3072_sha256", Family::Rsa("RS256")),
    ("rsa_signature_4096_sha256", Family::Rsa("RS256")),
    ("rsa_signature_8192_sha256", Family::Rsa("RS256")),
    ("rsa_signature_2048_sha384", Family::Rsa("RS384")),
    ("rsa_signature_3072_sha384", Family::Rsa("RS384")),
    ("rsa_signature_4096_sha384", Family::Rsa("RS384")),
    ("rsa_signature_8192_sha384", Family::Rsa("RS384")),
    ("rsa_signature_2048_sha512", Family::Rsa("RS512")),
    ("rsa_signature_3072_sha512", Family::Rsa("RS512")),
    ("rsa_signature_4096_sha512", Family::Rsa("RS512")),
    ("rsa_signature_8192_sha512", Family::Rsa("RS512")),
    ("rsa_pss_2048_sha256_mgf1_32", Family::Pss),
    ("rsa_pss_2048_sha256_mgf1_32_params", Family::Pss),
    ("rsa_pss_3072_sha256_mgf1_32", Family::Pss),
    ("rsa_pss_3072_sha256_mgf1_32_params", Family::Pss),
    ("rsa_pss_4096_sha256_mgf1_32", Family::Pss),
    ("rsa_pss_2048_sha384_mgf1_48", Family::Pss),
    ("rsa_pss_4096_sha384_mgf1_48", Family::Pss),
    ("rsa_pss_4096_sha512_mgf1_64", Family::Pss),
    ("rsa_pss_4096_sha512_mgf1_64_params", Family::Pss),
    ("rsa_pss_2048_sha256_mgf1_0", Family::Pss),
    ("rsa_pss_2048_sha256_mgf1sha1_20", Family::Pss),
    ("rsa_pss_2048_sha512_mgf1sha256_32_params", Family::Pss),
    ("rsa_pss_4096_sha512_mgf1_32", Family::Pss),
    ("rsa_pss_misc", Family::Pss),
    ("hmac_sha256", Family::Hmac("HS256")),
    ("hmac_sha384", Family::Hmac("HS384")),
    ("hmac_sha512", Family::Hmac("HS512")),
    ("mldsa_44_verify", Family::MlDsa("ML-DSA-44")),
    ("mldsa_65_verify", Family::MlDsa("ML-DSA-65")),
    ("mldsa_87_verify", Family::MlDsa("ML-DSA-87")),
];

/// The text of a set, as it is published.
fn published(name: &str, family: Family) -> &'static str {
    use wycheproof::{ecdsa, eddsa, mac, mldsa_verify, rsa_pkcs1_verify, rsa_pss_verify};
    let found = match family {
        Family::Ecdsa { .. } => ecdsa::TestName::from_str(name).map(|name| name.json_data()),
        Family::Ed25519 => eddsa::TestName::from_str(name).map(|name| name.json_data()),
        Family::Rsa(_) => rsa_pkcs1_verify::TestName::from_str(name).map(|name| name.json_data()),
        Family::Pss => rsa_pss_verify::TestName::from_str(name).map(|name| name.json_data()),
        Family::Hmac(_) => mac::TestName::from_str(name).map(|name| name.json_data()),
        Family::MlDsa(_) => mldsa_verify::TestName::from_str(name).map(|name| name.json_data()),
    };
    found.unwrap_or_else(|_| panic!("no set {name}"))
}

fn wycheproof(name: &str, family: Family) -> Suite {
    let set: Value = serde_json::from_str(published(name, family)).unwrap();
    let mut suite = Suite { name: name.to_owned(), groups: Vec::new(), cases: Vec::new() };
    for group in set["testGroups"].as_array().unwrap() {
        let Some((algorithm, jwk)) = key(group, family) else { continue };
        let tests = group["tests"].as_array().unwrap();
        let secret_of = |test: &Value| matches!(family, Family::Hmac(_)).then(|| base64(&hex(&test["key"])));
        for test in tests {
            let signature = test.get("sig").or_else(|| test.get("tag")).unwrap();
            let case = json!([base64(&hex(&test["msg"])), base64(&hex(signature))]);
            suite.cases.push((test["tcId"].as_u64().unwrap(), wanted(test["result"].as_str().unwrap())));
            match (suite.groups.last_mut(), secret_of(test)) {
                (_, Some(secret)) => {
                    suite.groups.push(json!({ "alg": algorithm, "secret": secret, "cases": [case] }));
                }
                (Some(last), None) if last["jwk"] == jwk && last["alg"] == algorithm => {
                    last["cases"].as_array_mut().unwrap().push(case);
                }
                (_, None) => suite.groups.push(json!({ "alg": algorithm, "jwk": jwk, "cases": [case] })),
            }
        }
    }
    assert!(!suite.cases.is_empty(), "{name}");
    suite
}

/// The algorithm and the key of a group; `None` for a hash that JWS does not have.
fn key(group: &Value, family: Family) -> Option<(&'static str, Value)> {
    let public = &group["publicKey"];
    let rsa = || {
        let number = |name: &str| base64(&without_zeros(&hex(&public[name])));
        json!({ "kty": "RSA", "n": number("modulus"), "e": number("publicExponent") })
    };
    Some(match family {
        Family::Ecdsa { algorithm, curve, coordinate } => {
            let number = |name: &str| {
                let bytes = without_zeros(&hex(&public[name]));
                base64(&[vec![0; coordinate - bytes.len()], bytes].concat())
            };
            (algorithm, json!({ "kty": "EC", "crv": curve, "x": number("wx"), "y": number("wy") }))
        }
        Family::Ed25519 => ("EdDSA", json!({ "kty": "OKP", "crv": "Ed25519", "x": base64(&hex(&public["pk"])) })),
        Family::Rsa(algorithm) => (algorithm, rsa()),
        Family::Pss => match group["sha"].as_str().unwrap() {
            "SHA-256" => ("PS256", rsa()),
            "SHA-384" => ("PS384", rsa()),
            "SHA-512" => ("PS512", rsa()),
            _ => return None,
        },
        Family::Hmac(algorithm) => (algorithm, Value::Null),
        Family::MlDsa(algorithm) => (algorithm, json!({ "kty": "AKP", "alg": algorithm, "pub": base64(&hex(public)) })),
    })
}

fn base64(bytes: &[u8]) -> String {
    base64url::encode(bytes)
}

fn hex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn without_zeros(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().skip_while(|&byte| byte == 0).collect()
}
