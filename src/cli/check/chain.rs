//! The surroundings of the gate: what opens it, what reads requests differently, what shows too much.

use super::{Findings, events, filters, messages, native, signatures};
use crate::cli::gates::{Gate, InEnvoy, resources};
use crate::cli::source::{Source, View};
use crate::config::Loaded;
use crate::config::Tree;
use crate::policy::{KeySource, Policy};
use std::path::Path;

const CLUSTER: &str = "envoy.config.cluster.v3.Cluster";
/// What may become of requests when the VM fails.
const POLICIES: [(&str, i64); 3] = [("FAIL_RELOAD", 1), ("FAIL_CLOSED", 2), ("FAIL_OPEN", 3)];

/// Checks the chain. Without a configuration only what does not depend on it.
pub(super) fn check(
    gate: &Gate<'_>,
    envoy: &InEnvoy<'_>,
    loaded: Option<&Loaded>,
    sources: &[Source],
    findings: &mut Findings,
) {
    filters::check(envoy, sources, findings);
    check_access_log(envoy, findings);
    if let Some(loaded) = loaded {
        check_manager(gate, envoy, &loaded.policy, findings);
        check_clusters(gate, sources, loaded, findings);
    }
}

/// Checks the plugin's own settings, which may be in another file than the chain. The native module has none of them.
pub(super) fn check_plugin(gate: &Gate<'_>, findings: &mut Findings) {
    if gate.is_native {
        native::check_plugin(gate, findings);
    } else if let Some(plugin) = &gate.plugin {
        let policy = gate.policy.as_ref().map(|loaded| &loaded.policy);
        let reads_bodies = policy.is_ok_and(|policy| {
            messages::judges(gate, policy) || signatures::judges(gate, policy) || events::are_pushed(policy)
        });
        check_settings(gate.file, plugin, reads_bodies, findings);
    }
}

fn check_settings(file: &Path, plugin: &View<'_>, reads_bodies: bool, findings: &mut Findings) {
    let fail_open = plugin.get("fail_open").filter(View::is_true);
    if let Some(view) = &fail_open {
        findings.error(
            "fails-open",
            file,
            view,
            "lets every request through when the VM fails",
            "write failure_policy: FAIL_RELOAD",
        );
    }
    let is_said = |view: &View<'_>| view.node.value != Tree::Null && !view.is_value("UNSPECIFIED", 0);
    match plugin.get("failure_policy").filter(is_said) {
        Some(view) if view.is_value("FAIL_OPEN", 3) => {
            findings.error(
                "fails-open",
                file,
                &view,
                "lets every request through when the VM fails",
                "write FAIL_RELOAD",
            );
        }
        Some(view) if !POLICIES.iter().any(|(name, number)| view.is_value(name, *number)) => {
            let came = view.node.value.to_json();
            findings.error(
                "failure-policy-unknown",
                file,
                &view,
                format!("failure_policy is {came}, which Envoy does not know: it refuses the file"),
                "write FAIL_RELOAD; the others are FAIL_CLOSED and FAIL_OPEN",
            );
        }
        None if fail_open.is_none() => findings.warn(
            "failure-policy-missing",
            file,
            plugin,
            "has no failure_policy: after a failure of the VM the worker answers 503 until Envoy is restarted",
            "write failure_policy: FAIL_RELOAD",
        ),
        _ => {}
    }
    check_capabilities(file, plugin, reads_bodies, findings);
}

/// Without some calls the host never asks the gate, and requests pass; without any other the gate refuses. An empty map
/// restricts nothing.
fn check_capabilities(file: &Path, plugin: &View<'_>, reads_bodies: bool, findings: &mut Findings) {
    const OPENING: [(&str, &str); 3] = [
        (
            "proxy_on_request_body",
            "lets every body through: the gate is not asked about messages, signed bodies and events",
        ),
        ("proxy_on_request_headers", "lets every request through: the gate is not asked"),
        ("proxy_on_request_trailers", "lets identity headers in trailers through: the gate is not asked"),
    ];
    let Some(allowed) = plugin.at(&["capability_restriction_config", "allowed_capabilities"]) else { return };
    let names = allowed.members();
    for (callback, what) in OPENING.into_iter().skip(usize::from(!reads_bodies)) {
        if !names.is_empty() && names.iter().all(|(name, _)| *name != callback) {
            let instead = format!("add {callback}, or leave capability_restriction_config out");
            findings.error("fails-open", file, &allowed, what, &instead);
        }
    }
}

