//! How often both agree, and where they do not: in bounded memory, however long the log.

use super::old::Old;
use crate::cli::log::{Record, Tally, Verdict};
use crate::cli::usage::{Few, NO_NAME, Table, Weighed, joined};

/// How many groups of requests are told apart in each direction.
const MOST_GROUPS: usize = 2000;

/// What a log says of both.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub both_allow: u64,
    pub both_refuse: u64,
    /// What the old filters refused and Scopegate would let through: by route, details of the refusal and requirement.
    pub newly_allowed: Groups,
    /// What the old filters let through and Scopegate would refuse: by route, requirement and reason.
    pub newly_refused: Groups,
    /// What Scopegate refused or served itself: the old filters never saw it.
    pub decided_by_scopegate: u64,
    /// What neither the old filters nor the router answered, by the details.
    pub neither: Few,
    /// Requests of which the log has no details.
    pub without_details: u64,
}

/// Requests, and the groups that they make.
#[derive(Debug)]
pub(super) struct Groups {
    pub requests: u64,
    pub table: Table<Group>,
}

/// Requests that are alike.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub requests: u64,
    pub callers: Few,
    /// What Scopegate found, and what it wanted.
    pub causes: Few,
    /// The reasons beyond the first.
    pub further: Few,
}

impl Weighed for Group {
    fn weight(&self) -> u64 {
        self.requests
    }
}

impl Default for Groups {
    fn default() -> Self {
        Self { requests: 0, table: Table::new(MOST_GROUPS) }
    }
}

impl Groups {
    fn count(&mut self, name: &[&str], record: &Record<'_>) {
        self.requests = self.requests.saturating_add(1);
        let row = self.table.row(&joined(name));
        row.requests = row.requests.saturating_add(1);
        row.callers.count(&caller(record));
        if let Some(why) = record.why() {
            row.causes.count(&why);
        }
        for name in ["further_reasons", "unverified_further_reasons"] {
            record.list(name).into_iter().flatten().for_each(|reason| row.further.count(reason));
        }
    }
}

impl Counts {
    /// Counts a record, with what the line around it says.
    pub(super) fn count(&mut self, record: &Record<'_>) {
        let refuses = match record.verdict {
            Verdict::Allow => false,
            Verdict::WouldDeny => true,
            Verdict::Deny | Verdict::Serve => return add(&mut self.decided_by_scopegate),
            // Neither is a request for a resource.
            Verdict::Receive | Verdict::Reuse => return,
        };
        let Some(details) = record.of_line("details") else { return add(&mut self.without_details) };
        let text = |name| record.text(name).unwrap_or_else(|| NO_NAME.into());
        match (Old::of(&details), refuses) {
            (Old::Allowed, false) => add(&mut self.both_allow),
            (Old::Refused, true) => add(&mut self.both_refuse),
            (Old::Refused, false) => {
                self.newly_allowed.count(&[&text("route"), &details, &text("requirement")], record);
            }
            (Old::Allowed, true) => {
                self.newly_refused.count(&[&text("route"), &text("requirement"), &text("reason")], record);
            }
            (Old::Neither, _) => self.neither.count(&details),
        }
    }

    /// How many requests both have decided.
    pub(super) fn compared(&self) -> u64 {
        let disagreed = self.newly_allowed.requests.saturating_add(self.newly_refused.requests);
        self.both_allow.saturating_add(self.both_refuse).saturating_add(disagreed)
    }

    /// Says why nothing was compared.
    pub(super) fn nothing_compared(&self, tally: &Tally) -> String {
        if self.without_details > 0 {
            return format!(
                "none of the {} records has the outcome of the old filters beside it; write `details: \
                 \"%RESPONSE_CODE_DETAILS%\"` into the format of the access log",
                self.without_details
            );
        }
        if self.decided_by_scopegate > 0 {
            return format!(
                "Scopegate decided all of the {} requests itself; the old filters are to stand after it, and `report_only: \
                 true` at the top of its configuration",
                self.decided_by_scopegate
            );
        }
        format!("no request of the {} lines was decided by the old filters", tally.lines)
    }

    /// How many requests neither the old filters nor the router answered.
    pub(super) fn answered_by_neither(&self) -> u64 {
        self.neither.ranked().iter().map(|(_, count)| count).sum::<u64>().saturating_add(self.neither.others)
    }
}

/// Who sent a request, as far as it is known: the client, or the subject; with a question mark the issuer that a token
/// names that was not verified.
fn caller(record: &Record<'_>) -> String {
    let known = record.client().or_else(|| record.text("subject")).map(std::borrow::Cow::into_owned);
    let unverified = || record.text("unverified_issuer").map(|issuer| format!("@{issuer}?"));
    known.or_else(unverified).unwrap_or_else(|| NO_NAME.to_owned())
}

fn add(count: &mut u64) {
    *count = count.saturating_add(1);
}
