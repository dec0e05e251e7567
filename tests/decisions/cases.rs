//! The tables in the form of `scopegate test`: every file in `cases`, decided by the command's own runner.

use scopegate::cli::policy_test::{TestArguments, run};
use std::path::Path;

#[test]
fn every_case_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/decisions/cases");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() > 10, "{files:?}");
    let output = run(&TestArguments { files, junit: None }).unwrap_or_else(|error| panic!("{error}"));
    assert!(!output.failed, "{}", output.text);
}
