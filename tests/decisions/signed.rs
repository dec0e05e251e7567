//! Requests that are signed under an access key: AWS Signature Version 4, and the form of Apinto.

use crate::credentials::challenges;
use crate::support::signer::{EXAMPLE, KEY_ID, Signer, Unsigned, hex};
use crate::world::{Ask, NOW, Sent, awaited, compiled, config, extend, get, policy};
use scopegate::audit::AuditRecord;
use scopegate::base::time::UnixSeconds;
use scopegate::crypto::sha256;
use scopegate::decision::{Decision, MessageWanted, Need, Reason};
use scopegate::facts::{Claim, Claimed, Pool, ReplayStore};
use scopegate::policy::AuditSettings;
use serde_json::{Value, json};
use std::cell::RefCell;

const SCOPE: (&str, &str) = ("eu-west-1", "orders");

/// A set of this form, with two keys of one identity and identities that are not good, for every route.
pub fn gate(form: Value, more: Value) -> Value {
    let mut aksk = form;
    extend(&mut aksk, more);
    let key = |key_id: &str, env: &str| json!({ "key_id": key_id, "env": env });
    config(json!({
        "credentials": [{ "name": "machines", "aksk": aksk, "identities": [
            { "id": "batch", "scopes": ["orders:write"], "claims": { "tenant": "acme" },
              "secrets": [key(KEY_ID, "SIGNING"), key(KEY_ID, "SIGNING_NEXT")] },
            { "id": "gone", "disabled": true, "secrets": [key("AKIDGONE", "SECRET_32")] },
            { "id": "late", "secrets": [{ "key_id": "AKIDLATE", "env": "SECRET_64", "expires": NOW }] },
        ] }],
        "default": { "credentials": "machines" },
    }))
}

fn sigv4(more: Value) -> Value {
    gate(json!({ "form": "sigv4", "regions": ["eu-west-1", "us-east-1"], "services": ["orders", "s3"] }), more)
}

fn apinto() -> Value {
    gate(json!({ "form": "apinto" }), json!({}))
}

fn now() -> Unsigned<'static> {
    Unsigned { at: NOW, ..Unsigned::default() }
}

/// A request with these headers; one with a body has all of it.
fn ask(request: &Unsigned<'_>, headers: Vec<(String, String)>) -> Ask {
    let body = if request.body.is_empty() { Sent::Nothing } else { Sent::Whole(request.body.to_vec()) };
    let ask = Ask { body, ..get(request.target).method(request.method) };
    headers.into_iter().fold(ask, |ask, (name, value)| ask.header(&name, value))
}

fn signed(request: &Unsigned<'_>) -> Ask {
    ask(request, EXAMPLE.sigv4(request, SCOPE))
}

/// The value of `authorization` changed.
fn with_line(mut ask: Ask, change: impl Fn(&str) -> String) -> Ask {
    for (name, value) in &mut ask.headers {
        if name == "authorization" {
            *value = change(std::str::from_utf8(value).unwrap()).into_bytes();
        }
    }
    ask
}

#[test]
fn a_signed_request_passes_with_what_its_identity_is_granted() {
    let config = sigv4(json!({}));
    let post = Unsigned { method: "POST", body: b"{\"qty\":2}", ..now() };
    let query = Unsigned { target: "/orders/a%20b/%C3%A9?empty=&flag&q=a%20b", ..now() };
    for request in [now(), post.clone(), query.clone()] {
        let grant = signed(&request).granted(&config);
        assert!(grant.remove.iter().any(|name| name == "authorization"), "{grant:?}");
        assert_eq!(grant.signed_body, None, "{request:?}");
    }
    let s3 = Unsigned { headers: vec![("x-amz-content-sha256", hex(&sha256(post.body)))], ..query };
    assert_eq!(ask(&s3, EXAMPLE.sigv4(&s3, ("us-east-1", "s3"))).refused(&config), Some(Reason::DigestMismatch));
    let s3 = Unsigned { headers: vec![("x-amz-content-sha256", hex(&sha256(b"")))], ..s3 };
    assert_eq!(ask(&s3, EXAMPLE.sigv4(&s3, ("us-east-1", "s3"))).refused(&config), None);
    let next = Signer { secret: "5a1f0e7c9b3d4826a7e1c0d9f8b6a5e4", ..EXAMPLE };
    assert_eq!(ask(&now(), next.sigv4(&now(), SCOPE)).refused(&config), None, "the other secret of the key");
    let mut asks = config;
    extend(
        &mut asks["default"],
        json!({ "scopes": ["orders:write"], "claims": [{ "claim": "tenant", "equals": "acme" }] }),
    );
    assert_eq!(signed(&now()).refused(&asks), None);
    extend(&mut asks["default"], json!({ "scopes": ["admin"] }));
    assert_eq!(signed(&now()).refused(&asks), Some(Reason::InsufficientScope));
}

