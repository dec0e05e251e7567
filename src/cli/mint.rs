//! `scopegate token mint`: signs a token, for demos and tests.

use super::signing::SigningKey;
use crate::base::base64url;
use clap::Args;
use serde_json::{Map, Value, json};
use std::error::Error;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// What the token is to say.
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:
  scopegate jwks generate --algorithm ES256 --kid demo > key.json
  scopegate token mint --key key.json --issuer https://idp.example.com/ --audience https://api.example.com \\
      --subject alice --scope 'orders:read orders:write' --expires-in 5m")]
pub struct MintArguments {
    /// The file with the private JSON Web Key, which names its `alg`
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// The claim `iss`
    #[arg(long, value_name = "URL")]
    pub issuer: String,
    /// The claim `aud`; given more than once, a list
    #[arg(long, value_name = "URL")]
    pub audience: Vec<String>,
    /// The claim `sub`
    #[arg(long, value_name = "NAME")]
    pub subject: Option<String>,
    /// The claim `scope`: scopes separated by spaces
    #[arg(long, value_name = "SCOPES")]
    pub scope: Option<String>,
    /// How long the token is good: a whole number and s, m or h; negative for a token that has expired
    #[arg(long, value_name = "DURATION", default_value = "5m", allow_hyphen_values = true)]
    pub expires_in: String,
    /// The header parameter `typ`
    #[arg(long = "type", value_name = "TYPE", default_value = "at+jwt")]
    pub token_type: String,
    /// A further claim, its value in JSON: --claim 'tenant="acme"'
    #[arg(long, value_name = "NAME=JSON")]
    pub claim: Vec<String>,
}

/// Signs the token.
///
/// # Errors
/// When the key cannot be read or used, or an argument is not what it should be.
pub fn run(arguments: &MintArguments) -> Result<String, Box<dyn Error>> {
    let text = std::fs::read_to_string(&arguments.key)
        .map_err(|error| format!("cannot read {}: {error}", arguments.key.display()))?;
    let jwk: Map<String, Value> = serde_json::from_str(&text)
        .map_err(|error| format!("{} is not a JSON Web Key: {error}", arguments.key.display()))?;
    let key = SigningKey::from_jwk(&jwk)?;
    #[expect(clippy::disallowed_methods, reason = "the command has no host to ask for the time")]
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    let claims = claims(arguments, now)?;
    Ok(mint(&key, &arguments.token_type, &claims)?)
}

/// A token of these claims with a header of `alg`, `kid` and `typ`.
///
/// # Errors
/// When the library cannot sign.
pub fn mint(key: &SigningKey, typ: &str, claims: &Map<String, Value>) -> Result<String, super::signing::SigningError> {
    let mut header = json!({ "alg": key.algorithm.name(), "typ": typ });
    if let (Some(kid), Some(header)) = (&key.kid, header.as_object_mut()) {
        header.insert("kid".into(), kid.as_str().into());
    }
    let encode = |value: &Value| base64url::encode(value.to_string().as_bytes());
    let input = format!("{}.{}", encode(&header), encode(&Value::Object(claims.clone())));
    let signature = key.sign(input.as_bytes())?;
    Ok(format!("{input}.{}", base64url::encode(&signature)))
}

fn claims(arguments: &MintArguments, now: i64) -> Result<Map<String, Value>, Box<dyn Error>> {
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
    let lifetime = seconds(&arguments.expires_in).ok_or_else(|| {
        format!("--expires-in {}: write a whole number and s, m or h, such as 5m", arguments.expires_in)
    })?;
    let expires_at = now.saturating_add(lifetime);
    // A token that has expired was issued before that.
    claims.insert("iat".into(), now.min(expires_at).into());
    claims.insert("exp".into(), expires_at.into());
    for claim in &arguments.claim {
        let (name, value) = claim.split_once('=').ok_or_else(|| format!("--claim {claim}: write NAME=JSON"))?;
        let value = serde_json::from_str(value)
            .map_err(|error| format!("--claim {name}: the value is not JSON ({error}); text needs quotes"))?;
        claims.insert(name.into(), value);
    }
    Ok(claims)
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
