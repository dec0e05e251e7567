//! What else reads what the old policies knew of a token: it is there no more once these are gone.

use super::resource;
use crate::cli::migrate::findings::{Findings, Kind};
use crate::cli::source::{Source, View};

/// What the old filters knew of a token, as others name it: a header of Istio's routes, and metadata.
const WORDS: [&str; 3] = ["@request.auth.", "jwt_authn", "istio_authn"];
/// The groups of resources that become a part of Envoy's configuration.
const GROUPS: [&str; 5] = [
    "networking.istio.io",
    "extensions.istio.io",
    "telemetry.istio.io",
    "gateway.networking.k8s.io",
    "gateway.envoyproxy.io",
];
/// Kinds that decide nothing by it: they write logs, or order filters.
const DECIDE_NOTHING: [&str; 2] = ["Telemetry", "EnvoyProxy"];

/// Tells which resources name what is there no more.
pub(super) fn tell(sources: &[Source], findings: &mut Findings) {
    for (group, resource) in resource::all(sources) {
        if !GROUPS.contains(&group) || resource.kind == "SecurityPolicy" {
            continue;
        }
        for word in WORDS {
            let mut found: Option<View<'_>> = None;
            resource.root.visit(&mut |view| {
                let names = |name: &str| name.contains(word);
                if found.is_none()
                    && (view.text().is_some_and(names) || view.members().iter().any(|(name, _)| names(name)))
                {
                    found = Some(view.clone());
                }
            });
            let Some(view) = found else { continue };
            let (title, word) = (resource.title(), word.trim_end_matches('.'));
            let (kind, then) = if DECIDE_NOTHING.contains(&resource.kind) {
                (Kind::Changed, "it is empty then")
            } else {
                (
                    Kind::Denied,
                    "what it refuses or chooses by it then is not refused or chosen. Say it in a requirement of the gate, or keep \
                     the old policies behind the gate for it",
                )
            };
            let what = format!(
                "{title}: it reads `{word}`, which is there only as long as the old policies judge tokens: {then}"
            );
            findings.tell(kind, resource.file, &view, what);
        }
    }
}
