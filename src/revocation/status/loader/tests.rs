//! What a Status List Token has to be.

use super::*;
use crate::crypto::{Algorithm, PureVerifier, test_key};
use serde_json::json;

const NOW: i64 = 1_800_000_000;
const URI: &str = "https://a.example/lists/1";
/// Section 4.1 of the draft: 16 tokens of one bit.
const LIST: &str = "eNrbuRgAAhcBXQ";

fn terms() -> StatusTerms {
    StatusTerms {
        issuer: "https://a.example".into(),
        uri: URI.into(),
        max_bytes: 1 << 20,
        algorithms: AlgorithmSet::default_for_issuer(),
        keys: KeySet::parse(test_key::jwks().as_bytes(), 10_000, 10).ok().map(Rc::new),
    }
}

fn claims() -> Value {
    json!({"iss": "https://a.example", "sub": URI, "iat": NOW - 10, "status_list": {"bits": 1, "lst": LIST}})
}

fn signed(header: &Value, claims: &Value) -> String {
    let [header, claims] = [header, claims].map(|part| base64url::encode(part.to_string().as_bytes()));
    let input = format!("{header}.{claims}");
    format!("{input}.{}", base64url::encode(&test_key::sign(input.as_bytes())))
}

fn load(document: &str, terms: &StatusTerms, in_use: Option<Signature>) -> Result<StatusList, ListError> {
    let document = Chunks::from(document.as_bytes());
    let mut loader = StatusLoader::begin(&document, terms, in_use, &PureVerifier, UnixSeconds(NOW))?;
    loop {
        if let Some(list) = loader.step()? {
            return Ok(list);
        }
    }
}

fn header() -> Value {
    json!({"alg": "EdDSA", "typ": "statuslist+jwt"})
}

fn with(claims: &Value, name: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    claims[name] = value;
    claims
}

fn without(claims: &Value, name: &str) -> Value {
    let mut claims = claims.clone();
    claims.as_object_mut().expect("an object").remove(name);
    claims
}

#[test]
fn a_token_that_its_issuer_has_signed_is_the_list() {
    let list = load(&signed(&header(), &claims()), &terms(), None).expect("a list");
    let values: Vec<u8> = (0..).map_while(|index| list.get(index)).collect();
    assert_eq!(values, [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]);
    let signature = Signature { issued_at: UnixSeconds(NOW - 10), expires_at: None, ttl: None };
    assert_eq!(list.signature(), signature);
    // White space around a file, and what may stand in its header.
    for typ in ["application/statuslist+jwt", "StatusList+JWT"] {
        let token = signed(&json!({"alg": "Ed25519", "typ": typ}), &without(&claims(), "iss"));
        assert!(load(&format!("{token}\n"), &terms(), None).is_ok(), "{typ}");
    }
}

#[test]
fn what_it_says_of_its_time_is_kept() {
    for (ttl, seconds) in [(json!(60), 60), (json!(60.9), 60), (json!(0.5), 0), (json!(1e99), u32::MAX)] {
        let claims = with(&with(&claims(), "ttl", ttl), "exp", json!(NOW + 5));
        let signature = load(&signed(&header(), &claims), &terms(), None).expect("a list").signature();
        let wanted = (Some(UnixSeconds(NOW + 5)), Some(Seconds(seconds)));
        assert_eq!((signature.expires_at, signature.ttl), wanted);
    }
}

