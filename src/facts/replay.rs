//! What is good once: the first claim may use it, and no later one.

use crate::base::time::UnixSeconds;
use crate::policy::{FleetClaim, Pool};

/// What a request wants to use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim<'c> {
    /// In which pool it is remembered.
    pub pool: Pool,
    /// What it is, in parts: the same parts are the same thing.
    pub id: &'c [&'c [u8]],
    /// Whose it is, in parts. One principal holds at most a sixteenth of a pool, so that it cannot take the room of others.
    pub principal: &'c [&'c [u8]],
    /// From when on it is refused anyway, and need not be remembered.
    pub until: UnixSeconds,
    /// When it says that it was made, where that must not be before the store was there: what was used before is not known.
    pub made_at: Option<UnixSeconds>,
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// It is used for the first time, and from now on it has been used.
    First,
    /// It is used for the first time here. Whether it is in the whole fleet, its service says.
    FirstHere(FleetClaim),
    /// It has been used.
    Again,
    /// It could be used before the store was there.
    TooOld,
    /// The store cannot say, or has no room. Nothing has been used up.
    Unknown,
}

/// Remembers what has been used, over all workers.
pub trait ReplayStore {
    /// Uses something up. Of claims of the same thing at the same moment exactly one is the first.
    fn claim(&self, claim: &Claim<'_>, now: UnixSeconds) -> Claimed;
}

/// Takes everything for unused: for decisions away from a gate, each of which stands for itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct NothingUsed;

impl ReplayStore for NothingUsed {
    fn claim(&self, _claim: &Claim<'_>, _now: UnixSeconds) -> Claimed {
        Claimed::First
    }
}
