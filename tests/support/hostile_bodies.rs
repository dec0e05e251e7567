//! Bodies that name the tool `ok` to one parser, and perhaps [`FORBIDDEN`] to another; or that should stop a parser.

/// The tool that must not be called.
pub const FORBIDDEN: &str = "delete_all";

/// What is tried, and the body. None of them may reach a server.
pub fn refused() -> Vec<(&'static str, Vec<u8>)> {
    let call = |top: &str, params: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{{params}}}{top}}}"#)
    };
    let params = |params: &str| call("", params);
    let ok = || call("", r#""name":"ok""#);
    let arguments = |value: &str| params(&format!(r#""name":"ok","arguments":{value}"#));
    let members: Vec<String> = (0..100_000).map(|number| format!(r#""{number}":0"#)).collect();
    let text = vec![
        ("name twice", params(r#""name":"ok","name":"delete_all""#)),
        ("name twice, the other order", params(r#""name":"delete_all","name":"ok""#)),
        ("name twice, the second escaped", params(r#""name":"ok","n\u0061me":"delete_all""#)),
        ("Name", params(r#""name":"ok","Name":"delete_all""#)),
        ("NAME, first", params(r#""NAME":"delete_all","name":"ok""#)),
        ("Name, escaped", params(r#""name":"ok","\u004eame":"delete_all""#)),
        ("Name alone", params(r#""Name":"delete_all""#)),
        ("NUL after name", params(r#""name":"ok","name\u0000":"delete_all""#)),
        ("NUL in the tool", params(r#""name":"delete_all\u0000ok""#)),
        ("no name", params(r#""arguments":{"name":"delete_all"}"#)),
        ("name in a list", params(r#""name":["delete_all"]"#)),
        ("params twice", call(r#","params":{"name":"delete_all"}"#, r#""name":"ok""#)),
        ("Params", call(r#","Params":{"name":"delete_all"}"#, r#""name":"ok""#)),
        ("params with a long s", call(r#","paramſ":{"name":"delete_all"}"#, r#""name":"ok""#)),
        ("params with a long s, escaped", call(r#","param\u017f":{"name":"delete_all"}"#, r#""name":"ok""#)),
        ("params as a list", ok().replace(r#"{"name":"ok"}"#, r#"[{"name":"delete_all"}]"#)),
        (
            "method twice",
            call(r#","method":"tools/call""#, r#""name":"delete_all""#).replacen("tools/call", "tools/list", 1),
        ),
        ("Method", call(r#","Method":"tools/call""#, r#""name":"delete_all""#).replacen("tools/call", "tools/list", 1)),
        ("id twice", call(r#","id":2"#, r#""name":"ok""#)),
        ("ID", call(r#","ID":2"#, r#""name":"ok""#)),
        ("id with a dotted capital I", call(r#","İd":2"#, r#""name":"ok""#)),
        ("id as a fraction", ok().replace(r#""id":1"#, r#""id":1.5"#)),
        ("id with an exponent", ok().replace(r#""id":1"#, r#""id":1e0"#)),
        ("id null", ok().replace(r#""id":1"#, r#""id":null"#)),
        ("an id of 100 000 digits", ok().replace(r#""id":1"#, &format!(r#""id":{}"#, "9".repeat(100_000)))),
        ("a call without id", ok().replace(r#""id":1,"#, "")),
        ("jsonrpc twice", call(r#","jsonrpc":"2.0""#, r#""name":"ok""#)),
        ("jsonrpc 1.0", ok().replace("2.0", "1.0")),
        ("a request and a response", call(r#","result":{}"#, r#""name":"ok""#)),
        ("a member of arguments twice", arguments(r#"{"a":1,"a":2}"#)),
        ("a member twice, eight levels down", arguments(r#"[[[[[{"a":1,"b":{},"\u0061":2}]]]]]"#)),
        ("100 000 members, the last twice", arguments(&format!(r#"{{{},"0":1}}"#, members.join(",")))),
        ("two messages", ok() + &params(r#""name":"delete_all""#)),
        ("two messages in two lines", ok() + "\n" + &params(r#""name":"delete_all""#)),
        ("a batch", format!("[{}]", ok())),
        ("an empty batch", "[]".to_owned()),
        ("a batch of two", format!("[{},{}]", ok(), params(r#""name":"delete_all""#))),
        ("100 000 nested arrays", arguments(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)))),
        ("100 000 nested objects", arguments(&format!("{}1{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000)))),
        ("100 000 opening brackets", "[".repeat(100_000)),
        ("63 levels of arguments", arguments(&format!("{}{}", "[".repeat(63), "]".repeat(63)))),
        ("half of a surrogate pair in the tool", params(r#""name":"ok\ud800""#)),
        ("half of a surrogate pair in an argument", arguments(r#"{"a":"\udc00"}"#)),
        (
            "a tool cut in its escape",
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ok\u00"#.to_owned(),
        ),
        ("a comment", ok().replace("{\"name\"", "{/*\"name\":\"delete_all\"*/\"name\"")),
        ("a comma too many", ok().replace("\"ok\"", "\"ok\",")),
        ("quotes of another kind", ok().replace("\"ok\"", "'ok'")),
        ("NaN", arguments("NaN")),
        ("a number with a zero before it", arguments("01")),
        ("a line feed in a string", params("\"name\":\"delete\n_all\"")),
        ("a byte order mark", format!("\u{feff}{}", ok())),
        ("white space that is not JSON's", format!("\u{a0}{}", ok())),
        ("nothing", String::new()),
        ("white space", " \r\n\t".to_owned()),
    ];
    let mut bodies: Vec<(&str, Vec<u8>)> = text.into_iter().map(|(what, text)| (what, text.into_bytes())).collect();
    let not_utf8 = |byte| if byte == b'?' { 0xff } else { byte };
    let forbidden = params(r#""name":"delete_all""#);
    bodies.push(("UTF-16, little end first", forbidden.encode_utf16().flat_map(u16::to_le_bytes).collect()));
    bodies.push(("UTF-16, big end first", forbidden.encode_utf16().flat_map(u16::to_be_bytes).collect()));
    bodies.push(("a tool that is not UTF-8", forbidden.replace("_all", "?").bytes().map(not_utf8).collect()));
    bodies.push(("NUL after the message", [ok().as_bytes(), b"\0"].concat()));
    bodies
}

/// Calls of `ok` that look alarming and are good, and what is in them.
pub fn passed() -> Vec<(&'static str, String)> {
    let arguments = |value: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{{"name":"ok","arguments":{value}}}}}"#)
    };
    let members: Vec<String> = (0..100_000).map(|number| format!(r#""{number}":0"#)).collect();
    vec![
        (
            "names of arguments in two cases",
            arguments(r#"{"name":"delete_all","Name":"x","NAME":"y","param\u017f":1}"#),
        ),
        ("an escaped tool", arguments("{}").replace("\"ok\"", r#""\u006fk""#)),
        ("100 000 members", arguments(&format!("{{{}}}", members.join(",")))),
        ("a number of 100 000 digits", arguments(&"9".repeat(100_000))),
        ("62 levels of arguments", arguments(&format!("{}{}", "[".repeat(62), "]".repeat(62)))),
        ("NUL in an argument", arguments(r#"{"a":"\u0000"}"#)),
        ("white space around it", format!("\r\n\t {} \n", arguments("{ }"))),
    ]
}
