//! Keys: RFC 7517, RFC 7518, RFC 8725 sections 3.4 to 3.10.

use crate::support::issuer::{AUDIENCE, Issuer, Token};
use crate::world::{Ask, DEMO, NOW, OTHER, awaited, config, get, policy, token, with_issuer};
use scopegate::config::{Node, compile};
use scopegate::crypto::{Algorithm, PureVerifier, Verification, VerificationKey, Verifier as _};
use scopegate::decision::{Decision, Need, Reason};
use scopegate::facts::{Awaited, KeyRing};
use scopegate::jose::{KeySet, KeySetError};
use scopegate::policy::{IssuerId, KeySource};
use serde_json::{Value, json};

fn with_keys(keys: Value) -> Value {
    with_issuer(json!({ "jwks": { "inline": { "keys": keys } }, "algorithms": ["ES256", "RS256", "EdDSA"] }), json!({}))
}

/// The public key of an issuer with some members changed.
fn jwk(issuer: &Issuer, changes: Value) -> Value {
    let mut jwk = issuer.key.to_public_jwk();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::String(text) if text == "-" => jwk.remove(name),
            value => jwk.insert(name.clone(), value.clone()),
        };
    }
    Value::Object(jwk)
}

fn ask(config: &Value, token: Token<'_>) -> Option<Reason> {
    get("/").bearer(token.sign()).refused(config)
}

#[test]
fn a_real_key_set_is_read_as_it_comes() {
    let config = with_keys(json!([
        { "kty": "RSA", "use": "enc", "alg": "RSA-OAEP", "kid": "enc", "n": "AQAB", "e": "AQAB" },
        { "kty": "EC", "crv": "P-521", "x": "AA", "y": "AA" },
        { "kty": "new", "x": 1 },
        "not an object",
        { "kid": 7 },
        jwk(&DEMO, json!({ "alg": null, "x5c": ["x".repeat(20_000)], "x5t": "y", "other": { "a": [1] }, "key_ops": ["verify"] })),
    ]));
    assert_eq!(ask(&config, token()), None);
    let loaded = compile(&Node::from(config), &|_| None).unwrap();
    assert_eq!(loaded.warnings.len(), 5, "{:#?}", loaded.warnings);
}

