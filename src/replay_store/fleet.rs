//! The store as one request of a fleet sees it: what is used for the first time here has to be claimed in the service of
//! the fleet, too, which takes a callout. Meanwhile it counts as used here, so what this process has seen costs none.

use super::{Held, SharedStore};
use crate::base::time::UnixSeconds;
use crate::facts::{Claim, Claimed, ReplayStore};
use crate::policy::{FleetClaim, ReplayService};
use std::cell::RefCell;

/// What one request has claimed for the fleet, over all the times that it is judged.
#[derive(Debug, Default)]
pub struct RequestClaims(RefCell<Vec<RequestClaim>>);

#[derive(Debug)]
struct RequestClaim {
    claim: FleetClaim,
    state: ClaimState,
}

#[derive(Debug)]
enum ClaimState {
    /// It is claimed here, and the service is not asked.
    Here(Held),
    /// It is claimed here, and the service has not answered.
    Asked(Held),
    /// The service has answered whether it is the first use.
    Answered(bool),
}

impl RequestClaims {
    /// Notes the answer of the service to a claim: whether it is the first use in the fleet.
    pub fn answer(&self, claim: &FleetClaim, is_first: bool) {
        let mut claims = self.0.borrow_mut();
        let found = claims.iter_mut().find(|own| own.claim.is_of_same(claim));
        found.into_iter().for_each(|own| own.state = ClaimState::Answered(is_first));
    }

    /// What a claim has come to.
    fn find(&self, claim: &FleetClaim) -> Option<Claimed> {
        let claims = self.0.borrow();
        let own = claims.iter().find(|own| own.claim.is_of_same(claim))?;
        Some(match own.state {
            ClaimState::Asked(_) => Claimed::FirstHere(own.claim),
            ClaimState::Here(_) | ClaimState::Answered(true) => Claimed::First,
            ClaimState::Answered(false) => Claimed::Again,
        })
    }
}

/// The store for one request, which remembers over all the times that it is judged what it has claimed.
#[derive(Debug)]
pub struct RequestStore<'s> {
    /// The store of this process.
    pub store: &'s SharedStore,
    /// The service of the fleet, if there is one.
    pub service: Option<&'s ReplayService>,
    /// What the request has claimed.
    pub claims: &'s RequestClaims,
}

impl RequestStore<'_> {
    /// Gives back here what the service has not answered, since the request is refused and has used nothing up. If the
    /// service has noted it nevertheless, the next claim learns that from the service.
    pub fn give_back(&self) {
        self.claims.0.borrow_mut().retain(|own| match &own.state {
            ClaimState::Here(held) | ClaimState::Asked(held) => {
                self.store.give_back(held);
                false
            }
            ClaimState::Answered(_) => true,
        });
    }
}

impl ReplayStore for RequestStore<'_> {
    fn claim(&self, claim: &Claim<'_>, now: UnixSeconds) -> Claimed {
        // Without a service nothing is awaited after a claim, so no request is judged again.
        let Some(service) = self.service else {
            return self.store.claim(claim, now);
        };
        let asked = service.claim(claim.pool, claim.id, claim.until, now);
        if let Some(claimed) = self.claims.find(&asked) {
            return claimed;
        }
        match self.store.hold(claim, now) {
            Ok(held) => {
                let (state, claimed) = if service.claims(claim.pool) {
                    (ClaimState::Asked(held), Claimed::FirstHere(asked))
                } else {
                    (ClaimState::Here(held), Claimed::First)
                };
                self.claims.0.borrow_mut().push(RequestClaim { claim: asked, state });
                claimed
            }
            Err(claimed) => claimed,
        }
    }
}