/// Signatures of botocore 1.44.8, whose clock stood at that time.
#[test]
fn signatures_of_botocore_are_good() {
    const AT: i64 = 1_795_867_200;
    let line = |names: &str, service: &str, signature: &str| {
        format!(
            "AWS4-HMAC-SHA256 Credential={KEY_ID}/20261128/eu-west-1/{service}/aws4_request, SignedHeaders={names}, \
             Signature={signature}"
        )
    };
    let config = sigv4(json!({}));
    let at = |target: &str, line: String| Ask {
        now: AT + 3,
        ..get(target).header("x-amz-date", "20261128T120000Z").header("authorization", line)
    };
    let target = "/orders/a%20b/%C3%A9?q=a%20b&empty=&flag";
    let get = at(
        target,
        line("host;x-amz-date", "orders", "d7c139cdae0ec0ca580838143ccc89b0c94e7e4b6a8b95afc1547bc8adcfab45"),
    );
    assert_eq!(get.refused(&config), None);
    let digest = hex(&sha256(b""));
    let names = "host;x-amz-content-sha256;x-amz-date";
    let s3 = at(target, line(names, "s3", "e6ee6bf6f5fd343f0af2709fc91a1b835f5bccd2f1288249fb759409ebfb9154"));
    assert_eq!(s3.header("x-amz-content-sha256", digest).refused(&config), None);
    let names = "content-type;host;x-amz-date";
    let post = at("/orders", line(names, "orders", "aba2e872ff0153981432a6181e36fe190263b7dbba1fb6c3c1e896386ebe9c86"))
        .method("POST")
        .header("content-type", "application/json");
    assert_eq!(Ask { body: Sent::Whole(b"{\"qty\":2}".to_vec()), ..post.clone() }.refused(&config), None);
    assert_eq!(Ask { body: Sent::Whole(b"{\"qty\":3}".to_vec()), ..post }.refused(&config), Some(Reason::BadSignature));
}

#[test]
fn every_part_of_a_request_is_signed() {
    let config = sigv4(json!({}));
    let request = Unsigned { method: "PUT", target: "/orders/1?a=1&b=2", body: b"{}", ..now() };
    let good = signed(&request);
    assert_eq!(good.refused(&config), None);
    let changed: [(&str, Ask); 8] = [
        ("the method", good.clone().method("POST")),
        ("the path", Ask { target: Some("/orders/2?a=1&b=2".into()), ..good.clone() }),
        ("the query", Ask { target: Some("/orders/1?a=1&b=3".into()), ..good.clone() }),
        ("a part of the query", Ask { target: Some("/orders/1?a=1&b=2&c".into()), ..good.clone() }),
        ("an escape", Ask { target: Some("/orders/%31?a=1&b=2".into()), ..good.clone() }),
        ("the host", good.clone().header(":authority", "other.example.com")),
        ("the body", Ask { body: Sent::Whole(b"[]".to_vec()), ..good.clone() }),
        ("the key id", with_line(good.clone(), |line| line.replace("EXAMPLE", "GONEX"))),
    ];
    for (what, ask) in changed {
        let wanted = if what == "the key id" { Reason::UnknownIdentity } else { Reason::BadSignature };
        assert_eq!(ask.refused(&config), Some(wanted), "{what}");
    }
    let upper = with_line(good.clone(), |line| {
        let (rest, signature) = line.split_once("Signature=").unwrap();
        format!("{rest}Signature={}", signature.to_uppercase())
    });
    assert_eq!(upper.refused(&config), Some(Reason::MalformedSignature), "two spellings would be two signatures");
}

#[test]
fn a_signature_is_of_this_region_and_service_and_of_now() {
    let config = sigv4(json!({ "max_age": "2m", "max_ahead": "10s" }));
    let of = |scope| ask(&now(), EXAMPLE.sigv4(&now(), scope)).refused(&config);
    assert_eq!(of(("us-east-1", "orders")), None);
    assert_eq!(of(("eu-central-1", "orders")), Some(Reason::MalformedSignature));
    assert_eq!(of(("eu-west-1", "billing")), Some(Reason::MalformedSignature));
    for (at, wanted) in [
        (NOW - 120, None),
        (NOW - 121, Some(Reason::Stale)),
        (NOW + 10, None),
        (NOW + 11, Some(Reason::Stale)),
        (NOW - 86_400, Some(Reason::Stale)),
    ] {
        assert_eq!(signed(&Unsigned { at, ..now() }).refused(&config), wanted, "{}", at - NOW);
    }
}

