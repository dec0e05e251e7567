//! `scopegate migrate` of resources of Istio and Envoy Gateway, against what was written by hand from the public
//! documentation of both. No control plane was run.

use crate::world::{Run, folder, run};
use serde_json::{Value, json};
use std::fs::{read_to_string, write};
use std::path::{Path, PathBuf};

/// What is told of every issuer and of every gate, and not again in each expected file.
pub const ALWAYS: [&str; 10] = [
    "audiences were compared without their scheme",
    "tokens of every type were accepted",
    "tokens without `sub` were accepted",
    "tokens without `exp` were accepted",
    "clocks could differ by 60 seconds",
    "could be signed with a key without one",
    "a token that is bound to a key or a certificate",
    "paths that readers read differently",
    "tokens in the query that no rule reads",
    "a request with several credentials",
];

/// What the command made of a file.
pub struct Made {
    pub run: Run,
    /// Kind, path and words of each finding, in order.
    pub findings: Vec<[String; 3]>,
    /// The configurations of the gates.
    pub plugins: Vec<Value>,
    /// The written documents.
    pub documents: Vec<Value>,
    /// The written text.
    pub text: String,
}

pub fn documents(text: &str) -> Vec<Value> {
    let read = scopegate::config::read_documents(text, false).unwrap();
    read.into_iter().map(|document| document.node.value.to_json()).collect()
}

fn migrate(file: &str, folder: &Path) -> Made {
    let told = run(&["migrate", file, "--format", "json"], folder);
    assert!(told.stderr.is_empty(), "{told:?}");
    let report: Value = serde_json::from_str(&told.stdout).unwrap();
    let word = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    let findings = findings.map(|one| ["kind", "path", "what"].map(|name| word(one, name))).collect();
    let text: String = report["files"].as_array().unwrap().iter().map(|file| file["text"].as_str().unwrap()).collect();
    let documents = if text.is_empty() { Vec::new() } else { documents(&text) };
    Made { findings, plugins: report["plugins"].as_array().unwrap().clone(), documents, text, run: told }
}

/// Writes a file, and migrates it.
pub fn migrate_text(text: &str) -> Made {
    let folder = folder();
    write(folder.join("in.yaml"), text).unwrap();
    migrate("in.yaml", &folder)
}

fn samples() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/migrate");
    let mut found = Vec::new();
    for kind in ["istio", "gateway"] {
        for entry in std::fs::read_dir(root.join(kind)).unwrap() {
            let path = entry.unwrap().path();
            if !path.to_string_lossy().ends_with(".expected.yaml") {
                found.push(path);
            }
        }
    }
    assert!(found.len() >= 9, "{found:?}");
    found
}

/// How what is made of a sample differs from what was written by hand.
fn differences(sample: &Path) -> Vec<String> {
    let made = migrate(sample.to_str().unwrap(), &folder());
    let expected = documents(&read_to_string(sample.with_extension("expected.yaml")).unwrap());
    let (told, wanted) = expected.split_first().unwrap();
    let mut differences = Vec::new();
    if json!(made.run.status) != told["status"] {
        differences.push(format!("exit status {}", made.run.status));
    }
    for index in 0..wanted.len().max(made.documents.len()) {
        let (own, by_hand) = (made.documents.get(index), wanted.get(index));
        if own != by_hand {
            let text = |document: Option<&Value>| document.map(|document| format!("{document:#}")).unwrap_or_default();
            differences.push(format!("document {index} is\n{}\nwanted\n{}", text(own), text(by_hand)));
        }
    }
    let mut left: Vec<[String; 3]> = made.findings.clone();
    left.retain(|[_, _, what]| !ALWAYS.iter().any(|always| what.contains(always)));
    for finding in told["findings"].as_array().unwrap() {
        let [kind, path, part] = [0, 1, 2].map(|at| finding[at].as_str().unwrap());
        let is_it = |own: &[String; 3]| own[0] == kind && own[1] == path && own[2].contains(part);
        match left.iter().position(is_it) {
            Some(at) => drop(left.remove(at)),
            None => differences.push(format!("not told: {kind} {path} {part}")),
        }
    }
    differences.extend(left.iter().map(|own| format!("told: {own:?}")));
    differences
}

#[test]
fn policies_become_what_was_written_by_hand() {
    let all: Vec<String> = samples()
        .iter()
        .flat_map(|sample| differences(sample).into_iter().map(|what| format!("{}: {what}", sample.display())))
        .collect();
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn what_is_written_passes_check() {
    for sample in samples() {
        let made = migrate(sample.to_str().unwrap(), &folder());
        let folder = folder();
        write(folder.join("new.yaml"), &made.text).unwrap();
        let checked = run(&["check", "new.yaml"], &folder);
        assert_eq!(checked.status, 0, "{}: {checked:?}\n{}", sample.display(), made.text);
    }
}

#[test]
fn no_secret_is_printed() {
    for (sample, secrets) in [
        ("gateway/keys.yaml", &["0123456789", "MDEyMzQ1"][..]),
        ("gateway/users.yaml", &["{SHA}", "0RmaWCQuvxlAqvxaeXLbEmoYuzE", "YW5u"]),
        ("istio/alone.yaml", &["private", "c2VjcmV0"]),
    ] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/migrate").join(sample);
        for form in ["json", "text"] {
            let told = run(&["migrate", file.to_str().unwrap(), "--format", form], &folder());
            for secret in secrets {
                let digest = told.stdout.replace("sha256", "");
                assert!(!digest.contains(secret) && !told.stderr.contains(secret), "{sample}: {secret}: {told:?}");
            }
        }
    }
}
