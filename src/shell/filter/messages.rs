//! MCP messages in the life of a request: nothing of a message goes on before it is judged, however the host hands it over.

use super::Action;
use super::proxy::{Client, Proxy, TIMEOUT};
use serde_json::json;

const CALL: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read"}}"#;
const FORBIDDEN: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"debug"}}"#;

fn proxy(holds: bool) -> Proxy {
    let mcp = json!({
        "tools": { "rules": [{ "tool": "debug", "deny": true }] }, "hold_headers": holds, "body_bytes": 100,
    });
    Proxy::configured(&json!({ "default": { "mcp": mcp }, "route_metadata": "ignore" }))
}

fn begin(proxy: &mut Proxy) -> u32 {
    let context = proxy.begin(Client::Good);
    let json = ("content-type".to_owned(), "application/json".to_owned());
    proxy.script().streams.borrow_mut().get_mut(&context).unwrap().headers.push(json);
    context
}

/// Hands a body over in two parts. Returns what is done with each.
fn in_two(proxy: &Proxy, context: u32, body: &[u8], by_trailers: bool) -> [Action; 2] {
    let (first, second) = body.split_at(body.len() / 2);
    let first = proxy.part(context, first, false);
    let second = proxy.part(context, second, !by_trailers);
    [first, if by_trailers { proxy.trailers(context) } else { second }]
}

#[test]
fn a_message_is_judged_when_its_last_part_is_here() {
    for (holds, by_trailers) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut proxy = proxy(holds).fetched();
        for (body, answers) in
            [(CALL, &[][..]), (FORBIDDEN, &["scopegate_denied"]), (b"{", &["scopegate_invalid_message"])]
        {
            let context = begin(&mut proxy);
            let headers = if holds { Action::Pause } else { Action::Continue };
            assert_eq!(proxy.headers(context, false), headers);
            assert_eq!(proxy.stream(context).edits.is_empty(), holds, "headers that go on are edited");
            let last = if answers.is_empty() { Action::Continue } else { Action::Pause };
            proxy.allow_answers_after_headers(context);
            assert_eq!(in_two(&proxy, context, body, by_trailers), [Action::Pause, last], "{holds} {by_trailers}");
            assert_eq!(proxy.answers(context), answers);
            assert_eq!(proxy.part(context, b"x", true), last, "what comes after it");
        }
    }
}

#[test]
fn a_message_that_is_too_long_is_refused_before_all_of_it_is_here() {
    for holds in [false, true] {
        let mut proxy = proxy(holds).fetched();
        let context = begin(&mut proxy);
        proxy.headers(context, false);
        proxy.allow_answers_after_headers(context);
        assert_eq!(proxy.part(context, &[b' '; 100], false), Action::Pause);
        assert!(proxy.answers(context).is_empty());
        assert_eq!(proxy.part(context, b" ", false), Action::Pause);
        assert_eq!(proxy.answers(context), ["scopegate_body_too_large"]);
    }
}

/// The host calls back with the body while a request waits for keys, if its plugin lets it.
#[test]
fn a_message_that_came_while_keys_were_awaited_is_judged_by_them() {
    for (holds, early) in [(false, 0), (false, 1), (false, 2), (true, 0), (true, 1), (true, 2)] {
        for (body, answers) in [(CALL, &[][..]), (FORBIDDEN, &["scopegate_denied"])] {
            let mut proxy = proxy(holds);
            let context = begin(&mut proxy);
            assert_eq!(proxy.headers(context, false), Action::Pause);
            let (first, second) = body.split_at(body.len() / 2);
            let parts: [(&[u8], bool); 2] = [(first, false), (second, true)];
            for (part, ends) in parts.into_iter().take(early) {
                assert_eq!(proxy.part(context, part, ends), Action::Pause);
            }
            for status in [404, 200] {
                proxy.tick(5);
                proxy.answer_all(status);
                proxy.tick(1000);
            }
            proxy.allow_answers_after_headers(context);
            for (part, ends) in parts.into_iter().skip(early) {
                proxy.part(context, part, ends);
            }
            let case = format!("{holds}, {early} parts before the keys");
            assert_eq!(proxy.answers(context), answers, "{case}");
            assert_eq!(proxy.stream(context).upstream.is_some() && answers.is_empty(), answers.is_empty(), "{case}");
        }
    }
}

#[test]
fn a_host_call_that_is_refused_lets_no_message_pass() {
    for holds in [false, true] {
        let mut turn = 0;
        loop {
            let mut proxy = proxy(holds).fetched();
            let context = begin(&mut proxy);
            proxy.script().calls.borrow_mut().clear();
            proxy.script().refused.set(Some(turn));
            proxy.headers(context, false);
            proxy.allow_answers_after_headers(context);
            let last = in_two(&proxy, context, FORBIDDEN, false)[1];
            let Some(call) = proxy.script().calls.borrow().get(turn).copied() else { break };
            assert_eq!(last, Action::Pause, "{holds}, {call} ({turn})");
            proxy.tick(TIMEOUT);
            proxy.end(context);
            turn += 1;
        }
        assert!(turn > 2, "{holds}: there were calls to refuse");
    }
}

/// The client goes away before its message has come, or lets it be awaited, and sends another one.
#[test]
fn one_client_more_is_told_of_with_its_first_message_that_is_decided() {
    let mut proxy = Proxy::configured(&json!({
        "default": { "mcp": {} }, "route_metadata": "ignore", "reuse": { "max_clients": 1 },
    }))
    .fetched();
    let events: Vec<bool> = [("192.0.2.1:1", 1), ("198.51.100.1:1", 0), ("198.51.100.1:1", 1), ("198.51.100.1:1", 1)]
        .into_iter()
        .map(|(address, parts)| {
            let context = begin(&mut proxy);
            proxy.script().streams.borrow_mut().get_mut(&context).unwrap().address = address.to_owned();
            proxy.headers(context, false);
            (0..parts).for_each(|_| assert_eq!(proxy.part(context, CALL, true), Action::Continue));
            let record = proxy.stream(context).record.map(|record| String::from_utf8(record).unwrap());
            proxy.end(context);
            record.is_some_and(|record| record.contains("\"event\":\"token_reuse\""))
        })
        .collect();
    assert_eq!(events, [false, false, true, false]);
    proxy.tick(1000);
    assert_eq!(proxy.metric("reuse.events"), 1);
}
