//! What operators see of a decision. Never a token, and nothing that forges a line.

use crate::world::{Ask, compiled, config, get, token};
use prost::Message as _;
use scopegate::audit::AuditRecord;
use scopegate::config::Loaded;
use serde_json::{Value, json};

fn read_value(value: prost_types::Value) -> Value {
    match value.kind {
        Some(prost_types::value::Kind::StringValue(text)) => Value::from(text),
        Some(prost_types::value::Kind::NumberValue(number)) => Value::from(whole(number)),
        Some(prost_types::value::Kind::StructValue(inner)) => {
            Value::Object(inner.fields.into_iter().map(|(name, value)| (name, read_value(value))).collect())
        }
        Some(prost_types::value::Kind::ListValue(list)) => list.values.into_iter().map(read_value).collect(),
        other => panic!("{other:?}"),
    }
}

/// The whole number that a double holds.
fn whole(number: f64) -> i64 {
    number.to_string().parse().unwrap()
}

/// The members of a record that is a `google.protobuf.Struct`: text, numbers, lists of text, and objects of text.
pub fn read_struct(bytes: &[u8]) -> Value {
    let read = prost_types::Struct::decode(bytes).unwrap();
    let member = |(name, value): (String, prost_types::Value)| (name, read_value(value));
    Value::Object(read.fields.into_iter().map(member).collect())
}

fn record(ask: &Ask, config: &Value) -> (Value, String) {
    let Loaded { policy, settings, .. } = compiled(config);
    let decision = ask.decide(&policy);
    let record = AuditRecord::of(&decision, &policy, settings.audit, b"GET").unwrap();
    let json = serde_json::from_str(&record.to_json()).unwrap();
    assert_eq!(read_struct(&record.to_struct()), json, "both forms say the same");
    (json, record.to_line())
}

#[test]
fn a_subject_is_shown_as_configured() {
    let ask = get("/").bearer(token().sign());
    let subject = |form: &str| record(&ask, &config(json!({ "audit": { "subject": form } }))).0.get("subject").cloned();
    assert_eq!(subject("plain"), Some(json!("alice")));
    // base64url(SHA-256("alice"))[..22]
    assert_eq!(subject("hash"), Some(json!("K9gGyX8OAK8aH8Myj6djqS")));
    assert_eq!(subject("omit"), None);
}

#[test]
fn the_hash_of_a_subject_is_keyed_where_there_is_a_salt() {
    let ask = get("/").bearer(token().sign());
    let audit = |salt: &str| json!({ "audit": { "subject": "hash", "salt": { "env": salt } } });
    let subject = |salt: &str| record(&ask, &config(audit(salt))).0["subject"].clone();
    // base64url(HMAC-SHA-256(SHA-256(00 01 ... 1f), "alice"))[..22]
    assert_eq!(subject("SECRET_32"), json!("j5nGyOp6-vuxA7Mz3SHUlE"));
    assert_ne!(subject("SECRET_64"), subject("SECRET_32"));
    assert!(!format!("{:?}", compiled(&config(audit("SECRET_32"))).settings.audit).contains(", 2"), "no salt is shown");
}

#[test]
fn both_forms_of_a_record_hold_texts_of_every_length_and_of_every_script() {
    for subject in ["é\"\\\n日本".to_owned(), "s".repeat(127), "s".repeat(128), "ß".repeat(60)] {
        let ask = get("/").bearer(token().claim("sub", subject).sign());
        assert_eq!(record(&ask, &config(json!({}))).0["decision"], "allow");
    }
}

#[test]
fn a_token_is_named_by_the_hash_of_what_its_signature_covers() {
    let signed = token().sign();
    let (input, _) = signed.rsplit_once('.').unwrap();
    let digest = scopegate::crypto::sha256(input.as_bytes());
    let wanted = scopegate::base::base64url::encode(&digest)[..22].to_owned();
    assert_eq!(record(&get("/").bearer(&signed), &config(json!({}))).0["fingerprint"], json!(wanted));
    let refused = record(&get("/").bearer(format!("{input}.AAAA")), &config(json!({}))).0;
    assert_eq!(refused["unverified_fingerprint"], json!(wanted));
    assert_eq!((refused.get("subject"), refused.get("issuer"), refused.get("fingerprint")), (None, None, None));
}

#[test]
fn no_record_holds_a_part_of_the_token() {
    let long = "s".repeat(500);
    for (signed, members) in [
        (token().sign(), json!({})),
        (token().sign(), json!({ "default": { "scopes": ["x"] } })),
        (token().claim("exp", 1).sign(), json!({})),
        (token().claim("sub", long.as_str()).sign(), json!({})),
        (format!("{}x", token().sign()), json!({ "report_only": true })),
    ] {
        let (json, line) = record(&get("/").bearer(&signed), &config(members));
        for part in signed.split('.') {
            assert!(!json.to_string().contains(part) && !line.contains(part), "{line}");
        }
        assert!(line.len() < 400, "{line}");
    }
}

#[test]
fn a_log_line_is_one_line_and_says_why() {
    let forged = get("/").bearer(token().claim("sub", "bob fingerprint=X (needs admin) decision=allow").sign());
    let (_, line) = record(&forged, &config(json!({ "default": { "scopes": ["orders:write"] } })));
    assert!(line.contains(" subject=\"bob fingerprint=X (needs admin) decision=allow\" fingerprint="), "{line}");
    let hostile = "a\r\nb\" c\u{1b}[0m é";
    let ask = get("/").bearer(token().claim("sub", hostile).sign());
    let (json, line) = record(&ask, &config(json!({ "default": { "scopes": ["orders:write"] } })));
    assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line:?}");
    assert!(
        line.starts_with(
            "decision=deny reason=insufficient_scope issuer=demo subject=\"a%0D%0Ab%22 c%1B[0m %C3%A9\" fingerprint="
        ),
        "{line}"
    );
    assert!(line.ends_with("(needs orders:write)"), "{line}");
    assert_eq!(json["decision"], "deny");
    let (_, line) = record(&get("/").bearer(token().claim("exp", crate::world::NOW - 35).sign()), &config(json!({})));
    assert!(line.ends_with("(35 s ago)"), "{line}");
}

#[test]
fn what_is_only_reported_is_told_apart() {
    let (json, line) = record(&get("/"), &config(json!({ "report_only": true })));
    assert_eq!((&json["decision"], &json["reason"]), (&json!("would_deny"), &json!("no_credential")));
    assert!(line.starts_with("decision=would_deny reason=no_credential"), "{line}");
    let (json, _) = record(&get("/").bearer(token().sign()), &config(json!({})));
    assert_eq!((&json["decision"], json.get("reason")), (&json!("allow"), None));
}
