use super::super::test_request::TestRequest;
use super::*;
use crate::base::text::to_hex;
use crate::base::time::UnixSeconds;
use crate::crypto::{hmac, sha256};
use proptest::prelude::*;

const SECRET: &[u8] = b"5a1f0e7c9b3d4826a7e1c0d9f8b6a5e4";
const BODY: &[u8] = br#"{"qty":2}"#;

/// A request as clients send it. Its signature is none.
fn request(method: &str, target: &str, signed: &str) -> TestRequest {
    let authorization = format!("HMAC-SHA256 Access=acme, SignedHeaders={signed}, Signature={}", "0a".repeat(32));
    let headers = [(DATE, "20261128T120000Z"), ("content-type", "application/json"), ("authorization", &authorization)];
    TestRequest::new(method, target, &headers)
}

fn get(target: &str) -> TestRequest {
    request("GET", target, "host;x-gateway-date")
}

fn with<T>(request: &TestRequest, then: impl FnOnce(SignedRequest<'_>, &RequestView<'_>) -> Result<T>) -> Result<T> {
    request.view(|view| {
        let value = view.sole_value("authorization").expect("one line");
        let space = value.iter().position(|byte| *byte == b' ').expect("a scheme");
        then(read(&value[..space], &value[space + 1..], view)?, view)
    })
}

fn canonical(request: &TestRequest, body: &[u8]) -> Result<String> {
    let text = with(request, |signed, view| signed.canonical_request(view, Some(&sha256(body))))?;
    Ok(String::from_utf8(text.expect("a canonical request")).expect("ASCII"))
}

fn string_to_sign(request: &TestRequest, body: &[u8]) -> Result<Vec<u8>> {
    with(request, |signed, view| signed.string_to_sign(view, Some(&sha256(body))))
}

fn fault(request: &TestRequest) -> Option<Fault> {
    string_to_sign(request, b"").err()
}

