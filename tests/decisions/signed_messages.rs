//! HTTP message signatures (RFC 9421), with digests of bodies (RFC 9530).

use crate::support::signer::{EXAMPLE, KEY_ID, SECRET, Signer, Unsigned, content_digest, message_base};
use crate::world::{Ask, NOW, Sent, extend, get, policy};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use scopegate::challenge::{self, Terms};
use scopegate::config::{self, Node};
use scopegate::crypto::{hmac, sha256};
use scopegate::decision::{Decision, Reason};
use serde_json::{Value, json};

/// A set with these terms, for every route.
fn gate(terms: Value) -> Value {
    let point = ed25519_dalek::SigningKey::from_bytes(&[7; 32]).verifying_key().to_bytes();
    let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": scopegate::base::base64url::encode(&point) });
    crate::world::config(json!({
        "credentials": [{ "name": "banks", "signature": terms, "identities": [
            { "id": KEY_ID, "scopes": ["payments:write"], "secrets": [{ "env": "SIGNING" }] },
            { "id": "bank-2", "secrets": [{ "jwk": jwk }] },
        ] }],
        "default": { "credentials": "banks" },
    }))
}

fn now() -> Unsigned<'static> {
    Unsigned { at: NOW, ..Unsigned::default() }
}

fn ask(request: &Unsigned<'_>, headers: Vec<(String, String)>) -> Ask {
    let body = if request.body.is_empty() { Sent::Nothing } else { Sent::Whole(request.body.to_vec()) };
    let ask = Ask { body, ..get(request.target).method(request.method) };
    headers.into_iter().fold(ask, |ask, (name, value)| ask.header(&name, value))
}

fn signed(request: &Unsigned<'_>, parameters: &str) -> Ask {
    ask(request, EXAMPLE.message(request, parameters))
}

fn fresh(nonce: &str) -> String {
    format!(";created={NOW};nonce=\"{nonce}\"")
}

#[test]
fn a_signed_message_passes_and_its_signature_does_not_go_upstream() {
    let config = gate(json!({}));
    let body = b"{\"qty\":2}";
    let headers = vec![("content-digest", content_digest(body))];
    let post = Unsigned { method: "POST", target: "/orders?a=1&b=2", headers, body, ..now() };
    for request in [now(), Unsigned { target: "/orders?x", ..now() }, post.clone()] {
        let grant = signed(&request, &fresh("1")).granted(&config);
        for name in ["signature", "signature-input"] {
            assert!(grant.remove.iter().any(|other| other == name), "{name}: {grant:?}");
        }
    }
    let coming = Ask { body: Sent::Awaited, ..signed(&post, &fresh("1")) };
    let expected = coming.granted(&config).signed_body.unwrap();
    assert_eq!((expected.sha256, expected.sha512), (Some(sha256(body)), None));
    let other = Ask { body: Sent::Whole(b"{\"qty\":3}".to_vec()), ..coming.clone() };
    assert_eq!(other.refused(&config), Some(Reason::DigestMismatch));
    assert_eq!(Ask { body: Sent::Nothing, ..coming }.refused(&config), Some(Reason::DigestMismatch), "an empty body");
}

#[test]
fn a_signature_by_a_public_key_is_checked_by_the_algorithm_of_the_key_alone() {
    use ed25519_dalek::Signer as _;
    let config = gate(json!({}));
    let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let sign = |algorithm: &str| {
        let parameters = format!("{};keyid=\"bank-2\"{algorithm}", fresh("1"));
        let (components, base) = message_base(&now(), &parameters);
        let signature = STANDARD.encode(key.sign(base.as_bytes()).to_bytes());
        get("/orders")
            .header("signature-input", format!("a={components}"))
            .header("signature", format!("a=:{signature}:"))
    };
    assert_eq!(sign("").refused(&config), None);
    assert_eq!(sign(";alg=\"ed25519\"").refused(&config), None);
    assert_eq!(sign(";alg=\"hmac-sha256\"").refused(&config), Some(Reason::BadSignature));
    // The public key is no secret: nothing may be signed with it.
    let parameters = format!("{};keyid=\"bank-2\";alg=\"hmac-sha256\"", fresh("1"));
    let (components, base) = message_base(&now(), &parameters);
    let tag = STANDARD.encode(hmac(&key.verifying_key().to_bytes(), base.as_bytes()));
    let forged =
        get("/orders").header("signature-input", format!("a={components}")).header("signature", format!("a=:{tag}:"));
    assert_eq!(forged.refused(&config), Some(Reason::BadSignature));
    assert_eq!(signed(&now(), &format!("{};alg=\"ed25519\"", fresh("1"))).refused(&config), Some(Reason::BadSignature));
}

