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
    let expires_at = expiry(times)?;
    unexpired(expires_at, limits, now)?;
    begun(times, limits, now)?;
    issued(times, limits, now)?;
    lifetime(times, expires_at, limits, asks)?;
    age(times, limits, asks, now)
}

/// Everything that [`judge`] may refuse, in its order. Without an expiry there is no lifetime to judge.
pub fn failures(
    times: Times,
    limits: AgeLimits,
    asks: &TokenRequirements<'_>,
    now: UnixSeconds,
) -> impl Iterator<Item = Denial> {
    let expiry = expiry(times);
    let with_expiry = |judged: &dyn Fn(UnixSeconds) -> Result<()>| expiry.as_ref().map_or(Ok(()), |&at| judged(at));
    [
        expiry.as_ref().err().cloned(),
        with_expiry(&|at| unexpired(at, limits, now)).err(),
        begun(times, limits, now).err(),
        issued(times, limits, now).err(),
        with_expiry(&|at| lifetime(times, at, limits, asks)).err(),
        age(times, limits, asks, now).err(),
    ]
    .into_iter()
    .flatten()
}

fn expiry(times: Times) -> Result<UnixSeconds> {
    times.expires_at.ok_or_else(|| Denial::MissingClaim("exp".into()))
}

fn unexpired(expires_at: UnixSeconds, limits: AgeLimits, now: UnixSeconds) -> Result<()> {
    if now < expires_at.plus(limits.leeway) { Ok(()) } else { Err(Denial::Expired { expired_at: expires_at, now }) }
}

fn begun(times: Times, limits: AgeLimits, now: UnixSeconds) -> Result<()> {
    match times.not_before {
        Some(not_before) if now.plus(limits.leeway) < not_before => Err(Denial::NotYetValid { not_before, now }),
        _ => Ok(()),
    }
}

fn issued(times: Times, limits: AgeLimits, now: UnixSeconds) -> Result<()> {
    match times.issued_at {
        Some(issued_at) if now.plus(limits.leeway) < issued_at => Err(Denial::IssuedInFuture { issued_at, now }),
        _ => Ok(()),
    }
}

fn lifetime(times: Times, expires_at: UnixSeconds, limits: AgeLimits, asks: &TokenRequirements<'_>) -> Result<()> {
    let lifetimes = asks.iter().filter_map(|ask| ask.max_lifetime).chain(limits.max_lifetime);
    match lifetimes.min() {
        Some(limit) if !within(times.issued_at, expires_at, limit) => Err(Denial::LifetimeTooLong { limit }),
        _ => Ok(()),
    }
}

fn age(times: Times, limits: AgeLimits, asks: &TokenRequirements<'_>, now: UnixSeconds) -> Result<()> {
    match asks.iter().filter_map(|ask| ask.max_token_age).min() {
        Some(limit) if !within(times.issued_at, now.minus(limits.leeway), limit) => Err(Denial::TooOld { limit }),
        _ => Ok(()),
    }
}

/// Whether no more than `limit` lies between `start`, which must be known, and `end`.
pub(super) fn within(start: Option<UnixSeconds>, end: UnixSeconds, limit: Seconds) -> bool {
    start.is_some_and(|start| end <= start.plus(limit))
}
