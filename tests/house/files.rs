//! What files look like.

use super::{Source, assert_none, sources};

/// The longest file, in lines, that a person still reads from top to bottom.
const MOST_LINES: usize = 450;

fn lines_with(sources: &[Source], words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        for (index, line) in source.text.lines().enumerate() {
            for word in words.iter().filter(|word| line.contains(**word)) {
                found.push(format!("{}:{}: {word}", source.path.display(), index + 1));
            }
        }
    }
    found
}

fn shipped_and_tests() -> Vec<Source> {
    sources("src").into_iter().chain(sources("tests")).collect()
}

#[test]
fn files_are_short_enough_to_be_read() {
    let long: Vec<String> = shipped_and_tests()
        .iter()
        .map(|source| (source, source.text.lines().count()))
        .filter(|(_, lines)| *lines > MOST_LINES)
        .map(|(source, lines)| format!("{}: {lines} lines", source.path.display()))
        .collect();
    assert_none(&long, "A file has one concept: split it at the next one, and name the new file after it.");
}

#[test]
fn nothing_is_left_for_later() {
    // Written so that this file is not found.
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("todo", "!(")];
    let left = lines_with(&shipped_and_tests(), &words);
    assert_none(&left, "Do it, or open an issue and leave the words out.");
}

#[test]
fn lints_are_overridden_with_a_reason_that_the_compiler_keeps_true() {
    let allows = lines_with(&sources("src"), &["#[allow(", "#![allow("]);
    assert_none(&allows, "Write #[expect(lint, reason = \"...\")]: it becomes a warning when it is no longer needed.");
}

#[test]
fn a_module_has_the_name_of_its_file() {
    let nameless: Vec<String> = sources("src")
        .iter()
        .filter(|source| source.path.ends_with("mod.rs"))
        .map(|source| source.path.display().to_string())
        .collect();
    assert_none(&nameless, "Write room.rs beside the folder room, not room/mod.rs.");
}
