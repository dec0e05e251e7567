//! Route configurations that no gate of these files serves.

use crate::cli::gates::Gate;
use crate::cli::source::{DocumentKind, Source, View};
use std::path::Path;

/// Finds them.
pub(super) fn route_configs<'s>(sources: &'s [Source], gates: &[Gate<'_>]) -> Vec<(&'s Path, View<'s>)> {
    let envoys = gates.iter().filter_map(|gate| gate.envoy.as_ref());
    let served: Vec<_> = envoys.flat_map(|envoy| &envoy.route_configs).collect();
    let is_served = |config: &View<'_>| served.iter().any(|(_, known)| std::ptr::eq(known.node, config.node));
    let mut found = Vec::new();
    for source in sources {
        for document in source.documents.iter().filter(|document| document.kind == DocumentKind::Envoy) {
            let configs = document.root().holders("virtual_hosts").into_iter();
            found.extend(configs.filter(|config| !is_served(config)).map(|config| (source.file.as_path(), config)));
        }
    }
    found
}
