use super::*;
use crate::config::Tree;

fn json(text: &str) -> String {
    read_yaml(text).expect("YAML").value.to_json().to_string()
}

/// The names of a text's flaws.
fn odd(text: &str, is_json: bool) -> Vec<(&'static str, String)> {
    let documents = read_documents(text, is_json).expect("YAML");
    let flaws = documents.into_iter().flat_map(|document| document.flaws);
    flaws
        .map(|flaw| (flaw.rule, format!("{} {}", flaw.at.map(|at| at.to_string()).unwrap_or_default(), flaw.what)))
        .collect()
}

#[test]
fn values_know_where_they_stand() {
    let node = read_yaml("a: 1\nb:\n- x\n- {c: 2}\n").expect("YAML");
    let Tree::Object(members) = node.value else { panic!("no object") };
    assert_eq!(members[1].1.at, Some(Position { line: 2, column: 1 }));
    let Tree::List(items) = &members[1].1.value else { panic!("no list") };
    assert_eq!(items[0].at, Some(Position { line: 3, column: 3 }));
}

#[test]
fn anchors_are_followed_and_cannot_explode() {
    let node = read_yaml("a: &x {b: 1}\nc: *x\n").expect("YAML");
    let Tree::Object(members) = node.value else { panic!("no object") };
    assert_eq!(members[0].1.value, members[1].1.value);
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let below = level - 1;
        let items = vec![format!("*a{below}"); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    assert!(read_yaml(&bomb).is_err());
}

#[test]
fn what_cannot_be_read_says_where() {
    for text in ["", "a: [1", "a: 1\n---\nb: 2\n", "[1, 2]: x", "a: *nothing", "a: &x {b: *x}", "kind: A\n~: 1"] {
        assert!(read_yaml(text).is_err(), "{text:?}");
    }
    assert!(read_documents("a: &x 1\n---\nb: *x", false).is_err(), "an anchor ends with its document");
    assert_eq!(read_yaml("a: 1\nb: ]").expect_err("not YAML").at.map(|at| at.line), Some(2));
}

#[test]
fn envoy_drops_what_it_is_told_to_ignore_and_keeps_its_anchors() {
    for text in ["!ignore x: &a {b: 1}\nc: *a", "!ignore \"x\": &a {b: 1}\nc: *a", "? !ignore [q]\n: &a {b: 1}\nc: *a"]
    {
        assert_eq!(json(text), r#"{"c":{"b":1}}"#, "{text}");
        assert_eq!(odd(text, false), [], "{text}");
    }
    assert_eq!(odd("a: !ignore b", false)[0].0, "yaml-tag");
}

#[test]
fn envoy_passes_over_tags_and_with_them_over_quotes() {
    let text =
        "a: !!str 5\nb: !!str \"true\"\nc: ! 5\nd: !!str ~\ne: !!str all\nf: !!int \"5\"\ng: !!map {h: !!seq [1]}";
    assert_eq!(json(text), r#"{"a":5,"b":true,"c":"5","d":"~","e":"all","f":5,"g":{"h":[1]}}"#);
    let told = odd(text, false);
    assert_eq!(told.iter().map(|(rule, _)| *rule).collect::<Vec<_>>(), ["yaml-tag"; 2]);
    assert!(told[0].1.starts_with("1:4 ") && told[0].1.contains("!!str: this is a whole number"), "{told:?}");
    let unknown = odd("a: !env X\nb: !x {c: 1}\n!y d: 1", false);
    assert_eq!(unknown.len(), 3, "{unknown:?}");
    for ((rule, told), tag) in unknown.iter().zip(["!env", "!x", "!y"]) {
        assert!(*rule == "yaml-tag" && told.contains(&format!("the tag {tag} is unknown")), "{told}");
    }
}

#[test]
fn kubernetes_merges_and_envoy_does_not() {
    for (spec, merged) in [
        ("{<<: {b: 1}, c: 2}", r#"{"b":1,"c":2}"#),
        ("{<<: {b: 1}, b: 0}", r#"{"b":0}"#),
        ("{b: 0, <<: {b: 1}}", r#"{"b":1}"#),
        ("{<<: [{b: 1}, {b: 2, c: 3}]}", r#"{"b":1,"c":3}"#),
        ("{<<: {<<: {z: 1}, b: 2}}", r#"{"b":2,"z":1}"#),
        ("{\"<<\": 1}", r#"{"<<":1}"#),
        ("{y: 1, 017: 2}", r#"{"15":2,"true":1}"#),
    ] {
        let read = json(&format!("kind: A\nspec: {spec}"));
        assert_eq!(read, format!(r#"{{"kind":"A","spec":{merged}}}"#), "{spec}");
    }
    assert_eq!(odd("kind: A\nspec: {b: 0, <<: {b: 1}}", false)[0].0, "yaml-merge");
    assert_eq!(odd("kind: A\nspec: {<<: 5}", false)[0].0, "yaml-merge");
    assert_eq!(odd("kind: A\nspec: {<<: {b: 1}, b: 0}", false), []);
    assert_eq!(odd("a: {<<: {b: 1}}", false)[0].0, "yaml-merge");
    assert_eq!(odd("!ignore a: {<<: {b: 1}}\nb: 1", false), []);
    assert_eq!(odd("kind: A\na: !!int x", false)[0].0, "yaml-tag");
    assert_eq!(json("kind: A\na: !!str 5\nb: !!binary aGk=\nc: 1e3"), r#"{"a":"5","b":"hi","c":1000,"kind":"A"}"#);
}

#[test]
fn a_key_that_is_there_twice_is_seen_wherever_it_stands() {
    for (text, is_json) in [("a: {b: 1, b: 2}", false), ("kind: A\na: {b: 1, b: 2}", false), (r#"{"b":1,"b":2}"#, true)]
    {
        let told = odd(text, is_json);
        assert!(
            told.len() == 1 && told[0].0 == "duplicate-key" && told[0].1.contains("`b` is there twice"),
            "{told:?}"
        );
    }
}

#[test]
fn two_spellings_of_one_field_are_one() {
    assert_eq!(odd("{fail_open: false, failOpen: true}", false)[0].0, "duplicate-key");
    for text in ["kind: A\nspec: {failOpen: 1, fail_open: 2}", "{failOpen: 1, failedOpen: 2}", "{a: 1, A_: 2}"] {
        assert_eq!(odd(text, false), [], "{text}");
    }
}

#[test]
fn json_is_read_as_json() {
    let text = "{\n\t\"a\": 1e6,\n\t\"b\": \"\\ud83d\\ude00\\\\ud83d\",\n\t\"c\": [1.5, 12345678901, true, null]\n}";
    let document = read_documents(text, true).expect("JSON").remove(0);
    let read = document.node.value.to_json().to_string();
    assert_eq!(read, "{\"a\":1000000,\"b\":\"\u{1f600}\\\\ud83d\",\"c\":[1.5,12345678901,true,null]}");
    assert_eq!(document.flaws, []);
    assert_eq!(odd("{\"a\": yes}", true)[0].0, "not-json");
}
