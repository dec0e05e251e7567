//! What is a message, and what it says.

use super::*;
use FaultKind::{NoName, NotJson, NotMessage};

mod text;

/// A call of the tool `a` with more members of the message, and of `params`; each text begins with a comma.
fn call(top: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"a"{params}}}{top}}}"#)
}

fn request(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
}

fn subjects(text: &str) -> Vec<Subject<'_>> {
    read(text.as_bytes()).unwrap_or_else(|fault| panic!("{fault:?}: {text}")).subjects
}

fn fault(text: &str) -> (FaultKind, &'static str) {
    read(text.as_bytes()).map_or_else(|fault| (fault.kind, fault.what), |message| panic!("{message:?}: {text}"))
}

#[track_caller]
fn refused(text: &str, kind: FaultKind, what: &str) {
    let (found, words) = fault(text);
    assert!(found == kind && words.contains(what), "{found:?}, {words:?}: {text:.200}");
}

#[test]
fn a_call_names_its_tool() {
    let text = call("", r#","arguments":{"a":[1,{"b":null}]},"_meta":{"progressToken":1}"#);
    let message = read(text.as_bytes()).expect("a message");
    let wanted = Message {
        kind: Kind::Request,
        id: Some(Id("1")),
        method: Some("tools/call".into()),
        subjects: vec![Subject::Tool("a".into())],
        meta_version: None,
        requested_version: None,
        task_id: None,
    };
    assert_eq!(message, wanted);
}

#[test]
fn names_are_judged_as_they_are_after_their_escapes() {
    let text = r#" { "\u006ame\u0074hod" : 1, "jsonrpc":"2\u002e0","\u0069d":"\u0031","m\u0065thod":"tools\/call","params":{"n\u0061me":"dr\u006fp_\ud83d\ude00"} } "#;
    let message = read(text.as_bytes()).expect("a message");
    assert_eq!(message.subjects, [Subject::Tool("drop_😀".into())]);
    assert_eq!((message.method.as_deref(), message.id.map(Id::as_json)), (Some("tools/call"), Some(r#""\u0031""#)));
}

#[test]
fn each_method_names_what_it_is_for() {
    let uri = || vec![Subject::Resource("file:///a".into())];
    for (method, params, wanted) in [
        ("tools/call", r#"{"name":"a","uri":"b"}"#, vec![Subject::Tool("a".into())]),
        ("prompts/get", r#"{"name":"a","arguments":{}}"#, vec![Subject::Prompt("a".into())]),
        ("resources/read", r#"{"uri":"file:///a","name":"b"}"#, uri()),
        ("resources/subscribe", r#"{"uri":"file:///a"}"#, uri()),
        ("resources/unsubscribe", r#"{"uri":"file:///a"}"#, uri()),
        ("completion/complete", r#"{"ref":{"type":"ref/prompt","name":"a"}}"#, vec![Subject::Prompt("a".into())]),
        (
            "completion/complete",
            r#"{"ref":{"uri":"b:{c}","type":"ref/resource"}}"#,
            vec![Subject::Template("b:{c}".into())],
        ),
        (
            "subscriptions/listen",
            r#"{"notifications":{"toolsListChanged":true,"resourceSubscriptions":[ "a:" , "b\u003a"]}}"#,
            vec![Subject::Resource("a:".into()), Subject::Resource("b:".into())],
        ),
        ("subscriptions/listen", r#"{"notifications":{"toolsListChanged":true}}"#, vec![]),
        ("subscriptions/listen", "{}", vec![]),
        ("tools/list", r#"{"cursor":"a"}"#, vec![]),
        ("anything/else", r#"{"name":"a"}"#, vec![]),
    ] {
        assert_eq!(subjects(&request(method, params)), wanted, "{method} {params}");
    }
}

#[test]
fn a_message_that_names_nothing_is_refused() {
    for (method, params) in [
        ("tools/call", "{}"),
        ("tools/call", r#"{"name":null}"#),
        ("tools/call", r#"{"name":["a"]}"#),
        ("tools/call", r#"{"name":""}"#),
        ("tools/call", r#"{"name":"a\u0000b"}"#),
        ("tools/call", r#"{"name":"a\n"}"#),
        ("tools/call", r#"{"name":"a\u007f"}"#),
        ("tools/call", r#"{"uri":"a"}"#),
        ("tools/call", r#"{"arguments":{"name":"a"}}"#),
        ("tools/call", r#"{"_meta":{"name":"a"}}"#),
        ("prompts/get", r#"{"name":1}"#),
        ("resources/read", r#"{"name":"a"}"#),
        ("resources/read", r#"{"uri":{}}"#),
        ("resources/subscribe", "{}"),
        ("resources/unsubscribe", r#"{"uri":"a\t"}"#),
        ("completion/complete", "{}"),
        ("completion/complete", r#"{"name":"a","type":"ref/prompt"}"#),
        ("completion/complete", r#"{"ref":"ref/prompt"}"#),
        ("completion/complete", r#"{"ref":[{"type":"ref/prompt","name":"a"}]}"#),
        ("completion/complete", r#"{"ref":{"type":"ref/tool","name":"a"}}"#),
        ("completion/complete", r#"{"ref":{"type":"ref/prompt","uri":"a"}}"#),
        ("completion/complete", r#"{"ref":{"type":"ref/resource","name":"a"}}"#),
        ("subscriptions/listen", r#"{"notifications":[]}"#),
        ("subscriptions/listen", r#"{"notifications":null}"#),
        ("subscriptions/listen", r#"{"notifications":{"resourceSubscriptions":"a"}}"#),
        ("subscriptions/listen", r#"{"notifications":{"resourceSubscriptions":null}}"#),
        ("subscriptions/listen", r#"{"notifications":{"resourceSubscriptions":["a",1]}}"#),
        ("subscriptions/listen", r#"{"notifications":{"resourceSubscriptions":["a",""]}}"#),
        ("subscriptions/listen", r#"{"notifications":{"resourceSubscriptions":["a",["b"]]}}"#),
        ("tasks/get", "{}"),
        ("tasks/update", r#"{"taskId":1}"#),
        ("tasks/cancel", r#"{"taskId":""}"#),
    ] {
        refused(&request(method, params), NoName, "");
    }
    refused(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#, NoName, "tool");
}

#[test]
fn versions_and_tasks_are_read_where_the_protocol_has_them() {
    let text = request("initialize", r#"{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c"}}"#);
    let message = read(text.as_bytes()).expect("a message");
    assert_eq!((message.requested_version.as_deref(), message.meta_version), (Some("2025-11-25"), None));
    let text = call(
        "",
        r#","protocolVersion":"1","taskId":"2","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#,
    );
    let message = read(text.as_bytes()).expect("a message");
    let versions = (message.meta_version.as_deref(), message.requested_version, message.task_id);
    assert_eq!(versions, (Some("2026-07-28"), None, None));
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        let text = request(method, r#"{"taskId":"t"}"#);
        assert_eq!(read(text.as_bytes()).expect("a message").task_id.as_deref(), Some("t"), "{method}");
    }
    assert!(read(call("", r#","_meta":null"#).as_bytes()).is_ok());
    for (text, what) in [
        (call("", r#","_meta":[]"#), "_meta"),
        (call("", r#","_meta":{"io.modelcontextprotocol/protocolVersion":1}"#), "version"),
        (request("initialize", r#"{"protocolVersion":null}"#), "protocolVersion"),
    ] {
        refused(&text, NotMessage, what);
    }
}

#[test]
fn an_id_is_a_string_or_an_integer() {
    let with = |id: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
    let text = |length: usize| format!("\"{}\"", "a".repeat(length));
    let escaped = format!("\"{}\"", r"\u00e9".repeat(128));
    for id in ["0", "-1", "9007199254740993", "\"\"", "\"a b\"", &text(256), &escaped, &"9".repeat(256)] {
        let text = with(id);
        let message = read(text.as_bytes()).unwrap_or_else(|fault| panic!("{fault:?}: {id}"));
        assert_eq!((message.kind, message.id.map(Id::as_json)), (Kind::Request, Some(id)));
    }
    let longer = format!("\"{}a\"", r"\u00e9".repeat(128));
    for id in [
        "null",
        "1.0",
        "1e0",
        "1E2",
        "true",
        "[]",
        "[1]",
        "{}",
        &text(257),
        &longer,
        &"9".repeat(257),
        &"9".repeat(100_000),
    ] {
        refused(&with(id), NotMessage, "id ");
    }
}

#[test]
fn requests_notifications_and_responses_are_told_apart() {
    for (text, kind) in [
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, Kind::Request),
        (r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, Kind::Notification),
        (r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":0.5}}"#, Kind::Notification),
        (r#"{"jsonrpc":"2.0","id":"a","result":{"roots":[]}}"#, Kind::Response),
        (r#"{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no"}}"#, Kind::Response),
    ] {
        assert_eq!(read(text.as_bytes()).map(|message| message.kind), Ok(kind), "{text}");
    }
    for (text, what) in [
        (r#"{"jsonrpc":"2.0","id":1}"#, "neither"),
        (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#, "both"),
        (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":null}"#, "both"),
        (r#"{"jsonrpc":"2.0","result":{}}"#, "without id"),
        (r#"{"jsonrpc":"2.0","id":null,"error":{}}"#, "id "),
        (r#"{"jsonrpc":"2.0","id":1,"result":{},"params":{}}"#, "params"),
        (r#"{"jsonrpc":"2.0","id":1,"method":null,"result":{}}"#, "both"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","error":null}"#, "both"),
        (r#"{"jsonrpc":"2.0","id":1,"method":null}"#, "method"),
        (r#"{"jsonrpc":"2.0","id":1,"method":["tools/call"]}"#, "method"),
        (r#"{"jsonrpc":"2.0","id":1,"method":""}"#, "method"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping\u0000"}"#, "method"),
        (r#"{"id":1,"method":"ping"}"#, "jsonrpc"),
        (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, "jsonrpc"),
        (r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#, "jsonrpc"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#, "params"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":null}"#, "params"),
        ("{}", "jsonrpc"),
        ("[]", "batches"),
        ("\"a\"", "batches"),
    ] {
        refused(text, NotMessage, what);
    }
    refused(&format!("[{}]", call("", "")), NotMessage, "batches");
}

#[test]
fn a_call_is_no_notification() {
    for (method, params) in [
        ("tools/call", r#"{"name":"a"}"#),
        ("prompts/get", r#"{"name":"a"}"#),
        ("resources/read", r#"{"uri":"a:"}"#),
        ("resources/subscribe", r#"{"uri":"a:"}"#),
        ("resources/unsubscribe", r#"{"uri":"a:"}"#),
        ("completion/complete", r#"{"ref":{"type":"ref/prompt","name":"a"}}"#),
        ("subscriptions/listen", r#"{"notifications":{"resourceSubscriptions":["a:"]}}"#),
    ] {
        let text = request(method, params).replace(r#""id":1,"#, "");
        refused(&text, NotMessage, "without id");
    }
}

#[test]
fn a_refusal_has_the_id_if_no_parser_reads_another_one() {
    let id = |text: &str| read(text.as_bytes()).expect_err("a refusal").id.map(|id| id.as_json().to_owned());
    let tool = |rest: &str| format!(r#"{{"jsonrpc":"2.0","id":"x","method":"tools/call",{rest}}}"#);
    assert_eq!(id(&tool(r#""params":{}"#)).as_deref(), Some("\"x\""));
    assert_eq!(id(&tool(r#""params":[]"#)).as_deref(), Some("\"x\""));
    assert_eq!(id(&tool(r#""params":{"name":"a","Name":"b"}"#)).as_deref(), Some("\"x\""));
    for text in [
        tool(r#""ID":"y""#),
        tool(r#""params":{"name":"a"},"Method":"y""#),
        tool(r#""id":"y""#),
        tool(r#""params":{"name":"\ud800"}"#),
        r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#.to_owned(),
        format!("[{}]", call("", "")),
    ] {
        assert_eq!(id(&text), None, "{text}");
    }
}
