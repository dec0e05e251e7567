//! Records in filter state: their forms and declarations.

use super::Filter;
use super::proxy::{Client, Proxy, ROOT, Reports};
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
    let record = br#"{"decision":"deny","reason":"no_credential","requirement":"default"}"#.to_vec();
    for audit in [json!({}), json!({ "record": "text" }), json!({ "filter_state": "denials" })] {
        assert_eq!(shown(&audit), (vec![], Some(record.clone())), "{audit}");
    }
}

#[test]
fn a_record_as_an_object_is_a_struct_and_its_key_is_declared_as_one() {
    let declaration = b"\x0a\x09scopegate\x18\x03\x22\x2atype.googleapis.com/google.protobuf.Struct".to_vec();
    let record = [
        &b"\x0a\x12\x0a\x08decision\x12\x06\x1a\x04deny"[..],
        b"\x0a\x19\x0a\x06reason\x12\x0f\x1a\x0dno_credential",
        b"\x0a\x18\x0a\x0brequirement\x12\x09\x1a\x07default",
    ]
    .concat();
    for scope in ["all", "denials"] {
        let audit = json!({ "record": "object", "filter_state": scope });
        assert_eq!(shown(&audit), (vec![declaration.clone()], Some(record.clone())), "{audit}");
    }
}

#[test]
fn a_record_says_what_came_and_what_was_wanted_also_where_no_line_is_written() {
    for scope in ["all", "denials"] {
        let more = json!({ "audit": { "filter_state": scope }, "limits": { "denial_logs_per_second": 0 } });
        let mut proxy = Proxy::configured(&more).fetched();
        let context = proxy.request(Client::Expired);
        let record: Value = serde_json::from_slice(&proxy.stream(context).record.unwrap()).unwrap();
        assert_eq!((&record["member"], record["unverified_received"].is_string()), (&json!("exp"), true), "{record}");
        assert!(record["wanted"].as_str().is_some_and(|wanted| wanted.starts_with("a time after")), "{record}");
    }
}

#[test]
fn requests_are_counted_by_the_issuer_that_their_tokens_name() {
    let clients = [Client::Good, Client::Expired, Client::Forged, Client::NoToken, Client::InQuery, Client::Public];
    let counted = |mut proxy: Proxy| {
        for client in clients {
            proxy.request(client);
        }
        proxy.tick(1);
        ["allowed", "denied", "would_deny"].map(|what| proxy.metric(&format!("issuer.{what}.https___idp_example_com_")))
    };
    assert_eq!(counted(Proxy::with_keys()), [1, 2, 0], "a request whose token names none is not counted");
    assert_eq!(counted(Proxy::reporting(Reports::Everything).fetched()), [1, 0, 2]);
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
