//! DPoP, check by check: RFC 9449, in the numbers of its section 4.3.

use crate::support::issuer::{sign_texts, with_signature};
use crate::support::prover::{Proof, Prover};
use crate::world::{Ask, NOW, config, extend, get, policy, token};
use scopegate::base::base64url;
use scopegate::challenge::{self, Terms};
use scopegate::crypto::Algorithm;
use scopegate::decision::{Decision, Reason};
use scopegate::policy::Policy;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// A client, and another one.
pub static CLIENT: LazyLock<Prover> = LazyLock::new(|| Prover::new(Algorithm::Es256));
static THIEF: LazyLock<Prover> = LazyLock::new(|| Prover::new(Algorithm::Es256));
/// A token that is bound to the key of the client.
pub static BOUND: LazyLock<String> = LazyLock::new(|| token().claim("cnf", CLIENT.cnf()).sign());

pub const HERE: &str = "https://api.example.com/orders";

/// A configuration that reads proofs, with these members in `dpop` and beside it.
pub fn reading(dpop: Value, members: Value) -> Value {
    let mut all = json!({ "origins": ["https://api.example.com"] });
    extend(&mut all, dpop);
    let mut config = config(members);
    config["dpop"] = all;
    config
}

pub fn plain() -> Value {
    reading(json!({}), json!({}))
}

pub fn good() -> Proof<'static> {
    CLIENT.proof("GET", HERE, &BOUND, NOW)
}

/// The request that the token and this proof are sent with.
pub fn sent(proof: impl AsRef<[u8]>) -> Ask {
    with_token(&BOUND).header("dpop", proof)
}

pub fn with_token(token: &str) -> Ask {
    get("/orders").header("authorization", format!("DPoP {token}"))
}

fn refused(proof: Proof<'_>) -> Option<Reason> {
    sent(proof.sign()).refused(&plain())
}

#[test]
fn a_bound_token_passes_with_a_proof_of_its_key() {
    assert_eq!(refused(good()), None);
    for algorithm in [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es384, Algorithm::Es512, Algorithm::EdDsa] {
        let client = Prover::new(algorithm);
        let bound = token().claim("cnf", client.cnf()).sign();
        let proof = client.proof("GET", HERE, &bound, NOW).sign();
        assert_eq!(with_token(&bound).header("dpop", &proof).refused(&plain()), None, "{}", algorithm.name());
        let stolen = with_token(&BOUND).header("dpop", client.proof("GET", HERE, &BOUND, NOW).sign());
        assert_eq!(stolen.refused(&plain()), Some(Reason::BoundToAnother), "{}", algorithm.name());
    }
}

/// (1), and section 7.1: the header.
#[test]
fn there_is_exactly_one_header_line() {
    let proof = good().sign();
    assert_eq!(with_token(&BOUND).refused(&plain()), Some(Reason::ProofMissing));
    for lines in [vec![""], vec![&*proof, &*proof], vec![&*proof, ""], vec![&*proof, "x"]] {
        let ask = lines.iter().fold(with_token(&BOUND), |ask, line| ask.header("dpop", line));
        assert_eq!(ask.refused(&plain()), Some(Reason::InvalidProof), "{} lines", lines.len());
    }
    let other = good().sign();
    for value in [format!("{proof},{other}"), format!("{proof}, {proof}"), format!(" {proof}"), format!("\"{proof}\"")]
    {
        assert_eq!(sent(value).refused(&plain()), Some(Reason::InvalidProof));
    }
    let elsewhere = with_token(&BOUND).header("proxy-authorization", format!("DPoP {proof}"));
    assert_eq!(elsewhere.refused(&plain()), Some(Reason::ProofMissing));
}

