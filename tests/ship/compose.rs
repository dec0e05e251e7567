//! The files for docker-compose: what they name exists, what listens does so on the loopback address, and nothing is open in
//! a container that need not be.

use crate::support::envoy::root;
use crate::support::yaml;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

const FILES: [&str; 2] = ["envoy/docker-compose.yaml", "envoy/fleet/docker-compose.yaml"];

/// A service, with what it merges (`<<`) and extends.
struct Service {
    name: String,
    /// The folder that its paths start from.
    folder: PathBuf,
    is: Map<String, Value>,
}

fn merged(value: &Value) -> Map<String, Value> {
    let mut own = value.as_object().unwrap().clone();
    let Some(base) = own.remove("<<") else { return own };
    let mut whole = merged(&base);
    whole.extend(own);
    whole
}

fn services(file: &str) -> Vec<Service> {
    let path = root().join(file);
    let document = yaml::documents(&path).remove(0);
    let of_file = document["services"].as_object().unwrap().iter();
    let read = |(name, value): (&String, &Value)| {
        let folder = path.parent().unwrap().to_owned();
        let is = merged(value);
        let Some(extended) = is.get("extends") else { return Service { name: name.clone(), folder, is } };
        let other = folder.join(extended["file"].as_str().unwrap()).canonicalize().unwrap();
        let other = other.strip_prefix(root()).unwrap().to_str().unwrap();
        services(other).into_iter().find(|service| service.name == extended["service"]).unwrap()
    };
    of_file.map(read).collect()
}

fn texts(value: Option<&Value>) -> Vec<&str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// What a variable of the shell stands for where it is not set: `${NAME:-this}`.
fn by_default(text: &str) -> String {
    let Some((before, rest)) = text.split_once("${") else { return text.to_owned() };
    let (variable, after) = rest.split_once('}').unwrap();
    let default = variable.split_once(":-").unwrap_or_else(|| panic!("no default: {text}")).1;
    format!("{before}{default}{after}")
}

/// The files and folders of this machine that a service mounts, each with its place in the container.
fn mounts(service: &Service) -> Vec<(PathBuf, String)> {
    let of_service = texts(service.is.get("volumes")).into_iter().map(by_default);
    let from_here = of_service.filter(|volume| volume.starts_with('.'));
    let parts = from_here.map(|volume| {
        let (source, rest) = volume.split_once(':').unwrap();
        let place = rest.strip_suffix(":ro").unwrap_or_else(|| panic!("{}: {volume} can be written to", service.name));
        (service.folder.join(source), place.to_owned())
    });
    parts.collect()
}

#[test]
fn every_file_that_is_mounted_built_or_read_exists() {
    let mut read = 0;
    for service in FILES.into_iter().flat_map(services) {
        let name = &service.name;
        let mounts = mounts(&service);
        for (source, _) in &mounts {
            // `make compose` makes the module.
            assert!(source.exists() || source.ends_with("target/scopegate.wasm"), "{name}: {}", source.display());
        }
        if let Some(folder) = service.is.get("build") {
            assert!(service.folder.join(folder.as_str().unwrap()).join("Dockerfile").exists(), "{name}");
        }
        // The files that its program is told to read are among those mounted.
        let ends = [".yaml", ".mjs", ".json", ".conf"];
        let words = texts(service.is.get("command")).into_iter();
        for word in words.filter(|word| ends.iter().any(|end| word.ends_with(end))) {
            let path = word.rsplit('=').next().unwrap();
            let is_there = |(source, place): &(PathBuf, String)| {
                path.strip_prefix(place.as_str()).is_some_and(|rest| {
                    if rest.is_empty() { source.is_file() } else { source.join(rest.trim_start_matches('/')).is_file() }
                })
            };
            assert!(mounts.iter().any(is_there), "{name}: {path} is not mounted");
            read += 1;
        }
    }
    assert_eq!(read, 9);
}

#[test]
fn every_container_is_closed_and_what_it_publishes_is_on_the_loopback_address() {
    for service in FILES.into_iter().flat_map(services) {
        let (name, is) = (&service.name, &service.is);
        assert_eq!(is.get("read_only"), Some(&json!(true)), "{name}");
        assert_eq!(is.get("cap_drop"), Some(&json!(["ALL"])), "{name}");
        assert_eq!(is.get("security_opt"), Some(&json!(["no-new-privileges:true"])), "{name}");
        let user = is.get("user").and_then(Value::as_str).unwrap_or_else(|| panic!("{name} has no user"));
        assert!(user != "root" && !user.starts_with('0'), "{name}: {user}");
        let (_, tag) = is["image"].as_str().unwrap().split_once(':').unwrap_or_else(|| panic!("{name}: no version"));
        assert!(tag == "local" || tag.contains(|digit: char| digit.is_ascii_digit()), "{name}: {tag}");
        for port in texts(is.get("ports")).into_iter().map(by_default) {
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port}");
            assert!(!["9901", "9902"].iter().any(|admin| port.ends_with(admin)), "{name} publishes {port}");
        }
        assert!(is.contains_key("healthcheck"), "{name}");
    }
}

#[test]
fn prometheus_starts_only_if_its_profile_is_asked_for_and_reads_the_alerts() {
    let services = services(FILES[0]);
    let with_profile: Vec<(&str, Vec<&str>)> =
        services.iter().map(|service| (service.name.as_str(), texts(service.is.get("profiles")))).collect();
    let none = Vec::new;
    let wanted = [("envoy", none()), ("issuer", none()), ("prometheus", vec!["prometheus"]), ("upstream", none())];
    let mut sorted = with_profile;
    sorted.sort();
    assert_eq!(sorted, wanted);
    let file = root().join("envoy/prometheus/prometheus.yaml");
    let rules = yaml::documents(&file).remove(0)["rule_files"].take();
    assert_eq!(rules, json!(["alerts.yaml"]));
    assert!(file.with_file_name("alerts.yaml").exists());
}
