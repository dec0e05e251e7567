//! A credential is good now (for tokens: RFC 7519 sections 4.1.4 to 4.1.6).

use super::{Result, TokenRequirements};
use crate::base::time::{Seconds, UnixSeconds};
use crate::decision::Denial;

/// The dates of a credential.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// From when on it is good no longer.
    pub expires_at: Option<UnixSeconds>,
    /// From when on it is good.
    pub not_before: Option<UnixSeconds>,
    /// When it was issued.
    pub issued_at: Option<UnixSeconds>,
}

/// What its authority says of times.
#[derive(Clone, Copy, Debug)]
pub struct AgeLimits {
    /// The difference between clocks that is tolerated.
    pub leeway: Seconds,
    /// The longest time from issue to expiry.
    pub max_lifetime: Option<Seconds>,
}

/// Judges the dates. The leeway is for clocks that differ, so it applies to every comparison with `now`, and not to the
/// lifetime, which is between two dates of one clock.
///
/// # Errors
/// [`Denial::MissingClaim`] without an expiry; [`Denial::Expired`] from the expiry plus leeway on;
/// [`Denial::NotYetValid`], [`Denial::IssuedInFuture`]; [`Denial::LifetimeTooLong`] and [`Denial::TooOld`], also where
/// there is such a rule and no time of issue.
pub fn judge(times: Times, limits: AgeLimits, asks: &TokenRequirements<'_>, now: UnixSeconds) -> Result<()> {
    let leeway = limits.leeway;
    let expires_at = times.expires_at.ok_or_else(|| Denial::MissingClaim("exp".into()))?;
    if now >= expires_at.plus(leeway) {
        return Err(Denial::Expired { expired_at: expires_at, now });
    }
    if let Some(not_before) = times.not_before.filter(|&not_before| now.plus(leeway) < not_before) {
        return Err(Denial::NotYetValid { not_before, now });
    }
    if let Some(issued_at) = times.issued_at.filter(|&issued_at| now.plus(leeway) < issued_at) {
        return Err(Denial::IssuedInFuture { issued_at, now });
    }
    let lifetimes = asks.iter().filter_map(|ask| ask.max_lifetime).chain(limits.max_lifetime);
    if let Some(limit) = lifetimes.min().filter(|&limit| !within(times.issued_at, expires_at, limit)) {
        return Err(Denial::LifetimeTooLong { limit });
    }
    let ages = asks.iter().filter_map(|ask| ask.max_token_age);
    if let Some(limit) = ages.min().filter(|&limit| !within(times.issued_at, now.minus(leeway), limit)) {
        return Err(Denial::TooOld { limit });
    }
    Ok(())
}

/// Whether no more than `limit` lies between `start`, which must be known, and `end`.
fn within(start: Option<UnixSeconds>, end: UnixSeconds, limit: Seconds) -> bool {
    start.is_some_and(|start| end <= start.plus(limit))
}