/// (2): one compact JWS.
#[test]
fn a_proof_is_a_jwt_and_no_longer_than_a_token() {
    let proof = good().sign();
    let parts: Vec<&str> = proof.split('.').collect();
    for text in [
        "x".to_owned(),
        "..".to_owned(),
        format!("{}.{}", parts[0], parts[1]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{proof}.x"),
        format!("{proof}="),
        format!("{}.{}.{}", parts[0], parts[2], parts[1]),
        format!("{{\"payload\":\"{}\"}}", parts[1]),
    ] {
        assert_eq!(sent(&text).refused(&plain()), Some(Reason::InvalidProof), "{text}");
    }
    let twice = format!("{{\"jti\":\"a\",{}", &serde_json::to_string(&good().claims).unwrap()[1..]);
    let header = serde_json::to_string(&good().header).unwrap();
    assert_eq!(sent(sign_texts(&CLIENT.key, &header, &twice)).refused(&plain()), Some(Reason::InvalidProof));
    // It may be as long as a token, to the last byte.
    let long = good().claim("x", "x".repeat(2000)).sign();
    for (bytes, reason) in [(long.len(), None), (long.len() - 1, Some(Reason::InvalidProof))] {
        let limits = json!({ "limits": { "token_bytes": bytes } });
        assert_eq!(sent(&long).refused(&reading(json!({}), limits)), reason, "{bytes}");
    }
}

/// (3): what must be there, and of which type.
#[test]
fn every_claim_and_header_parameter_is_there_and_of_its_type() {
    for name in ["jti", "htm", "htu", "iat", "ath"] {
        let others = [json!(null), json!(""), json!(7), json!([]), json!({}), json!(true)];
        // A number is the type of one of them.
        for value in others.into_iter().filter(|value| name != "iat" || !value.is_number()) {
            let shown = format!("{name} {value}");
            assert_eq!(refused(good().claim(name, value)), Some(Reason::InvalidProof), "{shown}");
        }
    }
    for name in ["typ", "alg", "jwk"] {
        for value in [json!(null), json!(""), json!(7), json!([]), json!({}), json!("x")] {
            let shown = format!("{name} {value}");
            assert_eq!(refused(good().header(name, value)), Some(Reason::InvalidProof), "{shown}");
        }
    }
    for value in [json!(7), json!([]), json!("")] {
        assert_eq!(refused(good().claim("nonce", value)), Some(Reason::InvalidProof));
    }
    // What is not known does not matter (P18), but for `crit`.
    assert_eq!(refused(good().claim("x", 1).header("x", 1).header("kid", "other")), None);
    assert_eq!(refused(good().header("crit", json!(["x"])).header("x", 1)), Some(Reason::InvalidProof));
    assert_eq!(refused(good().header("b64", false)), Some(Reason::InvalidProof));
}

/// (4): the type, which keeps other JWTs of the same key apart. It is a media type (RFC 7515 section 4.1.9).
#[test]
fn the_type_is_that_of_proofs() {
    for typ in ["dpop+jwt", "DPOP+JWT", "application/dpop+jwt", "Application/DPoP+jwt"] {
        assert_eq!(refused(good().header("typ", typ)), None, "{typ}");
    }
    for typ in ["JWT", "at+jwt", "dpop+jwt ", "text/dpop+jwt", "application/application/dpop+jwt", "dpop", ""] {
        assert_eq!(refused(good().header("typ", typ)), Some(Reason::InvalidProof), "{typ}");
    }
}

/// (5): the algorithm.
#[test]
fn the_algorithm_is_one_with_a_public_key_that_the_policy_lists() {
    for alg in ["none", "None", "HS256", "HS512", "RS1", "ES256K", "Ed448", "es256", "ES384", "RS256", "EdDSA"] {
        assert_eq!(refused(good().header("alg", alg)), Some(Reason::InvalidProof), "{alg}");
    }
    // An HMAC with the public key as its secret.
    let client = Prover::new(Algorithm::Rs256);
    let bound = token().claim("cnf", client.cnf()).sign();
    let forged = client.proof("GET", HERE, &bound, NOW).header("alg", "HS256");
    let header = serde_json::to_string(&forged.header).unwrap();
    let claims = serde_json::to_string(&forged.claims).unwrap();
    let forged = with_signature(&header, &claims, &[7; 32]);
    assert_eq!(with_token(&bound).header("dpop", forged).refused(&plain()), Some(Reason::InvalidProof));
    let listed = reading(json!({ "algorithms": ["EdDSA", "RS256"] }), json!({}));
    assert_eq!(sent(good().sign()).refused(&listed), Some(Reason::InvalidProof), "a good one that is not listed");
    let good = client.proof("GET", HERE, &bound, NOW).sign();
    assert_eq!(with_token(&bound).header("dpop", good).refused(&listed), None);
}

/// (6): the signature, with the key in the header.
#[test]
fn the_signature_is_of_the_key_in_the_header() {
    assert_eq!(refused(good().header("jwk", THIEF.jwk())), Some(Reason::BoundToAnother));
    let forged = good().sign_by(&THIEF.key);
    assert_eq!(sent(forged).refused(&plain()), Some(Reason::InvalidProof));
    let proof = good().sign();
    let (input, signature) = proof.rsplit_once('.').unwrap();
    let mut bytes = base64url::decode(signature.as_bytes()).unwrap();
    for at in [0, 31, 32, 63] {
        bytes[at] ^= 1;
        let forged = format!("{input}.{}", base64url::encode(&bytes));
        assert_eq!(sent(forged).refused(&plain()), Some(Reason::InvalidProof), "{at}");
        bytes[at] ^= 1;
    }
    for signature in [vec![], bytes[..63].to_vec(), [&bytes[..], &[0]].concat(), vec![0; 64]] {
        let forged = format!("{input}.{}", base64url::encode(&signature));
        assert_eq!(sent(forged).refused(&plain()), Some(Reason::InvalidProof));
    }
}

/// (6): keys that are none.
#[test]
fn a_weak_or_broken_key_proves_nothing() {
    let with = |change: &dyn Fn(&mut Value)| {
        let mut jwk = CLIENT.jwk();
        change(&mut jwk);
        refused(good().header("jwk", jwk))
    };
    let changes: [&dyn Fn(&mut Value); 11] = [
        &|jwk| jwk["x"] = jwk["y"].clone(),
        &|jwk| jwk["crv"] = json!("P-384"),
        &|jwk| jwk["crv"] = json!("P-257"),
        &|jwk| jwk["kty"] = json!("RSA"),
        &|jwk| jwk["kty"] = json!("oct"),
        &|jwk| jwk["x"] = json!("AA"),
        &|jwk| jwk["x"] = json!(format!("{}=", jwk["x"].as_str().unwrap())),
        &|jwk| jwk["use"] = json!("enc"),
        &|jwk| drop(jwk.as_object_mut().unwrap().remove("y")),
        &|jwk| *jwk = json!([jwk.clone()]),
        &|jwk| *jwk = json!(jwk.to_string()),
    ];
    for change in changes {
        assert_eq!(with(change), Some(Reason::InvalidProof));
    }
    // RSA of 1024 bits.
    let n = base64url::encode(&[&[0xc1][..], &[7; 127]].concat());
    assert_eq!(
        refused(good().header("alg", "RS256").header("jwk", json!({ "kty": "RSA", "n": n, "e": "AQAB" }))),
        Some(Reason::InvalidProof)
    );
}

/// (7): no private members.
#[test]
fn a_private_key_is_no_proof() {
    for name in ["d", "p", "q", "dp", "dq", "qi", "k"] {
        let mut jwk = CLIENT.jwk();
        jwk[name] = json!("AA");
        assert_eq!(refused(good().header("jwk", jwk)), Some(Reason::InvalidProof), "{name}");
    }
    assert_eq!(refused(good().header("jwk", Value::Object(CLIENT.key.to_jwk()))), Some(Reason::InvalidProof));
}

/// (8): the method.
#[test]
fn the_method_is_the_one_of_the_request() {
    for htm in ["POST", "get", "Get", "GET ", "HEAD", "*"] {
        assert_eq!(refused(good().claim("htm", htm)), Some(Reason::InvalidProof), "{htm}");
    }
    let head = |htm| sent(good().claim("htm", htm).sign()).method("HEAD").refused(&plain());
    assert_eq!((head("HEAD"), head("GET")), (None, Some(Reason::InvalidProof)));
}

/// (9): the address.
#[test]
fn the_address_is_the_one_of_the_request() {
    for htu in [
        HERE,
        "HTTPS://API.EXAMPLE.COM/orders",
        "https://api.example.com:443/orders",
        "https://api.example.com/orders?x=1",
        "https://api.example.com/orders#x",
        "https://api.example.com/%6Frders",
        "https://api.example.com/x/../orders",
    ] {
        assert_eq!(refused(good().claim("htu", htu)), None, "{htu}");
    }
    for htu in [
        "https://api.example.com/orders/",
        "https://api.example.com/Orders",
        "https://api.example.com/orders/1",
        "https://api.example.com/",
        "http://api.example.com/orders",
        "https://api.example.com:8443/orders",
        "https://api.example.com.evil.com/orders",
        "https://evil.com/orders",
        "https://user@api.example.com/orders",
        "https://api.example.com/%256Frders",
        "https://api.example.com/orders%3Fx=1",
        "//api.example.com/orders",
        "/orders",
        "orders",
    ] {
        assert_eq!(refused(good().claim("htu", htu)), Some(Reason::InvalidProof), "{htu}");
    }
    for target in ["/orders?x=1", "/%6frders", "/orders?access=1#"] {
        let ask = Ask { target: Some(target.to_owned()), ..sent(good().sign()) };
        assert_eq!(ask.refused(&plain()), None, "{target}");
    }
    for target in ["/Orders", "/orders/", "/", "/order%73s", "*"] {
        let ask = Ask { target: Some(target.to_owned()), ..sent(good().sign()) };
        assert_eq!(ask.refused(&plain()), Some(Reason::InvalidProof), "{target}");
    }
}

#[test]
fn nothing_of_the_request_says_where_the_gate_is() {
    let evil = || good().claim("htu", "https://evil.example.com/orders").sign();
    for (name, value) in [
        (":authority", "evil.example.com"),
        ("x-forwarded-host", "evil.example.com"),
        ("forwarded", "host=evil.example.com"),
        ("x-original-url", "https://evil.example.com/orders"),
    ] {
        assert_eq!(sent(evil()).header(name, value).refused(&plain()), Some(Reason::InvalidProof), "{name}");
        assert_eq!(sent(good().sign()).header(name, value).refused(&plain()), None, "{name}: one origin, one answer");
    }
}

#[test]
fn of_several_origins_the_authority_of_the_request_chooses() {
    let origins = json!(["https://api.example.com", "https://b.example.com:8443/svc", "http://api.example.com"]);
    let config = reading(json!({ "origins": origins }), json!({}));
    for (authority, htu, wanted) in [
        ("api.example.com", HERE, None),
        ("API.example.com:443", HERE, None),
        ("api.example.com", "http://api.example.com/orders", None),
        ("b.example.com:8443", "https://b.example.com:8443/svc/orders", None),
        ("b.example.com:8443", "https://b.example.com:8443/orders", Some(Reason::InvalidProof)),
        ("b.example.com:8443", "https://b.example.com:8443/svc/../orders", Some(Reason::InvalidProof)),
        ("b.example.com", "https://b.example.com:8443/svc/orders", Some(Reason::InvalidProof)),
        ("b.example.com:8443", HERE, Some(Reason::InvalidProof)),
        ("api.example.com", "https://b.example.com:8443/svc/orders", Some(Reason::InvalidProof)),
        ("evil.example.com", HERE, Some(Reason::InvalidProof)),
        ("evil.example.com", "https://evil.example.com/orders", Some(Reason::InvalidProof)),
    ] {
        let ask = sent(good().claim("htu", htu).sign()).header(":authority", authority);
        assert_eq!(ask.refused(&config), wanted, "{authority} {htu}");
    }
}

/// (10): the nonce.
#[test]
fn a_nonce_is_one_of_ours_and_not_too_old() {
    let with_secret =
        |name: &str| reading(json!({ "nonce": { "secret": { "env": name }, "lifetime": "1m" } }), json!({}));
    let (ours, other) = (policy(&with_secret("SECRET_32")), policy(&with_secret("SECRET_64")));
    let offered = |policy: &Policy, ask: Ask| {
        let Decision::Deny(refusal) = ask.decide(policy) else { panic!("it is refused") };
        assert_eq!(refusal.denial.reason(), Reason::UseNonce);
        let reply = challenge::render(&refusal.denial, &refusal.trace, &Terms::of(policy, "api"), false);
        let nonces: Vec<_> = reply.headers.iter().filter(|(name, _)| *name == "dpop-nonce").collect();
        assert_eq!(nonces.len(), 1);
        assert_eq!(reply.status, 401);
        nonces[0].1.clone()
    };
    let nonce = offered(&ours, sent(good().sign()));
    let with = |nonce: &str, now: i64| {
        let ask = Ask { now, ..sent(CLIENT.proof("GET", HERE, &BOUND, now).claim("nonce", nonce).sign()) };
        match ask.decide(&ours) {
            Decision::Allow(_) => None,
            Decision::Deny(refusal) => Some(refusal.denial.reason()),
            other => panic!("undecided: {other:?}"),
        }
    };
    assert_eq!(with(&nonce, NOW), None);
    assert_eq!(with(&nonce, NOW + 60), None);
    assert_eq!(with(&nonce, NOW + 61), Some(Reason::UseNonce));
    assert_eq!(with(&offered(&other, sent(good().sign())), NOW), Some(Reason::UseNonce), "of another secret");
    for text in ["x", &nonce[..31], &nonce.to_uppercase()] {
        assert_eq!(with(text, NOW), Some(Reason::UseNonce), "{text}");
    }
    assert_ne!(offered(&ours, Ask { now: NOW + 1, ..sent(good().sign()) }), nonce);
    // Where none is asked for, one may be there.
    assert_eq!(sent(good().claim("nonce", "x").sign()).refused(&plain()), None);
}

/// (11): the time.
#[test]
fn a_proof_has_been_made_just_now() {
    for (ago, wanted) in [
        (0, None),
        (10, None),
        (60, None),
        (61, Some(Reason::InvalidProof)),
        (3600, Some(Reason::InvalidProof)),
        (-8, None),
        (-10, None),
        (-11, Some(Reason::InvalidProof)),
        (-3600, Some(Reason::InvalidProof)),
    ] {
        assert_eq!(refused(good().claim("iat", NOW - ago)), wanted, "{ago} s ago");
    }
    for value in [json!(1e300), json!(-1e300), json!(u64::MAX), json!(i64::MIN), json!(0)] {
        let shown = value.to_string();
        assert_eq!(refused(good().claim("iat", value)), Some(Reason::InvalidProof), "{shown}");
    }
    let wide = reading(json!({ "max_age": "5m", "max_ahead": "0s" }), json!({}));
    let at = |ago: i64| sent(good().claim("iat", NOW - ago).sign()).refused(&wide);
    assert_eq!([at(300), at(301), at(0), at(-1)], [None, Some(Reason::InvalidProof), None, Some(Reason::InvalidProof)]);
    assert_eq!(refused(good().claim("exp", NOW)), Some(Reason::InvalidProof));
    assert_eq!(refused(good().claim("exp", NOW + 1)), None);
    assert_eq!(refused(good().claim("nbf", NOW + 11)), Some(Reason::InvalidProof));
    assert_eq!(refused(good().claim("nbf", NOW + 10)), None);
    assert_eq!(refused(good().claim("exp", "x")), Some(Reason::InvalidProof));
}

/// (12): the token, and the key that it is bound to.
#[test]
fn a_proof_is_for_one_token_and_one_key() {
    let other = token().claim("cnf", CLIENT.cnf()).claim("jti", "other").sign();
    let hash = |text: &str| good_hash(text.as_bytes());
    for ath in [
        hash(&other),
        format!("{}=", hash(&BOUND)),
        hex(&base64url::decode(hash(&BOUND).as_bytes()).unwrap()),
        hash(&format!("DPoP {}", *BOUND)),
        BOUND.clone(),
    ] {
        assert_eq!(refused(good().claim("ath", ath.clone())), Some(Reason::InvalidProof), "{ath}");
    }
    let stolen = with_token(&BOUND).header("dpop", THIEF.proof("GET", HERE, &BOUND, NOW).sign());
    assert_eq!(stolen.refused(&plain()), Some(Reason::BoundToAnother));
}

fn good_hash(text: &[u8]) -> String {
    base64url::encode(&scopegate::crypto::sha256(text))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
