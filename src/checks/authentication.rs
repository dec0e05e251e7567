//! The user has authenticated as the route asks, and recently enough
//! ([RFC 9470](https://www.rfc-editor.org/rfc/rfc9470)).

use super::principal::Claimant;
use super::time::within;
use super::{Live, Principal, Proven, Result, TokenRequirements};
use crate::decision::{Denial, StepUp};
use crate::facts::Surroundings;

/// Proof: `acr` and `auth_time` are what the requirements ask for.
#[derive(Debug)]
pub struct Authenticated<'a, 'v>(Proven<'a, 'v>);

impl<'a, 'v> Authenticated<'a, 'v> {
    /// Holds `acr` and `auth_time` against the requirements: each must be met.
    ///
    /// # Errors
    /// [`Denial::StepUpNeeded`], also when a claim is missing or of a wrong type, or `auth_time` lies in the future.
    pub fn check(
        proven: Proven<'a, 'v>,
        asks: &TokenRequirements<'_>,
        surroundings: &dyn Surroundings,
    ) -> Result<Self> {
        judge(proven.principal().claimant(), asks, surroundings)?;
        Ok(Self(proven))
    }

    /// A holder of a secret, of whom it is not known how a user authenticated. The configuration refuses to ask that where
    /// there need be no token beside it.
    #[must_use]
    pub const fn by_secret(live: Live<'a, 'v>) -> Self {
        Self(Proven::by_secret(live))
    }

    /// What the sender has proven.
    pub(super) const fn proven(&self) -> &Proven<'a, 'v> {
        &self.0
    }

    /// Who is judged.
    #[must_use]
    pub const fn principal(&self) -> &'v Principal<'a> {
        self.0.principal()
    }
}

/// Judges the authentication of the user, whether or not the checks before have passed.
pub(super) fn judge(
    claimant: &Claimant<'_>,
    asks: &TokenRequirements<'_>,
    surroundings: &dyn Surroundings,
) -> Result<()> {
    let is_of =
        |wanted: &[String]| claimant.claims.text("acr").is_some_and(|acr| wanted.iter().any(|value| *value == acr));
    if !asks.iter().filter_map(|ask| ask.acr_values.as_deref()).all(is_of) {
        return Err(needed("acr", asks));
    }
    if asks.iter().all(|ask| ask.max_auth_age.is_none()) {
        return Ok(());
    }
    let (leeway, now) = (claimant.leeway, surroundings.now());
    let at = claimant.claims.date("auth_time").filter(|&at| at <= now.plus(leeway));
    let is_recent = asks.iter().filter_map(|ask| ask.max_auth_age).all(|limit| within(at, now.minus(leeway), limit));
    if is_recent { Ok(()) } else { Err(needed("auth_time", asks)) }
}

/// What a user who authenticates anew has to bring; `None` where the requirements ask for no `acr`.
pub(super) fn step_up_of(asks: &TokenRequirements<'_>) -> Option<Box<StepUp>> {
    let asks_acr = asks.iter().any(|ask| ask.acr_values.is_some());
    asks_acr.then(|| Box::new(step_up("acr", asks)))
}

/// What the requirements ask, added up.
fn needed(claim: &'static str, asks: &TokenRequirements<'_>) -> Denial {
    Denial::StepUpNeeded(Box::new(step_up(claim, asks)))
}

fn step_up(claim: &'static str, asks: &TokenRequirements<'_>) -> StepUp {
    let mut lists = asks.iter().filter_map(|ask| ask.acr_values.as_ref());
    let first = lists.next();
    let of_all = |value: &&String| lists.clone().all(|list| list.contains(value));
    let acr_values = first.map(|list| list.iter().filter(of_all).cloned().collect());
    let max_age = asks.iter().filter_map(|ask| ask.max_auth_age).min();
    StepUp { claim, acr_values, max_age }
}
