//! Credentials that too many clients have shown: what workers tell each other, since each remembers its own counts.

use super::ATTEMPTS;
use super::bucket::Bucket;
use crate::base::shared_data::SharedData;

/// Where it is told: a bucket whose clients are counts.
pub const NAME: &str = "scopegate/reuse/excess";
/// The most credentials that are told of. Of any other the workers learn within a quarter of the window.
const ROOM: usize = 4096;

/// What has been told, as this worker knows it.
#[derive(Debug, Default)]
pub struct Excess {
    /// Sorted by the tag of the credential: the number of clients, and until when that holds.
    known: Vec<(u64, u8, u32)>,
}

impl Excess {
    /// Takes over what has been told.
    pub fn read(&mut self, bytes: &[u8], now: u32) {
        let Some(bucket) = Bucket::from_bytes(bytes) else { return };
        self.known.clear();
        let live = bucket.entries().filter(|(.., until)| *until > now);
        self.known.extend(
            live.map(|(credential, clients, until)| (credential, u8::try_from(clients).unwrap_or(u8::MAX), until)),
        );
    }

    /// How many clients a credential has that has been told of.
    pub fn clients(&self, credential: u64, now: u32) -> Option<u8> {
        let at = self.known.binary_search_by(|entry| entry.0.cmp(&credential)).ok()?;
        self.known.get(at).filter(|entry| entry.2 > now).map(|entry| entry.1)
    }
}

/// Tells the other workers of a credential. Where that cannot be done they learn it later.
pub fn tell(shared: &dyn SharedData, credential: u64, clients: u8, until: u32, now: u32) {
    for _ in 0..ATTEMPTS {
        let Some((mut bucket, mark)) =
            shared.read(NAME).and_then(|(bytes, mark)| Some((Bucket::from_bytes(&bytes)?, mark)))
        else {
            return;
        };
        bucket.drop_expired(now);
        bucket.replace(credential, clients.into(), until, ROOM);
        if shared.write(NAME, &bucket.to_bytes(), Some(mark)) {
            return;
        }
    }
}
