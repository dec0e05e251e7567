//! `scopegate test`: policy cases in YAML, decided offline by the engine of the module.

mod cases;
mod outcome;
mod report;
mod span;
mod token;
mod world;

use super::Output;
use super::destination;
use super::source::Source;
use clap::Args;
use report::{CaseReport, FileReport, Unread};
use std::error::Error;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use world::Unjudged;

/// The files with cases.
#[derive(Args, Clone, Debug)]
#[command(after_help = "A file of cases (its tokens are made and signed for the run, no issuer is asked):

  config: envoy.yaml              # beside this file; or `inline:` and a plugin configuration
  now: 2026-11-21T10:00:00Z       # the clock of all cases
  cases:
  - name: a reader may read an order
    request: {method: GET, path: /orders/1}
    token: {sub: alice, scope: orders:read}
    expect: {status: 200, headers: {x-auth-subject: alice}}
  - name: a reader may not write
    request: POST /orders
    token: {sub: alice, scope: orders:read}
    expect: {status: 403, reason: insufficient_scope, scope: orders:write}
  - name: an old token is refused
    request: {path: /profile, route: everything}
    token: {sub: alice, iat: -2h, exp: -1h}
    expect: {reason: expired}
  - name: without a token the answer names no scope
    request: {path: /profile, route: everything}
    expect: {status: 401, reason: no_credential, scope: null}

`config` is a plugin configuration, an Envoy YAML, a WasmPlugin or an EnvoyExtensionPolicy, or a list of such files.
Several documents in one file, separated by `---`, each have a policy of their own.

Identities that a gate fetches are in files beside this one: `identities: {partners: partners.json}`.

Request: its route is the one that Envoy's router chooses: virtual host by domain, then the first route that matches. What
the files do not decide (safe_regex, runtime_fraction and the like) fails the case where it makes a difference: name the
route with `route` (and `virtual_host`) then. Without a file of Envoy's, `metadata` gives the requirement of
the route. Paths are normalised as the file's connection manager does it. `body: true` says that a body follows.
`sign: KEY-ID` signs the request with a key of the policy, for the first region and service of its set: a secret that is
an environment variable is made up for the run.

Token: iss, aud, iat, exp and typ are filled in for the first issuer, or for the one that `issuer` names; {claims: {...},
header: {...}} sets both, and null leaves a member out. Times are numbers, instants, or relative to the clock (+5m, -1h).
A text instead of claims is sent as the token. It is sent in `authorization`, or in place of {token} if the path
or a header has that.

Expect: status 200 means that the request goes on. `headers` are those that reach the upstream; null means that one must
not. {token} is the token there too. With report_only, `reason` is why the request would have been refused.

Exit status: 0 all passed, 1 some failed, 2 a file cannot be read.

Examples:
  scopegate test orders.test.yaml
  scopegate test --junit report.xml orders.test.yaml")]
pub struct TestArguments {
    /// Files with cases
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Write an XML report too, as build servers read it
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

/// Decides all cases.
///
/// # Errors
/// When a file cannot be read, or the report cannot be written. The other files run even if one cannot be read.
pub fn run(arguments: &TestArguments) -> Result<Output, Box<dyn Error>> {
    let reports = run_files(&arguments.files);
    if let Some(file) = &arguments.junit {
        destination::write(file, report::junit(&reports).as_bytes())?;
    }
    let text = report::text(&reports);
    if reports.iter().any(|report| report.cases.is_err()) {
        return Err(format!("not all cases could be decided\n{text}").into());
    }
    Ok(Output { text, failed: reports.iter().any(|report| report.failed() > 0) })
}

/// Files are independent of each other, so they share the processors.
fn run_files(files: &[PathBuf]) -> Vec<FileReport> {
    let workers = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = files.len().div_ceil(workers).max(1);
    std::thread::scope(|scope| {
        let spawn = |part: &'_ [PathBuf]| {
            let files = part.to_vec();
            scope.spawn(move || files.iter().map(|file| run_file(file)).collect::<Vec<_>>())
        };
        let threads: Vec<_> = files.chunks(share).map(|part| (part, spawn(part))).collect();
        let broken = |file: &PathBuf| FileReport {
            file: file.display().to_string(),
            notes: Vec::new(),
            cases: Err(Unread("the cases ended too early".to_owned())),
        };
        threads
            .into_iter()
            .flat_map(|(part, thread)| thread.join().unwrap_or_else(|_| part.iter().map(broken).collect()))
            .collect()
    })
}

fn run_file(file: &Path) -> FileReport {
    let mut notes = Vec::new();
    let cases = decide_file(file, &mut notes).map_err(|error| Unread(error.to_string()));
    FileReport { file: file.display().to_string(), notes, cases }
}

fn decide_file(file: &Path, notes: &mut Vec<String>) -> Result<Vec<CaseReport>, Box<dyn Error>> {
    let source = Source::read(file)?;
    let mut problems = Vec::new();
    let mut reports = Vec::new();
    for suite in &cases::read(&source)? {
        let configuration = world::Configuration::read(file, suite)?;
        let world = world::World::new(&configuration, suite)?;
        for note in world.notes() {
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        for case in &suite.cases {
            match world.decide(case) {
                Ok(outcome) => reports.push(CaseReport {
                    name: case.name.clone(),
                    place: case.place.clone(),
                    failures: outcome.compare(&case.expect),
                }),
                Err(Unjudged::Undecided(why)) => reports.push(CaseReport {
                    name: case.name.clone(),
                    place: case.place.clone(),
                    failures: vec![format!("undecided: {why}")],
                }),
                Err(Unjudged::Wrong(problem)) => problems.push(problem),
            }
        }
    }
    if problems.is_empty() { Ok(reports) } else { Err(problems.join("\n").into()) }
}
