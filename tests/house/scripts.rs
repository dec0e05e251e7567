//! The scripts of continuous integration, from their first line to their last: what a shell reads only when it gets there
//! would fail an hour into a run.

use super::root;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// All shell scripts that git knows, with the shell that their first line names.
fn scripts() -> Vec<(PathBuf, String)> {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output().expect("git");
    let listed = String::from_utf8(listed.stdout).expect("names in UTF-8");
    let mut found = Vec::new();
    for name in listed.split_terminator('\0') {
        // A file that was deleted, and not yet in git, has nothing to read.
        let Ok(text) = fs::read(root().join(name)) else { continue };
        let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let first = String::from_utf8_lossy(first);
        if let Some(shell) = first.strip_prefix("#!").and_then(|line| line.split(['/', ' ']).next_back())
            && ["sh", "bash"].contains(&shell)
        {
            found.push((root().join(name), shell.to_owned()));
        }
    }
    assert!(found.len() > 5, "{found:?}");
    found
}

#[test]
fn a_shell_can_read_each_script_to_its_end() {
    for (script, shell) in scripts() {
        let read = Command::new(&shell).arg("-n").arg(&script).output().expect(&shell);
        let said = String::from_utf8_lossy(&read.stderr);
        assert!(read.status.success() && said.is_empty(), "{}: {said}", script.display());
    }
}

/// Plays `.ci/run` in `folder` with a `make` that notes what it is asked for, and fails for what `fails` names.
fn played(folder: &Path, part: &str, fails: &str) -> (Output, String) {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder.join(".ci")).expect("a folder");
    let write = |name: &str, text: &str| {
        fs::write(folder.join(name), text).expect(name);
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).expect(name);
    };
    write(".ci/run", &fs::read_to_string(root().join(".ci/run")).expect("the script"));
    write(".ci/needs", "#!/bin/sh\n");
    write(
        "make",
        "#!/bin/sh\n[ \"$1\" = --silent ] && { echo dist full/2; exit; }\necho \"$*\" >>asked\n[ \"$*\" != \"$FAILS\" ] || exit 7\n",
    );
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").expect("a path"));
    let mut run = Command::new("bash");
    run.arg(".ci/run").current_dir(folder).env("PATH", path).env("PART", part).env("FAILS", fails);
    let output = run.output().expect("bash");
    let asked = fs::read_to_string(folder.join("asked")).unwrap_or_default();
    (output, asked)
}

#[test]
fn continuous_integration_runs_each_step_and_ends_well_when_all_did() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ci-well");
    for (part, last) in [("full/2", "evidence-full HALF=2"), ("dist", "evidence-dist HALF=")] {
        let (output, asked) = played(&folder, part, "");
        assert_eq!(asked, format!("lint\ndoc\ntest\nsmoke\n{last}\n"));
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(&format!(" s  make evidence-{part}\n")) && said.ends_with(" s in all\n"), "{said}");
    }
}

#[test]
fn continuous_integration_ends_with_the_code_of_the_step_that_failed() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ci-ill");
    for (fails, asked_for) in
        [("doc", "lint\ndoc\n"), ("evidence-full HALF=1", "lint\ndoc\ntest\nsmoke\nevidence-full HALF=1\n")]
    {
        let (output, asked) = played(&folder, "full/1", fails);
        assert_eq!(asked, asked_for);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(7), "{said}");
        assert!(said.ends_with(" failed\n"), "{said}");
    }
}
