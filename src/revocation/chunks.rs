//! A long document in pieces of one size.
//!
//! The memory of a Wasm VM never shrinks, and lists are exchanged for ever longer ones. Pieces of one size fit where the
//! pieces of the list before them lay; one long piece would leave a hole that is always a little too small.

use std::ops::Range;

/// The bytes of a piece.
pub const CHUNK_BYTES: usize = 1 << 20;

/// Bytes in pieces: each is full but the last.
#[derive(Clone, Debug, Default)]
pub struct Chunks {
    chunks: Vec<Vec<u8>>,
    length: usize,
}

impl Chunks {
    /// How many bytes there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The pieces.
    #[must_use]
    pub fn pieces(&self) -> &[Vec<u8>] {
        &self.chunks
    }

    /// Adds a piece at the end. A piece of full size, or the last one, is kept without a copy if all before it are full.
    pub fn append(&mut self, chunk: Vec<u8>) {
        if self.length.is_multiple_of(CHUNK_BYTES) && chunk.len() <= CHUNK_BYTES && !chunk.is_empty() {
            self.length = self.length.saturating_add(chunk.len());
            self.chunks.push(chunk);
        } else {
            self.extend(&chunk);
        }
    }

    /// Adds bytes at the end.
    pub fn extend(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.length.is_multiple_of(CHUNK_BYTES) {
                self.chunks.push(Vec::new());
            }
            let Some(last) = self.chunks.last_mut() else { return };
            let room = CHUNK_BYTES.saturating_sub(last.len());
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            last.extend_from_slice(now);
            self.length = self.length.saturating_add(now.len());
            bytes = later;
        }
    }

    /// The byte at `at`.
    #[must_use]
    pub fn byte(&self, at: usize) -> Option<u8> {
        self.chunks.get(at / CHUNK_BYTES)?.get(at % CHUNK_BYTES).copied()
    }

    /// The `N` bytes from `at` on, when they are there.
    #[must_use]
    pub fn array<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        let chunk = self.chunks.get(at / CHUNK_BYTES)?;
        if let Some(array) = chunk.get(at % CHUNK_BYTES..).and_then(|rest| rest.first_chunk()) {
            return Some(*array);
        }
        let mut array = [0; N];
        for (offset, byte) in array.iter_mut().enumerate() {
            *byte = self.byte(at.checked_add(offset)?)?;
        }
        Some(array)
    }

    /// The bytes of a range, in the slices in which they lie.
    pub fn slices(&self, range: Range<usize>) -> impl Iterator<Item = &[u8]> {
        let end = range.end.min(self.length);
        let mut at = range.start;
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let start = at % CHUNK_BYTES;
            let stop = (end - at).saturating_add(start).min(CHUNK_BYTES);
            let slice = self.chunks.get(at / CHUNK_BYTES)?.get(start..stop)?;
            at = at.saturating_add(slice.len());
            Some(slice)
        })
    }
}

impl From<&[u8]> for Chunks {
    fn from(bytes: &[u8]) -> Self {
        let mut chunks = Self::default();
        chunks.extend(bytes);
        chunks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three pieces and a half, each byte different from those around it.
    fn long() -> Vec<u8> {
        (0..CHUNK_BYTES * 7 / 2).map(|at| u8::try_from(at % 251).expect("a byte")).collect()
    }

    #[test]
    fn what_goes_in_comes_out() {
        let bytes = long();
        let mut pieces = Chunks::default();
        for part in bytes.chunks(CHUNK_BYTES) {
            pieces.append(part.to_vec());
        }
        let mut odd = Chunks::default();
        for part in bytes.chunks(300_007) {
            odd.append(part.to_vec());
        }
        for chunks in [Chunks::from(bytes.as_slice()), pieces, odd] {
            assert_eq!(chunks.len(), bytes.len());
            assert!(chunks.pieces().iter().rev().skip(1).all(|piece| piece.len() == CHUNK_BYTES));
            assert_eq!(chunks.slices(0..usize::MAX).collect::<Vec<_>>().concat(), bytes);
            let across = CHUNK_BYTES - 5..CHUNK_BYTES * 2 + 5;
            assert_eq!(chunks.slices(across.clone()).collect::<Vec<_>>().concat(), bytes[across]);
        }
    }

    #[test]
    fn an_array_may_lie_across_pieces_and_not_across_the_end() {
        let bytes = long();
        let chunks = Chunks::from(bytes.as_slice());
        for at in [0, 1, CHUNK_BYTES - 24, CHUNK_BYTES - 23, CHUNK_BYTES - 1, CHUNK_BYTES, bytes.len() - 24] {
            assert_eq!(chunks.array::<24>(at).as_ref().map(<[u8; 24]>::as_slice), Some(&bytes[at..at + 24]), "{at}");
        }
        for at in [bytes.len() - 23, bytes.len(), usize::MAX, usize::MAX - 10] {
            assert_eq!(chunks.array::<24>(at), None, "{at}");
        }
        assert_eq!(Chunks::default().array::<1>(0), None);
        assert!(Chunks::default().is_empty());
    }
}
