//! When a document is fetched: the period and its jitter, the effect of `max-age`, the backoff of retries, and the cost
//! of fetches out of turn. All times are in milliseconds.

/// The delay of the first retry while there is no document at all.
const FIRST_RETRY_WITHOUT_MS: u64 = 250;
/// The delay of the first retry while there is one.
const FIRST_RETRY_MS: u64 = 1000;
/// The longest delay of a retry.
pub const LAST_RETRY_MS: u64 = 60_000;
/// The shortest period that `max-age` can ask for. It can never ask for one longer than the configured one.
const LEAST_PERIOD_MS: u64 = 10_000;
/// The number of fetches out of turn that may come at once.
const BURST: u64 = 3;

/// How a document is kept fresh, as configured, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long a document is used before it is fetched again.
    pub refresh: u64,
    /// The timeout of one request.
    pub timeout: u64,
    /// How long a document outlives the refresh that was due.
    pub max_stale: u64,
    /// The time that pays for one fetch out of turn.
    pub out_of_turn: u64,
}

impl Timing {
    /// When the next fetch comes after a success: at most the configured period later, and up to a tenth of it earlier
    /// at random, so that many processes do not come together.
    pub(super) fn period(&self, max_age_ms: Option<u64>, random: u64) -> u64 {
        let least = LEAST_PERIOD_MS.min(self.refresh);
        let period = max_age_ms.map_or(self.refresh, |age| age.clamp(least, self.refresh));
        period.saturating_sub(share(period / 10, random))
    }

    /// The delay after the `failures`-th failure in a row. Never longer than the period: with a short period the
    /// operator wants to know soon that the source is back.
    pub(super) fn retry(&self, failures: u64, has_document: bool, random: u64) -> u64 {
        let first = if has_document { FIRST_RETRY_MS } else { FIRST_RETRY_WITHOUT_MS };
        let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(u32::MAX).min(20);
        let longest = LAST_RETRY_MS.min(self.refresh);
        let wait = first.saturating_mul(1 << doublings).min(longest);
        (wait / 2).saturating_add(share(wait.div_ceil(2), random))
    }

    /// The longest delay of anything. A time further away comes from a clock that was set back, or from another writer.
    pub(super) fn longest_wait(&self) -> u64 {
        self.refresh.max(LAST_RETRY_MS)
    }

    /// How long a document may be used after its source confirmed it.
    pub(super) const fn good_for(&self) -> u64 {
        self.refresh.saturating_add(self.max_stale)
    }

    /// The length of a lease. A longer one counts as free.
    pub(super) const fn lease(&self) -> u64 {
        self.timeout.saturating_mul(2)
    }

    /// Pays for a fetch out of turn. Returns the time up to which fetches are paid for, or `None` when too many came.
    pub(super) fn pay(&self, paid_until: u64, now: u64, random: u64) -> Option<u64> {
        let price = self.out_of_turn.saturating_add(share(self.out_of_turn / 4, random));
        // The most that all but one fetch of the burst can cost.
        let credit = self.out_of_turn.saturating_mul(BURST.saturating_sub(1)).saturating_mul(5) / 4;
        // A larger debt comes from a clock that was set back.
        let greatest = self.out_of_turn.saturating_mul(BURST.saturating_add(1));
        let from = if paid_until > now.saturating_add(greatest) { now } else { paid_until.max(now) };
        (from <= now.saturating_add(credit)).then(|| from.saturating_add(price))
    }
}

/// A random part of `whole`, from nothing to all of it.
fn share(whole: u64, random: u64) -> u64 {
    random.checked_rem(whole.saturating_add(1)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: Timing = Timing { refresh: 600_000, timeout: 2000, max_stale: 3_600_000, out_of_turn: 30_000 };

    #[test]
    fn the_period_is_the_configured_one_or_up_to_a_tenth_less() {
        for random in (0..1_000_000).step_by(997) {
            assert!((540_000..=600_000).contains(&TIMING.period(None, random)), "{random}");
        }
        assert_eq!(TIMING.period(None, 0), 600_000);
        assert_eq!(TIMING.period(None, 60_000), 540_000);
    }

    #[test]
    fn a_fetch_out_of_turn_costs_its_time_or_up_to_a_quarter_more() {
        let now = 1_700_000_000_000;
        assert_eq!(TIMING.pay(0, now, 0), Some(now + 30_000));
        assert_eq!(TIMING.pay(0, now, 7500), Some(now + 37_500));
        let costs: Vec<u64> =
            (0..1_000_000).step_by(997).map(|random| TIMING.pay(0, now, random).expect("the first") - now).collect();
        assert!(costs.iter().all(|cost| (30_000..=37_500).contains(cost)));
        assert!(costs.iter().any(|cost| *cost < 31_000) && costs.iter().any(|cost| *cost > 36_500), "at random");
    }

    #[test]
    fn max_age_brings_the_next_fetch_forward_and_never_puts_it_off() {
        for (max_age, period) in
            [(0, 10_000), (9999, 10_000), (60_000, 60_000), (600_001, 600_000), (u64::MAX, 600_000)]
        {
            assert_eq!(TIMING.period(Some(max_age), 0), period, "{max_age}");
        }
        let often = Timing { refresh: 1000, ..TIMING };
        assert_eq!(often.period(Some(0), 0), 1000, "a period below the least one is left as it is");
    }

    #[test]
    fn retries_wait_twice_as_long_each_time_and_half_of_it_is_chance() {
        let waits = [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000];
        for (index, wait) in (1..).zip(waits) {
            assert_eq!(TIMING.retry(index, true, 0), wait / 2);
            assert_eq!(TIMING.retry(index, true, wait / 2), wait);
            assert!((wait / 2..=wait).contains(&TIMING.retry(index, true, u64::MAX)));
        }
        assert_eq!(TIMING.retry(1, false, 0), 125);
        assert_eq!(TIMING.retry(u64::MAX, true, 0), 30_000);
        let often = Timing { refresh: 1000, ..TIMING };
        assert!(often.retry(9, true, u64::MAX) <= 1000);
    }

    #[test]
    fn three_fetches_out_of_turn_come_at_once_and_then_one_each_interval() {
        let mut paid = 0;
        let mut fetches = Vec::new();
        for second in 0..300 {
            let now = 1_000_000 + second * 1000;
            if let Some(until) = TIMING.pay(paid, now, second * 7919) {
                paid = until;
                fetches.push(second);
            }
        }
        assert_eq!(&fetches[..3], [0, 1, 2]);
        assert!((9..=13).contains(&fetches.len()), "{fetches:?}");
        assert!(fetches[3..].windows(2).all(|pair| pair[1] - pair[0] >= 29), "{fetches:?}");
        // After a long quiet time no more than the burst is available.
        let later = 1_000_000_000;
        for chance in [0, 1, 3750, 7500, u64::MAX] {
            let (mut burst, mut paid) = (0, paid);
            while let Some(until) = TIMING.pay(paid, later, chance) {
                paid = until;
                burst += 1;
            }
            assert_eq!(burst, 3, "{chance}");
        }
    }

    #[test]
    fn a_debt_from_the_future_is_forgiven() {
        assert!(TIMING.pay(u64::MAX, 1000, 0).is_some());
    }
}
