//! A status list: an array of values of 1, 2, 4 or 8 bits (draft-ietf-oauth-status-list section 4.1).

use crate::revocation::{Chunks, Signature};

/// A status list that has been checked.
#[derive(Debug)]
pub struct StatusList {
    bits: u8,
    bytes: Chunks,
    signature: Signature,
}

impl StatusList {
    /// The list of these bytes; `None` unless a value has 1, 2, 4 or 8 bits.
    pub(super) fn new(bits: u64, bytes: Chunks, signature: Signature) -> Option<Self> {
        let bits = u8::try_from(bits).ok().filter(|bits| matches!(bits, 1 | 2 | 4 | 8))?;
        Some(Self { bits, bytes, signature })
    }

    /// The value at `index`, counted from the lowest bit of each byte; `None` past the end.
    #[must_use]
    pub fn get(&self, index: u64) -> Option<u8> {
        let in_one_byte = u64::from(8_u8.checked_div(self.bits)?);
        let byte = self.bytes.byte(usize::try_from(index / in_one_byte).ok()?)?;
        let place = u32::try_from(index % in_one_byte).ok()?.saturating_mul(u32::from(self.bits));
        let mask = u8::MAX >> (8_u8.saturating_sub(self.bits));
        Some(byte.checked_shr(place)? & mask)
    }

    /// How many values there are.
    #[must_use]
    pub fn entries(&self) -> usize {
        self.bytes.len().saturating_mul(usize::from(8_u8.checked_div(self.bits).unwrap_or(1)))
    }

    /// How many bytes they take.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// When it was signed, and how long it is good.
    #[must_use]
    pub const fn signature(&self) -> Signature {
        self.signature
    }

    /// Whether both say the same of every token.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.bits == other.bits && self.bytes.pieces() == other.bytes.pieces()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::UnixSeconds;

    fn list(bits: u64, bytes: &[u8]) -> Option<StatusList> {
        let signature = Signature { issued_at: UnixSeconds(0), expires_at: None, ttl: None };
        StatusList::new(bits, Chunks::from(bytes), signature)
    }

    /// Sections 4.1 and 9.1 of the draft.
    #[test]
    fn values_are_counted_from_the_lowest_bit() {
        for (bits, bytes, values) in [
            (1, &[0xb9, 0xa3][..], &[1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1][..]),
            (2, &[0xc9, 0x44, 0xf9], &[1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]),
            (4, &[0x21, 0xf3], &[1, 2, 3, 15]),
            (8, &[0, 1, 2, 255], &[0, 1, 2, 255]),
        ] {
            let list = list(bits, bytes).expect("a list");
            let read: Vec<u8> = (0..).map_while(|index| list.get(index)).collect();
            assert_eq!((read.as_slice(), list.entries()), (values, values.len()), "{bits} bits");
        }
    }

    #[test]
    fn past_the_end_there_is_no_status() {
        for bits in [1, 2, 4, 8] {
            let list = list(bits, &[0; 3]).expect("a list");
            let entries = u64::try_from(list.entries()).expect("a number");
            assert_eq!(entries, 24 / bits);
            assert_eq!(list.get(entries - 1), Some(0));
            for index in [entries, entries + 1, u64::from(u32::MAX), u64::MAX / 8, u64::MAX] {
                assert_eq!(list.get(index), None, "{bits} bits, {index}");
            }
        }
        assert_eq!(list(1, &[]).expect("a list").get(0), None);
    }

    #[test]
    fn there_are_values_of_1_2_4_and_8_bits_only() {
        for bits in [0, 3, 5, 6, 7, 9, 16, 256, 257, u64::MAX] {
            assert!(list(bits, &[0]).is_none(), "{bits}");
        }
    }
}
