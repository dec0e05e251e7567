//! The keys of each issuer: which are there, which are due to be fetched, which are too old to be used.
//!
//! Knows no host: it is told the time and what came of a fetch, and says what to do.

use crate::facts::KeyRing;
use crate::jose::KeySet;
use crate::policy::{Issuer, IssuerId, KeySource, RemoteKeys};
use std::rc::Rc;

/// How long the first retry waits after a fetch that failed, in milliseconds. Each further one waits twice as long.
const FIRST_RETRY_MS: u64 = 1000;
/// The longest a retry waits, in milliseconds.
const LAST_RETRY_MS: u64 = 60_000;

/// The keys of all issuers.
#[derive(Debug)]
pub struct KeyStore {
    ring: KeyRing,
    remotes: Vec<Remote>,
}

#[derive(Debug)]
struct Remote {
    issuer: IssuerId,
    source: RemoteKeys,
    /// When the set that is in use arrived, in milliseconds.
    fetched_at: Option<u64>,
    next_fetch_at: u64,
    failures: u32,
    in_flight: Option<u32>,
}

impl Remote {
    /// Whether it is time for a fetch. A time further off than any wait is of a clock that was set back.
    fn is_due(&self, now_ms: u64) -> bool {
        let longest = u64::from(self.source.refresh.0).saturating_mul(1000).max(LAST_RETRY_MS);
        self.next_fetch_at <= now_ms || self.next_fetch_at > now_ms.saturating_add(longest)
    }
}

/// Whether waiting for the keys of an issuer has a prospect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prospect {
    /// A fetch is under way or about to begin.
    Soon,
    /// The last fetch failed, and the next is some time off.
    NotSoon,
}

impl KeyStore {
    /// The store of these issuers; what is configured is there at once.
    pub fn new(issuers: &[Issuer]) -> Self {
        let mut ring = KeyRing::default();
        let mut remotes = Vec::new();
        for (index, issuer) in issuers.iter().enumerate() {
            let id = IssuerId(index);
            match &issuer.keys {
                KeySource::Configured(keys) => ring.set(id, Some(Rc::clone(keys))),
                KeySource::Remote(source) => remotes.push(Remote {
                    issuer: id,
                    source: source.clone(),
                    fetched_at: None,
                    next_fetch_at: 0,
                    failures: 0,
                    in_flight: None,
                }),
            }
        }
        Self { ring, remotes }
    }

    /// The keys that are there.
    pub const fn ring(&self) -> &KeyRing {
        &self.ring
    }

    /// What is to be fetched now.
    pub fn due(&self, now_ms: u64) -> Vec<(IssuerId, RemoteKeys)> {
        let due = self.remotes.iter().filter(|remote| remote.in_flight.is_none() && remote.is_due(now_ms));
        due.map(|remote| (remote.issuer, remote.source.clone())).collect()
    }

    /// Notes that a fetch is under way; its answer will come under `token`.
    pub fn started(&mut self, issuer: IssuerId, token: u32) {
        if let Some(remote) = self.remotes.iter_mut().find(|remote| remote.issuer == issuer) {
            remote.in_flight = Some(token);
        }
    }

    /// The issuer whose fetch was started under `token`.
    pub fn fetched_by(&self, token: u32) -> Option<IssuerId> {
        self.remotes.iter().find(|remote| remote.in_flight == Some(token)).map(|remote| remote.issuer)
    }

    /// Takes in what came of a fetch. Keys that are there outlive one that failed.
    pub fn finished(&mut self, issuer: IssuerId, now_ms: u64, keys: Option<KeySet>) {
        let Some(remote) = self.remotes.iter_mut().find(|remote| remote.issuer == issuer) else { return };
        remote.in_flight = None;
        let wait = match keys {
            Some(keys) => {
                remote.failures = 0;
                remote.fetched_at = Some(now_ms);
                self.ring.set(issuer, Some(Rc::new(keys)));
                u64::from(remote.source.refresh.0).saturating_mul(1000)
            }
            None => {
                let doubled = FIRST_RETRY_MS.saturating_mul(1 << remote.failures.min(16));
                remote.failures = remote.failures.saturating_add(1);
                doubled.min(LAST_RETRY_MS)
            }
        };
        remote.next_fetch_at = now_ms.saturating_add(wait);
    }

