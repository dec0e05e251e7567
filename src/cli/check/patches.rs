//! Patches of Istio and Envoy Gateway: the requirements that they add to routes, and their effect on the gate.

use super::routes::is_misspelt;
use super::{Findings, unknown_fields};
use crate::cli::gates::Gate;
use crate::cli::gates::beside::{Beside, PER_FILTER, of_entry, per_route};
use crate::cli::gates::patches::{Part, Patch, patches};
use crate::cli::source::{Source, View, any_secret};
use crate::config::METADATA_NAMESPACE;
use crate::policy::{Policy, RouteMetadata};
use std::path::Path;

/// Checks the patches of these sources.
pub(super) fn check(gates: &[Gate<'_>], sources: &[Source], findings: &mut Findings) {
    let policies = || gates.iter().filter_map(|gate| gate.policy.as_ref().ok()).map(|loaded| &loaded.policy);
    for source in sources {
        for patch in source.documents.iter().flat_map(patches) {
            check_gate(&source.file, &patch, findings);
            // An unknown field has been reported already, with its content.
            let inside = format!("{}.", patch.view.path);
            let is_told = findings.0.iter().any(|known| {
                known.rule == unknown_fields::RULE && known.file == source.file && known.path.starts_with(&inside)
            });
            let asked = patch.value.iter().flat_map(|value| value.holders(PER_FILTER));
            for entry in asked.filter_map(|holder| holder.at(&[PER_FILTER, METADATA_NAMESPACE])) {
                let Some(entry) = per_route(&entry) else { continue };
                let beside = of_entry(source, &entry);
                policies().for_each(|policy| check_requirement(&source.file, &beside, policy, findings));
            }
            for part in patch.parts().into_iter().filter(|part| !(is_told && matches!(part, Part::Unread(..)))) {
                policies().for_each(|policy| check_part(&source.file, &part, policy, findings));
            }
        }
    }
}

/// Patches that remove the gate, or turn it off.
fn check_gate(file: &Path, patch: &Patch<'_>, findings: &mut Findings) {
    if patch.removes_gate() {
        findings.error(
            "disabled",
            file,
            &patch.view,
            "removes the gate",
            "leave it out; open routes with `public: true`",
        );
    }
    for holder in patch.value.iter().flat_map(|value| value.holders("typed_per_filter_config")) {
        let own = holder.get("typed_per_filter_config").map(|view| view.members()).unwrap_or_default();
        let ours = own.into_iter().filter(|(name, _)| name.contains(METADATA_NAMESPACE));
        for view in ours.filter_map(|(_, view)| view.get("disabled")).filter(View::is_true) {
            let remedy = "open the route with `public: true` in its metadata";
            findings.error("disabled", file, &view, "turns the gate off here", remedy);
        }
    }
}

fn check_requirement(file: &Path, beside: &Beside<'_>, policy: &Policy, findings: &mut Findings) {
    let view = &beside.view;
    if policy.route_metadata == RouteMetadata::Ignore {
        let what = "is a requirement in metadata, and the gate does not read those (route_metadata: ignore)";
        findings.warn("metadata-ignored", file, view, what, "write it into `rules`, or leave route_metadata out");
    } else if let Err(error) = beside.read(policy, &any_secret) {
        findings.problems("metadata", file, view, &error);
    }
}

fn check_part(file: &Path, part: &Part<'_>, policy: &Policy, findings: &mut Findings) {
    match part {
        Part::Requirement(view) => check_requirement(file, &Beside::of_route(view.clone()), policy, findings),
        Part::FilterMetadata(metadata) => {
            if let Some(view) = metadata.written(METADATA_NAMESPACE) {
                check_requirement(file, &Beside::of_route(view), policy, findings);
            }
            for (name, view) in metadata.members() {
                if name != METADATA_NAMESPACE && is_misspelt(name) {
                    let what = format!("{name} is not the namespace of Scopegate, so nothing of it holds");
                    findings.error("metadata-namespace", file, &view, what, "write scopegate");
                }
            }
        }
        Part::Unread(view, what, remedy) => findings.error("metadata-unread", file, view, what.clone(), remedy),
    }
}
