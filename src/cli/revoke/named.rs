//! The entry that a token gives, or a name.

use super::{By, LONGEST_LEEWAY, RevokeArguments, time, until};
use crate::base::time::{Seconds, UnixSeconds};
use crate::checks::{self, is_opaque};
use crate::cli::explain::read_token;
use crate::cli::inspect::JWT;
use crate::cli::moment;
use crate::jose::{Compact, Malformed};
use crate::revocation::{Entry, EntryKind};
use serde_json::{Map, Value};
use std::error::Error;

/// The entry of the token, or of --name.
///
/// # Errors
/// When the token cannot be read, or has not what is to be named, or an option has no meaning there.
pub(super) fn entry(arguments: &RevokeArguments, now: UnixSeconds) -> Result<Entry, Box<dyn Error>> {
    let kind = arguments.by.map(By::kind);
    if arguments.issued_before.is_some() && !kind.is_some_and(EntryKind::is_timed) {
        return Err("--issued-before has a meaning with --by subject and --by client alone".into());
    }
    match (&arguments.name, kind) {
        (Some(name), Some(kind)) => of_name(name, kind, arguments, now),
        (None, Some(EntryKind::Identity)) => Err("--by identity: say which with --name and --set".into()),
        _ => of_token(arguments, now),
    }
}

/// The entry of a fingerprint that the option gives.
pub(super) fn fingerprint(option: &str, name: &str) -> Result<Entry, String> {
    Entry::fingerprint(name.to_owned())
        .ok_or_else(|| format!("{option} {name}: write the 22 characters of a fingerprint, as records have them"))
}

fn of_name(
    name: &str,
    kind: EntryKind,
    arguments: &RevokeArguments,
    now: UnixSeconds,
) -> Result<Entry, Box<dyn Error>> {
    let (option, given, other) = match kind {
        EntryKind::Identity => ("--set", &arguments.set, &arguments.issuer),
        _ => ("--issuer", &arguments.issuer, &arguments.set),
    };
    if kind == EntryKind::Fingerprint && given.is_none() && other.is_none() {
        return Ok(until(fingerprint("--name", name)?, arguments)?);
    }
    if kind == EntryKind::Fingerprint {
        return Err("--by fingerprint --name: a fingerprint is that of no issuer and of no set".into());
    }
    let Some(authority) = given.as_ref().filter(|_| other.is_none()) else {
        return Err(format!("--name {name}: say whose {} that is with {option} alone", kind.member()).into());
    };
    let before = match time("issued-before", arguments.issued_before.as_deref())? {
        Some(before) => before,
        None => after(now),
    };
    Ok(until(of(kind, authority, name, before)?, arguments)?)
}

fn of_token(arguments: &RevokeArguments, now: UnixSeconds) -> Result<Entry, Box<dyn Error>> {
    let token = read_token(&arguments.token)?;
    // A JWT that has lost a part is not taken for another token than was meant.
    if arguments.by == Some(By::Fingerprint) && is_opaque(token.as_bytes()) && !token.starts_with(JWT) {
        let entry = Entry::fingerprint(checks::fingerprint(token.as_bytes())).ok_or("the token has no fingerprint")?;
        return Ok(until(entry, arguments)?);
    }
    let compact = Compact::parse(token.as_bytes()).map_err(|Malformed(why)| {
        format!("the token is malformed: {why}; an opaque one is named with --by fingerprint, or with --name")
    })?;
    let (issuer, claims) = (compact.claims.issuer(), &compact.claims);
    let by_fingerprint = || Entry::fingerprint(checks::fingerprint(compact.signing_input));
    let by = arguments.by.map_or(EntryKind::TokenId, By::kind);
    let name = match by {
        EntryKind::SigningKey => compact.header.kid.as_deref().map(Into::into),
        // As the gate reads it.
        EntryKind::Client => claims.text("client_id").or_else(|| claims.text("azp")),
        _ => claims.text(by.member()),
    };
    let entry = match (by, issuer, name) {
        (EntryKind::Fingerprint, ..) => by_fingerprint().ok_or("the token has no fingerprint")?,
        (_, Some(issuer), Some(name)) => of(by, &issuer, &name, before(arguments, claims.issued_at, now)?)?,
        _ if arguments.by.is_none() => by_fingerprint().ok_or("the token has no fingerprint")?,
        _ if by == EntryKind::TokenId => return Err("the token has no iss and jti: name it by its fingerprint".into()),
        _ => {
            let member = by.member();
            return Err(format!("the token has no iss and {member}, so no entry by {member} can mean it").into());
        }
    };
    let is_of_one = matches!(by, EntryKind::TokenId | EntryKind::Fingerprint);
    match claims.expires_at.filter(|_| is_of_one) {
        // Others may have more time. After its own, no gate accepts the token.
        Some(_) if arguments.until.is_some() => {
            Err("--until: the entry of a token lasts as long as the token says".into())
        }
        Some(expires_at) => Ok(entry.until(expires_at.plus(LONGEST_LEEWAY))),
        None => Ok(until(entry, arguments)?),
    }
}

/// Before when the tokens of a subject or client were issued that are meant: the given one among them.
fn before(
    arguments: &RevokeArguments,
    issued_at: Option<UnixSeconds>,
    now: UnixSeconds,
) -> Result<UnixSeconds, Box<dyn Error>> {
    let given = time("issued-before", arguments.issued_before.as_deref())?;
    if !arguments.by.map(By::kind).is_some_and(EntryKind::is_timed) {
        return Ok(now);
    }
    // One that does not say it is older than any time.
    let issued_at = issued_at.unwrap_or(UnixSeconds(i64::MIN));
    match given {
        Some(before) if issued_at < before => Ok(before),
        Some(_) => Err(format!(
            "--issued-before: the token was issued later, at {}, so the entry would not mean it",
            moment::written(issued_at)
        )
        .into()),
        // Its issuer's clock may be ahead, by as much as a gate may tolerate.
        None if issued_at <= now.plus(LONGEST_LEEWAY) => Ok(after(now.max(issued_at))),
        None => Err(format!(
            "the token says that it was issued at {}, which is yet to come: no gate accepts it; --issued-before takes a time",
            moment::written(issued_at)
        )
        .into()),
    }
}

/// After this whole second: a token that was issued in it is meant.
fn after(now: UnixSeconds) -> UnixSeconds {
    now.plus(Seconds(1))
}

fn of(kind: EntryKind, authority: &str, name: &str, issued_before: UnixSeconds) -> Result<Entry, String> {
    let mut members = Map::new();
    if let Some(member) = kind.authority_member() {
        members.insert(member.to_owned(), authority.into());
    }
    members.insert(kind.member().to_owned(), name.into());
    if kind.is_timed() {
        members.insert("issued_before".to_owned(), Value::from(issued_before.0));
    }
    Entry::from_members(&members)
}
