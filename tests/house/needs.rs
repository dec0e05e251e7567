//! What a bare machine is told before anything is compiled.

use super::root;
use std::process::Command;

/// What `.ci/needs` says where no program is found, and whether it is content.
fn said(target: &str) -> (bool, String) {
    let mut command = Command::new("/bin/sh");
    command.arg(root().join(".ci/needs")).arg(target).env("PATH", "/nonexistent");
    let output = command.output().expect("/bin/sh");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn all_missing_programs_are_named_at_once_with_their_packages() {
    let (content, text) = said("test");
    assert!(!content, "{text}");
    for named in ["cc:", "python3:", "curl:", "nginx:", "apt-get install", "nginx-light", "python3-venv"] {
        assert!(text.contains(named), "{named} is not in {text}");
    }
    let (content, text) = said("run");
    assert!(!content && text.contains("curl:") && !text.contains("nginx"), "the demo needs no nginx: {text}");
    let (content, text) = said("services");
    assert!(!content && text.contains("redis-server:") && text.contains("webdis:"), "{text}");
    let (content, text) = said("install");
    assert!(!content && text.contains("cc:") && !text.contains("python3"), "the command needs no Python: {text}");
}

#[test]
fn make_looks_for_them_before_it_builds() {
    let makefile = std::fs::read_to_string(root().join("Makefile")).expect("Makefile");
    for target in ["install", "run", "test"] {
        let rule = makefile.lines().find(|line| line.starts_with(&format!("{target}: "))).expect("a rule");
        assert!(rule.starts_with(&format!("{target}: needs-{target} ")), "{rule}");
    }
}
