//! What `make dist` adds to what it has built: provenance, what is attached to the images, notes and checksums.

use super::image::{blob, images, json};
use super::{digest, finish, folder, notes, run};
use crate::support::envoy::root;
use crate::support::tools::tool;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const VERSION: &str = "1.2.3";
const PREDICATE: &str = "https://slsa.dev/provenance/v1";

/// The tool, in the root of the project, with this key.
pub fn release(key: Option<&Path>) -> Command {
    let mut release = tool("release");
    release.current_dir(root()).env("SIGNING_KEY", key.unwrap_or(Path::new("")));
    release.env("BUILDER", "https://ci.example.com/builders/one").env("SOURCE", "https://git.example.com/scopegate");
    release.env("NATIVE_ARCHITECTURES", "x86_64");
    release
}

/// A release with two files and both images, and the layout of its images.
pub fn made(name: &str, key: Option<&Path>) -> (PathBuf, PathBuf) {
    let (layout, _) = images(name);
    let dist = folder(&format!("{name}-dist"));
    fs::write(dist.join("scopegate.wasm"), "a module").unwrap();
    fs::write(dist.join("quickstart.sh"), "a script").unwrap();
    run(release(key).arg("images").args([&layout, &dist]).arg(VERSION), b"");
    run(release(key).arg("files").arg(&dist).arg(VERSION), b"");
    (dist, layout)
}

/// The files of a folder: name and content.
pub fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

