//! The report of a migration, for people and for machines.

use super::findings::{Finding, Kind};
use crate::cli::gates::place;
use crate::cli::terminal::clean;
use serde_json::{Value, json};

/// The report as text: a heading for each kind, a line for each finding. `report_only` is whether the gate only reports.
#[must_use]
pub(super) fn text(findings: &[Finding], report_only: bool) -> String {
    let mut out = String::new();
    for finding in findings.iter().filter(|finding| finding.is_general()) {
        out.push_str(&format!("{}\n\n", clean(&finding.what)));
    }
    for kind in Kind::ALL {
        let mut own = findings.iter().filter(|finding| finding.kind == kind && !finding.is_general()).peekable();
        if own.peek().is_none() {
            continue;
        }
        out.push_str(&format!("{}\n", kind.heading(report_only)));
        for finding in own {
            let place = clean(&place(&finding.file, finding.position));
            let path = if finding.path.is_empty() { String::new() } else { format!("{}: ", finding.path) };
            let restore =
                finding.restore.as_ref().map(|field| format!("; {} {field}", restoring(kind))).unwrap_or_default();
            // One finding is one line, whatever a file contains.
            let told = clean(&format!("{path}{}{restore}", finding.what)).replace('\n', " ");
            out.push_str(&format!("  {place}: {told}\n"));
        }
        out.push('\n');
    }
    let count = |kind: Kind| findings.iter().filter(|finding| finding.kind == kind).count();
    let (denied, left_out) = (count(Kind::Denied), count(Kind::LeftOut));
    out.push_str(&match (denied, left_out) {
        (0, 0) => "everything is carried over".to_owned(),
        (denied, 0) => format!("{denied} not carried over"),
        (0, left_out) => format!("{left_out} left out"),
        (denied, left_out) => format!("{denied} not carried over, {left_out} left out"),
    });
    out
}

/// What stands before the field of a finding.
const fn restoring(kind: Kind) -> &'static str {
    match kind {
        Kind::Stricter => "as before with",
        _ => "write",
    }
}

/// The findings for machines.
#[must_use]
pub(super) fn values(findings: &[Finding]) -> Value {
    let row = |finding: &Finding| {
        json!({
            "kind": finding.kind.name(),
            "file": finding.file.to_string_lossy(),
            "line": finding.position.map(|at| at.line),
            "column": finding.position.map(|at| at.column),
            "path": finding.path,
            "what": finding.what,
            "restore": finding.restore,
        })
    };
    findings.iter().map(row).collect()
}
