//! `scopegate token revoke`: the entry that revokes a token.

use super::Output;
use super::explain::read_token;
use super::inspect::JWT;
use crate::base::time::Seconds;
use crate::checks::{fingerprint, is_opaque};
use crate::jose::{Compact, Malformed};
use crate::revocation::{Entry, Line};
use clap::{Args, ValueEnum};
use std::error::Error;

/// The most leeway that a configuration can give: a token may be accepted somewhere until this long after its `exp`.
const LONGEST_LEEWAY: Seconds = Seconds(300);

/// The token, and how to name it.
#[derive(Args, Clone, Debug)]
#[command(after_help = "The token is not verified. Only its iss and jti, or its fingerprint, are printed.

Examples:
  scopegate token revoke @token.txt --reason stolen >> revoked.jsonl
  scopegate token revoke @token.txt --by fingerprint")]
pub struct RevokeArguments {
    /// The token: its text, @FILE, or - for standard input
    #[arg(value_name = "TOKEN", default_value = "-")]
    pub token: String,
    /// What names the token [default: its jti, or its fingerprint if it has no jti]
    #[arg(long)]
    pub by: Option<By>,
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
/// When the token cannot be read, is malformed, or has no `jti` to be named by.
pub fn run(arguments: &RevokeArguments) -> Result<Output, Box<dyn Error>> {
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

/// The entry as a line of a list.
fn written(entry: Entry, arguments: &RevokeArguments) -> Output {
    let entry = match &arguments.reason {
        Some(reason) => entry.because(reason.clone()),
        None => entry,
    };
    Line::Entry(entry).written().into()
}
