//! Records in filter state: their forms and declarations.

use super::Filter;
use super::proxy::{Client, Proxy, ROOT};
use serde_json::{Value, json};

fn audited(audit: &Value) -> Proxy {
    Proxy::configured(&json!({ "audit": audit }))
}

/// What was declared, and the record of a request without a token.
fn shown(audit: &Value) -> (Vec<Vec<u8>>, Option<Vec<u8>>) {
    let mut proxy = audited(audit);
    let context = proxy.request(Client::NoToken);
    let declared = proxy.script().declared.borrow().clone();
    (declared, proxy.stream(context).record)
}

#[test]
fn a_record_as_text_needs_no_declaration() {
    let record = br#"{"decision":"deny","reason":"no_credential"}"#.to_vec();
    for audit in [json!({}), json!({ "record": "text" }), json!({ "filter_state": "denials" })] {
        assert_eq!(shown(&audit), (vec![], Some(record.clone())), "{audit}");
    }
}

#[test]
fn a_record_as_an_object_is_a_struct_and_its_key_is_declared_as_one() {
    let declaration = b"\x0a\x09scopegate\x18\x03\x22\x2atype.googleapis.com/google.protobuf.Struct".to_vec();
    let record =
        b"\x0a\x12\x0a\x08decision\x12\x06\x1a\x04deny\x0a\x19\x0a\x06reason\x12\x0f\x1a\x0dno_credential".to_vec();
    for scope in ["all", "denials"] {
        let audit = json!({ "record": "object", "filter_state": scope });
        assert_eq!(shown(&audit), (vec![declaration.clone()], Some(record.clone())), "{audit}");
    }
}

#[test]
fn a_policy_without_records_declares_nothing() {
    assert_eq!(shown(&json!({ "record": "object", "filter_state": "none" })), (vec![], None));
}

#[test]
fn a_host_that_takes_no_objects_refuses_the_configuration_that_asks_for_them() {
    for (record, is_accepted) in [("text", true), ("object", false)] {
        let host = Proxy::host(&json!({ "audit": { "record": record } }));
        host.script().declares.set(false);
        let filter = Filter::new(host.clone());
        filter.on_context_create(ROOT, 0);
        host.enter(ROOT);
        assert_eq!(filter.on_configure(ROOT), is_accepted, "{record}");
    }
}
