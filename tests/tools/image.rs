//! Writes the images that Istio and Envoy Gateway load, as an OCI layout: `image FOLDER (TAG MODULE SBOM)…`.
//!
//! Each image is one manifest; its last layer is a gzipped tar with the one file `plugin.wasm`, the layer before it has the bill of
//! materials. No network, no container engine. The same input always gives the same image, digest and all.

#![allow(clippy::indexing_slicing, reason = "a member of a JSON value that is not there is null")]

mod hex;
mod oci;

use flate2::{Compression, GzBuilder};
use hex::hex;
use hmac_sha256::Hash;
use oci::{MANIFEST, digest, put};
use serde_json::{Value, json};
use std::error::Error;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [folder, images @ ..] => layout(Path::new(folder), images),
        [] => Err(USAGE.into()),
    };
    match done {
        Ok(digests) => {
            let _unwritten = write!(io::stdout(), "{digests}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            // Where even that cannot be written, the exit code says it.
            let _unwritten = writeln!(io::stderr(), "image: {error}");
            ExitCode::FAILURE
        }
    }
}

const USAGE: &str = "usage: image FOLDER (TAG MODULE SBOM)…";

/// Writes the layout and gives a line for each image: its tag and the digest of its manifest.
fn layout(folder: &Path, images: &[String]) -> Result<String, Box<dyn Error>> {
    // An old layout's blobs would remain.
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs)?;
    let (images, []) = images.as_chunks::<3>() else { return Err(USAGE.into()) };
    let (mut manifests, mut digests) = (Vec::new(), String::new());
    for [tag, module, bill] in images {
        let mut manifest = image(&blobs, tag, module, bill)?;
        digests += &format!("scopegate:{tag}, {}\n", manifest["digest"].as_str().unwrap_or_default());
        manifest["annotations"] = json!({ "org.opencontainers.image.ref.name": tag });
        manifests.push(manifest);
    }
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests,
    });
    fs::write(folder.join("index.json"), index.to_string())?;
    fs::write(folder.join("oci-layout"), json!({ "imageLayoutVersion": "1.0.0" }).to_string())?;
    Ok(digests)
}

/// Puts an image into the layout and gives the descriptor of its manifest.
fn image(blobs: &Path, version: &str, module: &str, bill: &str) -> Result<Value, Box<dyn Error>> {
    let read = |path: &str| fs::read(path).map_err(|error| format!("{path}: {error}"));
    let (module, bill) = (read(module)?, read(bill)?);
    let layers = [tar("scopegate.cdx.json", &bill)?, tar("plugin.wasm", &module)?];
    let mut descriptors = Vec::new();
    for layer in &layers {
        descriptors.push(put(blobs, "application/vnd.oci.image.layer.v1.tar+gzip", &gzip(layer)?)?);
    }
    let described: Value = serde_json::from_slice(&bill)?;
    let described = &described["metadata"]["component"];
    let labels = json!({
        "org.opencontainers.image.title": "scopegate",
        "org.opencontainers.image.description": described["description"],
        "org.opencontainers.image.version": version,
        "org.opencontainers.image.licenses": described["licenses"][0]["expression"],
        "com.scopegate.module.sha256": hex(&Hash::hash(&module)),
        "com.scopegate.root-id": "scopegate",
    });
    let config = json!({
        // A module runs on every machine. Clients take an image of another platform for one that they cannot use, and
        // this is the platform that all of them accept where there is no list of platforms.
        "architecture": "amd64",
        "os": "linux",
        "config": { "Labels": labels },
        "rootfs": {
            "type": "layers",
            "diff_ids": layers.iter().map(|layer| digest(layer)).collect::<Vec<_>>(),
        },
        "history": [
            { "created_by": "scopegate.cdx.json" },
            { "created_by": "plugin.wasm" },
        ],
    });
    let config = put(blobs, "application/vnd.oci.image.config.v1+json", config.to_string().as_bytes())?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config,
        "layers": descriptors,
        "annotations": labels,
    });
    Ok(put(blobs, MANIFEST, manifest.to_string().as_bytes())?)
}

/// A tar with one file, without an owner and with time 0.
fn tar(name: &str, bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut header = tar::Header::new_ustar();
    header.set_size(u64::try_from(bytes.len()).map_err(io::Error::other)?);
    header.set_mode(0o644);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, name, bytes)?;
    archive.into_inner()
}

fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}
