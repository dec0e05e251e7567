//! Files that Kubernetes mounts from a `ConfigMap` or a `Secret`: a change takes effect only where Envoy hears of it.
//!
//! The kubelet links the files of a mounted map into a folder, and swaps a link to that folder. Envoy watches a file for
//! another one that is moved over it, and that never happens there; with `watched_directory` it watches for the swap. A file
//! that is mounted by `subPath` is never changed at all.

use super::Findings;
use crate::cli::source::{Source, View};
use crate::config::METADATA_NAMESPACE;

const RULE: &str = "change-not-seen";

/// A `ConfigMap` or a `Secret` in the files.
struct Map<'s> {
    kind: &'s str,
    name: &'s str,
    /// The names of its files.
    files: Vec<&'s str>,
    /// Whether one of them is about the gate.
    is_ours: bool,
}

/// Checks what Envoy watches, and how workloads mount it.
pub(super) fn check(sources: &[Source], findings: &mut Findings) {
    let documents =
        || sources.iter().flat_map(|source| source.documents.iter().map(move |document| (source, document)));
    let maps: Vec<Map<'_>> = documents().filter_map(|(_, document)| map(&document.root())).collect();
    if maps.is_empty() {
        return;
    }
    for (source, document) in documents() {
        let root = document.root();
        for holder in root.holders("path_config_source") {
            let Some(own) = holder.get("path_config_source") else { continue };
            let Some(path) = own.get("path").filter(|_| own.get("watched_directory").is_none()) else { continue };
            let (folder, file) = path.text().unwrap_or_default().rsplit_once('/').unwrap_or_default();
            let Some(map) = maps.iter().find(|map| map.files.contains(&file)) else { continue };
            let what = format!(
                "is a file of the {} {}, which Kubernetes changes in a way that Envoy does not see: the old one stays in force",
                map.kind, map.name
            );
            findings.warn(RULE, &source.file, &path, what, &format!("add watched_directory: {{path: {folder}}}"));
        }
        for mount in mounts_by_path(&root, &maps) {
            let what =
                "mounts a single file, which Kubernetes never changes: the old one stays in force until the pod ends";
            findings.warn(RULE, &source.file, &mount, what, "mount the whole folder, without subPath");
        }
    }
}

/// The `ConfigMap` or `Secret` that a document is.
fn map<'s>(root: &View<'s>) -> Option<Map<'s>> {
    let kind = root.get("kind")?.text()?;
    let member = match kind {
        "ConfigMap" => "data",
        "Secret" => "stringData",
        _ => return None,
    };
    let files = root.get(member)?.members();
    let is_ours = files.iter().any(|(_, view)| view.text().is_some_and(|text| text.contains(METADATA_NAMESPACE)));
    let name = root.at(&["metadata", "name"])?.text()?;
    Some(Map { kind, name, files: files.into_iter().map(|(name, _)| name).collect(), is_ours })
}

/// The mounts of a workload by `subPath`, of maps with the gate's files.
fn mounts_by_path<'s>(root: &View<'s>, maps: &[Map<'_>]) -> Vec<View<'s>> {
    let Some(pod) = pod(root) else { return Vec::new() };
    let is_mapped = |volume: &View<'_>| {
        let projected = volume.at(&["projected", "sources"]).map(|view| view.items()).unwrap_or_default();
        let mut names = std::iter::once(volume.clone()).chain(projected).filter_map(|from| map_of(&from));
        names.any(|name| maps.iter().any(|map| map.is_ours && map.name == name))
    };
    let volumes: Vec<&str> =
        pod.list("volumes").into_iter().filter(is_mapped).filter_map(|volume| volume.name()).collect();
    let containers = pod.list("containers").into_iter().chain(pod.list("initContainers"));
    let mounts = containers.flat_map(|container| container.list("volumeMounts"));
    let ours = mounts.filter(|mount| mount.name().is_some_and(|name| volumes.contains(&name)));
    ours.filter_map(|mount| mount.get("subPath").or_else(|| mount.get("subPathExpr"))).collect()
}

/// The name of the map that a volume, or a source of a projected one, has its files from.
fn map_of<'s>(volume: &View<'s>) -> Option<&'s str> {
    let paths: [&[&str]; 3] = [&["configMap", "name"], &["secret", "secretName"], &["secret", "name"]];
    paths.iter().find_map(|path| volume.at(path)?.text())
}

/// The specification of the pods of a workload.
pub(super) fn pod<'s>(root: &View<'s>) -> Option<View<'s>> {
    match root.get("kind")?.text()? {
        "Pod" => root.get("spec"),
        "Deployment" | "DaemonSet" | "StatefulSet" | "ReplicaSet" | "Job" => root.at(&["spec", "template", "spec"]),
        _ => None,
    }
}
