//! The bytes of one bucket in shared data: credentials, each with the clients that have shown it, in the order in which they
//! came.

use crate::facts::Seen;
use crate::policy::MAX_CLIENTS;

/// The first bytes of a bucket.
const FORM: [u8; 4] = *b"sgS1";
/// The bytes of one entry: the credential, the client, the time.
const ENTRY_BYTES: usize = 16;
/// The bit of a client that says that it has yet to be told of.
const UNTOLD: u32 = 1 << 31;

/// Pairs of a credential and a client, each kept until a time in seconds since the epoch. Those of one credential are in the
/// order in which the clients came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bucket(Vec<Entry>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    credential: u64,
    client: u32,
    until: u32,
}

impl Bucket {
    /// Reads a bucket; `None` for bytes that are no bucket.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (chunks, []) = bytes.strip_prefix(&FORM)?.as_chunks::<ENTRY_BYTES>() else { return None };
        let entries = chunks.iter().filter_map(|chunk| {
            let (credential, rest) = chunk.split_first_chunk::<8>()?;
            let (client, until) = rest.split_first_chunk::<4>()?;
            Some(Entry {
                credential: u64::from_le_bytes(*credential),
                client: u32::from_le_bytes(*client),
                until: u32::from_le_bytes(*until.first_chunk::<4>()?),
            })
        });
        Some(Self(entries.collect()))
    }

    /// Its bytes, which are never none.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.0.len().saturating_mul(ENTRY_BYTES).saturating_add(FORM.len()));
        out.extend(FORM);
        for entry in &self.0 {
            out.extend(entry.credential.to_le_bytes());
            out.extend(entry.client.to_le_bytes());
            out.extend(entry.until.to_le_bytes());
        }
        out
    }

    /// Drops expired entries.
    pub fn drop_expired(&mut self, now: u32) {
        self.0.retain(|entry| entry.until > now);
    }

    /// Counts a client of a credential until a time; `None` where the bucket has no room for another entry. Beyond the clients
    /// that are told apart, none is kept: all of them have the next place. One that has yet to be told of is new.
    pub fn see(&mut self, credential: u64, client: u32, until: u32, room: usize) -> Option<Seen> {
        let client = client & !UNTOLD;
        let mut place = 0_u8;
        let mut found = None;
        for entry in self.0.iter_mut().filter(|entry| entry.credential == credential) {
            place = place.saturating_add(1);
            if entry.client & !UNTOLD == client {
                entry.until = entry.until.max(until);
                found = Some((place, entry.client & UNTOLD != 0));
            }
        }
        let clients = place;
        if let Some((place, is_new)) = found {
            return Some(Seen { clients, place, is_new });
        }
        let place = clients.saturating_add(1);
        if clients >= MAX_CLIENTS {
            return Some(Seen { clients, place, is_new: false });
        }
        if self.0.len() >= room {
            return None;
        }
        self.0.push(Entry { credential, client, until });
        Some(Seen { clients: place, place, is_new: true })
    }

    /// Notes of a client whether it has yet to be told of.
    pub fn note(&mut self, credential: u64, client: u32, is_untold: bool) {
        let client = client & !UNTOLD;
        let marked = if is_untold { client | UNTOLD } else { client };
        let own = |entry: &&mut Entry| entry.credential == credential && entry.client & !UNTOLD == client;
        self.0.iter_mut().filter(own).for_each(|entry| entry.client = marked);
    }

    /// Keeps one entry of a credential, with this number in the place of the client, if there is room. A bucket of such
    /// entries is sorted by credential.
    pub fn replace(&mut self, credential: u64, number: u32, until: u32, room: usize) {
        let entry = Entry { credential, client: number, until };
        match self.0.binary_search_by(|other| other.credential.cmp(&credential)) {
            Ok(at) => self.0.get_mut(at).into_iter().for_each(|place| *place = entry),
            Err(at) if self.0.len() < room => self.0.insert(at, entry),
            Err(_) => {}
        }
    }

    /// Its entries: the credential, the client or the number in its place, the time.
    pub fn entries(&self) -> impl Iterator<Item = (u64, u32, u32)> {
        self.0.iter().map(|entry| (entry.credential, entry.client, entry.until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_reads_back_as_it_was_written_and_nothing_else_is_one() {
        let mut bucket = Bucket::default();
        for (credential, client, until) in [(1, 2, 3), (u64::MAX, u32::MAX, u32::MAX), (1, 4, 3)] {
            assert_eq!(Bucket::from_bytes(&bucket.to_bytes()), Some(bucket.clone()));
            bucket.see(credential, client, until, 9).unwrap();
        }
        let whole = bucket.to_bytes();
        assert_eq!(Bucket::from_bytes(&whole), Some(bucket));
        for end in (0..whole.len()).filter(|end| !matches!(end, 4 | 20 | 36)) {
            assert_eq!(Bucket::from_bytes(&whole[..end]), None, "{end}");
        }
        assert_eq!(Bucket::from_bytes(&[b"sgS2", &whole[4..]].concat()), None);
    }

    #[test]
    fn clients_are_counted_once_in_the_order_in_which_they_come() {
        let mut bucket = Bucket::default();
        let seen = |clients, place, is_new| Some(Seen { clients, place, is_new });
        assert_eq!(bucket.see(1, 10, 100, 9), seen(1, 1, true));
        assert_eq!(bucket.see(1, 11, 100, 9), seen(2, 2, true));
        assert_eq!(bucket.see(2, 11, 100, 9), seen(1, 1, true), "another credential");
        assert_eq!(bucket.see(1, 10, 200, 9), seen(2, 1, false));
        bucket.drop_expired(100);
        assert_eq!(bucket.see(1, 11, 300, 9), seen(2, 2, true), "it was forgotten, and the first one was not");
        assert_eq!(bucket.see(1, 10, 150, 9), seen(2, 1, false));
        bucket.drop_expired(199);
        assert_eq!(bucket.see(1, 10, 400, 9), seen(2, 1, false), "an earlier time does not shorten it");
    }

    #[test]
    fn a_client_is_new_until_it_is_told_of() {
        let mut bucket = Bucket::default();
        for client in [10, u32::MAX] {
            bucket.see(1, client, 100, 9).unwrap();
            bucket.note(1, client, true);
            assert!(bucket.see(1, client, 100, 9).unwrap().is_new);
            bucket.note(2, client, false);
            bucket.note(1, client - 1, false);
            assert!(bucket.see(1, client, 100, 9).unwrap().is_new, "another one was told of");
            bucket.note(1, client, false);
            assert!(!bucket.see(1, client, 100, 9).unwrap().is_new);
        }
        assert_eq!(bucket.entries().count(), 2);
    }

    #[test]
    fn a_full_bucket_counts_whom_it_knows() {
        let mut bucket = Bucket::default();
        assert!(bucket.see(1, 10, 100, 1).is_some());
        assert_eq!(bucket.see(1, 11, 100, 1), None);
        assert_eq!(bucket.see(2, 10, 100, 1), None);
        assert!(bucket.see(1, 10, 100, 1).is_some());
    }

    #[test]
    fn more_clients_than_are_told_apart_have_the_next_place() {
        let mut bucket = Bucket::default();
        for client in 0..u32::from(MAX_CLIENTS) {
            assert!(bucket.see(1, client, 100, 99).unwrap().is_new);
        }
        let beyond = Seen { clients: MAX_CLIENTS, place: MAX_CLIENTS + 1, is_new: false };
        assert_eq!([98, 99].map(|client| bucket.see(1, client, 100, 99)), [Some(beyond); 2]);
        assert_eq!(bucket.see(1, 5, 100, 99).map(|seen| seen.place), Some(6));
    }
}
