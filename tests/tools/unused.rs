//! What the shipped module does without.

use crate::exports::Artifact;
use crate::responses;
use walrus::{FunctionBuilder, FunctionKind, Module};

/// What the names of our own callbacks begin with, in the place of the ABI's `proxy_`. Such an export takes the place of
/// the SDK's of the same name, which is defined in the linked module too.
const OWN: &str = "scopegate_";
/// What the names of the ABI begin with.
const ABI: &str = "proxy_";

/// What only backtraces need, by parts of mangled names: how an `anyhow::Error` shows to debuggers, with its backtrace
/// (`anyhow::fmt::<impl ErrorImpl>::debug`), and how names of functions show to people (`rustc_demangle::DemangleStyle`,
/// `std::backtrace_rs::symbolize::SymbolName`). WebAssembly has no backtraces, and only the message of a panic would show
/// such an error. They are 20 KB with what they reach.
const FOR_BACKTRACES: [&[&str]; 3] =
    [&["6anyhow3fmt", "ErrorImpl", "5debug"], &["13DemangleStyle", "7Display3fmt"], &["10SymbolName", "7Display3fmt"]];

/// Makes `artifact` of the linked module: our own callbacks get the names of the ABI, all other exports go but those of the
/// artifact, and so does what only they reached.
///
/// # Errors
/// When the module lacks one of the exports or the import that says which artifact it is, or the SDK one that ours takes the
/// place of: it is not a module of this filter, or the SDK's names have changed.
pub fn drop_from(module: &mut Module, artifact: Artifact) -> Result<(), String> {
    let exports: Vec<(String, walrus::ExportId)> =
        module.exports.iter().map(|export| (export.name.clone(), export.id())).collect();
    let find = |name: &str| exports.iter().find(|(other, _)| other == name).map(|(_, id)| *id);
    let kept = artifact.exports();
    let missing: Vec<&str> = kept.iter().copied().filter(|name| find(name).is_none()).collect();
    if !missing.is_empty() {
        return Err(format!("does not export {}: not a module of this filter", missing.join(", ")));
    }
    responses::fix(module, artifact.has_responses())?;
    for (name, ours) in &exports {
        let Some(callback) = name.strip_prefix(OWN) else { continue };
        let theirs =
            find(&format!("{ABI}{callback}")).ok_or_else(|| format!("exports {name}, which is no callback"))?;
        module.exports.delete(theirs);
        module.exports.get_mut(*ours).name = format!("{ABI}{callback}");
    }
    let others = module.exports.iter().filter(|export| !kept.contains(&export.name.as_str()));
    for export in others.map(walrus::Export::id).collect::<Vec<_>>() {
        module.exports.delete(export);
    }
    FOR_BACKTRACES.iter().for_each(|parts| empty(module, parts));
    walrus::passes::gc::run(module);
    Ok(())
}

/// Leaves nothing of a formatting function but its success (`Ok(())`). Which one it is, its mangled name tells.
fn empty(module: &mut Module, parts: &[&str]) {
    let is_it = |name: &String| parts.iter().all(|part| name.contains(part));
    let found = module.funcs.iter().find(|function| function.name.as_ref().is_some_and(is_it));
    let Some((id, ty)) = found.map(|function| (function.id(), function.ty())) else { return };
    let (params, results) = (module.types.get(ty).params().to_vec(), module.types.get(ty).results().to_vec());
    let arguments: Vec<_> = params.iter().map(|param| module.locals.add(*param)).collect();
    let mut done = FunctionBuilder::new(&mut module.types, &params, &results);
    done.func_body().i32_const(0);
    module.funcs.get_mut(id).kind = FunctionKind::Local(done.local_func(arguments));
}
