//! Counts which clients have shown a credential of late, over all workers of a process.
//!
//! The counts are in shared data, which has no atomic create and no delete. So the number of buckets is fixed; the main thread
//! makes them in `on_configure`, and a worker replaces one only after it has read its last value. Credentials and clients
//! are digests under a key that is made once for the process: no client can choose its place, and no address can be read
//! from them.
//!
//! What a worker has counted it remembers for a quarter of the window, so that it need not ask again. What a credential has
//! too many of, workers tell each other: [`SharedSightings::listen`] at each tick.

mod bucket;
mod excess;
mod notes;

use crate::base::shared_data::{OpenError, SharedData, room_of_bucket};
use crate::base::time::UnixSeconds;
use crate::crypto::KeyedDigest;
use crate::facts::{Seen, Sighting, Sightings};
use bucket::Bucket;
use excess::Excess;
use notes::{Note, Notes};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::net::IpAddr;

/// How often a bucket is read again because another worker wrote it in between.
const ATTEMPTS: usize = 32;
/// The number of buckets. Like their names, it never changes: another configuration would count anew.
const BUCKETS: u16 = 4096;
/// Where the key of the digests is.
const KEY_NAME: &str = "scopegate/reuse/key";
/// The first bytes of that value.
const KEY_FORM: [u8; 4] = *b"sgK1";

/// The counts, as one worker sees them.
pub struct SharedSightings {
    shared: Box<dyn SharedData>,
    digest: KeyedDigest,
    /// How many pairs of credential and client one bucket holds.
    room: usize,
    notes: Notes,
    excess: RefCell<Excess>,
    uncounted: Cell<u32>,
}

impl SharedSightings {
    /// Opens the counts, with room for about `pairs` pairs of credential and client. The main thread makes what is missing.
    ///
    /// # Errors
    /// When they are missing and cannot be made, or cannot be read.
    pub fn open(shared: Box<dyn SharedData>, pairs: usize) -> Result<Self, OpenError> {
        if shared.lacks(KEY_NAME) {
            let key = KeyedDigest::random_key().ok_or(OpenError::NoRandomNumbers)?;
            let empty = Bucket::default().to_bytes();
            let all = (0..BUCKETS).map(bucket_name).chain([excess::NAME.to_owned()]);
            for name in all {
                if shared.lacks(&name) && !shared.write(&name, &empty, None) {
                    return Err(OpenError::NotWritten);
                }
            }
            if !shared.write(KEY_NAME, &[&KEY_FORM[..], &key[..]].concat(), None) {
                return Err(OpenError::NotWritten);
            }
        }
        let (bytes, _) = shared.read(KEY_NAME).ok_or(OpenError::Unreadable)?;
        let key = bytes.strip_prefix(&KEY_FORM).and_then(|key| key.try_into().ok()).ok_or(OpenError::Unreadable)?;
        Ok(Self {
            digest: KeyedDigest::with_key(key),
            room: room_of_bucket(pairs, BUCKETS),
            notes: Notes::default(),
            excess: RefCell::default(),
            uncounted: Cell::new(0),
            shared,
        })
    }

    /// Learns what other workers have told since the last call.
    pub fn listen(&self, now: UnixSeconds) {
        if let Some((bytes, _)) = self.shared.read(excess::NAME) {
            self.excess.borrow_mut().read(&bytes, now.to_entry());
        }
    }

    /// The number of clients without room since the last call.
    pub fn take_uncounted(&self) -> u32 {
        self.uncounted.take()
    }

    /// Notes that what a request was counted as has been told: its clients are no longer new. Of a request that ends before,
    /// or waits, nothing is told, so the next one of its client is new as well.
    pub fn note_told(&self, own: &RequestSightings) {
        for Untold { name, credential, client } in own.untold.take() {
            let _ = self.change(&name, &mut |bucket| {
                bucket.note(credential, client, false);
                Some(())
            });
        }
    }

    /// Enters a client into the bucket of its credential.
    fn enter(&self, pair: &Untold, times: Times, limit: u8) -> Option<Seen> {
        self.change(&pair.name, &mut |bucket| {
            bucket.drop_expired(times.now);
            let seen = bucket.see(pair.credential, pair.client, times.until, self.room)?;
            if is_untold(seen, limit) {
                bucket.note(pair.credential, pair.client, true);
            }
            Some(seen)
        })
    }

    /// Changes a bucket; `None` where that cannot be done.
    fn change<T>(&self, name: &str, change: &mut dyn FnMut(&mut Bucket) -> Option<T>) -> Option<T> {
        for _ in 0..ATTEMPTS {
            let (bytes, mark) = self.shared.read(name)?;
            let mut bucket = Bucket::from_bytes(&bytes)?;
            let changed = change(&mut bucket)?;
            if self.shared.write(name, &bucket.to_bytes(), Some(mark)) {
                return Some(changed);
            }
        }
        None
    }

