//! Algorithms: RFC 7518, RFC 8725. The key decides; the token's `alg` is only compared.

use crate::support::issuer::{Issuer, with_signature};
use crate::world::{DEMO, NOW, config, get, token, with_issuer};
use scopegate::base::base64url;
use scopegate::crypto::Algorithm;
use scopegate::decision::Reason;
use serde_json::{Value, json};
use std::sync::LazyLock;

static RSA: LazyLock<Issuer> = LazyLock::new(|| Issuer::new(Algorithm::Rs256, "rsa"));

fn accepting(issuer: &Issuer, algorithms: &[&str]) -> Value {
    with_issuer(json!({ "jwks": { "inline": issuer.jwks() }, "algorithms": algorithms }), json!({}))
}

#[test]
fn every_algorithm_of_public_keys_works() {
    for algorithm in [Algorithm::Es256, Algorithm::Es384, Algorithm::Es512, Algorithm::Es256k, Algorithm::EdDsa] {
        let issuer = Issuer::new(algorithm, "k");
        let config = accepting(&issuer, &[algorithm.name()]);
        assert_eq!(get("/").bearer(issuer.token(NOW).sign()).refused(&config), None, "{}", algorithm.name());
    }
    for algorithm in
        [Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512, Algorithm::Ps256, Algorithm::Ps384, Algorithm::Ps512]
    {
        let mut jwk = RSA.key.to_jwk();
        jwk.insert("alg".into(), algorithm.name().into());
        let issuer = Issuer { key: scopegate::cli::signing::SigningKey::from_jwk(&jwk).unwrap() };
        let config = accepting(&issuer, &[algorithm.name()]);
        assert_eq!(get("/").bearer(issuer.token(NOW).sign()).refused(&config), None, "{}", algorithm.name());
    }
}

#[test]
fn post_quantum_algorithms_work_where_they_are_listed() {
    for algorithm in [Algorithm::MlDsa44, Algorithm::MlDsa65, Algorithm::MlDsa87] {
        let issuer = Issuer::new(algorithm, "k");
        let token = issuer.token(NOW).sign();
        assert_eq!(
            get("/").bearer(&token).refused(&accepting(&issuer, &[algorithm.name()])),
            None,
            "{}",
            algorithm.name()
        );
        let other = Issuer::new(algorithm, "k");
        let refused = get("/").bearer(other.token(NOW).sign()).refused(&accepting(&issuer, &[algorithm.name()]));
        assert_eq!(refused, Some(Reason::BadSignature), "{}", algorithm.name());
        let mut default = accepting(&issuer, &["ES256", algorithm.name()]);
        default["issuers"][0].as_object_mut().unwrap().remove("algorithms");
        default["issuers"][0]["jwks"]["inline"]["keys"].as_array_mut().unwrap().push(DEMO.jwks()["keys"][0].clone());
        assert_eq!(get("/").bearer(&token).refused(&default), Some(Reason::AlgorithmNotAllowed), "not by default");
    }
}

#[test]
fn every_hmac_works_with_a_secret_as_long_as_its_hash() {
    use jwt_simple::algorithms::{HS256Key, HS384Key, HS512Key, MACLike};
    let secret: Vec<u8> = (0..64).collect();
    let tag = |alg: &str, text: &[u8]| match alg {
        "HS256" => HS256Key::from_bytes(&secret).authentication_tag(text),
        "HS384" => HS384Key::from_bytes(&secret).authentication_tag(text),
        _ => HS512Key::from_bytes(&secret).authentication_tag(text),
    };
    let mut config = with_issuer(
        json!({ "algorithms": ["HS256", "HS384", "HS512"], "secrets": [{ "kid": "s", "env": "SECRET_64" }] }),
        json!({}),
    );
    config["issuers"][0].as_object_mut().unwrap().remove("jwks");
    for alg in ["HS256", "HS384", "HS512"] {
        for named in ["HS256", "HS384", "HS512"] {
            let header = json!({ "alg": named, "kid": "s", "typ": "at+jwt" }).to_string();
            let payload = Value::Object(token().claims).to_string();
            let input = format!("{}.{}", base64url::encode(header.as_bytes()), base64url::encode(payload.as_bytes()));
            let signed = with_signature(&header, &payload, &tag(alg, input.as_bytes()));
            let wanted = (named != alg).then_some(Reason::BadSignature);
            assert_eq!(get("/").bearer(signed).refused(&config), wanted, "{alg} named {named}");
        }
    }
}