    /// Takes away keys that have outlived their issuer for longer than `max_stale`. Names their issuers.
    pub fn expire(&mut self, now_ms: u64) -> Vec<IssuerId> {
        let mut expired = Vec::new();
        for remote in &mut self.remotes {
            let good_for = u64::from(remote.source.refresh.0).saturating_add(u64::from(remote.source.max_stale.0));
            // A clock that was set back must not keep keys alive: they are as old as if they had come just now.
            remote.fetched_at = remote.fetched_at.map(|at| at.min(now_ms));
            let too_old = |at: u64| at.saturating_add(good_for.saturating_mul(1000)) <= now_ms;
            if remote.fetched_at.is_some_and(too_old) {
                remote.fetched_at = None;
                self.ring.set(remote.issuer, None);
                expired.push(remote.issuer);
            }
        }
        expired
    }

    /// Whether every issuer has keys.
    pub fn is_complete(&self) -> bool {
        self.remotes.iter().all(|remote| remote.fetched_at.is_some())
    }

    /// Whether it makes sense to wait for the keys of `issuer`.
    pub fn prospect(&self, issuer: IssuerId, now_ms: u64) -> Prospect {
        let soon = self
            .remotes
            .iter()
            .any(|remote| remote.issuer == issuer && (remote.in_flight.is_some() || remote.is_due(now_ms)));
        if soon { Prospect::Soon } else { Prospect::NotSoon }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Seconds;
    use crate::crypto::AlgorithmSet;
    use crate::policy::TokenTypes;

    const ISSUER: IssuerId = IssuerId(0);

    fn store() -> KeyStore {
        KeyStore::new(&[Issuer {
            issuer: "https://idp.example.com/".into(),
            name: "idp".into(),
            audiences: vec!["api".into()],
            audience_claims: vec![],
            keys: KeySource::Remote(RemoteKeys {
                uri: "https://idp.example.com/jwks.json".into(),
                authority: "idp.example.com".into(),
                path: "/jwks.json".into(),
                scheme: "https",
                cluster: "idp".into(),
                refresh: Seconds(600),
                timeout_ms: 2000,
                max_stale: Seconds(3600),
            }),
            algorithms: AlgorithmSet::default_for_issuer(),
            token_types: TokenTypes::new(["at+jwt"]),
            id_tokens: false,
            leeway: Seconds(10),
            max_lifetime: None,
            required_claims: vec![],
            scope_claims: vec![],
        }])
    }

    #[test]
    fn keys_are_fetched_at_once_and_again_after_the_refresh_period() {
        let mut store = store();
        assert_eq!(store.due(0).len(), 1);
        store.started(ISSUER, 7);
        assert!(store.due(0).is_empty(), "one fetch at a time");
        assert_eq!(store.fetched_by(7), Some(ISSUER));
        assert_eq!(store.fetched_by(8), None);
        store.finished(ISSUER, 1000, Some(KeySet::default()));
        assert!(store.ring().get(ISSUER).is_some());
        assert!(store.is_complete());
        assert!(store.due(600_999).is_empty());
        assert_eq!(store.due(601_000).len(), 1);
    }

    #[test]
    fn a_failed_fetch_waits_longer_each_time_and_keeps_the_keys() {
        let mut store = store();
        store.finished(ISSUER, 0, Some(KeySet::default()));
        let mut now = 600_000;
        for wait in [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000] {
            store.started(ISSUER, 1);
            store.finished(ISSUER, now, None);
            assert!(store.due(now + wait - 1).is_empty(), "{wait}");
            assert_eq!(store.due(now + wait).len(), 1, "{wait}");
            now += wait;
        }
        assert!(store.ring().get(ISSUER).is_some());
    }

    #[test]
    fn keys_are_taken_away_when_their_issuer_has_been_gone_for_too_long() {
        let mut store = store();
        store.finished(ISSUER, 0, Some(KeySet::default()));
        assert!(store.expire(4_199_999).is_empty());
        assert_eq!(store.expire(4_200_000), [ISSUER]);
        assert!(store.ring().get(ISSUER).is_none());
        assert!(!store.is_complete());
        assert!(store.expire(4_200_000).is_empty(), "named once");
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_no_keys_alive() {
        const YEAR: u64 = 31_536_000_000;
        let mut store = store();
        store.finished(ISSUER, YEAR, Some(KeySet::default()));
        assert_eq!(store.due(1000).len(), 1, "fetched again at once");
        assert!(store.expire(1000).is_empty());
        assert_eq!(store.expire(1000 + 4_200_000), [ISSUER], "and expired in its time");
    }

    #[test]
    fn waiting_has_a_prospect_only_while_a_fetch_is_near() {
        let mut store = store();
        assert_eq!(store.prospect(ISSUER, 0), Prospect::Soon);
        store.started(ISSUER, 1);
        assert_eq!(store.prospect(ISSUER, 0), Prospect::Soon);
        store.finished(ISSUER, 0, None);
        assert_eq!(store.prospect(ISSUER, 1), Prospect::NotSoon);
        assert_eq!(store.prospect(ISSUER, 1000), Prospect::Soon);
    }
}
