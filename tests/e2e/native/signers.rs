//! Who signs a token that is good but for that, and with what.

use super::changes::{Kind, Spell, refused};
use super::keyring::{SECOND, forms, identity, member, private_jwk, tag, under};
use super::spellings::{halves, sum};
use super::{SHARED, World};
use crate::support::issuer::{ISSUER, Issuer};
use jwt_simple::algorithms::{RS256KeyPair, RSAKeyPairLike as _};
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use ring::digest;
use scopegate::base::{base64url, json};
use scopegate::cli::signing::SigningKey;
use scopegate::crypto::{Algorithm, Material, PureVerifier, Verification, VerificationKey, Verifier as _};
use serde_json::{Map, Value, json};
use superboring::hash::MessageDigest;
use superboring::pkey::PKey;
use superboring::reexports::rsa::BigUint;
use superboring::rsa::Padding;
use superboring::sign::{RsaPssSaltlen, Signer};

/// The order of the group of Ed25519.
const ED25519_ORDER: [u8; 32] = [
    0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0xde, 0xf9, 0xde, 0xa2, 0xf7, 0x9c, 0xd6, 0x58, 0x12,
    0x63, 0x1a, 0x5c, 0xf5, 0xd3, 0xed,
];

pub(super) fn base64url_of(text: &str) -> String {
    base64url::encode(text.as_bytes())
}

/// The token with its header edited, and another signature.
fn remade(token: &str, edit: impl FnOnce(&mut Map<String, Value>), sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    // Of a header that is none, or that holds something twice, nothing can be kept.
    let header = base64url::decode(parts[0].as_bytes()).and_then(|text| json::parse_object(&text));
    let mut header = header.unwrap_or_else(|| Map::from_iter([("typ".to_owned(), json!("at+jwt"))]));
    edit(&mut header);
    let input = format!("{}.{}", base64url_of(&Value::Object(header).to_string()), parts[1]);
    format!("{input}.{}", base64url::encode(&sign(input.as_bytes())))
}

/// The token with this `alg` and `kid`.
fn named(token: &str, alg: &str, kid: Option<&str>, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let edit = |header: &mut Map<String, Value>| {
        header.insert("alg".to_owned(), json!(alg));
        match kid {
            Some(kid) => header.insert("kid".to_owned(), json!(kid)),
            None => header.remove("kid"),
        };
    };
    remade(token, edit, sign)
}

/// The token with the `alg` and the `kid` of this key.
fn resigned(token: &str, key: &SigningKey, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    named(token, key.algorithm.name(), key.kid.as_deref(), sign)
}

/// Signs as the key does.
fn with(key: &SigningKey) -> impl FnOnce(&[u8]) -> Vec<u8> {
    |input| key.sign(input).unwrap()
}

fn claims_of(token: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&base64url::decode(token.split('.').nth(1)?.as_bytes())?).ok()
}

/// The encoded message of PKCS #1 (RFC 8017 section 9.2): what a signature is to the power of the exponent.
fn encoded(input: &[u8]) -> Vec<u8> {
    let information = b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20";
    [&b"\x00\x01"[..], &[0xff; 202], b"\x00", information, &scopegate::crypto::sha256(input)].concat()
}

/// Signs by PSS with a salt of this length.
fn sign_with_salt(issuer: &Issuer, length: i32, input: &[u8]) -> Vec<u8> {
    let pair = RS256KeyPair::from_jwk(&private_jwk(issuer)).unwrap();
    let key = PKey::from_rsa(pair.key_pair().as_ref().clone()).unwrap();
    let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
    signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
    signer.set_rsa_pss_saltlen(RsaPssSaltlen::custom(length)).unwrap();
    signer.update(input).unwrap();
    signer.sign_to_vec().unwrap()
}

/// Signs with a key of P-256 as its owner would with one of P-384.
fn sign_by_es384(issuer: &Issuer, input: &[u8]) -> Vec<u8> {
    let key = p256::ecdsa::SigningKey::from_slice(&member(&issuer.key.to_jwk(), "d")).unwrap();
    let signature: p256::ecdsa::Signature = key.sign_prehash(digest::digest(&digest::SHA384, input).as_ref()).unwrap();
    signature.to_bytes().to_vec()
}

