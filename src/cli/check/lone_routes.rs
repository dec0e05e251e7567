//! Route configurations in separate files (RDS), without the connection manager that serves them. They are judged as
//! routes, by the configuration of the gate if it is given, otherwise as far as possible.

use super::{Findings, answering, cors, disclosures, native, per_route, redirects, routes, step_up, unserved, written};
use crate::cli::gates::beside::{PER_FILTER, Reader, per_route as native_requirement};
use crate::cli::gates::{Gate, InEnvoy, managers, place, virtual_hosts};
use crate::cli::source::{Document, DocumentKind, Source, View};
use crate::config::{self, METADATA_NAMESPACE};
use crate::policy::Policy;
use serde_json::{Value, json};
use std::path::Path;

/// Whether these sources contain routes, and no connection manager that could serve them.
pub(super) fn are_alone(sources: &[Source]) -> bool {
    let documents = sources.iter().flat_map(|source| &source.documents);
    let mut roots = documents.filter(|document| document.kind == DocumentKind::Envoy).map(Document::root);
    roots.clone().all(|root| managers(&root).is_empty()) && roots.any(|root| !root.holders("virtual_hosts").is_empty())
}

/// Judges the routes that no gate of these files serves; returns what could not be judged.
pub(super) fn check(sources: &[Source], gates: &[Gate<'_>], findings: &mut Findings) -> Vec<String> {
    if !are_alone(sources) {
        return Vec::new();
    }
    let gate = match gates {
        [] => None,
        [gate] => Some(gate),
        _ => {
            let told = "which of the gates serves the routes is not told in these files; they could not be checked";
            return vec![told.to_owned()];
        }
    };
    let mut notes = Vec::new();
    for (file, config) in unserved::route_configs(sources, gates) {
        let is_native = gate.is_some_and(|gate| gate.is_native) || configures_native(&config);
        let reader = if is_native { Reader::Native(sources, METADATA_NAMESPACE) } else { Reader::Wasm };
        let envoy = in_envoy(file, &config, is_native, reader);
        let filter = per_route::Filter { name: Some(METADATA_NAMESPACE), is_native };
        per_route::check_config(file, &config, filter, findings);
        if is_native {
            native::check_metadata(&envoy, findings);
        }
        routes::check_disabled(file, &config, METADATA_NAMESPACE, findings);
        written::check_routes(&envoy, findings);
        let place = place(file, config.position());
        match gate.map(|gate| &gate.policy) {
            Some(Ok(loaded)) => {
                routes::check(&envoy, &loaded.policy, findings);
                answering::check(&envoy, &loaded.policy, findings);
                cors::check(&envoy, &loaded.policy, findings);
                step_up::check(&envoy, &loaded.policy, findings);
                redirects::check(&envoy, &loaded.policy, findings);
                disclosures::check(&envoy, Some(&loaded.policy), findings);
                notes.push(format!(
                    "the routes at {place}: their listener is not in these files, and could not be checked"
                ));
            }
            Some(Err(_)) => {}
            None => {
                disclosures::check(&envoy, None, findings);
                if let Some(policy) = stand_in(&config) {
                    routes::check_requirements(&envoy, &policy, findings);
                }
                notes.push(format!(
                    "the routes at {place}: the gate is not in these files; names of issuers, matchers, redirects, and what \
                     the routes ask by rules could not be checked: give the gate with --gate FILE"
                ));
            }
        }
    }
    notes
}

/// Whether routes have a requirement for the native module, which tells that the gate is one.
fn configures_native(config: &View<'_>) -> bool {
    let holders = config.holders(PER_FILTER);
    let mut entries = holders.iter().filter_map(|holder| holder.at(&[PER_FILTER, METADATA_NAMESPACE]));
    entries.any(|entry| native_requirement(&entry).is_some())
}

/// The routes as those of a gate whose chain is not known.
fn in_envoy<'s>(file: &'s Path, config: &View<'s>, is_native: bool, reader: Reader<'s, '_>) -> InEnvoy<'s> {
    InEnvoy {
        file,
        manager: config.clone(),
        filters: Vec::new(),
        is_native,
        of_upgrades: false,
        index: 0,
        virtual_hosts: virtual_hosts(file, config, reader),
        route_configs: vec![(file, config.clone())],
    }
}

/// A policy with an issuer for every name in the requirements of these routes.
fn stand_in(config: &View<'_>) -> Option<Policy> {
    let mut names = vec!["issuer".to_owned()];
    for holder in config.holders("issuers") {
        names.extend(holder.list("issuers").iter().filter_map(View::text).map(str::to_owned));
    }
    names.sort_unstable();
    names.dedup();
    let issuers: Vec<Value> = names
        .into_iter()
        .map(|name| json!({"issuer": name, "audiences": ["a"], "jwks": {"uri": "https://a/", "cluster": "a"}}))
        .collect();
    config::load(json!({ "issuers": issuers }).to_string().as_bytes(), &|_| None).ok().map(|loaded| loaded.policy)
}
