//! The token is a JWT of a bearable size (RFC 7515 section 5.2, RFC 7519 section 7.2).

use super::Result;
use crate::base::base64url;
use crate::credential::BearerToken;
use crate::crypto::sha256;
use crate::decision::Denial;
use crate::jose::{Compact, Malformed};

/// The characters of a digest that name a token: 132 bits.
pub const FINGERPRINT_CHARACTERS: usize = 22;

/// Proof: a JWT in compact serialization within the limit, taken apart. Nothing in it is trusted.
#[derive(Debug)]
pub struct Formed<'t>(Compact<'t>);

impl<'t> Formed<'t> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// When it is longer than `limit` bytes, or no JWT.
    pub fn check(token: BearerToken<'t>, limit: usize) -> Result<Self> {
        let text = token.as_bytes();
        if text.len() > limit {
            return Err(Denial::TokenTooLarge);
        }
        Compact::parse(text).map(Self).map_err(|Malformed(why)| Denial::MalformedToken(why))
    }

    /// The token's parts.
    #[must_use]
    pub const fn compact(&self) -> &Compact<'t> {
        &self.0
    }

    /// What the token is called in records: `base64url(SHA-256(signing input))[..22]`.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(self.0.signing_input)
    }
}

/// `base64url(SHA-256(bytes))[..22]`.
#[must_use]
pub fn fingerprint(bytes: &[u8]) -> String {
    let mut text = base64url::encode(&sha256(bytes));
    text.truncate(FINGERPRINT_CHARACTERS);
    text
}
