//! `scopegate revocations`: builds lists for gates to fetch, and shows them.

use super::Output;
use super::destination;
use super::gates;
use super::mint::{mint, seconds};
use super::moment;
use super::signing::SigningKey;
use super::source::Source;
use crate::base::base64url;
use crate::base::text::shown;
use crate::base::time::UnixSeconds;
use crate::crypto::{PureVerifier, sha256};
use crate::revocation::{
    Builder, Chunks, DIGEST_CLAIM, Entry, EntryKind, Line, Loader, MAX_LINES_BYTES, MAX_LINES_ENTRIES, Revision,
    SIGNED_TYPE, Tally, Terms, list_start, looks_signed,
};
use clap::Args;
use serde_json::{Map, Value};
use std::error::Error;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The longest answer that Envoy hands to a filter, in bytes (measured: 33.0 MB arrive, 34.0 MB do not).
const MAX_DOCUMENT_BYTES: usize = 32 << 20;

/// Numbers from here on, the year 5138 in seconds, are taken for milliseconds, of a date from 1973 on.
const FIRST_MILLISECONDS: i64 = 100_000_000_000;

/// The entries, and the form of the list.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "FILE has an entry a line, as `scopegate token revoke` prints them. Entries whose `until` has been reached are
left out. The list says how many entries it has, so that a gate sees when its end is missing. With --output, what is printed
has its revision: the number that the gates show in `scopegate.revocation.revision` as soon as they have this list. An entry whose `until` or
`issued_before` is in milliseconds is refused, and with --config one that names no configured issuer.

Examples:
  scopegate revocations build revoked.jsonl --output /var/www/revoked.jsonl
  scopegate revocations build revoked.jsonl --config scopegate.yaml
  scopegate revocations build revoked.jsonl --sign key.json --expires-in 24h --output /var/www/revoked.jwt
  scopegate revocations build revoked.jsonl --binary --output /var/www/revoked.bin"
)]
pub struct BuildArguments {
    /// Files with entries; - for standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The configuration of the gates, in one or more files: an entry whose `iss` is not one of its issuers is refused
    #[arg(long, value_name = "CONFIG")]
    pub config: Vec<PathBuf>,
    /// The binary form, for more than 100 000 entries; needs --output
    #[arg(long, requires = "output")]
    pub binary: bool,
    /// Signs the list with the private JSON Web Key of this file
    #[arg(long, value_name = "KEY")]
    pub sign: Option<PathBuf>,
    /// How long the signature is valid: a whole number and s, m or h; by default forever
    #[arg(long, value_name = "DURATION", requires = "sign")]
    pub expires_in: Option<String>,
    /// The name of the list in the configurations of gates: a signature for another is refused
    #[arg(long, value_name = "NAME", requires = "sign")]
    pub name: Option<String>,
    /// Writes the list to this file, whole or not at all; links are followed, devices and pipes written to
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// When: 2026-11-21T10:00:00Z or Unix seconds [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub at: Option<String>,
}

/// The lists.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "The revision is the number that gates show in `scopegate.revocation.revision` while they have this list. It is made of the
list alone: signed anew, a list has the same. So it has nothing of a signature, which is not checked here: `scopegate explain
--revocations` does that. Entries whose `until` has been reached are not counted, unless the list is binary.

Examples:
  scopegate revocations show revoked.jsonl"
)]
pub struct ShowArguments {
    /// Files with lists
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// When: 2026-11-21T10:00:00Z or Unix seconds [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub at: Option<String>,
}

/// Builds a list of entries.
///
/// # Errors
/// When a file cannot be read or written, a line is no entry, or the list would be longer than gates take.
pub fn build(arguments: &BuildArguments) -> Result<Output, Box<dyn Error>> {
    let now = moment::instant(arguments.at.as_deref())?;
    let mut entries = Vec::new();
    let issuers = issuers(&arguments.config)?;
    let mut mistakes = Vec::new();
    for file in &arguments.files {
        let first = entries.len();
        let lines = read(file, &mut entries)?;
        let read = entries.iter().skip(first).zip(lines);
        mistakes.extend(read.filter_map(|(entry, line)| {
            let what = mistake(entry, issuers.as_deref())?;
            Some(format!("{}: line {line}: {what}", file.display()))
        }));
    }
    if !mistakes.is_empty() {
        return Err(mistakes.join("\n").into());
    }
    let before = entries.len();
    entries.retain(|entry| !entry.is_over(now));
    let over = before.saturating_sub(entries.len());
    let mut document = if arguments.binary { binary(&entries, now) } else { lines(&entries)? };
    if let Some(key) = &arguments.sign {
        let mut signed = sign(&document, key, arguments, now)?;
        signed.append(&mut document);
        document = signed;
    }
    if document.len() > MAX_DOCUMENT_BYTES {
        return Err(format!(
            "the list has {} bytes, and Envoy hands no more than {MAX_DOCUMENT_BYTES} over: make several lists of it",
            document.len()
        )
        .into());
    }
    let Some(output) = &arguments.output else {
        let text = String::from_utf8(document)?;
        // The last line feed is added to every output.
        return Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned().into());
    };
    destination::write(output, &document)?;
    let document = Chunks::from(document.as_slice());
    Ok(format!("{}; {over} left out as over", told(output, &document, entries.len())).into())
}

