//! What else a request fails that is only reported.

use super::Reason;

/// The reasons beyond the first for which a request that is only reported would be refused, in the order of the checks, each
/// once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FurtherReasons {
    /// What the request fails, and what its verified token does.
    pub certain: Vec<Reason>,
    /// What a token fails whose signature has not been verified, if it is taken at its word.
    pub unverified: Vec<Reason>,
}
