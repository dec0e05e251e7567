//! The resources that are written for Istio: the gate, the servers of keys, and what removes identity headers early.

use super::jwt_rule::cluster;
use super::target::Target;
use super::workloads::Proxy;
use crate::cli::migrate::kubernetes::address::Address;
use crate::cli::migrate::kubernetes::build::{list, number, object, text, texts};
use crate::cli::migrate::kubernetes::{IMAGE, document};
use crate::config::Node;

const MANAGER: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const MUTATION: &str =
    "type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation";

fn resource(version: &str, kind: &str, (name, target): (&str, &Target), spec: Node) -> Node {
    document(version, kind, (name, &target.namespace), spec)
}

/// The plugin.
pub(super) fn plugin(name: &str, target: &Target, proxy: Proxy, configuration: Node) -> Node {
    let mut spec = target.members(("selector", "matchLabels"));
    if proxy != Proxy::Gateway {
        // Only inbound requests, not those that the workload sends.
        spec.push(("match", list([object([("mode", text("SERVER"))])])));
    }
    spec.extend([
        ("url", text(format!("oci://{IMAGE}"))),
        ("imagePullPolicy", text("IfNotPresent")),
        ("pluginName", text("scopegate")),
        ("phase", text("AUTHN")),
        ("failStrategy", text("FAIL_RELOAD")),
        ("pluginConfig", configuration),
    ]);
    resource("extensions.istio.io/v1alpha1", "WasmPlugin", (name, target), object(spec))
}

/// A server of keys, made known to the mesh; nothing for a service in it.
pub(super) fn server(address: &Address, target: &Target) -> Vec<Node> {
    if address.is_in_cluster() {
        return Vec::new();
    }
    let protocol = if address.is_https { "HTTPS" } else { "HTTP" };
    let port = object([
        ("name", text(protocol.to_ascii_lowercase())),
        ("number", number(address.port.into())),
        ("protocol", text(protocol)),
    ]);
    let name = format!("scopegate-{}", address.name());
    let entry = object([
        ("hosts", texts([&address.host])),
        ("location", text("MESH_EXTERNAL")),
        ("resolution", text("DNS")),
        ("ports", list([port])),
    ]);
    let mut documents = vec![resource("networking.istio.io/v1", "ServiceEntry", (&name, target), entry)];
    if address.is_https {
        // The filter sends plain HTTP; the cluster makes TLS of it.
        let tls = object([
            ("mode", text("SIMPLE")),
            ("sni", text(&address.host)),
            ("subjectAltNames", texts([&address.host])),
        ]);
        let rule = object([("host", text(&address.host)), ("trafficPolicy", object([("tls", tls)]))]);
        documents.push(resource("networking.istio.io/v1", "DestinationRule", (&name, target), rule));
    }
    documents
}

/// Removes identity headers of clients before the first route match, at a gateway.
pub(super) fn early_removal(name: &str, target: &Target, proxy: Proxy, headers: &[String]) -> Option<Node> {
    if headers.is_empty() || proxy != Proxy::Gateway {
        return None;
    }
    let mutations = list(headers.iter().map(|header| object([("remove", text(header))])));
    let mutation = object([
        ("name", text("identity_headers")),
        ("typed_config", object([("@type", text(MUTATION)), ("mutations", mutations)])),
    ]);
    let config = object([
        ("@type", text(MANAGER)),
        ("common_http_protocol_options", object([("headers_with_underscores_action", text("DROP_HEADER"))])),
        ("early_header_mutation_extensions", list([mutation])),
    ]);
    let filter = object([("name", text("envoy.filters.network.http_connection_manager"))]);
    let listener = object([("filterChain", object([("filter", filter)]))]);
    let patch = object([
        ("applyTo", text("NETWORK_FILTER")),
        ("match", object([("context", text("GATEWAY")), ("listener", listener)])),
        ("patch", object([("operation", text("MERGE")), ("value", object([("typed_config", config)]))])),
    ]);
    let mut spec = target.members(("workloadSelector", "labels"));
    spec.push(("configPatches", list([patch])));
    let name = format!("{name}-headers");
    Some(resource("networking.istio.io/v1alpha3", "EnvoyFilter", (&name, target), object(spec)))
}

/// The names of the clusters, for messages.
pub(super) fn clusters<'a>(addresses: impl IntoIterator<Item = &'a Address>) -> String {
    addresses.into_iter().map(cluster).collect::<Vec<_>>().join(", ")
}
