//! The credential has not been revoked: a signature is good for as long as its key is, whatever has become of the token.

use super::{Principal, Unproven};
use crate::decision::{Denial, Need, NeedKind};
use crate::facts::{Awaited, Facts};

/// Proof: no entry of a revocation list means the credential, and no list is missing that a request may not pass without.
#[derive(Clone, Copy, Debug)]
pub struct Live<'a, 'v>(&'v Principal<'a>);

impl<'a, 'v> Live<'a, 'v> {
    /// Looks the credential up. This is done for every request. A list that is known not to mean a remembered token is not
    /// asked again.
    ///
    /// # Errors
    /// [`Denial::Revoked`], whatever else is missing; then [`Need::Revocations`] while a list is, or
    /// [`Denial::RevocationUnavailable`] when it has been awaited.
    pub fn check(principal: &'v Principal<'a>, facts: &Facts<'_>) -> Result<Self, Unproven> {
        let found = match principal.clearance() {
            Some(clearance) => facts.revocations.find_again(principal, clearance),
            None => facts.revocations.find(principal),
        };
        match (found, facts.awaited.of(NeedKind::Revocations)) {
            (Some(kind), _) => Err(Unproven::Deny(Denial::Revoked(kind.member()))),
            (None, _) if facts.revocations.are_complete() => Ok(Self(principal)),
            (None, Awaited::No) => Err(Unproven::Await(Need::Revocations)),
            (None, Awaited::Yes | Awaited::InVain) => Err(Unproven::Deny(Denial::RevocationUnavailable)),
        }
    }

    /// Who is judged.
    #[must_use]
    pub const fn principal(&self) -> &'v Principal<'a> {
        self.0
    }
}
