//! `scopegate token revoke`: the entry that revokes a token, or more than it, or what a log shows.

mod logged;
mod named;
mod push;

use super::Output;
use super::log::Condition;
use super::moment;
use crate::base::time::{Seconds, UnixSeconds};
use crate::revocation::{Entry, EntryKind, Line};
use clap::{Args, ValueEnum};
use push::{PushArguments, Pusher};
use std::error::Error;
use std::path::PathBuf;

/// The most leeway that a configuration can give: a token may be accepted somewhere until this long after its `exp`.
const LONGEST_LEEWAY: Seconds = Seconds(300);

/// The token, and how to name it.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "The token is not verified: `scopegate token inspect` does that. Of it, only what names the entry is printed.

An entry by session, subject, client or key means other tokens, too, which may be good for longer: it has an `until` only
if --until says so. One by subject or client means the tokens that were issued up to now, so that who logs in again is let
in; another time is for --issued-before. With --name no token is needed.

With --log, each token and each identity of a set that a meant record names gets an entry, once. --where is needed;
records must meet the conditions on all members, of those on one member only one. Look at them before: `scopegate tail
--no-follow --where` shows the same records.

With --push, each entry goes at once to each gate, too, as an event that --key signs; a gate that asks for it again gets it
four times at most. What became of it goes to standard error, a line for each gate. What is pushed ends with the process of
the gate: keep the entry in a list beside. Exit status: 0 done, 1 not every gate has taken it, 2 nothing was sent or printed.

Examples:
  scopegate token revoke @token.txt --reason stolen >> revoked.jsonl
  scopegate token revoke @token.txt --by fingerprint
  scopegate token revoke @token.txt --by subject --reason stolen >> revoked.jsonl
  scopegate token revoke --by client --name web --issuer https://a/ --issued-before 2026-11-21T10:00:00Z
  scopegate token revoke --by identity --name acme-1 --set partners
  scopegate token revoke --fingerprint FvdA9cRn0Ls45XKidPuQiq --until 2026-12-01T00:00:00Z
  scopegate token revoke --log access.log --where subject=alice --where client_id=web --reason stolen >> revoked.jsonl
  scopegate jwks generate --algorithm EdDSA --kid ops-1 > ops.json
  scopegate token revoke @token.txt --push gate-1=https://gate-1.example.com/.well-known/scopegate/events \\
      --push gate-2=https://gate-2.example.com/.well-known/scopegate/events --operator ops --key ops.json >> revoked.jsonl"
)]
pub struct RevokeArguments {
    /// The token: its text, @FILE, or - for standard input
    #[arg(value_name = "TOKEN", default_value = "-")]
    pub token: String,
    /// What is named [default: the token, by its jti, or by its fingerprint if it has no jti]
    #[arg(long, conflicts_with_all = ["fingerprint", "log"])]
    pub by: Option<By>,
    /// The `jti`, fingerprint, `sid`, `sub`, `client_id`, `kid` or `id` itself, where there is no token; needs --issuer or --set
    #[arg(long, value_name = "NAME", requires = "by", conflicts_with = "token", allow_hyphen_values = true)]
    pub name: Option<String>,
    /// The `iss` of the tokens that --name means
    #[arg(long, value_name = "ISS", requires = "name", conflicts_with = "set")]
    pub issuer: Option<String>,
    /// The set of credentials that has the identity of --name
    #[arg(long, value_name = "SET", requires = "name")]
    pub set: Option<String>,
    /// Only tokens that were issued before then, by subject or client: 2026-11-21T10:00:00Z or Unix seconds [default: now]
    #[arg(long, value_name = "TIME", requires = "by")]
    pub issued_before: Option<String>,
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
    /// When the entry is no longer needed: 2026-12-01T00:00:00Z or Unix seconds [default: never, or as the token says]
    #[arg(long, value_name = "TIME", conflicts_with = "log")]
    pub until: Option<String>,
    /// Why, for people who read the list
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// The gates that are told at once.
    #[command(flatten)]
    pub to: PushArguments,
}

/// What an entry names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// The token, by its `iss` and `jti`, however it is signed
    Jti,
    /// The token, by the digest of what its signature covers, or of an opaque token
    Fingerprint,
    /// All tokens of its session, by its `iss` and `sid`
    Session,
    /// All tokens of its user, by its `iss` and `sub`
    Subject,
    /// All tokens of its client, by its `iss` and `client_id`, or `azp`
    Client,
    /// All tokens that were signed with its key, by its `iss` and `kid`
    Key,
    /// An API key, a password, a certificate or a signing key, by its set and `id`; with --name
    Identity,
}

impl By {
    const fn kind(self) -> EntryKind {
        match self {
            Self::Jti => EntryKind::TokenId,
            Self::Fingerprint => EntryKind::Fingerprint,
            Self::Session => EntryKind::Session,
            Self::Subject => EntryKind::Subject,
            Self::Client => EntryKind::Client,
            Self::Key => EntryKind::SigningKey,
            Self::Identity => EntryKind::Identity,
        }
    }
}

/// Prints the entry, as a line of a list, and sends it to gates.
///
/// # Errors
/// When the token or the log cannot be read, the token is malformed, or has not what is to be named; when what is to sign
/// events cannot be used.
pub fn run(arguments: &RevokeArguments) -> Result<Output, Box<dyn Error>> {
    let (pusher, now) = (Pusher::read(&arguments.to)?, moment::instant(None)?);
    let entries = if !arguments.log.is_empty() {
        logged::entries(arguments)?
    } else if let Some(name) = &arguments.fingerprint {
        vec![until(named::fingerprint("--fingerprint", name)?, arguments)?]
    } else {
        vec![named::entry(arguments, now)?]
    };
    let because = |entry: Entry| match &arguments.reason {
        Some(reason) => entry.because(reason.clone()),
        None => entry,
    };
    let entries: Vec<Entry> = entries.into_iter().map(because).collect();
    let failed = match pusher {
        Some(pusher) => !pusher.send(&entries, now)?,
        None => false,
    };
    let lines: Vec<String> = entries.into_iter().map(|entry| Line::Entry(entry).written()).collect();
    Ok(Output { text: lines.join("\n"), failed })
}

/// The entry with the `until` that was given.
fn until(entry: Entry, arguments: &RevokeArguments) -> Result<Entry, String> {
    Ok(match time("until", arguments.until.as_deref())? {
        Some(until) => entry.until(until),
        None => entry,
    })
}

/// The time that an option gives.
fn time(option: &str, text: Option<&str>) -> Result<Option<UnixSeconds>, String> {
    let wrong = |text: &str| format!("--{option} {text}: write an instant such as 2026-12-01T00:00:00Z");
    text.map(|text| moment::read(text).ok_or_else(|| wrong(text))).transpose()
}
