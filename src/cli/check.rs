//! `scopegate check`: checks a configuration before it runs, with the module's own reader.

mod admin;
mod answering;
mod asked;
mod attached;
mod certificates;
mod chain;
mod client_address;
mod cors;
mod credentials;
mod csrf;
mod disclosures;
mod envoy_fields;
mod events;
mod filters;
mod forwarded;
mod injected;
mod kubernetes;
mod lists;
mod lone_routes;
mod messages;
mod misplaced;
mod mounted;
mod named_resources;
mod native;
mod open_streams;
mod patches;
mod per_route;
mod pinned;
mod redirects;
mod replaced;
mod routed;
mod routes;
mod rules;
mod served;
mod sessions;
mod signatures;
mod statuses;
mod step_up;
mod ungated;
mod unknown_fields;
mod unserved;
mod written;

use super::Output;
use super::gates::{Gate, find, nothing_found, of_upgrades, place};
use super::report::{self, Finding, Severity};
use super::source::{Source, View};
use crate::config::{ConfigError, Position};
use crate::policy::Policy;
use clap::Args;
use std::error::Error;
use std::path::{Path, PathBuf};

/// What to check, and the form of the report.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Exit status: 0 nothing found, or warnings alone; 1 errors (with --strict, warnings too); 2 a file cannot be read.

Examples:
  scopegate check envoy/envoy.yaml
  scopegate check --strict --sarif listeners.yaml routes.yaml clusters.yaml
  scopegate check routes.yaml --gate scopegate.yaml
  cat scopegate.yaml | scopegate check -"
)]
pub struct CheckArguments {
    /// Plugin configurations, Envoy YAML (a bootstrap, or listeners, routes and clusters in separate files), Istio
    /// `WasmPlugin` and `TrafficExtension`, `EnvoyExtensionPolicy`; YAML or JSON; - is standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Files with the gate, for routes in a separate file: its plugin configuration, or its listener. They describe the
    /// gate, and are not checked themselves
    #[arg(long, value_name = "FILE")]
    pub gate: Vec<PathBuf>,
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
    let files = [arguments.files.as_slice(), arguments.gate.as_slice()].concat();
    let sources = Source::read_all(&files)?;
    if !arguments.gate.is_empty() {
        check_gates(&sources, &arguments.gate)?;
    }
    let (mut findings, notes) = judge(&sources)?;
    findings.retain(|finding| arguments.files.contains(&finding.file));
    findings.sort_by(|a, b| (&a.file, position(a.at), a.severity).cmp(&(&b.file, position(b.at), b.severity)));
    findings.dedup();
    let failed = report::count(&findings, Severity::Error) > 0 || arguments.strict && !findings.is_empty();
    let text = match (arguments.json, arguments.sarif) {
        (true, _) => report::json(&findings, &notes),
        (_, true) => report::sarif(&findings),
        _ => report::text(&findings, &notes, coloured),
    };
    Ok(Output { text, failed })
}

/// Looks for the gate in the files that are to hold it.
fn check_gates(sources: &[Source], files: &[PathBuf]) -> Result<(), Box<dyn Error>> {
    let gates = find(sources);
    let mut named = gates.iter().filter(|gate| files.iter().any(|file| file == gate.file)).peekable();
    if named.peek().is_none() {
        let given = files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
        return Err(format!("--gate {given}: no gate in it").into());
    }
    let refused = named.find_map(|gate| gate.policy.as_ref().err().map(|error| gate.refused(error)));
    refused.map_or(Ok(()), |why| Err(why.into()))
}

fn position(at: Option<Position>) -> (usize, usize) {
    at.map_or((0, 0), |at| (at.line, at.column))
}

/// Everything that is wrong with these sources.
///
/// # Errors
/// When there is no gate in them.
pub fn check(sources: &[Source]) -> Result<Vec<Finding>, Box<dyn Error>> {
    judge(sources).map(|(findings, _)| findings)
}

/// Everything that is wrong with these sources, and what could not be checked because the files do not contain it.
fn judge(sources: &[Source]) -> Result<(Vec<Finding>, Vec<String>), Box<dyn Error>> {
    let gates = find(sources);
    if gates.is_empty() && !lone_routes::are_alone(sources) {
        return Err(nothing_found(sources).into());
    }
    let mut findings = Findings::default();
    for gate in &gates {
        check_gate(gate, sources, &mut findings);
        let upgrades = gate.envoy.as_ref().map(|envoy| of_upgrades(sources, envoy)).unwrap_or_default();
        upgrades.iter().for_each(|gate| check_gate(gate, sources, &mut findings));
    }
    kubernetes::check(sources, &mut findings);
    unknown_fields::check(sources, &mut findings);
    misplaced::check(sources, &gates, &mut findings);
    patches::check(&gates, sources, &mut findings);
    admin::check(sources, &mut findings);
    mounted::check(sources, &mut findings);
    let mut notes = attached::check(sources, &mut findings);
    findings.flaws(sources);
    notes.extend(gates.iter().filter_map(not_seen));
    notes.extend(gates.iter().filter_map(events::note));
    notes.extend(ungated::check(sources, &gates, &mut findings));
    notes.extend(lone_routes::check(sources, &gates, &mut findings));
    notes.extend(pinned::notes(sources));
    Ok((findings.0, notes))
}

