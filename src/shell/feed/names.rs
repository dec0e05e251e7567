//! The names of one document's records in shared data.

use super::SharedData;
use super::record::{DocumentState, Lease};

/// The names of the records; reads and writes them.
#[derive(Debug)]
pub(super) struct RecordNames {
    pub(super) lease: String,
    pub(super) state: String,
    pub(super) too_old: String,
    bodies: [String; 2],
}

impl RecordNames {
    /// The names for the document at `place`.
    pub(super) fn new(place: &str) -> Self {
        Self {
            lease: format!("{place}/lease"),
            state: format!("{place}/state"),
            too_old: format!("{place}/too_old"),
            bodies: [format!("{place}/body/0"), format!("{place}/body/1")],
        }
    }

    /// All of them.
    pub(super) fn all(&self) -> [&str; 5] {
        let [even, odd] = &self.bodies;
        [&self.lease, &self.state, &self.too_old, even, odd]
    }

    /// Puts a free lease there if there is none.
    pub(super) fn seed(&self, shared: &dyn SharedData) {
        if shared.read(&self.lease).is_none() {
            shared.write(&self.lease, &Lease::default().to_bytes(), None);
        }
    }

    /// The lease and its mark. An unreadable value counts as a free lease.
    pub(super) fn lease(&self, shared: &dyn SharedData) -> Option<(Lease, u32)> {
        let (bytes, mark) = shared.read(&self.lease)?;
        Some((Lease::from_bytes(&bytes).unwrap_or_default(), mark))
    }

    /// Changes the lease, if it is held by this worker.
    pub(super) fn change_lease(&self, shared: &dyn SharedData, me: u64, change: impl FnOnce(&mut Lease)) {
        if let Some((mut lease, mark)) = self.lease(shared)
            && lease.holder == me
        {
            change(&mut lease);
            shared.write(&self.lease, &lease.to_bytes(), Some(mark));
        }
    }

    /// The state of the document, and its mark. An unreadable value counts as missing.
    pub(super) fn state(&self, shared: &dyn SharedData) -> (DocumentState, Option<u32>) {
        let Some((bytes, mark)) = shared.read(&self.state) else { return (DocumentState::default(), None) };
        (DocumentState::from_bytes(&bytes).unwrap_or_default(), Some(mark))
    }

    /// The name of a version's content. Two names in turn, so that a content is not replaced while its record is still
    /// there.
    pub(super) const fn body(&self, version: u64) -> &str {
        let [even, odd] = &self.bodies;
        if version.is_multiple_of(2) { even.as_str() } else { odd.as_str() }
    }
}
