//! The policy cases in the documents hold.
//!
//! `config` of a `yaml cases` block is `envoy.yaml`, the shipped file, or any other name for the `yaml plugin` block
//! before it.

use super::examples::{Example, examples};
use super::{document, documents, section};
use scopegate::cli::policy_test::{TestArguments, run};
use std::fs;
use std::path::Path;

const SHIPPED: &str = "envoy.yaml";
const REUSE: &str = "## Can a bearer token be reused?";

/// Runs these cases for this configuration, and gives the report.
fn report(number: usize, cases: &Example, configuration: Option<&Example>) -> String {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("docs-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let name = cases.text.lines().find_map(|line| line.strip_prefix("config: ")).expect(&cases.place);
    let text = match configuration {
        _ if name == SHIPPED => document("envoy/envoy.yaml"),
        Some(example) => example.text.clone(),
        None => panic!("{}: no configuration before it", cases.place),
    };
    fs::write(folder.join(name), text).unwrap();
    let file = folder.join("policy.test.yaml");
    fs::write(&file, &cases.text).unwrap();
    let output = run(&TestArguments { files: vec![file], junit: None });
    let output = output.unwrap_or_else(|error| panic!("{}: {error}", cases.place));
    fs::remove_dir_all(folder).unwrap();
    assert!(!output.failed, "{}: {}", cases.place, output.text);
    output.text
}

#[test]
fn every_policy_case_holds_for_the_configuration_before_it() {
    let mut ran = 0;
    for path in documents() {
        let mut configuration = None;
        for example in examples(&path) {
            match example.kind.as_str() {
                "plugin" => configuration = Some(example),
                "cases" => {
                    let text = report(ran, &example, configuration.as_ref());
                    assert!(text.contains(" 0 failed"), "{text}");
                    ran += 1;
                }
                _ => {}
            }
        }
    }
    assert!(ran > 4, "{ran} blocks of cases");
}

#[test]
fn each_risk_of_reuse_has_its_configuration_its_cost_and_its_limits() {
    let guide = document("envoy/GUIDE.md");
    let text = section(&guide, REUSE);
    let risks: Vec<&str> = text.split("\n### ").skip(1).collect();
    let names: Vec<&str> = risks.iter().filter_map(|risk| risk.lines().next()).collect();
    let wanted = ["A larger attack surface", "Replay", "Session hijacking", "Theft by XSS", "Blind spots in logs"];
    assert_eq!(names, wanted);
    for risk in risks {
        for part in ["\n```yaml plugin\n", "**What it costs.** ", "**What is left.** "] {
            assert_eq!(risk.matches(part).count(), 1, "{part:?} in {risk}");
        }
    }
}
