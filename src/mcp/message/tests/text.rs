//! What is refused of a text since two parsers could read it differently, and what is not.

use super::*;

const AMBIGUOUS: &str = "another parser";

#[test]
fn a_member_that_is_there_twice_is_refused_at_any_depth() {
    for (top, params) in [
        (r#","id":1"#, ""),
        (r#","method":"tools/list""#, ""),
        (r#","params":{"name":"b"}"#, ""),
        (r#","x":1,"x":1"#, ""),
        ("", r#","name":"b""#),
        ("", r#","n\u0061me":"b""#),
        ("", r#","arguments":{"a":1,"a":1}"#),
        ("", r#","arguments":{"a":{},"b":{"a":1},"\u0061":1}"#),
        ("", r#","arguments":{"\ud83d\ude00":1,"😀":1}"#),
        ("", r#","arguments":[[{"a":[{"":1,"":2}]}]]"#),
        (r#","x":{"y":{"z":1,"z":2}}"#, ""),
    ] {
        refused(&call(top, params), NotJson, "twice");
    }
    let many = |last: &str| {
        let members: Vec<String> = (0..100_000).rev().map(|number| format!("\"{number}\":0")).collect();
        call("", &format!(r#","arguments":{{{},"{last}":0}}"#, members.join(",")))
    };
    refused(&many("31415"), NotJson, "twice");
    refused(&many(r"\u0030"), NotJson, "twice");
    assert_eq!(subjects(&many("100000")).len(), 1);
    for count in 2..40 {
        let members: Vec<String> = (0..count).map(|number| format!("\"a{number}\":{{\"a0\":0}}")).collect();
        let text = |last: &str| call("", &format!(r#","arguments":{{{},{last}}}"#, members.join(",")));
        assert_eq!(subjects(&text("\"b\":0")).len(), 1, "{count}");
        for number in 0..count {
            refused(&text(&format!("\"a{number}\":0")), NotJson, "twice");
        }
    }
}

#[test]
fn a_name_that_another_parser_takes_for_one_that_is_judged_is_refused() {
    for name in [
        "Jsonrpc",
        "JSONRPC",
        "json_rpc",
        "ID",
        "iD",
        "Id",
        "\u{131}d",
        "\u{130}d",
        "i\u{307}d",
        "Method",
        "meth\u{fb00}d",
        "METHOD",
        "param\u{17f}",
        "PARAM\u{17f}",
        "Params",
        "re\u{17f}ult",
        "Result",
        "Error",
        "i\\u0064\\u0000",
        "method\\u0000",
        "\\u0131d",
        "me\u{ad}thod",
        "\u{ff4d}ethod",
        "\u{43c}ethod",
        "method\u{200d}",
    ] {
        refused(&call(&format!(",\"{name}\":1"), ""), NotMessage, AMBIGUOUS);
    }
    for name in [
        "Name",
        "NAME",
        "n\\u0041me",
        "nam\u{435}",
        "Uri",
        "URI",
        "ur\u{131}",
        "ur\u{130}",
        "Ref",
        "_Meta",
        "meta",
        "_META",
        "Arguments",
        "argument\u{17f}",
        "taskid",
        "TaskId",
        "task_id",
        "task-id",
        "ta\u{17f}kId",
        "tas\u{212a}Id",
        "protocolversion",
        "protocol_version",
        "Notifications",
        "noti\u{fb01}cations",
        "name\\u0000",
    ] {
        refused(&call("", &format!(",\"{name}\":\"b\"")), NotMessage, AMBIGUOUS);
    }
    for inner in [
        r#""ref":{"Type":"ref/resource"}"#,
        r#""ref":{"TYPE":1}"#,
        r#""ref":{"Name":1}"#,
        r#""ref":{"Uri":1}"#,
        r#""_meta":{"io.modelcontextprotocol/ProtocolVersion":"x"}"#,
        r#""_meta":{"IO.modelcontextprotocol/protocol_version":"x"}"#,
        r#""_meta":{"io_modelcontextprotocol_protocol_version":"x"}"#,
        r#""notifications":{"resourcesubscriptions":[]}"#,
        r#""notifications":{"resource_subscriptions":[]}"#,
        r#""notifications":{"resourceSub\u017fcriptions":[]}"#,
    ] {
        refused(&call("", &format!(",{inner}")), NotMessage, AMBIGUOUS);
    }
}

#[test]
fn members_that_are_not_judged_may_have_any_name() {
    for (top, params) in [
        ("", r#","arguments":{"Name":1,"NAME":2,"name":3,"param\u017f":4,"Größe":5,"a\u0000":6}"#),
        ("", r#","arguments":{"ref":{"Type":1},"_meta":{"ID":1},"_Meta":1}"#),
        ("", r#","_meta":{"progressToken":1,"com.example/Name":2,"traceparent":"00-"}"#),
        ("", r#","_meta":{"x":{"Größe":1,"IO.modelcontextprotocol/protocolVersion":1}}"#),
        (
            "",
            r#","arguments":[{"Name":1}],"task":{"ttl":60000},"requestState":"x","inputResponses":{"Name":{"Uri":1}}"#,
        ),
        (r#","names":1,"ids":2,"x":{"ID":1}"#, r#","namex":1,"nam":2,"uris":["a"],"title":"b""#),
    ] {
        assert_eq!(subjects(&call(top, params)), [Subject::Tool("a".into())], "{top} {params}");
    }
}

#[test]
fn what_is_not_json_is_refused() {
    for text in [
        "",
        " ",
        "{",
        "}",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{,}",
        "{\"a\" 1}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":'b'}",
        "[1,]",
        "[,1]",
        "[1}",
        "{\"a\":1]",
        "\"\\v\"",
        "\"\\U0041\"",
        "[1 2]",
        "nul",
        "nulL",
        "truefalse",
        "NaN",
        "Infinity",
        "-",
        "+1",
        "01",
        "-01",
        "00",
        ".5",
        "1.",
        "1.e5",
        "1e",
        "1e+",
        "1e+-1",
        "0x10",
        "--1",
        "1_000",
        "\"a",
        "\"\\\"",
        "\"\\x41\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\u+123\"",
        "\"\\\n\"",
        "\"a\nb\"",
        "\"a\tb\"",
        "\"a\0b\"",
        "\"12345678\u{1f}\"",
        "/**/{}",
        "{}//",
        "#",
        "\u{b}1",
        "\u{c}1",
        "\u{a0}1",
        "\u{feff}{}",
        "\u{2028}1",
        "1\0",
    ] {
        refused(text, NotJson, "");
        refused(&call("", &format!(",\"arguments\":{text}")), NotJson, "");
    }
    for (text, what) in [
        (format!("{0}{0}", call("", "")), "more text"),
        (format!("{}\n{{}}", call("", "")), "more text"),
        (format!("{},", call("", "")), "more text"),
        (format!("{}\0", call("", "")), "more text"),
        (call("", "]"), ""),
    ] {
        refused(&text, NotJson, what);
    }
    for half in [
        r"\ud800",
        r"\udbff!",
        r"\udc00",
        r"\ud800\ud800",
        r"\ud800\u0041",
        r"\ud800\n",
        r"\ude00\ud83d",
        r"\udfff",
        r"\ud800\udbff",
        r"\ud800\ue000",
    ] {
        refused(&call("", &format!(",\"arguments\":{{\"a\":\"{half}\"}}")), NotJson, "surrogate");
        refused(&call("", &format!(",\"arguments\":{{\"{half}\":1}}")), NotJson, "surrogate");
        refused(&call("", "").replace("\"a\"", &format!("\"{half}\"")), NotJson, "surrogate");
    }
    for bytes in
        [&b"{\"jsonrpc\":\"\xff\"}"[..], b"\xff\xfe{\0}\0", b"{\"\xc0\xaf\":1}", b"{\"\xed\xa0\x80\":1}", b"{} \x80"]
    {
        let fault = read(bytes).expect_err("not UTF-8");
        assert_eq!((fault.kind, fault.what, fault.id), (NotJson, "not UTF-8", None));
    }
}

#[test]
fn objects_and_arrays_are_at_most_64_deep() {
    // The message and `params` are two of them.
    let lists = |depth: usize| call("", &format!(",\"arguments\":{}{}", "[".repeat(depth), "]".repeat(depth)));
    let objects = |depth: usize| call("", &format!(",\"arguments\":{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth)));
    assert_eq!((subjects(&lists(62)).len(), subjects(&objects(62)).len()), (1, 1));
    for text in
        [lists(63), objects(63), lists(100_000), objects(100_000), "[".repeat(100_000), "{\"a\":".repeat(100_000)]
    {
        refused(&text, NotJson, "deep");
    }
}

#[test]
fn white_space_and_long_texts_are_taken() {
    for argument in [
        "9".repeat(100_000),
        format!("-0.{}e+99999", "3".repeat(100_000)),
        format!("\"{}\"", "é\\n😀".repeat(10_000)),
        format!("[{}0]", "0, ".repeat(100_000)),
        " \t\r\n{ \t\r\n} \t\r\n".to_owned(),
    ] {
        let text = format!(" \t\r\n{}\t\n\r ", call("", &format!(",\"arguments\":{argument}")));
        assert_eq!(subjects(&text), [Subject::Tool("a".into())], "{argument:.40}");
    }
    // The last bytes of a text are looked at one by one.
    for id in ["\" \"", "\"!\"", "\"~\"", "\"é\"", r#""\\""#, r#""\ud800\udc00\udbff\udfff\ud7ff\ue000""#] {
        let text = format!(r#"{{"jsonrpc":"2.0","method":"ping","id":{id}}}"#);
        assert_eq!(read(text.as_bytes()).map(|message| message.id.map(Id::as_json)), Ok(Some(id)));
    }
    // A string ends at its quote, wherever that is among the bytes that are looked at together.
    for length in 0..40 {
        let name = "é".repeat(length / 2) + &"a".repeat(length % 2 + 1);
        let text = request("tools/call", &format!("{{\"name\":\"{name}\",\"x\":\"{name}\\\\\"}}"));
        assert_eq!(subjects(&text), [Subject::Tool(name.as_str().into())]);
        refused(&text.replace(&name, &format!("{name}\u{1f}")), NotJson, "control");
    }
}