#[test]
fn an_eddsa_signature_has_one_form() {
    let issuer = Issuer::new(Algorithm::EdDsa, "k");
    let config = accepting(&issuer, &["EdDSA"]);
    let good = issuer.token(NOW).sign();
    let (input, signature) = good.rsplit_once('.').unwrap();
    let mut bytes = base64url::decode(signature.as_bytes()).unwrap();
    // S + L verifies the same equation: it has to be refused (RFC 8032 section 5.1.7).
    let order: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0;
    for (byte, add) in bytes[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = (sum & 0xff) as u8;
        carry = sum >> 8;
    }
    for (case, signature) in [("S + L", bytes.clone()), ("zero", vec![0; 64]), ("short", bytes[..63].to_vec())] {
        let token = format!("{input}.{}", base64url::encode(&signature));
        assert_eq!(get("/").bearer(token).refused(&config), Some(Reason::BadSignature), "{case}");
    }
}

#[test]
fn the_fully_specified_name_of_eddsa_is_known() {
    let issuer = Issuer::new(Algorithm::EdDsa, "k");
    let config = accepting(&issuer, &["EdDSA"]);
    assert_eq!(get("/").bearer(issuer.token(NOW).header("alg", "Ed25519").sign()).refused(&config), None);
    assert_eq!(
        get("/").bearer(issuer.token(NOW).header("alg", "Ed448").sign()).refused(&config),
        Some(Reason::AlgorithmNotAllowed)
    );
}

#[test]
fn no_signature_is_no_signature_in_any_spelling() {
    let config = config(json!({}));
    for alg in ["none", "None", "NONE", "nOnE", " none", ""] {
        let signed = token().header("alg", alg).sign();
        assert_eq!(get("/").bearer(&signed).refused(&config), Some(Reason::AlgorithmNotAllowed), "{alg:?}");
        let stripped = &signed[..=signed.rfind('.').unwrap()];
        assert_eq!(get("/").bearer(stripped).refused(&config), Some(Reason::MalformedToken), "{alg:?}, stripped");
    }
    for alg in [Value::Null, json!(1), json!(["ES256"])] {
        assert_eq!(
            get("/").bearer(token().header("alg", alg.clone()).sign()).refused(&config),
            Some(Reason::MalformedToken),
            "{alg}"
        );
    }
}

#[test]
fn an_algorithm_that_the_issuer_does_not_use_is_refused() {
    let config = accepting(&DEMO, &["RS256", "ES256"]);
    for alg in ["es256", "ES384", "PS256", "HS256", "ES256K", "EdDSA", "ML-DSA-44", "ES512"] {
        let token = token().header("alg", alg).sign();
        assert_eq!(get("/").bearer(token).refused(&config), Some(Reason::AlgorithmNotAllowed), "{alg}");
    }
    let confused = token().header("alg", "RS256").sign();
    assert_eq!(get("/").bearer(confused).refused(&config), Some(Reason::UnknownKey), "no RSA key of this id");
}

#[test]
fn a_public_key_is_never_a_secret() {
    // The classic confusion: HS256 keyed with some text of the RSA public key.
    let config = with_issuer(json!({ "jwks": { "inline": RSA.jwks() }, "algorithms": ["RS256"] }), json!({}));
    let header = json!({ "alg": "HS256", "kid": "rsa", "typ": "at+jwt" }).to_string();
    let payload = Value::Object(RSA.token(NOW).claims).to_string();
    let public = Value::Object(RSA.key.to_public_jwk());
    for secret in [public.to_string(), public["n"].as_str().unwrap().to_owned(), String::new()] {
        let input = format!("{}.{}", base64url::encode(header.as_bytes()), base64url::encode(payload.as_bytes()));
        let tag = hmac_sha256::HMAC::mac(input.as_bytes(), secret.as_bytes());
        let token = with_signature(&header, &payload, &tag);
        assert_eq!(get("/").bearer(token).refused(&config), Some(Reason::AlgorithmNotAllowed));
    }
}

