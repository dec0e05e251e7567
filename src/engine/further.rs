//! What else a request fails, beyond the first reason.

use super::applicable::{self, NotFound};
use super::selection::{self, Combination, Selected};
use super::{Admitted, admit, combined, formed, possession, signing};
use crate::checks::{self, TokenRequirements, Unproven};
use crate::credential::BearerToken;
use crate::decision::{Basis, CredentialKind, Decision, Denial, FurtherReasons, Grant, Reason, Trace};
use crate::facts::{Facts, NoMemory};
use crate::policy::{Policy, Source};
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
        Ok(Failures { mut certain, of_token }) if is_verified && certain.is_empty() => {
            certain.extend(of_token);
            FurtherReasons { certain: reasons(&certain), unverified: Vec::new() }
        }
        Ok(Failures { certain, of_token }) => {
            FurtherReasons { certain: reasons(&certain), unverified: reasons(&of_token) }
        }
    }
}

/// What the credentials of a request fail.
#[derive(Default)]
struct Failures {
    /// What those of sets fail, whose secrets have been compared.
    certain: Vec<Denial>,
    /// What a token fails, if it is taken at its word.
    of_token: Vec<Denial>,
}

/// What the credentials of a request fail, its query left aside.
///
/// # Errors
/// Why there is no credential to judge.
fn failures_of_credential(policy: &Policy, request: &RequestView<'_>, facts: &Facts<'_>) -> Result<Failures, Denial> {
    let applicable = applicable::find(policy, request, facts.metadata).map_err(|NotFound { denial, .. }| denial)?;
    let Admitted::Holders(asks) = admit(policy, request, &applicable)? else { return Ok(Failures::default()) };
    let failed = failures_of_presented(policy, request, facts, &asks, applicable.allows_missing());
    let mut failures = failed.unwrap_or_else(|denial| Failures { certain: vec![denial], of_token: Vec::new() });
    if let Err(denial) = checks::check_site(&asks, request) {
        failures.certain.insert(0, denial);
    }
    Ok(failures)
}

/// What the credentials that a request presents fail, wherever it comes from.
///
/// # Errors
/// Why there is none to judge.
fn failures_of_presented(
    policy: &Policy,
    request: &RequestView<'_>,
    facts: &Facts<'_>,
    asks: &TokenRequirements<'_>,
    allows_missing: bool,
) -> Result<Failures, Denial> {
    let mut trace = Trace::default();
    let selected = selection::select(policy, request, &mut trace, asks, facts.surroundings, allows_missing)?;
    let mut certain: Vec<Denial> = selected.check_site(policy, request).err().into_iter().collect();
    match selected {
        Selected::Nothing => Ok(Failures::default()),
        Selected::Token(scheme, token) => {
            let of_token = match failures_of_token(policy, request, facts, (asks, asks), (scheme, token)) {
                Ok(failed) => failed,
                Err(denial) => {
                    certain.push(denial);
                    Vec::new()
                }
            };
            Ok(Failures { certain, of_token })
        }
        Selected::Several(combination) => {
            let failed = failures_of_several(policy, request, facts, asks, &combination);
            certain.extend(failed.certain);
            Ok(Failures { certain, of_token: failed.of_token })
        }
    }
}

/// What the credentials of a combination fail. Each has to be valid; the first has to grant everything, and under `restrict`
/// another one what its own requirement asks.
fn failures_of_several(
    policy: &Policy,
    request: &RequestView<'_>,
    facts: &Facts<'_>,
    asks: &TokenRequirements<'_>,
    combination: &Combination<'_, '_>,
) -> Failures {
    let mut presented: Vec<Source> = combination.secrets.iter().map(|secret| Source::Set(secret.id)).collect();
    let of_token = combination.token.map(|(kind, _)| kind.source());
    presented.extend(of_token);
    let first = if combination.token_is_first { of_token } else { presented.first().copied() };
    let granting = |source: Source| match () {
        () if first == Some(source) => asks.to_vec(),
        () if asks.len() > 1 => combined::own_asks(asks, source, &presented),
        () => Vec::new(),
    };
    let bounds = (policy.token_bytes, signing(policy, request, &Trace::default()));
    let (mut certain, mut not_granted) = (Vec::new(), Vec::new());
    for secret in &combination.secrets {
        let granting = granting(Source::Set(secret.id));
        let (failed, missing) = checks::secret_failures(secret.secret, secret.of_set(), bounds, &granting, facts);
        certain.extend(failed);
        not_granted.extend(missing);
    }
    certain.extend(not_granted);
    let of_token = combination.token.map_or(Vec::new(), |token| {
        let granting = granting(token.0.source());
        failures_of_token(policy, request, facts, (asks, &granting), token).unwrap_or_else(|denial| vec![denial])
    });
    Failures { certain, of_token }
}

/// What a token fails of all requirements, and of those that it has to grant. Of an opaque one nothing can be told before its
/// issuer has said what it means.
///
/// # Errors
/// Why the token is none.
fn failures_of_token(
    policy: &Policy,
    request: &RequestView<'_>,
    facts: &Facts<'_>,
    (asks, granting): (&TokenRequirements<'_>, &TokenRequirements<'_>),
    (scheme, token): (CredentialKind, BearerToken<'_>),
) -> Result<Vec<Denial>, Denial> {
    let possession = possession(policy, request, scheme, token);
    match formed(policy, facts, &mut Trace::default(), asks, token) {
        Ok(token) => Ok(checks::failures(&token, policy, asks, granting, &possession, facts)),
        Err(Unproven::Deny(denial)) => Err(denial),
        Err(Unproven::Await(_)) => Ok(Vec::new()),
    }
}
