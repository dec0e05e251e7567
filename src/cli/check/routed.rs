//! The clusters that routes of a static configuration lead to: Envoy refuses a file that names one which is not there.

use super::Findings;
use crate::cli::gates::InEnvoy;
use crate::cli::source::{Source, View};
use crate::config::Tree;

/// Checks the routes of a listener in a whole bootstrap. What is fetched may come later, and routes that are fetched are not
/// validated.
pub(super) fn check(envoy: &InEnvoy<'_>, sources: &[Source], findings: &mut Findings) {
    let Some(config) = envoy.manager.get("route_config") else { return };
    let is_off = |flag: &View<'_>| flag.node.value != Tree::Null && !flag.is_true();
    if !envoy.manager.path.starts_with("static_resources")
        || config.get("validate_clusters").is_some_and(|flag| is_off(&flag))
    {
        return;
    }
    let roots = || sources.iter().flat_map(|source| &source.documents).map(|document| document.root());
    let fetches = |root: &View<'_>| {
        ["cds_config", "ads_config"].iter().any(|name| root.at(&["dynamic_resources", name]).is_some())
    };
    let clusters: Vec<View<'_>> = roots()
        .filter_map(|root| root.at(&["static_resources", "clusters"]))
        .flat_map(|clusters| clusters.items())
        .collect();
    // A file without any is a part of another.
    if clusters.is_empty() || roots().any(|root| fetches(&root)) {
        return;
    }
    let is_there = |name: &str| clusters.iter().any(|cluster| cluster.name() == Some(name));
    for host in &envoy.virtual_hosts {
        for route in &host.routes {
            let Some(action) = route.view.get("route") else { continue };
            let weighted =
                action.get("weighted_clusters").map(|weighted| weighted.list("clusters")).unwrap_or_default();
            let named =
                action.get("cluster").into_iter().chain(weighted.iter().filter_map(|cluster| cluster.get("name")));
            for view in named {
                let missing = view.text().filter(|name| !name.is_empty() && !is_there(name));
                if let Some(name) = missing {
                    findings.error(
                        "cluster-missing",
                        host.file,
                        &view,
                        format!("leads to the cluster {name}, which does not exist: Envoy refuses the file"),
                        "add the cluster, or name one that exists",
                    );
                }
            }
        }
    }
}
