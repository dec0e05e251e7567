//! From what Cargo knows to a bill of materials.

use crate::hex::hex;
use crate::lock::checksums;
use hmac_sha256::Hash;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What the bill is of.
pub struct Made<'m> {
    /// `library` or `application`.
    pub kind: &'m str,
    /// The platform that it was built for.
    pub target: &'m str,
    /// The file itself.
    pub bytes: &'m [u8],
}

/// The bill of materials of what was `made`.
///
/// # Errors
/// When the metadata is not of the form that Cargo writes.
pub fn of(metadata: &Value, lock: &str, made: &Made<'_>, toolchain: &str) -> Result<Value, String> {
    let packages: BTreeMap<&str, &Value> =
        list(&metadata["packages"]).map(|package| (text(&package["id"]), package)).collect();
    let nodes: BTreeMap<&str, &Value> =
        list(&metadata["resolve"]["nodes"]).map(|node| (text(&node["id"]), node)).collect();
    let root = metadata["resolve"]["root"].as_str().ok_or("no root package")?;
    let checksums = checksums(lock);
    let reached = reached(root, &nodes);
    let package = |id: &str| packages.get(id).copied().ok_or_else(|| format!("no package {id}"));

    let mut components = vec![standard_library(toolchain)];
    let mut dependencies = Vec::new();
    for id in &reached {
        let found = package(id)?;
        let mut on: Vec<String> = Vec::new();
        for other in normal_dependencies(nodes.get(id).copied().unwrap_or(&Value::Null)) {
            on.push(purl(package(other)?));
        }
        on.sort_unstable();
        if *id == root {
            on.insert(0, reference(toolchain));
        } else {
            components.push(component(found, &checksums));
        }
        dependencies.push(json!({ "ref": purl(found), "dependsOn": on }));
    }
    let own = package(root)?;
    let digest = hex(&Hash::hash(made.bytes));
    Ok(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid(&digest),
        "version": 1,
        "metadata": {
            "component": {
                "type": made.kind,
                "bom-ref": purl(own),
                "name": own["name"],
                "version": own["version"],
                "description": own["description"],
                "purl": purl(own),
                "licenses": [{ "expression": own["license"] }],
                "hashes": [{ "alg": "SHA-256", "content": digest }],
            },
            "properties": [{ "name": "cargo:target", "value": made.target }],
        },
        "components": components,
        "dependencies": dependencies,
    }))
}

/// `root` and everything below it by dependencies that are neither for tests nor for build scripts.
fn reached<'m>(root: &'m str, nodes: &BTreeMap<&'m str, &'m Value>) -> BTreeSet<&'m str> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![root]);
    while let Some(id) = open.pop() {
        if reached.insert(id) {
            open.extend(nodes.get(id).copied().into_iter().flat_map(normal_dependencies));
        }
    }
    reached
}

fn normal_dependencies(node: &Value) -> impl Iterator<Item = &str> {
    let normal = |dependency: &&Value| list(&dependency["dep_kinds"]).any(|kind| kind["kind"].is_null());
    list(&node["deps"]).filter(normal).map(|dependency| text(&dependency["pkg"]))
}

fn component(package: &Value, checksums: &BTreeMap<(&str, &str), &str>) -> Value {
    let (name, version) = (text(&package["name"]), text(&package["version"]));
    // Macros run in the compiler: they made a part of the module and are none.
    let is_macro = list(&package["targets"]).any(|target| list(&target["kind"]).any(|kind| kind == "proc-macro"));
    let license = text(&package["license"]).replace('/', " OR ");
    let mut component = json!({
        "type": "library",
        "bom-ref": purl(package),
        "name": name,
        "version": version,
        "scope": if is_macro { "excluded" } else { "required" },
        "purl": purl(package),
        "licenses": [{ "expression": license }],
    });
    if let Some(checksum) = checksums.get(&(name, version)) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    component
}

fn standard_library(toolchain: &str) -> Value {
    json!({
        "type": "library",
        "bom-ref": reference(toolchain),
        "name": "rust-std",
        "version": toolchain,
        "scope": "required",
        "purl": reference(toolchain),
        "licenses": [{ "expression": "MIT OR Apache-2.0" }],
    })
}

fn reference(toolchain: &str) -> String {
    format!("pkg:generic/rust-std@{toolchain}")
}

fn purl(package: &Value) -> String {
    format!("pkg:cargo/{}@{}", text(&package["name"]), text(&package["version"]))
}

/// A name for this bill (RFC 9562, version 8) that follows from the module's digest.
fn uuid(digest: &str) -> String {
    let part = |from: usize, to: usize| digest.get(from..to).unwrap_or_default();
    format!("urn:uuid:{}-{}-8{}-8{}-{}", part(0, 8), part(8, 12), part(12, 15), part(15, 18), part(18, 30))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
