//! What else a request fails, beyond the first reason.

use super::applicable::{self, NotFound};
use super::selection::{self, Combination, Selected};
use super::{Admitted, admit, possession};
use crate::checks::{self, Formed, TokenRequirements};
use crate::decision::{Basis, Decision, Denial, FurtherReasons, Grant, Reason, Trace};
use crate::facts::{Facts, NoMemory};
use crate::policy::Policy;
use crate::request::RequestView;

/// The further reasons against a request that `decision` lets through and reports, as far as they can be told without a
/// signature, and without waiting. Any other decision has none. Called only for decisions that are recorded or logged.
#[must_use]
pub fn further(policy: &Policy, request: &RequestView<'_>, facts: &Facts<'_>, decision: &Decision) -> FurtherReasons {
    let Decision::Allow(Grant { basis: Basis::ReportOnly(first), token, .. }) = decision else {
        return FurtherReasons::default();
    };
    let is_verified = token.as_ref().is_some_and(|token| token.verified.is_some());
    // The cache has counted this token.
    let facts = Facts { memory: &NoMemory, ..*facts };
    let reasons = |failed: &[Denial]| {
        let mut reasons: Vec<Reason> = Vec::new();
        for reason in failed.iter().map(Denial::reason) {
            if reason != first.reason() && !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        reasons
    };
    match failures_of_credential(policy, request, &facts) {
        Err(denial) => FurtherReasons { certain: reasons(&[denial]), unverified: Vec::new() },
        Ok(failed) if is_verified => FurtherReasons { certain: reasons(&failed), unverified: Vec::new() },
        Ok(failed) => FurtherReasons { certain: Vec::new(), unverified: reasons(&failed) },
    }
}

/// What the credential of a request fails, its query left aside.
///
/// # Errors
/// Why there is no credential to judge.
fn failures_of_credential(
    policy: &Policy,
    request: &RequestView<'_>,
    facts: &Facts<'_>,
) -> Result<Vec<Denial>, Denial> {
    let applicable = applicable::find(policy, request, facts.metadata).map_err(|NotFound { denial, .. }| denial)?;
    let Admitted::Holders(asks) = admit(policy, request, &applicable)? else { return Ok(Vec::new()) };
    let mut trace = Trace::default();
    match selection::select(policy, request, &mut trace, &asks, applicable.allows_missing())? {
        Selected::Nothing => Ok(Vec::new()),
        Selected::Token(scheme, token) => {
            let possession = possession(policy, request, scheme, token);
            let token = Formed::check(token, policy.token_bytes, facts)?;
            Ok(checks::failures(&token, policy, &asks, &possession, facts))
        }
        Selected::Several(combination) => Ok(failures_of_secrets(policy, request, facts, &asks, &combination)),
    }
}

/// What the secrets of a combination fail, and if they alone are judged, also what they do not grant.
fn failures_of_secrets(
    policy: &Policy,
    request: &RequestView<'_>,
    facts: &Facts<'_>,
    asks: &TokenRequirements<'_>,
    combination: &Combination<'_, '_>,
) -> Vec<Denial> {
    let mut failed = Vec::new();
    for (index, secret) in combination.secrets.iter().enumerate() {
        let grants = index == 0 && !combination.token_is_first;
        let limit = policy.token_bytes;
        failed.extend(checks::secret_failures(secret.secret, secret.of_set(), limit, grants, asks, request, facts));
    }
    failed
}
