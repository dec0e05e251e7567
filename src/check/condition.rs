//! The token's claims are what the route asks for.

use super::{Result, Scoped, TokenRequirements};
use crate::decision::Denial;
use crate::request::RequestView;

/// Proof: the token meets everything that is asked of it.
#[derive(Debug)]
pub struct Permit<'a, 'v>(Scoped<'a, 'v>);

impl<'a, 'v> Permit<'a, 'v> {
    /// Holds the conditions against the claims and the request; all must hold.
    ///
    /// # Errors
    /// [`Denial::ClaimMismatch`] with the first claim that fails.
    pub fn check(proof: Scoped<'a, 'v>, asks: &TokenRequirements<'_>, request: &RequestView<'_>) -> Result<Self> {
        let claims = proof.principal().claims();
        let failed = asks.iter().flat_map(|ask| &ask.claims).find(|condition| !condition.is_met_by(claims, request));
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
