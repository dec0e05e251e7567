//! A token has leaked: what a person sees who revokes it, in real Envoys.

use crate::long_lists::binary;
use crate::revocation::{Published, World, lines, list, start};
use crate::support::wait::eventually;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const REVISION: &str = "scopegate.revocation.revision.main";

/// An empty folder of the test of that name.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The revision that the command prints of a file.
fn shown(file: &Path) -> u64 {
    let command = Command::new(env!("CARGO_BIN_EXE_scopegate")).args(["revocations", "show"]).arg(file).output();
    let text = String::from_utf8(command.unwrap().stdout).unwrap();
    let (_, rest) = text.split_once(": revision ").unwrap_or_else(|| panic!("{text}"));
    rest.split(',').next().unwrap().parse().unwrap()
}

#[test]
fn each_gate_shows_the_revision_that_the_command_prints_and_all_its_workers_the_same() {
    let published = Published::default();
    let file = folder("revisions").join("list");
    let server = published.serve();
    let gates: [World; 2] = [2, 3].map(|workers| start(server.address, list(json!({})), workers));
    let seen = || gates.each_ref().map(|gate| gate.envoy.counter(REVISION));
    let text = lines(&["a", "b"]);
    let (head, entries) = text.split_at(text.iter().position(|&byte| byte == b'\n').unwrap() + 1);
    // The same entries in other text, and a list of three pieces.
    let spaced = [head, b" ", entries].concat();
    let mut before = 0;
    for document in [text.clone(), spaced, binary(150_000, "a"), text.clone()] {
        std::fs::write(&file, &document).unwrap();
        published.put(document);
        let wanted = shown(&file);
        assert_ne!(wanted, before);
        eventually("both gates have it", || seen() == [wanted; 2]);
        // A worker that had the list before would show it now and then.
        std::thread::sleep(Duration::from_millis(1500));
        for _ in 0..20 {
            assert_eq!(seen(), [wanted; 2]);
            std::thread::sleep(Duration::from_millis(100));
        }
        before = wanted;
    }
    assert_eq!(gates[0].status(&gates[0].token("a")), 401);
}
