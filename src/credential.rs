//! Credentials as requests present them: syntax only. One file for each kind. Knows no keys, no time and no policy
//! but the names to look for.

mod bearer;
mod query;

pub use bearer::{BearerToken, extract};
pub use query::{QueryToken, TOKEN_PARAMETERS, find_token};

use crate::decision::Denial;

/// What a request presents.
#[derive(Debug, PartialEq, Eq)]
pub enum Presented<'a> {
    /// Nothing that this filter reads.
    Nothing,
    /// A bearer token.
    Bearer(BearerToken<'a>),
}

/// Shorthand of this room.
type Result<T> = std::result::Result<T, Denial>;