/// What git says here, if this is a repository.
fn git(arguments: &[&str]) -> Option<String> {
    let output = finish(Command::new("git").args(arguments).current_dir(root()), b"");
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[test]
fn the_provenance_has_every_file_and_what_it_was_built_of_by_whom() {
    let (dist, _) = made("provenance", None);
    let statement = json(&dist.join("scopegate.provenance.json"));
    assert_eq!(
        (statement["_type"].as_str(), statement["predicateType"].as_str()),
        (Some("https://in-toto.io/Statement/v1"), Some(PREDICATE))
    );
    let subjects = statement["subject"].as_array().unwrap();
    let told: BTreeMap<&str, &str> = subjects
        .iter()
        .map(|subject| (subject["name"].as_str().unwrap(), subject["digest"]["sha256"].as_str().unwrap()))
        .collect();
    let mut files = contents(&dist);
    assert!(files.remove("scopegate.provenance.json").is_some() && files.remove("SHA256SUMS").is_some());
    let digests: BTreeMap<String, String> = files.iter().map(|(name, bytes)| (name.clone(), digest(bytes))).collect();
    assert_eq!(told, digests.iter().map(|(name, digest)| (name.as_str(), digest.as_str())).collect());

    let (definition, details) = (&statement["predicate"]["buildDefinition"], &statement["predicate"]["runDetails"]);
    assert_eq!(details["builder"]["id"], "https://ci.example.com/builders/one");
    assert_eq!(definition["buildType"], "pkg:generic/scopegate#.ci/release");
    assert!(root().join(".ci/release").exists(), "the build type names it");
    assert_eq!(definition["externalParameters"]["variables"]["NATIVE_ARCHITECTURES"], "x86_64");
    assert_eq!(definition["externalParameters"]["version"], VERSION);

    let materials = definition["resolvedDependencies"].as_array().unwrap();
    assert_eq!(materials[0]["uri"], "git+https://git.example.com/scopegate");
    assert_eq!(materials[0]["digest"]["gitCommit"].as_str().map(str::to_owned), git(&["rev-parse", "HEAD"]));
    if let Some(status) = git(&["status", "--porcelain"]) {
        assert_eq!(materials[0]["annotations"]["modified"], !status.is_empty());
    }
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    let checksums: Vec<&str> = lock.lines().filter_map(|line| line.strip_prefix("checksum = ")).collect();
    let in_it = |checksum: &str| materials.iter().any(|material| material["digest"]["sha256"] == checksum);
    assert!(checksums.len() > 100 && checksums.iter().all(|checksum| in_it(checksum.trim_matches('"'))));
    let named =
        |uri: &str| materials.iter().any(|material| material["uri"].as_str().is_some_and(|own| own.starts_with(uri)));
    assert!(named("pkg:generic/rust@1.95.0") && named("pkg:pypi/ziglang@") && named("pkg:cargo/walrus@"));
}

#[test]
fn the_checksums_are_those_of_all_files_and_the_same_input_gives_the_same_release() {
    let (dist, layout) = made("checksums", None);
    run(Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(&dist), b"");
    let lines = fs::read_to_string(dist.join("SHA256SUMS")).unwrap();
    assert_eq!(lines.lines().count(), contents(&dist).len() - 1, "{lines}");
    let (again, other) = made("checksums-again", None);
    assert_eq!(contents(&dist), contents(&again));
    assert_eq!(json(&layout.join("index.json")), json(&other.join("index.json")));
    assert_eq!(contents(&layout.join("blobs/sha256")), contents(&other.join("blobs/sha256")));
}

/// The manifests that refer to an image: tag, manifest, and the bytes of the layer.
pub fn referrers(layout: &Path, subject: &Value) -> Vec<(String, Value, Vec<u8>)> {
    let index = json(&layout.join("index.json"));
    let mut found = Vec::new();
    for descriptor in index["manifests"].as_array().unwrap() {
        let manifest: Value = serde_json::from_slice(&blob(layout, descriptor)).unwrap();
        assert_eq!(descriptor["artifactType"], manifest["artifactType"]);
        if manifest["subject"]["digest"] != subject["digest"] {
            continue;
        }
        // OCI image 1.1: an artifact without a configuration.
        assert_eq!(manifest["config"]["mediaType"], "application/vnd.oci.empty.v1+json");
        assert_eq!(blob(layout, &manifest["config"]), b"{}");
        assert_eq!(blob(layout, &manifest["subject"]), blob(layout, subject));
        assert_eq!(manifest["layers"].as_array().unwrap().len(), 1);
        let tag = descriptor["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap().to_owned();
        let layer = blob(layout, &manifest["layers"][0]);
        found.push((tag, manifest, layer));
    }
    found
}

/// The images of a layout, which refer to nothing.
pub fn subjects(layout: &Path) -> Vec<Value> {
    let index = json(&layout.join("index.json"));
    index["manifests"].as_array().unwrap().iter().filter(|entry| entry.get("artifactType").is_none()).cloned().collect()
}

#[test]
fn each_image_keeps_its_digest_and_is_the_subject_of_its_provenance() {
    let (_, printed) = images("before");
    let (_, layout) = made("attached", None);
    let subjects = subjects(&layout);
    assert_eq!(subjects.len(), 2);
    for subject in subjects {
        let tag = subject["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap();
        let digest = subject["digest"].as_str().unwrap();
        assert!(printed.contains(&format!("scopegate:{tag}, {digest}\n")), "{printed}");
        let referrers = referrers(&layout, &subject);
        let [(name, manifest, layer)] = referrers.as_slice() else { panic!("{referrers:?}") };
        assert_eq!(*name, format!("{tag}-provenance"));
        assert_eq!(manifest["artifactType"], "application/vnd.in-toto+json");
        assert_eq!(manifest["annotations"]["in-toto.io/predicate-type"], PREDICATE);
        let statement: Value = serde_json::from_slice(layer).unwrap();
        assert_eq!(statement["predicateType"], PREDICATE);
        assert_eq!(statement["subject"][0]["name"], format!("scopegate:{tag}"));
        assert_eq!(format!("sha256:{}", statement["subject"][0]["digest"]["sha256"].as_str().unwrap()), digest);
        assert_eq!(statement["subject"].as_array().unwrap().len(), 1);
    }
    let again = finish(release(None).arg("images").args([&layout, &layout]).arg(VERSION), b"");
    assert!(!again.status.success(), "nothing is attached twice");
}

#[test]
fn without_a_key_a_release_says_that_it_is_not_signed() {
    let (dist, _) = made("unsigned", None);
    let notes = fs::read_to_string(dist.join("RELEASE-NOTES.md")).unwrap();
    assert!(notes.contains("**It is not signed.**"), "{notes}");
    assert!(!contents(&dist).keys().any(|name| name.ends_with(".sigstore.json") || name == "scopegate.pub"));
    let printed = run(release(None).arg("files").arg(&dist).arg(VERSION), b"").stdout;
    assert!(String::from_utf8(printed).unwrap().contains("NOT SIGNED"));
}

#[test]
fn the_notes_are_the_section_of_the_version_or_else_say_that_it_is_no_release() {
    let changelog = "# Changelog\n\n## [Unreleased]\n\n- new\n\n## [1.2.3] - 2026-12-01\n\n- a line\n\n### More\n\n- b\n\n## [1.2.2]\n\n- old\n";
    let released = notes::of(changelog, "1.2.3", Some("HINT="), &|_| true).unwrap();
    assert!(
        released.starts_with("# Scopegate 1.2.3\n")
            && released.ends_with("## Changes\n\n- a line\n\n### More\n\n- b\n"),
        "{released}"
    );
    assert!(!released.contains("not a release") && released.contains("`HINT=`"), "{released}");
    let other = notes::of(changelog, "1.2", None, &|_| true).unwrap();
    assert!(other.contains("**This is not a release.**") && other.ends_with("## Changes\n\n- new\n"), "{other}");
    assert!(notes::of("# Changelog\n", "1.2.3", None, &|_| true).is_err());
    let some =
        notes::of(changelog, "1.2.3", None, &|name| !name.contains("aarch64") && !name.contains("musl")).unwrap();
    assert!(
        some.contains("| `libscopegate-x86_64-unknown-linux-gnu.so` | The native") && some.contains("|---|---|"),
        "{some}"
    );
    assert!(!some.contains("aarch64") && !some.contains("musl"), "what is not there is not named: {some}");
    // What .ci/released expects stands in the tables of files.
    let contributing = fs::read_to_string(root().join("CONTRIBUTING.md")).unwrap();
    let script = fs::read_to_string(root().join(".ci/released")).unwrap();
    let expected = script.split("expected=\"").nth(1).unwrap().split('"').next().unwrap();
    for name in expected.split_whitespace().filter(|name| !name.starts_with('$') && *name != "RELEASE-NOTES.md") {
        let named = name.ends_with(".cdx.json") || released.contains(&format!("`{name}`"));
        assert!(named, "{name} is not in the notes");
        let named = name.ends_with("-full.cdx.json") || contributing.contains(&format!("`{name}`"));
        assert!(named, "{name} is not in CONTRIBUTING.md");
    }
}
