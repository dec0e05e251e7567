//! The verified-token cache: bounded, safe to leave on, and not to be emptied by a spray of new tokens.
//!
//! A token is known by a keyed digest of all its bytes. A new token is on probation, in a tenth of the room; it moves
//! to the main part only when it comes again. So a client that sends token after token pushes out other new ones, and
//! the tokens in use stay (the policy is S3-FIFO: Yang and others, SOSP 2023).

use crate::base::time::UnixSeconds;
use crate::crypto::KeyedDigest;
use crate::facts::{KeyRing, TokenMemory, TokenName, VerifiedToken};
use crate::policy::CacheLimits;
use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

/// What an entry costs beside its token, in bytes: its places in the table and in a queue, and what the allocator adds.
const ENTRY_BYTES: usize = 192;
/// One in `PROBATION` of the room is for tokens seen once.
const PROBATION: usize = 10;
/// The most uses that an entry counts: it is passed over that many times.
const MOST_USES: u8 = 3;

/// What a cache has done since it was asked last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// Tokens that were known.
    pub hits: u32,
    /// Tokens that were not.
    pub misses: u32,
    /// Tokens that had to make room.
    pub evictions: u32,
}

/// The verified tokens of one worker.
#[derive(Debug)]
pub struct TokenCache {
    digest: Option<KeyedDigest>,
    limits: CacheLimits,
    state: RefCell<Contents>,
    counts: Cell<CacheCounts>,
}

#[derive(Debug, Default)]
struct Contents {
    entries: HashMap<TokenName, Entry, BuildHasherDefault<DigestHasher>>,
    probation: Queue,
    main: Queue,
    /// Who was on probation last and had to leave: who comes back was wanted after all.
    gone: HashMap<TokenName, u64, BuildHasherDefault<DigestHasher>>,
    gone_order: VecDeque<(TokenName, u64)>,
    /// Counts entries, so that a queue's line for an entry that has left is not taken for another.
    stamps: u64,
    now: Option<UnixSeconds>,
}

#[derive(Debug, Default)]
struct Queue {
    order: VecDeque<(TokenName, u64)>,
    entries: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Entry {
    token: Rc<VerifiedToken>,
    bytes: usize,
    stamp: u64,
    uses: u8,
    is_main: bool,
}

impl TokenCache {
    /// A cache within these limits. Without random numbers it stays off.
    #[must_use]
    pub fn new(limits: CacheLimits) -> Self {
        let digest = if limits.entries > 0 { KeyedDigest::random() } else { None };
        Self { digest, limits, state: RefCell::default(), counts: Cell::default() }
    }

    /// How many tokens are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state.borrow().entries.len()
    }

    /// Whether it holds no token.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes of memory it takes, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let state = self.state.borrow();
        state.probation.bytes.saturating_add(state.main.bytes)
    }

    /// What it has done since this was asked last.
    pub fn take_counts(&self) -> CacheCounts {
        self.counts.take()
    }

    /// What is known under this name, without counting whether there was something.
    pub fn look(&self, name: TokenName, now: UnixSeconds, keys: &KeyRing) -> Option<Rc<VerifiedToken>> {
        self.state.borrow_mut().recall(name, now, keys)
    }

    /// Keeps a token, if there is a cache.
    pub fn keep(&self, name: TokenName, token: Rc<VerifiedToken>) {
        let bytes = token.bytes().saturating_add(ENTRY_BYTES);
        if self.limits.entries == 0 || bytes > self.limits.bytes {
            return;
        }
        let mut state = self.state.borrow_mut();
        state.insert(name, token, bytes, self.limits);
        while state.entries.len() > self.limits.entries || state.bytes() > self.limits.bytes {
            if !state.make_room(self.limits) {
                break;
            }
            self.count(|counts| counts.evictions = counts.evictions.saturating_add(1));
        }
    }

    fn count(&self, change: impl FnOnce(&mut CacheCounts)) {
        let mut counts = self.counts.get();
        change(&mut counts);
        self.counts.set(counts);
    }
}

impl TokenMemory for TokenCache {
    fn name(&self, token: &[u8]) -> Option<TokenName> {
        self.digest.as_ref().map(|digest| TokenName(digest.of(token)))
    }

    /// Never gives a token whose `exp` has come: it is judged anew, and refused for what it is.
    fn recall(&self, name: TokenName, now: UnixSeconds, keys: &KeyRing) -> Option<Rc<VerifiedToken>> {
        let known = self.look(name, now, keys);
        self.count(|counts| match known {
            Some(_) => counts.hits = counts.hits.saturating_add(1),
            None => counts.misses = counts.misses.saturating_add(1),
        });
        known
    }

