//! What a client was granted, and what of it was used.

use super::table::Weighed;

/// The most scopes of a client that are told apart.
const MOST_SCOPES: usize = 64;

/// The scopes of a client at an issuer.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct Grant {
    pub requests: u64,
    /// Each scope with how many allowed requests had it, and how many needed it.
    pub scopes: Vec<(Box<str>, u64, u64)>,
    /// Whether there are more scopes than are told apart.
    pub has_more: bool,
}

impl Grant {
    /// Counts an allowed request.
    pub(super) fn count(&mut self, granted: &[&str], used: &[&str]) {
        self.requests = self.requests.saturating_add(1);
        for scope in granted {
            let is_full = self.scopes.len() >= MOST_SCOPES;
            let is_used = u64::from(used.contains(scope));
            match self.scopes.iter_mut().find(|(other, _, _)| **other == **scope) {
                Some((_, had, needed)) => {
                    *had = had.saturating_add(1);
                    *needed = needed.saturating_add(is_used);
                }
                None if is_full => self.has_more = true,
                None => self.scopes.push((Box::from(*scope), 1, is_used)),
            }
        }
    }

    /// The scopes that no request needed, with how many requests had them.
    pub(in crate::cli) fn unused(&self) -> Vec<(&str, u64)> {
        let unused = self.scopes.iter().filter(|(_, _, needed)| *needed == 0);
        unused.map(|(scope, had, _)| (&**scope, *had)).collect()
    }
}

impl Weighed for Grant {
    fn weight(&self) -> u64 {
        self.requests
    }
}

/// How long the tokens of an issuer live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct Lifetimes {
    pub requests: u64,
    /// Those with a token that lives longer than the limit.
    pub over: u64,
    /// In seconds.
    pub longest: i64,
}

impl Lifetimes {
    /// Counts a request with a token of that lifetime.
    pub(super) fn count(&mut self, lifetime: i64, limit: i64) {
        self.requests = self.requests.saturating_add(1);
        self.over = self.over.saturating_add(u64::from(lifetime > limit));
        self.longest = self.longest.max(lifetime);
    }
}

impl Weighed for Lifetimes {
    fn weight(&self) -> u64 {
        self.requests
    }
}
