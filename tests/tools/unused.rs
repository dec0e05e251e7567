//! What the shipped module does without.

use crate::exports::Artifact;
use crate::responses;
use walrus::Module;

/// What the names of our own callbacks begin with, in the place of the ABI's `proxy_`. Such an export takes the place of
/// the SDK's of the same name, which is defined in the linked module too.
const OWN: &str = "scopegate_";
/// What the names of the ABI begin with.
const ABI: &str = "proxy_";

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
    walrus::passes::gc::run(module);
    Ok(())
}
