//! `scopegate check`: a configuration judged before it runs, by the same reader as in the module.

mod chain;
mod filters;
mod kubernetes;
mod routes;
mod rules;

use super::Output;
use super::gates::{Gate, find, nothing_found};
use super::report::{self, Finding, Severity};
use super::source::{Source, View};
use crate::config::{ConfigError, Position};
use clap::Args;
use std::error::Error;
use std::path::{Path, PathBuf};

/// What to check, and how to tell.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Exit status: 0 nothing found, or warnings alone; 1 errors (with --strict, warnings too); 2 a file cannot be read.

Examples:
  scopegate check envoy/envoy.yaml
  scopegate check --strict --sarif listeners.yaml routes.yaml clusters.yaml"
)]
pub struct CheckArguments {
    /// Plugin configurations, Envoy YAML (a bootstrap, or listeners, routes and clusters in files of their own), Istio
    /// `WasmPlugin` and `TrafficExtension`, `EnvoyExtensionPolicy`; YAML or JSON
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Warnings fail too
    #[arg(long)]
    pub strict: bool,
    /// One JSON object instead of lines
    #[arg(long, conflicts_with = "sarif")]
    pub json: bool,
    /// A SARIF 2.1.0 log instead of lines
    #[arg(long)]
    pub sarif: bool,
}

/// Checks the files.
///
/// # Errors
/// When a file cannot be read, or holds nothing that can be checked.
pub fn run(arguments: &CheckArguments, coloured: bool) -> Result<Output, Box<dyn Error>> {
    let sources = Source::read_all(&arguments.files)?;
    let mut findings = check(&sources)?;
    findings.sort_by(|a, b| (&a.file, position(a.at), a.severity).cmp(&(&b.file, position(b.at), b.severity)));
    findings.dedup();
    let failed = report::count(&findings, Severity::Error) > 0 || arguments.strict && !findings.is_empty();
    let text = match (arguments.json, arguments.sarif) {
        (true, _) => report::json(&findings),
        (_, true) => report::sarif(&findings),
        _ => report::text(&findings, coloured),
    };
    Ok(Output { text, failed })
}

fn position(at: Option<Position>) -> (usize, usize) {
    at.map_or((0, 0), |at| (at.line, at.column))
}

/// Everything that is wrong with these sources.
///
/// # Errors
/// When there is no gate in them.
pub fn check(sources: &[Source]) -> Result<Vec<Finding>, Box<dyn Error>> {
    let gates = find(sources);
    if gates.is_empty() {
        return Err(nothing_found(sources).into());
    }
    let mut findings = Findings::default();
    for gate in &gates {
        check_gate(gate, sources, &mut findings);
    }
    kubernetes::check(sources, &mut findings);
    Ok(findings.0)
}

fn check_gate(gate: &Gate<'_>, sources: &[Source], findings: &mut Findings) {
    let values = &gate.values;
    chain::check_plugin(gate, findings);
    let loaded = match &gate.policy {
        Ok(loaded) => loaded,
        Err(error) => {
            findings.problems("configuration", gate.file, values, error);
            if let Some(envoy) = &gate.envoy {
                chain::check(gate, envoy, None, sources, findings);
            }
            return;
        }
    };
    for warning in &loaded.warnings {
        findings.warn("key-left-out", gate.file, values, warning.clone(), "remove the key, or give it a use");
    }
    rules::check(gate, values, &loaded.policy, findings);
    if let Some(envoy) = &gate.envoy {
        chain::check(gate, envoy, Some(&loaded.policy), sources, findings);
        routes::check(envoy, &loaded.policy, findings);
    }
}

/// Collects findings.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(
        &mut self,
        severity: Severity,
        rule: &'static str,
        file: &Path,
        view: &View<'_>,
        what: String,
        remedy: &str,
    ) {
        self.0.push(Finding {
            severity,
            rule,
            file: file.to_owned(),
            at: view.position(),
            path: view.path.clone(),
            what,
            remedy: remedy.to_owned(),
        });
    }

    fn error(&mut self, rule: &'static str, file: &Path, view: &View<'_>, what: impl Into<String>, remedy: &str) {
        self.add(Severity::Error, rule, file, view, what.into(), remedy);
    }

    fn warn(&mut self, rule: &'static str, file: &Path, view: &View<'_>, what: impl Into<String>, remedy: &str) {
        self.add(Severity::Warning, rule, file, view, what.into(), remedy);
    }

    /// The problems of the reader, each at its own place where that is known.
    fn problems(&mut self, rule: &'static str, file: &Path, view: &View<'_>, error: &ConfigError) {
        for problem in &error.0 {
            let path = match (view.path.is_empty(), problem.path.is_empty()) {
                (true, _) => problem.path.clone(),
                (false, true) => view.path.clone(),
                (false, false) => format!("{}.{}", view.path, problem.path),
            };
            self.0.push(Finding {
                severity: Severity::Error,
                rule,
                file: file.to_owned(),
                at: problem.at.or(view.position()),
                path,
                what: problem.what.clone(),
                remedy: problem.remedy.clone(),
            });
        }
    }
}
