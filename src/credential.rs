//! Credentials as requests present them: syntax only. One file for each kind. Knows no keys, no time and no policy
//! but the names to look for.

mod api_key;
mod basic;
mod bearer;
mod cookie;
mod forwarded_certificate;
mod proof;
mod query;
mod signature;
mod token;
mod websocket;

use api_key::api_key;
use basic::basic;

pub use api_key::ApiKey;
pub use basic::{BasicText, UserPassword};
pub use bearer::BearerToken;
pub use cookie::{cookie, has_authorization, without_cookies};
pub use forwarded_certificate::{Forwarded, forwarded_certificate};
pub use proof::proof;
pub use query::{QueryToken, TOKEN_PARAMETERS, find_token};
pub use signature::SentSignature;
pub use token::token;
pub use websocket::without_token;

use crate::decision::{CredentialKind, Denial};
use crate::policy::{CredentialSet, SetKind};
use crate::request::RequestView;

/// What a request presents.
#[derive(Debug, PartialEq, Eq)]
pub enum Presented<'a> {
    /// Nothing that this filter reads.
    Nothing,
    /// A token, by its scheme.
    Token(CredentialKind, BearerToken<'a>),
}

/// A secret that a request presents, by its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentSecret<'r> {
    /// An API key.
    ApiKey(ApiKey<'r>),
    /// A user name and a password.
    Password(BasicText<'r>),
    /// The certificate of the connection, which is not in the request.
    Certificate,
    /// A signature of the request.
    Signature(SentSignature<'r>),
}

/// The secret of a set, and the headers that it is in.
#[derive(Debug)]
pub struct FoundSecret<'p, 'r> {
    /// The secret.
    pub secret: SentSecret<'r>,
    /// Where it is.
    pub headers: Vec<&'p str>,
}

/// Finds the secret of a set; `None` where its places hold nothing of its kind. `sets` are all that there are.
///
/// # Errors
/// Those of the kind.
pub fn secret_of<'p, 'r>(
    request: &RequestView<'r>,
    set: &'p CredentialSet,
    sets: &[CredentialSet],
) -> Result<Option<FoundSecret<'p, 'r>>> {
    match &set.kind {
        SetKind::ApiKeys(keys) => api_key(request, &keys.places, sets),
        // It has no secret, but a token.
        SetKind::Passwords(_) => basic(request),
        SetKind::Signatures(signatures) => signature::signature(request, signatures),
        SetKind::Cookie(_) | SetKind::Certificates(_) => Ok(None),
    }
}

/// Shorthand of this room.
type Result<T> = std::result::Result<T, Denial>;
