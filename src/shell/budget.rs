//! Budgets: how many denials are logged, how much time goes into signatures.

use crate::crypto::{Algorithm, Verification, VerificationKey, Verifier};
use crate::decision::Reason;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// Limits how many denials a worker logs in a second. It counts the others, and reports them in one line a second.
#[derive(Debug)]
pub struct LogBudget {
    per_second: u32,
    second: Cell<u64>,
    used: Cell<u32>,
    suppressed: RefCell<BTreeMap<Reason, u64>>,
}

impl LogBudget {
    /// A budget of `per_second` lines a second.
    pub const fn new(per_second: u32) -> Self {
        Self { per_second, second: Cell::new(0), used: Cell::new(0), suppressed: RefCell::new(BTreeMap::new()) }
    }

    /// Whether the next denial may be logged.
    pub const fn has_room(&self) -> bool {
        self.used.get() < self.per_second
    }

    /// Whether a denial for `reason` may be logged. If not, it is counted.
    pub fn admit(&self, reason: Reason) -> bool {
        if self.has_room() {
            self.used.set(self.used.get() + 1);
            return true;
        }
        let mut suppressed = self.suppressed.borrow_mut();
        let count = suppressed.entry(reason).or_default();
        *count = count.saturating_add(1);
        false
    }

    /// Begins the budget of the next second, once it has begun. Returns the line about what was not logged in the
    /// second before, if any. Called at ticks, several times a second, so that no request asks for the time.
    pub fn go_on(&self, now_ns: u64) -> Option<String> {
        let second = now_ns / NANOS_PER_SECOND;
        if self.second.replace(second) == second {
            return None;
        }
        self.used.set(0);
        let suppressed = self.suppressed.take();
        (!suppressed.is_empty()).then(|| told(suppressed.iter().map(|(reason, count)| (reason.name(), count))))
    }

    /// Takes what has not been logged, by reasons, where nothing will call [`LogBudget::go_on`] for a while.
    #[cfg(feature = "module")]
    pub fn take(&self) -> Vec<(&'static str, u64)> {
        self.suppressed.take().into_iter().map(|(reason, count)| (reason.name(), count)).collect()
    }
}

/// The line about what was not logged.
pub fn told<'c>(suppressed: impl IntoIterator<Item = (&'c str, &'c u64)>) -> String {
    let mut line = "denials not logged:".to_owned();
    for (reason, count) in suppressed {
        // Writing to a text does not fail.
        let _ = write!(line, " {reason}={count}");
    }
    line
}

/// Limits the time that a worker spends on checking signatures in the VM, so that a flood of tokens leaves time for
/// everything else. The limit also holds within each second, since every request of the worker waits for a stall to
/// end.
#[derive(Debug)]
pub struct CryptoBudget {
    percent: u32,
    /// What may be spent now, in nanoseconds. Below zero it has been overspent, since the cost of a check is known only
    /// afterwards.
    credit: Cell<i64>,
    /// The time up to which the budget has been credited.
    credited: Cell<u64>,
}

/// The credit of this time, in nanoseconds, can be spent at once.
const SAVED_UP_NS: u64 = 100_000_000;
/// The largest debt, even if the clock jumps during a check.
const MOST_OWED_NS: i64 = -1_000_000_000;

impl CryptoBudget {
    /// A budget of `percent` % of the time.
    pub fn new(percent: u32) -> Self {
        Self { percent: percent.min(100), credit: Cell::new(0), credited: Cell::new(0) }
    }

    /// Whether anything is left at `now_ns`. At 100 percent there always is.
    pub fn has_some(&self, now_ns: u64) -> bool {
        let passed = now_ns.saturating_sub(self.credited.replace(now_ns)).min(SAVED_UP_NS);
        let share = |time: u64| i64::try_from(time / 100 * u64::from(self.percent)).unwrap_or(i64::MAX);
        self.credit.set(self.credit.get().saturating_add(share(passed)).min(share(SAVED_UP_NS)));
        self.percent >= 100 || self.credit.get() > 0
    }

