//! The credential has not been used, where it is good once, and neither has the proof of its key. The last check: nothing
//! that is refused is used up.

use super::{Authenticated, Permit, Principal, TokenRequirements, Unproven};
use crate::decision::{Denial, Need, NeedKind};
use crate::facts::{Awaited, Claim, Claimed, Facts, Pool};
use crate::policy::FleetClaim;
use crate::revocation::{EntryKind, Revocable as _};

/// Proof: where the credential is good once, this is the time.
#[derive(Debug)]
pub struct FirstUse<'a, 'v>(Permit<'a, 'v>);

/// What a use counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A credential that has been used is refused.
    Enforced,
    /// It is only reported. What is used so is told from what is used where it counts.
    Reported,
}

impl Effect {
    /// Its part of the identity of what is used.
    pub(super) const fn name(self) -> &'static [u8] {
        match self {
            Self::Enforced => b"enforced",
            Self::Reported => b"reported",
        }
    }
}

/// What the uses of one request count for.
#[derive(Clone, Copy, Debug)]
pub struct Effects {
    /// That of its credential.
    pub token: Effect,
    /// That of the proof of its key.
    pub proof: Effect,
}

impl<'a, 'v> FirstUse<'a, 'v> {
    /// Uses up the proof of possession, if there had to be one, and the credential, if a requirement says that it is good
    /// once. What can be used up is of a token: that which is permitted, or the one that came `beside` it.
    ///
    /// # Errors
    /// [`Denial::ProofReplayed`] and [`Denial::InvalidProof`] of a proof; [`Denial::Replayed`] where the credential has
    /// been used; [`Denial::TooBusy`] where the store cannot say, or has no room; [`Need::FirstUse`] where the fleet has to
    /// be asked, or [`Denial::ReplayUnavailable`] where that has been awaited.
    pub fn check(
        proof: Permit<'a, 'v>,
        beside: Option<&Authenticated<'_, '_>>,
        asks: &TokenRequirements<'_>,
        facts: &Facts<'_>,
        effects: Effects,
    ) -> Result<Self, Unproven> {
        let unused = match beside {
            Some(token) => token.proven().unused(),
            None => proof.scoped().proven().unused(),
        };
        if let Some(unused) = unused {
            unused.claim(facts, effects.proof)?;
        }
        if !asks.iter().any(|ask| ask.single_use) {
            return Ok(Self(proof));
        }
        let claimed = match beside {
            Some(token) => claim(token.principal(), facts, effects.token),
            None => claim(proof.scoped().principal(), facts, effects.token),
        };
        match claimed {
            Claimed::First => Ok(Self(proof)),
            Claimed::FirstHere(claim) => Err(asked(claim, facts)),
            Claimed::Again | Claimed::TooOld => Err(Unproven::Deny(Denial::Replayed)),
            Claimed::Unknown => Err(Unproven::Deny(Denial::TooBusy)),
        }
    }

    /// What the credential permits.
    #[must_use]
    pub const fn permit(&self) -> &Permit<'a, 'v> {
        &self.0
    }
}

/// What has been used here for the first time waits for the word of the fleet's service, once.
pub(super) fn asked(claim: FleetClaim, facts: &Facts<'_>) -> Unproven {
    match facts.awaited.of(NeedKind::of_use(claim.pool)) {
        Awaited::No => Unproven::Await(Need::FirstUse(claim)),
        Awaited::Yes | Awaited::InVain => Unproven::Deny(Denial::ReplayUnavailable),
    }
}

/// Claims a credential by its authority and its `jti`, else by its fingerprint: signing it again makes no other one of it.
fn claim(principal: &Principal<'_>, facts: &Facts<'_>, effect: Effect) -> Claimed {
    let claimant = principal.claimant();
    let text = |kind| claimant.name(kind).unwrap_or_default();
    let named_by = claimant.name(EntryKind::TokenId).map_or(EntryKind::Fingerprint, |_| EntryKind::TokenId);
    let authority = claimant.iss().as_bytes();
    let (name, subject, client) = (text(named_by), text(EntryKind::Subject), text(EntryKind::Client));
    // A token without a subject counts for its client.
    let holder = if subject.is_empty() { client } else { subject };
    facts.replay.claim(
        &Claim {
            pool: Pool::Tokens,
            id: &[effect.name(), named_by.member().as_bytes(), authority, name.as_bytes()],
            principal: &[authority, holder.as_bytes()],
            until: principal.expires_at(),
            made_at: None,
        },
        facts.surroundings.now(),
    )
}