fn check_manager(gate: &Gate<'_>, envoy: &InEnvoy<'_>, policy: &Policy, findings: &mut Findings) {
    let manager = &envoy.manager;
    let is_true = |name: &str| manager.get(name).is_some_and(|view| view.is_true());
    if policy.rules.as_slice().iter().any(|rule| rule.matching.path.is_some()) {
        if !(is_true("normalize_path") && is_true("merge_slashes") || signatures::keeps_paths(gate, policy)) {
            findings.warn(
                "paths-not-normalised",
                envoy.file,
                manager,
                "does not normalise paths, and there are rules about paths: ambiguous ones are refused with 400",
                "set normalize_path: true and merge_slashes: true",
            );
        }
        if manager.get("path_with_escaped_slashes_action").is_none() {
            findings.warn(
                "escaped-slashes",
                envoy.file,
                manager,
                "does not say what becomes of escaped slashes in paths",
                "set path_with_escaped_slashes_action: REJECT_REQUEST, or KEEP_UNCHANGED with paths.allow",
            );
        }
    }
    let underscores = manager.at(&["common_http_protocol_options", "headers_with_underscores_action"]);
    let allowed = underscores.is_none_or(|action| action.node.value == Tree::Null || action.is_value("ALLOW", 0));
    if allowed && policy.forward.has_identity_headers() {
        findings.warn(
            "underscore-headers",
            envoy.file,
            manager,
            "lets headers with underscores through: x_auth_subject is x-auth-subject to many upstreams",
            "set common_http_protocol_options.headers_with_underscores_action: DROP_HEADER",
        );
    }
}

fn check_access_log(envoy: &InEnvoy<'_>, findings: &mut Findings) {
    for log in envoy.manager.list("access_log") {
        let mut formats = Vec::new();
        log.visit(&mut |view| {
            if let Some(text) = view.text().filter(|text| text.contains('%')) {
                formats.push((view.clone(), prints_query(text)));
            }
        });
        let printing = formats.iter().find(|(_, prints)| *prints).map(|(view, _)| view.clone());
        // Envoy's own format prints the path with its query.
        if let Some(view) = printing.or_else(|| formats.is_empty().then(|| log.clone())) {
            findings.warn(
                "log-prints-query",
                envoy.file,
                &view,
                "prints the query of a path: what clients put there ends up in the log",
                "print %PATH(NQ)%",
            );
        }
    }
}

/// Whether a format prints `:path`, or the original path, with its query.
fn prints_query(format: &str) -> bool {
    let upper = format.to_ascii_uppercase();
    let request = |name: &str| upper.contains(&format!("%REQ({name}"));
    request(":PATH") || request("X-ENVOY-ORIGINAL-PATH") || upper.contains("%PATH(WQ") || upper.contains("%PATH%")
}

fn check_clusters(gate: &Gate<'_>, sources: &[Source], loaded: &Loaded, findings: &mut Findings) {
    let mut clusters = Vec::new();
    let (mut discovered, mut has_fetched) = (false, false);
    for document in sources.iter().flat_map(|source| &source.documents) {
        let root = document.root();
        discovered |= root.at(&["dynamic_resources", "cds_config"]).is_some();
        discovered |= root.at(&["dynamic_resources", "ads_config"]).is_some();
        clusters.extend(root.at(&["static_resources", "clusters"]).map(|view| view.items()).unwrap_or_default());
        let fetched = resources(&root).into_iter().filter(|view| {
            view.type_name() == Some(CLUSTER) || view.type_name().is_none() && view.get("load_assignment").is_some()
        });
        let before = clusters.len();
        clusters.extend(fetched);
        // The file with the fetched resources is here.
        has_fetched |= clusters.len() > before;
    }
    let named = |wanted: &str| clusters.iter().find(|view| view.name() == Some(wanted));
    for (entry, cluster, what) in fetched_through(gate, loaded) {
        match named(&cluster) {
            None if discovered && !has_fetched || clusters.is_empty() => {}
            None => findings.error(
                "cluster-missing",
                gate.file,
                &entry,
                format!("names the cluster {cluster}, which does not exist"),
                "add the cluster, or name one that exists",
            ),
            Some(view) if !has_tls(view) && !is_local(view) => match what.danger(&cluster) {
                Some((danger, remedy)) => findings.error(what.rule(), gate.file, &entry, danger, remedy),
                None => findings.warn(
                    what.rule(),
                    gate.file,
                    &entry,
                    format!(
                        "fetches {} through the cluster {cluster} in plain text, from another machine",
                        what.name()
                    ),
                    WITH_TLS,
                ),
            },
            Some(_) => {}
        }
    }
}

/// What a gate fetches.
#[derive(Clone, Copy)]
enum Fetched {
    Keys,
    RevocationList,
    StatusList,
    /// The identities of a set: changed on the way, anyone has a key. Whether they are signed.
    Identities(bool),
    /// An answer to a claim: changed on the way, it lets a used token pass.
    Claim,
    /// An answer about an opaque token: the question has the token and the secret of the gate's client.
    Introspection,
    /// Events of an issuer: changed on the way, none comes, and each is acknowledged.
    Events,
}

/// What to do about plain text.
const WITH_TLS: &str = "give the cluster a TLS transport_socket with a validation context";

