//! jwt-simple reads keys, too: what it takes is taken here, and what it refuses is refused.

use super::*;
use crate::base::base64url::encode;
use jwt_simple::algorithms::{
    ES256KeyPair, ES256PublicKey, ES256kKeyPair, ES256kPublicKey, ES384KeyPair, ES384PublicKey, Ed25519KeyPair,
    Ed25519PublicKey, MLDSA44KeyPair, MLDSA44PublicKey, MLDSA65PublicKey, MLDSA87PublicKey, RS256PublicKey,
    RSAPublicKeyLike as _,
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// What both say of these members.
fn both(jwk: &Value) -> (bool, bool) {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str).unwrap_or_default();
    let (x, y) = (text("x"), text("y"));
    let (material, theirs) = match (text("kty"), text("crv"), text("alg")) {
        ("RSA", ..) => {
            (Material::Rsa { n: text("n"), e: text("e") }, RS256PublicKey::from_jwk(&jwk.to_string()).is_ok())
        }
        ("EC", "P-256", _) => {
            (Material::Ec { family: KeyFamily::P256, x, y }, ES256PublicKey::from_jwk(&jwk.to_string()).is_ok())
        }
        ("EC", "P-384", _) => {
            (Material::Ec { family: KeyFamily::P384, x, y }, ES384PublicKey::from_jwk(&jwk.to_string()).is_ok())
        }
        ("EC", ..) => {
            (Material::Ec { family: KeyFamily::Secp256k1, x, y }, ES256kPublicKey::from_jwk(&jwk.to_string()).is_ok())
        }
        ("OKP", ..) => (Material::Ed25519 { x }, Ed25519PublicKey::from_jwk(&jwk.to_string()).is_ok()),
        (_, _, alg) => {
            let (family, theirs) = match alg {
                "ML-DSA-44" => (KeyFamily::MlDsa44, MLDSA44PublicKey::from_jwk(&jwk.to_string()).is_ok()),
                "ML-DSA-65" => (KeyFamily::MlDsa65, MLDSA65PublicKey::from_jwk(&jwk.to_string()).is_ok()),
                _ => (KeyFamily::MlDsa87, MLDSA87PublicKey::from_jwk(&jwk.to_string()).is_ok()),
            };
            (Material::MlDsa { family, public: text("pub") }, theirs)
        }
    };
    (VerificationKey::from_material(material).is_ok(), theirs)
}

fn agree(jwk: &Value) -> bool {
    let (ours, theirs) = both(jwk);
    assert_eq!(ours, theirs, "{jwk}");
    ours
}

/// The members of a key that its library made, without those that say what it is for.
fn made(jwk: &str) -> Value {
    let mut jwk: Value = serde_json::from_str(jwk).expect("JSON");
    let members = jwk.as_object_mut().expect("an object");
    members.remove("use");
    if members.get("kty") != Some(&json!("AKP")) {
        members.remove("alg");
    }
    jwk
}

fn keys() -> Vec<(Value, &'static [&'static str])> {
    vec![
        (made(&ES256KeyPair::generate().public_key().to_jwk()), &["x", "y"]),
        (made(&ES384KeyPair::generate().public_key().to_jwk()), &["x", "y"]),
        (made(&ES256kKeyPair::generate().public_key().to_jwk()), &["x", "y"]),
        (made(&Ed25519KeyPair::generate().public_key().to_jwk()), &["x"]),
        (made(&MLDSA44KeyPair::generate().public_key().to_jwk()), &["pub"]),
    ]
}

/// A modulus of this many bits, which is odd.
fn modulus_of(bits: usize) -> Vec<u8> {
    let mut n = vec![0xff; bits.div_ceil(8)];
    n[0] = 0xff >> ((8 - bits % 8) % 8);
    n
}

