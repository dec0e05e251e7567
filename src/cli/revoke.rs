//! `scopegate token revoke`: the entry that revokes a token, or what a log shows of it.

mod logged;

use super::Output;
use super::explain::read_token;
use super::inspect::JWT;
use super::log::Condition;
use super::moment;
use crate::base::time::Seconds;
use crate::checks::{fingerprint, is_opaque};
use crate::jose::{Compact, Malformed};
use crate::revocation::{Entry, Line};
use clap::{Args, ValueEnum};
use std::error::Error;
use std::path::PathBuf;

/// The most leeway that a configuration can give: a token may be accepted somewhere until this long after its `exp`.
const LONGEST_LEEWAY: Seconds = Seconds(300);

/// The token, and how to name it.
#[derive(Args, Clone, Debug)]
#[command(after_help = "The token is not verified. Only its iss and jti, or its fingerprint, are printed.

With --log, each token and each identity of a set that a meant record names gets an entry, once. --where is needed;
records must meet the conditions on all members, of those on one member only one. Look at them before: `scopegate tail
--no-follow --where` shows the same records.

Examples:
  scopegate token revoke @token.txt --reason stolen >> revoked.jsonl
  scopegate token revoke @token.txt --by fingerprint
  scopegate token revoke --fingerprint FvdA9cRn0Ls45XKidPuQiq --until 2026-12-01T00:00:00Z
  scopegate token revoke --log access.log --where subject=alice --where client_id=web --reason stolen >> revoked.jsonl")]
pub struct RevokeArguments {
    /// The token: its text, @FILE, or - for standard input
    #[arg(value_name = "TOKEN", default_value = "-")]
    pub token: String,
    /// What names the token [default: its jti, or its fingerprint if it has no jti]
    #[arg(long, conflicts_with_all = ["fingerprint", "log"])]
    pub by: Option<By>,
    /// The fingerprint of the token, which is then not needed
    #[arg(long, value_name = "FINGERPRINT", conflicts_with_all = ["token", "log"], allow_hyphen_values = true)]
    pub fingerprint: Option<String>,
    /// A log with records of what to revoke; - for standard input; may be given several times
    #[arg(long, value_name = "FILE", conflicts_with = "token", requires = "conditions")]
    pub log: Vec<PathBuf>,
    /// Only records in which the member NAME has this value: `subject=alice`; may be given several times
    #[arg(long = "where", value_name = "NAME=VALUE", requires = "log")]
    pub conditions: Vec<Condition>,
    /// The member of the access log that holds the record [default: one whose name has `scopegate` in it, or else any]
    #[arg(long, value_name = "NAME", requires = "log")]
    pub record: Option<String>,
    /// When the entry of --fingerprint is no longer needed: 2026-12-01T00:00:00Z or Unix seconds [default: never]
    #[arg(long, value_name = "TIME", requires = "fingerprint")]
    pub until: Option<String>,
    /// Why, for people who read the list
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// What names a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// Its iss and jti, however the token is signed
    Jti,
    /// The digest of what its signature covers, or of an opaque token
    Fingerprint,
}

/// Prints the entry, as a line of a list.
///
/// # Errors
/// When the token or the log cannot be read, the token is malformed, or has no `jti` to be named by.
pub fn run(arguments: &RevokeArguments) -> Result<Output, Box<dyn Error>> {
    if !arguments.log.is_empty() {
        let entries = logged::entries(arguments)?;
        let lines: Vec<String> = entries.into_iter().map(|entry| line(entry, arguments)).collect();
        return Ok(lines.join("\n").into());
    }
    if let Some(name) = &arguments.fingerprint {
        let entry = Entry::fingerprint(name.clone()).ok_or_else(|| {
            format!("--fingerprint {name}: write the 22 characters of a fingerprint, as records have them")
        })?;
        let Some(until) = &arguments.until else { return Ok(written(entry, arguments)) };
        let until = moment::read(until)
            .ok_or_else(|| format!("--until {until}: write an instant such as 2026-12-01T00:00:00Z"))?;
        return Ok(written(entry.until(until), arguments));
    }
    let token = read_token(&arguments.token)?;
    // A JWT that has lost a part is not taken for another token than was meant.
    if arguments.by == Some(By::Fingerprint) && is_opaque(token.as_bytes()) && !token.starts_with(JWT) {
        let entry = Entry::fingerprint(fingerprint(token.as_bytes())).ok_or("the token has no fingerprint")?;
        return Ok(written(entry, arguments));
    }
    let compact = Compact::parse(token.as_bytes()).map_err(|Malformed(why)| {
        format!("the token is malformed: {why}; an opaque one is named with --by fingerprint")
    })?;
    let claims = &compact.claims;
    let by_id = || Some(Entry::token(claims.issuer()?.into_owned(), claims.text("jti")?.into_owned()));
    let by_fingerprint = || Entry::fingerprint(fingerprint(compact.signing_input));
    let entry = match arguments.by {
        Some(By::Jti) => by_id().ok_or("the token has no iss and jti: name it by its fingerprint")?,
        Some(By::Fingerprint) => by_fingerprint().ok_or("the token has no fingerprint")?,
        None => by_id().or_else(by_fingerprint).ok_or("the token has no fingerprint")?,
    };
    let entry = match claims.expires_at {
        // After that no gate accepts it.
        Some(expires_at) => entry.until(expires_at.plus(LONGEST_LEEWAY)),
        None => entry,
    };
    Ok(written(entry, arguments))
}

fn written(entry: Entry, arguments: &RevokeArguments) -> Output {
    line(entry, arguments).into()
}

/// The entry as a line of a list.
fn line(entry: Entry, arguments: &RevokeArguments) -> String {
    let entry = match &arguments.reason {
        Some(reason) => entry.because(reason.clone()),
        None => entry,
    };
    Line::Entry(entry).written()
}