#[test]
fn what_has_to_be_signed_is_named() {
    let config = sigv4(json!({ "signed_headers": ["content-type"] }));
    let refused = |ask: &Ask| match ask.decide_under(&config) {
        Decision::Deny(refusal) => format!("{:?}", refusal.denial),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&signed(&now())), "SignatureIncomplete(\"content-type\")");
    let typed = Unsigned { headers: vec![("content-type", "text/plain".to_owned())], ..now() };
    assert_eq!(signed(&typed).refused(&config), None);
    let target = signed(&typed).header("x-amz-target", "Orders.Delete");
    assert_eq!(refused(&target), "SignatureIncomplete(\"x-amz-target\")");
    let cdn = signed(&typed).header("x-amz-cf-id", "abc").header("X_Amz_Cf".to_lowercase().as_str(), "1");
    let removed = cdn.granted(&config).remove;
    for name in ["x-amz-cf-id", "x_amz_cf", "authorization"] {
        assert!(removed.iter().any(|other| other == name), "{name}: {removed:?}");
    }
}

/// Frameworks take it for the method, so a GET that is not used up would be good for a DELETE.
#[test]
fn another_method_in_a_header_has_to_be_signed_and_is_good_once() {
    let config = sigv4(json!({}));
    for name in ["x-http-method-override", "x-http-method", "x-method-override", "x_http_method_override"] {
        let added = signed(&now()).header(name, "DELETE");
        assert_eq!(added.refused(&config), Some(Reason::SignatureIncomplete), "{name}");
    }
    let request = Unsigned { headers: vec![("x-http-method-override", "DELETE".to_owned())], ..now() };
    let (policy, store) = (compiled(&config).policy, Once::default());
    let is_granted = || matches!(signed(&request).decide_after(&policy, &store), Decision::Allow(_));
    assert_eq!((is_granted(), is_granted()), (true, false));
}

#[test]
fn a_body_is_held_where_no_header_has_its_digest() {
    let config = sigv4(json!({}));
    let post = Unsigned { method: "POST", body: b"{\"qty\":2}", ..now() };
    let coming = Ask { body: Sent::Awaited, ..signed(&post) };
    let wanted = MessageWanted { max_bytes: 1 << 20, holds_headers: true };
    assert_eq!(awaited(&coming.decide_under(&config)), Some(&Need::Message(wanted)));
    let long = |length: &str| coming.clone().header("content-length", length).decide_under(&config);
    assert!(matches!(long("1048577"), Decision::Deny(refusal) if refusal.denial.reason() == Reason::BodyTooLarge));
    assert!(matches!(long("1048576"), Decision::Await(_)));
    for key_id in ["AKIDNOBODY", "AKIDGONE"] {
        let other = with_line(coming.clone(), |line| line.replace("AKIDEXAMPLE", key_id));
        let long = other.header("content-length", "1048577");
        assert_eq!(
            long.refused(&config),
            Some(Reason::BodyTooLarge),
            "{key_id}: the answer does not tell which ids there are"
        );
    }
    assert_eq!(Ask { body: Sent::TooLarge, ..coming.clone() }.refused(&config), Some(Reason::BodyTooLarge));
    let trailed = Ask { body: Sent::WithTrailers(post.body.to_vec()), ..coming.clone() };
    assert_eq!(trailed.refused(&config), Some(Reason::BodyUnsigned));
    let unknown = with_line(coming.clone(), |line| line.replace("AKIDEXAMPLE", "AKIDNOBODY"));
    assert_eq!(unknown.refused(&config), Some(Reason::UnknownIdentity), "nothing is held for a key that is unknown");
    for protocol in ["websocket", "connect-udp", "tcp, websocket"] {
        let mut handshake = coming.clone().header("upgrade", protocol);
        handshake.method = "GET".to_owned();
        assert_eq!(handshake.refused(&config), Some(Reason::BodyUnsigned), "{protocol}");
    }
    let empty = Unsigned { body: b"", ..post };
    let streamed = Ask { body: Sent::Whole(b"x".to_vec()), ..signed(&empty) };
    assert_eq!(streamed.refused(&config), Some(Reason::BodyUnsigned), "as `curl -T` signs");
}

