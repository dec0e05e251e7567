//! What `scopegate migrate` makes of an old configuration: the program is run on it as a file of Envoy's.

use super::configurations::{Old, manager};
use super::explained::{Difference, explanation};
use crate::support::envoy::module;
use crate::support::xds::Folder;
use crate::support::yaml;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// What was written, and what was told of it.
pub(super) struct Translated {
    pub(super) listener: Value,
    pub(super) routes: Option<Value>,
    pub(super) findings: Vec<Finding>,
    /// Whether there is a new filter in the chain.
    pub(super) is_new: bool,
}

/// What is told of a part of the old configuration.
pub(super) struct Finding {
    pub(super) kind: String,
    /// The field and what is told of it, as one text.
    pub(super) told: String,
}

impl Translated {
    /// The route configuration, wherever it is.
    pub(super) fn routes(&mut self) -> &mut Value {
        self.routes.as_mut().unwrap_or_else(|| &mut manager(&mut self.listener)["route_config"])
    }

    /// The finding that tells of a difference.
    pub(super) fn explanation(&self, difference: &Difference<'_>) -> Option<String> {
        let found = explanation(&self.findings, difference)?;
        Some(format!("{}: {}", found.kind, found.told))
    }
}

/// Translates a configuration. Further arguments are handed to the program.
pub(super) fn translate(old: &Old, clusters: &[Value], files: &Folder, arguments: &[&str]) -> Translated {
    let mut listener = old.listener.clone();
    let (own, apart) = (format!("{}.migrated.json", old.name), format!("{}.migrated-routes.json", old.name));
    let mut named = vec![files.path(&own)];
    if let Some(routes) = &old.routes {
        let mut resource = routes.clone();
        resource["@type"] = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration".into();
        manager(&mut listener)["rds"] =
            json!({ "route_config_name": routes["name"], "config_source": files.source(&apart) });
        files.put(&apart, &[resource]);
        named.push(files.path(&apart));
    }
    files.put_text(&own, &json!({ "static_resources": { "listeners": [listener], "clusters": clusters } }).to_string());
    let folder = files.path(&format!("{}{}", old.name, arguments.concat()));
    let mut command = Command::new(env!("CARGO_BIN_EXE_scopegate"));
    command.arg("migrate").args(&named).args(["--format", "json", "--out", &folder]).args(arguments);
    command.arg("--module").arg(module());
    let output = command.output().unwrap();
    if String::from_utf8_lossy(&output.stderr).contains("no connection manager with") {
        let (listener, routes) = (old.listener.clone(), old.routes.clone());
        return Translated { listener, routes, findings: Vec::new(), is_new: false };
    }
    let told: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}: {}", old.name, String::from_utf8_lossy(&output.stderr)));
    let findings: Vec<Finding> = told["findings"].as_array().unwrap().iter().map(finding).collect();
    let is_loss = findings.iter().any(|finding| ["denied", "left_out"].contains(&finding.kind.as_str()));
    assert_eq!(output.status.code(), Some(if is_loss { 2 } else { 0 }), "{}: {told:#}", old.name);
    if !Path::new(&folder).join(&own).exists() {
        // Nothing of it could be carried over, and so nothing is written.
        let (listener, routes) = (old.listener.clone(), old.routes.clone());
        return Translated { listener, routes, findings, is_new: false };
    }
    let read = |name: &str| yaml::documents(&Path::new(&folder).join(name)).remove(0);
    let mut listener = read(&own)["static_resources"]["listeners"][0].clone();
    own_machine(&mut listener);
    let routes = old.routes.as_ref().map(|_| {
        let mut routes = read(&apart)["resources"][0].clone();
        routes.as_object_mut().unwrap().remove("@type");
        routes
    });
    Translated { listener, routes, findings, is_new: true }
}

fn finding(value: &Value) -> Finding {
    let text = |name: &str| value[name].as_str().unwrap_or_default();
    let told = format!("{} {}; {}", text("path"), text("what"), text("restore"));
    Finding { kind: text("kind").to_owned(), told }
}

/// One virtual machine serves all configurations.
fn own_machine(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if let Some(id) = members.get_mut("vm_config").and_then(|machine| machine.get_mut("vm_id")) {
                *id = "migrated".into();
            }
            members.values_mut().for_each(own_machine);
        }
        Value::Array(items) => items.iter_mut().for_each(own_machine),
        _ => {}
    }
}
