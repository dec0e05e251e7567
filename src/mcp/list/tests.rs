//! Which answers have a list, and what is left of it.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

/// The answer without the items whose name begins with `x`; as it is, where nothing changes.
fn shown(text: &str, has_cache_scope: bool) -> String {
    let listed = read(text.as_bytes()).unwrap_or_else(|fault| panic!("{fault:?}: {text}")).expect("a list");
    let shows = &mut |subject: &Subject<'_>| !subject.name().starts_with('x');
    listed.filtered(shows, has_cache_scope).unwrap_or_else(|| text.to_owned())
}

#[track_caller]
fn refused(text: &str, what: &str) {
    let fault = read(text.as_bytes()).expect_err(text);
    assert!(fault.what.contains(what), "{fault:?}: {text:.300}");
}

fn tools(items: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"tools":{items}}}}}"#)
}

#[test]
fn what_is_left_out_takes_one_comma_with_it_and_nothing_else() {
    for (items, left) in [
        (r#"[{"name":"a"}]"#, r#"[{"name":"a"}]"#),
        (r#"[ {"name":"x"} ]"#, "[  ]"),
        (r#"[{"name":"x"} , {"name":"a"} , {"name":"b"}]"#, r#"[{"name":"a"} , {"name":"b"}]"#),
        (r#"[{"name":"a"} , {"name":"x"}, {"name":"b"}]"#, r#"[{"name":"a"}, {"name":"b"}]"#),
        (r#"[{"name":"a"} , {"name":"x"}]"#, r#"[{"name":"a"}]"#),
        (r#"[{"name":"x1"},{"name":"x2"},{"name":"a"},{"name":"x3"},{"name":"x4"}]"#, r#"[{"name":"a"}]"#),
        (r#"[{"name":"x1"},{"name":"x2"}]"#, "[]"),
        ("[]", "[]"),
        (
            r#"[{"title":"x","n\u0061me":"a","inputSchema":{"name":"x","name":"x"}}]"#,
            r#"[{"title":"x","n\u0061me":"a","inputSchema":{"name":"x","name":"x"}}]"#,
        ),
    ] {
        assert_eq!(shown(&tools(items), false), tools(left), "{items}");
    }
}

#[test]
fn each_kind_of_list_has_its_own_names() {
    for (list, left) in [
        (r#""prompts":[{"name":"x","uri":"a"},{"name":"a","uri":"x"}]"#, r#""prompts":[{"name":"a","uri":"x"}]"#),
        (
            r#""resources":[{"name":"x","uri":"a:"},{"name":"a","uri":"x:"}]"#,
            r#""resources":[{"name":"x","uri":"a:"}]"#,
        ),
        (
            r#""resourceTemplates":[{"uriTemplate":"a:{b}","name":"x"},{"uriTemplate":"x:{b}","name":"a"}]"#,
            r#""resourceTemplates":[{"uriTemplate":"a:{b}","name":"x"}]"#,
        ),
        (r#""tools":[{"name":"x"}],"a":1,"prompts":[{"name":"x"}]"#, r#""tools":[],"a":1,"prompts":[]"#),
    ] {
        let of = |list: &str| format!(r#"{{"id":"a","result":{{{list},"nextCursor":"c"}}}}"#);
        assert_eq!(shown(&of(list), false), of(left));
    }
}

#[test]
fn what_is_shown_is_private_and_is_good_for_no_time_if_something_is_missing() {
    let of = |before: &str, items: &str, after: &str| format!(r#"{{"result":{{{before}"tools":[{items}]{after}}}}}"#);
    for (before, after, kept, cut) in [
        (
            r#""cacheScope": "public" ,"#,
            r#","ttlMs":5e3"#,
            (r#""cacheScope": "private" ,"#, r#","ttlMs":5e3"#),
            (r#""cacheScope": "private" ,"#, r#","ttlMs":0"#),
        ),
        (
            r#""ttlMs":9,"#,
            r#","cacheScope":null"#,
            (r#""ttlMs":9,"#, r#","cacheScope":"private""#),
            (r#""ttlMs":0,"#, r#","cacheScope":"private""#),
        ),
        ("", r#","cacheScope":"private""#, ("", r#","cacheScope":"private""#), ("", r#","cacheScope":"private""#)),
    ] {
        for has_cache_scope in [false, true] {
            let a = r#"{"name":"a"}"#;
            assert_eq!(shown(&of(before, a, after), has_cache_scope), of(kept.0, a, kept.1));
            assert_eq!(shown(&of(before, r#"{"name":"x"}"#, after), has_cache_scope), of(cut.0, "", cut.1));
        }
    }
    assert_eq!(shown(&of(" ", "", ""), false), of(" ", "", ""));
    assert_eq!(shown(&of(" ", "", ""), true), of(r#""cacheScope":"private", "#, "", ""));
}

#[test]
fn a_message_without_a_list_is_none() {
    for text in [
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"tools"}],"structuredContent":{"tools":[1],"tools":1}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":null}"#,
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"no","data":{"tools":[{}]}}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"tools":[{}],"é":1,"data":"\ud800"}}"#,
        "\"tools\"",
        "1",
        "null",
    ] {
        assert_eq!(read(text.as_bytes()), Ok(None), "{text}");
    }
}

#[test]
fn what_could_be_another_list_is_refused() {
    for text in [
        "",
        " ",
        "{",
        "{}{}",
        "\u{feff}{}",
        "data",
        "{\"result\":{\"tools\":[],}}",
        "\u{a0}{}",
        "{}\u{c}",
        "{'a':1}",
        "NaN",
    ] {
        refused(text, "");
    }
    refused(r#"[{"id":1,"result":{"tools":[]}}]"#, "batch");
    refused(r#"{"result":{},"result":{"tools":[]}}"#, "twice");
    refused(r#"{"result":{"tools":[],"tools":[]}}"#, "twice");
    refused(&tools(r#"[{"name":"a","name":"x"}]"#), "twice");
    refused(&tools(r#"[{"name":"a","n\u0061me":"x"}]"#), "twice");
    for text in [
        r#"{"Result":{"tools":[]}}"#.to_owned(),
        r#"{"result":{"Tools":[]}}"#.to_owned(),
        r#"{"result":{"resource_templates":[]}}"#.to_owned(),
        r#"{"result":{"too\u006cs\u0000":[]}}"#.to_owned(),
        r#"{"re\u017fult":{}}"#.to_owned(),
        tools(r#"[{"name":"a","Name":"x"}]"#),
        tools(r#"[{"name":"a","nam\u00e9":"x"}]"#),
    ] {
        refused(&text, "another parser");
    }
    assert_eq!(read(b"{\"result\":\"\xff\"}").map_err(|fault| fault.what), Err("not UTF-8"));
    let nested = |depth: usize| format!(r#"{{"result":{{"a":{}{}}}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert_eq!(read(nested(62).as_bytes()), Ok(None));
    refused(&nested(63), "deep");
    refused(&nested(100_000), "deep");
}

#[test]
fn an_item_without_a_name_is_refused_with_the_id_of_the_answer() {
    for items in [
        "[{}]",
        r#"[{"name":1}]"#,
        r#"[{"name":""}]"#,
        r#"[{"name":"a\u0000"}]"#,
        r#"[{"name":"a\ud800"}]"#,
        r#"[{"uri":"a:"}]"#,
        r#"["a"]"#,
        "[null]",
        r#"[[{"name":"a"}]]"#,
        r#"[{"name":"a"},{"title":"b"}]"#,
        r#"[{"a":{"name":"b"}}]"#,
    ] {
        let text = tools(items);
        let fault = read(text.as_bytes()).expect_err(items);
        assert_eq!((fault.what, fault.id.map(Id::as_json)), ("an item without a name", Some("1")), "{items}");
    }
    for items in ["{}", "null", "\"a\"", r#"{"name":"a"}"#, "1"] {
        refused(&tools(items), "none");
    }
    refused(r#"{"result":{"resources":[{"name":"a"}]}}"#, "without a name");
    refused(r#"{"result":{"resourceTemplates":[{"uri":"a:"}]}}"#, "without a name");
    // A name of one list is none of the next.
    refused(r#"{"result":{"tools":[{"uri":"a:","name":"a"}],"resources":[{"name":"b"}]}}"#, "without a name");
}

proptest! {
    #[test]
    fn the_list_that_is_left_is_the_one_that_other_programs_would_leave(
        names in prop::collection::vec("[ax]{1,3}|é|[ax]\"\\\\", 0..12), is_spaced in any::<bool>(), ttl in any::<Option<u16>>(),
    ) {
        let items: Vec<Value> =
            names.iter().map(|name| json!({ "description": name, "name": name, "inputSchema": { "name": "x" } })).collect();
        let mut answer = json!({ "jsonrpc": "2.0", "id": 7, "result": { "tools": items, "cacheScope": "public" } });
        answer["result"].as_object_mut().unwrap().extend(ttl.map(|ttl| ("ttlMs".to_owned(), ttl.into())));
        let text =
            if is_spaced { serde_json::to_string_pretty(&answer).unwrap() } else { answer.to_string() };
        let left: Value = serde_json::from_str(&shown(&text, true)).unwrap();
        let wanted: Vec<Value> = items.into_iter().filter(|item| !item["name"].as_str().unwrap().starts_with('x')).collect();
        if wanted.len() < names.len() && ttl.is_some() {
            answer["result"]["ttlMs"] = 0.into();
        }
        answer["result"]["tools"] = wanted.into();
        answer["result"]["cacheScope"] = "private".into();
        prop_assert_eq!(left, answer);
    }
}
