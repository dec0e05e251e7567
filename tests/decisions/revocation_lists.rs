//! Documents that are lists, and documents that are none: text, binary, signed.

use crate::support::issuer::{ISSUER, Issuer, sign_texts};
use crate::world::{Ask, NOW, config, get, policy, token};
use scopegate::base::base64url;
use scopegate::base::time::UnixSeconds;
use scopegate::crypto::{Algorithm, PureVerifier, sha256};
use scopegate::decision::Decision;
use scopegate::jose::KeySet;
use scopegate::revocation::{
    Builder, CHUNK_BYTES, Chunks, Entry, EntryKind, List, ListError, Loader, MAX_LINES_BYTES, Revision, Revocations,
    Signature, Terms,
};
use serde_json::{Value, json};
use std::rc::Rc;
use std::sync::LazyLock;

static SIGNER: LazyLock<Issuer> = LazyLock::new(|| Issuer::new(Algorithm::Es256, "lists"));

fn terms() -> Terms {
    Terms { name: "main".into(), max_bytes: 32 << 20, signed_by: None }
}

fn signed_terms() -> Terms {
    let keys = KeySet::parse(SIGNER.jwks().to_string().as_bytes(), 10_000, 10).unwrap();
    Terms { signed_by: Some(Rc::new(keys)), ..terms() }
}

fn load(document: &[u8], terms: &Terms) -> Result<List, ListError> {
    load_after(document, terms, None)
}

fn load_after(document: &[u8], terms: &Terms, in_use: Option<Signature>) -> Result<List, ListError> {
    let mut loader = Loader::begin(Chunks::from(document), terms, in_use, &PureVerifier, UnixSeconds(NOW))?;
    loop {
        if let Some(list) = loader.step()? {
            return Ok(list);
        }
    }
}

fn lines(count: usize) -> String {
    let line = |id: usize| format!("{{\"iss\":\"{ISSUER}\",\"jti\":\"{id}\"}}\n");
    (0..count).map(line).collect::<Vec<_>>().concat()
}

fn binary(count: usize) -> Vec<u8> {
    let mut builder = Builder::new(UnixSeconds(NOW));
    (0..count).for_each(|id| builder.add(&Entry::token(ISSUER.into(), id.to_string())));
    builder.finish().bytes().slices(0..usize::MAX).collect::<Vec<_>>().concat()
}

