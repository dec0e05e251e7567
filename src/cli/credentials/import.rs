//! `scopegate credentials import`: the keys that another program has in plain text, as a set of digests.

use super::LEAST_KEY;
use crate::base::text::to_hex;
use crate::cli::Output;
use crate::cli::source::{Source, View};
use crate::crypto::{SHA256_BYTES, sha256};
use crate::policy::AUTHORIZATION;
use clap::Args;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;

/// The filter of Envoy that has such keys.
const ENVOY_FILTER: &str = "envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth";
/// The largest file of lines that is read, in bytes.
const MAX_FILE: u64 = 64 << 20;

/// Whose keys to take over.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "The output is a set for `credentials`. It has the digests of the keys, and never a key. A key that no gate should accept is
left out and named in a comment; then the exit status is 1.

Examples:
  scopegate credentials import old-envoy.yaml > partners.yaml
  scopegate credentials import keys.txt --name partners --header x-api-key"
)]
pub struct ImportArguments {
    /// Envoy's configuration with an `api_key_auth` filter (.yaml, .yml, .json), or else a file with a line `ID:KEY` for each key
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The name of the set
    #[arg(long, value_name = "NAME", default_value = "partners")]
    pub name: String,
    /// The header of the keys, where the file has none
    #[arg(long, value_name = "HEADER", default_value = "x-api-key")]
    pub header: String,
}

/// A key, whose it is, and where it was found.
struct Key {
    id: String,
    secret: String,
    place: String,
}

/// Prints the keys of another program as a set.
///
/// # Errors
/// When the file cannot be read, or has no keys.
pub fn run(arguments: &ImportArguments) -> Result<Output, Box<dyn Error>> {
    let file = &arguments.file;
    let is_configuration =
        file.extension().is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known));
    let mut notes = Vec::new();
    let (keys, headers) = if is_configuration {
        from_envoy(&Source::read(file)?, &mut notes)
    } else {
        let size = std::fs::metadata(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?.len();
        if size > MAX_FILE {
            return Err(format!("{} is larger than {} MB", file.display(), MAX_FILE >> 20).into());
        }
        let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        (from_lines(&text, &mut notes), vec![])
    };
    if keys.is_empty() && notes.is_empty() {
        let wanted = if is_configuration { "an `api_key_auth` filter with credentials" } else { "a line `ID:KEY`" };
        return Err(format!("{} has no keys: {wanted} is wanted", file.display()).into());
    }
    let headers = if headers.is_empty() { vec![arguments.header.to_ascii_lowercase()] } else { headers };
    let places = places(&headers, &keys, &mut notes);
    let identities = identities(keys, &mut notes);
    let count = identities.values().map(Vec::len).sum::<usize>();
    let mut text = format!("# {count} keys of {} identities. Put this under `credentials`.\n", identities.len());
    for note in &notes {
        let _ = writeln!(text, "# Left out: {note}");
    }
    let none = if identities.is_empty() { " []" } else { "" };
    let _ = write!(text, "- name: {}\n  api_key: {places}\n  identities:{none}", quoted(&arguments.name));
    for (id, digests) in identities {
        let secrets: Vec<String> = digests.iter().map(|digest| format!("{{sha256: {}}}", to_hex(digest))).collect();
        let _ = write!(text, "\n  - {{id: {}, secrets: [{}]}}", quoted(&id), secrets.join(", "));
    }
    Ok(Output { text, failed: !notes.is_empty() })
}

