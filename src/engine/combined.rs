//! Judges secrets of sets, and the token that came with them.

use super::selection::Combination;
use super::{Judged, Stop, grant_to, possession, signing, verified};
use crate::checks::{self, Authenticated, Identified, Live, NotIdentified, Principal, TokenRequirements};
use crate::credential::SentSecret;
use crate::decision::{CredentialKind, Denial, Grant};
use crate::policy::{Source, TokenRequirement};
use std::rc::Rc;

/// Every credential must be valid; the first one gives subject, scopes and claims. Secrets are judged before the token is
/// verified, since that costs less. What is used up, is used up last.
pub(super) fn permit(judged: &mut Judged<'_, '_>, combination: &Combination<'_, '_>) -> Result<Grant, Stop> {
    let Judged { policy, request, facts, .. } = *judged;
    let mut principals: Vec<Option<Principal<'_>>> = combination.secrets.iter().map(|_| None).collect();
    let mut signed = Vec::new();
    // A password costs most, so none is hashed beside a key that is bad.
    for hashes in [false, true] {
        for (place, secret) in principals.iter_mut().zip(&combination.secrets) {
            if matches!(secret.secret, SentSecret::Password(_)) != hashes {
                continue;
            }
            judged.trace.credential = Some(secret.kind());
            let bounds = (policy.token_bytes, signing(policy, request, judged.trace));
            let found = Identified::check(secret.secret, secret.of_set(), bounds, facts);
            let found = found.map_err(|NotIdentified { why, trace }| Stop { token: trace, ..why.into() })?;
            *place = Some(found.principal());
            signed.extend(found.into_proof());
        }
    }
    let Judged { asks, enforced, verdict, effects, .. } = *judged;
    let trace = &mut *judged.trace;
    let judged = &mut Judged { policy, request, facts, trace, asks, enforced, verdict, effects, signed: &signed };
    let principals: Vec<Principal<'_>> = principals.into_iter().flatten().collect();
    let mut first = None;
    for (secret, principal) in combination.secrets.iter().zip(&principals) {
        judged.trace.credential = Some(secret.kind());
        let live = Live::check(principal, facts).map_err(|stop| Stop::from(stop).about(principal.trace()))?;
        first = first.or(Some((secret.kind(), live)));
    }
    // There is a secret: without one there is no combination.
    let Some((kind, live)) = first else { return Err(Denial::HostFailure.into()) };
    let kept = combination.headers();
    let Some((scheme, token)) = combination.token else {
        let all = presented(combination, &principals, None);
        meet_own(judged, &all)?;
        judged.trace.credential = Some(kind);
        return grant_to(judged, Authenticated::by_secret(live), None, &sources(&all), &kept);
    };
    judged.trace.credential = Some(scheme);
    verified(judged, possession(policy, request, scheme, token), &|judged, of_token| {
        let all = presented(combination, &principals, Some((scheme, of_token.principal())));
        meet_own(judged, &all)?;
        let all = sources(&all);
        judged.trace.credential = Some(scheme);
        if combination.token_is_first {
            return grant_to(judged, of_token, None, &all, &kept);
        }
        judged.trace.credential = Some(kind);
        grant_to(judged, Authenticated::by_secret(live), Some(&of_token), &all, &kept)
    })
}

/// A credential of a combination: its source, its kind, and who holds it.
type Presented<'v, 'a> = (Source, CredentialKind, &'v Principal<'a>);

fn presented<'v, 'a>(
    combination: &Combination<'_, '_>,
    of_secrets: &'v [Principal<'a>],
    of_token: Option<(CredentialKind, &'v Principal<'a>)>,
) -> Vec<Presented<'v, 'a>> {
    let secrets = combination.secrets.iter().zip(of_secrets);
    let secrets = secrets.map(|(secret, principal)| (Source::Set(secret.id), secret.kind(), principal));
    secrets.chain(of_token.map(|(scheme, principal)| (scheme.source(), scheme, principal))).collect()
}

fn sources<'v, 'a>(all: &[Presented<'v, 'a>]) -> Vec<(Source, &'v Principal<'a>)> {
    all.iter().map(|(source, _, principal)| (*source, *principal)).collect()
}

/// Where route metadata restricts, each of the two requirements also asks the first of its own credentials for scopes and
/// claims, which need not be the first of all: a key does not have the scopes that metadata asks of a token.
fn meet_own(judged: &mut Judged<'_, '_>, all: &[Presented<'_, '_>]) -> Result<(), Stop> {
    if judged.asks.len() < 2 {
        return Ok(());
    }
    let presented: Vec<Source> = all.iter().map(|(source, ..)| *source).collect();
    for (source, kind, principal) in all {
        let own = own_asks(judged.asks, *source, &presented);
        judged.trace.credential = Some(*kind);
        checks::check_beside(principal, &own, judged.request)
            .map_err(|denial| Stop::from(denial).about(principal.trace()))?;
    }
    Ok(())
}

/// The requirements of which a source is the first that they name among those presented.
pub(super) fn own_asks<'a>(
    asks: &TokenRequirements<'a>,
    source: Source,
    presented: &[Source],
) -> Vec<&'a Rc<TokenRequirement>> {
    let first_of = |ask: &TokenRequirement| match &ask.credentials {
        Some(rule) => rule.first_among(presented),
        None => Some(Source::Tokens),
    };
    asks.iter().copied().filter(|ask| first_of(ask) == Some(source)).collect()
}
