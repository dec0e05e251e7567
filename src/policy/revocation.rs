//! What the configuration says about revoked tokens.

use super::Endpoint;
use crate::base::time::{Seconds, UnixSeconds};
use crate::revocation::{Builder, Entry, List, Revocations, Terms};
use std::rc::Rc;

/// What is revoked, according to the configuration.
#[derive(Clone, Debug, Default)]
pub struct RevocationSettings {
    /// Entries of the configuration itself.
    pub entries: Vec<Entry>,
    /// Lists that are fetched.
    pub lists: Vec<RemoteList>,
}

/// A list that is fetched. `T` is what it must be to be used.
#[derive(Clone, Debug)]
pub struct RemoteList<T = Terms> {
    /// Where it is.
    pub endpoint: Endpoint,
    /// How long a list is used before it is fetched again.
    pub refresh: Seconds,
    /// The timeout, in milliseconds.
    pub timeout_ms: u32,
    /// How long a list outlives a server that cannot be reached.
    pub max_stale: Seconds,
    /// What happens to requests when it is older than that.
    pub when_stale: WhenStale,
    /// What the list must meet to be used.
    pub terms: T,
}

/// What happens to requests while a list is missing or too old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenStale {
    /// They are refused: a token may have been revoked.
    #[default]
    Deny,
    /// They pass, except with tokens that are known to be revoked.
    Allow,
}

impl<T> RemoteList<T> {
    /// A list that is fetched as this one is, and must meet these terms.
    #[must_use]
    pub fn under<U>(&self, terms: U) -> RemoteList<U> {
        RemoteList {
            endpoint: self.endpoint.clone(),
            refresh: self.refresh,
            timeout_ms: self.timeout_ms,
            max_stale: self.max_stale,
            when_stale: self.when_stale,
            terms,
        }
    }
}

impl RevocationSettings {
    /// The list of the configured entries, without those that have expired at `now`; `None` if there are none.
    #[must_use]
    pub fn configured(&self, now: UnixSeconds) -> Option<Rc<List>> {
        if self.entries.is_empty() {
            return None;
        }
        let mut builder = Builder::new(now);
        self.entries.iter().for_each(|entry| builder.add(entry));
        Some(Rc::new(builder.finish()))
    }

    /// What is revoked by the configured entries alone.
    #[must_use]
    pub fn without_lists(&self, now: UnixSeconds) -> Revocations {
        Revocations::new(self.configured(now).into_iter().collect(), true)
    }
}