#[test]
fn spellings_of_a_member_are_taken_and_refused_alike() {
    for (key, members) in keys() {
        assert!(agree(&key), "{key}");
        for member in members {
            let good = key[member].as_str().expect("text").to_owned();
            let bytes = base64url::decode(good.as_bytes()).expect("base64url");
            let (with_zero, without_first) = ([&[0], bytes.as_slice()].concat(), bytes[1..].to_vec());
            let bad = [
                String::new(),
                format!("{good}="),
                format!("{good} "),
                format!(" {good}"),
                format!("{good}A"),
                good.chars().skip(1).collect(),
                good.replacen(|_| true, "+", 1),
                good.replacen(|_| true, "\u{e9}", 1),
                encode(&with_zero),
                encode(&without_first),
                encode(&vec![0; bytes.len()]),
                encode(&vec![0xff; bytes.len()]),
                "A".repeat(9000),
            ];
            for text in bad {
                let mut changed = key.clone();
                changed[member] = json!(text);
                let taken = agree(&changed);
                assert!(!taken || *member == "pub", "{changed}");
            }
        }
    }
}

#[test]
fn every_key_of_ed25519_that_is_weak_or_has_two_spellings_is_refused() {
    // The points of small order, and numbers from the prime on, with either sign.
    let mut all = Vec::new();
    for last in [0x7f, 0xff] {
        for first in 0xec..=0xff {
            let mut beyond = [0xff; 32];
            (beyond[0], beyond[31]) = (first, last);
            all.push(beyond);
        }
    }
    for (first, last) in [(0, 0), (0, 0x80), (1, 0), (1, 0x80)] {
        let mut small = [0; 32];
        (small[0], small[31]) = (first, last);
        all.push(small);
    }
    for hex in [
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    ] {
        let number = u128::from_str_radix;
        let (start, end) = hex.split_at(32);
        let halves = [number(start, 16).expect("hex").to_be_bytes(), number(end, 16).expect("hex").to_be_bytes()];
        all.push(halves.concat().try_into().expect("32 bytes"));
    }
    for bytes in all {
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": encode(&bytes)});
        assert!(!agree(&jwk), "{jwk}");
    }
}

#[test]
fn moduli_are_odd_and_of_2048_to_4096_bits() {
    let rsa = |n: &[u8], e: &str| agree(&json!({"kty": "RSA", "n": encode(n), "e": e}));
    for bits in [2048, 2049, 2055, 3072, 4095, 4096] {
        let n = modulus_of(bits);
        assert!(rsa(&n, "AQAB"), "{bits}");
        assert_eq!(rsa(&[&[0], n.as_slice()].concat(), "AQAB"), bits % 8 == 0, "{bits}");
        assert!(!rsa(&[&[0, 0], n.as_slice()].concat(), "AQAB"), "{bits}");
        let mut even = n.clone();
        *even.last_mut().expect("a byte") = 0xfe;
        assert!(!rsa(&even, "AQAB"), "{bits}");
        for e in ["Aw", "AQAC", "AAEAAQ", "AQAB=", ""] {
            assert!(!rsa(&n, e), "{e}");
        }
        let theirs = RS256PublicKey::from_jwk(&json!({"kty": "RSA", "n": encode(&n), "e": "AQAB"}).to_string());
        assert_eq!(spki::rsa(&n), theirs.expect("a key").public_key().to_der().expect("DER"), "{bits}");
    }
    for bits in [1, 8, 1024, 2040, 2047, 4097, 4104] {
        assert!(!rsa(&modulus_of(bits), "AQAB"), "{bits}");
    }
    assert!(!rsa(&[], "AQAB") && !rsa(&[0], "AQAB"));
}

proptest! {
    #[test]
    fn what_is_no_key_to_one_library_is_none_to_the_other(
        which in 0..4_usize, at in 0..48_usize, byte in any::<u8>(), second in any::<bool>(),
    ) {
        let (mut key, members) = keys().swap_remove(which);
        let member = members[usize::from(second) % members.len()];
        let mut bytes = base64url::decode(key[member].as_str().expect("text").as_bytes()).expect("base64url");
        let at = at % bytes.len();
        bytes[at] = byte;
        key[member] = json!(encode(&bytes));
        agree(&key);
    }

    #[test]
    fn any_32_bytes_are_a_key_of_ed25519_to_both_or_to_neither(bytes: [u8; 32]) {
        agree(&json!({"kty": "OKP", "crv": "Ed25519", "x": encode(&bytes)}));
    }
}