fn refused(request: &TestRequest) -> &'static str {
    match fault(request) {
        Some(Fault::Malformed(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_post_is_signed_as_apinto_signs_it() {
    let request = request("POST", "/orders?b=2&a=1", "content-type;host;x-gateway-date");
    let wanted = "POST\n/orders/\na=1&b=2\ncontent-type:application/json\nhost:api.example.com\n\
        x-gateway-date:20261128T120000Z\n\ncontent-type;host;x-gateway-date\n\
        1fc7d7d333dc4a41f0fcbde36745f2fabc441a6ae0e846ffcd32ceb4438dcc2a";
    assert_eq!(canonical(&request, BODY).as_deref(), Ok(wanted));
    let digest = to_hex(&sha256(wanted.as_bytes()));
    assert_eq!(digest, "4da66fc5901f0da0983c9cbb49163dfde4e8c47e21fdd01c78a0bde2b9abb952");
    let text = string_to_sign(&request, BODY).expect("no fault");
    assert_eq!(text, format!("HMAC-SHA256\n20261128T120000Z\n{digest}").into_bytes());
    let signature = "ec3cb3f270044dc335498b220c392defc62aa14736063f234f12cf5f220089b3";
    assert_eq!(to_hex(&hmac(SECRET, &text)), signature);
}

#[test]
fn a_query_is_encoded_as_apinto_encodes_it() {
    let request = get("/orders/1?q=a%20b&e=&n=1%2B1");
    let text = canonical(&request, b"").expect("no fault");
    assert_eq!(text.lines().nth(2), Some("e=&n=1%252B1&q=a%2Bb"));
    let signature = to_hex(&hmac(SECRET, &string_to_sign(&request, b"").expect("no fault")));
    assert_eq!(signature, "f33a608e1989fe7bcb5b4c0fbb55597043d1ac49a2ceecc67e18b18f6ead7dcc");
}

#[test]
fn what_a_request_says_of_its_signature_is_read() {
    let signed = "X-Gateway-Nonce;host;x-gateway-date;Content-Type";
    let request = request("GET", "/", signed).add(NONCE, " 4f1d2c ");
    with(&request.add("content_type", "a").add("x-amz-a", "b"), |signed, view| {
        assert_eq!((signed.key_id, signed.signature.as_slice()), ("acme", &[10; 32][..]));
        assert_eq!(signed.made_at, Some(UnixSeconds(1_795_867_200)));
        assert_eq!(signed.nonce.as_deref(), Some("4f1d2c"));
        assert_eq!((signed.scope, signed.expires_at, signed.algorithm), (None, None, None));
        let covered: Vec<&str> = signed.covered().collect();
        assert_eq!(covered, ["x-gateway-nonce", "host", "x-gateway-date", "content-type"], "in the order given");
        assert_eq!(signed.payload(), Payload::Body);
        assert_eq!(signed.unsigned_headers(view), ["content_type"]);
        Ok(())
    })
    .expect("no fault");
    let text = canonical(&request, b"").expect("no fault");
    let lines: Vec<&str> = text.lines().skip(3).take(6).collect();
    let names = "x-gateway-nonce;host;x-gateway-date;content-type";
    let of_headers = ["x-gateway-nonce:4f1d2c", "host:api.example.com", "x-gateway-date:20261128T120000Z"];
    assert_eq!(lines, [&of_headers[..], &["content-type:application/json", "", names]].concat());
}

#[test]
fn the_scheme_is_signed_as_it_is_spelt() {
    let good = get("/");
    let beginning = |spelt: &str| {
        let text = string_to_sign(&good.replace("authorization", "HMAC-SHA256", spelt), b"").expect("no fault");
        String::from_utf8(text).expect("ASCII").lines().next().map(str::to_owned)
    };
    for spelt in ["HMAC-SHA256", "hmac-sha256", "SDK-HMAC-SHA256"] {
        assert_eq!(beginning(spelt).as_deref(), Some(spelt));
    }
    for other in ["HMAC-SHA512", "AWS4-HMAC-SHA256", "HMAC-SHA256\u{e9}", ""] {
        let wanted = "this is not its scheme";
        assert_eq!(refused(&good.replace("authorization", "HMAC-SHA256", other)), wanted, "{other}");
    }
}

#[test]
fn each_part_of_authorization_has_one_form() {
    let good = get("/");
    let signature = "the signature is not 64 hexadecimal digits in lower case";
    for (old, new, wanted) in [
        (", Signature=", ", Sign=", "`Authorization` has an unknown parameter"),
        ("Access=", "access=", "`Authorization` has an unknown parameter"),
        ("Access=acme", "acme", "`Authorization` is not a list of parameters"),
        ("Access=acme", "Access=acme, Access=b", "`Authorization` has a parameter twice"),
        ("Access=acme, ", "", "`Authorization` lacks a parameter"),
        ("Access=acme", "Access=", "this is no key id"),
        ("Access=acme", "Access=a b", "this is no key id"),
        ("host;", "host;host;", "`SignedHeaders` has a name twice"),
        ("host;", "host;Host;", "`SignedHeaders` has a name twice"),
        ("host;", "host;;", "`SignedHeaders` has what is no name of a header"),
        ("host;", "host;a;", "a signed header is absent"),
        ("0a0a", "0A0A", signature),
        ("0a0a", "", signature),
    ] {
        assert_eq!(refused(&good.replace("authorization", old, new)), wanted, "{old} -> {new}");
    }
}

#[test]
fn host_date_and_nonce_have_to_be_signed() {
    let good = get("/");
    let incomplete = |request: &TestRequest| match fault(request) {
        Some(Fault::Incomplete(name)) => name,
        other => panic!("{other:?}"),
    };
    assert_eq!(incomplete(&good.replace("authorization", "host;", "")), "host");
    assert_eq!(incomplete(&good.replace("authorization", ";x-gateway-date", "")), DATE);
    assert_eq!(incomplete(&good.add(NONCE, "a")), NONCE);
    let signed = good.replace("authorization", "host;", "host;x-gateway-nonce;");
    assert_eq!(refused(&signed), "a signed header is absent");
    assert_eq!(refused(&signed.add(NONCE, "a").add(NONCE, "a")), "a signed header has two lines");
    for nonce in ["", &"a".repeat(257)] {
        assert_eq!(refused(&signed.add(NONCE, nonce)), "`x-gateway-nonce` is empty, or longer than 256 bytes");
    }
    assert_eq!(fault(&signed.add(NONCE, "a".repeat(256))), None);
}

#[test]
fn a_signed_header_has_one_line_of_printable_ascii() {
    let good = request("GET", "/", "host;x-gateway-date;content-type");
    assert_eq!(string_to_sign(&good.set("content-type", "\t application/json "), b""), string_to_sign(&good, b""));
    assert_ne!(
        string_to_sign(&good.set("content-type", "a  b"), b""),
        string_to_sign(&good.set("content-type", "a b"), b"")
    );
    assert_eq!(refused(&good.add("content-type", "a")), "a signed header has two lines");
    for value in ["a\u{e9}", "a\nb", "a\tb"] {
        let bad = good.set("content-type", value);
        assert_eq!(refused(&bad), "a signed header could be read in two ways");
        assert!(with(&bad, |_, _| Ok(())).is_err(), "before anything is made of it");
    }
    for value in ["20261128T120060Z", "", "1795867200"] {
        assert_eq!(refused(&good.set(DATE, value)), "the date is no time as 20260131T090500Z", "{value}");
    }
    for method in ["get", "Get", ""] {
        assert_eq!(refused(&good.set(":method", method)), "the method is not in upper case");
    }
}

#[test]
fn a_path_has_one_spelling() {
    let line = |path: &str| canonical(&get(path), b"").expect("no fault").lines().nth(1).map(str::to_owned);
    for (path, wanted) in
        [("/", "/"), ("/a", "/a/"), ("/a%20b/c", "/a b/c/"), ("/a+b:c;d/..", "/a+b:c;d/../"), ("/%7Ea%40%2A", "/~a@*/")]
    {
        assert_eq!(line(path).as_deref(), Some(wanted), "{path}");
    }
    for path in ["/a/", "//", "/a//"] {
        assert_eq!(refused(&get(path)), "the path ends with `/`", "{path}");
    }
    for escape in ["%2F", "%5C", "%25", "%3F", "%23", "%00", "%1F", "%7F", "%C3%A9", "%80", "%2E", "%3B", "\\", "#"] {
        let wanted = "the path has an escape, or a byte, with more than one reading";
        assert_eq!(refused(&get(&format!("/a{escape}b"))), wanted, "{escape}");
        assert_eq!(refused(&get(&format!("/a{escape}"))), wanted, "{escape}");
    }
    for escape in ["%", "%2", "%zz", "%c3", "%2f", "%+1"] {
        let wanted = "an escape is not `%` and two digits in upper case";
        assert_eq!(refused(&get(&format!("/a{escape}"))), wanted, "{escape}");
        assert_eq!(refused(&get(&format!("/?a=b{escape}"))), wanted, "{escape}");
        assert_eq!(refused(&get(&format!("/?a{escape}=b"))), wanted, "{escape}");
    }
    for path in ["a", "", "*", "/\u{e9}", "/a b"] {
        assert_eq!(refused(&get(path)), "the path is not visible ASCII that begins with `/`", "{path}");
    }
}

#[test]
fn one_signature_is_not_good_for_several_queries() {
    for query in ["", "a", "a=1&admin", "a=1&", "&a=1", "a=1&&b=2", "a==1", "a=1=", "=1", "="] {
        let wanted = "a part of the query is not a name, one `=`, and a value";
        assert_eq!(refused(&get(&format!("/?{query}"))), wanted, "{query}");
    }
    for query in ["a=9&a=1", "a=1&b=2&a=1", "a=1&%61=2", "a+b=1&a%20b=2"] {
        assert_eq!(refused(&get(&format!("/?{query}"))), "the query has a parameter twice", "{query}");
    }
    for query in ["a=1;admin", "a=;", "a;b=1", "a=1&b=2;c"] {
        assert_eq!(refused(&get(&format!("/?{query}"))), "the query has a `;`", "{query}");
    }
    for query in ["a=\u{e9}", "a=b c"] {
        assert_eq!(refused(&get(&format!("/?{query}"))), "the query is not visible ASCII", "{query}");
    }
    let many = |count: usize| {
        let parts: Vec<String> = (0..count).map(|number| format!("a{number}=")).collect();
        get(&format!("/?{}", parts.join("&")))
    };
    assert_eq!(fault(&many(256)), None);
    assert_eq!(refused(&many(257)), "the query has more than 256 parameters");
    let line =
        |query: &str| canonical(&get(&format!("/?{query}")), b"").expect("no fault").lines().nth(2).map(str::to_owned);
    for (query, wanted) in [
        ("b=2&a=1&a-b=3&a%20b=4", "a=1&a%2Bb=4&a-b=3&b=2"),
        ("a=%C3%A9%26%3D~*", "a=%25C3%25A9%2526%253D~%252A"),
        ("a=+%2B", "a=%2B%252B"),
    ] {
        assert_eq!(line(query).as_deref(), Some(wanted), "{query}");
    }
}

proptest! {
    #[test]
    fn a_change_of_one_byte_changes_what_is_signed(
        path in "/([a-c;+]|%20|%2D){0,4}",
        query in proptest::collection::btree_map("([a-e+]|%20|%25){1,2}", "([a-c+]|%2F){0,3}", 0..4),
        value in "[a-c ]{0,4}",
        (name, at, byte) in (0_usize..6, any::<prop::sample::Index>(), any::<u8>()),
    ) {
        let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let target = if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) };
        let good = request("PUT", &target, "host;x-gateway-date;content-type").set("content-type", &value);
        let name = [":path", ":path", ":method", ":authority", DATE, "content-type"][name];
        let before = good.view(|view| view.sole_value(name).expect("one line").to_vec());
        if before.is_empty() {
            return Ok(());
        }
        let mut after = before.clone();
        after[at.index(before.len())] = byte;
        let same = before.trim_ascii() == after.trim_ascii();
        let [first, second] = [good.clone(), good.set(name, &after)].map(|request| string_to_sign(&request, b""));
        prop_assert!(first.is_err() || second.is_err() || (first == second) == same, "{good:?} {after:?}");
        prop_assert!(first.is_err() || string_to_sign(&good, b"a") != first);
    }

    #[test]
    fn no_bytes_make_it_panic(
        value: Vec<u8>,
        scheme: Vec<u8>,
        lines in proptest::collection::vec(("host|x-gateway-[a-z]{4,5}|:path|:method|[a-z]", any::<Vec<u8>>()), 0..6),
    ) {
        let mut changed = get("/");
        for (name, value) in &lines {
            changed = changed.set(name, value);
        }
        let _ = string_to_sign(&changed, b"");
        changed.view(|view| {
            let _ = read(&scheme, &value, view);
            let _ = read(b"HMAC-SHA256", &value, view);
        });
    }
}
