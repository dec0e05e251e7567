//! What the workers of a process share: small values under names, replaced only by a worker that has seen the last one.

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