/// The keys of every such filter, and the headers that they come in.
fn from_envoy(source: &Source, notes: &mut Vec<String>) -> (Vec<Key>, Vec<String>) {
    let (mut keys, mut headers) = (Vec::new(), Vec::new());
    let mut read = |filter: &View<'_>| {
        if filter.type_name().is_none_or(|name| name != ENVOY_FILTER && name != format!("{ENVOY_FILTER}PerRoute")) {
            return;
        }
        for of in filter.list("key_sources") {
            match of.get("header").and_then(|header| header.text()) {
                Some(header) if !headers.contains(&header.to_ascii_lowercase()) => {
                    headers.push(header.to_ascii_lowercase());
                }
                Some(_) => {}
                None => notes.push(format!("{}: keys in query strings and cookies are not accepted", of.path)),
            }
        }
        for of in filter.list("credentials") {
            let text = |name: &str| of.get(name).and_then(|value| value.text().map(str::to_owned));
            match (text("client"), text("key")) {
                (Some(id), Some(key)) => keys.push(Key { id, secret: key, place: of.path.clone() }),
                _ => notes.push(format!("{}: it has no `client` or no `key`", of.path)),
            }
        }
    };
    source.documents.iter().for_each(|document| document.root().visit(&mut read));
    (keys, headers)
}

/// The keys of lines `ID:KEY`.
fn from_lines(text: &str, notes: &mut Vec<String>) -> Vec<Key> {
    let mut keys = Vec::new();
    for (number, line) in (1_usize..).zip(text.lines()) {
        let (line, place) = (line.trim(), format!("line {number}"));
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.split_once(':').map(|(id, key)| (id.trim(), key.trim())) {
            Some((id, key)) if !id.is_empty() => keys.push(Key { id: id.to_owned(), secret: key.to_owned(), place }),
            _ => notes.push(format!("{place}: it is not `ID:KEY`")),
        }
    }
    keys
}

/// The places of the keys. Envoy takes the scheme `Bearer` off in `Authorization`, where a prefix tells keys from tokens.
fn places(headers: &[String], keys: &[Key], notes: &mut Vec<String>) -> String {
    let place = |header: &String| {
        if header != AUTHORIZATION {
            return format!("{{header: {}}}", quoted(header));
        }
        let prefix = common_prefix(keys);
        if prefix.is_empty() {
            notes.push("`authorization`: the keys begin with nothing in common that ends with `-` or `_`, so they cannot be told from tokens: give them a header of their own".to_owned());
        }
        format!("{{scheme: Bearer, prefix: {}}}", quoted(prefix))
    };
    let all: Vec<String> = headers.iter().map(place).collect();
    if let [one] = all.as_slice() { one.clone() } else { format!("[{}]", all.join(", ")) }
}

/// What all keys begin with, up to its last `-` or `_`, which is no secret.
fn common_prefix(keys: &[Key]) -> &str {
    let Some(first) = keys.first().map(|key| key.secret.as_str()) else { return "" };
    let is_common = |prefix: &&str| keys.iter().all(|key| key.secret.starts_with(*prefix));
    let ends = first.match_indices(['-', '_']).filter_map(|(at, found)| first.get(..at.saturating_add(found.len())));
    ends.take_while(is_common).last().unwrap_or_default()
}

/// The digests of the good keys of each identity. A key that two have is left out.
fn identities(keys: Vec<Key>, notes: &mut Vec<String>) -> BTreeMap<String, Vec<[u8; SHA256_BYTES]>> {
    let (mut once, mut again) = (BTreeMap::new(), BTreeSet::new());
    for key in &keys {
        let digest = sha256(key.secret.as_bytes());
        if *once.entry(digest).or_insert(&key.id) != &key.id {
            again.insert(digest);
        }
    }
    let mut identities: BTreeMap<String, Vec<[u8; SHA256_BYTES]>> = BTreeMap::new();
    for Key { id, secret, place } in keys {
        let digest = sha256(secret.as_bytes());
        let why = match () {
            () if !secret.bytes().all(|byte| byte.is_ascii_graphic()) => "is not visible ASCII",
            () if secret.len() < LEAST_KEY => "is shorter than 20 characters, so it can be guessed",
            () if again.contains(&digest) => "is that of another identity too",
            () => {
                let digests = identities.entry(id).or_default();
                if !digests.contains(&digest) {
                    digests.push(digest);
                }
                continue;
            }
        };
        notes.push(format!("{place}: the key of {} {why}", quoted(&id)));
    }
    identities
}

/// A text as YAML and JSON write it, on one line.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
