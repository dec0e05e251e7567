//! Rules of the house that no compiler checks: who may use whom, what the module is made of, how files look.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod architecture;
mod ci;
#[path = "../tools/exports.rs"]
mod exports;
mod files;
mod module;
mod native;
mod needs;
mod scripts;

use std::fs;
use std::path::{Path, PathBuf};

/// A source file: its path from the root of the package, and its text.
struct Source {
    path: PathBuf,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust sources below `folder`, in the order of their paths. Build directories of nested packages are no sources.
fn sources(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for path in entries.map(|entry| entry.expect("an entry of a folder").path()) {
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                let path = path.strip_prefix(root()).expect("a path in the package").to_owned();
                found.push(Source { path, text });
            }
        }
    }
    assert!(!found.is_empty(), "no sources in {folder}");
    found.sort_by(|left, right| left.path.cmp(&right.path));
    found
}

/// Fails with all of `problems`, a line each, and what to do about them.
fn assert_none(problems: &[String], remedy: &str) {
    assert!(problems.is_empty(), "\n{}\n\n{remedy}\n", problems.join("\n"));
}
