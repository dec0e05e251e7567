//! The schemas of the configuration and of requirements against the fields that the reader knows.

use super::{document, sorted};
use scopegate::config::fields::{self, Shape};
use serde_json::Value;

const REMEDY: &str =
    "add the field to envoy/scopegate.schema.json, and to envoy/requirement.schema.json where a requirement has it";

fn schema(file: &str) -> Value {
    serde_json::from_str(&document(&format!("envoy/{file}"))).expect(file)
}

/// The schema of a shape, by its title.
fn of<'s>(schema: &'s Value, shape: &Shape) -> Option<&'s Value> {
    let definitions = schema["$defs"].as_object().expect("$defs");
    std::iter::once(schema).chain(definitions.values()).find(|definition| definition["title"] == shape.name)
}

fn assert_fields(definition: &Value, shape: &Shape) {
    let properties = definition["properties"].as_object().unwrap_or_else(|| panic!("{}: no properties", shape.name));
    let named = properties.keys().map(String::as_str);
    assert_eq!(sorted(named), sorted(shape.fields.iter().copied()), "{}: {REMEDY}", shape.name);
    assert_eq!(definition["additionalProperties"], false, "{}: a misspelt field is an error", shape.name);
    for (name, property) in properties {
        assert!(
            property["description"].as_str().is_some_and(|text| text.len() > 5),
            "{}.{name}: {property}",
            shape.name
        );
    }
}

#[test]
fn the_schema_of_the_configuration_has_every_field_and_no_other() {
    let schema = schema("scopegate.schema.json");
    for shape in fields::ALL {
        let definition = of(&schema, shape).unwrap_or_else(|| panic!("no definition with the title {:?}", shape.name));
        assert_fields(definition, shape);
    }
}

#[test]
fn the_schema_of_a_requirement_is_that_in_the_configuration() {
    let (whole, part) = (schema("scopegate.schema.json"), schema("requirement.schema.json"));
    assert_fields(&part["$defs"]["requirement"], &fields::REQUIREMENT);
    for (name, definition) in part["$defs"].as_object().expect("$defs") {
        assert_eq!(Some(definition), whole["$defs"].get(name), "{name}: both files say the same");
    }
}
