//! YAML and JSON as Envoy reads them, against the reader of the command: both are shown the same text, and Envoy prints what
//! it made of it when it refuses a bootstrap for another reason.

use crate::support::envoy::{binary, module, root};
use crate::support::native;
use scopegate::config::read_documents;
use serde_json::{Value, json};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Values, each of which Envoy reads.
const READ: &[&str] = &[
    "y",
    "Y",
    "yes",
    "On",
    "oN",
    "n",
    "off",
    "~",
    "Null",
    "NULL",
    "",
    "5",
    "+5",
    "-5",
    "-0",
    "010",
    "08",
    "0x10",
    "0X1F",
    "0o17",
    "0b101",
    "1_000",
    "1e6",
    "1E+06",
    "1.0",
    ".5",
    "1.",
    "-1.50",
    "1e400",
    ".nan",
    ".inf",
    "2147483647",
    "2147483648",
    "-2147483649",
    "123456789012",
    "12345678901234567890",
    "2026-11-21",
    "10:30",
    "1,000",
    "=",
    "<<",
    "\"5\"",
    "'yes'",
    "\"\\u00e9\\x41\\/\"",
    "'it''s'",
    "!!str 5",
    "!!str",
    "!!str ~",
    "!!str all",
    "!!str \"true\"",
    "!!int \"5\"",
    "!!int x",
    "!!float 5",
    "!!bool yes",
    "!!null x",
    "!!null ~",
    "!!binary aGk=",
    "! 5",
    "! ~",
    "! yes",
    "!foo bar",
    "!foo 5",
    "!foo",
    "!<tag:yaml.org,2002:str> 5",
    "!!map {b: 1}",
    "!!seq [1, a]",
    "!!set {b}",
    "!foo {b: 1}",
    "&x {b: [1, &y {c: d}]}",
    "{y: 1, 017: 2, 1e6: 3, 'q': 4, ~: 5}",
    "{!ignore a: 1, b: 2}",
    "{!ignore \"a\": &z [1], b: *z}",
    "{!ignore a: 1, a: 2}",
    "{!!str a: 1}",
    "{a: !ignore b}",
    "{<<: {b: 1}, c: 2}",
    "{b: 1, b: 2}",
    "[a, [b, {c: }], ]",
    "{a, b: }",
    "{\"a\":1}",
    "a b\n    c",
    "|\n    a\n     b\n",
    ">-\n    a\n    b\n",
    "|+\n    a\n\n",
    "!!str |-\n    5",
    "\"a\n    b\"",
    "\n  - a\n  - - b\n    - c",
    "{? a : 1}",
    "a # b",
    "a#b",
    "{a: b:c, d: http://e}",
    "*n",
];

/// What Envoy's reader refuses, and ours.
const REFUSED: &[&str] = &["{[a]: 1}", "*nothing", "[1", "{a: 1", "@a", "`a", "%a", "{? {a: 1} : 1}", "a: b: c"];

/// Shows Envoy a bootstrap that it refuses in the end; gives what it says.
fn refused(name: &str, text: &str) -> String {
    let (takes, said) = validated(name, text);
    assert!(!takes, "{text}");
    said
}

