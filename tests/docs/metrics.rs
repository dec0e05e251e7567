//! The table of metrics in envoy/ON-CALL.md against the names in the source.

use super::{document, root, rows, section};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// The part of a metric's name that is the same for every issuer, list, outcome and reason, and whether more follows.
fn stem(name: &str) -> (String, bool) {
    let fixed = name.split(['{', '<']).next().unwrap_or_default();
    (fixed.to_owned(), fixed.len() < name.len())
}

/// The names of metrics in `src`: the strings that begin with `scopegate.`.
fn named() -> BTreeSet<(String, bool)> {
    let mut folders: Vec<PathBuf> = ["src/shell"].map(|folder| root().join(folder)).into();
    let mut sources = vec![document("src/audit/outcome.rs"), document("src/shell.rs")];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                sources.push(fs::read_to_string(path).expect("a source"));
            }
        }
    }
    let shipped = sources.iter().filter_map(|text| text.split("mod tests {").next());
    let literals =
        shipped.flat_map(|text| text.split("\"scopegate.").skip(1)).filter_map(|rest| rest.split('"').next());
    literals.map(|rest| stem(&format!("scopegate.{rest}"))).collect()
}

#[test]
fn every_metric_has_one_row_and_no_other_has() {
    let named = named();
    assert!(named.len() > 10, "{named:?}");
    let rows = rows(&section(&document("envoy/ON-CALL.md"), "### Metrics"));
    for row in &rows {
        assert_eq!(row.len(), 3, "metric, kind, what it says: {row:?}");
        assert!(["counter", "gauge", "histogram"].contains(&row[1].as_str()), "{row:?}");
    }
    let told: Vec<(String, bool)> =
        rows.iter().flat_map(|row| row[0].split(", ")).map(|name| stem(super::word(name))).collect();
    for (name, goes_on) in &named {
        // Of what the source makes by a further part in braces, the table has each.
        let has_row = told.iter().any(|(told, more)| told == name && more == goes_on)
            || *goes_on && told.iter().any(|(told, more)| *more && told.starts_with(name));
        assert!(has_row, "envoy/ON-CALL.md has no row for {name}");
    }
    for (told, more) in &told {
        let is_named = named.contains(&(told.clone(), *more))
            || named.iter().any(|(name, goes_on)| *goes_on && *more && told.starts_with(name.as_str()));
        assert!(is_named, "envoy/ON-CALL.md has a row for {told}, which no source names");
    }
}