#[test]
fn a_key_that_must_not_be_used_is_not_used() {
    // Each of these comes with a good key of another kid, and its own token finds no key.
    for (case, changes) in [
        ("for encryption", json!({ "use": "enc" })),
        ("for signing only", json!({ "key_ops": ["sign"] })),
        ("for nothing", json!({ "key_ops": [] })),
        ("for another algorithm", json!({ "alg": "ES384" })),
        ("for no known algorithm", json!({ "alg": "none" })),
        ("private", json!({ "d": "AAAA" })),
        ("not on the curve", json!({ "x": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" })),
        ("too short", json!({ "x": "AAAA" })),
        ("of another curve", json!({ "crv": "P-384" })),
        ("symmetric", json!({ "kty": "oct", "k": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" })),
        ("without its type", json!({ "kty": "-" })),
        ("with a number for its id", json!({ "kid": 1 })),
    ] {
        let config = with_keys(json!([jwk(&DEMO, changes), jwk(&OTHER, json!({ "kid": "good" }))]));
        assert_eq!(ask(&config, token()), Some(Reason::UnknownKey), "{case}");
    }
}

#[test]
fn rsa_keys_are_2048_to_4096_bits_with_the_usual_exponent() {
    let rsa = Issuer::new(Algorithm::Rs256, "a");
    let refused = |changes: Value| {
        let config = with_keys(json!([jwk(&rsa, changes), jwk(&OTHER, json!({ "kid": "good" }))]));
        ask(&config, rsa.token(NOW))
    };
    assert_eq!(refused(json!({})), None);
    let n = scopegate::base::base64url::decode(rsa.key.to_public_jwk()["n"].as_str().unwrap().as_bytes()).unwrap();
    let short = scopegate::base::base64url::encode(&n[..128]);
    let long = scopegate::base::base64url::encode(&n.iter().chain(&n).chain(&n).copied().collect::<Vec<_>>());
    for changes in [
        json!({ "n": short }),
        json!({ "n": long }),
        json!({ "e": "Aw" }),
        json!({ "e": "AQ" }),
        json!({ "e": "AQAA" }),
        json!({ "n": "" }),
    ] {
        assert_eq!(refused(changes.clone()), Some(Reason::UnknownKey), "{changes}");
    }
}

#[test]
fn a_weak_ed25519_key_is_not_used() {
    let config = |x: &str| {
        with_keys(
            json!([{ "kty": "OKP", "crv": "Ed25519", "kid": "a", "x": x }, jwk(&OTHER, json!({ "kid": "good" }))]),
        )
    };
    let issuer = Issuer::new(Algorithm::EdDsa, "a");
    let good = issuer.key.to_public_jwk()["x"].as_str().unwrap().to_owned();
    assert_eq!(ask(&config(&good), issuer.token(NOW)), None);
    for x in ["AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AAAA", ""]
    {
        assert_eq!(ask(&config(x), issuer.token(NOW)), Some(Reason::UnknownKey), "{x:?}");
    }
}

#[test]
fn the_key_id_chooses_and_without_one_all_are_tried() {
    let config = with_keys(json!([jwk(&OTHER, json!({ "kid": "b" })), jwk(&DEMO, json!({}))]));
    assert_eq!(ask(&config, token()), None);
    assert_eq!(ask(&config, token().header("kid", "b")), Some(Reason::BadSignature));
    assert_eq!(ask(&config, token().header("kid", Value::Null)), None);
    for kid in ["", "A", "../a", "a' or 1=1", "https://evil/a", "a\0"] {
        assert_eq!(ask(&config, token().header("kid", kid)), Some(Reason::UnknownKey), "{kid:?}");
    }
    assert_eq!(ask(&config, token().header("kid", 1)), Some(Reason::MalformedToken));
    let nameless = with_keys(json!([jwk(&DEMO, json!({ "kid": "-" }))]));
    assert_eq!(
        ask(&nameless, token()),
        Some(Reason::UnknownKey),
        "a key without an id is not that of a token with one"
    );
    assert_eq!(ask(&nameless, token().header("kid", Value::Null)), None);
}

#[test]
fn keys_that_share_an_id_are_tried_up_to_four() {
    let others: Vec<Value> = (0..3).map(|_| jwk(&Issuer::new(Algorithm::Es256, "a"), json!({}))).collect();
    let mut fourth = others.clone();
    fourth.push(jwk(&DEMO, json!({})));
    assert_eq!(ask(&with_keys(json!(fourth)), token()), None);
    let mut fifth = others;
    fifth.push(jwk(&OTHER, json!({})));
    fifth.push(jwk(&DEMO, json!({})));
    assert_eq!(ask(&with_keys(json!(fifth)), token()), Some(Reason::BadSignature));
}

#[test]
fn the_same_key_id_under_two_issuers_never_crosses() {
    let second =
        json!({ "issuer": "https://second.example.com/", "audiences": [AUDIENCE], "jwks": { "inline": OTHER.jwks() } });
    let mut config = config(json!({}));
    config["issuers"].as_array_mut().unwrap().push(second);
    let iss = "https://second.example.com/";
    assert_eq!(ask(&config, token()), None);
    assert_eq!(ask(&config, OTHER.token(NOW).claim("iss", iss)), None);
    assert_eq!(ask(&config, OTHER.token(NOW)), Some(Reason::BadSignature));
    assert_eq!(ask(&config, token().claim("iss", iss)), Some(Reason::BadSignature));
    let narrowed = json!({ "issuers": ["demo"] });
    config["default"] = narrowed;
    assert_eq!(ask(&config, token()), None);
    assert_eq!(ask(&config, OTHER.token(NOW).claim("iss", iss)), Some(Reason::UnknownIssuer), "not good on this route");
}

#[test]
fn keys_in_the_token_are_ignored() {
    let config = config(json!({}));
    let own = Value::Object(OTHER.key.to_public_jwk());
    for (name, value) in
        [("jwk", own), ("jku", json!("https://evil/jwks")), ("x5u", json!("https://evil/x")), ("x5c", json!(["AAAA"]))]
    {
        let forged = OTHER.token(NOW).header(name, value.clone());
        assert_eq!(ask(&config, forged), Some(Reason::BadSignature), "{name}");
        assert_eq!(ask(&config, token().header(name, value)), None, "{name} on a good token");
    }
}

fn remote() -> Value {
    with_issuer(json!({ "jwks": { "uri": "https://idp.example.com/jwks.json", "cluster": "idp" } }), json!({}))
}

fn decide(ask: &Ask, keys: &KeyRing) -> Decision {
    ask.decide_with(&policy(&remote()), keys)
}

#[test]
fn only_a_token_that_passes_every_unsigned_check_waits_for_keys_and_only_once() {
    let none = KeyRing::default();
    let good = get("/").bearer(token().sign());
    assert_eq!(awaited(&decide(&good, &none)), Some(&Need::Keys(IssuerId(0))));
    let again = Ask { awaited: Awaited::Yes, ..good.clone() };
    assert!(
        matches!(decide(&again, &none), Decision::Deny(refusal) if refusal.denial.reason() == Reason::KeysUnavailable)
    );
    for (case, bad) in [
        ("expired", token().claim("exp", 1)),
        ("foreign", token().claim("aud", "x")),
        ("of another kind", token().header("typ", "JWT")),
        ("by a forbidden algorithm", token().header("alg", "HS256")),
        ("without a subject", token().claim("sub", Value::Null)),
    ] {
        assert!(matches!(decide(&get("/").bearer(bad.sign()), &none), Decision::Deny(_)), "{case}");
    }
    let mut ring = KeyRing::default();
    let keys = KeySet::parse(DEMO.jwks().to_string().as_bytes(), 10_000, 10).unwrap();
    ring.set(IssuerId(0), Some(std::rc::Rc::new(keys)));
    assert!(matches!(decide(&good, &ring), Decision::Allow(_)));
    ring.set(IssuerId(0), None);
    assert!(matches!(decide(&good, &ring), Decision::Await(_)));
}

#[test]
fn a_kid_that_no_key_has_is_awaited_once_by_a_token_that_is_good_otherwise_and_only_where_keys_are_fetched() {
    let mut ring = KeyRing::default();
    let keys = KeySet::parse(DEMO.jwks().to_string().as_bytes(), 10_000, 10).unwrap();
    ring.set(IssuerId(0), Some(std::rc::Rc::new(keys)));
    let unknown = || token().header("kid", "new");
    let ask = get("/").bearer(unknown().sign());
    assert_eq!(awaited(&decide(&ask, &ring)), Some(&Need::Kid(IssuerId(0), "new".to_owned())));
    for (awaited, reason) in [(Awaited::Yes, Reason::UnknownKey), (Awaited::InVain, Reason::KeysUnavailable)] {
        let again = Ask { awaited, ..ask.clone() };
        assert!(matches!(decide(&again, &ring), Decision::Deny(refusal) if refusal.denial.reason() == reason));
    }
    for (case, bad, reason) in [
        ("expired", unknown().claim("exp", 1), Reason::Expired),
        ("foreign", unknown().claim("aud", "x"), Reason::WrongAudience),
        ("of another kind", unknown().header("typ", "JWT"), Reason::WrongType),
        ("without kid", token().header("kid", Value::Null).header("alg", "RS256"), Reason::UnknownKey),
        ("of a known kid and another algorithm", token().header("alg", "RS256"), Reason::UnknownKey),
    ] {
        let decision = decide(&get("/").bearer(bad.sign()), &ring);
        assert!(
            matches!(&decision, Decision::Deny(refusal) if refusal.denial.reason() == reason),
            "{case}: {decision:?}"
        );
    }
    // Configured keys are all that there are.
    let configured = with_keys(DEMO.jwks()["keys"].clone());
    assert_eq!(ask.refused(&configured), Some(Reason::UnknownKey));
}

#[test]
fn the_largest_key_set_is_that_of_the_limits() {
    let document = DEMO.jwks().to_string();
    let read = |bytes: usize, keys: usize| KeySet::parse(document.as_bytes(), bytes, keys).map(|set| set.keys().len());
    assert_eq!(read(document.len(), 1), Ok(1));
    assert_eq!(read(document.len() - 1, 1), Err(KeySetError::TooLarge));
    assert_eq!(read(document.len(), 0), Err(KeySetError::TooManyKeys));
    let withdrawn = KeySet::parse(br#"{"keys":[]}"#, 100, 0).map(|set| set.keys().len());
    assert_eq!(withdrawn, Ok(0), "an issuer may withdraw all its keys");
    for (length, wanted) in [(512, None), (513, Some(Reason::UnknownKey))] {
        let kid = "k".repeat(length);
        let config = with_keys(json!([jwk(&DEMO, json!({ "kid": kid })), jwk(&OTHER, json!({ "kid": "good" }))]));
        assert_eq!(ask(&config, token().header("kid", kid)), wanted, "{length} bytes of kid");
    }
}

#[test]
fn a_key_is_tried_for_its_own_algorithm_only() {
    let rsa = Issuer::new(Algorithm::Rs256, "a");
    let with = |key: Value| {
        let algorithms = ["ES256", "RS256", "RS512", "PS256", "EdDSA"];
        with_issuer(json!({ "jwks": { "inline": { "keys": [key] } }, "algorithms": algorithms }), json!({}))
    };
    for (key, alg) in [
        (jwk(&rsa, json!({ "alg": "RS256" })), "PS256"),
        (jwk(&rsa, json!({ "alg": "RS256" })), "RS512"),
        (jwk(&rsa, json!({ "alg": "-" })), "ES256"),
        (jwk(&DEMO, json!({ "alg": "-" })), "RS256"),
        (jwk(&DEMO, json!({ "alg": "-" })), "EdDSA"),
    ] {
        assert_eq!(ask(&with(key.clone()), token().header("alg", alg)), Some(Reason::UnknownKey), "{key} {alg}");
    }
}

#[test]
fn a_verifier_compares_the_algorithm_with_the_key_again() {
    let signed = token().sign();
    let (input, signature) = signed.rsplit_once('.').unwrap();
    let signature = scopegate::base::base64url::decode(signature.as_bytes()).unwrap();
    let keys = KeySet::parse(DEMO.jwks().to_string().as_bytes(), 10_000, 10).unwrap();
    let key = &keys.keys()[0].key;
    for (algorithm, wanted) in [
        (Algorithm::Es256, Verification::Valid),
        (Algorithm::Es384, Verification::Invalid),
        (Algorithm::EdDsa, Verification::Invalid),
        (Algorithm::Hs256, Verification::Invalid),
    ] {
        let found = PureVerifier.verify(key, algorithm, input.as_bytes(), &signature);
        assert_eq!(found, wanted, "{}", algorithm.name());
    }
    let secret = VerificationKey::from_secret(Algorithm::Hs256, &[7; 64]).unwrap();
    assert!(secret.fits(Algorithm::Hs256) && !secret.fits(Algorithm::Hs384) && !secret.fits(Algorithm::Hs512));
    let secret = VerificationKey::from_secret(Algorithm::Hs384, &[7; 64]).unwrap();
    assert!(secret.fits(Algorithm::Hs384) && !secret.fits(Algorithm::Hs256) && !secret.fits(Algorithm::Hs512));
    let secret = VerificationKey::from_secret(Algorithm::Hs512, &[7; 64]).unwrap();
    assert!(secret.fits(Algorithm::Hs512) && !secret.fits(Algorithm::Hs256) && !secret.fits(Algorithm::Hs384));
}

#[test]
fn every_cluster_that_keys_are_asked_of_is_named_once() {
    let clusters = |jwks: Value| {
        let policy = policy(&with_issuer(json!({ "jwks": jwks }), json!({})));
        let KeySource::Remote(remote) = &policy.issuers[0].keys else { panic!("they are fetched") };
        remote.clusters().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(clusters(json!({ "uri": "https://issuer.example.com/keys", "cluster": "idp" })), ["idp"]);
    assert_eq!(clusters(json!({ "discovery": { "cluster": "idp" } })), ["idp"]);
    assert_eq!(clusters(json!({ "discovery": { "cluster": "idp", "jwks_cluster": "keys" } })), ["idp", "keys"]);
}
