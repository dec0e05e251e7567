//! Makes the shipped modules of the linked one: `trim IN OUT FULL` drops every export that a module does not need, what
//! only those reached, and everything that is there for debuggers. OUT is called for requests, FULL for responses too.
//!
//! The SDK exports each callback of the ABI, no linker option leaves them out, and the host calls what is exported: a
//! callback that is not there costs no request anything. The same input always gives the same output.

mod exports;
mod responses;
mod unused;

use exports::Artifact;
use std::error::Error;
use std::fs;
use std::io::Write;
use std::process::ExitCode;
use walrus::ModuleConfig;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [input, output, full] => [(output, Artifact::Requests), (full, Artifact::Full)]
            .into_iter()
            .try_for_each(|(output, artifact)| trim(input, output, artifact))
            .map_err(|error| format!("{input}: {error}")),
        _ => Err("usage: trim IN OUT FULL".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where even that cannot be written, the exit code says it.
            let _unwritten = writeln!(std::io::stderr(), "trim: {error}");
            ExitCode::FAILURE
        }
    }
}

fn trim(input: &str, output: &str, artifact: Artifact) -> Result<(), Box<dyn Error>> {
    let mut config = ModuleConfig::new();
    config.generate_producers_section(false).generate_name_section(false);
    let mut module = config.parse(&fs::read(input)?).map_err(|error| error.to_string())?;
    unused::drop_from(&mut module, artifact)?;
    for section in module.customs.iter().map(|(id, _)| id).collect::<Vec<_>>() {
        module.customs.delete(section);
    }
    // A concurrent reader sees the old module or the new one.
    let unfinished = format!("{output}.unfinished");
    fs::write(&unfinished, module.emit_wasm())?;
    fs::rename(&unfinished, output)?;
    Ok(())
}
