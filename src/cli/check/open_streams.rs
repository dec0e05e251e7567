//! Streams that are to be closed: whether Envoy lets the gate do that.

use super::Findings;
use super::messages::{requirements, with_methods};
use crate::cli::gates::Gate;
use crate::policy::{Access, CloseStreams, Policy};

/// What the gate calls, or is called by, when it closes a stream.
const CALLS: [&str; 3] = ["proxy_close_stream", "proxy_set_effective_context", "proxy_on_tick"];

/// Checks the plugin's capabilities where a requirement closes streams. An empty map restricts nothing.
pub(super) fn check(gate: &Gate<'_>, policy: &Policy, findings: &mut Findings) {
    let Some(plugin) = &gate.plugin else { return };
    let Some(allowed) = plugin.at(&["capability_restriction_config", "allowed_capabilities"]) else { return };
    let names = allowed.members();
    let missing = CALLS.iter().find(|call| names.iter().all(|(name, _)| name != *call));
    let Some(call) = missing.filter(|_| !names.is_empty() && closes_streams(gate, policy)) else { return };
    findings.warn(
        "streams-not-closed",
        gate.file,
        &allowed,
        "does not let the gate close streams, and close_streams asks for that: they outlive their token",
        &format!("add {call}, or leave capability_restriction_config out"),
    );
}

fn closes_streams(gate: &Gate<'_>, policy: &Policy) -> bool {
    requirements(gate, policy)
        .iter()
        .flat_map(with_methods)
        .any(|one| matches!(&one.access, Access::Token(ask) if ask.close_streams != CloseStreams::Never))
}
