//! Counts of decisions by names of the configuration: by the reason and by whose credential it was, and by the requirement
//! that decided. Each counter is defined when there is something to count, and there are [`MOST_SERIES`] at most.

use super::super::host::Host;
use super::super::metrics;
use super::tallies::Tally;
use crate::audit::Outcome;
use crate::decision::{CredentialKind, Trace};
use crate::policy::{Authority, MethodPart, Policy, RequirementPlace};
use std::cell::RefCell;

/// The most counters of this kind: Envoy keeps each one for as long as it runs. What finds no room is counted together.
const MOST_SERIES: usize = 1000;
/// How many of them are for what finds no room.
const OTHERS: usize = 5;

/// What a counter counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Series {
    /// Refusals of this kind, by whose credential it was.
    Refused(Outcome, Option<Authority>),
    /// Decisions by this requirement; the method is there where the requirement is of one.
    Decided(Verdict, Option<RequirementPlace>, Box<[u8]>),
    /// Refusals that find no room.
    OtherRefused(Verdict),
    /// Decisions that find none.
    OtherDecided(Verdict),
}

/// What became of a request, without the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Allow,
    Deny,
    WouldDeny,
}

/// The counters that there are, in the order of what they count.
#[derive(Default)]
pub(super) struct AllSeries(RefCell<Vec<(Series, Tally)>>);

impl AllSeries {
    /// Counts a decision. `method` is that of the request, where the requirement is of one.
    pub(super) fn add(&self, outcome: Outcome, trace: &Trace, method: &[u8]) {
        let verdict = match outcome {
            Outcome::Served | Outcome::Received => return,
            Outcome::Allowed => Verdict::Allow,
            Outcome::Denied(_) => Verdict::Deny,
            Outcome::WouldDeny(_) => Verdict::WouldDeny,
        };
        let of_method = trace.requirement.is_some_and(|place| place.part == MethodPart::Own);
        let method = if of_method { method.into() } else { Box::default() };
        self.count_one(Series::Decided(verdict, trace.requirement, method), Series::OtherDecided(verdict));
        if outcome.reason().is_some() {
            let of_set = || trace.credential.and_then(CredentialKind::set).map(Authority::Set);
            let series = Series::Refused(outcome, trace.authority.or_else(of_set));
            self.count_one(series, Series::OtherRefused(verdict));
        }
    }

    fn count_one(&self, series: Series, other: Series) {
        let mut all = self.0.borrow_mut();
        let has_room = all.len() < MOST_SERIES - OTHERS;
        let place = match all.binary_search_by(|(known, _)| known.cmp(&series)) {
            Ok(at) => at,
            Err(at) if has_room => {
                all.insert(at, (series, Tally::default()));
                at
            }
            Err(_) => all.binary_search_by(|(known, _)| known.cmp(&other)).unwrap_or_else(|at| {
                all.insert(at, (other, Tally::default()));
                at
            }),
        };
        if let Some((_, tally)) = all.get(place) {
            tally.add();
        }
    }

    /// Updates the counters, and defines those that are new.
    pub(super) fn count(&self, host: &impl Host, policy: &Policy) {
        for (series, tally) in self.0.borrow_mut().iter_mut() {
            tally.count_as(host, || series.name(policy));
        }
    }
}

impl Series {
    fn name(&self, policy: &Policy) -> String {
        match self {
            Self::Refused(outcome, authority) => {
                let (mode, reason) = match outcome {
                    Outcome::WouldDeny(reason) => (Verdict::WouldDeny, reason.name()),
                    Outcome::Denied(reason) => (Verdict::Deny, reason.name()),
                    Outcome::Allowed | Outcome::Served | Outcome::Received => (Verdict::Allow, NONE),
                };
                let authority = authority.and_then(|authority| match authority {
                    Authority::Issuer(_) => policy.issuer_name(authority),
                    Authority::Set(set) => policy.set_name(set),
                });
                metrics::filled(metrics::REFUSED, &[mode.mode(), authority.unwrap_or(NONE), reason])
            }
            Self::Decided(verdict, place, method) => {
                let path = place.map(|place| place.path(&String::from_utf8_lossy(method)));
                metrics::filled(metrics::REQUIREMENT, &[verdict.word(), path.as_deref().unwrap_or(NONE)])
            }
            Self::OtherRefused(verdict) => metrics::filled(metrics::REFUSED, &[verdict.mode(), OTHER, OTHER]),
            Self::OtherDecided(verdict) => metrics::filled(metrics::REQUIREMENT, &[verdict.word(), OTHER]),
        }
    }
}

/// In the place of a name where there is none.
const NONE: &str = "none";
/// In the place of the names that find no room.
const OTHER: &str = "other";

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::WouldDeny => "would_deny",
        }
    }

    /// Whether what it says was done.
    const fn mode(self) -> &'static str {
        match self {
            Self::Allow | Self::Deny => "enforce",
            Self::WouldDeny => "report_only",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::Reason;
    use crate::policy::{IssuerId, RequirementSource};

    fn trace(index: usize, part: MethodPart) -> Trace {
        let requirement = Some(RequirementPlace { source: RequirementSource::Rule(index), part });
        Trace { requirement, ..Trace::default() }
    }

    #[test]
    fn there_are_never_more_series_than_the_limit_and_the_rest_is_counted_together() {
        let all = AllSeries::default();
        for index in 0..2 * MOST_SERIES {
            let trace =
                Trace { authority: Some(Authority::Issuer(IssuerId(index))), ..trace(index, MethodPart::Enclosing) };
            for outcome in [Outcome::Allowed, Outcome::Denied(Reason::Expired), Outcome::WouldDeny(Reason::Expired)] {
                all.add(outcome, &trace, b"");
            }
        }
        let series = all.0.borrow();
        assert_eq!(series.len(), MOST_SERIES);
        let others =
            series.iter().filter(|(series, _)| matches!(series, Series::OtherRefused(_) | Series::OtherDecided(_)));
        assert_eq!(others.count(), OTHERS);
        assert!(series.is_sorted_by(|(a, _), (b, _)| a < b));
        let counted: u64 = series.iter().map(|(_, tally)| u64::from(tally.uncounted())).sum();
        assert_eq!(counted, 5 * 2 * u64::try_from(MOST_SERIES).expect("a few"), "nothing is lost");
    }

    #[test]
    fn a_method_is_part_of_the_name_only_where_the_requirement_is_of_one() {
        let all = AllSeries::default();
        for method in [&b"GET"[..], b"POST", b"X"] {
            all.add(Outcome::Allowed, &trace(0, MethodPart::Enclosing), method);
        }
        all.add(Outcome::Allowed, &trace(0, MethodPart::Own), b"POST");
        assert_eq!(all.0.borrow().len(), 2);
    }
}