#[test]
fn a_token_that_is_not_this_list_is_refused_whole() {
    let list = |value: Value| with(&claims(), "status_list", value);
    for (claims, why) in [
        (without(&claims(), "sub"), "`sub`"),
        (with(&claims(), "sub", json!("https://a.example/lists/2")), "`sub`"),
        (with(&claims(), "sub", json!("https://a.example/lists/1/")), "`sub`"),
        (with(&claims(), "iss", json!("https://b.example")), "`iss`"),
        (without(&claims(), "iat"), "`iat`"),
        (with(&claims(), "iat", json!(NOW + 61)), "future"),
        (with(&claims(), "nbf", json!(NOW + 61)), "future"),
        (with(&claims(), "exp", json!(NOW - 60)), "expired"),
        (with(&claims(), "ttl", json!(0)), "`ttl`"),
        (with(&claims(), "ttl", json!(-1)), "`ttl`"),
        (with(&claims(), "ttl", json!("60")), "`ttl`"),
        (with(&claims(), "ttl", Value::Null), "`ttl`"),
        (without(&claims(), "status_list"), "`status_list`"),
        (list(json!([])), "`bits`"),
        (list(json!({"lst": LIST})), "`bits`"),
        (list(json!({"bits": 3, "lst": LIST})), "`bits`"),
        (list(json!({"bits": 16, "lst": LIST})), "`bits`"),
        (list(json!({"bits": "1", "lst": LIST})), "`bits`"),
        (list(json!({"bits": 1})), "`lst`"),
        (list(json!({"bits": 1, "lst": 7})), "`lst`"),
        (list(json!({"bits": 1, "lst": "eNrbuRgAAhcBXQ=="})), "`lst`"),
        (list(json!({"bits": 1, "lst": ""})), "zlib"),
        (list(json!({"bits": 1, "lst": "AAAA"})), "zlib"),
        (list(json!({"bits": 1, "lst": "eNrbuRgAAhcB"})), "zlib"),
    ] {
        let error = load(&signed(&header(), &claims), &terms(), None).expect_err("no list").to_string();
        assert!(error.contains(why), "{claims}: {error}");
    }
    for document in ["", "{}", "<html>", "a.b.c"] {
        assert!(matches!(load(document, &terms(), None), Err(ListError::Status(_))), "{document}");
    }
}

#[test]
fn it_is_signed_by_a_key_of_the_issuer_with_an_algorithm_that_may() {
    let good = signed(&header(), &claims());
    for typ in [json!("JWT"), json!("at+jwt"), json!("statuslist+cwt"), Value::Null] {
        let header = if typ.is_null() { json!({"alg": "EdDSA"}) } else { json!({"alg": "EdDSA", "typ": typ}) };
        let error = load(&signed(&header, &claims()), &terms(), None).expect_err("no list").to_string();
        assert!(error.contains("`typ`"), "{error}");
    }
    for (header, why) in [
        (json!({"alg": "none", "typ": "statuslist+jwt"}), "`alg`"),
        (json!({"alg": "HS256", "typ": "statuslist+jwt"}), "`alg`"),
        (json!({"alg": "ES256", "typ": "statuslist+jwt"}), "`kid`"),
        (json!({"alg": "EdDSA", "typ": "statuslist+jwt", "kid": "other"}), "`kid`"),
    ] {
        let all = Algorithm::ALL.into_iter().collect();
        let terms = StatusTerms { algorithms: all, ..terms() };
        let error = load(&signed(&header, &claims()), &terms, None).expect_err("no list").to_string();
        assert!(error.contains(why), "{header}: {error}");
    }
    let others = StatusTerms { algorithms: [Algorithm::Es256].into_iter().collect(), ..terms() };
    assert!(load(&good, &others, None).is_err_and(|error| error.to_string().contains("`alg`")));
    assert!(load(&good, &StatusTerms { keys: None, ..terms() }, None).is_err());
    let mut forged = good.into_bytes();
    let at = forged.len() - 5;
    forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).expect("text");
    let error = load(&forged, &terms(), None).expect_err("no list").to_string();
    assert!(error.contains("no key verifies it"), "{error}");
}

#[test]
fn one_that_was_signed_earlier_does_not_replace_the_list_in_use() {
    let at = |issued_at: i64| signed(&header(), &with(&claims(), "iat", json!(issued_at)));
    let in_use = load(&at(NOW - 10), &terms(), None).expect("a list");
    assert!(matches!(load(&at(NOW - 11), &terms(), Some(in_use.signature())), Err(ListError::Older)));
    assert!(load(&at(NOW - 10), &terms(), Some(in_use.signature())).is_ok());
}

#[test]
fn the_document_and_what_comes_out_of_it_have_one_limit() {
    let good = signed(&header(), &claims());
    let fits = StatusTerms { max_bytes: good.len(), ..terms() };
    assert!(load(&good, &fits, None).is_ok());
    let small = StatusTerms { max_bytes: good.len() - 1, ..terms() };
    assert!(matches!(load(&good, &small, None), Err(ListError::TooLarge(_))));
}
