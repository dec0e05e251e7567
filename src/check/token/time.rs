//! The token is good now (RFC 7519 sections 4.1.4 to 4.1.6).

use super::super::time::{AgeLimits, Times, judge};
use super::{Addressed, Recognised, Result, TokenRequirements};
use crate::base::time::UnixSeconds;

/// Proof: `exp`, `nbf`, `iat` and every rule on age hold at the time that was given.
#[derive(Debug)]
pub struct Timely<'a>(Addressed<'a>);

impl<'a> Timely<'a> {
    /// Judges the dates of the token.
    ///
    /// # Errors
    /// Those of [`judge`].
    pub fn check(proof: Addressed<'a>, asks: &TokenRequirements<'_>, now: UnixSeconds) -> Result<Self> {
        let Recognised { token, issuer, .. } = proof.recognised();
        let claims = token.claims();
        let times = Times { expires_at: claims.expires_at, not_before: claims.not_before, issued_at: claims.issued_at };
        judge(times, AgeLimits { leeway: issuer.leeway, max_lifetime: issuer.max_lifetime }, asks, now)?;
        Ok(Self(proof))
    }

    pub(super) const fn recognised(&self) -> &Recognised<'a> {
        self.0.recognised()
    }
}
