//! What a credential meets of an item that a list names: the judgements of the checks, before anyone calls it. A judgement
//! proves nothing.

use super::principal::Principal;
use super::time::{self, AgeLimits, Times};
use super::token::issuer;
use super::{TokenRequirements, authentication, condition, scope};
use crate::base::time::{Seconds, UnixSeconds};
use crate::facts::Surroundings;
use crate::policy::Authority;
use crate::request::RequestView;
use std::cell::OnceCell;

/// Whether a token has the issuer, the dates and the authentication of its user that these ask. They are asked of the token
/// wherever there is one.
#[must_use]
pub fn meets_as_token(token: &Principal<'_>, asks: &TokenRequirements<'_>, surroundings: &dyn Surroundings) -> bool {
    let Authority::Issuer(id) = token.authority() else { return true };
    let claimant = token.claimant();
    let claims = claimant.claims;
    let times = Times { expires_at: claims.expires_at, not_before: claims.not_before, issued_at: claims.issued_at };
    let limits = AgeLimits { leeway: claimant.leeway, max_lifetime: None };
    issuer::is_good(id, asks)
        && time::judge(times, limits, asks, surroundings.now()).is_ok()
        && authentication::judge(claimant, asks, surroundings).is_ok()
}

/// Whether a credential grants the scopes and has the claims that these ask.
#[must_use]
pub fn grants(principal: &Principal<'_>, asks: &TokenRequirements<'_>, request: &RequestView<'_>) -> bool {
    let claimant = principal.claimant();
    scope::judge(claimant, &OnceCell::new(), asks).is_ok() && condition::judge(claimant.claims, asks, request).is_ok()
}

/// From when on a credential that meets these now does not meet them any longer.
#[must_use]
pub fn good_until(principal: &Principal<'_>, asks: &TokenRequirements<'_>) -> UnixSeconds {
    let claimant = principal.claimant();
    let end = |start: Option<UnixSeconds>, limit: Option<Seconds>| {
        // Up to the limit, with the last second.
        Some(start?.plus(limit?).plus(claimant.leeway).plus(Seconds(1)))
    };
    let claims = claimant.claims;
    let ends = asks
        .iter()
        .flat_map(|ask| [end(claims.issued_at, ask.max_token_age), end(claims.date("auth_time"), ask.max_auth_age)]);
    ends.flatten().chain([principal.expires_at()]).min().unwrap_or(UnixSeconds(i64::MIN))
}
