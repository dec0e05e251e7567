//! What the configuration says about revoked tokens.

use crate::base::time::UnixSeconds;
use crate::revocation::{Builder, Entry, List, Revocations};
use std::rc::Rc;

/// What is revoked, as far as the configuration says it.
#[derive(Clone, Debug, Default)]
pub struct RevocationPolicy {
    /// Entries of the configuration itself.
    pub entries: Vec<Entry>,
}

impl RevocationPolicy {
    /// The list of the configured entries, without those that are over at `now`; `None` when there are none.
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
