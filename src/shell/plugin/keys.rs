//! Fetching the keys of issuers.

use super::super::host::{self, Buffer, Map};
use super::super::pairs;
use super::{Plugin, now_ms};
use crate::jose::KeySet;
use crate::policy::{IssuerId, RemoteKeys};

impl Plugin {
    pub(super) fn fetch(&self, issuer: IssuerId, source: &RemoteKeys) {
        let headers = [
            (":method", "GET"),
            (":scheme", source.scheme),
            (":authority", source.authority.as_str()),
            (":path", source.path.as_str()),
            ("accept", "application/jwk-set+json, application/json"),
        ];
        match host::http_get(&source.cluster, &headers, source.timeout_ms) {
            Ok(token) => self.keys.borrow_mut().started(issuer, token),
            Err(_) => {
                log::error!(
                    "scopegate: the keys of {} cannot be fetched: there is no cluster {}",
                    self.issuer_name(issuer),
                    source.cluster
                );
                self.fetched(issuer, None);
            }
        }
    }

    /// Called when a fetch has been answered. Without headers it failed, and nothing of it may be read.
    pub fn on_fetched(&self, token: u32, header_count: usize) {
        let Some(issuer) = self.keys.borrow().fetched_by(token) else { return };
        let keys = if header_count == 0 { Err("no answer".to_owned()) } else { self.read_keys() };
        match keys {
            Ok(keys) => {
                for skipped in keys.skipped() {
                    log::warn!("scopegate: a key of {} is left out: {}", self.issuer_name(issuer), skipped.why);
                }
                log::info!("scopegate: {} has {} usable keys", self.issuer_name(issuer), keys.keys().len());
                self.fetched(issuer, Some(keys));
            }
            Err(why) => {
                log::warn!("scopegate: the keys of {} could not be fetched: {why}", self.issuer_name(issuer));
                self.fetched(issuer, None);
            }
        }
    }

    fn read_keys(&self) -> Result<KeySet, String> {
        let unreadable = |_| "the answer cannot be read".to_owned();
        let headers = host::header_map(Map::CallResponseHeaders).map_err(unreadable)?;
        let status = pairs::parse(&headers).and_then(|pairs| {
            pairs.into_iter().find(|(name, _)| *name == b":status").map(|(_, status)| status.to_vec())
        });
        if status.as_deref() != Some(b"200") {
            return Err("the answer is not 200".to_owned());
        }
        let limits = self.policy.limits;
        let body = host::buffer(Buffer::CallResponseBody, limits.jwks_bytes.saturating_add(1)).map_err(unreadable)?;
        KeySet::parse(&body, limits.jwks_bytes, limits.jwks_keys).map_err(|error| error.to_string())
    }

    fn fetched(&self, issuer: IssuerId, keys: Option<KeySet>) {
        self.keys.borrow_mut().finished(issuer, now_ms(), keys);
        self.wake(issuer);
        self.set_tick();
    }
}
