//! What is different where the gate is the native module: it has no sandbox, Envoy hands it less, and it has no options of a
//! Wasm plugin.

use super::Findings;
use crate::cli::gates::beside::{PER_FILTER, metadata};
use crate::cli::gates::{Gate, InEnvoy};
use crate::config::Loaded;
use crate::policy::{CryptoPlace, RecordForm};

/// Checks how the module is loaded.
pub(super) fn check_plugin(gate: &Gate<'_>, findings: &mut Findings) {
    let written = gate.plugin.as_ref().unwrap_or(&gate.configuration);
    findings.warn(
        "no-sandbox",
        gate.file,
        written,
        "runs the gate in Envoy's own process: a fault of it ends Envoy, and nothing bounds its memory; it is experimental",
        "load the Wasm module, unless you trust this one with your process",
    );
    if let Some(view) = written.at(&["dynamic_module_config", "module", "remote"]) {
        findings.error("fails-open", gate.file, &view, REMOTE, REMOTE_REMEDY);
    }
}

/// A module that Envoy fetches.
pub(super) const REMOTE: &str =
    "has Envoy fetch the module: where that fails, Envoy goes on without the filter, and every request passes";
/// What to write instead.
pub(super) const REMOTE_REMEDY: &str = "put the file on Envoy's machine, and write its name or module.local";

/// Checks the configuration: what the module refuses when it is loaded.
pub(super) fn check(gate: &Gate<'_>, loaded: &Loaded, findings: &mut Findings) {
    let is_object = loaded.settings.audit.record == RecordForm::Object;
    let is_of_host = loaded.settings.crypto == CryptoPlace::Host;
    for (is_there, path, remedy) in [
        (is_object, &["audit", "record"][..], "write text, and print %FILTER_STATE(wasm.scopegate:PLAIN)%"),
        (is_of_host, &["crypto"][..], "leave it out: the module checks signatures itself"),
    ] {
        let Some(view) = gate.values.at(path).filter(|_| is_there) else { continue };
        let what = format!("cannot be had in a native module, which refuses it: {}", path.join("."));
        findings.error("not-in-native-module", gate.file, &view, what, remedy);
    }
}

/// Checks metadata that Envoy does not hand to a native module: all of a virtual host, and of a route an empty one, which asks
/// for a token with Wasm.
pub(super) fn check_metadata(envoy: &InEnvoy<'_>, findings: &mut Findings) {
    for host in &envoy.virtual_hosts {
        let of_host = metadata(&host.view).map(|view| {
            (view, "is a requirement in the metadata of a virtual host, of which a native module sees nothing")
        });
        let of_routes = host.routes.iter().filter_map(|route| metadata(&route.view));
        let empty = of_routes
            .filter(|view| view.members().is_empty())
            .map(|view| (view, "is an empty requirement in metadata, which a native module does not see"));
        for (view, what) in of_host.into_iter().chain(empty) {
            let remedy = format!("write it as DynamicModuleFilterPerRoute in {PER_FILTER}");
            findings.error("requirement-not-read", host.file, &view, what, &remedy);
        }
    }
}
