//! Who called what, with which result: what the records of a log say together. In bounded memory, however long the log.

mod asked;
mod counts;
mod grant;
mod series;
mod table;
mod terms;
mod token;

pub(in crate::cli) use asked::{Asked, place};
pub(in crate::cli) use counts::{Counts, Names, Reasons};
pub(in crate::cli) use series::{Series, Span};
pub(in crate::cli) use table::{Few, Table, Weighed};
pub(in crate::cli) use terms::Terms;
pub(in crate::cli) use token::Token;

use super::log::{Filter, Finder, Record, Tally, Verdict, each_record};
use counts::Reason;
use grant::{Grant, Lifetimes};
use std::error::Error;
use std::path::PathBuf;

/// What separates the parts of a name: no name from a record has it.
const SEPARATOR: char = '\u{1f}';
/// The most bytes of a part.
const PART_BYTES: usize = 390;

/// What the records of a log say together.
#[derive(Debug)]
pub(in crate::cli) struct Usage {
    pub terms: Terms,
    pub tally: Tally,
    pub reasons: Names,
    pub counts: Counts,
    /// Events `token_reuse`.
    pub reuse_events: u64,
    /// Records of allowed requests that have the scopes of a token, and those that have the scopes that were needed.
    pub with_scopes: u64,
    pub with_needed: u64,
    pub series: Series,
    pub routes: Table<Calls>,
    pub clients: Table<Calls>,
    pub issuers: Table<Calls>,
    pub subjects: Table<Calls>,
    /// By requirement, and by route or virtual host where their metadata has it: see [`place`].
    pub requirements: Table<Asked>,
    pub tokens: Table<Token>,
    /// By client and issuer.
    pub grants: Table<Grant>,
    /// By issuer.
    pub lifetimes: Table<Lifetimes>,
    /// What report-only would have refused, by reason, requirement and route.
    pub would_deny: Table<WouldDeny>,
}

/// The calls of a route, or those of a client.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Calls {
    pub counts: Counts,
    /// The clients, or the routes.
    pub others: Few,
}

impl Weighed for Calls {
    fn weight(&self) -> u64 {
        self.counts.total()
    }
}

/// What report-only would have refused.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct WouldDeny {
    pub requests: u64,
    pub clients: Few,
    /// The reasons beyond the first.
    pub further: Few,
}

impl Weighed for WouldDeny {
    fn weight(&self) -> u64 {
        self.requests
    }
}

impl Usage {
    /// What the records of these logs say that the filter takes; `member` is the one that holds the record.
    ///
    /// # Errors
    /// When a log cannot be read, or none of its lines has a record.
    pub(in crate::cli) fn read(
        files: &[PathBuf],
        member: Option<&str>,
        filter: &Filter,
        terms: Terms,
    ) -> Result<Self, Box<dyn Error>> {
        let mut usage = Self::new(terms);
        usage.tally = each_record(files, Finder::new(member.map(str::to_owned)), &mut |record| {
            if filter.takes(record) {
                usage.count(record);
            }
        })?;
        Ok(usage)
    }

    /// Nothing yet.
    pub(in crate::cli) fn new(terms: Terms) -> Self {
        Self {
            terms,
            tally: Tally::default(),
            reasons: Names::default(),
            counts: Counts::default(),
            reuse_events: 0,
            with_scopes: 0,
            with_needed: 0,
            series: Series::default(),
            routes: Table::new(2000),
            clients: Table::new(5000),
            issuers: Table::new(500),
            subjects: Table::new(5000),
            requirements: Table::new(5000),
            tokens: Table::new(30_000),
            grants: Table::new(5000),
            lifetimes: Table::new(500),
            would_deny: Table::new(2000),
        }
    }