#[test]
fn what_has_to_be_signed_is_named() {
    let config = gate(json!({}));
    let named = |ask: Ask| match ask.decide_under(&config) {
        Decision::Deny(refusal) => format!("{:?}", refusal.denial),
        other => panic!("{other:?}"),
    };
    assert_eq!(named(signed(&now(), ";nonce=\"1\"")), "SignatureIncomplete(\"created\")");
    assert_eq!(named(signed(&now(), &format!(";created={NOW}"))), "SignatureIncomplete(\"nonce\")");
    let without = |component: &str| {
        let headers = EXAMPLE.message(&now(), &fresh("1"));
        let change = |(name, value): (String, String)| (name, value.replace(&format!("\"{component}\" "), ""));
        ask(&now(), headers.into_iter().map(change).collect())
    };
    for component in ["@method", "@authority", "@path"] {
        assert_eq!(named(without(component)), format!("SignatureIncomplete(\"{component}\")"));
    }
    let post = Unsigned { method: "POST", body: b"x", ..now() };
    assert_eq!(signed(&post, &fresh("1")).refused(&config), Some(Reason::BodyUnsigned), "a body without a digest");
    let dated = gate(json!({ "components": ["@method", "@target-uri", "date"] }));
    assert_eq!(signed(&now(), &fresh("1")).refused(&dated), Some(Reason::SignatureIncomplete));
}

#[test]
fn created_and_expires_hold() {
    let config = gate(json!({ "max_age": "1m", "max_ahead": "5s", "nonce": "optional" }));
    for (parameters, wanted) in [
        (format!(";created={NOW}"), None),
        (format!(";created={}", NOW - 60), None),
        (format!(";created={}", NOW - 61), Some(Reason::Stale)),
        (format!(";created={}", NOW + 5), None),
        (format!(";created={}", NOW + 6), Some(Reason::Stale)),
        (format!(";created={NOW};expires={}", NOW + 1), None),
        (format!(";created={NOW};expires={NOW}"), Some(Reason::Stale)),
    ] {
        assert_eq!(signed(&now(), &parameters).refused(&config), wanted, "{parameters}");
    }
}

#[test]
fn every_part_of_a_message_is_signed() {
    let config = gate(json!({}));
    let request = Unsigned { method: "PUT", target: "/orders/1?a=1", ..now() };
    let good = signed(&request, &fresh("1"));
    assert_eq!(good.refused(&config), None);
    for (what, other) in [
        ("the method", good.clone().method("POST")),
        ("the path", Ask { target: Some("/orders/2?a=1".into()), ..good.clone() }),
        ("an escape", Ask { target: Some("/orders/%31?a=1".into()), ..good.clone() }),
        ("the query", Ask { target: Some("/orders/1?a=2".into()), ..good.clone() }),
        ("no query", Ask { target: Some("/orders/1".into()), ..good.clone() }),
        ("the host", good.clone().header(":authority", "other.example.com")),
    ] {
        assert_eq!(other.refused(&config), Some(Reason::BadSignature), "{what}");
    }
    let changed = |from: &str, to: &str| {
        let mut ask = good.clone();
        for (name, value) in &mut ask.headers {
            if name == "signature-input" {
                *value = std::str::from_utf8(value).unwrap().replace(from, to).into_bytes();
            }
        }
        ask.refused(&config)
    };
    assert_eq!(changed("nonce=\"1\"", "nonce=\"2\""), Some(Reason::BadSignature));
    assert_eq!(changed(&format!("created={NOW}"), &format!("created={}", NOW + 1)), Some(Reason::BadSignature));
    assert_eq!(changed("AKIDEXAMPLE", "AKIDNOBODY"), Some(Reason::UnknownIdentity));
    assert_eq!(changed("\"@path\" \"@query\"", "\"@query\" \"@path\""), Some(Reason::BadSignature));
    for parameter in ["sf", "bs", "tr", "req"] {
        let component = format!("\"@path\";{parameter}");
        assert_eq!(changed("\"@path\"", &component), Some(Reason::MalformedSignature), "{parameter}");
    }
}

