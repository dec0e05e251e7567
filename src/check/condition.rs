//! The token's claims are what the route asks for.

use super::{Result, Scoped, TokenRequirements};
use crate::decision::Denial;

/// Proof: the token meets everything that is asked of it.
#[derive(Debug)]
pub struct Permit<'a, 'v>(Scoped<'a, 'v>);

impl<'a, 'v> Permit<'a, 'v> {
    /// Holds the conditions against the claims; all must hold.
    ///
    /// # Errors
    /// [`Denial::ClaimMismatch`] with the first claim that fails.
    pub fn check(proof: Scoped<'a, 'v>, asks: &TokenRequirements<'_>) -> Result<Self> {
        let claims = proof.principal().claims();
        let failed = asks.iter().flat_map(|ask| &ask.claims).find(|condition| !condition.is_met_by(claims));
        match failed {
            None => Ok(Self(proof)),
            Some(condition) => Err(Denial::ClaimMismatch(condition.claim.to_string())),
        }
    }

    /// The token and what it grants.
    #[must_use]
    pub const fn scoped(&self) -> &Scoped<'a, 'v> {
        &self.0
    }
}
