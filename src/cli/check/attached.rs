//! What a gate in Kubernetes is attached to, and what is left without a gate.

mod gateway;
mod istio;
mod resources;

use super::Findings;
use crate::cli::source::Source;
use resources::Resources;

/// Checks what the resources target, and returns what could not be checked.
pub(super) fn check(sources: &[Source], findings: &mut Findings) -> Vec<String> {
    let resources = Resources::of(sources);
    let mut notes = gateway::check(&resources, findings);
    notes.extend(istio::check(&resources, findings));
    notes
}
