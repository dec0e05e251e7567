//! `scopegate token mint`: signs a token, for demos and tests.

use super::moment;
use super::signing::{SigningKey, no_algorithm, read_jwk};
use crate::base::base64url;
use crate::base::time::UnixSeconds;
use crate::crypto::Algorithm;
use clap::Args;
use serde_json::{Map, Value};
use std::error::Error;
use std::path::PathBuf;

/// The content of the token.
#[derive(Args, Clone, Debug)]
#[command(
    after_help = "The header has alg, kid and typ, the claims iss, aud, sub, scope, iat and exp, as far as they are given. --claim and
--header set others, or these in another way; null leaves one out. Values are JSON: text needs quotes.

Examples:
  scopegate jwks generate --algorithm ES256 --kid demo > key.json
  scopegate token mint --key key.json --issuer https://idp.example.com/ --audience https://api.example.com \\
      --subject alice --scope 'orders:read orders:write'
  scopegate token mint --key key.json --issuer https://idp.example.com/ --audience https://api.example.com \\
      --expires-in -1h
  scopegate token mint --key key.json --issuer https://idp.example.com/ --at 2026-11-21T10:00:00Z --not-before 1m --type JWT
  scopegate token mint --key key.json --issuer https://idp.example.com/ --claim 'tenant=\"acme\"' --claim 'roles=[\"admin\"]' --header kid=null"
)]
pub struct MintArguments {
    /// The file with the private JSON Web Key
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// The algorithm to sign with, if the key does not name its `alg`
    #[arg(long, value_name = "ALG")]
    pub algorithm: Option<String>,
    /// The claim `iss`
    #[arg(long, value_name = "URL")]
    pub issuer: String,
    /// The claim `aud`; repeat it for a list
    #[arg(long, value_name = "URL")]
    pub audience: Vec<String>,
    /// The claim `sub`
    #[arg(long, value_name = "NAME")]
    pub subject: Option<String>,
    /// The claim `scope`: scopes separated by spaces
    #[arg(long, value_name = "SCOPES")]
    pub scope: Option<String>,
    /// When it is issued: 2026-11-21T10:00:00Z or Unix seconds [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub at: Option<String>,
    /// The lifetime of the token: a whole number and s, m or h; negative for a token that has expired
    #[arg(long, value_name = "DURATION", default_value = "5m", allow_hyphen_values = true)]
    pub expires_in: String,
    /// The claim `nbf`, as a time after the token is issued
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    pub not_before: Option<String>,
    /// The header parameter `typ`
    #[arg(long = "type", value_name = "TYPE", default_value = "at+jwt")]
    pub token_type: String,
    /// Another claim, its value in JSON: --claim 'tenant="acme"'
    #[arg(long, value_name = "NAME=JSON")]
    pub claim: Vec<String>,
    /// Another header parameter, its value in JSON: --header 'cty="json"'
    #[arg(long, value_name = "NAME=JSON")]
    pub header: Vec<String>,
}

/// Signs the token.
///
/// # Errors
/// When the key cannot be read or used, or an argument is not what it should be.
pub fn run(arguments: &MintArguments) -> Result<String, Box<dyn Error>> {
    let mut jwk = read_jwk(&arguments.key)?;
    if let Some(name) = &arguments.algorithm {
        let algorithm = Algorithm::from_name(name).ok_or_else(|| no_algorithm(name))?;
        match jwk.get("alg").and_then(Value::as_str) {
            None => jwk.insert("alg".into(), algorithm.name().into()),
            Some(own) if own == algorithm.name() => None,
            Some(own) => return Err(format!("--algorithm {name}: the key is for {own}").into()),
        };
    }
    let key = SigningKey::from_jwk(&jwk).map_err(|error| format!("{}: {error}", arguments.key.display()))?;
    let claims = claims(arguments, moment::instant(arguments.at.as_deref())?)?;
    let mut header = header(&key, &arguments.token_type);
    put(&mut header, "--header", &arguments.header)?;
    Ok(sign(&key, &header, &claims)?)
}

