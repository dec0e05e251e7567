//! Lists in responses, in any parts in which they come: the client gets what it may call, or an error.

use super::Action;
use super::proxy::{Client, Proxy};
use serde_json::{Value, json};

const LIST: &str =
    r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"read"}, {"name":"debug"},{"name":"write"}]}}"#;
const SHOWN: &str = r#"{"jsonrpc":"2.0","id":7,"result":{"tools":[{"name":"read"}]}}"#;
const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

fn proxy(holds: bool) -> Proxy {
    let tools = json!({ "rules": [{ "tool": "debug", "deny": true }, { "tool": "write", "scopes": ["write"] }] });
    let mcp = json!({ "tools": tools, "lists": "granted", "hold_headers": holds });
    Proxy::configured(&json!({ "default": { "mcp": mcp }, "route_metadata": "ignore" })).fetched()
}

/// A request that has gone on: a POST of this method, or a GET.
fn asked(proxy: &mut Proxy, method: Option<&str>) -> u32 {
    let context = proxy.begin(Client::Good);
    {
        let mut streams = proxy.script().streams.borrow_mut();
        let headers = &mut streams.get_mut(&context).unwrap().headers;
        headers.push(("content-type".to_owned(), JSON.to_owned()));
        headers.push(("accept-encoding".to_owned(), "gzip".to_owned()));
        if method.is_none() {
            headers[0].1 = "GET".to_owned();
        }
    }
    proxy.headers(context, method.is_none());
    proxy.allow_answers_after_headers(context);
    if let Some(method) = method {
        let message = json!({ "jsonrpc": "2.0", "id": "mine", "method": method }).to_string();
        assert_eq!(proxy.part(context, message.as_bytes(), true), Action::Continue);
    }
    context
}

/// What the client gets of a body that comes in these parts, and each part of it.
fn received(proxy: &Proxy, context: u32, body: &[u8], size: usize, by_trailers: bool) -> (String, Vec<usize>) {
    let (mut all, mut sizes) = (Vec::new(), Vec::new());
    let mut parts = body.chunks(size).peekable();
    while let Some(part) = parts.next() {
        let sent = proxy.response_part(context, part, parts.peek().is_none() && !by_trailers);
        sizes.push(sent.len());
        all.extend(sent);
    }
    if by_trailers {
        all.extend(proxy.response_trailers(context));
    }
    (String::from_utf8(all).unwrap(), sizes)
}

fn respond(proxy: &Proxy, context: u32, of_type: &str) -> Action {
    proxy.respond(context, &[(":status", "200"), ("content-type", of_type), ("content-length", "99")])
}

#[test]
fn a_list_comes_without_what_the_client_may_not_call_in_any_parts() {
    for (holds, size, by_trailers) in
        [(false, 999, false), (false, 1, false), (true, 7, false), (true, 999, true), (false, 7, true)]
    {
        let mut proxy = proxy(holds);
        let context = asked(&mut proxy, Some("tools/list"));
        let upstream = proxy.stream(context).upstream.unwrap();
        assert!(upstream.iter().all(|(name, _)| name != "accept-encoding"), "{upstream:?}");
        assert_eq!(respond(&proxy, context, JSON), Action::Continue);
        assert!(proxy.stream(context).response.iter().all(|(name, _)| name != "content-length"));
        let (body, _) = received(&proxy, context, LIST.as_bytes(), size, by_trailers);
        assert_eq!(body, SHOWN, "{holds} {size} {by_trailers}");
        proxy.tick(1);
        assert_eq!(proxy.metric("denied.unusable_list"), 0);
    }
}

#[test]
fn what_is_no_list_leaves_a_stream_in_the_call_in_which_it_came() {
    let mut proxy = proxy(false);
    let post = asked(&mut proxy, Some("tools/list"));
    let get = asked(&mut proxy, None);
    let event = format!("event: message\nid: 1\ndata: {LIST}\n\n");
    let shown = format!("event: message\nid: 1\ndata: {SHOWN}\n\n");
    let other = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}\n\n";
    for context in [post, get] {
        assert_eq!(respond(&proxy, context, EVENTS), Action::Continue);
        for (part, sent) in [
            (": ping\n", ": ping\n"),
            (other, other),
            ("id: 0\ndata: \n\n", "id: 0\ndata: \n\n"),
            (event.split_at(40).0, ""),
            (event.split_at(40).1, &shown),
            (&[other, &event, other.split_at(9).0].concat(), &[other, &shown].concat()),
            (other.split_at(9).1, other),
        ] {
            let sent = sent.as_bytes();
            assert_eq!(proxy.response_part(context, part.as_bytes(), false), sent, "{part:?}");
        }
        assert_eq!(proxy.response_part(context, b"", true), b"");
    }
}

/// A client may leave the body of a GET open, and the server answers its headers.
#[test]
fn a_stream_that_begins_before_its_request_has_ended_is_read_to_its_end() {
    let mut proxy = proxy(false);
    let context = proxy.begin(Client::Good);
    proxy.script().streams.borrow_mut().get_mut(&context).unwrap().headers[0].1 = "GET".to_owned();
    assert_eq!(proxy.headers(context, false), Action::Continue);
    proxy.allow_answers_after_headers(context);
    assert_eq!(respond(&proxy, context, EVENTS), Action::Continue);
    let (event, shown) = (format!("data: {LIST}\n\n"), format!("data: {SHOWN}\n\n"));
    let (first, second) = event.split_at(20);
    let nothing = "data: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"tools\":[]}}\n\n";
    assert_eq!(proxy.response_part(context, [&event, first].concat().as_bytes(), false), nothing.as_bytes());
    assert_eq!(proxy.part(context, b"", true), Action::Continue);
    assert_eq!(proxy.response_part(context, second.as_bytes(), false), shown.as_bytes());
    assert_eq!(proxy.response_part(context, event.as_bytes(), true), shown.as_bytes());
}

