//! YAML files as JSON values.

use scopegate::config::read_documents;
use serde_json::Value;
use std::path::Path;

/// The documents of a file.
pub fn documents(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let documents = read_documents(&text, false).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    // The command's own value is printed and read again: it is another type.
    documents.iter().map(|document| serde_json::from_str(&document.node.value.to_json().to_string()).unwrap()).collect()
}
