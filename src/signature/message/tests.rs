use super::super::test_request::TestRequest;
use super::*;
use crate::base::base64url;
use crate::base::text::to_hex;
use crate::crypto::{hmac, sha256};
use proptest::prelude::*;

const FULL: &str = r#"("@method" "@authority" "@path" "@query" "content-digest");created=1795867200;keyid="partner-1";alg="hmac-sha256";nonce="4f1d2c""#;
const DIGEST: &str = "sha-256=:H8fX0zPcSkHw/L3jZ0Xy+rxEGmrg6Eb/zTLOtEONzCo=:";

/// A request with this input of a signature, which is none.
fn request(target: &str, input: &str) -> TestRequest {
    let headers = [(INPUT, &*format!("sig1={input}")), (SIGNATURE, "sig1=:CgoK:")];
    TestRequest::new("POST", target, &headers)
}

/// One with every part.
fn full() -> TestRequest {
    request("/orders?a=1&b=2", FULL).add(CONTENT_DIGEST, DIGEST)
}

/// One with these components.
fn over(components: &str) -> TestRequest {
    request("/orders?a=1", &format!(r#"({components});keyid="a""#))
}

fn with<T>(request: &TestRequest, then: impl FnOnce(SignedRequest<'_>, &RequestView<'_>) -> Result<T>) -> Result<T> {
    request.view(|view| then(read(view, None)?.expect("a signature"), view))
}

fn base(request: &TestRequest) -> Result<String> {
    let text = with(request, |signed, view| signed.string_to_sign(view, None))?;
    Ok(String::from_utf8(text).expect("ASCII"))
}

/// The first line of the base, past the name of its component.
fn value(request: &TestRequest) -> Result<String> {
    let base = base(request)?;
    let line = base.lines().next().expect("a line");
    Ok(line.split_once("\": ").expect("a name").1.to_owned())
}

fn refused(request: &TestRequest) -> &'static str {
    match base(request) {
        Err(Fault::Malformed(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn standard(bytes: &[u8]) -> String {
    let text = base64url::encode(bytes).replace('-', "+").replace('_', "/");
    format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4))
}

/// RFC 9421, appendix B.2.5.
#[test]
fn the_example_of_the_rfc_is_signed() {
    let input = r#"("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#;
    let wanted = "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=";
    let request = TestRequest::new("POST", "/foo?param=Value&Pet=dog", &[])
        .set(":authority", "example.com")
        .add("date", "Tue, 20 Apr 2021 02:07:55 GMT")
        .add("content-type", "application/json")
        .add(INPUT, format!("sig-b25={input}"))
        .add(SIGNATURE, format!("sig-b25=:{wanted}:"));
    let secret = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";
    let secret = decode_standard(secret.as_bytes()).expect("base64");
    let base = base(&request).expect("no fault");
    assert_eq!(
        base,
        format!(
            "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\"@authority\": example.com\n\
             \"content-type\": application/json\n\"@signature-params\": {input}"
        )
    );
    let made = hmac(&secret, base.as_bytes());
    assert_eq!(standard(&made), wanted);
    assert_eq!(with(&request, |signed, _| Ok(signed.signature)), Ok(made.to_vec()));
}

#[test]
fn every_part_is_signed_as_another_library_signs_it() {
    let wanted = format!(
        "\"@method\": POST\n\"@authority\": api.example.com\n\"@path\": /orders\n\"@query\": ?a=1&b=2\n\
         \"content-digest\": {DIGEST}\n\"@signature-params\": {FULL}"
    );
    assert_eq!(base(&full()).as_deref(), Ok(&*wanted));
    let made = hmac(b"0123456789abcdef0123456789abcdef", wanted.as_bytes());
    assert_eq!(standard(&made), "ytSxBEexm3daHgETc80kIN/PXOqySV8AbTwgDReczE0=");
}

#[test]
fn what_a_request_says_of_its_signature_is_read() {
    let input = FULL.replace("nonce=\"4f1d2c\"", r#"expires=1795867260;nonce="a b";tag="app";x=1;x=2;y"#);
    let request = request("/", &input).add(CONTENT_DIGEST, DIGEST).add("content_digest", "a").add("x-amz-a", "b");
    with(&request, |signed, view| {
        assert_eq!((signed.key_id, signed.signature.as_slice()), ("partner-1", &[10; 3][..]));
        assert_eq!(signed.made_at, Some(UnixSeconds(1_795_867_200)));
        assert_eq!(signed.expires_at, Some(UnixSeconds(1_795_867_260)));
        assert_eq!((signed.nonce.as_deref(), signed.algorithm), (Some("a b"), Some("hmac-sha256")));
        assert!(signed.scope.is_none());
        let covered: Vec<&str> = signed.covered().collect();
        assert_eq!(covered, ["@method", "@authority", "@path", "@query", CONTENT_DIGEST]);
        let sha256 = Some(sha256(br#"{"qty":2}"#));
        assert_eq!(signed.payload(), Payload::Digests(ContentDigests { sha256, sha512: None }));
        assert_eq!(signed.unsigned_headers(view), ["content_digest"]);
        assert_eq!(signed.canonical_request(view, None), Ok(None));
        Ok(())
    })
    .expect("no fault");
    let bare = over("");
    with(&bare, |signed, _| {
        assert_eq!((signed.made_at, signed.expires_at, signed.nonce, signed.algorithm), (None, None, None, None));
        assert_eq!((signed.payload, signed.covered.len()), (Payload::Nothing, 0));
        Ok(())
    })
    .expect("no fault");
    assert_eq!(base(&bare).as_deref(), Ok(r#""@signature-params": ();keyid="a""#));
}

#[test]
fn one_signature_is_taken_or_the_one_with_the_tag() {
    let label = |request: &TestRequest, tag: Option<&str>| {
        request.view(|view| read(view, tag).map(|signed| signed.map(|signed| signed.key_id.to_owned())))
    };
    let none = TestRequest::new("GET", "/", &[]);
    assert!(!none.view(is_presented));
    assert_eq!((label(&none, None), label(&none, Some("app"))), (Ok(None), Ok(None)));
    let single = none.add(INPUT, r#"a=();keyid="1";tag="app""#).add(SIGNATURE, "a=:AA==:");
    assert!(single.view(is_presented));
    assert_eq!((label(&single, None), label(&single, Some("app"))), (Ok(Some("1".into())), Ok(Some("1".into()))));
    assert_eq!((label(&single, Some("App")), label(&single, Some(""))), (Ok(None), Ok(None)));
    let elsewhere = single.set(INPUT, r#"a=();keyid="app";x="app";tag="other""#);
    assert_eq!(label(&elsewhere, Some("app")), Ok(None));
    let second = single.add(INPUT, r#"b=("@method";req);keyid="2";tag="other""#).add(SIGNATURE, "b=:AA==:");
    let several = Err(Fault::Malformed("there are several signatures, and no tag says which one counts"));
    assert_eq!(label(&second, None), several);
    assert_eq!(label(&second, Some("app")), Ok(Some("1".into())), "the other is left alone");
    assert_eq!(label(&single.add(SIGNATURE, "b=:AA==:"), None), several);
    assert_eq!(label(&single.add(INPUT, "b=()"), None), several);
    let twice = single.add(INPUT, r#"b=();keyid="2";tag="app""#).add(SIGNATURE, "b=:AA==:");
    assert_eq!(label(&twice, Some("app")), Err(Fault::Malformed("there are several signatures with the tag")));
    let fault = |request: &TestRequest| [None, Some("app")].map(|tag| label(request, tag).expect_err("a fault"));
    for header in [INPUT, SIGNATURE] {
        let wanted = Fault::Malformed("of `Signature-Input` and `Signature`, one is absent");
        assert!(single.without(header).view(is_presented));
        assert_eq!(fault(&single.without(header)), [wanted.clone(), wanted]);
    }
    for (header, text) in [(INPUT, "`Signature-Input` cannot be read"), (SIGNATURE, "`Signature` cannot be read")] {
        for value in ["", "a", "é"] {
            let wanted = Fault::Malformed(text);
            assert_eq!(fault(&single.add(header, value)), [wanted.clone(), wanted], "{header}: {value}");
        }
    }
    let wanted = Fault::Malformed("`Signature` lacks the label of `Signature-Input`");
    assert_eq!(fault(&single.set(SIGNATURE, "b=:AA==:")), [wanted.clone(), wanted]);
}

#[test]
fn a_component_has_one_meaning() {
    for (components, wanted) in [
        (r#""a";sf"#, "a component has the parameter `sf`"),
        (r#""a";bs"#, "a component has the parameter `bs`"),
        (r#""a";key="b""#, "a component has the parameter `key`"),
        (r#""a";tr"#, "a component has the parameter `tr`"),
        (r#""@method";req"#, "a component has the parameter `req`"),
        (r#""@query-param";name="a""#, "a component has the parameter `name`"),
        (r#""a";x"#, "a component has an unknown parameter"),
        (r#""@query-param""#, "the component `@query-param` is not taken"),
        (r#""@status""#, "the component `@status` is one of responses"),
        (r#""@signature-params""#, "a derived component is unknown"),
        (r#""@Method""#, "a derived component is unknown"),
        (r#""@""#, "a derived component is unknown"),
        (r#""A""#, "a component is no name of a header in lower case"),
        (r#""""#, "a component is no name of a header in lower case"),
        (r#"":path""#, "a component is no name of a header in lower case"),
        (r#""a\"b""#, "a component is no name of a header in lower case"),
        (r#""a b""#, "a component is no name of a header in lower case"),
        (r#""signature""#, "a signature is a component of a signature"),
        (r#""signature-input""#, "a signature is a component of a signature"),
        (r#""b""#, "a signed header is absent"),
        (r#""a" "@path" "a""#, "a component is there twice"),
        (r#""@path" "@path""#, "a component is there twice"),
    ] {
        assert_eq!(refused(&over(components).add("a", "1")), wanted, "{components}");
    }
    let no_list = request("/", "\"@path\"");
    assert_eq!(refused(&no_list), "`Signature-Input` is not a list of components");
    let many = |count: usize| {
        let names: Vec<String> = (0..count).map(|number| format!("a{number}")).collect();
        let components: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
        base(&names.iter().fold(over(&components.join(" ")), |request, name| request.add(name, "1")))
    };
    assert!(many(64).is_ok());
    assert_eq!(many(65), Err(Fault::Malformed("more than 64 components are signed")));
}

#[test]
fn each_parameter_is_there_once_and_of_its_type() {
    let with_parameters = |parameters: &str| request("/", &format!("(){parameters}"));
    let incomplete = base(&with_parameters(";created=1"));
    assert_eq!(incomplete, Err(Fault::Incomplete("keyid".to_owned())));
    let long = "a".repeat(129);
    for (parameters, wanted) in [
        (";keyid=\"\"".to_owned(), "`keyid` is no key id"),
        (format!(";keyid=\"{long}\""), "`keyid` is no key id"),
        (";keyid=\"a\\\"\"".to_owned(), "`keyid` is no key id"),
        (";nonce=\"\"".to_owned(), "`nonce` has an escape, or not 1 to 256 bytes"),
        (format!(";nonce=\"{long}{long}\""), "`nonce` has an escape, or not 1 to 256 bytes"),
        (";nonce=\"a\\\"\"".to_owned(), "`nonce` has an escape, or not 1 to 256 bytes"),
        (";alg=\"a\\\\\"".to_owned(), "`alg` is no name of an algorithm"),
    ] {
        assert_eq!(refused(&with_parameters(&parameters)), wanted, "{parameters}");
    }
    for (name, good) in
        [("created", "1"), ("expires", "1"), ("keyid", "\"a\""), ("nonce", "\"a\""), ("alg", "\"a\""), ("tag", "\"a\"")]
    {
        let twice = refused(&with_parameters(&format!(";{name}={good};{name}={good}")));
        assert_eq!(twice, "a parameter of the signature is there twice", "{name}");
        for other in ["1.5", "a", "?1", ":AA==:", "@1", if good == "1" { "\"1\"" } else { "1" }] {
            let of_another_type = refused(&with_parameters(&format!(";{name}={other}")));
            assert_eq!(of_another_type, "a parameter of the signature is of another type", "{name}={other}");
        }
        assert_eq!(refused(&with_parameters(&format!(";{name}"))), "a parameter of the signature is of another type");
    }
    assert!(base(&with_parameters(&format!(";keyid=\"{}\";nonce=\"{long}\"", "a".repeat(128)))).is_ok());
}

#[test]
fn a_signature_is_at_most_1024_bytes_in_strict_base64() {
    let good = over("\"@path\"");
    let at = |signature: &str| base(&good.set(SIGNATURE, format!("sig1={signature}"))).map(|_| ());
    let of = |length: usize| at(&format!(":{}:", standard(&vec![7; length])));
    assert_eq!((of(0), of(1), of(1024)), (Ok(()), Ok(()), Ok(())));
    let wanted = Err(Fault::Malformed("the signature is not at most 1024 bytes in base64"));
    assert_eq!((of(1027), of(5_000)), (wanted.clone(), wanted.clone()));
    for signature in [":AA:", ":AB==:", "\"AA==\"", "AA", "1", "()", ":AA==AA==:"] {
        assert_eq!(at(signature), wanted, "{signature}");
    }
    assert_eq!(at(":AA==:;x"), Ok(()), "a parameter means nothing");
}

#[test]
fn derived_components_are_those_of_the_target() {
    let at = |component: &str, target: &str| value(&over(&format!("\"{component}\"")).set(":path", target));
    for (component, target, wanted) in [
        ("@method", "/a?b", "POST"),
        ("@path", "/a%2fB/../?b", "/a%2fB/../"),
        ("@path", "/a", "/a"),
        ("@query", "/a?b=%2f&c?d", "?b=%2f&c?d"),
        ("@query", "/a", "?"),
        ("@scheme", "/a", "https"),
        ("@authority", "/a", "api.example.com"),
        ("@target-uri", "/a?b", "https://api.example.com/a?b"),
        ("@request-target", "/a?b", "/a?b"),
        ("@request-target", "*", "*"),
    ] {
        assert_eq!(at(component, target).as_deref(), Ok(wanted), "{component} of {target}");
    }
    let wanted = Err(Fault::Malformed("a signed component is absent, or not visible ASCII"));
    assert_eq!(at("@query", "/?a\u{7f}"), wanted);
    assert_eq!(
        (at("@path", "?b"), at("@path", "?"), at("@query", "/a?")),
        (wanted.clone(), wanted.clone(), wanted.clone())
    );
    for component in ["@path", "@query", "@target-uri", "@request-target"] {
        for target in ["", "/a b?a b", "/\u{e9}?\u{e9}", "/a\n\"@query\": ?a\u{7f}"] {
            assert_eq!(at(component, target), wanted, "{component} of {target}");
        }
        assert_eq!(value(&over(&format!("\"{component}\"")).without(":path")), wanted, "{component}");
    }
    for (component, header) in [
        ("@method", ":method"),
        ("@scheme", ":scheme"),
        ("@target-uri", ":scheme"),
        ("@target-uri", ":authority"),
        ("@authority", ":authority"),
    ] {
        let good = over(&format!("\"{component}\""));
        assert_eq!(value(&good.without(header)), wanted, "{component}");
        assert_eq!(value(&good.set(header, "a\nb")), wanted, "{component}");
        assert_eq!(value(&good.set(header, "")), wanted, "{component}");
    }
}

#[test]
fn an_authority_is_in_lower_case_and_without_the_port_of_its_scheme() {
    let at = |scheme: &str, authority: &str| {
        let request = over("\"@authority\"").set(":scheme", scheme).set(":authority", authority);
        value(&request).expect("no fault")
    };
    for (scheme, authority, wanted) in [
        ("https", "API.example.com", "api.example.com"),
        ("https", "a:443", "a"),
        ("HTTPS", "a:443", "a"),
        ("https", "a:80", "a:80"),
        ("http", "a:80", "a"),
        ("http", "a:443", "a:443"),
        ("http", "a:8080", "a:8080"),
        ("https", "[::1]:443", "[::1]"),
        ("ws", "a:443", "a:443"),
    ] {
        assert_eq!(at(scheme, authority), wanted, "{scheme} {authority}");
    }
    let in_host = over("\"@authority\"").without(":authority").add("host", "a");
    assert_eq!(value(&in_host).as_deref(), Ok("a"));
    let both = over("\"@authority\"").add("host", "a");
    assert!(value(&both).is_err());
}

#[test]
fn the_lines_of_a_header_are_joined() {
    let good = over("\"a\"");
    assert_eq!(value(&good.add("a", "  b  c\t")).as_deref(), Ok("b  c"));
    assert_eq!(value(&good.add("a", "")).as_deref(), Ok(""));
    assert_eq!(value(&good.add("a", "b").add("a", " c ").add("a", "")).as_deref(), Ok("b, c, "));
    assert_eq!(value(&over("\"host\"").set(":authority", "API.example.com:443")).as_deref(), Ok("API.example.com:443"));
    for text in ["b\nc", "b\rc", "b\u{e9}", "b\0", "b\u{7f}c"] {
        assert_eq!(refused(&good.add("a", text)), "a signed header could be read in two ways", "{text}");
    }
}

#[test]
fn every_known_digest_of_the_body_is_read() {
    let at =
        |value: &str| with(&over("\"content-digest\"").add(CONTENT_DIGEST, value), |signed, _| Ok(signed.payload()));
    let [short, long] = [standard(&[1; 32]), standard(&[2; 64])];
    let (sha256, sha512) = (Some([1; 32]), Some([2; 64]));
    for (value, wanted) in [
        (format!("sha-256=:{short}:"), ContentDigests { sha256, sha512: None }),
        (format!("sha-512=:{long}:"), ContentDigests { sha256: None, sha512 }),
        (format!("sha-512=:{long}:, md5=:AA==:, sha-256=:{short}:"), ContentDigests { sha256, sha512 }),
    ] {
        assert_eq!(at(&value), Ok(Payload::Digests(wanted)), "{value}");
    }
    let lines = over("\"content-digest\"")
        .add(CONTENT_DIGEST, format!("sha-256=:{short}:"))
        .add(CONTENT_DIGEST, format!("sha-512=:{long}:"));
    let both = with(&lines, |signed, _| Ok(signed.payload()));
    assert_eq!(both, Ok(Payload::Digests(ContentDigests { sha256, sha512 })));
    let unknown = Err(Fault::BodyUnsigned("`Content-Digest` has neither `sha-256` nor `sha-512`"));
    assert_eq!((at("md5=:AA==:"), at("sha=:AA==:, unixsum=:AA==:")), (unknown.clone(), unknown));
    let wrong = Err(Fault::Malformed("`Content-Digest` has a digest of another length"));
    for value in [format!("sha-512=:{short}:"), format!("sha-256=:{long}:"), "sha-256=::".to_owned()] {
        assert_eq!(at(&value), wrong, "{value}");
    }
    let unreadable = Err(Fault::Malformed("`Content-Digest` cannot be read"));
    for value in [
        String::new(),
        format!("sha-256={short}"),
        format!("sha-256=:{short}:, sha-256=:{short}:"),
        format!("sha-256=:{}:", short.trim_end_matches('=')),
        format!("SHA-256=:{short}:"),
        "sha-256".to_owned(),
        format!("md5=1, sha-256=:{short}:"),
        format!("sha-256=:{}:", to_hex(&[1; 32]).get(..63).expect("digits")),
    ] {
        assert_eq!(at(&value), unreadable, "{value}");
    }
    let uncovered = with(&over("\"@path\"").add(CONTENT_DIGEST, "a"), |signed, _| Ok(signed.payload()));
    assert_eq!(uncovered, Ok(Payload::Nothing));
}

proptest! {
    #[test]
    fn a_change_of_one_byte_changes_what_is_signed(
        path in "/[a-c/%.;]{0,6}",
        query in "(\\?[a-c=&]{0,6})?",
        (name, at, byte) in (0_usize..6, any::<prop::sample::Index>(), any::<u8>()),
        inserted: bool,
    ) {
        let good = full().set(":path", format!("{path}{query}"));
        let name = [":path", ":path", ":method", ":authority", CONTENT_DIGEST, INPUT][name];
        let before = good.view(|view| view.sole_value(name).expect("one line").to_vec());
        let mut after = before.clone();
        let place = at.index(before.len());
        if inserted {
            after.insert(place + 1, byte);
        } else {
            after[place] = byte;
        }
        let is_same = match name {
            // Not the label, which names the signature.
            INPUT if place < 4 => return Ok(()),
            ":authority" => before.eq_ignore_ascii_case(after.trim_ascii()),
            _ => before == after.trim_ascii(),
        };
        let [first, second] = [good.clone(), good.set(name, &after)].map(|request| base(&request));
        prop_assert!(first.is_err() || second.is_err() || (first == second) == is_same, "{good:?} {}", after.escape_ascii());
    }

    #[test]
    fn no_bytes_make_it_panic(
        input: Vec<u8>,
        text in "a=\\((\"[@a-z-]{1,9}\"(;[a-z]{2})? ?){0,3}\\)(;[a-z]{3,7}=[\"0-9a:]{0,4}){0,3}",
        signature: Vec<u8>,
        lines in proptest::collection::vec(("host|content-digest|:path|:method|:scheme|[a-z]", any::<Vec<u8>>()), 0..6),
    ) {
        let mut request = TestRequest::new("GET", "/", &[]);
        for (name, value) in &lines {
            request = request.set(name, value);
        }
        for request in [
            request.set(INPUT, &input).set(SIGNATURE, &signature),
            request.set(INPUT, &text).set(SIGNATURE, "a=:AA==:"),
            request.set(INPUT, FULL).set(SIGNATURE, "sig1=:AA==:"),
        ] {
            for tag in [None, Some("a")] {
                let _ = request.view(|view| Some(read(view, tag).ok()??.string_to_sign(view, None)));
            }
        }
    }
}