#[test]
fn secrets_work_where_they_are_configured() {
    let config = with_issuer(
        json!({ "jwks": null, "algorithms": ["HS256"], "secrets": [{ "kid": "s", "env": "SECRET_32" }] }),
        json!({}),
    );
    let mut config = config;
    config["issuers"][0].as_object_mut().unwrap().remove("jwks");
    let secret: Vec<u8> = (0..32).collect();
    let header = json!({ "alg": "HS256", "kid": "s", "typ": "at+jwt" }).to_string();
    let payload = Value::Object(token().claims).to_string();
    let input = format!("{}.{}", base64url::encode(header.as_bytes()), base64url::encode(payload.as_bytes()));
    let mut tag = hmac_sha256::HMAC::mac(input.as_bytes(), &secret);
    assert_eq!(get("/").bearer(with_signature(&header, &payload, &tag)).refused(&config), None);
    assert_eq!(
        get("/").bearer(with_signature(&header, &payload, &tag[..31])).refused(&config),
        Some(Reason::BadSignature)
    );
    tag[0] ^= 1;
    assert_eq!(get("/").bearer(with_signature(&header, &payload, &tag)).refused(&config), Some(Reason::BadSignature));
}

#[test]
fn signatures_have_one_length_and_form() {
    let config = config(json!({}));
    let good = token().sign();
    let segments: Vec<&str> = good.split('.').collect();
    let signature = base64url::decode(segments[2].as_bytes()).unwrap();
    let zero = vec![0; 64];
    let order = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let s_is_order = [&signature[..32], &order[..]].concat();
    let der = p256::ecdsa::Signature::from_slice(&signature).unwrap().to_der().as_bytes().to_vec();
    for (case, bytes) in [
        ("bytes appended", [&signature[..], &[0]].concat()),
        ("a byte less", signature[..63].to_vec()),
        ("twice", [&signature[..], &signature[..]].concat()),
        ("zero", zero),
        ("s is the order", s_is_order),
        ("DER", der),
        (
            "another token's",
            base64url::decode(token().scope("x").sign().rsplit('.').next().unwrap().as_bytes()).unwrap(),
        ),
    ] {
        let token = format!("{}.{}.{}", segments[0], segments[1], base64url::encode(&bytes));
        assert_eq!(get("/").bearer(token).refused(&config), Some(Reason::BadSignature), "{case}");
    }
}

#[test]
fn both_forms_of_an_ecdsa_signature_are_one_token() {
    // (r, n - s) verifies as well, so nothing may name a token by its signature.
    for algorithm in [Algorithm::Es256, Algorithm::Es256k] {
        let issuer = Issuer::new(algorithm, "k");
        let config = accepting(&issuer, &[algorithm.name()]);
        let good = issuer.token(NOW).sign();
        let (input, signature) = good.rsplit_once('.').unwrap();
        let bytes = base64url::decode(signature.as_bytes()).unwrap();
        let other = match algorithm {
            Algorithm::Es256 => {
                let signature = p256::ecdsa::Signature::from_slice(&bytes).unwrap();
                let (r, s) = signature.split_scalars();
                p256::ecdsa::Signature::from_scalars(*r, -*s).unwrap().to_bytes().to_vec()
            }
            _ => {
                let signature = k256::ecdsa::Signature::from_slice(&bytes).unwrap();
                let (r, s) = signature.split_scalars();
                k256::ecdsa::Signature::from_scalars(*r, -*s).unwrap().to_bytes().to_vec()
            }
        };
        assert_ne!(other, bytes);
        let twin = format!("{input}.{}", base64url::encode(&other));
        let (first, second) = (get("/").bearer(&good).granted(&config), get("/").bearer(&twin).granted(&config));
        assert_eq!(first.token, second.token, "one fingerprint: {}", algorithm.name());
    }
}
