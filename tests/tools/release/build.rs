//! How the release was built, as an in-toto statement with a SLSA predicate: <https://slsa.dev/spec/v1.0/provenance>.

use crate::lock::checksums;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::error::Error;
use std::process::Command;
use std::{env, fs};

/// What the predicate of a statement is.
pub const PREDICATE: &str = "https://slsa.dev/provenance/v1";
/// The steps of the build, in words.
const BUILD_TYPE: &str = "pkg:generic/scopegate#.ci/release";
/// The builder where none is named.
const UNNAMED: &str = "urn:scopegate:unnamed-builder";
/// What is pinned of Zig, the linker.
const ZIG: &str = "tests/tools/zig/requirements.txt";

/// How this tree was built.
pub struct Build {
    builder: String,
    parameters: Value,
    compiler: Value,
    host: String,
    materials: Vec<Value>,
}

impl Build {
    /// What this machine, this tree and the environment say.
    ///
    /// `BUILDER` is a URI of who builds, `SOURCE` the address of the repository, `NATIVE_ARCHITECTURES` what make was told.
    ///
    /// # Errors
    /// When a file of the tree cannot be read, or there is no compiler.
    pub fn here(version: &str) -> Result<Self, Box<dyn Error>> {
        let compiler = facts(&said("rustc", &["-vV"]).ok_or("rustc -vV says nothing")?);
        let fact = |name: &str| compiler.get(name).cloned().unwrap_or_default();
        let release = fact("release");
        let architectures = given("NATIVE_ARCHITECTURES").unwrap_or_default();
        let mut materials = vec![source(version)];
        materials.push(json!({
            "name": "rustc",
            "uri": format!("pkg:generic/rust@{release}"),
            "digest": { "gitCommit": fact("commit-hash") },
        }));
        for pinned in read(ZIG)?.lines().filter_map(|line| line.split_once("==")) {
            materials.push(json!({ "uri": format!("pkg:pypi/{}@{}", pinned.0, pinned.1) }));
        }
        for ((name, version), checksum) in checksums(&read("Cargo.lock")?) {
            let uri = format!("pkg:cargo/{name}@{version}");
            materials.push(json!({ "uri": uri, "digest": { "sha256": checksum } }));
        }
        Ok(Self {
            builder: given("BUILDER").unwrap_or_else(|| UNNAMED.to_owned()),
            parameters: json!({
                "command": ["make", "dist"],
                "version": version,
                "variables": { "NATIVE_ARCHITECTURES": architectures },
            }),
            host: fact("host"),
            compiler: json!({ "rustc": release, "llvm": fact("LLVM version") }),
            materials,
        })
    }

    /// The statement about these subjects: name and SHA-256.
    pub fn statement(&self, subjects: &[(String, String)]) -> Value {
        let subject = |(name, digest): &(String, String)| json!({ "name": name, "digest": { "sha256": digest } });
        json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": subjects.iter().map(subject).collect::<Vec<_>>(),
            "predicateType": PREDICATE,
            "predicate": {
                "buildDefinition": {
                    "buildType": BUILD_TYPE,
                    "externalParameters": self.parameters,
                    "internalParameters": { "host": self.host },
                    "resolvedDependencies": self.materials,
                },
                "runDetails": { "builder": { "id": self.builder, "version": self.compiler } },
            },
        })
    }
}

/// The sources: their commit, and whether the tree differs from it.
fn source(version: &str) -> Value {
    let address = given("SOURCE").map(|address| format!("git+{address}"));
    let uri = address.unwrap_or_else(|| format!("pkg:generic/scopegate@{version}"));
    let Some(commit) = said("git", &["rev-parse", "HEAD"]) else {
        return json!({ "name": "source", "uri": uri, "annotations": { "commit": "unknown: not a git repository" } });
    };
    // A tree whose state is not known counts as changed.
    let changed = said("git", &["status", "--porcelain"]).is_none_or(|lines| !lines.is_empty());
    json!({
        "name": "source",
        "uri": uri,
        "digest": { "gitCommit": commit },
        "annotations": { "modified": changed },
    })
}

/// A variable of the environment that is not empty.
fn given(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))
}

/// What a program prints, if it succeeds.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// Lines `name: value`.
fn facts(text: &str) -> BTreeMap<String, String> {
    let pairs = text.lines().filter_map(|line| line.split_once(": "));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
