//! What came to one requirement.

use super::counts::{Counts, Reason};
use super::joined;
use super::table::{Few, Weighed};
use crate::cli::log::{Record, Verdict};

/// The most scopes that are compared.
const MOST_SCOPES: usize = 64;

/// What came to one requirement.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Asked {
    pub counts: Counts,
    pub callers: Few,
    /// The issuers and the kinds of credentials of what was allowed.
    pub issuers: Few,
    pub credentials: Few,
    /// How many allowed requests had no credential.
    pub without_credential: u64,
    /// The scopes that the tokens of all allowed requests have; `None` before the first.
    pub common: Option<Vec<Box<str>>>,
    /// The scopes that were needed.
    pub needed: Few,
    /// The longest lifetime of a token that was allowed, in seconds.
    pub longest: Option<i64>,
}

impl Asked {
    /// Counts a record.
    pub(super) fn count(
        &mut self,
        record: &Record<'_>,
        caller: &str,
        granted: Option<&[&str]>,
        lifetime: Option<i64>,
        reason: Reason,
    ) {
        self.counts.count(record.verdict, reason);
        self.callers.count(caller);
        if record.verdict != Verdict::Allow {
            return;
        }
        match record.text("credential") {
            Some(kind) => self.credentials.count(&kind),
            None => self.without_credential = self.without_credential.saturating_add(1),
        }
        if let Some(issuer) = record.text("issuer") {
            self.issuers.count(&issuer);
        }
        self.longest = self.longest.max(lifetime);
        record.list("scopes_needed").into_iter().flatten().for_each(|scope| self.needed.count(scope));
        // A credential that shows no scopes has none in common with the others.
        let granted = granted.unwrap_or_default();
        match &mut self.common {
            Some(common) => common.retain(|scope| granted.contains(&&**scope)),
            None => self.common = Some(granted.iter().take(MOST_SCOPES).map(|scope| Box::from(*scope)).collect()),
        }
    }

    /// The scopes that all callers had, and none needed.
    pub(in crate::cli) fn beyond(&self) -> Vec<&str> {
        let needed = self.needed.ranked();
        let common = self.common.iter().flatten().map(|scope| &**scope);
        common.filter(|scope| !needed.iter().any(|(other, _)| other == scope)).collect()
    }
}

impl Weighed for Asked {
    fn weight(&self) -> u64 {
        self.counts.total()
    }
}

/// The name of a requirement: its path in the configuration, and the route or virtual host whose metadata has it.
pub(in crate::cli) fn place(path: &str, of: &str) -> String {
    if of.is_empty() { joined(&[path]) } else { joined(&[path, of]) }
}
