//! How an issuer is asked about its opaque tokens ([RFC 7662](https://www.rfc-editor.org/rfc/rfc7662)).

use super::{Endpoint, TokenTypes};
use crate::base::time::Seconds;
use std::fmt;

/// How an issuer is asked about its opaque tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct Introspection {
    /// The introspection endpoint.
    pub endpoint: Endpoint,
    /// The value of the header `authorization` with which the gate proves who asks.
    pub authorization: Box<str>,
    /// What its opaque tokens begin with; empty where they have no beginning in common.
    pub prefix: String,
    /// For how long an answer about an active token holds.
    pub cache: Seconds,
    /// The timeout, in milliseconds.
    pub timeout_ms: u32,
    /// What is accepted as `token_type` beside `Bearer` and `DPoP`.
    pub token_types: TokenTypes,
}

/// Shows nothing of the secret.
impl fmt::Debug for Introspection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Introspection").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}
