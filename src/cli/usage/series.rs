//! Decisions over time, in as many spans as a chart can show, however long a log is.

use super::counts::{Reason, Reasons};
use crate::cli::log::{Millis, Verdict};
use std::collections::BTreeMap;

/// The spans, in seconds: from a second to a year.
const SPANS: [i64; 14] =
    [1, 5, 15, 60, 300, 900, 3600, 10_800, 21_600, 86_400, 172_800, 604_800, 2_419_200, 31_449_600];
/// The most spans from the first to the last.
const MOST: i64 = 100;
/// No log is older or newer: 2000 to 2100.
const POSSIBLE: std::ops::Range<i64> = 946_684_800..4_102_444_800;

/// What was decided in a span.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct Span {
    pub allowed: u64,
    pub denied: Reasons,
    pub would_deny: Reasons,
}

/// Decisions over time.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Series {
    /// The place of the span in [`SPANS`].
    place: usize,
    spans: BTreeMap<i64, Span>,
    /// Records without a time, or with one that cannot be.
    pub timeless: u64,
    first: Option<Millis>,
    last: Option<Millis>,
}

impl Series {
    /// Counts a decision.
    pub(in crate::cli) fn count(&mut self, time: Option<Millis>, verdict: Verdict, reason: Reason) {
        let Some(time) = time.filter(|time| POSSIBLE.contains(&time.seconds().0)) else {
            self.timeless = self.timeless.saturating_add(1);
            return;
        };
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        self.last = Some(self.last.map_or(time, |last| last.max(time)));
        let span = self.spans.entry(time.seconds().0.div_euclid(self.seconds())).or_default();
        match verdict {
            Verdict::Deny => span.denied.count(reason),
            Verdict::WouldDeny => span.would_deny.count(reason),
            Verdict::Allow | Verdict::Serve | Verdict::Receive | Verdict::Reuse => {
                span.allowed = span.allowed.saturating_add(1);
            }
        }
        while self.length() > MOST && self.place.saturating_add(1) < SPANS.len() {
            self.widen();
        }
    }

    /// The seconds of a span.
    pub(in crate::cli) fn seconds(&self) -> i64 {
        SPANS.get(self.place).copied().unwrap_or(i64::MAX)
    }

    /// When the first and the last record were written.
    pub(in crate::cli) fn between(&self) -> Option<(Millis, Millis)> {
        self.first.zip(self.last)
    }

    /// All spans from the first to the last, with the times at which they begin, those without a record too.
    pub(in crate::cli) fn all(&self) -> Vec<(Millis, Span)> {
        let (Some((first, _)), Some((last, _))) = (self.spans.first_key_value(), self.spans.last_key_value()) else {
            return Vec::new();
        };
        let at = |place: i64| Millis(place.saturating_mul(self.seconds()).saturating_mul(1000));
        (*first..=*last).map(|place| (at(place), self.spans.get(&place).cloned().unwrap_or_default())).collect()
    }

    fn length(&self) -> i64 {
        match (self.spans.first_key_value(), self.spans.last_key_value()) {
            (Some((first, _)), Some((last, _))) => last.saturating_sub(*first).saturating_add(1),
            _ => 0,
        }
    }

    fn widen(&mut self) {
        let old = self.seconds();
        self.place = self.place.saturating_add(1);
        for (place, span) in std::mem::take(&mut self.spans) {
            let into = self.spans.entry(place.saturating_mul(old).div_euclid(self.seconds())).or_default();
            into.allowed = into.allowed.saturating_add(span.allowed);
            into.denied.add(&span.denied);
            into.would_deny.add(&span.would_deny);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(times: &[i64]) -> Series {
        let mut series = Series::default();
        for &time in times {
            series.count(Some(Millis(time * 1000)), Verdict::Deny, Reason::default());
        }
        series
    }

    const START: i64 = 1_795_305_600;

    #[test]
    fn spans_become_longer_with_the_log_and_lose_no_decision() {
        for (length, seconds) in [(0, 1), (99, 1), (100, 5), (3600, 60), (86_400, 900), (7 * 86_400, 10_800)] {
            let series = counted(&[START, START + length / 2, START + length]);
            assert_eq!(series.seconds(), seconds, "{length}");
            let all = series.all();
            assert!(all.len() <= 101, "{length}: {}", all.len());
            assert_eq!(all.iter().map(|(_, span)| span.denied.total()).sum::<u64>(), 3, "{length}");
            assert!(all.first().unwrap().0.seconds().0 <= START, "{length}");
        }
    }

    #[test]
    fn a_time_that_cannot_be_makes_no_span() {
        let series = counted(&[START, -62_135_596_800, 253_402_300_799]);
        assert_eq!((series.all().len(), series.timeless), (1, 2));
        assert_eq!(series.between(), Some((Millis(START * 1000), Millis(START * 1000))));
        assert!(Series::default().all().is_empty());
    }
}
