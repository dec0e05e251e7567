//! One pool: the names of its buckets in shared data, the key of its digests, and its birth.

use super::bucket::Bucket;
use crate::base::shared_data::{OpenError, SharedData, room_of_bucket};
use crate::base::time::UnixSeconds;
use crate::crypto::KeyedDigest;
use crate::facts::Pool;

/// The number of buckets of a pool. Like the names, it never changes: otherwise a new version or configuration would
/// look for used things in another place.
const BUCKETS: u16 = 16_384;
/// The number of buckets that count what each principal holds.
const PRINCIPAL_BUCKETS: u16 = 4_096;
/// The number of those that one principal is spread over.
const SHARDS: u8 = 16;

/// The first bytes of the record of a pool's birth.
const BIRTH_FORM: [u8; 4] = *b"sgB1";

/// An open pool.
#[derive(Debug)]
pub struct OpenPool {
    pub pool: Pool,
    /// Makes names that no client can choose.
    digest: KeyedDigest,
    /// The second of its birth.
    pub born: UnixSeconds,
}

/// The place of an entry.
#[derive(Debug)]
pub struct Place {
    /// The name of its bucket.
    pub name: String,
    /// Its tag in that bucket.
    pub tag: u64,
}

impl OpenPool {
    /// Opens a pool. A missing pool is made, and only its missing buckets, since an existing one says what has been
    /// used.
    pub fn open(pool: Pool, shared: &dyn SharedData, now: UnixSeconds) -> Result<Self, OpenError> {
        let name = format!("scopegate/replay/{}/birth", pool.name());
        if shared.lacks(&name) {
            let key = KeyedDigest::random_key().ok_or(OpenError::NoRandomNumbers)?;
            let empty = Bucket::default().to_bytes();
            let main = (0..BUCKETS).map(|number| bucket_name(pool, number));
            for name in main.chain((0..PRINCIPAL_BUCKETS).map(|number| principal_name(pool, number))) {
                if shared.lacks(&name) && !shared.write(&name, &empty, None) {
                    return Err(OpenError::NotWritten);
                }
            }
            let birth = [&BIRTH_FORM[..], &key[..], &now.0.to_le_bytes()[..]].concat();
            if !shared.write(&name, &birth, None) {
                return Err(OpenError::NotWritten);
            }
        }
        let (bytes, _) = shared.read(&name).ok_or(OpenError::Unreadable)?;
        let (key, born) = read_birth(&bytes).ok_or(OpenError::Unreadable)?;
        Ok(Self { pool, digest: KeyedDigest::with_key(key), born })
    }

    /// The place of an entry with this identity, and the place where it is counted for its principal.
    pub fn places(&self, id: &[&[u8]], principal: &[&[u8]]) -> (Place, Place) {
        let (number, shard, tag) = split(self.digest.of_parts(id));
        let (first, _, whose) = split(self.digest.of_parts(principal));
        let main = Place { name: bucket_name(self.pool, number % BUCKETS), tag };
        // The shards of one principal differ, whichever is the first.
        let step = PRINCIPAL_BUCKETS / u16::from(SHARDS);
        let shard = first.wrapping_add(step.wrapping_mul(u16::from(shard % SHARDS)));
        (main, Place { name: principal_name(self.pool, shard % PRINCIPAL_BUCKETS), tag: whose })
    }
}

/// The room of one bucket for a pool of `entries` entries.
pub fn room(entries: usize) -> usize {
    room_of_bucket(entries, BUCKETS)
}

/// The number of entries of one principal that a shard admits, for a pool of `entries`: all its shards admit a
/// sixteenth of the pool.
pub fn share(entries: usize) -> usize {
    const SHARE: usize = 16;
    (entries / SHARE / usize::from(SHARDS)).max(1)
}

fn bucket_name(pool: Pool, number: u16) -> String {
    format!("scopegate/replay/{}/{number}", pool.name())
}

fn principal_name(pool: Pool, number: u16) -> String {
    format!("scopegate/replay/{}/principal/{number}", pool.name())
}

/// A digest as two numbers for places and a tag.
fn split(digest: u128) -> (u16, u8, u64) {
    let [a, b, shard, _, _, _, _, _, tag @ ..] = digest.to_le_bytes();
    (u16::from_le_bytes([a, b]), shard, u64::from_le_bytes(tag))
}

fn read_birth(bytes: &[u8]) -> Option<([u8; 16], UnixSeconds)> {
    let (key, born) = bytes.strip_prefix(&BIRTH_FORM)?.split_first_chunk::<16>()?;
    let born: &[u8; 8] = born.try_into().ok()?;
    Some((*key, UnixSeconds(i64::from_le_bytes(*born))))
}