#[test]
fn a_body_whose_digest_is_signed_goes_on_as_it_comes() {
    let config = sigv4(json!({ "signed_headers": ["x-amz-content-sha256"] }));
    let digest = sha256(b"{\"qty\":2}");
    let headers = vec![("x-amz-content-sha256", hex(&digest))];
    let post = Unsigned { method: "POST", body: b"{\"qty\":2}", headers, ..now() };
    let coming = Ask { body: Sent::Awaited, ..signed(&post) };
    let body = coming.granted(&config).signed_body.unwrap();
    assert_eq!((body.sha256, body.sha512, body.report_only), (Some(digest), None, false));
    let long = Ask { body: Sent::TooLarge, ..signed(&post) }.granted(&config);
    assert_eq!(long.signed_body.unwrap().sha256, Some(digest), "such a body has no bound");
    assert_eq!(signed(&post).granted(&config).signed_body, None, "it is here, and has been compared");
    assert_eq!(Ask { body: Sent::Whole(b"{}".to_vec()), ..coming }.refused(&config), Some(Reason::DigestMismatch));
    for unsigned in ["UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"] {
        let request = Unsigned { headers: vec![("x-amz-content-sha256", unsigned.to_owned())], ..post.clone() };
        assert_eq!(signed(&request).refused(&config), Some(Reason::BodyUnsigned), "{unsigned}");
    }
    let mut reports = config;
    reports["report_only"] = json!(true);
    let grant = Ask { body: Sent::Awaited, ..signed(&post) }.granted(&reports);
    assert!(grant.signed_body.unwrap().report_only);
}

#[test]
fn an_identity_that_is_not_good_is_refused_whatever_it_signs() {
    let mut config = sigv4(json!({}));
    let gone = Signer { key_id: "AKIDGONE", secret: "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" };
    let forged = Signer { secret: "another secret of twenty", ..gone };
    for signer in [gone, forged] {
        assert_eq!(ask(&now(), signer.sigv4(&now(), SCOPE)).refused(&config), Some(Reason::Revoked));
    }
    let other = Signer { secret: "another secret of twenty", ..EXAMPLE };
    assert_eq!(ask(&now(), other.sigv4(&now(), SCOPE)).refused(&config), Some(Reason::BadSignature));
    config["revocation"] = json!({ "entries": [{ "credential": "machines", "id": "batch" }] });
    for signer in [EXAMPLE, other] {
        assert_eq!(ask(&now(), signer.sigv4(&now(), SCOPE)).refused(&config), Some(Reason::Revoked));
    }
    let policy = policy(&config);
    let decision = signed(&now()).decide_under(&config);
    let record = AuditRecord::of(&decision, &policy, AuditSettings::default(), b"GET").unwrap();
    let shown = record.to_json();
    assert!(shown.contains("\"identity\":\"batch\"") && shown.contains("\"credential\":\"aksk\""), "{shown}");
    assert!(!shown.contains("wJalr") && !shown.contains("Signature="), "{shown}");
}

#[test]
fn every_answer_names_the_scheme_and_none_shows_what_was_signed() {
    let config = sigv4(json!({}));
    let post = Unsigned { method: "POST", body: b"{}", ..now() };
    let other = Signer { secret: "another secret of twenty", ..EXAMPLE };
    let unknown = Signer { key_id: "AKIDNOBODY", ..EXAMPLE };
    let bad = |signer: Signer<'_>| challenges(&ask(&post, signer.sigv4(&post, SCOPE)), &config);
    assert_eq!(bad(other), bad(unknown), "an unknown key is not told from a wrong secret");
    let (status, lines, body) = bad(other);
    assert_eq!(status, 401);
    let text = "The signature is not one that this resource accepts";
    assert_eq!(
        lines,
        [format!("AWS4-HMAC-SHA256 realm=\"api\", error=\"invalid_signature\", error_description=\"{text}\"")]
    );
    assert!(body.contains(text) && !body.contains("orders"), "{body}");
    let (status, lines, _) = challenges(&get("/orders"), &config);
    assert_eq!((status, lines), (401, vec!["AWS4-HMAC-SHA256 realm=\"api\"".to_owned()]));
}

#[test]
fn a_request_that_is_signed_in_its_query_is_refused_on_every_route() {
    let config = sigv4(json!({}));
    for query in ["X-Amz-Signature=abc", "x-amz-credential=a", "a=1&X-Amz-Security-Token=t"] {
        assert_eq!(get(&format!("/open?{query}")).refused(&config), Some(Reason::TokenInQuery), "{query}");
    }
}

