//! Links between the documents.

use super::{document, documents, root};
use std::path::Path;

/// The text without its fenced blocks.
fn prose(document: &str) -> String {
    document.split("\n```").step_by(2).collect::<Vec<_>>().join("\n")
}

/// The anchor that a heading gets: lower case, `-` for spaces, no punctuation.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|character| character.is_alphanumeric() || matches!(character, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// The anchors of a document.
fn anchors(document: &str) -> Vec<String> {
    let text = prose(document);
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings.filter_map(|line| line.trim_start_matches('#').strip_prefix(' ')).map(anchor).collect()
}

#[test]
fn every_link_within_the_repository_leads_somewhere() {
    let mut followed = 0;
    for name in documents() {
        let text = document(&name);
        let folder = Path::new(&name).parent().unwrap();
        for target in prose(&text).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.starts_with("https://") {
                continue;
            }
            let (path, wanted) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
            let path = if path.is_empty() { Path::new(&name).to_owned() } else { folder.join(path) };
            assert!(root().join(&path).exists(), "{name}: {target} is not there");
            if let Some(wanted) = wanted {
                let anchors = anchors(&document(path.to_str().unwrap()));
                assert!(anchors.iter().any(|anchor| anchor == wanted), "{name}: no heading for {target}");
            }
            followed += 1;
        }
    }
    assert!(followed > 50, "{followed}");
}

#[test]
fn no_two_headings_of_a_document_have_one_anchor() {
    for name in documents() {
        let mut anchors = anchors(&document(&name));
        anchors.sort();
        let twice = anchors.windows(2).find(|pair| pair[0] == pair[1]);
        assert!(twice.is_none() || name == "CHANGELOG.md", "{name}: {twice:?}");
    }
}
