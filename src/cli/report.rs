//! Findings, as text for a terminal, as JSON for machines, as SARIF for code review.

use super::gates::place;
use super::terminal::clean;
use crate::config::Position;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It opens the gate, or the gate does not work.
    Error,
    /// It should be reviewed.
    Warning,
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// A stable name for the kind of finding.
    pub rule: &'static str,
    /// The file.
    pub file: PathBuf,
    /// Its place in the file.
    pub at: Option<Position>,
    /// The path of the field.
    pub path: String,
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub remedy: String,
}

impl Severity {
    const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }

    /// The colour of the word on a terminal: red, or yellow.
    const fn colour(self) -> &'static str {
        match self {
            Self::Error => "\u{1b}[31m",
            Self::Warning => "\u{1b}[33m",
        }
    }
}

/// The findings of a severity.
#[must_use]
pub fn count(findings: &[Finding], severity: Severity) -> usize {
    findings.iter().filter(|finding| finding.severity == severity).count()
}

/// Lines for a person, with a summary at the end, and what could not be checked.
#[must_use]
pub fn text(findings: &[Finding], notes: &[String], coloured: bool) -> String {
    let mut out = String::new();
    for finding in findings {
        let (start, end) = if coloured { (finding.severity.colour(), "\u{1b}[0m") } else { ("", "") };
        let word = finding.severity.word();
        let path = if finding.path.is_empty() { String::new() } else { format!("{}: ", finding.path) };
        let place = clean(&place(&finding.file, finding.at));
        // One finding is one line, whatever a file contains.
        let told = clean(&format!("{path}{}; {}", finding.what, finding.remedy)).replace('\n', " ");
        out.push_str(&format!("{place}: {start}{word}{end}[{}]: {told}\n", finding.rule));
    }
    let (errors, warnings) = (count(findings, Severity::Error), count(findings, Severity::Warning));
    if findings.is_empty() {
        out.push_str("no problems found");
    } else {
        let plural = |number: usize| if number == 1 { "" } else { "s" };
        out.push_str(&format!("{errors} error{}, {warnings} warning{}", plural(errors), plural(warnings)));
    }
    notes.iter().for_each(|note| out.push_str(&format!("\nnote: {}", clean(note))));
    out
}

/// One JSON object with all findings, and what could not be checked.
#[must_use]
pub fn json(findings: &[Finding], notes: &[String]) -> String {
    let rows: Vec<Value> = findings
        .iter()
        .map(|finding| {
            json!({
                "severity": finding.severity.word(),
                "rule": finding.rule,
                "file": finding.file.to_string_lossy(),
                "line": finding.at.map(|at| at.line),
                "column": finding.at.map(|at| at.column),
                "path": finding.path,
                "message": finding.what,
                "remedy": finding.remedy,
            })
        })
        .collect();
    json!({
        "errors": count(findings, Severity::Error),
        "warnings": count(findings, Severity::Warning),
        "findings": rows,
        "notes": notes,
    })
    .to_string()
}

/// A SARIF 2.1.0 log with one run.
#[must_use]
pub fn sarif(findings: &[Finding]) -> String {
    let mut rules: Vec<&str> = findings.iter().map(|finding| finding.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    let rules: Vec<Value> = rules.iter().map(|id| json!({ "id": id })).collect();
    let results: Vec<Value> = findings
        .iter()
        .map(|finding| {
            let mut location = json!({ "artifactLocation": { "uri": reference(&finding.file) } });
            if let (Some(at), Some(location)) = (finding.at, location.as_object_mut()) {
                location.insert("region".into(), json!({ "startLine": at.line, "startColumn": at.column }));
            }
            let text = if finding.path.is_empty() {
                format!("{}; {}", finding.what, finding.remedy)
            } else {
                format!("{}: {}; {}", finding.path, finding.what, finding.remedy)
            };
            json!({
                "ruleId": finding.rule,
                "level": finding.severity.word(),
                "message": { "text": text },
                "locations": [{ "physicalLocation": location }],
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "scopegate", "version": crate::base::VERSION, "rules": rules } },
            "results": results,
        }],
    })
    .to_string()
}

/// A path as a URI reference: SARIF asks for one.
fn reference(file: &Path) -> String {
    let mut out = String::new();
    for byte in file.to_string_lossy().bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_uri_reference() {
        assert_eq!(reference(Path::new("a b/c%\u{e9}.yaml")), "a%20b/c%25%C3%A9.yaml");
    }
}
