//! The bytes of one bucket in shared data. Unreadable bytes are no bucket, and every claim on them is refused.

/// The first bytes of a bucket. Another form gets another number, and its version reads this one too, so that an update
/// forgets nothing.
const FORM: [u8; 4] = *b"sgR1";
/// The bytes of one entry: its tag and its time.
const ENTRY_BYTES: usize = 12;

/// Entries, each kept until a time in seconds since the epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// The latest time at which an expired entry was dropped.
    dropped_at: u32,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    tag: u64,
    until: u32,
}

impl Bucket {
    /// Reads a bucket; `None` for bytes that are no bucket.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (dropped_at, rest) = bytes.strip_prefix(&FORM)?.split_first_chunk::<4>()?;
        let (chunks, []) = rest.as_chunks::<ENTRY_BYTES>() else { return None };
        let entries = chunks.iter().filter_map(|chunk| {
            let (tag, until) = chunk.split_first_chunk::<8>()?;
            Some(Entry { tag: u64::from_le_bytes(*tag), until: u32::from_le_bytes(*until.first_chunk::<4>()?) })
        });
        Some(Self { dropped_at: u32::from_le_bytes(*dropped_at), entries: entries.collect() })
    }

    /// Its bytes, which are never none.
    pub fn to_bytes(&self) -> Vec<u8> {
        let size = self.entries.len().saturating_mul(ENTRY_BYTES).saturating_add(8);
        let mut out = Vec::with_capacity(size);
        out.extend(FORM);
        out.extend(self.dropped_at.to_le_bytes());
        for entry in &self.entries {
            out.extend(entry.tag.to_le_bytes());
            out.extend(entry.until.to_le_bytes());
        }
        out
    }

    /// Drops expired entries.
    pub fn drop_expired(&mut self, now: u32) {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.until > now);
        if self.entries.len() < before {
            self.dropped_at = self.dropped_at.max(now);
        }
    }

    /// Whether an entry with this time may have been dropped, because the clock was later before.
    pub const fn may_have_dropped(&self, until: u32) -> bool {
        until <= self.dropped_at
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many entries have this tag.
    pub fn count(&self, tag: u64) -> usize {
        self.entries.iter().filter(|entry| entry.tag == tag).count()
    }

    /// Puts an entry in.
    pub fn add(&mut self, tag: u64, until: u32) {
        self.entries.push(Entry { tag, until });
    }

    /// Takes one such entry out, if it is there.
    pub fn remove(&mut self, tag: u64, until: u32) {
        if let Some(place) = self.entries.iter().position(|entry| *entry == Entry { tag, until }) {
            self.entries.swap_remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_reads_back_as_it_was_written() {
        let mut bucket = Bucket::default();
        for (tag, until) in [(1, 10), (u64::MAX, u32::MAX), (1, 11)] {
            assert_eq!(Bucket::from_bytes(&bucket.to_bytes()), Some(bucket.clone()));
            bucket.add(tag, until);
        }
        bucket.drop_expired(10);
        assert_eq!((bucket.len(), bucket.count(1), bucket.may_have_dropped(10)), (2, 1, true));
        assert_eq!(Bucket::from_bytes(&bucket.to_bytes()), Some(bucket));
    }

    #[test]
    fn what_is_cut_longer_or_another_is_no_bucket() {
        let mut bucket = Bucket::default();
        bucket.add(1, 2);
        let whole = bucket.to_bytes();
        for end in (0..whole.len()).filter(|end| *end != 8) {
            assert_eq!(Bucket::from_bytes(&whole[..end]), None, "{end}");
        }
        assert_eq!(Bucket::from_bytes(&[&whole[..], b"x"].concat()), None);
        assert_eq!(Bucket::from_bytes(&[b"sgR2", &whole[4..]].concat()), None);
        assert_eq!(Bucket::from_bytes(&[0xff; 200]), None);
    }

    #[test]
    fn only_what_is_over_is_dropped_and_only_then_the_time_is_noted() {
        let mut bucket = Bucket::default();
        bucket.add(1, 10);
        bucket.drop_expired(9);
        assert_eq!((bucket.len(), bucket.may_have_dropped(9)), (1, false));
        bucket.drop_expired(10);
        assert_eq!((bucket.len(), bucket.may_have_dropped(10), bucket.may_have_dropped(11)), (0, true, false));
        bucket.add(2, 20);
        bucket.drop_expired(5);
        assert!(bucket.may_have_dropped(10), "a clock that is set back does not undo it");
    }
}
