//! What gives every request a credential before the gate judges it: a client without one then passes with that one.

use super::Findings;
use crate::cli::gates::InEnvoy;
use crate::cli::source::View;
use crate::policy::{AUTHORIZATION, Policy, same_header};

const RULE: &str = "credential-injected";
const REMEDY: &str =
    "take it to where requests leave: upstream_http_filters of the cluster, or a filter after the gate";
const INJECTOR: &str = "envoy.extensions.filters.http.credential_injector.v3.CredentialInjector";

/// Checks the filters before the gate, and what edits headers before all filters.
pub(super) fn check(envoy: &InEnvoy<'_>, policy: &Policy, findings: &mut Findings) {
    let places = policy.credential_headers();
    let is_place = |name: &str| places.iter().any(|place| same_header(place.as_bytes(), name.as_bytes()));
    let mut found: Vec<(View<'_>, String)> = Vec::new();
    for filter in envoy.filters.iter().take(envoy.index) {
        filter.visit(&mut |view| {
            if view.type_name() == Some(INJECTOR) {
                let header = view.at(&["credential", "typed_config", "header"]);
                let header = header.and_then(|view| view.text()).unwrap_or(AUTHORIZATION);
                found.extend(is_place(header).then(|| (view.clone(), header.to_ascii_lowercase())));
            }
        });
        for mutations in filter.holders("request_mutations") {
            found.extend(mutations.list("request_mutations").iter().filter_map(|one| constant(one, &is_place)));
        }
    }
    for extension in envoy.manager.list("early_header_mutation_extensions") {
        let mutations = extension.at(&["typed_config", "mutations"]).map(|view| view.items()).unwrap_or_default();
        found.extend(mutations.iter().filter_map(|one| constant(one, &is_place)));
    }
    for (view, header) in found {
        let what = format!("gives every request the same credential in {header}, before the gate judges it");
        findings.error(RULE, envoy.file, &view, what, REMEDY);
    }
}

/// The header of a credential that a mutation sets to what is no part of the request.
fn constant<'n>(mutation: &View<'n>, is_place: &dyn Fn(&str) -> bool) -> Option<(View<'n>, String)> {
    let header = mutation.at(&["append", "header"])?;
    let name = header.get("key").and_then(|view| view.text()).filter(|name| is_place(name))?.to_ascii_lowercase();
    let value = header.get("value").or_else(|| header.get("raw_value"));
    let is_constant = value.and_then(|view| view.text()).is_some_and(|text| !text.is_empty() && !text.contains('%'));
    is_constant.then_some((header, name))
}
