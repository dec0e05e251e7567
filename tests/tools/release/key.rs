//! The key of the maintainer. OpenSSL reads it and signs with it: it never gets into this process.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac_sha256::Hash;
use std::error::Error;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::{env, fs};

/// How the public part of every key on the curve P-256 begins (RFC 5480).
const P256: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];

/// A private key for ECDSA on the curve P-256, in a file.
pub struct Key {
    path: String,
    hint: String,
}

impl Key {
    /// The key that `SIGNING_KEY` names; none if it names none.
    ///
    /// # Errors
    /// When the file is not there, or is not such a key.
    pub fn of_environment() -> Result<Option<Self>, Box<dyn Error>> {
        let path = env::var("SIGNING_KEY").unwrap_or_default();
        if path.is_empty() { Ok(None) } else { Self::open(path).map(Some) }
    }

    fn open(path: String) -> Result<Self, Box<dyn Error>> {
        let says = |what: &str| -> Box<dyn Error> { format!("SIGNING_KEY={path}: {what}. {WANTED}").into() };
        let text = fs::read(&path).map_err(|error| says(&error.to_string()))?;
        let text = String::from_utf8_lossy(&text);
        if text.contains("ENCRYPTED") {
            return Err(says("the key is encrypted, and no password is asked for here"));
        }
        if !text.contains("PRIVATE KEY-----") {
            return Err(says("there is no private key in it"));
        }
        let Ok(public) = openssl(&["pkey", "-in", &path, "-pubout", "-outform", "DER"], b"") else {
            return Err(says("OpenSSL cannot read it as a private key"));
        };
        if !public.starts_with(&P256) {
            return Err(says("it is a key of another kind"));
        }
        Ok(Self { hint: STANDARD.encode(Hash::hash(&public)), path })
    }

    /// The name by which verifiers find the public key: its SHA-256, in base64.
    pub fn hint(&self) -> &str {
        &self.hint
    }

    /// The public part, in PEM.
    ///
    /// # Errors
    /// When OpenSSL fails.
    pub fn public(&self) -> Result<Vec<u8>, Box<dyn Error>> {
        openssl(&["pkey", "-in", &self.path, "-pubout"], b"")
    }

    /// The signature (ECDSA with SHA-256, in DER) of `bytes`, in base64.
    ///
    /// # Errors
    /// When OpenSSL fails.
    pub fn sign(&self, bytes: &[u8]) -> Result<String, Box<dyn Error>> {
        openssl(&["dgst", "-sha256", "-sign", &self.path], bytes).map(|signature| STANDARD.encode(signature))
    }
}

const WANTED: &str = "A private key for ECDSA on the curve P-256 is wanted, in PEM and without a password: \
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem";

/// Runs OpenSSL on `input`; what it prints.
fn openssl(arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut command = Command::new("openssl");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("openssl is needed to sign: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input)?;
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(format!("openssl {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim()).into())
}
