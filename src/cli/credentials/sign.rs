//! `scopegate credentials sign`: signs a document with the identities of a set.

use crate::base::time::UnixSeconds;
use crate::cli::mint::{mint, seconds};
use crate::cli::moment;
use crate::cli::signing::SigningKey;
use crate::config::IdentityLoader;
use crate::crypto::PureVerifier;
use crate::policy::{HolderKind, IdentityTerms, SetId};
use crate::revocation::{Chunks, IDENTITIES_TYPE, ListError};
use clap::Args;
use serde_json::{Map, Value};
use std::error::Error;
use std::path::{Path, PathBuf};

/// What to sign.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "The output is the JWT that a gate fetches in place of the document, if the set has `signed_by`.

Examples:
  scopegate credentials sign partners.json --set partners --key key.json --expires-in 24h > /var/www/partners.jwt
  scopegate jwks public key.json      # for signed_by"
)]
pub struct SignArguments {
    /// The document: JSON with `identities` alone
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The name of the set in the configurations of gates: those of another set refuse the document
    #[arg(long, value_name = "NAME")]
    pub set: String,
    /// A file with the private JSON Web Key
    #[arg(long, value_name = "KEY")]
    pub key: PathBuf,
    /// How long the signature is valid: a whole number and s, m or h; by default forever
    #[arg(long, value_name = "DURATION")]
    pub expires_in: Option<String>,
    /// When: 2026-11-21T10:00:00Z or Unix seconds [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub at: Option<String>,
}

/// Signs a document of identities.
///
/// # Errors
/// When the document or the key cannot be read, or a gate would refuse the document: a plain key in it is not to be published.
pub fn run(arguments: &SignArguments) -> Result<String, Box<dyn Error>> {
    let now = moment::instant(arguments.at.as_deref())?;
    let key = SigningKey::from_jwk(&object(&arguments.key)?)?;
    let mut claims = object(&arguments.file)?;
    let refused = |error| format!("{}: a gate refuses these identities: {error}", arguments.file.display());
    check(&Value::Object(claims.clone()).to_string(), now).map_err(refused)?;
    claims.insert("sub".to_owned(), arguments.set.as_str().into());
    claims.insert("iat".to_owned(), now.0.into());
    if let Some(text) = &arguments.expires_in {
        claims.insert("exp".to_owned(), end(now, text)?.into());
    }
    Ok(mint(&key, IDENTITIES_TYPE, &claims)?)
}

/// Whether a gate takes the document, whose secrets show what kind they are.
fn check(document: &str, now: UnixSeconds) -> Result<(), ListError> {
    let has = |names: [&str; 2]| names.iter().any(|name| document.contains(&format!("\"{name}\":")));
    let kind = match (has(["bcrypt", "pbkdf2"]), has(["uri", "dns"])) {
        (true, _) => HolderKind::Users,
        (false, true) => HolderKind::Certificates,
        (false, false) if document.contains("\"jwk\":") => HolderKind::Signers,
        (false, false) => HolderKind::Keys,
    };
    let terms = IdentityTerms {
        set: SetId(0),
        name: "".into(),
        kind,
        scopes: [].into(),
        max_bytes: usize::MAX,
        signed_by: None,
        configured: [].into(),
        others: Vec::new(),
    };
    let document = Chunks::from(document.as_bytes());
    let mut loader = IdentityLoader::begin(&document, terms, None, &PureVerifier, now)?;
    while loader.step()?.is_none() {}
    Ok(())
}

fn end(now: UnixSeconds, text: &str) -> Result<i64, String> {
    let lifetime = seconds(text).ok_or_else(|| format!("--expires-in {text}: write a duration such as 24h"))?;
    Ok(now.0.saturating_add(lifetime))
}

fn object(file: &Path) -> Result<Map<String, Value>, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{} is no JSON object: {error}", file.display()))
}
