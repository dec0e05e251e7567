//! Audit records against their published schema.

use super::envoy::root;
use serde_json::Value;
use std::fs;

/// What in a record the published schema does not admit. Reads the words of JSON Schema that the schema uses, and fails on
/// others.
pub fn misfits(at: &str, value: &Value, schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut wrong = |what: String| found.push(format!("{at}: {what}"));
    for (word, rule) in schema.as_object().unwrap() {
        match word.as_str() {
            "type" => {
                let fits = match rule.as_str().unwrap() {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "integer" => value.is_i64() || value.is_u64(),
                    other => panic!("the type {other} is not read here"),
                };
                if !fits {
                    wrong(format!("{value} is no {rule}"));
                }
            }
            "enum" if !rule.as_array().unwrap().contains(value) => wrong(format!("{value} is none of {rule}")),
            "maxLength" if value.as_str().map(|text| count(text.len())) > rule.as_u64() => {
                wrong(format!("{value} is longer than {rule}"));
            }
            "minLength" if value.as_str().map(|text| count(text.len())) < rule.as_u64() => {
                wrong(format!("{value} is shorter than {rule}"));
            }
            "maxItems" if value.as_array().map(|items| count(items.len())) > rule.as_u64() => {
                wrong(format!("{value} has more items than {rule}"));
            }
            // The one pattern there is: how the text ends.
            "pattern" => {
                assert_eq!(rule, "/(24|56)$", "this pattern is not read here");
                if !value.as_str().is_some_and(|text| text.ends_with("/24") || text.ends_with("/56")) {
                    wrong(format!("{value} does not match {rule}"));
                }
            }
            "minimum" if value.as_i64() < rule.as_i64() => wrong(format!("{value} is less than {rule}")),
            "maximum" if value.as_i64() > rule.as_i64() => wrong(format!("{value} is more than {rule}")),
            "required" => {
                let missing =
                    rule.as_array().unwrap().iter().filter(|name| value.get(name.as_str().unwrap()).is_none());
                missing.for_each(|name| wrong(format!("{name} is missing")));
            }
            "additionalProperties" => {
                let names = value.as_object().into_iter().flatten().map(|(name, _)| name);
                let unknown = names.filter(|name| schema["properties"].get(name).is_none());
                unknown.for_each(|name| wrong(format!("{name} is not a member of the schema")));
            }
            "$schema" | "title" | "description" | "properties" | "items" | "enum" | "maxLength" | "minLength"
            | "maxItems" | "minimum" | "maximum" => {}
            other => panic!("the word {other} is not read here"),
        }
    }
    for (name, inner) in value.as_object().into_iter().flatten() {
        found.extend(schema["properties"].get(name).into_iter().flat_map(|schema| misfits(name, inner, schema)));
    }
    for inner in value.as_array().into_iter().flatten() {
        found.extend(misfits(at, inner, &schema["items"]));
    }
    found
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap()
}

/// The published schema.
pub fn schema() -> Value {
    let file = root().join("envoy/audit.schema.json");
    serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap()
}

/// A record as an access log in JSON has it: as an object, or as its text.
pub fn record_of(member: &Value) -> Value {
    member.as_str().map_or_else(|| member.clone(), |text| serde_json::from_str(text).unwrap())
}

/// The records in a log: the members of JSON lines, and what follows other text, as objects or as their text.
pub fn records_in(log: &str) -> Vec<Value> {
    let mut found = Vec::new();
    for line in log.lines().filter(|line| line.contains("decision")) {
        if let Ok(Value::Object(members)) = serde_json::from_str(line) {
            for member in members.into_iter().map(|(_, member)| member) {
                match member {
                    Value::String(text) => found.extend(records_after(&text)),
                    object if object["decision"].is_string() => found.push(object),
                    _ => {}
                }
            }
        } else {
            found.extend(records_after(line));
        }
    }
    found
}

/// The records in a line of text.
fn records_after(line: &str) -> Vec<Value> {
    let begins = line.match_indices("{\"decision\":").filter_map(|(at, _)| line.get(at..));
    begins.filter_map(|text| serde_json::Deserializer::from_str(text).into_iter::<Value>().next()?.ok()).collect()
}

/// Asserts that each record in a log fits the schema.
///
/// # Panics
/// When one does not.
pub fn assert_records(log: &str) {
    let schema = schema();
    for record in records_in(log) {
        assert_eq!(misfits("record", &record, &schema), Vec::<String>::new(), "{record}");
    }
}
