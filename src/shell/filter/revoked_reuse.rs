//! Tokens that too many clients show, and that are revoked for it: on this worker at once, on another at its next tick.

use super::Filter;
use super::proxy::{Client, Proxy, ROOT};
use crate::base::time::UnixSeconds;
use crate::event_store::{Enters, SharedEvents};
use crate::revocation::Entry;
use crate::shell::host::Host as _;
use serde_json::{Value, json};
use std::rc::Rc;

const OTHER_ROOT: u32 = 2;
const CALL: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read"}}"#;
/// How long a client counts, in milliseconds, and a quarter more.
const WINDOW: u64 = 75_000;

fn members(more: &Value) -> Value {
    let mut members = json!({
        "reuse": { "window": "1m", "max_clients": 1, "action": "revoke" },
        "route_metadata": "ignore", "shared_keys": "always", "limits": { "event_entries": 1000 },
    });
    members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    members
}

fn gate(more: &Value) -> Proxy {
    Proxy::configured(&members(more)).fetched()
}

/// A request with the token of this number from this client. Returns how it was answered.
fn show(proxy: &mut Proxy, token: u8, client: u8) -> Vec<String> {
    let context = proxy.begin(Client::Once(token));
    proxy.change(context, |stream| stream.address = format!("192.0.{client}.1:1"));
    proxy.headers(context, true);
    proxy.answers(context)
}

#[test]
fn a_token_that_too_many_clients_show_stays_refused_when_they_are_forgotten() {
    let mut proxy = gate(&json!({}));
    assert!(show(&mut proxy, 1, 1).is_empty());
    assert_eq!(show(&mut proxy, 1, 2), ["scopegate_reused"]);
    assert_eq!(show(&mut proxy, 1, 1), ["scopegate_revoked"]);
    assert!(show(&mut proxy, 2, 1).is_empty(), "another token");
    proxy.tick(WINDOW);
    proxy.tick(WINDOW);
    assert_eq!(show(&mut proxy, 1, 1), ["scopegate_revoked"]);
    proxy.tick(0);
    assert_eq!((proxy.metric("reuse.revoked"), proxy.metric("reuse.not_revoked")), (1, 0));
    assert_eq!(proxy.metric("events.entries"), 1);
}

#[test]
fn another_worker_refuses_it_from_its_next_tick_on() {
    let mut proxy = gate(&json!({}));
    let other = Rc::new(Filter::new(proxy.host.clone()));
    other.on_context_create(OTHER_ROOT, 0);
    proxy.host.enter(OTHER_ROOT);
    assert!(other.on_configure(OTHER_ROOT));
    show(&mut proxy, 1, 1);
    assert_eq!(show(&mut proxy, 1, 2), ["scopegate_reused"]);
    proxy.host.enter(OTHER_ROOT);
    other.on_tick(OTHER_ROOT);
    proxy.host.enter(ROOT);
    // It has the keys that the first one fetched, and counts nothing of its own.
    let context = proxy.begin(Client::Once(1));
    proxy.change(context, |stream| stream.address = "192.0.1.1:1".to_owned());
    let there = context + 100;
    let stream = proxy.stream(context);
    proxy.script().streams.borrow_mut().insert(there, stream);
    other.on_context_create(there, OTHER_ROOT);
    proxy.host.enter(there);
    other.on_request_headers(there, true);
    proxy.host.enter(ROOT);
    assert_eq!(proxy.answers(there), ["scopegate_revoked"]);
}

#[test]
fn a_token_is_revoked_too_when_its_headers_have_gone_on() {
    let mut proxy = gate(&json!({ "default": { "mcp": {} } }));
    let mut ask = |client: u8| {
        let context = proxy.begin(Client::Once(1));
        proxy.change(context, |stream| {
            stream.address = format!("192.0.{client}.1:1");
            stream.headers.push(("content-type".to_owned(), "application/json".to_owned()));
        });
        proxy.headers(context, false);
        proxy.allow_answers_after_headers(context);
        if proxy.answers(context).is_empty() {
            proxy.part(context, CALL, true);
        }
        proxy.answers(context)
    };
    assert!(ask(1).is_empty());
    assert_eq!(ask(2), ["scopegate_reused"]);
    assert_eq!(ask(1), ["scopegate_revoked"]);
}

#[test]
fn without_room_a_token_is_refused_as_long_as_too_many_show_it_and_that_is_counted() {
    let mut proxy = gate(&json!({}));
    let store = SharedEvents::open(proxy.host.shared_data(), 1000).unwrap();
    let now = UnixSeconds(i64::try_from(proxy.script().now_ms.get() / 1000).unwrap());
    for number in 0..20_000 {
        // A bucket that is full refuses more, until all are.
        let _ = store.enter(&[Entry::token("https://other/".to_owned(), number.to_string())], Enters::Anyone, now);
    }
    assert!(show(&mut proxy, 1, 1).is_empty());
    for client in [2, 1, 2] {
        assert_eq!(show(&mut proxy, 1, client), ["scopegate_reused"]);
    }
    proxy.tick(0);
    assert_eq!((proxy.metric("reuse.revoked"), proxy.metric("reuse.not_revoked")), (0, 3));
    proxy.tick(WINDOW);
    proxy.tick(WINDOW);
    assert!(show(&mut proxy, 1, 1).is_empty(), "it was not revoked");
}

#[test]
fn report_only_revokes_nothing() {
    let mut proxy = Proxy::reporting_with(super::proxy::Reports::Everything, &members(&json!({ "report_only": true })));
    proxy = proxy.fetched();
    for client in [1, 2, 3, 1] {
        let context = proxy.begin(Client::Good);
        proxy.change(context, |stream| stream.address = format!("192.0.{client}.1:1"));
        proxy.headers(context, true);
        assert!(proxy.answers(context).is_empty());
    }
    proxy.tick(0);
    assert_eq!((proxy.metric("would_deny.reused"), proxy.metric("would_deny.revoked")), (3, 0));
    assert_eq!((proxy.metric("reuse.revoked"), proxy.metric("events.entries")), (0, 0));
}
