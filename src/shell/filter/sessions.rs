//! Session ids in responses: the client gets none that is not bound, whenever the response comes.

use super::proxy::{Client, Proxy, ROOT};
use super::{Action, Filter};
use crate::policy::SESSION_ID;
use serde_json::json;

const CALL: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
const FORBIDDEN: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"logging/setLevel"}"#;
const OF_SERVER: &str = "of-server";

fn members(holds: bool) -> serde_json::Value {
    let mcp = json!({
        "session": { "keys": [{ "env": "SECRET" }] }, "hold_headers": holds,
        "methods": { "rules": [{ "method": "logging/setLevel", "deny": true }] },
    });
    json!({ "default": { "mcp": mcp }, "route_metadata": "ignore" })
}

fn proxy(holds: bool) -> Proxy {
    Proxy::configured(&members(holds))
}

/// A stream with these headers beside those of a message.
fn begin(proxy: &mut Proxy, method: &str, session: Option<&str>) -> u32 {
    let context = proxy.begin(Client::Good);
    let mut streams = proxy.script().streams.borrow_mut();
    let headers = &mut streams.get_mut(&context).unwrap().headers;
    headers[0].1 = method.to_owned();
    headers.push(("content-type".to_owned(), "application/json".to_owned()));
    headers.extend(session.map(|id| (SESSION_ID.to_owned(), id.to_owned())));
    context
}

/// The session ids that the client gets.
fn handed_out(proxy: &Proxy, context: u32) -> Vec<String> {
    let response = proxy.stream(context).response.into_iter();
    response.filter(|(name, _)| name == SESSION_ID).map(|(_, id)| id).collect()
}

/// What the server gets of the header.
fn upstream(proxy: &Proxy, context: u32) -> Vec<String> {
    let headers = proxy.stream(context).upstream.expect("it went on").into_iter();
    headers.filter(|(name, _)| name == SESSION_ID).map(|(_, id)| id).collect()
}

fn respond(proxy: &Proxy, context: u32) -> Vec<String> {
    assert_eq!(proxy.respond(context, &[(":status", "200"), (SESSION_ID, OF_SERVER)]), Action::Continue);
    handed_out(proxy, context)
}

#[test]
fn a_client_gets_a_bound_id_and_the_server_its_own_however_the_request_comes() {
    for holds in [false, true] {
        let mut proxy = proxy(holds).fetched();
        let first = begin(&mut proxy, "POST", None);
        proxy.headers(first, false);
        proxy.allow_answers_after_headers(first);
        assert_eq!(proxy.part(first, CALL, true), Action::Continue);
        let ids = respond(&proxy, first);
        let [id] = ids.as_slice() else { panic!("{ids:?}") };
        assert!(id.starts_with(OF_SERVER) && id != OF_SERVER, "{id}");
        for (method, ends) in [("GET", true), ("DELETE", true), ("POST", false)] {
            let context = begin(&mut proxy, method, Some(id));
            proxy.headers(context, ends);
            if !ends {
                proxy.allow_answers_after_headers(context);
                assert_eq!(proxy.part(context, CALL, true), Action::Continue);
            }
            assert_eq!(upstream(&proxy, context), [OF_SERVER], "{method} {holds}");
            assert_eq!(respond(&proxy, context), [id.as_str()], "a later response has it again");
            proxy.end(context);
        }
        let raw = begin(&mut proxy, "GET", Some(OF_SERVER));
        proxy.headers(raw, true);
        assert_eq!(proxy.answers(raw), ["scopegate_foreign_session"]);
    }
}

#[test]
fn an_id_is_bound_after_a_wait_for_keys() {
    let mut proxy = proxy(false);
    let context = begin(&mut proxy, "GET", None);
    assert_eq!(proxy.headers(context, true), Action::Pause);
    let proxy = proxy.fetched();
    assert!(proxy.stream(context).upstream.is_some());
    assert_ne!(respond(&proxy, context), [OF_SERVER]);
}

/// The headers of a message may go ahead, and a server may answer them.
#[test]
fn an_answer_before_the_message_is_judged_has_a_bound_id() {
    let mut proxy = proxy(false).fetched();
    let context = begin(&mut proxy, "POST", None);
    assert_eq!(proxy.headers(context, false), Action::Continue);
    let ids = respond(&proxy, context);
    assert!(matches!(ids.as_slice(), [id] if id != OF_SERVER), "{ids:?}");
}

#[test]
fn what_comes_after_an_early_answer_that_is_refused_stays_here() {
    let mut proxy = proxy(false).fetched();
    let context = begin(&mut proxy, "POST", None);
    proxy.headers(context, false);
    proxy.allow_answers_after_headers(context);
    assert_eq!(proxy.respond(context, &[(SESSION_ID, "a b")]), Action::Pause);
    assert_eq!(proxy.part(context, CALL, true), Action::Pause);
    assert_eq!(proxy.answers(context), ["scopegate_unusable_session"], "answered once");
}

