//! SECURITY.md against the tests: each line of what happens when something fails names the tests that hold it.

use super::{document, root, rows, section};
use std::fs;
use std::path::PathBuf;

/// The names of all tests, those in `src` too.
fn tests() -> Vec<String> {
    let mut folders: Vec<PathBuf> = ["src", "tests"].map(|folder| root().join(folder)).into();
    let mut names = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(path).expect("a source");
                let after = text.split("#[test]").skip(1).filter_map(|rest| rest.split("fn ").nth(1));
                names.extend(after.filter_map(|rest| rest.split('(').next()).map(str::to_owned));
            }
        }
    }
    names
}

fn security() -> String {
    document("SECURITY.md")
}

#[test]
fn every_line_of_what_happens_when_something_fails_names_tests_that_exist() {
    let tests = tests();
    assert!(tests.len() > 300, "{}", tests.len());
    let rows = rows(&section(&security(), "## What happens when something fails"));
    assert!(rows.len() > 25, "{}", rows.len());
    for row in rows {
        assert_eq!(row.len(), 3, "what fails, what happens, held by: {row:?}");
        let named: Vec<&str> = row[2].split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test holds {:?}", row[0]);
        for name in named {
            assert!(tests.iter().any(|test| test == name), "{:?}: there is no test {name}", row[0]);
        }
    }
}

#[test]
fn the_checks_have_the_order_of_the_source() {
    let source = document("src/checks.rs");
    let picture = source.split("```").nth(1).expect("the picture of the checks");
    // A check is in lower case, a proof begins with a capital letter.
    let checks: Vec<&str> = picture
        .split(|character: char| !character.is_ascii_alphabetic())
        .filter(|word| !word.is_empty() && *word != "text" && word.chars().all(char::is_lowercase))
        .collect();
    assert!(checks.len() > 5, "{checks:?}");
    let told = checks.join(", ");
    assert!(security().contains(&format!("[src/checks.rs](src/checks.rs): {told}.")), "SECURITY.md is to say: {told}");
}

#[test]
fn every_test_that_is_named_elsewhere_in_it_exists() {
    let tests = tests();
    let text = security();
    // A name of a test has many words; nothing else in backticks has.
    for name in text.split('`').skip(1).step_by(2).filter(|name| name.matches('_').count() > 5) {
        assert!(tests.iter().any(|test| test == name), "there is no test {name}");
    }
}

#[test]
fn every_dependency_has_its_reason_and_no_other_has() {
    let manifest = document("Cargo.toml");
    let mut within = false;
    let mut wanted: Vec<&str> = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            within = line.ends_with("dependencies]");
        } else if let Some((name, _)) = line.split_once(" = ").filter(|_| within) {
            wanted.push(name);
        }
    }
    let rows = rows(&section(&document("CONTRIBUTING.md"), "## Dependencies"));
    let mut told: Vec<String> = Vec::new();
    for row in &rows {
        assert_eq!(row.len(), 3, "dependency, where, reason: {row:?}");
        told.extend(row[0].split(", ").map(|name| super::word(name).to_owned()));
    }
    wanted.sort_unstable();
    wanted.dedup();
    told.sort_unstable();
    assert_eq!(told, wanted);
}
