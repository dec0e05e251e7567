//! The token's claims are what the route asks for.

use super::{Principal, Result, Scoped, TokenRequirements, scope};
use crate::decision::Denial;
use crate::jose::Claims;
use crate::request::RequestView;
use std::cell::OnceCell;

/// Proof: the token meets everything that is asked of it.
#[derive(Debug)]
pub struct Permit<'a, 'v>(Scoped<'a, 'v>);

impl<'a, 'v> Permit<'a, 'v> {
    /// Checks the conditions on the claims and the request; all must hold.
    ///
    /// # Errors
    /// [`Denial::ClaimMismatch`] with the first claim that fails.
    pub fn check(proof: Scoped<'a, 'v>, asks: &TokenRequirements<'_>, request: &RequestView<'_>) -> Result<Self> {
        judge(proof.principal().claims(), asks, request)?;
        Ok(Self(proof))
    }

    /// The token and what it grants.
    #[must_use]
    pub const fn scoped(&self) -> &Scoped<'a, 'v> {
        &self.0
    }
}

/// Holds a credential that came beside another one against what its own requirements ask.
///
/// # Errors
/// Those of [`Scoped::check`] and [`Permit::check`].
pub fn check_beside(principal: &Principal<'_>, asks: &TokenRequirements<'_>, request: &RequestView<'_>) -> Result<()> {
    scope::judge(principal.claimant(), &OnceCell::new(), asks)?;
    judge(principal.claims(), asks, request)
}

/// Judges the claims of a credential, whether or not the checks before have passed.
pub(super) fn judge(claims: &Claims, asks: &TokenRequirements<'_>, request: &RequestView<'_>) -> Result<()> {
    let failed = asks.iter().flat_map(|ask| &ask.claims).find(|condition| !condition.is_met_by(claims, request));
    failed.map_or(Ok(()), |condition| Err(Denial::ClaimMismatch(condition.claim.to_string())))
}