/// Whether Envoy takes a bootstrap, and what it says.
fn validated(name: &str, text: &str) -> (bool, String) {
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    let folder = root().join("target/forms").join(format!("{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join(name);
    let (text, environment) = native::rewritten_bootstrap(text);
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(binary());
    command.envs(environment).args(["--mode", "validate", "--use-dynamic-base-id", "-l", "error", "-c"]).arg(&file);
    let output = command.current_dir(root()).output().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The metadata of the node in what Envoy read of a bootstrap.
fn theirs(name: &str, text: &str) -> Value {
    let said = refused(name, text);
    // The library varies the spaces of its messages.
    let (_, read) = said.split_once("): {").unwrap_or_else(|| panic!("{said}"));
    let read = format!("{{{read}");
    let mut values = serde_json::Deserializer::from_str(&read).into_iter::<Value>();
    values.next().unwrap().unwrap()["node"]["metadata"].clone()
}

fn ours(text: &str, is_json: bool) -> Value {
    let document = read_documents(text, is_json).unwrap().remove(0);
    let read: Value = serde_json::from_str(&document.node.value.to_json().to_string()).unwrap();
    read["node"]["metadata"].clone()
}

#[test]
fn every_form_of_yaml_is_what_envoy_makes_of_it() {
    let members: Vec<String> = READ.iter().enumerate().map(|(index, form)| format!("  r{index}: {form}\n")).collect();
    let members = members.concat();
    let text = format!("admin: {{profile_path: {{x: 1}}}}\nnode:\n metadata:\n  n: &n 7\n{members}");
    let (ours, theirs) = (ours(&text, false), theirs("a.yaml", &text));
    for (index, form) in READ.iter().enumerate() {
        let name = format!("r{index}");
        assert_eq!(ours[&name], theirs[&name], "{form}");
    }
    assert!(theirs["r0"] == json!(true) && theirs.as_object().unwrap().len() == READ.len() + 1, "{theirs}");
}

#[test]
fn what_envoy_cannot_read_is_refused_by_the_command_too() {
    for form in REFUSED {
        let text = format!("node:\n metadata:\n  a: {form}\n");
        let said = refused("a.yaml", &text);
        assert!(said.contains("yaml-cpp"), "{form}: {said}");
        assert!(read_documents(&text, false).is_err(), "{form}");
    }
}

#[test]
fn a_merge_key_is_an_unknown_field_and_a_second_document_is_not_read() {
    let said = refused("a.yaml", "node: {<<: {id: a}}\n").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("no such field: '<<'"), "{said}");
    let text = "node: {id: a, metadata: {b: 1}}\nadmin: {profile_path: {x: 1}}\n---\nnode: {metadata: {b: 2}}\n";
    assert_eq!(theirs("a.yaml", text), json!({"b": 1}));
}

#[test]
fn json_is_told_by_the_name_of_the_file() {
    let text = "{\"node\": {\"metadata\": {\"a\": 1e3, \"b\": \"\\ud83d\\ude00\", \"c\": 12345678901}}, \"admin\": {\"profile_path\": {\"x\": 1}}}";
    // As JSON, Envoy prints the text that it was given.
    assert_eq!(theirs("a.json", text)["a"], json!(1000.0));
    assert_eq!(ours(text, true), json!({"a": 1000, "b": "\u{1f600}", "c": 12_345_678_901_i64}));
    let plain = text.replace("\\ud83d\\ude00", "x");
    assert_eq!(theirs("a.yaml", &plain), ours(&plain, false));
    assert_eq!(ours(&plain, false)["a"], json!("1e3"));
    let twice = refused("a.json", "{\"node\": {\"metadata\": {\"a\": 1, \"a\": 2}}}");
    assert!(twice.contains("unexpectedly-repeated"), "{twice}");
}

#[test]
fn envoy_takes_a_gate_in_a_typed_struct_and_so_does_the_command() {
    let wasm = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
    let plain = format!("            typed_config:\n              \"@type\": {wasm}\n              config:\n");
    let shipped = std::fs::read_to_string(root().join("envoy/envoy.yaml")).unwrap();
    let shipped = shipped.replace("target/scopegate.wasm", module().to_str().unwrap());
    let (before, rest) = shipped.split_once(&plain).unwrap();
    let (plugin, after) = rest.split_once("          - name: envoy.filters.http.router\n").unwrap();
    let plugin: Vec<String> = plugin.lines().map(|line| format!("  {line}\n")).collect();
    for name in ["udpa.type.v1.TypedStruct", "xds.type.v3.TypedStruct"] {
        let text = format!(
            "{before}            typed_config:\n              \"@type\": type.googleapis.com/{name}\n              type_url: {wasm}\n              value:\n                config:\n{}          - name: envoy.filters.http.router\n{after}",
            plugin.concat()
        );
        let (takes, said) = validated("a.yaml", &text);
        assert!(takes, "{said}");
        // The gate is asked: it refuses a configuration with a mistake.
        let said = refused("a.yaml", &text.replace("audiences:", "audience:"));
        assert!(said.contains("configuration refused") || native::is_refused(&said), "{said}");
    }
}
