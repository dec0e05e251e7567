//! The token is good now (RFC 7519 sections 4.1.4 to 4.1.6).

use super::super::time::{self, AgeLimits, Times};
use super::{Addressed, Recognised, Result, TokenRequirements};
use crate::base::time::UnixSeconds;
use crate::decision::Denial;
use crate::jose::Claims;
use crate::policy::Issuer;

/// Proof: `exp`, `nbf`, `iat` and every rule on age hold at the time that was given.
#[derive(Debug)]
pub struct Timely<'a>(Addressed<'a>);

impl<'a> Timely<'a> {
    /// Judges the dates of the token.
    ///
    /// # Errors
    /// Those of [`time::judge`].
    pub fn check(proof: Addressed<'a>, asks: &TokenRequirements<'_>, now: UnixSeconds) -> Result<Self> {
        let Recognised { token, issuer, .. } = proof.recognised();
        time::judge(times(token.claims()), limits(issuer), asks, now)?;
        Ok(Self(proof))
    }

    pub(super) const fn recognised(&self) -> &Recognised<'a> {
        self.0.recognised()
    }
}

/// Everything that [`Timely::check`] may refuse, in its order.
pub(in crate::checks) fn failures(
    claims: &Claims,
    issuer: &Issuer,
    asks: &TokenRequirements<'_>,
    now: UnixSeconds,
) -> impl Iterator<Item = Denial> {
    time::failures(times(claims), limits(issuer), asks, now)
}

const fn times(claims: &Claims) -> Times {
    Times { expires_at: claims.expires_at, not_before: claims.not_before, issued_at: claims.issued_at }
}

const fn limits(issuer: &Issuer) -> AgeLimits {
    AgeLimits { leeway: issuer.leeway, max_lifetime: issuer.max_lifetime }
}
