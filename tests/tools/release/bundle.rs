//! Signatures as Sigstore bundles: <https://docs.sigstore.dev/about/bundle/>. A key is named, and there is no transparency log.

use crate::key::Key;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac_sha256::Hash;
use serde_json::{Value, json};
use std::error::Error;

/// The media type of a bundle.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// The media type of a statement.
pub const STATEMENT: &str = "application/vnd.in-toto+json";

/// The bundle of a file, whose bytes are signed.
///
/// # Errors
/// When OpenSSL fails.
pub fn of_file(key: &Key, bytes: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let signature = json!({
        "messageDigest": { "algorithm": "SHA2_256", "digest": STANDARD.encode(Hash::hash(bytes)) },
        "signature": key.sign(bytes)?,
    });
    Ok(line(&json!({
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": material(key),
        "messageSignature": signature,
    })))
}

/// The bundle of a statement, which is in it, in a DSSE envelope.
///
/// # Errors
/// When OpenSSL fails.
pub fn of_statement(key: &Key, statement: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    // What is signed has the type in it: <https://github.com/secure-systems-lab/dsse/blob/master/protocol.md>.
    let mut signed = format!("DSSEv1 {} {STATEMENT} {} ", STATEMENT.len(), statement.len()).into_bytes();
    signed.extend_from_slice(statement);
    Ok(line(&json!({
        "mediaType": MEDIA_TYPE,
        "verificationMaterial": material(key),
        "dsseEnvelope": {
            "payload": STANDARD.encode(statement),
            "payloadType": STATEMENT,
            "signatures": [{ "sig": key.sign(&signed)? }],
        },
    })))
}

fn material(key: &Key) -> Value {
    json!({ "publicKey": { "hint": key.hint() }, "tlogEntries": [] })
}

/// On one line, without spaces: SECURITY.md takes the signature out with sed.
fn line(bundle: &Value) -> Vec<u8> {
    format!("{bundle}\n").into_bytes()
}
