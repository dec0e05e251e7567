//! What is shipped beside the source: the image, the bill of materials, the release and its signatures, the resources for Kubernetes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by a panic"
)]

#[path = "../support/mod.rs"]
mod support;

mod compose;
#[path = "../tools/hex.rs"]
mod hex;
mod image;
mod kubernetes;
#[path = "../tools/release/notes.rs"]
mod notes;
mod quickstart;
mod release;
mod resources;
mod revocations;
mod schemas;
mod signatures;
mod variants;

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// Runs a command that has to succeed, with `input` as its standard input.
fn run(command: &mut Command, input: &[u8]) -> Output {
    let output = finish(command, input);
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn finish(command: &mut Command, input: &[u8]) -> Output {
    use std::io::Write as _;
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

/// An empty folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("ship-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Lower-case hexadecimal SHA-256.
fn digest(bytes: &[u8]) -> String {
    hex::hex(&scopegate::crypto::sha256(bytes))
}

/// Runs `tests/ship/validate.mjs` with the packages of `tests/tools/npm`; what it prints.
fn validate(arguments: &[&str], input: &[u8]) -> Output {
    run(&mut validator(arguments), input)
}

/// Whether it finds that something does not fit.
fn refused(arguments: &[&str]) -> bool {
    let output = finish(&mut validator(arguments), b"");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() || error.contains("\"errors\""), "{error}");
    !output.status.success()
}

fn validator(arguments: &[&str]) -> Command {
    let mut command = Command::new(support::node::binary());
    command.arg(support::envoy::root().join("tests/ship/validate.mjs")).args(arguments);
    command.env("SCOPEGATE_PACKAGES", support::node::packages()).env("NO_COLOR", "1");
    command
}
