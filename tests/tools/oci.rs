//! Blobs and manifests of an OCI layout.

use crate::hex::hex;
use hmac_sha256::Hash;
use serde_json::{Value, json};
use std::fs;
use std::io;
use std::path::Path;

/// The media type of a manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Puts a blob into the layout and gives its descriptor.
pub fn put(blobs: &Path, media_type: &str, bytes: &[u8]) -> io::Result<Value> {
    fs::write(blobs.join(hex(&Hash::hash(bytes))), bytes)?;
    Ok(json!({ "mediaType": media_type, "digest": digest(bytes), "size": bytes.len() }))
}

/// The digest of these bytes, with its algorithm.
pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Hash::hash(bytes)))
}
