//! Key ids that were looked for in vain. For some time no request looks for them again.

use std::hash::{BuildHasher, RandomState};

/// The most that are remembered. Beyond that the oldest are forgotten; the budget of fetches bounds the cost.
const MOST: usize = 512;

/// A bounded memory. It holds a keyed hash of each `kid`, so its size does not depend on what senders write.
#[derive(Debug, Default)]
pub(super) struct UnknownKids {
    hasher: RandomState,
    kids: Vec<(u64, u64)>,
}

impl UnknownKids {
    /// Remembers `kid` until `until`.
    pub(super) fn remember(&mut self, kid: &str, until: u64) {
        let hash = self.hasher.hash_one(kid);
        self.kids.retain(|(other, _)| *other != hash);
        if self.kids.len() >= MOST {
            self.kids.remove(0);
        }
        self.kids.push((hash, until));
    }

    /// Whether `kid` was looked for in vain at most `longest` before `now`.
    pub(super) fn holds(&self, kid: &str, now: u64, longest: u64) -> bool {
        let hash = self.hasher.hash_one(kid);
        let fresh = |until: u64| now < until && until <= now.saturating_add(longest);
        self.kids.iter().any(|(other, until)| *other == hash && fresh(*until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kid_is_remembered_for_its_time_and_no_longer() {
        let mut unknown = UnknownKids::default();
        unknown.remember("a", 100);
        assert!(unknown.holds("a", 99, 30));
        assert!(!unknown.holds("a", 100, 30));
        assert!(!unknown.holds("b", 99, 30));
        assert!(!unknown.holds("a", 10, 30), "a clock that was set back does not prolong it");
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut unknown = UnknownKids::default();
        for number in 0..10 * MOST {
            unknown.remember(&number.to_string(), 100);
        }
        assert_eq!(unknown.kids.len(), MOST);
        assert!(!unknown.holds("0", 99, 100) && unknown.holds(&(10 * MOST - 1).to_string(), 99, 100));
        unknown.remember("again", 50);
        unknown.remember("again", 60);
        assert_eq!(unknown.kids.len(), MOST);
    }
}