    /// Counts a record.
    pub(in crate::cli) fn count(&mut self, record: &Record<'_>) {
        let issuer = record.text("issuer");
        let fingerprint = record.fingerprint();
        if record.is_reuse {
            self.reuse_events = self.reuse_events.saturating_add(1);
            // An API key has no fingerprint: its client is its set and its id.
            let name = fingerprint.as_ref().map(|(text, _)| text.clone()).or_else(|| record.client());
            let name = name.unwrap_or_else(|| NO_NAME.into());
            self.tokens.row(&name).seen_again(record);
        }
        // Neither is a request for a resource.
        if matches!(record.verdict, Verdict::Reuse | Verdict::Receive) {
            return;
        }
        let reason = record.text("reason").map(|name| self.reasons.reason(&name)).unwrap_or_default();
        let verdict = record.verdict;
        self.counts.count(verdict, reason);
        self.series.count(record.time, verdict, reason);
        let (route, client, subject) = (record.text("route"), record.client(), record.text("subject"));
        let route_name = route.as_deref().unwrap_or(NO_NAME);
        let caller = client.as_deref().or(subject.as_deref()).unwrap_or(NO_NAME);
        calls(&mut self.routes, route_name, caller, verdict, reason);
        if let Some(client) = &client {
            calls(&mut self.clients, client, route_name, verdict, reason);
        }
        if let Some(issuer) = &issuer {
            calls(&mut self.issuers, issuer, caller, verdict, reason);
        }
        if let Some(subject) = &subject {
            calls(&mut self.subjects, subject, route_name, verdict, reason);
        }
        let granted = record.list("scopes");
        let lifetime = token::lifetime(record);
        for path in [record.text("requirement"), record.text("added_requirement")].into_iter().flatten() {
            let name = place(&path, &of_metadata(&path, record));
            self.requirements.row(&name).count(record, caller, granted.as_deref(), lifetime, reason);
        }
        let issuer = issuer.as_deref();
        if let (Some(granted), Verdict::Allow) = (&granted, verdict) {
            let needed = record.list("scopes_needed").unwrap_or_default();
            self.with_scopes = self.with_scopes.saturating_add(1);
            self.with_needed = self.with_needed.saturating_add(u64::from(!needed.is_empty()));
            let client = client.as_deref().unwrap_or(NO_NAME);
            let name = joined(&[client, issuer.unwrap_or(NO_NAME)]);
            self.grants.row(&name).count(granted, &self.terms.used(issuer, granted, &needed));
        }
        let limit = self.terms.lifetime(issuer);
        if let (Some(lifetime), Some(issuer)) = (lifetime, issuer) {
            self.lifetimes.row(issuer).count(lifetime, limit);
        }
        if let Some((fingerprint, is_verified)) = fingerprint {
            self.tokens.row(&fingerprint).count(
                record,
                is_verified,
                caller,
                lifetime.filter(|own| *own > limit),
                reason,
            );
        }
        if verdict == Verdict::WouldDeny {
            let requirement = record.text("requirement").unwrap_or_else(|| NO_NAME.into());
            let reason = record.text("reason").unwrap_or_else(|| NO_NAME.into());
            let row = self.would_deny.row(&joined(&[&reason, &requirement, route_name]));
            row.requests = row.requests.saturating_add(1);
            row.clients.count(caller);
            for name in ["further_reasons", "unverified_further_reasons"] {
                record.list(name).into_iter().flatten().for_each(|reason| row.further.count(reason));
            }
        }
    }
}

/// What stands for a missing name.
pub(in crate::cli) const NO_NAME: &str = "-";

/// The route or virtual host whose metadata has the requirement; nothing if it is of the configuration.
fn of_metadata(path: &str, record: &Record<'_>) -> String {
    let name = if path.starts_with("route metadata") {
        record.text("route")
    } else if path.starts_with("virtual host metadata") {
        record.text("virtual_host")
    } else {
        None
    };
    name.unwrap_or_default().into_owned()
}

fn calls(table: &mut Table<Calls>, name: &str, other: &str, verdict: Verdict, reason: Reason) {
    let row = table.row(name);
    row.counts.count(verdict, reason);
    row.others.count(other);
}

/// One name of several parts.
pub(in crate::cli) fn joined(parts: &[&str]) -> String {
    let mut name = String::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            name.push(SEPARATOR);
        }
        name.push_str(table::cut_at(part, PART_BYTES));
    }
    name
}

/// The parts of such a name.
pub(in crate::cli) fn parts(name: &str) -> Vec<&str> {
    name.split(SEPARATOR).collect()
}