/// A signed list: the list after a line with a JWT, with these changes of `claims` and `header`.
fn signed(list: &[u8], header: Value, claims: Value) -> Vec<u8> {
    let mut head = json!({ "alg": "ES256", "kid": "lists", "typ": "scopegate-revocations+jwt" });
    let mut body = json!({ "iat": NOW, "sha256": base64url::encode(&sha256(list)) });
    for (into, from) in [(&mut head, header), (&mut body, claims)] {
        for (name, value) in from.as_object().unwrap() {
            match value {
                Value::Null => into.as_object_mut().unwrap().remove(name),
                value => into.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
    }
    let token = sign_texts(&SIGNER.key, &head.to_string(), &body.to_string());
    [token.as_bytes(), b"\n", list].concat()
}

/// Whether a token with this identifier is refused under the list.
fn refuses(list: &Rc<List>, id: &str) -> bool {
    let revocations = Some(Revocations::new(vec![Rc::clone(list)], true));
    let ask = Ask { revocations, ..get("/").bearer(token().claim("jti", id).sign()) };
    matches!(ask.decide(&policy(&config(json!({})))), Decision::Deny(_))
}

#[test]
fn a_list_means_the_same_in_every_form() {
    let (text, bytes) = (lines(20_000), binary(20_000));
    for (document, terms) in [
        (text.as_bytes().to_vec(), terms()),
        (bytes.clone(), terms()),
        (signed(text.as_bytes(), json!({}), json!({})), signed_terms()),
        (signed(&bytes, json!({}), json!({})), signed_terms()),
    ] {
        let list = load(&document, &terms).unwrap();
        assert_eq!((list.entries(), list.entries_of(EntryKind::TokenId)), (20_000, 20_000));
        let list = Rc::new(list);
        assert_eq!(["0", "19999", "20000", "x"].map(|id| refuses(&list, id)), [true, true, false, false]);
    }
}

#[test]
fn a_list_has_the_revision_of_its_document_in_every_form_and_signed_that_without_its_signature() {
    // The longest lies in two pieces, and is digested in several steps.
    for count in [1, 100_000] {
        let (text, bytes) = (lines(count).into_bytes(), binary(count));
        for list in [&text, &bytes] {
            let digest = sha256(list);
            let wanted = digest[..6].iter().fold(0, |number, byte| number * 256 + u64::from(*byte));
            let signed_anew = signed(list, json!({ "x": 1 }), json!({ "iat": NOW - 1 }));
            for (document, terms) in [
                (list.clone(), terms()),
                (signed(list, json!({}), json!({})), signed_terms()),
                (signed_anew, signed_terms()),
            ] {
                let loaded = load(&document, &terms).unwrap().revision();
                assert_eq!(loaded, Revision::of(&Chunks::from(document.as_slice())), "{count}");
                assert_eq!(loaded.number(), wanted, "{count}");
            }
        }
    }
    assert_eq!(Builder::new(UnixSeconds(NOW)).finish().revision().number(), 0, "it was read from no document");
}

#[test]
fn text_becomes_the_binary_form() {
    let list = load(lines(1000).as_bytes(), &terms()).unwrap();
    assert_eq!(list.bytes().slices(0..usize::MAX).collect::<Vec<_>>().concat(), binary(1000));
}

#[test]
fn a_list_of_several_pieces_is_used_where_it_lies() {
    // 16 bytes an entry, so this lies in four pieces; the head moves records across their borders.
    let count = CHUNK_BYTES / 16 * 3 + 100;
    let bytes = binary(count);
    for (document, terms) in
        [(bytes.clone(), terms()), (signed(&bytes, json!({ "x": "y" }), json!({})), signed_terms())]
    {
        let list = load(&document, &terms).unwrap();
        assert_eq!(list.entries(), count);
        assert_eq!(list.bytes().len(), document.len(), "nothing is copied");
        let list = Rc::new(list);
        assert!((0..count).step_by(20_011).all(|id| refuses(&list, &id.to_string())));
        assert!(!refuses(&list, &count.to_string()));
    }
}

#[test]
fn a_document_that_is_no_list_is_refused_whole() {
    for (document, why) in [
        (&b""[..], ListError::Empty),
        (b"\n", ListError::Empty),
        (b"<html><body>404</body></html>", ListError::UnknownForm),
        (b"\x1f\x8b\x08", ListError::UnknownForm),
        (b"[]", ListError::UnknownForm),
        (b"\xef\xbb\xbf{}", ListError::UnknownForm),
        (b"eyJ.e30.AAAA\n{}", ListError::SignedForNobody),
        (b"\x93SGREV\r\n", ListError::Binary("its head is missing")),
        (b"\x93SGREV\n\n\x01\0\0\0\0\0\0\0", ListError::UnknownForm),
        (
            b"{\"keys\":[]}",
            ListError::Line(1, "names nothing; write one of jti, fingerprint, sub, sid, client_id, kid, id".into()),
        ),
    ] {
        assert_eq!(
            load(document, &terms()).map(|list| list.entries()),
            Err(why),
            "{:?}",
            String::from_utf8_lossy(document)
        );
    }
    let whole = lines(100);
    let cut = &whole.as_bytes()[..whole.len() - 5];
    assert!(matches!(load(cut, &terms()), Err(ListError::Line(100, _))), "a part of a line is missing");
    let told = format!("{{\"entries_at_least\":100}}\n{}", lines(99));
    assert_eq!(load(told.as_bytes(), &terms()).map(|_| ()), Err(ListError::Incomplete { has: 99, says: 100 }));
}

#[test]
fn the_largest_document_is_that_of_the_terms() {
    let document = lines(10);
    let limited = |max_bytes| load(document.as_bytes(), &Terms { max_bytes, ..terms() }).map(|list| list.entries());
    assert_eq!(limited(document.len()), Ok(10));
    assert_eq!(limited(document.len() - 1), Err(ListError::TooLarge(document.len() - 1)));
    let blank = |length: usize| {
        let mut text = " ".repeat(10_000 - 1) + "\n";
        text = text.repeat(length / text.len());
        text + &" ".repeat(length % 10_000)
    };
    let long = format!("{}{document}", blank(MAX_LINES_BYTES - document.len()));
    assert_eq!(load(long.as_bytes(), &terms()).map(|list| list.entries()), Ok(10));
    let longer = format!(" {long}");
    assert_eq!(load(longer.as_bytes(), &terms()).map(|_| ()), Err(ListError::TooLarge(MAX_LINES_BYTES)));
}

#[test]
fn a_signed_list_is_used_only_as_it_was_signed() {
    let list = lines(3);
    let check = |document: &[u8]| load(document, &signed_terms()).map(|list| list.entries());
    let wrong = |why| Err(ListError::Signature(why));
    let with = |header: Value, claims: Value| check(&signed(list.as_bytes(), header, claims));
    assert_eq!(with(json!({}), json!({})), Ok(3));
    assert_eq!(with(json!({ "typ": "application/Scopegate-Revocations+JWT" }), json!({})), Ok(3));
    assert_eq!(with(json!({ "kid": null }), json!({})), Ok(3), "all keys are tried");
    assert_eq!(with(json!({}), json!({ "sub": "main", "exp": NOW + 1, "nbf": NOW })), Ok(3));
    assert_eq!(check(list.as_bytes()), Err(ListError::NotSigned));
    for typ in [json!("JWT"), json!("at+jwt"), Value::Null] {
        assert_eq!(with(json!({ "typ": typ }), json!({})), wrong("its `typ` is not scopegate-revocations+jwt"));
    }
    assert_eq!(with(json!({ "kid": "other" }), json!({})), wrong("no key has its `kid` and `alg`"));
    assert_eq!(with(json!({ "alg": "none" }), json!({})), wrong("its `alg` is not supported"));
    assert_eq!(with(json!({ "alg": "ES384" }), json!({})), wrong("no key has its `kid` and `alg`"));
    assert_eq!(with(json!({}), json!({ "sub": "other" })), wrong("its `sub` is the name of another list"));
    assert_eq!(with(json!({}), json!({ "iat": null })), wrong("it has no `iat`"));
    assert_eq!(with(json!({}), json!({ "iat": NOW + 61 })), wrong("it is of the future"));
    assert_eq!(with(json!({}), json!({ "iat": NOW + 60 })), Ok(3), "clocks differ");
    assert_eq!(with(json!({}), json!({ "nbf": NOW + 61 })), wrong("it is of the future"));
    assert_eq!(with(json!({}), json!({ "exp": NOW - 60 })), wrong("it has expired"));
    for digest in [Value::Null, json!(1), json!("AAAA"), json!(base64url::encode(&[0; 31]))] {
        assert_eq!(with(json!({}), json!({ "sha256": digest })), wrong("it has no `sha256` in base64url"));
    }
    let other = "the list is not the one that was signed";
    assert_eq!(with(json!({}), json!({ "sha256": base64url::encode(&[0; 32]) })), wrong(other));
    let good = signed(list.as_bytes(), json!({}), json!({}));
    assert_eq!(check(&[&good[..], b"\n"].concat()), wrong(other), "a line feed more");
    assert_eq!(check(&good[..good.len() - 1]), wrong(other), "a line feed less");
    let head = good.split(|&byte| byte == b'\n').next().unwrap();
    assert_eq!(check(head), wrong("no line feed ends its first line"));
    assert_eq!(check(&[head, b"\n"].concat()), wrong(other));
    let mut forged = good.clone();
    let at = head.len() - 10;
    forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
    assert_eq!(check(&forged), wrong("no key verifies it"));
    assert_eq!(check("e".repeat(20_000).as_bytes()), wrong("no line feed ends its first line"));
    let empty = b"{\"entries_at_least\":0}";
    assert_eq!(check(&signed(empty, json!({}), json!({}))), Ok(0));
    assert_eq!(check(&signed(b"", json!({}), json!({}))), Err(ListError::Empty));
}

#[test]
fn a_long_list_is_hashed_before_it_is_looked_at() {
    let mut document = signed(&binary(200_000), json!({}), json!({}));
    let last = document.len() - 1;
    document[last] ^= 1;
    let why = ListError::Signature("the list is not the one that was signed");
    assert_eq!(load(&document, &signed_terms()).map(|_| ()), Err(why));
}

#[test]
fn a_list_that_was_signed_earlier_does_not_replace_a_later_one() {
    let list = lines(1);
    let at = |iat: i64| signed(list.as_bytes(), json!({}), json!({ "iat": iat, "exp": NOW + 600 }));
    let in_use = load(&at(NOW - 10), &signed_terms()).unwrap().signature();
    assert_eq!(in_use.map(|signature| signature.issued_at), Some(UnixSeconds(NOW - 10)));
    let after = |iat: i64| load_after(&at(iat), &signed_terms(), in_use).map(|list| list.entries());
    assert_eq!(after(NOW - 9), Ok(1));
    assert_eq!(after(NOW - 10), Ok(1), "the same again");
    assert_eq!(after(NOW - 11), Err(ListError::Older));
    assert!(!in_use.unwrap().is_over(UnixSeconds(NOW + 659)));
    assert!(in_use.unwrap().is_over(UnixSeconds(NOW + 660)));
}

#[test]
fn every_cause_is_told_in_words() {
    for (error, words) in [
        (ListError::Empty, "it is empty; a list without entries is the line {\"entries_at_least\": 0}"),
        (ListError::TooLarge(5), "it is longer than 5 bytes"),
        (ListError::Line(7, "is not a JSON object".into()), "line 7: is not a JSON object"),
        (ListError::Signature("it has expired"), "its signature is not accepted: it has expired"),
    ] {
        assert_eq!(error.to_string(), words);
    }
}
