//! Counts of decisions, and of their reasons.

use super::table::Weighed;
use crate::cli::log::Verdict;

/// The most reasons that are told apart. There are fewer than that; a log may have anything.
const MOST_REASONS: usize = 128;

/// A reason, by its place among those of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) struct Reason(usize);

/// The reasons of a log.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Names(Vec<Box<str>>);

impl Default for Names {
    fn default() -> Self {
        Self(vec!["other".into()])
    }
}

impl Names {
    /// The reason of that name; beyond a number of reasons, all others are one.
    pub(in crate::cli) fn reason(&mut self, name: &str) -> Reason {
        let name = super::table::cut(name);
        if let Some(place) = self.0.iter().position(|known| **known == *name) {
            return Reason(place);
        }
        if self.0.len() >= MOST_REASONS {
            return Reason::default();
        }
        self.0.push(name.into());
        Reason(self.0.len().saturating_sub(1))
    }

    /// Its name.
    pub(in crate::cli) fn name(&self, reason: Reason) -> &str {
        self.0.get(reason.0).map_or("other", |name| name)
    }
}

/// How often each reason came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct Reasons(Vec<(Reason, u64)>);

impl Reasons {
    /// Counts one.
    pub(in crate::cli) fn count(&mut self, reason: Reason) {
        self.add_to(reason, 1);
    }

    /// Adds other counts.
    pub(in crate::cli) fn add(&mut self, others: &Self) {
        others.0.iter().for_each(|&(reason, count)| self.add_to(reason, count));
    }

    /// All counts together.
    pub(in crate::cli) fn total(&self) -> u64 {
        self.0.iter().map(|(_, count)| count).sum()
    }

    /// How often this one came.
    pub(in crate::cli) fn of(&self, reason: Reason) -> u64 {
        self.0.iter().find(|(other, _)| *other == reason).map_or(0, |(_, count)| *count)
    }

    /// The reasons with their counts, the highest first.
    pub(in crate::cli) fn ranked(&self) -> Vec<(Reason, u64)> {
        let mut all = self.0.clone();
        all.sort_by(|(one, a), (other, b)| b.cmp(a).then_with(|| one.cmp(other)));
        all
    }

    fn add_to(&mut self, reason: Reason, more: u64) {
        match self.0.iter_mut().find(|(other, _)| *other == reason) {
            Some((_, count)) => *count = count.saturating_add(more),
            None => self.0.push((reason, more)),
        }
    }
}

/// How many requests ended how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct Counts {
    pub allowed: u64,
    pub served: u64,
    pub denied: Reasons,
    pub would_deny: Reasons,
}

impl Counts {
    /// Counts one.
    pub(in crate::cli) fn count(&mut self, verdict: Verdict, reason: Reason) {
        match verdict {
            Verdict::Allow => self.allowed = self.allowed.saturating_add(1),
            Verdict::Serve => self.served = self.served.saturating_add(1),
            Verdict::Deny => self.denied.count(reason),
            Verdict::WouldDeny => self.would_deny.count(reason),
            Verdict::Receive | Verdict::Reuse => {}
        }
    }

    /// All requests.
    pub(in crate::cli) fn total(&self) -> u64 {
        [self.allowed, self.served, self.denied.total(), self.would_deny.total()].iter().sum()
    }
}

impl Weighed for Counts {
    fn weight(&self) -> u64 {
        self.total()
    }
}
