//! What the documents say to type, as far as it can be tried without a cluster: `make compose-test` runs the rest, and so
//! do the tests of the files themselves.

use crate::{document, documents, root, section};
use std::process::Command;

/// The ways in, of which each is to fit on a screen.
const WAYS_IN: [&str; 5] = ["## Plain Envoy", "## docker-compose", "## Kubernetes", "## Istio", "## Envoy Gateway"];
/// The lines of a screen.
const SCREEN: usize = 40;

/// The document that has them.
const RUNNING: &str = "envoy/README.md";

/// The commands of the blocks that show a terminal, without their comments.
fn commands(text: &str) -> Vec<String> {
    let typed = text.lines().filter_map(|line| line.strip_prefix("$ "));
    typed.map(|line| line.split("  #").next().unwrap().trim().to_owned()).collect()
}

#[test]
fn each_way_in_fits_on_a_screen_and_begins_with_what_to_type() {
    for heading in WAYS_IN {
        let section = section(&document(RUNNING), heading);
        assert!(section.lines().count() <= SCREEN, "{heading}: {}", section.lines().count());
        let first = section.lines().find(|line| !line.is_empty());
        assert_eq!(first, Some("```console"), "{heading}");
        assert!(!commands(&section).is_empty(), "{heading}");
    }
}

#[test]
fn what_is_made_has_a_target_and_what_is_named_exists() {
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let mut made = 0;
    for command in documents().iter().flat_map(|path| commands(&document(path))) {
        let words: Vec<&str> = command.split_whitespace().collect();
        if let ["make", target, ..] = words[..] {
            assert!(makefile.lines().any(|line| line.starts_with(&format!("{target}:"))), "{command}");
            made += 1;
        }
        for word in words.iter().filter(|word| word.starts_with("envoy/")) {
            assert!(root().join(word).exists(), "{command}: {word}");
        }
        if let Some((_, version)) = command.split_once("target/image:").map(|(_, rest)| rest.split_once(' ').unwrap()) {
            assert!(version.ends_with(env!("CARGO_PKG_VERSION")), "{command}");
        }
    }
    assert!(made > 5, "{made}");
}

#[test]
fn every_target_that_make_help_lists_has_a_row_for_contributors() {
    let contributing = document("CONTRIBUTING.md");
    let table = section(&contributing, "## Commands");
    let makefile = document("Makefile");
    let listed = makefile.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()));
    let explained = listed.filter(|line| line.contains(" ## "));
    let targets: Vec<&str> = explained.filter_map(|line| line.split_once(':')).map(|(target, _)| target).collect();
    assert!(targets.len() > 20, "{targets:?}");
    for target in targets {
        assert!(table.contains(&format!("`make {target}`")), "CONTRIBUTING.md says nothing of `make {target}`");
    }
}

#[test]
fn what_is_checked_passes_the_check() {
    let checks: Vec<String> =
        WAYS_IN.iter().flat_map(|heading| commands(&section(&document(RUNNING), heading))).collect();
    let files: Vec<&str> = checks.iter().filter_map(|line| line.strip_prefix("cargo run --quiet -- check ")).collect();
    assert_eq!(files.len(), 4, "{files:?}");
    for file in files {
        // A copy, to be made one's own.
        let file = file.replace("my-envoy.yaml", "envoy/envoy.yaml");
        let mut command = Command::new(env!("CARGO_BIN_EXE_scopegate"));
        let checked = command.arg("check").args(file.split(' ')).current_dir(root()).output().unwrap();
        assert!(checked.status.success(), "{file}: {}", String::from_utf8_lossy(&checked.stdout));
    }
}