#[test]
fn an_answer_of_the_gate_is_left_as_it_is() {
    let mut proxy = proxy(false).fetched();
    let context = begin(&mut proxy, "POST", None);
    proxy.headers(context, false);
    proxy.allow_answers_after_headers(context);
    assert_eq!(proxy.part(context, FORBIDDEN, true), Action::Pause);
    assert_eq!(proxy.answers(context), ["scopegate_denied"]);
    proxy.script().calls.borrow_mut().clear();
    assert_eq!(proxy.respond(context, &[(":status", "403")]), Action::Continue);
    assert!(proxy.script().calls.borrow().is_empty());
}

#[test]
fn a_response_of_which_nothing_is_asked_costs_no_host_call() {
    let mut proxy = Proxy::with_keys();
    let contexts = [true, false].map(|ends| {
        let context = proxy.begin(Client::Good);
        proxy.headers(context, ends);
        context
    });
    proxy.script().calls.borrow_mut().clear();
    for context in contexts {
        assert_eq!(respond(&proxy, context), [OF_SERVER]);
    }
    assert_eq!(proxy.filter.on_response_headers(99, false), Action::Continue, "a stream that is not known");
    assert!(proxy.script().calls.borrow().is_empty());
}

#[test]
fn a_response_without_an_id_goes_on_as_it_is() {
    let mut proxy = proxy(false).fetched();
    let context = begin(&mut proxy, "GET", None);
    proxy.headers(context, true);
    let headers = [(":status", "404"), ("x-session-id", "a")];
    assert_eq!(proxy.respond(context, &headers), Action::Continue);
    assert_eq!(proxy.stream(context).response, headers.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn an_id_that_cannot_be_bound_does_not_reach_the_client() {
    let long = "a".repeat(1025);
    let cases: [&[(&str, &str)]; 5] = [
        &[(SESSION_ID, "a"), (SESSION_ID, "a")],
        &[(SESSION_ID, "a b")],
        &[(SESSION_ID, "\u{e9}")],
        &[(SESSION_ID, "")],
        &[(SESSION_ID, &long)],
    ];
    let mut proxy = proxy(false).fetched();
    for headers in cases {
        let context = begin(&mut proxy, "GET", None);
        proxy.headers(context, true);
        proxy.allow_answers_after_headers(context);
        assert_eq!(proxy.respond(context, headers), Action::Pause, "{headers:?}");
        assert_eq!(proxy.stream(context).answers, [(502, "scopegate_unusable_session".to_owned())]);
        let record = String::from_utf8(proxy.stream(context).record.unwrap()).unwrap();
        assert!(
            record.contains("\"reason\":\"unusable_session\"") && record.contains("\"subject\":\"alice\""),
            "{record}"
        );
    }
    proxy.tick(1000);
    assert_eq!(proxy.metric("denied.unusable_session"), 5);
}

#[test]
fn the_record_of_a_response_that_is_refused_names_its_request() {
    let fields = json!(["reason", "requirement", "method", "request_id"]);
    let mut members = members(false);
    let own = members["default"].clone();
    members["default"] = json!({ "methods": { "GET": own.clone(), "POST": own } });
    members["audit"] = json!({ "fields": fields });
    let mut proxy = Proxy::configured(&members).fetched();
    for (method, ends) in [("GET", true), ("POST", false)] {
        let context = begin(&mut proxy, method, None);
        let id = ("x-request-id".to_owned(), "r-1".to_owned());
        proxy.script().streams.borrow_mut().get_mut(&context).unwrap().headers.push(id);
        proxy.headers(context, ends);
        proxy.allow_answers_after_headers(context);
        if !ends {
            assert_eq!(proxy.part(context, CALL, true), Action::Continue);
        }
        proxy.respond(context, &[(SESSION_ID, "a b")]);
        let record: serde_json::Value = serde_json::from_slice(&proxy.stream(context).record.unwrap()).unwrap();
        let wanted = json!({
            "decision": "deny", "reason": "unusable_session", "requirement": format!("default.methods.{method}"),
            "method": method, "request_id": "r-1",
        });
        assert_eq!(record, wanted);
    }
    proxy.tick(1000);
    assert_eq!(proxy.metric("requirement.deny.default_methods_POST"), 1);
}

#[test]
fn a_host_call_that_is_refused_lets_no_id_pass_unbound() {
    let mut turn = 0;
    loop {
        let mut proxy = proxy(false).fetched();
        let context = begin(&mut proxy, "GET", None);
        proxy.headers(context, true);
        proxy.allow_answers_after_headers(context);
        proxy.script().calls.borrow_mut().clear();
        proxy.script().refused.set(Some(turn));
        let action = proxy.respond(context, &[(":status", "200"), (SESSION_ID, OF_SERVER)]);
        let Some(call) = proxy.script().calls.borrow().get(turn).copied() else { break };
        assert_eq!(action, Action::Pause, "{call} ({turn})");
        assert_eq!(proxy.answers(context), ["scopegate_host_failure"], "{call} ({turn})");
        turn += 1;
    }
    assert!(turn > 1, "there were calls to refuse");
}

#[test]
fn a_module_that_is_not_called_for_responses_refuses_the_configuration() {
    for (has_responses, is_good) in [(true, true), (false, false)] {
        let host = Proxy::host(&members(false));
        host.script().has_responses.set(has_responses);
        let filter = Filter::new(host.clone());
        filter.on_context_create(ROOT, 0);
        host.enter(ROOT);
        assert_eq!(filter.on_configure(ROOT), is_good);
    }
}