    fn remember(&self, name: TokenName, token: VerifiedToken) {
        self.keep(name, Rc::new(token));
    }
}

impl Contents {
    fn bytes(&self) -> usize {
        self.probation.bytes.saturating_add(self.main.bytes)
    }

    fn recall(&mut self, name: TokenName, now: UnixSeconds, keys: &KeyRing) -> Option<Rc<VerifiedToken>> {
        self.now = Some(now);
        let entry = self.entries.get_mut(&name)?;
        if entry.token.has_expired(now) {
            self.remove(name);
            return None;
        }
        // What other keys verified keeps its place: it is about to be verified by the new ones.
        if !entry.token.is_by(keys) {
            return None;
        }
        entry.uses = entry.uses.saturating_add(1).min(MOST_USES);
        Some(Rc::clone(&entry.token))
    }

    fn insert(&mut self, name: TokenName, token: Rc<VerifiedToken>, bytes: usize, limits: CacheLimits) {
        let was_main = self.entries.get(&name).is_some_and(|entry| entry.is_main);
        self.remove(name);
        self.stamps = self.stamps.wrapping_add(1);
        let is_main = self.gone.remove(&name).is_some() || was_main;
        let queue = if is_main { &mut self.main } else { &mut self.probation };
        queue.enter(name, self.stamps, bytes);
        self.entries.insert(name, Entry { token, bytes, stamp: self.stamps, uses: 0, is_main });
        // The lines of entries that have left by another way than through the queue are not many for long.
        for queue in [&mut self.probation, &mut self.main] {
            if queue.order.len() > limits.entries.saturating_mul(2).saturating_add(16) {
                let entries = &self.entries;
                queue.order.retain(|(name, stamp)| entries.get(name).is_some_and(|entry| entry.stamp == *stamp));
            }
        }
    }

    fn remove(&mut self, name: TokenName) {
        if let Some(entry) = self.entries.remove(&name) {
            let queue = if entry.is_main { &mut self.main } else { &mut self.probation };
            queue.leave(entry.bytes);
        }
    }

    /// Lets one entry go. Returns whether there was one.
    fn make_room(&mut self, limits: CacheLimits) -> bool {
        loop {
            let crowded = self.probation.entries > limits.entries / PROBATION
                || self.probation.bytes > limits.bytes / PROBATION
                || self.main.entries == 0;
            let queue = if crowded { &mut self.probation } else { &mut self.main };
            let Some((name, stamp)) = queue.order.pop_front() else { return false };
            let Some(entry) = self.entries.get_mut(&name).filter(|entry| entry.stamp == stamp) else { continue };
            let expired = self.now.is_some_and(|now| entry.token.has_expired(now));
            if entry.uses == 0 || expired {
                if !entry.is_main {
                    self.note_gone(name, limits.entries);
                }
                self.remove(name);
                return true;
            }
            // It is in use: from probation it moves to the main part, and there to the end of the queue.
            queue.leave(entry.bytes);
            entry.uses = if entry.is_main { entry.uses.saturating_sub(1) } else { 0 };
            entry.is_main = true;
            self.main.enter(name, stamp, entry.bytes);
        }
    }

    fn note_gone(&mut self, name: TokenName, most: usize) {
        self.stamps = self.stamps.wrapping_add(1);
        self.gone.insert(name, self.stamps);
        self.gone_order.push_back((name, self.stamps));
        while self.gone_order.len() > most {
            if let Some((name, stamp)) = self.gone_order.pop_front()
                && self.gone.get(&name) == Some(&stamp)
            {
                self.gone.remove(&name);
            }
        }
    }
}

impl Queue {
    fn enter(&mut self, name: TokenName, stamp: u64, bytes: usize) {
        self.order.push_back((name, stamp));
        self.entries = self.entries.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    fn leave(&mut self, bytes: usize) {
        self.entries = self.entries.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// Takes a digest for the hash that it is.
#[derive(Debug, Default)]
struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            self.0 ^= u64::from_le_bytes(word);
        }
    }

    fn write_u128(&mut self, digest: u128) {
        // Half of it is as good as any hash. `to_le_bytes` has 16 bytes, so the first 8 are there.
        self.0 = digest.to_le_bytes().first_chunk().map_or(0, |half| u64::from_le_bytes(*half));
    }
}

#[cfg(test)]
mod tests;
