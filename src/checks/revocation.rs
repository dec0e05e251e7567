//! The credential has not been revoked: a signature stays good as long as its key, even if the token has been revoked.

use super::principal::Claimant;
use super::{Principal, Result, Unproven};
use crate::decision::{Denial, Need, NeedKind};
use crate::facts::{Awaited, Facts};
use crate::revocation::{Clearance, Revocations};

/// Proof: no entry of a revocation list revokes the credential, its status is `VALID` where somebody keeps one, and no list is
/// missing that a request may not pass without.
#[derive(Clone, Copy, Debug)]
pub struct Live<'a, 'v>(&'v Principal<'a>);

impl<'a, 'v> Live<'a, 'v> {
    /// Looks the credential up, in revocation lists and in the status list that it names. This is done for every request. A
    /// revocation list that is known not to revoke a remembered token is not asked again.
    ///
    /// # Errors
    /// [`Denial::Revoked`], whatever else is missing; then what the check of its status says; then [`Need::Revocations`]
    /// while a list is missing, or [`Denial::RevocationUnavailable`] when it has been awaited.
    pub fn check(principal: &'v Principal<'a>, facts: &Facts<'_>) -> std::result::Result<Self, Unproven> {
        judge(principal.claimant(), principal.clearance(), facts.revocations).map_err(Unproven::Deny)?;
        if let Some(source) = principal.status() {
            source.check(principal.claims(), facts)?;
        }
        match facts.awaited.of(NeedKind::Revocations) {
            _ if facts.revocations.are_complete() => Ok(Self(principal)),
            Awaited::No => Err(Unproven::Await(Need::Revocations)),
            Awaited::Yes | Awaited::InVain => Err(Unproven::Deny(Denial::RevocationUnavailable)),
        }
    }

    /// Who is judged.
    #[must_use]
    pub const fn principal(&self) -> &'v Principal<'a> {
        self.0
    }
}

/// Looks a credential up in the lists that are there, whether or not the checks before have passed.
pub(super) fn judge(claimant: &Claimant<'_>, clearance: Option<&Clearance>, revocations: &Revocations) -> Result<()> {
    let found = match clearance {
        Some(clearance) => revocations.find_again(claimant, clearance),
        None => revocations.find(claimant),
    };
    found.map_or(Ok(()), |kind| Err(Denial::Revoked(kind.member())))
}
