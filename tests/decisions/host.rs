//! The host's cryptography, with ring in its place: asked in Envoy's form, it answers as the libraries in the module do.
//! The host itself is asked by the conformance tests.

use crate::support::issuer::{AUDIENCE, ISSUER, Issuer};
use crate::world::{NOW, configured_keys, policy};
use proptest::prelude::*;
use proptest::sample::select;
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use scopegate::base::base64url;
use scopegate::base::time::UnixSeconds;
use scopegate::crypto::{Algorithm, HostForm, PureVerifier, Verification, VerificationKey, Verifier};
use scopegate::decision::Decision;
use scopegate::engine::decide;
use scopegate::facts::Facts;
use scopegate::policy::Policy;
use scopegate::request::RequestView;
use scopegate::revocation::Revocations;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// What Envoy's `verify_signature` is given.
#[derive(Clone, PartialEq, prost::Message)]
struct Arguments {
    #[prost(string, tag = "1")]
    hash: String,
    #[prost(bytes = "vec", tag = "2")]
    public_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    signature: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    text: Vec<u8>,
}

struct StandIn;

impl Verifier for StandIn {
    fn verify(&self, key: &VerificationKey, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Verification {
        let form = HostForm::of(algorithm).expect("an algorithm of the host");
        let Some(arguments) = form.arguments(key, message, signature) else { return Verification::Invalid };
        let Arguments { hash, public_key, signature, text } = prost::Message::decode(arguments.as_slice()).unwrap();
        // ring takes what is in a SubjectPublicKeyInfo: a point, or an RSAPublicKey.
        let (with, key): (&dyn VerificationAlgorithm, &[u8]) = match (algorithm, hash.as_str()) {
            (Algorithm::Es256, "sha256") => (&signature::ECDSA_P256_SHA256_ASN1, &public_key[public_key.len() - 65..]),
            (Algorithm::Es384, "sha384") => (&signature::ECDSA_P384_SHA384_ASN1, &public_key[public_key.len() - 97..]),
            (Algorithm::Rs256, "sha256") => (&signature::RSA_PKCS1_2048_8192_SHA256, &public_key[24..]),
            (Algorithm::Rs512, "sha512") => (&signature::RSA_PKCS1_2048_8192_SHA512, &public_key[24..]),
            other => panic!("{other:?}"),
        };
        match UnparsedPublicKey::new(with, key).verify(&text, &signature) {
            Ok(()) => Verification::Valid,
            Err(_) => Verification::Invalid,
        }
    }
}

static ISSUERS: LazyLock<[Issuer; 4]> = LazyLock::new(|| {
    [Algorithm::Es256, Algorithm::Es384, Algorithm::Rs256, Algorithm::Rs512]
        .map(|algorithm| Issuer::new(algorithm, algorithm.name()))
});

static POLICY_OF_ALL: LazyLock<Value> = LazyLock::new(|| {
    let keys: Vec<Value> = ISSUERS.iter().map(|issuer| Value::Object(issuer.key.to_public_jwk())).collect();
    json!({ "issuers": [{
        "issuer": ISSUER, "name": "demo", "audiences": [AUDIENCE], "jwks": { "inline": { "keys": keys } },
    }] })
});

fn judge(policy: &Policy, token: &str, verifier: &dyn Verifier) -> Decision {
    let value = format!("Bearer {token}");
    let headers: [(&[u8], &[u8]); 4] =
        [(b":method", b"GET"), (b":authority", b"a"), (b":path", b"/"), (b"authorization", value.as_bytes())];
    let view = RequestView { headers: &headers, route_name: None, virtual_host: None, ends_with_headers: true };
    let (keys, revocations) = (configured_keys(policy), Revocations::none());
    decide(policy, &view, &Facts::offline(&UnixSeconds(NOW), &keys, verifier, &revocations))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_host_and_the_vm_decide_alike(
        issuer in 0..4_usize,
        what in select(vec!["nothing", "a bit", "a byte less", "a byte more", "a byte before", "zeros", "ones", "the halves"]),
        at in any::<prop::sample::Index>(), bit in 0..8_u8, kid in prop::option::of(0..4_usize),
    ) {
        let policy = policy(&POLICY_OF_ALL);
        let kid = kid.map_or(Value::Null, |kid| Value::from(ISSUERS[kid].key.algorithm.name()));
        let signed = ISSUERS[issuer].token(NOW).header("kid", kid).sign();
        let (input, signature) = signed.rsplit_once('.').unwrap();
        let mut signature = base64url::decode(signature.as_bytes()).unwrap();
        let length = signature.len();
        match what {
            "a bit" => signature[at.index(length)] ^= 1 << bit,
            "a byte less" => drop(signature.pop()),
            "a byte more" => signature.push(0),
            "a byte before" => signature.insert(0, 0),
            "zeros" => signature.fill(0),
            "ones" => signature.fill(0xff),
            "the halves" => signature.rotate_left(length / 2),
            _ => {}
        }
        let token = format!("{input}.{}", base64url::encode(&signature));
        let (host, vm) = (judge(&policy, &token, &StandIn), judge(&policy, &token, &PureVerifier));
        prop_assert_eq!(&host, &vm, "{}", token);
        prop_assert!(what == "nothing" || matches!(host, Decision::Deny(_)));
    }
}