/// Shows lists as gates read them: how many entries of each kind, and which revision.
///
/// # Errors
/// When a file cannot be read, or is no list that gates take.
pub fn show(arguments: &ShowArguments) -> Result<Output, Box<dyn Error>> {
    let now = moment::instant(arguments.at.as_deref())?;
    let mut lines = Vec::new();
    for file in &arguments.files {
        let bytes = std::fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        let document = Chunks::from(bytes.as_slice());
        let alone = Chunks::from(bytes.get(list_start(&document)..).unwrap_or_default());
        let terms = Terms { name: String::new(), max_bytes: MAX_DOCUMENT_BYTES, signed_by: None };
        let list = Loader::begin(alone, &terms, None, &PureVerifier, now).and_then(Loader::finish);
        let list = list.map_err(|error| format!("{}: gates refuse this list: {error}", file.display()))?;
        let mut line = told(file, &document, list.entries());
        let kinds = EntryKind::ALL.into_iter().filter(|kind| list.entries_of(*kind) > 0);
        let kinds: Vec<String> = kinds.map(|kind| format!("{} by {}", list.entries_of(kind), kind.member())).collect();
        if !kinds.is_empty() {
            line = format!("{line}; {}", kinds.join(", "));
        }
        if looks_signed(&document) {
            line.push_str("; signed, and the signature has not been checked");
        }
        lines.push(line);
    }
    Ok(lines.join("\n").into())
}

/// What is told of a list in a file.
fn told(file: &Path, document: &Chunks, entries: usize) -> String {
    format!("{}: revision {}, {entries} entries, {} bytes", file.display(), Revision::of(document), document.len())
}

/// Reads the entries of a file, and returns their lines.
fn read(file: &Path, entries: &mut Vec<Entry>) -> Result<Vec<usize>, Box<dyn Error>> {
    let mut text = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut text).map_err(|error| format!("cannot read the entries: {error}"))?;
    } else {
        text = std::fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    }
    let mut tally = Tally::default();
    let place = |error| format!("{}: {error}", file.display());
    let mut lines = Vec::new();
    for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
        if let Some(entry) = tally.read(line).map_err(place)? {
            entries.push(entry);
            lines.push(index.saturating_add(1));
        }
    }
    // A file without entries gives a list without entries, on purpose.
    if tally.entries() > 0 {
        tally.finish().map_err(place)?;
    }
    Ok(lines)
}

/// The issuers of the configurations, when there are some.
fn issuers(files: &[PathBuf]) -> Result<Option<Vec<String>>, Box<dyn Error>> {
    if files.is_empty() {
        return Ok(None);
    }
    let sources = Source::read_all(files)?;
    let gates = gates::find(&sources);
    if gates.is_empty() {
        return Err(gates::nothing_found(&sources).into());
    }
    let mut issuers = Vec::new();
    for gate in &gates {
        let policy = &gate.policy.as_ref().map_err(|error| gate.refused(error))?.policy;
        issuers.extend(policy.issuers.iter().map(|issuer| issuer.issuer.clone()));
    }
    issuers.sort_unstable();
    issuers.dedup();
    Ok(Some(issuers))
}

/// Signs that an entry does not mean what its author meant.
fn mistake(entry: &Entry, issuers: Option<&[String]>) -> Option<String> {
    let members = entry.to_members();
    for name in ["issued_before", "until"] {
        if let Some(at) = members.get(name).and_then(Value::as_i64).filter(|at| *at >= FIRST_MILLISECONDS) {
            let year = moment::written(UnixSeconds(at / 1000));
            return Some(format!(
                "`{name}` is {at}, which looks like milliseconds: write seconds, {} ({year})",
                at / 1000
            ));
        }
    }
    if entry.kind() == EntryKind::Identity {
        return None;
    }
    let (issuers, issuer) = (issuers?, entry.authority()?);
    if issuers.iter().any(|known| known == issuer) {
        return None;
    }
    let issuer = shown(issuer.as_bytes());
    Some(format!(
        "`iss` {issuer} is no configured issuer, so the entry revokes nothing; there are {}",
        issuers.join(", ")
    ))
}

fn lines(entries: &[Entry]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut text = Line::AtLeast(u64::try_from(entries.len())?).written();
    text.push('\n');
    for entry in entries {
        text.push_str(&Line::Entry(entry.clone()).written());
        text.push('\n');
    }
    if entries.len() > MAX_LINES_ENTRIES || text.len() > MAX_LINES_BYTES {
        return Err(format!(
            "the list has {} entries and {} bytes, and as text gates take no more than {MAX_LINES_ENTRIES} and \
             {MAX_LINES_BYTES}: build it with --binary",
            entries.len(),
            text.len()
        )
        .into());
    }
    Ok(text.into_bytes())
}

fn binary(entries: &[Entry], now: UnixSeconds) -> Vec<u8> {
    let mut builder = Builder::new(now);
    entries.iter().for_each(|entry| builder.add(entry));
    builder.finish().bytes().pieces().concat()
}

/// The first line of a signed list.
fn sign(list: &[u8], key: &Path, arguments: &BuildArguments, now: UnixSeconds) -> Result<Vec<u8>, Box<dyn Error>> {
    let key = SigningKey::read(key)?;
    let mut claims = Map::new();
    claims.insert("iat".to_owned(), now.0.into());
    claims.insert(DIGEST_CLAIM.to_owned(), base64url::encode(&sha256(list)).into());
    if let Some(text) = &arguments.expires_in {
        let lifetime = seconds(text).ok_or_else(|| format!("--expires-in {text}: write a duration such as 24h"))?;
        claims.insert("exp".to_owned(), now.0.saturating_add(lifetime).into());
    }
    if let Some(name) = &arguments.name {
        claims.insert("sub".to_owned(), name.as_str().into());
    }
    let mut line = mint(&key, SIGNED_TYPE, &claims)?.into_bytes();
    line.push(b'\n');
    Ok(line)
}
