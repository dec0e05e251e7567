//! Writes what a program or module is made of, as `CycloneDX` 1.6: `cargo metadata … | sbom FILE CARGO_LOCK TOOLCHAIN TARGET > BILL`.
//!
//! Equal sources and files give equal text: there is no time and no random number in it.

#![allow(clippy::indexing_slicing, reason = "a member of a JSON value that is not there is null")]

#[path = "sbom/bill.rs"]
mod bill;
mod hex;
mod lock;

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::{fs, io};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [file, lock, toolchain, target] => write(file, lock, toolchain, target),
        _ => Err("usage: cargo metadata … | sbom FILE CARGO_LOCK TOOLCHAIN TARGET".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where even that cannot be written, the exit code says it.
            let _unwritten = writeln!(io::stderr(), "sbom: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(file: &str, lock: &str, toolchain: &str, target: &str) -> Result<(), Box<dyn Error>> {
    let mut metadata = String::new();
    io::stdin().read_to_string(&mut metadata)?;
    let bytes = fs::read(file).map_err(|error| format!("{file}: {error}"))?;
    let lock = fs::read_to_string(lock).map_err(|error| format!("{lock}: {error}"))?;
    let is_library = Path::new(file).extension().is_some_and(|ending| ending == "wasm" || ending == "so");
    let kind = if is_library { "library" } else { "application" };
    let made = bill::Made { kind, target, bytes: &bytes };
    let bill = bill::of(&serde_json::from_str(&metadata)?, &lock, &made, toolchain)?;
    writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&bill)?)?;
    Ok(())
}
