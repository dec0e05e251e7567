//! Budgets that are renewed every second: how many denials are logged, how much time goes into signatures.

use crate::crypto::{Algorithm, Verification, VerificationKey, Verifier};
use crate::decision::Reason;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// How many denials a worker logs in a second. The others are counted, and told in one line a second.
#[derive(Debug)]
pub struct LogBudget {
    per_second: u32,
    second: Cell<u64>,
    used: Cell<u32>,
    /// The second of the last summary.
    told: Cell<u64>,
    suppressed: RefCell<BTreeMap<Reason, u64>>,
}

impl LogBudget {
    /// A budget of so many lines a second.
    pub const fn new(per_second: u32) -> Self {
        Self {
            per_second,
            second: Cell::new(0),
            used: Cell::new(0),
            told: Cell::new(0),
            suppressed: RefCell::new(BTreeMap::new()),
        }
    }

    /// Whether a denial for `reason` may be logged at `now_ns`. If not, it is counted.
    pub fn admit(&self, reason: Reason, now_ns: u64) -> bool {
        let second = now_ns / NANOS_PER_SECOND;
        if self.second.replace(second) != second {
            self.used.set(0);
        }
        if self.used.get() < self.per_second {
            self.used.set(self.used.get() + 1);
            return true;
        }
        let mut suppressed = self.suppressed.borrow_mut();
        let count = suppressed.entry(reason).or_default();
        *count = count.saturating_add(1);
        false
    }

    /// The line about what was not logged since the last one, when there is something to tell; once a second at most.
    pub fn summary(&self, now_ns: u64) -> Option<String> {
        let second = now_ns / NANOS_PER_SECOND;
        if self.told.replace(second) == second {
            return None;
        }
        let suppressed = self.suppressed.take();
        if suppressed.is_empty() {
            return None;
        }
        let counts: Vec<String> =
            suppressed.iter().map(|(reason, count)| format!("{}={count}", reason.name())).collect();
        Some(format!("denials not logged: {}", counts.join(" ")))
    }
}

/// How much of each second a worker may spend on checking signatures in the VM, so that a flood of tokens leaves time
/// for everything else.
#[derive(Debug)]
pub struct CryptoBudget {
    per_second_ns: u64,
    second: Cell<u64>,
    used_ns: Cell<u64>,
}

impl CryptoBudget {
    /// A budget of so many percent of each second.
    pub fn new(percent: u32) -> Self {
        let per_second_ns = NANOS_PER_SECOND / 100 * u64::from(percent.min(100));
        Self { per_second_ns, second: Cell::new(0), used_ns: Cell::new(0) }
    }

    /// Whether there is anything left of the second in which `now_ns` lies. At 100 percent there always is.
    fn has_some(&self, now_ns: u64) -> bool {
        let second = now_ns / NANOS_PER_SECOND;
        if self.second.replace(second) != second {
            self.used_ns.set(0);
        }
        self.per_second_ns >= NANOS_PER_SECOND || self.used_ns.get() < self.per_second_ns
    }

    fn spend(&self, nanoseconds: u64) {
        self.used_ns.set(self.used_ns.get().saturating_add(nanoseconds));
    }
}

/// A verifier that keeps to a budget.
pub struct Budgeted<'b, V> {
    /// Who does the work.
    pub verifier: V,
    /// What it may cost.
    pub budget: &'b CryptoBudget,
    /// The time in nanoseconds.
    pub clock: fn() -> u64,
}

impl<V: Verifier> Verifier for Budgeted<'_, V> {
    fn verify(&self, key: &VerificationKey, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> Verification {
        let start = (self.clock)();
        if !self.budget.has_some(start) {
            return Verification::TooBusy;
        }
        let verification = self.verifier.verify(key, algorithm, message, signature);
        self.budget.spend((self.clock)().saturating_sub(start));
        verification
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denials_beyond_the_budget_are_counted_and_told_once() {
        let budget = LogBudget::new(2);
        let admitted: Vec<bool> =
            (0..4).map(|millisecond| budget.admit(Reason::Expired, millisecond * 1_000_000)).collect();
        assert_eq!(admitted, [true, true, false, false]);
        assert!(!budget.admit(Reason::BadSignature, 5_000_000));
        assert_eq!(budget.summary(NANOS_PER_SECOND).as_deref(), Some("denials not logged: expired=2 bad_signature=1"));
        assert_eq!(budget.summary(2 * NANOS_PER_SECOND), None, "nothing new");
        assert!(budget.admit(Reason::Expired, 2 * NANOS_PER_SECOND));
        assert!(budget.admit(Reason::Expired, 2 * NANOS_PER_SECOND));
        assert!(!budget.admit(Reason::Expired, 2 * NANOS_PER_SECOND));
        assert_eq!(budget.summary(2 * NANOS_PER_SECOND), None, "once a second");
        assert_eq!(budget.summary(3 * NANOS_PER_SECOND).as_deref(), Some("denials not logged: expired=1"));
        assert!(budget.admit(Reason::Expired, 4 * NANOS_PER_SECOND), "the next second has a budget of its own");
    }

    #[test]
    fn no_budget_logs_nothing() {
        assert!(!LogBudget::new(0).admit(Reason::Expired, 0));
    }

    #[test]
    fn signatures_stop_when_their_share_of_the_second_is_used_up() {
        let budget = CryptoBudget::new(50);
        assert!(budget.has_some(0));
        budget.spend(499_999_999);
        assert!(budget.has_some(600_000_000));
        budget.spend(1);
        assert!(!budget.has_some(700_000_000));
        assert!(budget.has_some(NANOS_PER_SECOND));
        let all = CryptoBudget::new(100);
        all.spend(5 * NANOS_PER_SECOND);
        assert!(all.has_some(0));
    }
}
