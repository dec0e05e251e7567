//! The authentication schemes with which a token can be good.

use crate::checks::TokenRequirements;
use crate::decision::Schemes;
use crate::policy::{IssuerId, Policy, SenderConstraint};

/// The authentication schemes with which a token can be good here.
pub(super) fn schemes(policy: &Policy, asks: &TokenRequirements<'_>) -> Schemes {
    if policy.dpop.is_none() {
        return Schemes::default();
    }
    let of_asks = asks.iter().fold(SenderConstraint::NOTHING, |all, ask| all.and(ask.sender_constraint));
    let is_good =
        |id: usize| asks.iter().all(|ask| ask.issuers.as_ref().is_none_or(|good| good.contains(&IssuerId(id))));
    let mut schemes = Schemes { bearer: false, dpop: false };
    for (_, issuer) in policy.issuers.iter().enumerate().filter(|(id, _)| is_good(*id)) {
        let asked = issuer.sender_constraint.and(of_asks);
        let key = asked.includes(SenderConstraint::DPOP);
        schemes.bearer |= !key;
        // In another place than `authorization` no token is good that is bound to a key.
        schemes.dpop |= issuer.token_header.is_none() && (key || !asked.includes(SenderConstraint::MTLS));
    }
    schemes.dpop |= !schemes.bearer;
    schemes
}
