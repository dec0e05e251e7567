//! Links between the documents.

use std::fs;
use std::path::Path;

const DOCUMENTS: [&str; 4] = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"];

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name))
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The text without its fenced blocks.
fn prose(document: &str) -> String {
    document.split("\n```").step_by(2).collect::<Vec<_>>().join("\n")
}

/// The anchor that a heading gets: lower case, `-` for spaces, no punctuation.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|character| character.is_alphanumeric() || matches!(character, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn every_link_within_the_repository_leads_somewhere() {
    for name in DOCUMENTS {
        let text = prose(&read(name));
        let anchors: Vec<String> = text
            .lines()
            .filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')))
            .map(anchor)
            .collect();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if let Some(wanted) = target.strip_prefix('#') {
                assert!(anchors.iter().any(|anchor| anchor == wanted), "{name}: no heading for #{wanted}");
            } else if !target.starts_with("https://") {
                assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(target).exists(), "{name}: {target} is not there");
            }
        }
    }
}
