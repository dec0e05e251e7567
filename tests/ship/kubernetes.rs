//! The manifests of envoy/kubernetes, against the schemas of Kubernetes by version, and against each other.

use super::resources::checked;
use super::{folder, refused, validate};
use crate::support::envoy::root;
use crate::support::{python, yaml};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

/// The versions that deployment.yaml says it needs, of those whose schemas are published; and those before, for which it
/// names the other one.
const WITH_IMAGE_VOLUMES: [u32; 3] = [35, 36, 37];
const BEFORE: [u32; 6] = [29, 30, 31, 32, 33, 34];
/// The Deployment for clusters without image volumes.
const WITH_CONTAINER: &str = "init-container/deployment.yaml";

fn path(file: &str) -> PathBuf {
    root().join("envoy/kubernetes").join(file)
}

/// What `kubectl apply -f envoy/kubernetes` takes: no folder in it.
fn applied() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("envoy/kubernetes")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect();
    files.sort();
    files
}

fn manifests() -> Vec<PathBuf> {
    let mut files = applied();
    files.extend([WITH_CONTAINER, "tls/certificate.yaml"].map(path));
    files
}

/// The resource of that kind and name in a file.
fn resource(file: &str, kind: &str, name: &str) -> Value {
    let all = yaml::documents(&path(file));
    let found = all.into_iter().find(|resource| resource["kind"] == kind && resource["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("{file} has no {kind} {name}"))
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn every_manifest_fits_the_published_models() {
    let kinds = checked(&manifests());
    let wanted = [
        ("ConfigMap", 4),
        ("Deployment", 2),
        ("NetworkPolicy", 2),
        ("PodDisruptionBudget", 1),
        ("Role", 2),
        ("Service", 1),
        ("ServiceAccount", 1),
    ];
    let wanted = wanted.map(|(kind, number)| (kind.to_owned(), vec!["published".to_owned(); number]));
    assert_eq!(kinds, BTreeMap::from(wanted));
}

#[test]
fn what_no_kubernetes_takes_is_refused() {
    for (file, from, to) in [
        ("deployment.yaml", "replicas: 2", "replicas: two"),
        ("deployment.yaml", "        image:\n          reference: ", "        image: "),
        ("deployment.yaml", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: yes please"),
        ("deployment.yaml", "        - \"2\"", "        - 2"),
        (WITH_CONTAINER, "mountPath: /module", "path: /module"),
        ("network.yaml", "policyTypes: [Ingress]", "policyTypes: Ingress"),
        ("service.yaml", "maxUnavailable: 1", "maxUnavailable: [1]"),
        ("configuration.yaml", "  envoy.yaml: |", "  envoy.yaml:"),
    ] {
        let text = fs::read_to_string(path(file)).unwrap();
        let wrong = text.replacen(from, to, 1);
        assert_ne!(text, wrong, "{file}: {from}");
        let path = folder("wrong-manifest").join("wrong.yaml");
        fs::write(&path, wrong).unwrap();
        assert!(refused(&["resources", path.to_str().unwrap()]), "{file}: {to}");
    }
}

/// The folder with the strict schemas of a version of Kubernetes.
fn schemas(minor: u32) -> String {
    let library = python::binary().parent().unwrap().parent().unwrap().join("lib");
    let python = fs::read_dir(library).unwrap().map(|entry| entry.unwrap().path()).next().unwrap();
    let folder = python.join("site-packages/kubernetes_validate/kubernetes-json-schema");
    folder.join(format!("v1.{minor}.0-local-strict")).to_string_lossy().into_owned()
}

#[test]
#[ignore = "the schemas of all versions are in a Python package: make evidence-services"]
fn every_manifest_fits_the_schemas_of_the_versions_that_it_names() {
    let text = fs::read_to_string(path("deployment.yaml")).unwrap();
    assert!(text.contains(&format!("Kubernetes 1.{} and later", WITH_IMAGE_VOLUMES[0])));
    let all = manifests();
    let named = |wanted: &dyn Fn(&str) -> bool| -> Vec<&str> {
        all.iter().map(|path| path.to_str().unwrap()).filter(|path| wanted(path)).collect()
    };
    for minor in WITH_IMAGE_VOLUMES {
        let schemas = schemas(minor);
        let output = validate(&[&["kubernetes", &schemas], named(&|_| true).as_slice()].concat(), b"");
        assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 13, "1.{minor}");
    }
    for minor in BEFORE {
        let schemas = schemas(minor);
        let others = named(&|path| !path.ends_with("kubernetes/deployment.yaml"));
        validate(&[&["kubernetes", &schemas], others.as_slice()].concat(), b"");
    }
    // No field may be unknown: 1.30 has no image volumes.
    assert!(refused(&["kubernetes", &schemas(30), path("deployment.yaml").to_str().unwrap()]));
}

#[test]
fn one_command_applies_one_deployment() {
    let kinds = |path: &PathBuf| -> Vec<String> {
        yaml::documents(path).iter().map(|one| one["kind"].as_str().unwrap().to_owned()).collect()
    };
    let all: Vec<String> = applied().iter().flat_map(kinds).collect();
    assert_eq!(
        all.iter().filter(|kind| *kind == "Deployment").count(),
        1,
        "the second would take the place of the first"
    );
}

#[test]
fn both_deployments_differ_in_how_the_module_comes_and_in_nothing_else() {
    let with_volume = resource("deployment.yaml", "Deployment", "scopegate");
    let mut with_container = resource(WITH_CONTAINER, "Deployment", "scopegate");
    let pod = &mut with_container["spec"]["template"]["spec"];
    let init = pod.as_object_mut().unwrap().remove("initContainers").unwrap();
    let own = pod["volumes"].as_array_mut().unwrap().iter_mut().find(|volume| volume["name"] == "module").unwrap();
    assert!(own["emptyDir"].is_object(), "{own}");
    let volumes = with_volume["spec"]["template"]["spec"]["volumes"].as_array().unwrap();
    *own = volumes.iter().find(|volume| volume["name"] == "module").unwrap().clone();
    assert_eq!(with_container, with_volume);
    // What it copies is the file of the image (tests/ship/image.rs), to where Envoy looks for it.
    let [_, from, to] = texts(&init[0]["command"])[..] else { panic!("{init}") };
    assert_eq!((from, to), ("/plugin.wasm", "/module/plugin.wasm"));
    assert_eq!(init[0]["securityContext"], with_volume["spec"]["template"]["spec"]["containers"][0]["securityContext"]);
}

#[test]
fn every_image_is_pinned_or_says_how() {
    for file in ["deployment.yaml", WITH_CONTAINER] {
        let text = fs::read_to_string(path(file)).unwrap();
        let named = text.lines().filter(|line| !line.starts_with('#'));
        let images: Vec<&str> = named.filter(|line| line.contains("image: ") || line.contains("reference: ")).collect();
        assert_eq!(images.len(), 2, "{images:?}");
        assert!(images.iter().all(|line| line.contains("@sha256:")), "{images:?}");
    }
}

#[test]
fn names_labels_and_ports_fit_together() {
    let deployment = resource("deployment.yaml", "Deployment", "scopegate");
    let template = &deployment["spec"]["template"];
    let labels = &template["metadata"]["labels"];
    let container = &template["spec"]["containers"][0];
    let maps: BTreeSet<String> = yaml::documents(&path("configuration.yaml"))
        .iter()
        .map(|map| map["metadata"]["name"].as_str().unwrap().to_owned())
        .collect();
    let volumes = template["spec"]["volumes"].as_array().unwrap();
    let mounted = volumes.iter().filter_map(|volume| volume["configMap"]["name"].as_str().map(str::to_owned));
    assert_eq!(mounted.collect::<BTreeSet<_>>(), maps);
    let roles = yaml::documents(&path("roles.yaml"));
    assert!(roles.iter().all(|role| texts(&role["rules"][0]["resourceNames"]).iter().all(|name| maps.contains(*name))));

    let service = resource("service.yaml", "Service", "scopegate");
    let budget = resource("service.yaml", "PodDisruptionBudget", "scopegate");
    let policy = resource("network.yaml", "NetworkPolicy", "scopegate");
    let around = resource("network.yaml", "NetworkPolicy", "orders-through-the-gate");
    let from = &around["spec"]["ingress"][0]["from"];
    assert_eq!(from.as_array().unwrap().len(), 1, "two items would let every pod of the namespace in");
    for selected in [
        &deployment["spec"]["selector"]["matchLabels"],
        &service["spec"]["selector"],
        &budget["spec"]["selector"]["matchLabels"],
        &policy["spec"]["podSelector"]["matchLabels"],
        &from[0]["podSelector"]["matchLabels"],
    ] {
        assert_eq!(selected, labels);
    }
    let namespace = &from[0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"];
    assert_eq!(namespace, &deployment["metadata"]["namespace"]);

    let map = resource("configuration.yaml", "ConfigMap", "scopegate-envoy");
    let bootstrap = yaml::parse(map["data"]["envoy.yaml"].as_str().unwrap());
    let listeners = bootstrap["static_resources"]["listeners"].as_array().unwrap();
    let port = |view: &Value| view["address"]["socket_address"]["port_value"].as_u64().unwrap();
    let listened: BTreeSet<u64> = listeners.iter().map(port).collect();
    let ports = container["ports"].as_array().unwrap();
    assert_eq!(ports.iter().map(|port| port["containerPort"].as_u64().unwrap()).collect::<BTreeSet<_>>(), listened);
    let named = |name: &Value| ports.iter().find(|port| port["name"] == *name).unwrap()["containerPort"].clone();
    assert_eq!(named(&service["spec"]["ports"][0]["targetPort"]), 10000, "the Service leads to the gate alone");
    assert_eq!(service["spec"]["ports"].as_array().unwrap().len(), 1);
    let opened: Vec<&Value> = policy["spec"]["ingress"].as_array().unwrap().iter().map(|rule| &rule["ports"]).collect();
    assert_eq!(opened, [&json!([{ "protocol": "TCP", "port": 10000 }]), &json!([{ "protocol": "TCP", "port": 9902 }])]);
    assert_eq!(bootstrap["admin"]["address"]["socket_address"]["address"], "127.0.0.1");
}

#[test]
fn the_labels_of_the_metrics_and_the_settings_of_the_gate_are_those_of_envoy_yaml() {
    let shipped = yaml::documents(&root().join("envoy/envoy.yaml")).remove(0);
    let map = resource("configuration.yaml", "ConfigMap", "scopegate-envoy");
    let own = yaml::parse(map["data"]["envoy.yaml"].as_str().unwrap());
    assert_eq!(own["stats_config"], shipped["stats_config"]);
    let manager = |bootstrap: &Value| {
        bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"].clone()
    };
    let (mut own, mut shipped) = (manager(&own), manager(&shipped));
    for (bootstrap, removed) in [(&mut own, ["rds", "http_filters"]), (&mut shipped, ["route_config", "http_filters"])]
    {
        removed.iter().for_each(|name| assert!(bootstrap.as_object_mut().unwrap().remove(*name).is_some()));
    }
    assert_eq!(own, shipped);
}

#[test]
fn scopegate_check_sees_the_gate_in_the_config_maps_and_finds_nothing_wrong() {
    let check = |files: &[PathBuf]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_scopegate"));
        let output = command.arg("check").args(files).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    assert_eq!(check(&applied()), (true, "no problems found\n".to_owned()));
    assert_eq!(check(&[path("configuration.yaml")]), (true, "no problems found\n".to_owned()));
    let text = fs::read_to_string(path("configuration.yaml")).unwrap();
    for (from, to, told) in [
        ("FAIL_RELOAD", "FAIL_OPEN", "error[fails-open]"),
        ("scopes: [orders:write]", "scope: [orders:write]", "error[metadata]"),
        ("audiences:", "audience:", "error[configuration]"),
        ("cluster: idp}", "cluster: ipd}", "error[cluster-missing]"),
        ("address: 127.0.0.1, port_value: 9901", "address: 0.0.0.0, port_value: 9901", "warning[admin-reachable]"),
        ("watched_directory: {path: /etc/envoy/filter}", "", "warning[change-not-seen]"),
    ] {
        let path = folder("checked").join("configuration.yaml");
        let edited = text.replacen(from, to, 1);
        assert_ne!(edited, text, "{from}");
        fs::write(&path, &edited).unwrap();
        let (_, printed) = check(&[path]);
        assert!(printed.contains(told), "{to}: {printed}");
        if let Some(line) = edited.lines().position(|line| line.contains(to) && !to.is_empty()) {
            assert!(printed.contains(&format!("configuration.yaml:{}:", line + 1)), "{to}: {printed}");
        }
    }
}
