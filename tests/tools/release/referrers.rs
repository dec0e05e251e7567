//! What is attached to the images in an OCI layout: manifests whose `subject` is an image (OCI image 1.1), which registries list
//! as its referrers.

use crate::build::{Build, PREDICATE};
use crate::bundle;
use crate::key::Key;
use crate::oci::{MANIFEST, put};
use serde_json::{Value, json};
use std::error::Error;
use std::fs;
use std::path::Path;

/// The signature of an image.
pub struct Signature {
    pub tag: String,
    pub bundle: Vec<u8>,
}

/// Attaches its provenance to each image in the layout and, with a key, its signature, which it gives too.
///
/// # Errors
/// When the layout is not one that `image` has written, or OpenSSL fails.
pub fn attach(layout: &Path, build: &Build, key: Option<&Key>) -> Result<Vec<Signature>, Box<dyn Error>> {
    let path = layout.join("index.json");
    let text = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut index: Value = serde_json::from_slice(&text)?;
    let listed = index["manifests"].as_array_mut().ok_or("no manifests in the layout")?;
    let images = listed.clone();
    if images.iter().any(|image| image.get("artifactType").is_some()) {
        return Err(format!("{}: something is attached already; make image writes it anew", layout.display()).into());
    }
    let mut signatures = Vec::new();
    for image in images {
        let tag = image["annotations"]["org.opencontainers.image.ref.name"].as_str().ok_or("an image without a tag")?;
        let digest = image["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:")).ok_or("no digest")?;
        let blobs = layout.join("blobs/sha256");
        let mut refer =
            |what: &str, media_type: &str, bytes: &[u8], annotations: Value| -> Result<(), Box<dyn Error>> {
                let mut referrer = referrer(&blobs, &image, media_type, bytes, &annotations)?;
                referrer["annotations"] = json!({ "org.opencontainers.image.ref.name": format!("{tag}-{what}") });
                listed.push(referrer);
                Ok(())
            };
        let statement = build.statement(&[(format!("scopegate:{tag}"), digest.to_owned())]);
        let statement = serde_json::to_vec(&statement)?;
        let Some(key) = key else {
            let annotations = json!({ "in-toto.io/predicate-type": PREDICATE });
            refer("provenance", bundle::STATEMENT, &statement, annotations)?;
            continue;
        };
        let annotations = json!({
            "dev.sigstore.bundle.content": "dsse-envelope",
            "dev.sigstore.bundle.predicateType": PREDICATE,
        });
        refer("provenance", bundle::MEDIA_TYPE, &bundle::of_statement(key, &statement)?, annotations)?;
        let signature = bundle::of_file(key, &fs::read(blobs.join(digest))?)?;
        let annotations = json!({ "dev.sigstore.bundle.content": "message-signature" });
        refer("signature", bundle::MEDIA_TYPE, &signature, annotations)?;
        signatures.push(Signature { tag: tag.to_owned(), bundle: signature });
    }
    fs::write(path, index.to_string())?;
    Ok(signatures)
}

/// Puts a manifest with one layer into the layout, which refers to `image`, and gives its descriptor.
fn referrer(
    blobs: &Path,
    image: &Value,
    media_type: &str,
    bytes: &[u8],
    annotations: &Value,
) -> Result<Value, Box<dyn Error>> {
    let mut layer = put(blobs, media_type, bytes)?;
    layer["annotations"] = annotations.clone();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": media_type,
        // An artifact has no configuration, and this is how the specification writes it.
        "config": put(blobs, "application/vnd.oci.empty.v1+json", b"{}")?,
        "layers": [layer],
        "subject": { "mediaType": image["mediaType"], "digest": image["digest"], "size": image["size"] },
        "annotations": annotations,
    });
    let mut descriptor = put(blobs, MANIFEST, manifest.to_string().as_bytes())?;
    descriptor["artifactType"] = media_type.into();
    Ok(descriptor)
}