    /// Takes what something has cost.
    pub fn spend(&self, nanoseconds: u64) {
        let cost = i64::try_from(nanoseconds).unwrap_or(i64::MAX);
        self.credit.set(self.credit.get().saturating_sub(cost).max(MOST_OWED_NS));
    }
}

/// A verifier that keeps to a budget.
pub struct Budgeted<'b, V, C> {
    /// The verifier that does the work.
    pub verifier: V,
    /// What it may cost.
    pub budget: &'b CryptoBudget,
    /// The time in nanoseconds.
    pub clock: C,
}

impl<V: Verifier, C: Fn() -> u64> Verifier for Budgeted<'_, V, C> {
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
        assert_eq!(budget.go_on(NANOS_PER_SECOND), None);
        assert_eq!([(); 4].map(|()| budget.admit(Reason::Expired)), [true, true, false, false]);
        assert_eq!(budget.go_on(NANOS_PER_SECOND + 500 * MILLISECOND), None, "once a second");
        assert!(!budget.admit(Reason::BadSignature), "it is the same second");
        let told = budget.go_on(2 * NANOS_PER_SECOND);
        assert_eq!(told.as_deref(), Some("denials not logged: expired=2 bad_signature=1"));
        assert_eq!([(); 3].map(|()| budget.admit(Reason::Expired)), [true, true, false], "a budget of its own");
        assert_eq!(budget.go_on(3 * NANOS_PER_SECOND).as_deref(), Some("denials not logged: expired=1"));
        assert_eq!(budget.go_on(4 * NANOS_PER_SECOND), None, "nothing new");
    }

    #[test]
    fn no_budget_logs_nothing() {
        assert!(!LogBudget::new(0).admit(Reason::Expired));
    }

    const MILLISECOND: u64 = 1_000_000;

    #[test]
    fn signatures_stop_when_their_share_of_the_time_is_used_up() {
        let budget = CryptoBudget::new(50);
        let start = 7 * NANOS_PER_SECOND;
        assert!(budget.has_some(start), "what came together in a tenth of a second is there at the beginning");
        budget.spend(50 * MILLISECOND - 1);
        assert!(budget.has_some(start));
        budget.spend(1);
        assert!(!budget.has_some(start));
        assert!(budget.has_some(start + MILLISECOND), "half of a millisecond has come in");
        budget.spend(3 * MILLISECOND);
        assert!(!budget.has_some(start + 5 * MILLISECOND), "2.5 ms are owed, and 2 have come in");
        assert!(budget.has_some(start + 7 * MILLISECOND));
        let all = CryptoBudget::new(100);
        all.spend(5 * NANOS_PER_SECOND);
        assert!(all.has_some(0));
        assert!(!CryptoBudget::new(0).has_some(start));
    }

    #[test]
    fn a_flood_gets_its_share_of_every_tenth_of_a_second_and_no_more() {
        let budget = CryptoBudget::new(30);
        let (mut now, mut spent) = (NANOS_PER_SECOND, 0);
        budget.has_some(now);
        budget.spend(30 * MILLISECOND);
        for tenth in 0..20 {
            let end = now + 100 * MILLISECOND;
            let before = spent;
            while now < end {
                let cost = if budget.has_some(now) { 2 * MILLISECOND } else { 0 };
                budget.spend(cost);
                spent += cost;
                now += cost + MILLISECOND / 10;
            }
            assert!((26..=34).contains(&((spent - before) / MILLISECOND)), "{tenth}: {}", spent - before);
        }
    }

    #[test]
    fn a_clock_that_jumps_neither_stops_signatures_for_long_nor_gives_them_away() {
        let budget = CryptoBudget::new(50);
        assert!(budget.has_some(NANOS_PER_SECOND));
        budget.spend(3600 * NANOS_PER_SECOND);
        assert!(!budget.has_some(NANOS_PER_SECOND), "the clock went back in the meantime");
        assert!((0..30).any(|tenth| budget.has_some(2 * NANOS_PER_SECOND + tenth * 100 * MILLISECOND)));
        budget.has_some(u64::MAX);
        budget.spend(51 * MILLISECOND);
        assert!(!budget.has_some(u64::MAX), "a jump ahead fills it once");
    }
}
