//! A client certificate on the command line: the digest that a gate gets of Envoy.

use crate::base::text::from_hex;
use crate::crypto::{SHA256_BYTES, sha256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::path::Path;

/// The largest certificate file that is read, in bytes.
const MAX_BYTES: usize = 1 << 20;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The SHA-256 digest of a certificate: 64 hexadecimal digits, or a file in `folder` that holds it in PEM or DER. Of
/// several in PEM the first one is the client's.
///
/// # Errors
/// When it is none of these.
pub(super) fn digest(given: &str, folder: &Path) -> Result<[u8; SHA256_BYTES], String> {
    if let Some(digest) = from_hex(given.as_bytes()).and_then(|bytes| bytes.try_into().ok()) {
        return Ok(digest);
    }
    let file = folder.join(given);
    let bytes = std::fs::read(&file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let certificate = if bytes.len() > MAX_BYTES { None } else { der(bytes) };
    let certificate = certificate.ok_or_else(|| {
        format!("{}: is no certificate in PEM or DER; the 64 hexadecimal digits of its SHA-256 do, too", file.display())
    })?;
    Ok(sha256(&certificate))
}

fn der(bytes: Vec<u8>) -> Option<Vec<u8>> {
    // A SEQUENCE whose length takes several bytes.
    if matches!(bytes.as_slice(), [0x30, 0x81..=0x84, ..]) {
        return Some(bytes);
    }
    let text = String::from_utf8(bytes).ok()?;
    let (_, rest) = text.split_once(BEGIN)?;
    let (base64, _) = rest.split_once(END)?;
    STANDARD.decode(base64.split_ascii_whitespace().collect::<String>()).ok()
}