impl Fetched {
    /// What makes plain text an error, and what to do about it; `None` where it is a warning.
    fn danger(self, cluster: &str) -> Option<(String, &'static str)> {
        let (danger, remedy) = match self {
            Self::Keys | Self::RevocationList | Self::StatusList | Self::Identities(true) => return None,
            Self::Claim => (
                format!(
                    "asks the service of the fleet through the cluster {cluster} in plain text, on another machine"
                ),
                "put Webdis beside Envoy, on 127.0.0.1, or give the cluster a TLS transport_socket with a validation context",
            ),
            Self::Introspection => {
                (format!("asks about tokens through the cluster {cluster} in plain text, on another machine"), WITH_TLS)
            }
            Self::Events => {
                (format!("asks for events through the cluster {cluster} in plain text, on another machine"), WITH_TLS)
            }
            Self::Identities(false) => (
                format!(
                    "fetches identities without a signature through the cluster {cluster} in plain text, from another machine"
                ),
                "give the cluster a TLS transport_socket with a validation context, or sign the document and name the key in signed_by",
            ),
        };
        Some((danger, remedy))
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::RevocationList => "a revocation list",
            Self::StatusList => "status lists",
            Self::Identities(_) => "identities",
            Self::Claim => "answers to claims",
            Self::Introspection => "answers about opaque tokens",
            Self::Events => "events",
        }
    }

    const fn rule(self) -> &'static str {
        match self {
            Self::Keys => "keys-in-plain-text",
            Self::RevocationList => "revocations-in-plain-text",
            Self::StatusList => "status-lists-in-plain-text",
            Self::Identities(_) => "identities-in-plain-text",
            Self::Claim => "replay-in-plain-text",
            Self::Introspection => "introspection-in-plain-text",
            Self::Events => "events-in-plain-text",
        }
    }
}

/// What the gate fetches through which cluster, and the entry that names the cluster.
fn fetched_through<'s>(gate: &Gate<'s>, Loaded { policy, settings, .. }: &Loaded) -> Vec<(View<'s>, String, Fetched)> {
    let values = &gate.values;
    let entry = |entries: &[View<'s>], index: usize| entries.get(index).cloned();
    let mut found = Vec::new();
    let issuers = values.list("issuers");
    for (index, issuer) in policy.issuers.iter().enumerate() {
        let member =
            |name: &str| entry(&issuers, index).and_then(|entry| entry.get(name)).unwrap_or_else(|| values.clone());
        let places = issuer.status_list.iter().flat_map(|status| &status.clusters);
        found.extend(places.map(|place| (member("status_list"), place.cluster.clone(), Fetched::StatusList)));
        let asked = issuer.introspection.as_ref().map(|terms| terms.endpoint.cluster.clone());
        found.extend(asked.map(|cluster| (member("introspection"), cluster, Fetched::Introspection)));
        let KeySource::Remote(remote) = &issuer.keys else { continue };
        let view = member("jwks");
        found.extend(remote.clusters().into_iter().map(|name| (view.clone(), name.to_owned(), Fetched::Keys)));
    }
    let sets = values.list("credentials");
    for (index, set) in policy.credentials.iter().enumerate() {
        let Some(remote) = &set.remote else { continue };
        let view = entry(&sets, index).and_then(|entry| entry.get("identities")).unwrap_or_else(|| values.clone());
        let is_signed = remote.terms.signed_by.is_some();
        found.push((view, remote.endpoint.cluster.clone(), Fetched::Identities(is_signed)));
    }
    if let Some(service) = &settings.replay.service {
        let view = values.at(&["replay", "service"]).unwrap_or_else(|| values.clone());
        found.push((view, service.endpoint.cluster.clone(), Fetched::Claim));
    }
    for source in policy.events.iter().flat_map(|events| &events.sources) {
        let Some(poll) = &source.poll else { continue };
        let view = values.at(&["events", "issuers", &source.name, "poll"]).unwrap_or_else(|| values.clone());
        found.push((view, poll.endpoint.cluster.clone(), Fetched::Events));
    }
    let lists = values.get("revocation").map(|view| view.list("lists")).unwrap_or_default();
    for (index, list) in settings.revocation.lists.iter().enumerate() {
        // A signed list is as good over plain text, but others can read what is revoked.
        let view = entry(&lists, index).unwrap_or_else(|| values.clone());
        found.push((view, list.endpoint.cluster.clone(), Fetched::RevocationList));
    }
    found
}

/// Whether a cluster speaks TLS, or QUIC, which is TLS too.
fn has_tls(cluster: &View<'_>) -> bool {
    let mut found = false;
    let sockets = cluster.get("transport_socket").into_iter().chain(cluster.get("transport_socket_matches"));
    for socket in sockets {
        socket.visit(&mut |view| {
            let name = view.type_name().unwrap_or_default();
            found |= name.ends_with(".UpstreamTlsContext") || name.ends_with(".QuicUpstreamTransport");
        });
    }
    found
}

/// Whether all endpoints of a cluster are known, and on this machine.
fn is_local(cluster: &View<'_>) -> bool {
    let (mut some, mut all) = (false, true);
    cluster.visit(&mut |view| {
        let address = view.at(&["socket_address", "address"]).and_then(|view| view.text());
        if let Some(address) = address {
            some = true;
            all &= address.starts_with("127.") || address == "::1" || address == "localhost";
        }
        some |= view.get("pipe").is_some();
    });
    some && all
}