pub(super) const SIGNERS: &[Kind<Spell>] = &[
    refused("it is signed with a foreign key", |token, keyring, random| {
        let key = &keyring.foreign[random.below(keyring.foreign.len())].key;
        let kid = random.of(&[key.kid.as_deref(), Some("foreign"), Some("free"), None]);
        named(token, key.algorithm.name(), kid, with(key))
    }),
    refused("its issuer and its key are those of two issuers", |token, keyring, random| {
        let claims = claims_of(token);
        let is_of_second = claims.as_ref().is_some_and(|claims| claims.get("iss") == Some(&json!(SECOND)));
        let (own, other) = (&keyring.world.issuer.key, &keyring.second.key);
        let (own, other, others_name) = if is_of_second { (other, own, ISSUER) } else { (own, other, SECOND) };
        match claims {
            // The key of the one, the name of the other.
            Some(mut claims) if random.chance(2) => {
                claims.insert("iss".to_owned(), json!(others_name));
                let header = token.split('.').next().unwrap();
                let renamed = format!("{header}.{}.", base64url_of(&Value::Object(claims).to_string()));
                resigned(&renamed, own, with(own))
            }
            _ => resigned(token, other, with(other)),
        }
    }),
    refused("it is signed with a public key as a secret", |token, keyring, random| {
        let base = random.of(&keyring.bases());
        let key = &base.issuer.key;
        let secret = random.of(&forms(base.issuer));
        let name = random.of(&["HS256", "HS384", "HS512"]);
        let kid = random.of(&[key.kid.as_deref(), key.kid.as_deref(), Some("shared"), None]);
        named(token, name, kid, |input| tag(name, &secret, input))
    }),
    refused("it is signed with the secret of the key set", |token, _, random| {
        let name = random.of(&["HS256", "HS256", "HS512"]);
        named(token, name, Some("shared"), |input| tag(name, SHARED, input))
    }),
    refused("it is signed by another algorithm than that of its key", |token, keyring, random| {
        let issuer = keyring.of(random.of(&[Algorithm::Rs256, Algorithm::Ps256]));
        let others = [Algorithm::Rs256, Algorithm::Rs384, Algorithm::Rs512, Algorithm::Ps256, Algorithm::Ps512];
        let algorithm =
            random.of(&others.map(|other| if other == issuer.key.algorithm { Algorithm::Ps384 } else { other }));
        let key = under(issuer, algorithm);
        resigned(token, &key, with(&key))
    }),
    refused("it is signed for a key of another family", |token, keyring, random| {
        let bases = keyring.bases();
        let (signer, wanted) = (&random.of(&bases).issuer.key, &random.of(&bases).issuer.key);
        let wanted = if wanted.algorithm == signer.algorithm { &keyring.free[1].key } else { wanted };
        let alg = random.of(&[signer.algorithm.name(), wanted.algorithm.name()]);
        named(token, alg, wanted.kid.as_deref(), with(signer))
    }),
    refused("its algorithm is none of the family of its key", |token, keyring, random| {
        // Nothing in the key set says what these keys are for, but their type does.
        let key = &keyring.free[random.below(2)].key;
        let names = if key.algorithm == Algorithm::Es256 { ["RS256", "EdDSA"] } else { ["RS256", "ES256"] };
        named(token, random.of(&names), key.kid.as_deref(), with(key))
    }),
    refused("it is signed by ES384 with a key of P-256", |token, keyring, random| {
        let issuer = if random.chance(2) { &keyring.free[0] } else { &keyring.world.issuer };
        named(token, "ES384", issuer.key.kid.as_deref(), |input| sign_by_es384(issuer, input))
    }),
    refused("it is signed with a salt of another length", |token, keyring, random| {
        let issuer = keyring.of(Algorithm::Ps256);
        let length = random.of(&[0, 1, 20, 31, 33, 64, 222]);
        resigned(token, &issuer.key, |input| sign_with_salt(issuer, length, input))
    }),
    refused("it offers the key that it is signed with", |token, keyring, random| {
        let key = &keyring.foreign[0].key;
        let (name, value) = match random.below(4) {
            0 => ("jwk", Value::Object(key.to_public_jwk())),
            1 => ("x5c", json!([keyring.certificate])),
            2 => ("jku", json!(keyring.offered_at())),
            _ => ("x5u", json!(keyring.offered_at())),
        };
        let kid = random.of(&[json!("a"), json!("foreign"), Value::Null]);
        let edit = |header: &mut Map<String, Value>| {
            let members = [("alg", json!("ES256")), ("kid", kid), (name, value)];
            header.extend(members.into_iter().map(|(name, value)| (name.to_owned(), value)));
            header.retain(|_, value| !value.is_null());
        };
        remade(token, edit, with(key))
    }),
    refused("it is signed with a key that is not for this", |_, keyring, random| {
        let World { encryption, signing_only, nameless, now, .. } = &keyring.world;
        match random.below(4) {
            0 => encryption.token(*now).sign(),
            1 => signing_only.token(*now).sign(),
            2 => nameless.token(*now).sign(),
            _ => keyring.world.sign_with_small_rsa(),
        }
    }),
    refused("it is signed with a key whose private part is published", |token, keyring, _| {
        resigned(token, &keyring.leaked.key, with(&keyring.leaked.key))
    }),
    refused("the signature is in the form of X.509", |token, keyring, _| {
        resigned(token, &keyring.world.issuer.key, |input| {
            let signature = keyring.world.issuer.key.sign(input).unwrap();
            p256::ecdsa::Signature::from_slice(&signature).unwrap().to_der().as_bytes().to_vec()
        })
    }),
    refused("an RSA signature is larger by the modulus", |token, keyring, _| {
        let key = &keyring.of(Algorithm::Rs256).key;
        let modulus = member(&key.to_public_jwk(), "n");
        resigned(token, key, |input| sum(&key.sign(input).unwrap(), &modulus))
    }),
    refused("an Ed25519 signature is larger by the order", |token, keyring, _| {
        let key = &keyring.of(Algorithm::EdDsa).key;
        resigned(token, key, |input| {
            let (r, mut s) = halves(&key.sign(input).unwrap());
            s.reverse();
            let mut larger = sum(&s, &ED25519_ORDER);
            larger.reverse();
            [r, larger].concat()
        })
    }),
    refused("it is signed for a key of small order", |token, _, _| {
        named(token, "EdDSA", Some("small-order"), |_| [identity(), [0; 32]].concat())
    }),
    refused("it is signed for a key that must not exist", |token, keyring, random| {
        match random.below(4) {
            // The first power of a number is the number itself.
            0 => named(token, "RS256", Some("exponent-1"), encoded),
            1 => named(token, "RS256", Some("even-exponent-1"), encoded),
            2 => named(token, "RS256", Some("even"), encoded),
            _ => named(token, "ES256", Some("off-curve"), with(&keyring.foreign[0].key)),
        }
    }),
];

#[test]
fn what_is_forged_is_what_it_is_said_to_be() {
    let (rsa, pss) = (Issuer::new(Algorithm::Rs256, "a"), Issuer::new(Algorithm::Ps256, "b"));
    let [modulus, exponent, signature] = [
        member(&rsa.key.to_public_jwk(), "n"),
        member(&rsa.key.to_public_jwk(), "e"),
        rsa.key.sign(b"message").unwrap(),
    ]
    .map(|bytes| BigUint::from_bytes_be(&bytes));
    assert_eq!(signature.modpow(&exponent, &modulus), BigUint::from_bytes_be(&encoded(b"message")));
    let jwk = pss.key.to_public_jwk();
    let material = Material::Rsa { n: jwk["n"].as_str().unwrap(), e: jwk["e"].as_str().unwrap() };
    let key = VerificationKey::from_material(material).unwrap();
    let verify =
        |length| PureVerifier.verify(&key, Algorithm::Ps256, b"message", &sign_with_salt(&pss, length, b"message"));
    assert_eq!([31, 32, 33].map(verify), [Verification::Invalid, Verification::Valid, Verification::Invalid]);
}