/// What cannot be read is an error to the request that waits for it.
#[test]
fn what_may_hold_a_list_and_is_not_read_in_one_way_becomes_an_error() {
    let event = |data: &str| format!("data: {data}\n\n");
    for (of_type, body, what) in [
        (JSON, format!("[{LIST}]"), "a batch"),
        (JSON, LIST.replace("\"name\"", "\"title\""), "an item without a name"),
        (JSON, "no".to_owned(), "not JSON"),
        (JSON, format!("{LIST}{}", " ".repeat(1_048_576)), "a list that is longer than the limit"),
        (EVENTS, event(&format!("[{LIST}]")), "a batch"),
        (EVENTS, event(&format!("{LIST}\rdata:")), "a line that only some readers end"),
        (EVENTS, event(&" ".repeat(1_048_576)), "an event or a comment that is longer than the limit"),
        (EVENTS, event(LIST).replace("data", "Data"), "a field that only some readers know"),
    ] {
        for (method, id) in [(Some("prompts/list"), json!("mine")), (None, json!(null))] {
            let mut proxy = proxy(true);
            let context = asked(&mut proxy, method);
            assert_eq!(respond(&proxy, context, of_type), Action::Continue);
            let (body, _) = received(&proxy, context, body.as_bytes(), 65_536, false);
            let answer = if of_type == JSON { body.as_str() } else { body.strip_prefix("data: ").unwrap().trim_end() };
            let answer: Value = serde_json::from_str(answer).unwrap();
            assert_eq!(answer["error"]["code"], -32603, "{what}: {answer}");
            let id = if what == "an item without a name" && method.is_none() { json!(7) } else { id };
            assert_eq!(answer["id"], id, "{what}");
            let record = String::from_utf8(proxy.stream(context).record.unwrap()).unwrap();
            assert!(record.contains("unusable_list"), "{record}");
        }
    }
}

#[test]
fn a_response_that_cannot_be_read_is_answered_at_its_headers() {
    for headers in [
        &[("content-type", JSON), ("content-encoding", "gzip")][..],
        &[("content-type", EVENTS), ("content-encoding", "br")],
        &[("content-type", "text/plain")],
        &[],
    ] {
        let mut proxy = proxy(true);
        let context = asked(&mut proxy, Some("tools/list"));
        let lines = [&[(":status", "200")][..], headers].concat();
        assert_eq!(proxy.respond(context, &lines), Action::Pause, "{headers:?}");
        assert_eq!(proxy.answers(context), ["scopegate_unusable_list"]);
    }
}

#[test]
fn other_answers_are_not_looked_at() {
    for (method, headers) in [
        (Some("tools/call"), [(":status", "200"), ("content-type", JSON)]),
        (Some("initialize"), [(":status", "200"), ("content-type", EVENTS)]),
        (Some("tools/list"), [(":status", "503"), ("content-type", "text/plain")]),
    ] {
        let mut proxy = proxy(true);
        let context = asked(&mut proxy, method.map(|it| if it == "tools/call" { "ping" } else { it }));
        assert_eq!(proxy.respond(context, &headers), Action::Continue);
        proxy.script().calls.borrow_mut().clear();
        assert_eq!(proxy.response_part(context, LIST.as_bytes(), true), LIST.as_bytes());
        assert!(proxy.script().calls.borrow().is_empty(), "{method:?}");
    }
}

/// A host that refuses a call gets no list to send on.
#[test]
fn a_host_call_that_is_refused_lets_no_hidden_item_pass() {
    for of_type in [JSON, EVENTS] {
        let body = if of_type == JSON { LIST.to_owned() } else { format!("data: {LIST}\n\n") };
        let mut turn = 0;
        loop {
            let mut proxy = proxy(true);
            let context = asked(&mut proxy, Some("tools/list"));
            proxy.script().calls.borrow_mut().clear();
            proxy.script().refused.set(Some(turn));
            let sent = if respond(&proxy, context, of_type) == Action::Continue {
                received(&proxy, context, body.as_bytes(), 40, false).0
            } else {
                String::new()
            };
            let Some(call) = proxy.script().calls.borrow().get(turn).copied() else { break };
            assert!(!sent.contains("debug"), "{of_type}, {call} ({turn}): {sent}");
            turn += 1;
        }
        assert!(turn > 4, "{of_type}: there were calls to refuse");
    }
}

#[test]
fn a_list_that_comes_after_the_token_has_ended_is_empty() {
    let mut proxy = proxy(false);
    let context = asked(&mut proxy, None);
    assert_eq!(respond(&proxy, context, EVENTS), Action::Continue);
    let event = format!("data: {LIST}\n\n");
    let shown = |proxy: &Proxy| String::from_utf8(proxy.response_part(context, event.as_bytes(), false)).unwrap();
    assert_eq!(shown(&proxy), format!("data: {SHOWN}\n\n"));
    proxy.tick(3_700_000);
    assert_eq!(shown(&proxy), "data: {\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"tools\":[]}}\n\n");
}
