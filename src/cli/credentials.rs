//! `scopegate credentials`: API keys, and the digests that a configuration has of them.

mod import;
mod sign;

pub use import::{ImportArguments, run as import};
pub use sign::{SignArguments, run as sign};

use crate::base::base64url;
use crate::base::text::to_hex;
use crate::crypto::{MAX_PASSWORD, PasswordHash, sha256};
use clap::Args;
use std::error::Error;
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
  scopegate credentials hash < key.txt
  scopegate credentials hash --bcrypt < key.txt")]
pub struct HashArguments {
    /// The bcrypt hash of a password, of this cost: 5 to 12, 10 without one
    #[arg(long, value_name = "COST", num_args = 0..=1, require_equals = true, default_missing_value = "10",
        value_parser = clap::value_parser!(u32).range(5..=12))]
    pub bcrypt: Option<u32>,

    /// The hash of a password by PBKDF2 with SHA-256, with so many rounds: 600000 without a number
    #[arg(long, value_name = "ROUNDS", num_args = 0..=1, require_equals = true, default_missing_value = "600000",
        value_parser = clap::value_parser!(u32).range(1000..=1_000_000), conflicts_with = "bcrypt")]
    pub pbkdf2: Option<u32>,

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
    Ok(format!("key     {key}\nsha256  {}", to_hex(&sha256(key.as_bytes()))))
}

/// The digest of a key, or the hash of a password.
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
    if arguments.bcrypt.is_some() || arguments.pbkdf2.is_some() {
        return hash_password(arguments, text.lines().next().unwrap_or_default());
    }
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
    Ok(to_hex(&sha256(key.as_bytes())))
}

/// The hash of a password, which is the first line.
fn hash_password(arguments: &HashArguments, password: &str) -> Result<String, Box<dyn Error>> {
    if password.is_empty() {
        return Err("the first line is empty: write the password into it".into());
    }
    if password.len() > MAX_PASSWORD || password.chars().any(char::is_control) {
        return Err("the password is longer than 72 bytes or has control characters: no request could send it".into());
    }
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| format!("there are no random numbers: {error}"))?;
    Ok(match arguments.pbkdf2 {
        Some(rounds) => PasswordHash::pbkdf2(password.as_bytes(), rounds, &salt),
        None => PasswordHash::bcrypt(password.as_bytes(), arguments.bcrypt.unwrap_or(10), salt),
    })
}