fn not_seen(gate: &Gate<'_>) -> Option<String> {
    let what = match (&gate.envoy, &gate.plugin) {
        (Some(envoy), _) if envoy.route_configs.is_empty() => "its routes are",
        (None, Some(_)) => "its listener is",
        _ => return None,
    };
    let place = place(gate.file, gate.configuration.position());
    Some(format!("the filter at {place}: {what} not in these files, and could not be checked"))
}

fn check_gate(gate: &Gate<'_>, sources: &[Source], findings: &mut Findings) {
    let values = &gate.values;
    chain::check_plugin(gate, findings);
    messages::check_setting(gate, sources, findings);
    written::check(gate, findings);
    if let Some(envoy) = &gate.envoy {
        disclosures::check(envoy, gate.policy.as_ref().ok().map(|loaded| &loaded.policy), findings);
    }
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
    check_report_only(gate, &loaded.policy, findings);
    if gate.is_native {
        native::check(gate, loaded, findings);
    }
    rules::check(gate, values, &loaded.policy, findings);
    statuses::check(gate, values, &loaded.policy, findings);
    credentials::check(gate, values, &loaded.policy, sources, findings);
    named_resources::check(gate, values, &loaded.policy, findings);
    messages::check_beside(gate, &loaded.policy, findings);
    sessions::check(gate, &loaded.policy, findings);
    open_streams::check(gate, &loaded.policy, findings);
    lists::check(gate, &loaded.policy, findings);
    events::check(gate, &loaded.policy, findings);
    if let Some(envoy) = &gate.envoy {
        chain::check(gate, envoy, Some(loaded), sources, findings);
        forwarded::check(envoy, &loaded.policy, sources, findings);
        client_address::check(envoy, &loaded.policy, findings);
        certificates::check(envoy, &loaded.policy, sources, findings);
        step_up::check(envoy, &loaded.policy, findings);
        csrf::check(gate, envoy, &loaded.policy, findings);
        signatures::check(gate, envoy, &loaded.policy, findings);
        events::check_before(envoy, &loaded.policy, findings);
        injected::check(envoy, &loaded.policy, findings);
        routes::check(envoy, &loaded.policy, findings);
        replaced::check(gate, envoy, &loaded.policy, findings);
        per_route::check(envoy, findings);
        if envoy.is_native {
            native::check_metadata(envoy, findings);
        }
        // What asks for an upgrade is no page of a browser, and no script reads the answer.
        if !envoy.of_upgrades {
            routed::check(envoy, sources, findings);
            cors::check(envoy, &loaded.policy, findings);
            answering::check(envoy, &loaded.policy, findings);
            answering::check_tls(envoy, &loaded.policy, sources, findings);
        }
        redirects::check(envoy, &loaded.policy, findings);
        served::check(gate, envoy, loaded, findings);
    }
}

/// A gate that refuses nothing is not left so by mistake.
fn check_report_only(gate: &Gate<'_>, policy: &Policy, findings: &mut Findings) {
    let written = gate.values.get("report_only").filter(|_| policy.report_only);
    if let Some(view) = written {
        findings.warn(
            "reports-only",
            gate.file,
            &view,
            "makes the gate refuse nothing: it counts and reports what it would refuse",
            "leave it out once the reports are as you want them",
        );
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

    /// Oddities in the form of files, unless a problem at the same place says more.
    fn flaws(&mut self, sources: &[Source]) {
        for source in sources {
            for flaw in &source.flaws {
                let is_told = |other: &Finding| other.file == source.file && other.at.is_some() && other.at == flaw.at;
                if matches!(flaw.rule, "duplicate-key" | "yaml-merge") && self.0.iter().any(is_told) {
                    continue;
                }
                self.0.push(Finding {
                    severity: if flaw.is_error { Severity::Error } else { Severity::Warning },
                    rule: flaw.rule,
                    file: source.file.clone(),
                    at: flaw.at,
                    path: String::new(),
                    what: flaw.what.clone(),
                    remedy: flaw.remedy.clone(),
                });
            }
        }
    }

    /// The problems of the reader, each at its own place if that is known.
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
