//! `scopegate credentials`: API keys, and the digests that a configuration has of them.

mod import;

pub use import::{ImportArguments, run as import};

use crate::base::base64url;
use crate::crypto::{SHA256_BYTES, sha256};
use clap::Args;
use std::error::Error;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::PathBuf;

/// The bytes of a new key that are random: 256 bits, as many as its digest has.
const RANDOM_BYTES: usize = 32;
/// The shortest key, in characters, as in the configuration.
const LEAST_KEY: usize = 20;
/// The longest file with a key that is read, in bytes.
const MAX_KEY_FILE: u64 = 1 << 16;

/// What key to make.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "The key is shown once: give it to its holder over a safe channel. The configuration has the digest alone.

Examples:
  scopegate credentials new
  scopegate credentials new --prefix sk-"
)]
pub struct NewArguments {
    /// What the key begins with: the `prefix` of its set
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub prefix: String,
}

/// Which key.
#[derive(Args, Clone, Debug)]
#[command(after_help = "The key is not an argument, since others on the machine can read those.

Examples:
  scopegate credentials hash key.txt
  scopegate credentials hash < key.txt")]
pub struct HashArguments {
    /// A file with the key, in place of standard input
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// Makes a key, and prints it with its digest.
///
/// # Errors
/// When the prefix cannot be one, or the system has no random numbers.
pub fn new(arguments: &NewArguments) -> Result<String, Box<dyn Error>> {
    let prefix = &arguments.prefix;
    if prefix.len() > 32 || !prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("--prefix: write up to 32 visible ASCII characters".into());
    }
    let mut random = [0; RANDOM_BYTES];
    getrandom::fill(&mut random).map_err(|error| format!("there are no random numbers: {error}"))?;
    let key = format!("{prefix}{}", base64url::encode(&random));
    Ok(format!("key     {key}\nsha256  {}", hexadecimal(&sha256(key.as_bytes()))))
}

/// The digest of a key.
///
/// # Errors
/// When it cannot be read, or no request could send it, or it is so short that it could be guessed.
pub fn hash(arguments: &HashArguments) -> Result<String, Box<dyn Error>> {
    let mut text = String::new();
    let (read, from) = match &arguments.file {
        Some(path) => {
            let opened = std::fs::File::open(path);
            (opened.and_then(|file| file.take(MAX_KEY_FILE).read_to_string(&mut text)), path.display().to_string())
        }
        None => (std::io::stdin().lock().take(MAX_KEY_FILE).read_to_string(&mut text), "standard input".to_owned()),
    };
    read.map_err(|error| format!("cannot read the key from {from}: {error}"))?;
    let key = text.trim();
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("the key is not visible ASCII: no request could send it".into());
    }
    if key.len() < LEAST_KEY {
        return Err(format!(
            "the key is shorter than {LEAST_KEY} characters: make one with `scopegate credentials new`"
        )
        .into());
    }
    Ok(hexadecimal(&sha256(key.as_bytes())))
}

fn hexadecimal(digest: &[u8; SHA256_BYTES]) -> String {
    digest.iter().fold(String::with_capacity(2 * SHA256_BYTES), |mut text, byte| {
        // Writing to a String never fails.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
