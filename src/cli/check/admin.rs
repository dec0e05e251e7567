//! The admin interface of Envoy: it has no login: anyone who reaches it can stop Envoy, read its configuration, and change
//! its log levels and runtime.

use super::Findings;
use crate::cli::gates::{managers, route_configs};
use crate::cli::source::{DocumentKind, Source, View};

const RULE: &str = "admin-reachable";
/// Paths of it that only show figures, and change nothing.
const HARMLESS: [&str; 4] = ["/ready", "/server_info", "/stats", "/stats/prometheus"];

/// Checks where it listens, and the routes that lead to it.
pub(super) fn check(sources: &[Source], findings: &mut Findings) {
    for source in sources {
        for document in source.documents.iter().filter(|document| document.kind == DocumentKind::Envoy) {
            let root = document.root();
            let Some(socket) = root.at(&["admin", "address", "socket_address"]) else { continue };
            if let Some(address) = socket.get("address").filter(|view| !is_loopback(view)) {
                let what = "lets other machines reach the admin interface, which has no login: it stops Envoy, and shows and \
                            changes how it runs";
                let remedy = "bind it to 127.0.0.1, and lead one listener to its /stats/prometheus alone";
                findings.warn(RULE, &source.file, &address, what, remedy);
            }
            let Some(port) = port(&socket) else { continue };
            for listener in root.holders("filter_chains").iter().filter(|listener| !is_local(listener)) {
                for manager in managers(listener) {
                    for (_, config) in route_configs(sources, &source.file, &manager) {
                        check_routes(sources, source, &config, &port, findings);
                    }
                }
            }
        }
    }
}

/// The routes that lead to the admin interface at this port.
fn check_routes(sources: &[Source], source: &Source, config: &View<'_>, port: &str, findings: &mut Findings) {
    let routes = config.list("virtual_hosts").into_iter().flat_map(|host| host.list("routes"));
    for route in routes {
        let Some(cluster) = route.at(&["route", "cluster"]) else { continue };
        let path = route.at(&["match", "path"]).and_then(|view| view.text());
        let is_harmless = path.is_some_and(|path| HARMLESS.contains(&path));
        if !is_harmless && cluster.text().is_some_and(|name| leads_to_admin(sources, name, port)) {
            let what =
                "leads to the admin interface, which has no login: it stops Envoy, and shows and changes how it runs";
            let remedy = "match the path /stats/prometheus exactly, and no other";
            findings.warn(RULE, &source.file, &cluster, what, remedy);
        }
    }
}

/// Whether a cluster has an endpoint of this machine at that port.
fn leads_to_admin(sources: &[Source], name: &str, port: &str) -> bool {
    let clusters = sources.iter().flat_map(|source| &source.documents);
    let mut named = clusters.flat_map(|document| document.root().holders("load_assignment"));
    named.any(|cluster| {
        let sockets = cluster.holders("socket_address").into_iter().filter_map(|holder| holder.get("socket_address"));
        let is_admin = |socket: View<'_>| {
            socket.get("address").is_some_and(|view| is_loopback(&view)) && self::port(&socket).as_deref() == Some(port)
        };
        cluster.name() == Some(name) && sockets.into_iter().any(is_admin)
    })
}

/// Whether a listener listens on this machine alone.
fn is_local(listener: &View<'_>) -> bool {
    listener.at(&["address", "socket_address", "address"]).is_some_and(|view| is_loopback(&view))
}

fn is_loopback(address: &View<'_>) -> bool {
    let text = address.text().unwrap_or_default();
    text == "localhost" || text.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn port(socket: &View<'_>) -> Option<String> {
    socket.get("port_value").map(|port| port.node.value.to_json().to_string())
}