/// Remembers what was claimed, and lets the first claim of each pass.
#[derive(Default)]
struct Once(RefCell<Vec<(Vec<Vec<u8>>, i64)>>);

impl ReplayStore for Once {
    fn claim(&self, claim: &Claim<'_>, _: UnixSeconds) -> Claimed {
        assert_eq!(claim.pool, Pool::Signatures);
        let id: Vec<Vec<u8>> = claim.id.iter().map(|part| part.to_vec()).collect();
        let known = self.0.borrow().iter().any(|(other, _)| *other == id);
        self.0.borrow_mut().push((id, claim.until.0));
        if known { Claimed::Again } else { Claimed::First }
    }
}

#[test]
fn a_signature_that_changes_something_is_good_once() {
    let post = Unsigned { method: "POST", ..now() };
    for (replay, get, second_get, second_post) in [
        (json!({}), 0, None, Some(Reason::Replayed)),
        (json!({ "replay": "all" }), 1, Some(Reason::Replayed), Some(Reason::Replayed)),
        (json!({ "replay": "none" }), 0, None, None),
    ] {
        let policy = compiled(&sigv4(replay.clone())).policy;
        let store = Once::default();
        let again = |request: &Unsigned<'_>| match signed(request).decide_after(&policy, &store) {
            Decision::Allow(_) => None,
            Decision::Deny(refusal) => Some(refusal.denial.reason()),
            other => panic!("{other:?}"),
        };
        assert_eq!((again(&now()), store.0.borrow().len()), (None, get), "{replay}");
        assert_eq!(again(&now()), second_get, "{replay}");
        assert_eq!((again(&post), again(&post)), (None, second_post), "{replay}");
    }
}

#[test]
fn nothing_is_used_up_by_a_request_that_is_refused() {
    let mut config = sigv4(json!({}));
    extend(&mut config["default"], json!({ "scopes": ["admin"] }));
    let store = Once::default();
    let post = signed(&Unsigned { method: "POST", ..now() });
    let decision = post.decide_after(&policy(&config), &store);
    assert!(matches!(decision, Decision::Deny(refusal) if refusal.denial.reason() == Reason::InsufficientScope));
    assert_eq!(store.0.borrow().len(), 0);
}

#[test]
fn requests_are_signed_as_apinto_has_it() {
    let config = apinto();
    let post = Unsigned {
        method: "POST",
        target: "/orders?a=1&b=2",
        headers: vec![("content-type", "application/json".to_owned())],
        body: b"{\"qty\":2}",
        ..now()
    };
    let signed = |request: &Unsigned<'_>| ask(request, EXAMPLE.apinto(request));
    assert_eq!(signed(&post).refused(&config), None);
    assert_eq!(signed(&now()).refused(&config), None);
    let unsorted = Ask { target: Some("/orders?b=2&a=1".into()), ..signed(&post) };
    assert_eq!(unsorted.refused(&config), None, "the parts of a query are sorted");
    for (what, target) in [
        ("a name twice", "/orders?a=1&a=1&b=2"),
        ("a part without a value", "/orders?a=1&b=2&admin"),
        ("a path with a slash at its end", "/orders/?a=1&b=2"),
    ] {
        let other = Ask { target: Some(target.into()), ..signed(&post) };
        assert_eq!(other.refused(&config), Some(Reason::MalformedSignature), "{what}");
    }
    let body = Ask { body: Sent::Whole(b"{\"qty\":3}".to_vec()), ..signed(&post) };
    assert_eq!(body.refused(&config), Some(Reason::BadSignature));
    let nonce = Unsigned { headers: vec![("x-gateway-nonce", "n-1".to_owned())], ..now() };
    let store = Once::default();
    let policy = policy(&config);
    let decide = || signed(&nonce).decide_after(&policy, &store);
    assert!(matches!(decide(), Decision::Allow(_)));
    assert!(matches!(decide(), Decision::Deny(refusal) if refusal.denial.reason() == Reason::Replayed));
}

#[test]
fn a_token_beside_a_signature_is_two_credentials() {
    let mut config = sigv4(json!({}));
    config["default"] = json!({ "credentials": { "any_of": ["bearer", "machines"] } });
    assert_eq!(signed(&now()).refused(&config), None);
    assert_eq!(get("/orders").bearer(crate::world::token().sign()).refused(&config), None);
    let both = signed(&now()).bearer("x");
    assert_eq!(both.refused(&config), Some(Reason::MultipleCredentials));
}
