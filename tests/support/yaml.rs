//! YAML files as JSON values.

use scopegate::config::read_documents;
use serde_json::Value;
use std::path::Path;

/// The documents of a file.
pub fn documents(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    read(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// The document of a text.
pub fn parse(text: &str) -> Value {
    let mut all = read(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(all.len(), 1, "{text}");
    all.remove(0)
}

/// The only document of a text, if it can be read.
pub fn only(text: &str) -> Option<Value> {
    let mut all = read(text).ok()?;
    all.pop().filter(|_| all.is_empty())
}

fn read(text: &str) -> Result<Vec<Value>, String> {
    let documents = read_documents(text, false).map_err(|error| error.to_string())?;
    // The command's own value is printed and read again: it is another type.
    let value = |text: String| serde_json::from_str(&text).unwrap();
    Ok(documents.iter().map(|document| value(document.node.value.to_json().to_string())).collect())
}
