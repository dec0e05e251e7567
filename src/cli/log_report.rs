//! `scopegate report`: what the decisions in logs say together, for people and for machines.

mod chart;
mod html;
mod json;
mod one_token;
mod privilege;
mod style;
mod tokens;

use super::log::{Condition, Filter, Millis};
use super::matrix::{self, Section};
use super::mint::seconds;
use super::usage::{Terms, Usage};
use super::{Output, destination, moment};
use clap::Args;
use std::error::Error;
use std::path::PathBuf;

/// The logs, and what to say of them.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "A log is an access log in JSON that holds the record as an object or as text, under any key, or Envoy's own log,
which has refusals alone unless `audit.log` is `all`. The page needs no other file and no network, and can be printed.

The policy adds what no log knows: the requirements that no request came to, and those that could ask for more. The
records have the scopes of tokens, and the networks of clients, with `audit: {fields: full}`.

Examples:
  scopegate report access.log > report.html
  scopegate report access.log.1 access.log --policy envoy.yaml --output report.html
  scopegate report access.log --policy envoy.yaml --json
  scopegate report access.log --fingerprint FvdA9cRn0Ls45XKidPuQiq"
)]
pub struct ReportArguments {
    /// Logs; - for standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The policy of the gates that wrote the logs: files as `scopegate matrix` takes them; may be given several times
    #[arg(long, value_name = "POLICY")]
    pub policy: Vec<PathBuf>,
    /// The figures as JSON
    #[arg(long)]
    pub json: bool,
    /// Tells everything that the token with this fingerprint did, as text
    #[arg(long, value_name = "FINGERPRINT", allow_hyphen_values = true)]
    pub fingerprint: Option<String>,
    /// Only records from then on: 2026-11-21T10:00:00Z or Unix seconds
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only records before then
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Only records in which the member NAME has this value: `route=orders`; may be given several times
    #[arg(long = "where", value_name = "NAME=VALUE")]
    pub conditions: Vec<Condition>,
    /// From which lifetime on a token is long: a whole number and s, m or h [default: `max_lifetime` of the policy, or 1h]
    #[arg(long, value_name = "DURATION")]
    pub max_lifetime: Option<String>,
    /// The member of the access log that holds the record [default: one whose name has `scopegate` in it, or else any]
    #[arg(long, value_name = "NAME")]
    pub record: Option<String>,
    /// Writes to this file, whole or not at all; links are followed, devices and pipes written to
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Makes the report.
///
/// # Errors
/// When a log or the policy cannot be read, or a log has no record.
pub fn run(arguments: &ReportArguments) -> Result<Output, Box<dyn Error>> {
    let instant = |name: &str, text: &Option<String>| {
        let Some(text) = text else { return Ok(None) };
        let read = moment::read(text).map(|at| Millis(at.0.saturating_mul(1000)));
        read.map(Some).ok_or_else(|| format!("--{name} {text}: write an instant such as 2026-11-21T10:00:00Z"))
    };
    let filter = Filter::of(&arguments.conditions)
        .between(instant("since", &arguments.since)?, instant("until", &arguments.until)?);
    let text = if let Some(fingerprint) = &arguments.fingerprint {
        one_token::report(arguments, &filter, fingerprint)?
    } else {
        let (sections, terms) = policy(arguments)?;
        let usage = Usage::read(&arguments.files, arguments.record.as_deref(), &filter, terms)?;
        let files: Vec<String> = arguments.files.iter().map(|file| file.display().to_string()).collect();
        if arguments.json { json::figures(&files, &usage, &sections) } else { html::page(&files, &usage, &sections) }
    };
    match &arguments.output {
        None => Ok(text.into()),
        Some(output) => {
            destination::write(output, format!("{text}\n").as_bytes())?;
            Ok(output.display().to_string().into())
        }
    }
}

/// What the policy asks where, and what of it figures are held against.
fn policy(arguments: &ReportArguments) -> Result<(Vec<Section>, Terms), Box<dyn Error>> {
    let mut terms = Terms::default();
    let sections = if arguments.policy.is_empty() {
        Vec::new()
    } else {
        matrix::sections(&arguments.policy, &mut |policy| terms.add(policy))?
    };
    let given = match &arguments.max_lifetime {
        None => None,
        Some(text) => {
            Some(seconds(text).ok_or_else(|| format!("--max-lifetime {text}: write a duration such as 15m"))?)
        }
    };
    Ok((sections, terms.with_lifetime(given)))
}

/// A span of seconds in words.
fn span(seconds: i64) -> String {
    moment::span(u64::try_from(seconds).unwrap_or_default())
}
