//! JWS and JWT format: RFC 7515, RFC 7519. Text that is no JWT at all is tested beside the parser.

use crate::support::issuer::{AUDIENCE, ISSUER, sign_texts};
use crate::world::{DEMO, NOW, config, get, token};
use scopegate::base::base64url;
use scopegate::decision::Reason;
use serde_json::json;

const HEADER: &str = r#"{"alg":"ES256","kid":"a","typ":"at+jwt"}"#;

fn payload(members: &str) -> String {
    format!(r#"{{"iss":"{ISSUER}","aud":"{AUDIENCE}","sub":"alice","exp":{}{members}}}"#, NOW + 300)
}

fn refused(token: &str) -> Option<Reason> {
    get("/").bearer(token).refused(&config(json!({})))
}

#[test]
fn white_space_and_unknown_members_do_not_matter() {
    let token = sign_texts(&DEMO.key, &format!(" {HEADER}\n"), &payload(r#" , "other": {"a": [null]} "#));
    assert_eq!(refused(&token), None);
}

#[test]
fn a_token_with_duplicate_members_is_never_accepted() {
    for members in [
        format!(r#","exp":{}"#, NOW + 600),
        r#","exp":1"#.to_owned(),
        r#","\u0065xp":9999999999"#.to_owned(),
        format!(r#","iss":"{ISSUER}""#),
        r#","scope":"a","scope":"b""#.to_owned(),
        r#","nested":{"a":1,"a":2}"#.to_owned(),
    ] {
        assert_eq!(
            refused(&sign_texts(&DEMO.key, HEADER, &payload(&members))),
            Some(Reason::MalformedToken),
            "{members}"
        );
    }
    let header = r#"{"alg":"ES256","alg":"none","kid":"a","typ":"at+jwt"}"#;
    assert_eq!(refused(&sign_texts(&DEMO.key, header, &payload(""))), Some(Reason::MalformedToken));
}

#[test]
fn signed_text_that_is_no_object_is_refused() {
    for text in ["", "[]", "null", "1", "\"a\"", "{", "{}{}", "{\"a\":NaN}", "\u{feff}{}"] {
        assert_eq!(refused(&sign_texts(&DEMO.key, HEADER, text)), Some(Reason::MalformedToken), "{text:?}");
    }
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(2000), "]".repeat(2000));
    assert_eq!(refused(&sign_texts(&DEMO.key, HEADER, &deep)), Some(Reason::MalformedToken));
}

#[test]
fn critical_parameters_are_refused_though_the_signature_covers_them() {
    for crit in [json!(["exp"]), json!(["b64"]), json!(["x"]), json!([]), json!("x"), json!({})] {
        let token = token().header("crit", crit.clone()).header("x", 1).sign();
        assert_eq!(refused(&token), Some(Reason::MalformedToken), "{crit}");
    }
    assert_eq!(refused(&token().header("b64", false).sign()), Some(Reason::MalformedToken));
}

#[test]
fn stray_bytes_around_a_token_are_refused() {
    let good = token().sign();
    assert_eq!(refused(&good), None);
    for bad in [format!(".{good}"), format!("{good}."), format!("{good}.AA"), format!("{good}=")] {
        assert_eq!(refused(&bad), Some(Reason::MalformedToken), "{bad}");
    }
}

#[test]
fn no_bit_of_a_token_can_be_changed() {
    let good = token().sign();
    let segments: Vec<Vec<u8>> =
        good.split('.').map(|segment| base64url::decode(segment.as_bytes()).unwrap()).collect();
    for (index, segment) in segments.iter().enumerate() {
        for bit in (0..segment.len() * 8).step_by(7) {
            let mut changed = segments.clone();
            changed[index][bit / 8] ^= 1 << (bit % 8);
            let text: Vec<String> = changed.iter().map(|segment| base64url::encode(segment)).collect();
            assert!(refused(&text.join(".")).is_some(), "segment {index}, bit {bit}");
        }
    }
}

#[test]
fn the_longest_token_is_that_of_the_limit() {
    let limited = |bytes: usize| config(json!({ "limits": { "token_bytes": bytes } }));
    let good = token().sign();
    assert_eq!(get("/").bearer(&good).refused(&limited(good.len())), None);
    assert_eq!(get("/").bearer(&good).refused(&limited(good.len() - 1)), Some(Reason::TokenTooLarge));
    assert_eq!(refused(&"a".repeat(60_000)), Some(Reason::TokenTooLarge));
}
