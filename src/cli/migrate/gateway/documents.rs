//! The resources that are written for Envoy Gateway.

use super::targets::references;
use crate::cli::migrate::kubernetes::address::Address;
use crate::cli::migrate::kubernetes::build::{flag, list, number, object, text};
use crate::cli::migrate::kubernetes::resource::Resource;
use crate::cli::migrate::kubernetes::{IMAGE, document};
use crate::cli::source::View;
use crate::config::{Node, Tree};
use std::collections::BTreeSet;

const TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";

/// A server of keys, and the cluster that leads to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// The name of the cluster.
    pub name: String,
    /// Whether a backend was named that these files do not resolve, so that the server is the one that the address names.
    pub is_unsure: bool,
    address: Address,
    /// Where it is reached.
    host: String,
    port: u16,
}

impl Server {
    /// The server of an address, which the backends may replace.
    pub(super) fn of(address: &Address, backends: &[View<'_>], namespace: &str) -> Self {
        let service = backends.first().and_then(|backend| {
            let is_service = backend.get("kind").is_none_or(|kind| kind.text() == Some("Service"));
            let port = backend.get("port").and_then(|port| whole(&port)).and_then(|port| u16::try_from(port).ok());
            let namespace = backend.get("namespace").map_or(Some(namespace), |view| view.text())?;
            is_service.then_some((format!("{}.{namespace}.svc.cluster.local", backend.name()?), port?))
        });
        let is_unsure = !backends.is_empty() && service.is_none();
        let (host, port) = service.unwrap_or_else(|| (address.host.clone(), address.port));
        let standard = if address.is_https { 443 } else { 80 };
        let name = if port == standard { address.name() } else { format!("{}-{port}", address.name()) };
        Self { name, is_unsure, address: address.clone(), host, port }
    }

    fn cluster(&self) -> Node {
        let socket = object([("address", text(&self.host)), ("port_value", number(self.port.into()))]);
        let endpoint = object([("endpoint", object([("address", object([("socket_address", socket)]))]))]);
        let endpoints = object([("lb_endpoints", list([endpoint]))]);
        let assignment = object([("cluster_name", text(&self.name)), ("endpoints", list([endpoints]))]);
        let mut members = vec![
            ("name", text(&self.name)),
            ("type", text("STRICT_DNS")),
            ("connect_timeout", text("2s")),
            ("load_assignment", assignment),
        ];
        if self.address.is_https {
            let name = object([("san_type", text("DNS")), ("matcher", object([("exact", text(&self.address.host))]))]);
            let validation = object([
                ("trusted_ca", object([("filename", text("/etc/ssl/certs/ca-certificates.crt"))])),
                ("match_typed_subject_alt_names", list([name])),
            ]);
            let config = object([
                ("@type", text(TLS)),
                ("sni", text(&self.address.host)),
                ("common_tls_context", object([("validation_context", validation)])),
            ]);
            let socket = object([("name", text("envoy.transport_sockets.tls")), ("typed_config", config)]);
            members.push(("transport_socket", socket));
        }
        object(members)
    }
}

/// The proxies' configuration with the clusters of these servers.
pub(super) fn proxy(servers: &[Server]) -> Node {
    let patch = |server: &Server| {
        object([("op", text("add")), ("path", text("/static_resources/clusters/-")), ("value", server.cluster())])
    };
    let bootstrap = object([("type", text("JSONPatch")), ("jsonPatches", list(servers.iter().map(patch)))]);
    let name = ("scopegate", "envoy-gateway-system");
    document("gateway.envoyproxy.io/v1alpha1", "EnvoyProxy", name, object([("bootstrap", bootstrap)]))
}

/// The members of a policy that say what it is for, without the references of these numbers.
fn targets(policy: &Resource<'_>, lost: &BTreeSet<usize>) -> Vec<(String, Node)> {
    let spec = policy.spec();
    let all = references(policy).into_iter().enumerate();
    let references: Vec<Node> =
        all.filter(|(number, _)| !lost.contains(number)).map(|(_, view)| view.node.clone()).collect();
    let mut members = Vec::new();
    if !references.is_empty() {
        members.push(("targetRefs".to_owned(), list(references)));
    }
    members.extend(spec.get("targetSelectors").map(|view| ("targetSelectors".to_owned(), view.node.clone())));
    members
}

/// The name of the gate of a policy.
pub(super) fn name(policy: &Resource<'_>) -> String {
    format!("scopegate-{}", policy.name)
}

/// The gate, for what the policy was for, but for the references of these numbers.
pub(super) fn gate(policy: &Resource<'_>, lost: &BTreeSet<usize>, configuration: Node) -> Node {
    let name = name(policy);
    let image = object([
        ("type", text("Image")),
        ("image", object([("url", text(IMAGE))])),
        ("pullPolicy", text("IfNotPresent")),
    ]);
    let plugin = object([
        ("name", text(&name)),
        ("rootID", text("scopegate")),
        ("failOpen", flag(false)),
        ("code", image),
        ("config", configuration),
    ]);
    let spec = targets(policy, lost).into_iter().chain([("wasm".to_owned(), list([plugin]))]);
    document("gateway.envoyproxy.io/v1alpha1", "EnvoyExtensionPolicy", (&name, policy.namespace), object(spec))
}

/// The policy with what the gate does not do. It counts where the policy did, also with nothing else in it.
pub(super) fn rest(policy: &Resource<'_>, left: &[View<'_>]) -> Node {
    let left = left.iter().map(|view| {
        let name = view.path.rsplit('.').next().unwrap_or_default();
        (name.to_owned(), view.node.clone())
    });
    let merging = policy.spec().get("mergeType").map(|view| ("mergeType".to_owned(), view.node.clone()));
    let spec = object(targets(policy, &BTreeSet::new()).into_iter().chain(merging).chain(left));
    document("gateway.envoyproxy.io/v1alpha1", "SecurityPolicy", (policy.name, policy.namespace), spec)
}

fn whole(view: &View<'_>) -> Option<i64> {
    match view.node.value {
        Tree::Whole(number) => Some(number),
        _ => None,
    }
}
