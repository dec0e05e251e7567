//! What the workers of a process share: small values under names, replaced only by a worker that has seen the last one.

use std::fmt;

/// Why what workers share cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// The host has no random numbers.
    NoRandomNumbers,
    /// The host refuses a value.
    NotWritten,
    /// The bytes in a place are not what belongs there.
    Unreadable,
}

impl fmt::Display for OpenError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NoRandomNumbers => "the host has no random numbers",
            Self::NotWritten => "the host does not write shared data",
            Self::Unreadable => "another plugin with this vm_id has written over it",
        })
    }
}

/// The room of one of so many buckets for `entries` entries in all. They spread at random, so some buckets get more than
/// others. With five standard deviations and a few more, none is full before all are.
#[must_use]
pub fn room_of_bucket(entries: usize, buckets: u16) -> usize {
    let mean = entries.div_ceil(usize::from(buckets.max(1)));
    mean.saturating_add(mean.isqrt().saturating_mul(5)).saturating_add(8)
}

/// Values under names. The host's shared data belongs to all plugins with the same `vm_id`, so what is read from it is
/// checked as if it came from the wire.
pub trait SharedData {
    /// The value of `name`, and the mark of this value (Envoy's `cas`).
    fn read(&self, name: &str) -> Option<(Vec<u8>, u32)>;

    /// Writes `value`; with a mark, only if the value is still the one that had this mark. Returns whether it was
    /// written. Without a value the mark does not count.
    fn write(&self, name: &str, value: &[u8], seen: Option<u32>) -> bool;

    /// Whether there is certainly no value of `name`: one that cannot be read is there all the same.
    fn lacks(&self, name: &str) -> bool;

    /// Takes the value of `name` away. The host's shared data keeps the name, with nothing in it.
    fn remove(&self, name: &str) {
        self.write(name, b"", None);
    }
}
