//! The token is good now (RFC 7519 sections 4.1.4 to 4.1.6).

use super::{Addressed, Recognised, Result, TokenRequirements};
use crate::base::time::{Seconds, UnixSeconds};
use crate::decision::Denial;

/// Proof: `exp`, `nbf`, `iat` and every rule on age hold at the time that was given.
#[derive(Debug)]
pub struct Timely<'a>(Addressed<'a>);

impl<'a> Timely<'a> {
    /// Judges the dates. The issuer's leeway is for clocks that differ, so it applies to every comparison with
    /// `now`, and not to the lifetime, which is between two dates of one clock.
    ///
    /// # Errors
    /// [`Denial::MissingClaim`] without `exp`; [`Denial::Expired`] from `exp` plus leeway on;
    /// [`Denial::NotYetValid`], [`Denial::IssuedInFuture`]; [`Denial::LifetimeTooLong`] and [`Denial::TooOld`], also
    /// where there is such a rule and no `iat`.
    pub fn check(proof: Addressed<'a>, asks: &TokenRequirements<'_>, now: UnixSeconds) -> Result<Self> {
        let Recognised { token, issuer, .. } = proof.recognised();
        let claims = token.claims();
        let leeway = issuer.leeway;
        let expires_at = claims.expires_at.ok_or_else(|| Denial::MissingClaim("exp".into()))?;
        if now >= expires_at.plus(leeway) {
            return Err(Denial::Expired { expired_at: expires_at, now });
        }
        if let Some(not_before) = claims.not_before.filter(|&not_before| now.plus(leeway) < not_before) {
            return Err(Denial::NotYetValid { not_before, now });
        }
        if let Some(issued_at) = claims.issued_at.filter(|&issued_at| now.plus(leeway) < issued_at) {
            return Err(Denial::IssuedInFuture { issued_at, now });
        }
        let limits = asks.iter().filter_map(|ask| ask.max_lifetime).chain(issuer.max_lifetime);
        if let Some(limit) = limits.min().filter(|&limit| !within(claims.issued_at, expires_at, limit)) {
            return Err(Denial::LifetimeTooLong { limit });
        }
        let limits = asks.iter().filter_map(|ask| ask.max_token_age);
        if let Some(limit) = limits.min().filter(|&limit| !within(claims.issued_at, now.minus(leeway), limit)) {
            return Err(Denial::TooOld { limit });
        }
        Ok(Self(proof))
    }

    pub(super) const fn recognised(&self) -> &Recognised<'a> {
        self.0.recognised()
    }
}

/// Whether no more than `limit` lies between `start`, which must be known, and `end`.
fn within(start: Option<UnixSeconds>, end: UnixSeconds, limit: Seconds) -> bool {
    start.is_some_and(|start| end <= start.plus(limit))
}
