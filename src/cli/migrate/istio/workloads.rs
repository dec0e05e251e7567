//! What the workloads of a selector are, as far as other resources in the files tell.

use super::target::{Select, Target};
use crate::cli::migrate::kubernetes::resource::{Resource, labels};
use crate::cli::source::View;
use std::collections::BTreeMap;

type Labels = BTreeMap<String, String>;

/// How requests come to workloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proxy {
    /// Through a gateway, which Istio takes for a client.
    Gateway,
    /// Through a sidecar or a waypoint, which Istio takes for a server.
    Sidecar,
    /// These files do not say, or have both.
    Unknown,
}

/// The pods in these files, and the selectors of Istio's gateways.
#[derive(Debug)]
pub(super) struct Workloads<'s> {
    gateways: Vec<Labels>,
    pods: Vec<Pod<'s>>,
}

#[derive(Debug)]
struct Pod<'s> {
    namespace: &'s str,
    labels: Labels,
    is_gateway: bool,
}

impl<'s> Workloads<'s> {
    /// Those of these resources.
    pub(super) fn of(resources: &[(&'s str, Resource<'s>)]) -> Self {
        let mut found = Self { gateways: Vec::new(), pods: Vec::new() };
        for (group, resource) in resources {
            let pod = match (*group, resource.kind) {
                ("networking.istio.io", "Gateway") => {
                    found.gateways.extend(resource.spec().get("selector").map(|selector| labels(&selector)));
                    None
                }
                ("", "Pod") => Some(resource.root.clone()),
                ("apps", _) => resource.spec().get("template"),
                _ => None,
            };
            found.pods.extend(pod.map(|pod| Pod::of(resource.namespace, &pod)));
        }
        found
    }

    /// What the workloads of a target are.
    pub(super) fn proxy(&self, target: &Target) -> Proxy {
        if target.is_gateway() {
            return Proxy::Gateway;
        }
        let wanted = match &target.select {
            Select::Labels(wanted) => wanted,
            Select::Reference(_) => return Proxy::Sidecar,
            Select::All => return Proxy::Unknown,
        };
        let mut has_gateway = self.gateways.iter().any(|own| is_within(own, wanted) || is_within(wanted, own));
        let mut has_sidecar = false;
        for pod in self.pods.iter().filter(|pod| is_within(wanted, &pod.labels)) {
            if target.is_of_root() || target.namespace == pod.namespace {
                has_gateway |= pod.is_gateway;
                has_sidecar |= !pod.is_gateway;
            }
        }
        match (has_gateway, has_sidecar) {
            (true, false) => Proxy::Gateway,
            // Other namespaces may have workloads that are not in these files.
            (false, true) if !target.is_of_root() => Proxy::Sidecar,
            _ => Proxy::Unknown,
        }
    }
}

impl<'s> Pod<'s> {
    /// That of a resource in this namespace. It is a gateway if Istio's injector makes its container, or if it runs the proxy
    /// as a router.
    fn of(namespace: &'s str, pod: &View<'s>) -> Self {
        let template = pod.at(&["metadata", "annotations", "inject.istio.io/templates"]);
        let mut is_gateway = template.is_some_and(|own| own.text().is_none_or(|own| own.contains("gateway")));
        for container in pod.get("spec").map(|spec| spec.list("containers")).unwrap_or_default() {
            is_gateway |= container.list("args").iter().any(|argument| argument.text() == Some("router"));
            is_gateway |= container.get("image").and_then(|image| image.text()) == Some("auto");
        }
        let labels = pod.at(&["metadata", "labels"]).map(|own| labels(&own)).unwrap_or_default();
        Self { namespace, labels, is_gateway }
    }
}

/// Whether the second has all labels of the first.
fn is_within(few: &Labels, many: &Labels) -> bool {
    few.iter().all(|(name, value)| many.get(name) == Some(value))
}
