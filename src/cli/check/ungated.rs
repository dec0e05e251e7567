//! Ways to a guarded cluster around the gate: another listener, another filter chain, a TCP proxy.

use super::Findings;
use crate::cli::gates::{Gate, managers, route_configs};
use crate::cli::source::{DocumentKind, Source, View};
use std::collections::{HashMap, HashSet};

const TCP_PROXY: &str = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
const RULE: &str = "way-without-gate";
const REMEDY: &str = "put the gate there too, or route to clusters that need none";

/// Checks all connection managers and TCP proxies; returns those whose routes are in other files.
pub(super) fn check(sources: &[Source], gates: &[Gate<'_>], findings: &mut Findings) -> Vec<String> {
    let guards: Vec<_> = gates.iter().filter_map(|gate| gate.envoy.as_ref()).collect();
    let addresses = addresses(sources);
    let mut guarded = HashMap::new();
    for envoy in &guards {
        for (_, config) in &envoy.route_configs {
            for name in clusters(config) {
                for key in keys(name, &addresses) {
                    guarded.entry(key).or_insert(name);
                }
            }
        }
    }
    let mut unseen = Vec::new();
    if guarded.is_empty() {
        return unseen;
    }
    for source in sources {
        for document in source.documents.iter().filter(|document| document.kind == DocumentKind::Envoy) {
            let root = document.root();
            for manager in managers(&root) {
                if guards.iter().any(|envoy| std::ptr::eq(envoy.manager.node, manager.node)) {
                    continue;
                }
                let configs = route_configs(sources, &source.file, &manager);
                if configs.is_empty() {
                    let at = crate::cli::gates::place(&source.file, manager.position());
                    unseen.push(format!(
                        "the connection manager at {at} has no gate; its routes are not in these files, and could not be \
                         checked"
                    ));
                }
                let has = |name: &str| configs.iter().any(|(_, config)| !config.holders(name).is_empty());
                let chosen = if has("cluster_header") {
                    Some("a header")
                } else if has("cluster_specifier_plugin") || has("inline_cluster_specifier_plugin") {
                    Some("a cluster specifier plugin")
                } else {
                    None
                };
                let led: Vec<&str> = configs.iter().flat_map(|(_, config)| clusters(config)).collect();
                warn(source, &manager, &led, chosen, &guarded, &addresses, findings);
            }
            for proxy in root.holders("@type").iter().filter(|view| view.type_name() == Some(TCP_PROXY)) {
                warn(source, proxy, &clusters(proxy), None, &guarded, &addresses, findings);
            }
        }
    }
    unseen
}

fn warn(
    source: &Source,
    view: &View<'_>,
    led: &[&str],
    chosen: Option<&str>,
    guarded: &HashMap<String, &str>,
    addresses: &HashMap<&str, Vec<String>>,
    findings: &mut Findings,
) {
    let found = led.iter().find_map(|name| {
        let guarded = keys(name, addresses).into_iter().find_map(|key| guarded.get(&key).copied())?;
        Some((*name, guarded))
    });
    let what = match found {
        Some((name, guarded)) if name == guarded => {
            format!("leads to the cluster {name}, which a gate guards elsewhere, and has no gate")
        }
        Some((name, guarded)) => {
            format!(
                "leads to the cluster {name}, which has an address of {guarded}, which a gate guards, and has no gate"
            )
        }
        None => match chosen {
            Some(chooser) => {
                format!("lets {chooser} choose the cluster, also one that a gate guards elsewhere, and has no gate")
            }
            None => return,
        },
    };
    findings.warn(RULE, &source.file, view, what, REMEDY);
}

/// The clusters that routes, or a TCP proxy, lead to.
fn clusters<'n>(holder: &View<'n>) -> Vec<&'n str> {
    let named = holder.holders("cluster").into_iter().filter_map(|view| view.get("cluster")?.text());
    let weighted = holder.holders("weighted_clusters").into_iter().flat_map(|view| {
        let clusters = view.at(&["weighted_clusters", "clusters"]).map(|view| view.items()).unwrap_or_default();
        clusters.into_iter().filter_map(|cluster| cluster.name())
    });
    named.chain(weighted).collect::<HashSet<_>>().into_iter().collect()
}

/// The identity of a cluster: its name, and the addresses of its endpoints.
fn keys(name: &str, addresses: &HashMap<&str, Vec<String>>) -> Vec<String> {
    let own = addresses.get(name).into_iter().flatten().cloned();
    std::iter::once(format!("cluster {name}")).chain(own).collect()
}

/// The addresses of all clusters.
fn addresses(sources: &[Source]) -> HashMap<&str, Vec<String>> {
    let mut found = HashMap::new();
    for document in sources.iter().flat_map(|source| &source.documents) {
        for cluster in document.root().holders("load_assignment") {
            let Some(name) = cluster.name() else { continue };
            let sockets = cluster.holders("socket_address").into_iter().filter_map(|holder| {
                let socket = holder.get("socket_address")?;
                let address = socket.get("address")?.text()?;
                let port = socket.get("port_value").map(|port| port.node.value.to_json().to_string())?;
                Some(format!("{address} {port}"))
            });
            let pipes = cluster
                .holders("pipe")
                .into_iter()
                .filter_map(|holder| Some(format!("pipe {}", holder.at(&["pipe", "path"])?.text()?)));
            found.insert(name, sockets.chain(pipes).collect());
        }
    }
    found
}
