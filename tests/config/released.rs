//! What a release has accepted, each later version accepts and decides alike: the examples and the cases that it had, which
//! nobody edits. `released/VERSION` has them at the paths of the repository.

use scopegate::cli::check::check;
use scopegate::cli::gates::find;
use scopegate::cli::policy_test::{TestArguments, run};
use scopegate::cli::source::Source;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of each release.
fn releases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/released");
    let mut releases: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    releases.sort();
    assert!(!releases.is_empty());
    releases
}

/// The files in a folder and in all below it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// The files that Envoy reads together.
const TOGETHER: [&str; 1] = ["envoy/dynamic"];

/// Each example of a release: the files that belong together.
fn examples(release: &Path) -> Vec<Vec<PathBuf>> {
    let together: Vec<PathBuf> = TOGETHER.iter().map(|folder| release.join(folder)).collect();
    let all = files(&release.join("envoy"));
    let (grouped, single): (Vec<PathBuf>, Vec<PathBuf>) =
        all.into_iter().partition(|file| together.iter().any(|folder| file.starts_with(folder)));
    let of = |folder: &PathBuf| grouped.iter().filter(|file| file.starts_with(folder)).cloned().collect();
    together.iter().map(of).chain(single.into_iter().map(|file| vec![file])).collect()
}

#[test]
fn every_example_of_every_release_still_loads() {
    for release in releases() {
        let (mut gates, mut without) = (0, Vec::new());
        for files in examples(&release) {
            let sources = Source::read_all(&files).unwrap_or_else(|error| panic!("{files:?}: {error}"));
            let found = find(&sources);
            for gate in &found {
                let loaded = gate.policy.as_ref().unwrap_or_else(|error| panic!("{files:?}: {error}"));
                assert!(loaded.warnings.is_empty(), "{files:?}: {:?}", loaded.warnings);
            }
            if found.is_empty() {
                without.extend(files);
                continue;
            }
            gates += found.len();
            // What is written beside routes too.
            let findings = check(&sources).unwrap_or_else(|error| panic!("{files:?}: {error}"));
            let refused: Vec<_> =
                findings.iter().filter(|finding| ["configuration", "metadata"].contains(&finding.rule)).collect();
            assert!(refused.is_empty(), "{files:?}: {refused:?}");
        }
        assert!(gates > 20, "{}: {gates} gates; none in {without:?}", release.display());
    }
}

#[test]
fn every_case_of_every_release_is_still_decided_alike() {
    for release in releases() {
        let files = files(&release.join("tests/decisions/cases"));
        assert!(files.len() > 10, "{files:?}");
        let output = run(&TestArguments { files, junit: None }).unwrap_or_else(|error| panic!("{error}"));
        assert!(!output.failed, "{}", output.text);
        let cases = output.text.lines().filter(|line| line.starts_with("  ok ")).count();
        assert!(cases > 300, "{}: {cases} cases", release.display());
    }
}
