//! Writes what the module is made of, as `CycloneDX` 1.6: `cargo metadata … | sbom MODULE CARGO_LOCK TOOLCHAIN > FILE`.
//!
//! Equal sources and modules give equal text: there is no time and no random number in it.

#![allow(clippy::indexing_slicing, reason = "a member of a JSON value that is not there is null")]

#[path = "sbom/bill.rs"]
mod bill;
mod hex;

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::process::ExitCode;
use std::{fs, io};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [module, lock, toolchain] => write(module, lock, toolchain),
        _ => Err("usage: cargo metadata … | sbom MODULE CARGO_LOCK TOOLCHAIN".into()),
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

fn write(module: &str, lock: &str, toolchain: &str) -> Result<(), Box<dyn Error>> {
    let mut metadata = String::new();
    io::stdin().read_to_string(&mut metadata)?;
    let bytes = fs::read(module).map_err(|error| format!("{module}: {error}"))?;
    let lock = fs::read_to_string(lock).map_err(|error| format!("{lock}: {error}"))?;
    let bill = bill::of(&serde_json::from_str(&metadata)?, &lock, &bytes, toolchain)?;
    writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&bill)?)?;
    Ok(())
}