#[test]
fn of_several_signatures_the_one_with_the_tag_is_judged() {
    let tagged = format!("{};tag=\"gate\"", fresh("1"));
    let (own, other) =
        (EXAMPLE.message(&now(), &tagged), Signer { key_id: "x", secret: SECRET }.message(&now(), &fresh("2")));
    let both = |name: &str| {
        let of = |all: &[(String, String)]| all.iter().find(|(other, _)| other == name).unwrap().1.clone();
        (name.to_owned(), format!("{}, {}", of(&other).replacen("sig=", "via=", 1), of(&own)))
    };
    let two = ask(&now(), vec![both("signature-input"), both("signature")]);
    assert_eq!(two.refused(&gate(json!({ "tag": "gate" }))), None);
    assert_eq!(two.refused(&gate(json!({}))), Some(Reason::MalformedSignature));
    assert_eq!(two.refused(&gate(json!({ "tag": "elsewhere" }))), Some(Reason::NoCredential));
}

#[test]
fn an_answer_says_what_to_sign() {
    let mut config = gate(json!({ "tag": "gate" }));
    let accept = |ask: &Ask, config: &Value| {
        let policy = policy(config);
        let Decision::Deny(refusal) = ask.decide_under(config) else { panic!("it passes") };
        let reply = challenge::render(&refusal.denial, &refusal.trace, &Terms::of(&policy, "api"), false);
        let of = |name: &str| reply.headers.iter().find(|(other, _)| *other == name).map(|(_, value)| value.clone());
        (reply.status, of("www-authenticate"), of("accept-signature"))
    };
    let wanted = r#"sig=("@method" "@authority" "@path" "@query");created;tag="gate""#;
    let (status, scheme, told) = accept(&get("/orders"), &config);
    assert_eq!((status, scheme.as_deref(), told.as_deref()), (401, Some("Signature realm=\"api\""), Some(wanted)));
    let post = Unsigned { method: "POST", body: b"x", ..now() };
    let (_, _, told) = accept(&signed(&post, &format!("{};tag=\"gate\"", fresh("1"))), &config);
    assert_eq!(told, Some(wanted.replace(')', " \"content-digest\")")));
    extend(&mut config["default"], json!({ "scopes": ["admin"] }));
    let (status, _, told) = accept(&signed(&now(), &format!("{};tag=\"gate\"", fresh("1"))), &config);
    assert_eq!((status, told), (403, None));
}

/// One use and one body would be held against both signatures.
#[test]
fn a_request_is_signed_once_also_where_metadata_asks_for_another_signature() {
    let mut base = gate(json!({}));
    base["credentials"].as_array_mut().unwrap().push(json!({
        "name": "machines", "aksk": { "form": "sigv4", "regions": ["eu-west-1"], "services": ["orders"] },
        "identities": [{ "id": "batch", "secrets": [{ "key_id": "AKIDBATCH", "env": "SIGNING_NEXT" }] }],
    }));
    base["route_metadata"] = json!("restrict");
    let of_metadata = |written: Value| config::requirement(&Node::from(written), &policy(&base), &|_| None).unwrap();
    let machine = Signer { key_id: "AKIDBATCH", secret: "5a1f0e7c9b3d4826a7e1c0d9f8b6a5e4" };
    let mut lines = EXAMPLE.message(&now(), &fresh("1"));
    assert_eq!(ask(&now(), lines.clone()).under(of_metadata(json!({ "credentials": "banks" }))).refused(&base), None);
    lines.extend(machine.sigv4(&now(), ("eu-west-1", "orders")));
    let both = ask(&now(), lines).under(of_metadata(json!({ "credentials": "machines" })));
    assert_eq!(both.refused(&base), Some(Reason::MultipleCredentials));
    base["default"]["report_only"] = json!(true);
    let reported = both.granted(&base);
    assert_eq!(crate::world::reported(&reported), Some(Reason::MultipleCredentials), "the second alone is enforced");
}
