//! What one request claims, it claims once, however often it is judged.

use crate::base::time::UnixSeconds;
use crate::facts::{Claim, Claimed, Pool, ReplayStore};
use std::cell::Cell;

/// The store during one decision that judges twice. What the first judgement claimed is not used for the second one.
pub(super) struct ClaimedOnce<'s> {
    store: &'s dyn ReplayStore,
    token: Cell<Option<Claimed>>,
    proof: Cell<Option<Claimed>>,
    signature: Cell<Option<Claimed>>,
}

impl<'s> ClaimedOnce<'s> {
    pub(super) const fn new(store: &'s dyn ReplayStore) -> Self {
        Self { store, token: Cell::new(None), proof: Cell::new(None), signature: Cell::new(None) }
    }
}

impl ReplayStore for ClaimedOnce<'_> {
    /// A request has one token, one proof and one signature, so its pool tells what is claimed.
    fn claim(&self, claim: &Claim<'_>, now: UnixSeconds) -> Claimed {
        let before = match claim.pool {
            Pool::Tokens => &self.token,
            Pool::Proofs => &self.proof,
            Pool::Signatures => &self.signature,
        };
        if let Some(claimed) = before.get() {
            return claimed;
        }
        let claimed = self.store.claim(claim, now);
        if let Claimed::First | Claimed::FirstHere(_) = claimed {
            before.set(Some(claimed));
        }
        claimed
    }
}
