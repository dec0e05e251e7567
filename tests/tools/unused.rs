//! What the shipped module does without.

use crate::exports::KEEP;
use walrus::Module;

/// Drops all exports but [`KEEP`], and what only those reached.
///
/// # Errors
/// When the module lacks one of [`KEEP`]: it is not a module of this filter, or the SDK's names have changed.
pub fn drop_from(module: &mut Module) -> Result<(), String> {
    let there = |name: &str| module.exports.iter().any(|export| export.name == name);
    let missing: Vec<&str> = KEEP.into_iter().filter(|name| !there(name)).collect();
    if !missing.is_empty() {
        return Err(format!("does not export {}: not a module of this filter", missing.join(", ")));
    }
    let others = module.exports.iter().filter(|export| !KEEP.contains(&export.name.as_str()));
    for export in others.map(walrus::Export::id).collect::<Vec<_>>() {
        module.exports.delete(export);
    }
    walrus::passes::gc::run(module);
    Ok(())
}
