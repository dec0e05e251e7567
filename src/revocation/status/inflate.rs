//! Inflating a list (RFC 1950, RFC 1951), in steps and within a limit. A few bytes can stand for very many: what is
//! inflated is counted, and nothing is set aside for what a list says of its length.

use crate::revocation::{Chunks, ListError};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

/// What may be referred back to (RFC 1950 section 2.2): the window that the output goes through.
const WINDOW_BYTES: usize = 32_768;
/// The bytes that are read at once: blocks may be empty, and then nothing comes out of them.
const READ_BYTES: usize = 16_384;
/// How often one step reads, or fills the window: 256 KB, so about a millisecond.
const STEP_ROUNDS: usize = 8;

/// A zlib stream on its way to what it stands for.
pub(super) struct Inflater {
    state: Box<DecompressorOxide>,
    window: Vec<u8>,
    input: Vec<u8>,
    read: usize,
    output: Chunks,
    limit: usize,
}

impl Inflater {
    /// Begins with `input`, of which no more than `limit` bytes may come.
    pub(super) fn new(input: Vec<u8>, limit: usize) -> Self {
        let window = vec![0; WINDOW_BYTES];
        Self { state: Box::default(), window, input, read: 0, output: Chunks::default(), limit }
    }

    /// Does a step. Returns what came out when that was the last.
    ///
    /// # Errors
    /// When it is no zlib stream, ends early, does not end with its input, or is longer than the limit.
    pub(super) fn step(&mut self) -> Result<Option<Chunks>, ListError> {
        const NOT_ZLIB: ListError = ListError::Status("its `lst` is not a whole zlib stream");
        for _ in 0..STEP_ROUNDS {
            let end = self.read.saturating_add(READ_BYTES).min(self.input.len());
            let more = if end < self.input.len() { inflate_flags::TINFL_FLAG_HAS_MORE_INPUT } else { 0 };
            let flags = inflate_flags::TINFL_FLAG_PARSE_ZLIB_HEADER | more;
            let input = self.input.get(self.read..end).unwrap_or_default();
            let at = self.output.len() % WINDOW_BYTES;
            let (status, taken, made) = decompress(&mut self.state, input, &mut self.window, at, flags);
            self.read = self.read.saturating_add(taken);
            if self.output.len().saturating_add(made) > self.limit {
                return Err(ListError::TooLarge(self.limit));
            }
            self.output.extend(self.window.get(at..at.saturating_add(made)).ok_or(NOT_ZLIB)?);
            match status {
                TINFLStatus::Done if self.read == self.input.len() => {
                    return Ok(Some(std::mem::take(&mut self.output)));
                }
                TINFLStatus::HasMoreOutput => {}
                TINFLStatus::NeedsMoreInput if more != 0 && taken > 0 => {}
                _ => return Err(NOT_ZLIB),
            }
        }
        Ok(None)
    }
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Inflater({} of {} bytes)", self.read, self.input.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::ZlibEncoder;
    use std::io::Write as _;

    fn deflated(bytes: &[u8], level: u32) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::new(level));
        encoder.write_all(bytes).expect("in memory");
        encoder.finish().expect("in memory")
    }

    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            u8::try_from(state >> 24).expect("a byte")
        };
        (0..length).map(|_| next()).collect()
    }

    /// What came out, and in how many steps.
    fn inflated(input: Vec<u8>, limit: usize) -> Result<(Vec<u8>, usize), ListError> {
        let mut inflater = Inflater::new(input, limit);
        let mut steps = 1;
        loop {
            if let Some(output) = inflater.step()? {
                return Ok((output.pieces().concat(), steps));
            }
            steps += 1;
        }
    }

    #[test]
    fn what_was_deflated_comes_out_whole_whatever_its_length_and_however_it_was_done() {
        for length in [0, 1, 100, READ_BYTES, WINDOW_BYTES - 1, WINDOW_BYTES, WINDOW_BYTES + 1, 3 << 20] {
            for bytes in [vec![0; length], noise(length)] {
                for level in [0, 1, 9] {
                    let (output, _) = inflated(deflated(&bytes, level), length).expect("a stream");
                    assert!(output == bytes, "{length} bytes at level {level}");
                }
            }
        }
    }

    #[test]
    fn one_step_makes_a_quarter_of_a_megabyte_at_most() {
        let (_, steps) = inflated(deflated(&vec![0; 4 << 20], 9), 4 << 20).expect("a stream");
        assert!((16..=18).contains(&steps), "{steps}");
    }

    #[test]
    fn a_stream_of_empty_blocks_is_read_in_steps_too() {
        // An empty stored block that is not the last: 0, and the lengths 0 and !0.
        let mut input = vec![0x78, 0x01];
        (0..200_000).for_each(|_| input.extend([0, 0, 0, 0xff, 0xff]));
        input.extend([1, 0, 0, 0xff, 0xff, 0, 0, 0, 1]);
        let (output, steps) = inflated(input, 10).expect("a stream");
        assert!(output.is_empty() && steps >= 7, "{steps}");
    }

    #[test]
    fn a_bomb_is_too_large_and_is_found_to_be_before_it_is_inflated() {
        let bomb = deflated(&vec![0; 64 << 20], 9);
        assert!(bomb.len() < 100_000);
        let mut inflater = Inflater::new(bomb, 1 << 20);
        let mut steps = 0;
        let error = loop {
            steps += 1;
            match inflater.step() {
                Ok(None) => {}
                Ok(Some(_)) => panic!("it was inflated"),
                Err(error) => break error,
            }
        };
        assert_eq!((error, steps), (ListError::TooLarge(1 << 20), 5));
    }

    #[test]
    fn the_limit_is_the_last_length_that_is_accepted() {
        let bytes = noise(70_000);
        assert!(inflated(deflated(&bytes, 6), 70_000).is_ok());
        assert_eq!(inflated(deflated(&bytes, 6), 69_999), Err(ListError::TooLarge(69_999)));
    }

    #[test]
    fn what_is_cut_longer_or_changed_is_none() {
        let whole = deflated(&noise(40_000), 6);
        for end in [0, 1, 2, 3, whole.len() / 2, whole.len() - 1] {
            assert!(inflated(whole[..end].to_vec(), 1 << 20).is_err(), "{end}");
        }
        assert!(inflated([whole.as_slice(), b"x"].concat(), 1 << 20).is_err());
        for at in [0, 1, 100, whole.len() - 1] {
            let mut other = whole.clone();
            other[at] ^= 0x10;
            assert!(inflated(other, 1 << 20).is_err(), "{at}");
        }
        // Raw DEFLATE, and gzip.
        assert!(inflated(whole[2..whole.len() - 4].to_vec(), 1 << 20).is_err());
        assert!(inflated([&[0x1f, 0x8b, 8][..], &whole].concat(), 1 << 20).is_err());
    }
}