/// A header of `alg`, `typ` and `kid`.
fn header(key: &SigningKey, typ: &str) -> Map<String, Value> {
    let mut header = Map::new();
    header.insert("alg".into(), key.algorithm.name().into());
    header.insert("typ".into(), typ.into());
    header.extend(key.kid.as_ref().map(|kid| ("kid".to_owned(), Value::from(kid.as_str()))));
    header
}

/// A token of these claims with a header of `alg`, `kid` and `typ`.
///
/// # Errors
/// When the library cannot sign.
pub(super) fn mint(
    key: &SigningKey,
    typ: &str,
    claims: &Map<String, Value>,
) -> Result<String, super::signing::SigningError> {
    sign(key, &header(key, typ), claims)
}

/// A token of this header and these claims.
///
/// # Errors
/// When the library cannot sign.
pub(super) fn sign(
    key: &SigningKey,
    header: &Map<String, Value>,
    claims: &Map<String, Value>,
) -> Result<String, super::signing::SigningError> {
    let encode =
        |members: &Map<String, Value>| base64url::encode(Value::Object(members.clone()).to_string().as_bytes());
    let input = format!("{}.{}", encode(header), encode(claims));
    let signature = key.sign(input.as_bytes())?;
    Ok(format!("{input}.{}", base64url::encode(&signature)))
}

fn claims(arguments: &MintArguments, now: UnixSeconds) -> Result<Map<String, Value>, Box<dyn Error>> {
    let mut claims = Map::new();
    claims.insert("iss".into(), arguments.issuer.as_str().into());
    match arguments.audience.as_slice() {
        [] => None,
        [one] => claims.insert("aud".into(), one.as_str().into()),
        several => claims.insert("aud".into(), several.into()),
    };
    for (name, value) in [("sub", &arguments.subject), ("scope", &arguments.scope)] {
        if let Some(value) = value {
            claims.insert(name.into(), value.as_str().into());
        }
    }
    let span = |option: &str, text: &str| {
        seconds(text).ok_or_else(|| format!("{option} {text}: write a whole number and s, m or h, such as 5m"))
    };
    let expires_at = now.0.saturating_add(span("--expires-in", &arguments.expires_in)?);
    // An expired token was issued before it expired.
    claims.insert("iat".into(), now.0.min(expires_at).into());
    claims.insert("exp".into(), expires_at.into());
    if let Some(text) = &arguments.not_before {
        claims.insert("nbf".into(), now.0.saturating_add(span("--not-before", text)?).into());
    }
    put(&mut claims, "--claim", &arguments.claim)?;
    Ok(claims)
}

/// Sets members that an option gives as `NAME=JSON`; null removes one.
fn put(into: &mut Map<String, Value>, option: &str, given: &[String]) -> Result<(), Box<dyn Error>> {
    for text in given {
        let (name, value) = text.split_once('=').ok_or_else(|| format!("{option} {text}: write NAME=JSON"))?;
        let value: Value = serde_json::from_str(value)
            .map_err(|error| format!("{option} {name}: the value is not JSON ({error}); text needs quotes"))?;
        match value {
            Value::Null => into.remove(name),
            value => into.insert(name.to_owned(), value),
        };
    }
    Ok(())
}

/// A whole number of seconds, minutes or hours.
pub(super) fn seconds(text: &str) -> Option<i64> {
    let (number, factor) = match text.split_at_checked(text.len().checked_sub(1)?)? {
        (number, "s") => (number, 1),
        (number, "m") => (number, 60),
        (number, "h") => (number, 3600),
        _ => return None,
    };
    number.parse::<i64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_may_be_negative() {
        assert_eq!(seconds("5m"), Some(300));
        assert_eq!(seconds("-1h"), Some(-3600));
        for text in ["", "5", "m", "5d", "1.5h", "é"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
