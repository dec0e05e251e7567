//! The claims that the issuer's tokens must have are there.

use super::{Recognised, Result, Timely};
use crate::decision::Denial;
use crate::jose::{ClaimPath, Claims};
use crate::policy::Issuer;

/// Proof: every unsigned check has passed. Only such a token may wait for keys or be verified.
#[derive(Debug)]
pub struct Complete<'a>(Timely<'a>);

impl<'a> Complete<'a> {
    /// Looks for the issuer's `required_claims`. A claim that is `null` or an empty text counts as missing.
    ///
    /// # Errors
    /// [`Denial::MissingClaim`] with the first that is missing.
    pub fn check(proof: Timely<'a>) -> Result<Self> {
        let Recognised { token, issuer, .. } = proof.recognised();
        judge(token.claims(), issuer)?;
        Ok(Self(proof))
    }

    pub(super) const fn recognised(&self) -> &Recognised<'a> {
        self.0.recognised()
    }
}

/// Judges which claims a token has, whether or not the checks before have passed.
pub(in crate::checks) fn judge(claims: &Claims, issuer: &Issuer) -> Result<()> {
    let is_there = |claim: &ClaimPath| {
        claims.get(claim).is_some_and(|value| !value.is_null() && value.as_text().is_none_or(|text| !text.is_empty()))
    };
    match issuer.required_claims.iter().find(|claim| !is_there(claim)) {
        None => Ok(()),
        Some(claim) => Err(Denial::MissingClaim(claim.to_string())),
    }
}
