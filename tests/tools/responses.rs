//! Whether a module is called for responses, which it asks of its host.

use walrus::Module;

/// The import that tells the module. No host has it.
const IMPORT: (&str, &str) = ("env", "scopegate_responses");

/// Replaces the import by its answer.
///
/// # Errors
/// When the module does not ask.
pub fn fix(module: &mut Module, has_responses: bool) -> Result<(), String> {
    let (from, name) = IMPORT;
    let function = module.imports.get_func(from, name).map_err(|_| format!("does not import {from}.{name}"))?;
    let answer = i32::from(has_responses);
    let replaced = module.replace_imported_func(function, |(body, _)| {
        body.i32_const(answer);
    });
    replaced.map(drop).map_err(|error| error.to_string())
}
