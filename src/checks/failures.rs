//! Everything that a token fails, as far as it can be told without its signature.
//!
//! The judgements are those of the checks. A judgement proves nothing: only a check makes a proof.

use super::token::{audience, claims, issuer, kind, signature, time};
use super::{Formed, Possession, TokenRequirements, authentication, condition, revocation, scope, sender};
use crate::decision::Denial;
use crate::facts::Facts;
use crate::policy::Policy;
use std::cell::OnceCell;

/// What the token fails, in the order of the checks. What its claims say is taken at its word, no list is waited for, and
/// an issuer that is not known asks nothing. It has to grant what `granting` asks.
#[must_use]
pub fn failures(
    token: &Formed<'_>,
    policy: &Policy,
    asks: &TokenRequirements<'_>,
    granting: &TokenRequirements<'_>,
    possession: &Possession<'_>,
    facts: &Facts<'_>,
) -> Vec<Denial> {
    let mut failed: Vec<Denial> = issuer::failures(token, &policy.issuers, asks).collect();
    let Ok((id, issuer)) = issuer::named_issuer(token, &policy.issuers) else { return failed };
    let claimant = signature::claimant(token, id, issuer);
    failed.extend(kind::judge(token, issuer, asks).err());
    failed.extend(audience::judge(token.claims(), issuer, asks).err());
    failed.extend(time::failures(token.claims(), issuer, asks, facts.surroundings.now()));
    failed.extend(claims::judge(token.claims(), issuer).err());
    failed.extend(revocation::judge(&claimant, None, facts.revocations).err());
    failed.extend(
        sender::judge_binding(token.claims(), sender::asked(issuer.sender_constraint, asks), possession, facts).err(),
    );
    failed.extend(authentication::judge(&claimant, asks, facts.surroundings).err());
    failed.extend(scope::judge(&claimant, &OnceCell::new(), granting).err());
    failed.extend(condition::judge(token.claims(), granting, possession.request).err());
    failed
}
