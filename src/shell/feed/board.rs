//! Where the workers of a process meet: small values under names, written only by whoever saw the last one.

use std::cell::RefCell;
use std::collections::BTreeMap;

/// Values under names. The host's shared data is one; it belongs to all plugins with the same `vm_id`, so what is read
/// from it is looked at as if it came from the wire.
pub trait Board {
    /// The value of `name`, and the mark of this very value.
    fn read(&self, name: &str) -> Option<(Vec<u8>, u32)>;

    /// Writes `value`; with a mark, only if the value is still the one that the mark was read with. Returns whether it
    /// was written. Where there is no value yet the mark does not count.
    fn write(&self, name: &str, value: &[u8], seen: Option<u32>) -> bool;
}

/// A board of one worker alone, for a process whose workers share nothing.
#[derive(Debug, Default)]
pub struct OwnBoard(RefCell<BTreeMap<String, (Vec<u8>, u32)>>);

impl Board for OwnBoard {
    fn read(&self, name: &str) -> Option<(Vec<u8>, u32)> {
        self.0.borrow().get(name).cloned()
    }

    fn write(&self, name: &str, value: &[u8], seen: Option<u32>) -> bool {
        let mut values = self.0.borrow_mut();
        let next = match (values.get(name), seen) {
            (Some((_, mark)), Some(seen)) if *mark != seen => return false,
            (Some((_, mark)), _) => mark.wrapping_add(1).max(1),
            (None, _) => 1,
        };
        values.insert(name.to_owned(), (value.to_vec(), next));
        true
    }
}
