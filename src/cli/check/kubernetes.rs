//! Istio and Envoy Gateway resources: the settings beside the plugin configuration that open the gate.

use super::Findings;
use crate::cli::source::{Kind, Source, View};

/// Checks the resources.
pub(super) fn check(sources: &[Source], findings: &mut Findings) {
    for source in sources {
        for document in &source.documents {
            let Some(spec) = View::root(document).get("spec") else { continue };
            let (open, remedy) = match Kind::of(document) {
                Kind::WasmPlugin => (fails_open(&spec), "write FAIL_RELOAD"),
                Kind::TrafficExtension => {
                    (spec.get("wasm").map(|wasm| fails_open(&wasm)).unwrap_or_default(), "write FAIL_RELOAD")
                }
                Kind::EnvoyExtensionPolicy => {
                    let open = spec
                        .list("wasm")
                        .iter()
                        .filter_map(|wasm| wasm.get("failOpen").filter(View::is_true))
                        .collect();
                    (open, "write failOpen: false")
                }
                Kind::Plugin | Kind::Envoy | Kind::Unknown => continue,
            };
            for view in open {
                let what = "lets every request through when the module fails or cannot be loaded";
                findings.error("fails-open", &source.file, &view, what, remedy);
            }
        }
    }
}

/// The `failStrategy` of an Istio resource, when it opens the gate.
fn fails_open<'n>(wasm: &View<'n>) -> Vec<View<'n>> {
    wasm.get("failStrategy").filter(|view| view.text() == Some("FAIL_OPEN")).into_iter().collect()
}
