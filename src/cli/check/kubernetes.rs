//! Istio and Envoy Gateway resources: the settings beside the plugin configuration that open the gate.

use super::{Findings, native};
use crate::cli::gates::kubernetes::{Resource, is_module, plugins};
use crate::cli::source::{Document, DocumentKind, Source, View};

/// Checks the resources.
pub(super) fn check(sources: &[Source], findings: &mut Findings) {
    for source in sources {
        for document in &source.documents {
            check_fetched(source, document, findings);
            for Resource { plugin, configuration, .. } in plugins(document) {
                let is_policy = document.kind == DocumentKind::EnvoyExtensionPolicy;
                let (open, remedy) = if is_policy {
                    (plugin.get("failOpen").filter(View::is_true), "write failOpen: false")
                } else {
                    let open = plugin.get("failStrategy").filter(|view| view.text() == Some("FAIL_OPEN"));
                    (open, "write FAIL_RELOAD")
                };
                if let Some(view) = open {
                    let what = "lets every request through when the module fails or cannot be loaded";
                    findings.error("fails-open", &source.file, &view, what, remedy);
                }
                if let Some(view) = plugin.get("type").filter(|view| view.text() == Some("NETWORK")) {
                    let what = "makes the gate a network filter, which sees no HTTP request: all of them pass";
                    findings.error("fails-open", &source.file, &view, what, "leave type out, or write HTTP");
                }
                if configuration.is_none() {
                    let (what, remedy) = if is_policy {
                        ("`config` is missing: the filter refuses to start", "add config with the plugin configuration")
                    } else {
                        ("`pluginConfig` is missing: the filter refuses to start", "add pluginConfig")
                    };
                    findings.error("configuration", &source.file, &plugin, what, remedy);
                }
            }
        }
    }
}

/// The dynamic modules that an `EnvoyProxy` of Envoy Gateway allows: one that Envoy fetches opens the gate.
fn check_fetched(source: &Source, document: &Document, findings: &mut Findings) {
    let root = document.root();
    if root.get("kind").and_then(|view| view.text()) != Some("EnvoyProxy") {
        return;
    }
    let allowed = root.at(&["spec", "dynamicModules"]).map(|view| view.items()).unwrap_or_default();
    for entry in allowed.iter().filter(|entry| is_module(entry)) {
        let Some(from) = entry.get("source") else { continue };
        if from.get("remote").is_some() || from.get("type").is_some_and(|view| view.text() == Some("Remote")) {
            findings.error(
                "fails-open",
                &source.file,
                &from,
                native::REMOTE,
                "write type: Local, with the path of the file",
            );
        }
    }
}
