//! Credentials as requests present them: syntax only. One file for each kind. Knows no keys, no time and no policy
//! but the names to look for.

mod api_key;
mod bearer;
mod forwarded_certificate;
mod proof;
mod query;

pub use api_key::{ApiKey, FoundKey, api_key};
pub use bearer::{BearerToken, extract};
pub use forwarded_certificate::{Forwarded, forwarded_certificate};
pub use proof::proof;
pub use query::{QueryToken, TOKEN_PARAMETERS, find_token};

use crate::decision::{CredentialKind, Denial};

/// What a request presents.
#[derive(Debug, PartialEq, Eq)]
pub enum Presented<'a> {
    /// Nothing that this filter reads.
    Nothing,
    /// A token, by its scheme.
    Token(CredentialKind, BearerToken<'a>),
}

/// Shorthand of this room.
type Result<T> = std::result::Result<T, Denial>;
