//! Remembers what has been used, over all workers of a process, until it would be refused anyway.
//!
//! The store is in shared data, which has no atomic create and no delete. So the number of buckets is fixed, and the
//! main thread makes them in `on_configure`, before a worker serves. From then on a bucket is only replaced by a worker
//! that has read its last value. Two claims of the same thing always use the same bucket, so only one can be the first.
//!
//! Entries are digests under a key that is made once for the process, so no client can choose their places. Only
//! expired entries make room: a full store refuses, and never forgets.

mod bucket;
mod fleet;
mod pool;

pub use fleet::{RequestClaims, RequestStore};

use crate::base::shared_data::{OpenError, SharedData};
use crate::base::time::UnixSeconds;
use crate::facts::{Claim, Claimed, Pool, ReplayStore};
use bucket::Bucket;
use pool::{OpenPool, Place};
use std::cell::Cell;
use std::fmt;

/// How often a bucket is read again because another worker wrote it in between. Each such write was a successful claim,
/// so this is many.
const ATTEMPTS: usize = 32;

/// The store, as one worker sees it.
pub struct SharedStore {
    shared: Box<dyn SharedData>,
    pools: Vec<OpenPool>,
    /// How many entries one bucket holds.
    room: usize,
    /// How many entries of one principal are counted in one place.
    share: usize,
    troubles: [Cell<u32>; Trouble::ALL.len()],
}

/// An entry that can be given back.
#[derive(Debug)]
struct Held {
    main: Place,
    whose: Place,
    until: u32,
}

/// Why the store could not answer a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It has no room.
    Full,
    /// The principal holds its share.
    Share,
    /// Other workers wrote the same bucket again and again.
    Contended,
    /// The clock was set back: an entry for this claim may have been dropped before.
    Clock,
    /// A bucket is missing or unreadable.
    Unreadable,
}

impl Trouble {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Full, Self::Share, Self::Contended, Self::Clock, Self::Unreadable];

    /// The name in counters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Share => "share",
            Self::Contended => "contended",
            Self::Clock => "clock",
            Self::Unreadable => "unreadable",
        }
    }
}

impl SharedStore {
    /// Opens these pools, each with room for about `entries`. The main thread makes the missing ones.
    ///
    /// # Errors
    /// When a pool is missing and cannot be made, or cannot be read.
    pub fn open(
        shared: Box<dyn SharedData>,
        pools: &[Pool],
        entries: usize,
        now: UnixSeconds,
    ) -> Result<Self, OpenError> {
        let pools: Result<Vec<_>, _> = pools.iter().map(|&pool| OpenPool::open(pool, &*shared, now)).collect();
        Ok(Self {
            pools: pools?,
            shared,
            room: pool::room(entries),
            share: pool::share(entries),
            troubles: Default::default(),
        })
    }

    /// The number of claims without an answer since the last call, by cause.
    pub fn take_troubles(&self) -> impl Iterator<Item = (Trouble, u32)> {
        Trouble::ALL.into_iter().zip(&self.troubles).map(|(trouble, count)| (trouble, count.take()))
    }

    fn count(&self, trouble: Trouble) -> Claimed {
        let count = Trouble::ALL.iter().zip(&self.troubles).find(|(kind, _)| **kind == trouble);
        count.iter().for_each(|(_, count)| count.set(count.get().saturating_add(1)));
        Claimed::Unknown
    }

    fn read(&self, place: &Place) -> Result<(Bucket, u32), Trouble> {
        let (bytes, mark) = self.shared.read(&place.name).ok_or(Trouble::Unreadable)?;
        Ok((Bucket::from_bytes(&bytes).ok_or(Trouble::Unreadable)?, mark))
    }

    /// Puts an entry into its bucket. Returns whether it is the first one of its tag.
    fn enter(&self, main: &Place, whose: &Place, until: u32, now: u32) -> Result<bool, Trouble> {
        let mut is_counted = false;
        let entered = (0..ATTEMPTS).find_map(|_| {
            let (mut bucket, mark) = match self.read(main) {
                Ok(read) => read,
                Err(trouble) => return Some(Err(trouble)),
            };
            bucket.drop_expired(now);
            if bucket.count(main.tag) > 0 {
                return Some(Ok(false));
            }
            if until <= now || bucket.may_have_dropped(until) {
                return Some(Err(Trouble::Clock));
            }
            if bucket.len() >= self.room {
                return Some(Err(Trouble::Full));
            }
            // Counted before it is entered, and taken back below if it is not entered. In the other order a worker that
            // dies in between would let a principal hold more than its share.
            if !is_counted {
                if let Err(trouble) = self.count_for(whose, until, now) {
                    return Some(Err(trouble));
                }
                is_counted = true;
            }
            bucket.add(main.tag, until);
            self.shared.write(&main.name, &bucket.to_bytes(), Some(mark)).then_some(Ok(true))
        });
        let entered = entered.unwrap_or(Err(Trouble::Contended));
        if is_counted && entered != Ok(true) {
            self.take_out(whose, until);
        }
        entered
    }

    /// Counts an entry for its principal, unless that one holds its share.
    fn count_for(&self, whose: &Place, until: u32, now: u32) -> Result<(), Trouble> {
        for _ in 0..ATTEMPTS {
            let (mut bucket, mark) = self.read(whose)?;
            bucket.drop_expired(now);
            if bucket.count(whose.tag) >= self.share {
                return Err(Trouble::Share);
            }
            bucket.add(whose.tag, until);
            if self.shared.write(&whose.name, &bucket.to_bytes(), Some(mark)) {
                return Ok(());
            }
        }
        Err(Trouble::Contended)
    }

    /// Takes an entry out of a bucket. If that fails, it stays until it expires.
    fn take_out(&self, place: &Place, until: u32) {
        for _ in 0..ATTEMPTS {
            let Ok((mut bucket, mark)) = self.read(place) else { return };
            bucket.remove(place.tag, until);
            if self.shared.write(&place.name, &bucket.to_bytes(), Some(mark)) {
                return;
            }
        }
    }
}

impl SharedStore {
    /// Uses something up, and returns the entry that says so; otherwise what became of the claim.
    fn hold(&self, claim: &Claim<'_>, now: UnixSeconds) -> Result<Held, Claimed> {
        let Some(pool) = self.pools.iter().find(|open| open.pool == claim.pool) else {
            return Err(self.count(Trouble::Unreadable));
        };
        // The second of its birth counts as before it.
        if claim.made_at.is_some_and(|made_at| made_at <= pool.born) {
            return Err(Claimed::TooOld);
        }
        let (main, whose) = pool.places(claim.id, claim.principal);
        let until = claim.until.to_entry();
        match self.enter(&main, &whose, until, now.to_entry()) {
            Ok(true) => Ok(Held { main, whose, until }),
            Ok(false) => Err(Claimed::Again),
            Err(trouble) => Err(self.count(trouble)),
        }
    }

    /// Gives an entry back: what it says was used was not, after all. It stays counted for its principal until it is out, so
    /// that no principal holds more than a share.
    fn give_back(&self, held: &Held) {
        self.take_out(&held.main, held.until);
        self.take_out(&held.whose, held.until);
    }
}

impl ReplayStore for SharedStore {
    fn claim(&self, claim: &Claim<'_>, now: UnixSeconds) -> Claimed {
        self.hold(claim, now).map_or_else(|claimed| claimed, |_| Claimed::First)
    }
}

impl fmt::Debug for SharedStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SharedStore").field("pools", &self.pools).finish_non_exhaustive()
    }
}
