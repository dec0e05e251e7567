//! The image and the bill of materials, made as `make image` makes them, and read back as others read them.

use super::{digest, folder, run, validate};
use crate::support::envoy::{module, root};
use crate::support::tools::tool;
use flate2::read::GzDecoder;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

const TOOLCHAIN: &str = "1.95.0";

/// `scopegate-full.wasm`, which lies beside the other.
fn full() -> PathBuf {
    module().with_file_name("scopegate-full.wasm")
}

fn bill(module: &Path) -> Vec<u8> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", "wasm32-wasip1"]);
    let metadata = run(cargo.current_dir(root()), b"").stdout;
    let mut sbom = tool("sbom");
    run(sbom.arg(module).arg(root().join("Cargo.lock")).args([TOOLCHAIN, "wasm32-wasip1"]), &metadata).stdout
}

/// Makes the images in a folder of that name; the folder, and what the tool prints.
pub fn images(name: &str) -> (PathBuf, String) {
    let folder = folder(name);
    let layout = folder.join("layout");
    let mut image = tool("image");
    image.arg(&layout);
    for (tag, module) in [("1.2.3", module()), ("1.2.3-full", full())] {
        let file = folder.join(tag);
        fs::write(&file, bill(&module)).unwrap();
        image.arg(tag).arg(module).arg(file);
    }
    let printed = run(&mut image, b"").stdout;
    (layout, String::from_utf8(printed).unwrap())
}

pub fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// A blob, of which size and digest have to be those of its descriptor.
pub fn blob(layout: &Path, descriptor: &Value) -> Vec<u8> {
    let name = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    let bytes = fs::read(layout.join("blobs/sha256").join(name)).unwrap();
    assert_eq!(descriptor["size"], bytes.len());
    assert_eq!(digest(&bytes), name);
    bytes
}

/// The files in a layer: name and content.
fn files(layer: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(layer);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (entry.path().unwrap().to_string_lossy().into_owned(), bytes)
    });
    entries.collect()
}

fn unzipped(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}

#[test]
fn each_image_is_one_manifest_whose_last_layer_is_its_module() {
    let (layout, printed) = images("layout");
    assert_eq!(json(&layout.join("oci-layout"))["imageLayoutVersion"], "1.0.0");
    let index = json(&layout.join("index.json"));
    let manifests = index["manifests"].as_array().unwrap();
    assert_eq!(manifests.len(), 2);
    let mut named = 2;
    for (manifest, (tag, module)) in manifests.iter().zip([("1.2.3", module()), ("1.2.3-full", full())]) {
        // Istio takes a list of platforms for one that has to have its own.
        assert_eq!(manifest["mediaType"], "application/vnd.oci.image.manifest.v1+json");
        assert_eq!(manifest["annotations"]["org.opencontainers.image.ref.name"], tag);
        let line = format!("scopegate:{tag}, {}\n", manifest["digest"].as_str().unwrap());
        assert!(printed.contains(&line), "{printed}");
        let manifest: Value = serde_json::from_slice(&blob(&layout, manifest)).unwrap();
        let layers = manifest["layers"].as_array().unwrap();
        named += layers.len() + 1;
        for layer in layers {
            assert_eq!(layer["mediaType"], "application/vnd.oci.image.layer.v1.tar+gzip");
        }
        let last = files(&unzipped(&blob(&layout, layers.last().unwrap())));
        assert_eq!(last.len(), 1);
        let shipped = fs::read(module).unwrap();
        assert!(last[0].0 == "plugin.wasm" && last[0].1 == shipped, "{}", last[0].0);

        let config: Value = serde_json::from_slice(&blob(&layout, &manifest["config"])).unwrap();
        let plain: Vec<String> =
            layers.iter().map(|layer| format!("sha256:{}", digest(&unzipped(&blob(&layout, layer))))).collect();
        assert_eq!(config["rootfs"]["diff_ids"], Value::from(plain));
        let labels = &config["config"]["Labels"];
        assert_eq!(labels["com.scopegate.module.sha256"], digest(&shipped));
        assert_eq!(
            (&labels["org.opencontainers.image.version"], &labels["org.opencontainers.image.licenses"]),
            (&tag.into(), &"Apache-2.0".into())
        );
        assert!(labels["org.opencontainers.image.description"].as_str().is_some_and(|text| text.contains("Envoy")));
    }
    let blobs: BTreeSet<String> = fs::read_dir(layout.join("blobs/sha256"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(blobs.len(), named, "nothing else is in it: {blobs:?}");
}

#[test]
fn the_images_have_their_bills_of_materials_and_the_same_input_gives_the_same_images() {
    let (layout, printed) = images("first");
    assert_eq!(images("second").1, printed);
    let index = json(&layout.join("index.json"));
    for (manifest, module) in index["manifests"].as_array().unwrap().iter().zip([module(), full()]) {
        let manifest: Value = serde_json::from_slice(&blob(&layout, manifest)).unwrap();
        let first = files(&unzipped(&blob(&layout, &manifest["layers"][0])));
        assert_eq!(first.len(), 1);
        assert!(first[0].0 == "scopegate.cdx.json" && first[0].1 == bill(&module), "{}", first[0].0);
    }
}

#[test]
fn the_bill_of_materials_is_cyclonedx_and_names_what_is_in_the_module() {
    let bill = bill(&module());
    validate(&["cyclonedx"], &bill);
    let bill: Value = serde_json::from_slice(&bill).unwrap();
    let component = &bill["metadata"]["component"];
    assert_eq!(
        (component["name"].as_str(), &component["hashes"][0]["content"]),
        (Some("scopegate"), &Value::from(digest(&fs::read(module()).unwrap())))
    );
    let components = bill["components"].as_array().unwrap();
    let of = |name: &str| components.iter().find(|component| component["name"] == name);
    for name in ["proxy-wasm", "jwt-simple", "ed25519-dalek", "serde_json", "rust-std"] {
        assert_eq!(of(name).unwrap_or_else(|| panic!("{name} is not in it"))["scope"], "required");
    }
    for name in ["walrus", "insta", "clap", "scopegate"] {
        assert!(of(name).is_none(), "{name} is not in the module");
    }
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for component in components.iter().filter(|component| component["name"] != "rust-std") {
        let checksum = component["hashes"][0]["content"].as_str().unwrap_or_else(|| panic!("no checksum: {component}"));
        assert!(lock.contains(checksum), "{component}");
        assert!(
            component["licenses"][0]["expression"].as_str().is_some_and(|license| !license.is_empty()),
            "{component}"
        );
    }
    let toolchain = fs::read_to_string(root().join("rust-toolchain.toml")).unwrap();
    assert!(toolchain.contains(&format!("channel = \"{TOOLCHAIN}\"")), "{toolchain}");
}
