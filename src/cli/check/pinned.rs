//! Modules in Kubernetes that are named by a tag or by an address alone: what will be loaded is not in the files.

use super::mounted::pod;
use crate::cli::gates::kubernetes::{is_image, plugins};
use crate::cli::gates::place;
use crate::cli::source::{DocumentKind, Source, View};

/// Says of each such module that it could not be checked.
pub(super) fn notes(sources: &[Source]) -> Vec<String> {
    let mut notes = Vec::new();
    for source in sources {
        for document in &source.documents {
            let found = match document.kind {
                DocumentKind::WasmPlugin | DocumentKind::TrafficExtension | DocumentKind::EnvoyExtensionPolicy => {
                    plugins(document).iter().filter_map(|ours| unpinned(&ours.plugin)).collect()
                }
                _ => pod(&document.root()).map(|pod| images(&pod)).unwrap_or_default(),
            };
            notes.extend(found.iter().map(|view| {
                let at = place(&source.file, view.position());
                let name = view.text().unwrap_or_default();
                format!(
                    "the module at {at}: {name} names no digest, so anyone who may write there decides what is loaded, and it \
                     could not be checked"
                )
            }));
        }
    }
    notes
}

/// The address of a plugin's module, if no digest holds it.
fn unpinned<'s>(plugin: &View<'s>) -> Option<View<'s>> {
    let code = ["image", "http"].iter().find_map(|kind| plugin.at(&["code", kind]));
    let holder = code.unwrap_or_else(|| plugin.clone());
    let has_digest = holder.get("sha256").is_some_and(|view| view.text().is_some_and(|text| !text.is_empty()));
    holder.get("url").filter(|url| !has_digest && !is_pinned(url))
}

/// The images of ours in a pod that no digest holds: volumes, and containers that bring the module.
fn images<'s>(pod: &View<'s>) -> Vec<View<'s>> {
    let volumes = pod.list("volumes").into_iter().filter_map(|volume| volume.at(&["image", "reference"]));
    let containers = pod.list("initContainers").into_iter().filter_map(|container| container.get("image"));
    let ours = volumes.chain(containers).filter(|view| view.text().is_some_and(is_image));
    ours.filter(|view| !is_pinned(view)).collect()
}

fn is_pinned(address: &View<'_>) -> bool {
    address.text().is_some_and(|text| text.contains("@sha256:"))
}