    /// What shows what: a number for a place, and a tag.
    fn pair(&self, sighting: &Sighting<'_>) -> Pair {
        let space: &[&[u8]] = &[&sighting.space];
        Pair(split(self.digest.of_lists(&[space, sighting.credential, sighting.came_with])))
    }

    /// Counts a client, and adds it to `untold` if it is one more than expected.
    fn count(
        &self,
        sighting: &Sighting<'_>,
        Pair((slot, pair)): Pair,
        now: UnixSeconds,
        untold: &mut Vec<Untold>,
    ) -> Option<Seen> {
        let now = now.to_entry();
        if let Some(note) = self.notes.find(slot, pair, now) {
            let clients = self.excess.borrow().clients(note.credential, now).unwrap_or(0).max(note.clients);
            return Some(Seen { clients, place: note.place, is_new: false });
        }
        let (number, credential) = split(self.digest.of_lists(&[&[&sighting.space], sighting.credential]));
        let client = (sighting.client)();
        let network = match client.network {
            Some(IpAddr::V4(address)) => &address.octets()[..],
            Some(IpAddr::V6(address)) => &address.octets()[..],
            None => b"",
        };
        let certificate = client.certificate.as_ref().map_or(&[][..], <[u8; 32]>::as_slice);
        let (_, client) = split(self.digest.of_parts(&[network, client.agent, client.tls_version, certificate]));
        // The note of a worker is good for a quarter of the window, so a client counts for that much longer.
        let quarter = sighting.window.0.div_ceil(4);
        let until = now.saturating_add(sighting.window.0).saturating_add(quarter);
        let [a, b, c, d, ..] = client.to_le_bytes();
        let client = u32::from_le_bytes([a, b, c, d]);
        let entered = Untold { name: bucket_name(number % BUCKETS), credential, client };
        let Some(seen) = self.enter(&entered, Times { now, until }, sighting.limit) else {
            self.uncounted.set(self.uncounted.get().saturating_add(1));
            return None;
        };
        // Also that they are no longer too many.
        let known = self.excess.borrow().clients(credential, now).unwrap_or(0);
        if sighting.told_above.is_some_and(|limit| seen.clients.max(known) > limit) {
            excess::tell(&*self.shared, credential, seen.clients, until, now);
            self.listen(UnixSeconds(now.into()));
        }
        if is_untold(seen, sighting.limit) {
            untold.push(entered);
            return Some(seen);
        }
        let Seen { clients, place, .. } = seen;
        self.notes.keep(slot, Note { pair, credential, clients, place, until: now.saturating_add(quarter) });
        Some(seen)
    }
}

/// A credential, and what a request came with that showed it, counted in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pair((u16, u64));

/// A client of a credential that has yet to be told of, and the bucket that they are in.
#[derive(Debug)]
struct Untold {
    name: String,
    credential: u64,
    client: u32,
}

/// Whether a client is one more than expected, of which nothing has been told.
const fn is_untold(seen: Seen, limit: u8) -> bool {
    seen.is_new && seen.clients > limit
}

/// When a client is seen, and until when it counts.
#[derive(Clone, Copy)]
struct Times {
    now: u32,
    until: u32,
}

impl Sightings for SharedSightings {
    fn see(&self, sighting: &Sighting<'_>, now: UnixSeconds) -> Option<Seen> {
        self.count(sighting, self.pair(sighting), now, &mut Vec::new())
    }
}

impl fmt::Debug for SharedSightings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SharedSightings").field("room", &self.room).finish_non_exhaustive()
    }
}

/// What one request has been counted as, so that it counts once however often it is judged.
#[derive(Debug, Default)]
pub struct RequestSightings {
    counted: RefCell<Vec<(Pair, Option<Seen>)>>,
    untold: RefCell<Vec<Untold>>,
}

/// The counts for one request.
#[derive(Debug)]
pub struct OfRequest<'s> {
    /// The counts; `None` where the policy asks for none.
    pub all: Option<&'s SharedSightings>,
    /// What the request has been counted as.
    pub own: &'s RequestSightings,
}

impl Sightings for OfRequest<'_> {
    fn see(&self, sighting: &Sighting<'_>, now: UnixSeconds) -> Option<Seen> {
        let all = self.all?;
        let pair = all.pair(sighting);
        let before = self.own.counted.borrow().iter().find(|(counted, _)| *counted == pair).map(|(_, seen)| *seen);
        before.unwrap_or_else(|| {
            let seen = all.count(sighting, pair, now, &mut self.own.untold.borrow_mut());
            self.own.counted.borrow_mut().push((pair, seen));
            seen
        })
    }
}

fn bucket_name(number: u16) -> String {
    format!("scopegate/reuse/{number}")
}

/// A digest as a number for a place, and a tag.
fn split(digest: u128) -> (u16, u64) {
    let [a, b, _, _, _, _, _, _, tag @ ..] = digest.to_le_bytes();
    (u16::from_le_bytes([a, b]), u64::from_le_bytes(tag))
}

#[cfg(test)]
mod tests;
