//! The programs of `tests/tools`.

use super::envoy::root;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// A program of `tests/tools`. All are built first: Cargo builds those of another package for no test.
pub fn tool(name: &str) -> Command {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let here = std::env::current_exe().unwrap();
        let profile = here.parent().unwrap().parent().unwrap();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--locked", "--package", "scopegate-tools", "--all-features", "--target-dir"]);
        cargo.arg(profile.parent().unwrap()).current_dir(root());
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        let output = cargo.output().unwrap();
        assert!(output.status.success(), "{cargo:?}: {}", String::from_utf8_lossy(&output.stderr));
        profile.to_owned()
    });
    Command::new(folder.join(name))
}
