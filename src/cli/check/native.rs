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

/// Checks the virtual hosts: Envoy hands a native module nothing of their metadata.
pub(super) fn check_hosts(envoy: &InEnvoy<'_>, findings: &mut Findings) {
    for host in &envoy.virtual_hosts {
        let Some(view) = metadata(&host.view) else { continue };
        findings.error(
            "requirement-not-read",
            host.file,
            &view,
            "is a requirement in the metadata of a virtual host, of which a native module sees nothing",
            &format!("write it as DynamicModuleFilterPerRoute in {PER_FILTER} of the virtual host"),
        );
    }
}
