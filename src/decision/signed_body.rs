//! A body that has been signed by its digest, and is still to come.

use super::{Basis, Denial, Grant, TokenTrace, Trace};

/// What a body has to be that goes on piece by piece: its digests were signed with the headers. At least one is known, and all
/// that are known have to match (RFC 9530 section 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedBody {
    /// Its SHA-256.
    pub sha256: Option<[u8; 32]>,
    /// Its SHA-512.
    pub sha512: Option<[u8; 64]>,
    /// Whether another body is only reported.
    pub report_only: bool,
}

impl Grant {
    /// What is reported of a request that has gone on: nothing more is done to it.
    #[must_use]
    pub const fn reported(denial: Denial, trace: Trace, token: Option<TokenTrace>) -> Self {
        Self {
            basis: Basis::ReportOnly(denial),
            trace,
            token,
            remove: Vec::new(),
            set: Vec::new(),
            shortened: Vec::new(),
            published: None,
            left_out: 0,
            response: None,
            signed_body: None,
            open: None,
        }
    }
}
