//! `scopegate jwks`: keys to try things with.

use super::signing::{SigningKey, no_algorithm, read_jwk};
use crate::crypto::Algorithm;
use clap::Args;
use serde_json::{Value, json};
use std::error::Error;
use std::path::PathBuf;

/// What key to make.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  scopegate jwks generate --kid demo > key.json
  scopegate jwks generate --algorithm RS256 --kid demo > key.json")]
pub struct GenerateArguments {
    /// The algorithm of the key, such as ES256, RS256 or EdDSA
    #[arg(long, value_name = "ALG", default_value = "ES256")]
    pub algorithm: String,
    /// Its key id
    #[arg(long, value_name = "ID")]
    pub kid: Option<String>,
}

/// Which keys to publish.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  scopegate jwks public key.json > jwks.json")]
pub struct PublicArguments {
    /// Files with private JSON Web Keys
    #[arg(required = true, value_name = "FILE")]
    pub keys: Vec<PathBuf>,
}

/// Makes a private key.
///
/// # Errors
/// When the algorithm is unknown, or the command makes no keys for it.
pub fn generate(arguments: &GenerateArguments) -> Result<String, Box<dyn Error>> {
    let algorithm = Algorithm::from_name(&arguments.algorithm).ok_or_else(|| no_algorithm(&arguments.algorithm))?;
    let key = SigningKey::generate(algorithm, arguments.kid.clone())?;
    Ok(Value::Object(key.to_jwk()).to_string())
}

/// The key set with the public parts of keys.
///
/// # Errors
/// When a file cannot be read, or holds no private key.
pub fn public(arguments: &PublicArguments) -> Result<String, Box<dyn Error>> {
    let mut keys = Vec::new();
    for path in &arguments.keys {
        let jwk = read_jwk(path)?;
        keys.push(Value::Object(SigningKey::from_jwk(&jwk)?.to_public_jwk()));
    }
    Ok(json!({ "keys": keys }).to_string())
}
