//! Puts the last things into a release: provenance, notes, checksums and signatures.
//!
//! `release images LAYOUT FOLDER VERSION` attaches the provenance of each image to it, in the OCI layout.
//! `release files FOLDER VERSION` adds notes, the provenance of all files, and `SHA256SUMS`.
//! With `SIGNING_KEY` both sign; `release key` says whether they can. They run in the root of the project, on what was built before: nothing is built here.

#![allow(clippy::indexing_slicing, reason = "a member of a JSON value that is not there is null")]

#[path = "release/build.rs"]
mod build;
#[path = "release/bundle.rs"]
mod bundle;
mod hex;
#[path = "release/key.rs"]
mod key;
mod lock;
#[path = "release/notes.rs"]
mod notes;
mod oci;
#[path = "release/referrers.rs"]
mod referrers;

use build::Build;
use hex::hex;
use hmac_sha256::Hash;
use key::Key;
use std::error::Error;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

/// A bundle has the name of what it signs, and this after it.
const BUNDLE: &str = ".sigstore.json";
const CHECKSUMS: &str = "SHA256SUMS";
const NOTES: &str = "RELEASE-NOTES.md";
const PROVENANCE: &str = "scopegate.provenance.json";
const PUBLIC_KEY: &str = "scopegate.pub";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["images", layout, folder, version] => images(Path::new(layout), Path::new(folder), version),
        ["files", folder, version] => files(Path::new(folder), version),
        ["key"] => Key::of_environment().map(|_key| String::new()),
        _ => Err("usage: release key, release images LAYOUT FOLDER VERSION, or release files FOLDER VERSION".into()),
    };
    match done {
        Ok(said) => {
            let _unwritten = write!(io::stdout(), "{said}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            // Where even that cannot be written, the exit code says it.
            let _unwritten = writeln!(io::stderr(), "release: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Attaches its provenance to each image and, with a key, its signature, which also goes into `folder`.
fn images(layout: &Path, folder: &Path, version: &str) -> Result<String, Box<dyn Error>> {
    let key = Key::of_environment()?;
    let build = Build::here(version)?;
    for signature in referrers::attach(layout, &build, key.as_ref())? {
        let name = if signature.tag == version { "scopegate" } else { "scopegate-full" };
        fs::write(folder.join(format!("{name}.image{BUNDLE}")), signature.bundle)?;
    }
    Ok(String::new())
}

/// Adds what is about all files of the release.
fn files(folder: &Path, version: &str) -> Result<String, Box<dyn Error>> {
    let key = Key::of_environment()?;
    let build = Build::here(version)?;
    let changelog = fs::read_to_string("CHANGELOG.md").map_err(|error| format!("CHANGELOG.md: {error}"))?;
    let hint = key.as_ref().map(Key::hint);
    // Written after the notes, or a pattern.
    let is_there =
        |name: &str| [CHECKSUMS, PROVENANCE].contains(&name) || name.contains('*') || folder.join(name).exists();
    fs::write(folder.join(NOTES), notes::of(&changelog, version, hint, &is_there)?)?;
    if let Some(key) = &key {
        fs::write(folder.join(PUBLIC_KEY), key.public()?)?;
    }
    let subjects = digests(folder, &[CHECKSUMS, PROVENANCE])?;
    let statement = serde_json::to_vec_pretty(&build.statement(&subjects))?;
    fs::write(folder.join(PROVENANCE), &statement)?;

    let mut lines = String::new();
    for (name, digest) in digests(folder, &[CHECKSUMS])? {
        lines.push_str(&format!("{digest}  {name}\n"));
    }
    fs::write(folder.join(CHECKSUMS), lines)?;
    let Some(key) = &key else {
        return Ok("This release is NOT SIGNED: SIGNING_KEY=key.pem make dist signs it.\n".to_owned());
    };
    for (name, _) in digests(folder, &[PUBLIC_KEY])? {
        let bytes = fs::read(folder.join(&name))?;
        let bundle =
            if name == PROVENANCE { bundle::of_statement(key, &bytes)? } else { bundle::of_file(key, &bytes)? };
        fs::write(folder.join(format!("{name}{BUNDLE}")), bundle)?;
    }
    Ok(format!("Signed with the key {}\n", key.hint()))
}

/// The files of a folder but for bundles and those named, in order: name and SHA-256.
fn digests(folder: &Path, but: &[&str]) -> Result<Vec<(String, String)>, Box<dyn Error>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).ok_or("a name that is not UTF-8")?.to_owned();
        if !name.ends_with(BUNDLE) && !but.contains(&name.as_str()) {
            found.push((name, hex(&Hash::hash(&fs::read(&path)?))));
        }
    }
    found.sort();
    Ok(found)
}
