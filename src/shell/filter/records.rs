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
    let record = br#"{"decision":"deny","reason":"no_credential","requirement":"default","status":401}"#.to_vec();
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
        // 401 as a double.
        b"\x0a\x13\x0a\x06status\x12\x09\x11\x00\x00\x00\x00\x00\x10\x79\x40",
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

/// The record of one request of a client.
fn record(proxy: &mut Proxy, client: Client) -> Value {
    let context = proxy.begin(client);
    proxy.script().streams.borrow_mut().get_mut(&context).expect("a stream").address = "203.0.113.77:4711".to_owned();
    proxy.headers(context, true);
    serde_json::from_slice(&proxy.stream(context).record.expect("a record")).expect("JSON")
}

#[test]
fn a_full_record_has_what_the_host_knows_of_the_request() {
    let mut proxy = audited(&json!({ "fields": "full" })).fetched();
    let good = record(&mut proxy, Client::Good);
    let second = record(&mut proxy, Client::Good);
    assert_eq!((&good["method"], &good["algorithm"], &good["status"]), (&json!("POST"), &json!("EdDSA"), &Value::Null));
    assert!(good["time"].as_str().is_some_and(|time| time.starts_with("2023-11-15T00:00:0")), "{good}");
    assert_eq!(good["client_network"], "203.0.113.0/24", "{good}");
    assert!(good["expires_in"].as_i64().is_some_and(|left| (3590..=3600).contains(&left)), "{good}");
    assert_eq!((&good["cache"], &second["cache"]), (&json!("miss"), &json!("hit")));
    assert_eq!((&good["verified_by"], &second["verified_by"]), (&json!("module"), &json!("module")));
}

#[test]
fn a_record_has_the_status_that_was_answered_or_would_have_been() {
    for (client, status) in
        [(Client::NoToken, 401), (Client::InQuery, 400), (Client::Expired, 401), (Client::Forged, 401)]
    {
        let denied = record(&mut Proxy::with_keys(), client);
        let reported = record(&mut Proxy::reporting(Reports::Everything).fetched(), client);
        assert_eq!((&denied["decision"], &denied["status"]), (&json!("deny"), &json!(status)), "{denied}");
        assert_eq!((&reported["decision"], &reported["status"]), (&json!("would_deny"), &json!(status)), "{reported}");
    }
}

#[test]
fn records_ask_the_host_for_nothing_more_unless_their_fields_need_it() {
    let calls = |fields: &Value| {
        let mut proxy = audited(&json!({ "fields": fields })).fetched();
        proxy.request(Client::Good);
        proxy.script().calls.borrow_mut().clear();
        proxy.request(Client::Good);
        let calls = proxy.script().calls.borrow();
        calls.iter().filter(|call| **call == "property").count()
    };
    let standard = calls(&json!("standard"));
    assert_eq!(calls(&json!("minimal")), standard);
    assert_eq!(calls(&json!(["time", "method", "request_id", "scopes", "jti_hash"])), standard);
    assert_eq!(calls(&json!(["route"])), standard + 1);
    assert_eq!(calls(&json!("full")), standard + 3);
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
