//! The resources for Istio and Envoy Gateway, against their schemas, and against each other.

use super::{folder, refused, validate};
use crate::support::envoy::root;
use crate::support::yaml;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The YAML files in these folders of `envoy`.
fn files() -> Vec<PathBuf> {
    let entries = ["istio", "gateway"].map(|folder| fs::read_dir(root().join("envoy").join(folder)).unwrap());
    let mut files: Vec<PathBuf> = entries.into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

pub fn checked(files: &[PathBuf]) -> BTreeMap<String, Vec<String>> {
    let mut arguments = vec!["resources"];
    arguments.extend(files.iter().map(|file| file.to_str().unwrap()));
    let printed = String::from_utf8(validate(&arguments, b"").stdout).unwrap();
    let mut kinds: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in printed.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [_, kind, by] = words[..] else { panic!("{line}") };
        kinds.entry(kind.to_owned()).or_default().push(by.to_owned());
    }
    kinds
}

#[test]
fn every_resource_fits_the_schema_that_is_published_or_else_ours() {
    let kinds = checked(&files());
    for (kind, number, by) in [
        ("WasmPlugin", 2, "published+own"),
        ("TrafficExtension", 2, "own"),
        ("EnvoyFilter", 2, "published"),
        ("ServiceEntry", 1, "published"),
        ("DestinationRule", 1, "published"),
        ("EnvoyExtensionPolicy", 3, "own"),
        ("EnvoyProxy", 2, "own"),
        ("ClientTrafficPolicy", 1, "own"),
        ("HTTPRoute", 1, "published"),
    ] {
        assert_eq!(kinds.get(kind), Some(&vec![by.to_owned(); number]), "{kind}: {kinds:?}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    for (file, from, to) in [
        ("istio/gateway.wasmplugin.yaml", "failStrategy: FAIL_RELOAD", "failStrategy: FAIL_RELOADED"),
        ("istio/gateway.wasmplugin.yaml", "pluginName:", "plugin_name:"),
        ("istio/gateway.wasmplugin.yaml", "  url:", "  selector: {matchLabels: {app: a}}\n  url:"),
        ("istio/gateway.trafficextension.yaml", "    pluginName:", "    rootID:"),
        ("istio/gateway.trafficextension.yaml", "phase: AUTHN", "phase: AUTH"),
        ("istio/sidecar.trafficextension.yaml", "  wasm:", "  lua: {inlineCode: x}\n  wasm:"),
        ("istio/sidecar.trafficextension.yaml", "mode: SERVER", "mode: INBOUND"),
        ("istio/route-metadata.yaml", "operation: MERGE", "operation: MELD"),
        ("istio/issuer.yaml", "mode: SIMPLE", "mode: PLAIN"),
        ("gateway/gateway.yaml", "rootID:", "rootId:"),
        ("gateway/gateway.yaml", "type: Image", "type: HTTP"),
        ("gateway/route.yaml", "kind: HTTPRoute, name", "kind: Route, name"),
        ("gateway/issuer.yaml", "type: JSONPatch", "type: Merge"),
        ("gateway/native.yaml", "filterName:", "filter_name:"),
        ("gateway/native.yaml", "type: Local ", "type: Remote "),
        ("gateway/native.yaml", "  dynamicModule:", "  dynamicModules:"),
    ] {
        let text = fs::read_to_string(root().join("envoy").join(file)).unwrap();
        let wrong = text.replace(from, to);
        assert_ne!(text, wrong, "{file}: {from}");
        let path = folder("wrong").join("wrong.yaml");
        fs::write(&path, wrong).unwrap();
        assert!(refused(&["resources", path.to_str().unwrap()]), "{file}: {to}");
    }
}

#[test]
fn what_is_there_as_a_comment_fits_too() {
    for (file, secret) in [
        ("istio/gateway.wasmplugin.yaml", "imagePullSecret: registry"),
        ("gateway/gateway.yaml", "pullSecretRef: {name: registry}"),
    ] {
        let mut text = fs::read_to_string(root().join("envoy").join(file)).unwrap();
        for (from, to) in [("sha256: \"…\"", format!("sha256: \"{}\"", "0".repeat(64))), (secret, secret.to_owned())]
        {
            let commented = format!("# {from}");
            assert!(text.contains(&commented), "{file}: {commented}");
            text = text.replace(&commented, &to);
        }
        let path = folder("uncommented").join("resource.yaml");
        fs::write(&path, text).unwrap();
        checked(&[path]);
    }
}

fn resources(file: &str) -> Vec<Value> {
    yaml::documents(&root().join("envoy").join(file))
}

#[test]
fn both_kinds_of_istio_resource_say_the_same() {
    for place in ["gateway", "sidecar"] {
        let plugin = &resources(&format!("istio/{place}.wasmplugin.yaml"))[0]["spec"];
        let extension = &resources(&format!("istio/{place}.trafficextension.yaml"))[0]["spec"];
        for name in ["selector", "targetRefs", "match", "phase"] {
            assert_eq!(plugin[name], extension[name], "{place}: {name}");
        }
        for name in ["url", "imagePullPolicy", "pluginName", "failStrategy", "pluginConfig"] {
            assert_eq!(plugin[name], extension["wasm"][name], "{place}: {name}");
            assert!(!plugin[name].is_null(), "{place}: {name}");
        }
    }
}

#[test]
fn the_issuers_cluster_has_the_name_that_istio_gives_it() {
    let entry = &resources("istio/issuer.yaml")[0]["spec"];
    let name = format!("outbound|{}||{}", entry["ports"][0]["number"], entry["hosts"][0].as_str().unwrap());
    let rule = &resources("istio/issuer.yaml")[1]["spec"];
    assert_eq!(rule["host"], entry["hosts"][0]);
    for place in ["gateway", "sidecar"] {
        let plugin = &resources(&format!("istio/{place}.wasmplugin.yaml"))[0];
        assert_eq!(plugin["spec"]["pluginConfig"]["issuers"][0]["jwks"]["cluster"], name);
    }
    let cluster = &resources("gateway/issuer.yaml")[0]["spec"]["bootstrap"]["jsonPatches"][0]["value"]["name"];
    for file in ["gateway/gateway.yaml", "gateway/route.yaml"] {
        let policy = resources(file).into_iter().find(|resource| resource["kind"] == "EnvoyExtensionPolicy").unwrap();
        assert_eq!(policy["spec"]["wasm"][0]["config"]["issuers"][0]["jwks"]["cluster"], *cluster, "{file}");
    }
}

#[test]
fn both_modules_have_one_configuration_in_the_examples() {
    let policy = |file: &str, list: &str| {
        let found = resources(file).into_iter().find(|resource| resource["kind"] == "EnvoyExtensionPolicy").unwrap();
        found["spec"][list][0]["config"].clone()
    };
    assert_eq!(policy("gateway/native.yaml", "dynamicModule"), policy("gateway/gateway.yaml", "wasm"));
    let cluster = |file: &str| resources(file)[0]["spec"]["bootstrap"].clone();
    assert_eq!(cluster("gateway/native.yaml"), cluster("gateway/issuer.yaml"));
    let filters = |file: &str, field: &str| {
        let chain =
            &resources(file)[0]["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
        let filter =
            chain["http_filters"].as_array().unwrap().iter().find(|filter| filter["name"] == "scopegate").unwrap();
        let config = &filter["typed_config"];
        let holder = if field == "filter_config" { config } else { &config["config"] };
        holder[field]["value"].clone()
    };
    let mut wasm = filters("envoy.yaml", "configuration");
    // Envoy's ABI takes text alone.
    assert!(wasm.as_object_mut().unwrap().remove("audit").is_some());
    assert_eq!(filters("native.yaml", "filter_config"), wasm);
}

#[test]
fn every_example_passes_scopegate_check() {
    let binary = Path::new(env!("CARGO_BIN_EXE_scopegate"));
    let run = |files: &[&str]| {
        let mut command = std::process::Command::new(binary);
        command.arg("check").args(files).current_dir(root().join("envoy")).output().unwrap()
    };
    let check = |files: &[&str]| {
        let output = run(files);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.contains("no problems found"), "{files:?}: {text} {output:?}");
    };
    check(&["envoy.yaml"]);
    check(&["mcp.yaml"]);
    check(&["quotas.yaml"]);
    check(&["events.yaml"]);
    check(&["dynamic/envoy.yaml", "dynamic/routes.yaml", "dynamic/scopegate.yaml"]);
    // They say of themselves that they fetch keys in plain text, between containers; the fleet's clients are no browsers.
    for (file, found) in [("compose/envoy.yaml", "1 warning"), ("fleet/compose/envoy.yaml", "2 warnings")] {
        let output = run(&[file]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.ends_with(&format!("\n0 errors, {found}\n")), "{text} {output:?}");
        assert!(text.contains("warning[keys-in-plain-text]"), "{text}");
        assert_eq!(text.contains("warning[no-cors-before]"), file.starts_with("fleet/"), "{text}");
    }
    for place in ["gateway", "sidecar"] {
        check(&[&format!("istio/{place}.wasmplugin.yaml")]);
        check(&[&format!("istio/{place}.trafficextension.yaml")]);
    }
    let issuers: Vec<PathBuf> =
        fs::read_dir(root().join("envoy/issuers")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(issuers.len(), 10, "{issuers:?}");
    for file in issuers {
        check(&[file.to_str().unwrap()]);
        let cases = format!("tests/decisions/cases/issuer-{}", file.file_name().unwrap().to_string_lossy());
        assert!(root().join(&cases).exists(), "tokens of its shape stand in {cases}");
    }
    check(&["gateway/gateway.yaml"]);
    check(&["gateway/route.yaml"]);
    // The native module says of itself that it has no sandbox.
    for file in ["native.yaml", "gateway/native.yaml"] {
        let text = String::from_utf8_lossy(&run(&[file]).stdout).into_owned();
        assert!(text.contains("warning[no-sandbox]") && text.ends_with("\n0 errors, 1 warning\n"), "{file}: {text}");
    }
}
