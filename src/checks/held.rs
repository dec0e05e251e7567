//! A credential that was good when it opened a stream, judged again without it.

use super::Result;
use super::principal::{Backing, Principal};
use super::status;
use crate::base::time::UnixSeconds;
use crate::decision::{Denial, Held, HeldStatus, HeldVoucher};
use crate::facts::{Facts, Withdrawals};
use crate::revocation::{FoundBy, StatusClaim};
use std::rc::Rc;

/// What a credential is judged by while the stream that it opened is open. Of a token that is remembered, it is computed
/// once.
#[must_use]
pub fn hold(principal: &Principal<'_>, facts: &Facts<'_>) -> Rc<Held> {
    let made = || {
        let claim = principal.status().and_then(|source| {
            let claim = StatusClaim::read(principal.claims()).ok().flatten()?;
            Some(HeldStatus { issuer: source.issuer, uri: claim.uri.into(), index: claim.index })
        });
        Rc::new(Held { found_by: FoundBy::of(principal.claimant()), voucher: voucher(principal, facts), status: claim })
    };
    match principal.backing {
        Backing::Token { known: Some(known), .. } => Rc::clone(known.held.get_or_init(made)),
        _ => made(),
    }
}

fn voucher(principal: &Principal<'_>, facts: &Facts<'_>) -> HeldVoucher {
    match principal.backing {
        Backing::Token { key: Some(key), .. } => {
            // Those of the configuration never change, and a key of theirs that is a secret has no digest.
            let keys = if key.is_fetched { facts.keys.get(key.issuer) } else { None };
            let Some(material) = keys.and_then(|keys| keys.material(key.place)) else { return HeldVoucher::Lasting };
            let kid = principal.claimant().key_id.map(Box::from);
            HeldVoucher::Key { issuer: key.issuer, kid, algorithm: key.algorithm, material }
        }
        Backing::Secret { set, identity, secret } if facts.identities.get(set).is_some() => {
            let key_id = principal.claimant().key_id.map(Box::from);
            HeldVoucher::Secret { set, id: Rc::clone(&identity.id), key_id, digest: secret.digest() }
        }
        Backing::Token { key: None, .. } | Backing::Secret { .. } => HeldVoucher::Lasting,
    }
}

/// Judges it as a new request would be: by revocation lists, by its status, and by whether its key or its secret is still
/// there. Returns the end that its identity has now, where that can change.
///
/// # Errors
/// [`Denial::Revoked`], as [`Live`](super::Live) has it; [`Denial::UnknownKey`] when its issuer has withdrawn the key;
/// [`Denial::UnknownIdentity`] when the identity is gone, or its secret; [`Denial::CredentialExpired`] when that has an end
/// now which is over.
pub fn judge_held(held: &Held, known: &Withdrawals<'_>, now: UnixSeconds) -> Result<Option<UnixSeconds>> {
    if let Some(kind) = known.revocations.find_by(&held.found_by) {
        return Err(Denial::Revoked(kind.member()));
    }
    if let Some(HeldStatus { issuer, uri, index }) = &held.status
        && let Some(list) = known.statuses.find(*issuer, uri).and_then(|place| place.list.as_deref())
    {
        status::judge(list, *index)?;
    }
    match &held.voucher {
        HeldVoucher::Lasting => Ok(None),
        HeldVoucher::Key { issuer, kid, algorithm, material } => match known.keys.get(*issuer) {
            Some(keys) if !keys.holds(material, kid.as_deref(), *algorithm) => Err(Denial::UnknownKey),
            Some(_) | None => Ok(None),
        },
        HeldVoucher::Secret { set, id, key_id, digest } => {
            let Some(set) = known.identities.get(*set) else { return Ok(None) };
            let found = set.holder(id, key_id.as_deref(), digest);
            let (identity, expires) = found.ok_or(Denial::UnknownIdentity)?;
            if identity.disabled {
                return Err(super::identity::disabled());
            }
            let end = identity.expires.into_iter().chain(expires).min();
            match end {
                Some(expired_at) if now >= expired_at => Err(Denial::CredentialExpired { expired_at, now }),
                _ => Ok(end),
            }
        }
    }
}
