//! User names and passwords ([RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)).

use super::{FoundSecret, Result, SentSecret, bearer};
use crate::base::base64url;
use crate::decision::Denial;
use crate::policy::{AUTHORIZATION, MAX_PASSWORD, MAX_USER};
use crate::request::RequestView;

/// The longest text, in base64: that of the longest user name and password, with a colon between them.
const MAX_TEXT: usize = (MAX_USER + 1 + MAX_PASSWORD).div_ceil(3) * 4;

/// What stands after the scheme `Basic`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BasicText<'r>(&'r [u8]);

/// Shows that there is a password, and nothing of it.
impl std::fmt::Debug for BasicText<'_> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("BasicText(<redacted>)")
    }
}

/// A user name and a password.
pub struct UserPassword {
    bytes: Vec<u8>,
    colon: usize,
}

impl UserPassword {
    /// The user name.
    #[must_use]
    pub fn user(&self) -> &[u8] {
        self.bytes.get(..self.colon).unwrap_or_default()
    }

    /// The password. It may have colons.
    #[must_use]
    pub fn password(&self) -> &[u8] {
        self.bytes.get(self.colon.saturating_add(1)..).unwrap_or_default()
    }
}

impl BasicText<'_> {
    /// Reads it: base64 in its one spelling, UTF-8, a colon, no control characters, and no more than a hash can take.
    ///
    /// # Errors
    /// [`Denial::MalformedCredential`].
    pub fn checked(self) -> Result<UserPassword> {
        let malformed = |why| Err(Denial::MalformedCredential(why));
        if self.0.len() > MAX_TEXT {
            return malformed("longer than a user name and a password can be");
        }
        let Some(bytes) = base64url::decode_standard(self.0) else { return malformed("not base64 with its padding") };
        let Ok(text) = std::str::from_utf8(&bytes) else { return malformed("not UTF-8") };
        if text.chars().any(char::is_control) {
            return malformed("has a control character");
        }
        let Some(colon) = bytes.iter().position(|byte| *byte == b':') else { return malformed("without a colon") };
        let read = UserPassword { bytes, colon };
        match (read.user().len(), read.password().len()) {
            (1..=MAX_USER, 0..=MAX_PASSWORD) => Ok(read),
            (0, _) => malformed("without a user name"),
            (_, 0..=MAX_PASSWORD) => malformed("the user name is longer than 128 bytes"),
            _ => malformed("the password is longer than 72 bytes"),
        }
    }
}

/// Finds what the scheme `Basic` presents.
///
/// # Errors
/// Those of the header.
pub(super) fn basic<'r>(request: &RequestView<'r>) -> Result<Option<FoundSecret<'static, 'r>>> {
    let found = bearer::authorization(request)?.and_then(|line| line.of_scheme(b"basic"));
    Ok(found.map(|text| FoundSecret { secret: SentSecret::Password(BasicText(text)), headers: vec![AUTHORIZATION] }))
}
