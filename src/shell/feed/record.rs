//! What the workers of a process tell each other about a document, as bytes. A record that cannot be read to its last
//! byte does not count.

/// The first bytes of each record: its kind and its form. Another form gets another number.
const LEASE_FORM: [u8; 4] = *b"sgL1";
const STATE_FORM: [u8; 4] = *b"sgS1";
/// The longest text in a record, in bytes. Longer ones are cut, or left out where a part is useless.
pub(super) const MAX_TEXT: usize = 2048;

/// The version of a content that this worker fetched after it had lost its lease. The content is as good as the other
/// worker's, but has no version in shared data.
pub(super) const UNNUMBERED: u64 = 0;

/// Which worker may fetch, until when, and up to when fetches out of turn are paid for. Times are in milliseconds since
/// the epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lease {
    pub deadline: u64,
    pub holder: u64,
    pub paid_until: u64,
}

/// The state of a document. Times are in milliseconds since the epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DocumentState {
    /// Counts the different contents that were published; 0 means none.
    pub version: u64,
    /// The length of the content in bytes, and its checksum.
    pub length: u64,
    pub sum: u64,
    /// When its source last confirmed the content.
    pub confirmed_at: u64,
    /// When the last attempt that has ended began, and when it ended.
    pub attempt_began: u64,
    pub attempt_ended: u64,
    /// When the next one is due.
    pub next_at: u64,
    /// The number of failures since the last success.
    pub failures: u64,
    /// The worker that wrote this.
    pub writer: u64,
    /// Why the last attempt failed.
    pub problem: String,
    /// Where the content came from, and the `ETag` that it had there.
    pub source: String,
    pub etag: String,
}

impl Lease {
    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut out = LEASE_FORM.to_vec();
        for number in [self.deadline, self.holder, self.paid_until] {
            out.extend(number.to_le_bytes());
        }
        out
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(&LEASE_FORM)?;
        let lease = Self { deadline: number(&mut rest)?, holder: number(&mut rest)?, paid_until: number(&mut rest)? };
        rest.is_empty().then_some(lease)
    }
}

impl DocumentState {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = STATE_FORM.to_vec();
        for number in self.numbers() {
            out.extend(number.to_le_bytes());
        }
        for text in [&self.problem, &self.source, &self.etag] {
            let bytes = text.as_bytes();
            let bytes = bytes.get(..MAX_TEXT).unwrap_or(bytes);
            out.extend(u16::try_from(bytes.len()).unwrap_or(0).to_le_bytes());
            out.extend(bytes);
        }
        out
    }

    const fn numbers(&self) -> [u64; 9] {
        [
            self.version,
            self.length,
            self.sum,
            self.confirmed_at,
            self.attempt_began,
            self.attempt_ended,
            self.next_at,
            self.failures,
            self.writer,
        ]
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(&STATE_FORM)?;
        let state = Self {
            version: number(&mut rest)?,
            length: number(&mut rest)?,
            sum: number(&mut rest)?,
            confirmed_at: number(&mut rest)?,
            attempt_began: number(&mut rest)?,
            attempt_ended: number(&mut rest)?,
            next_at: number(&mut rest)?,
            failures: number(&mut rest)?,
            writer: number(&mut rest)?,
            problem: text(&mut rest)?,
            source: text(&mut rest)?,
            etag: text(&mut rest)?,
        };
        rest.is_empty().then_some(state)
    }
}

/// A checksum that tells a content from one that was half replaced. It does not prove who wrote it. About a gigabyte a
/// second in the VM.
pub(super) fn sum(bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = bytes.as_chunks::<8>();
    let mix = |sum: u64, word: u64| (sum.rotate_left(23) ^ word).wrapping_mul(FACTOR);
    let whole = words.iter().fold(FACTOR, |so_far, word| mix(so_far, u64::from_le_bytes(*word)));
    let ended = rest.iter().fold(whole, |so_far, byte| mix(so_far, u64::from(*byte)));
    ended ^ (ended >> 29)
}

fn number(bytes: &mut &[u8]) -> Option<u64> {
    let (first, rest) = bytes.split_first_chunk::<8>()?;
    *bytes = rest;
    Some(u64::from_le_bytes(*first))
}

fn text(bytes: &mut &[u8]) -> Option<String> {
    let (size, rest) = bytes.split_first_chunk::<2>()?;
    let (text, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*size)))?;
    *bytes = rest;
    (text.len() <= MAX_TEXT).then(|| String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> DocumentState {
        DocumentState {
            version: 3,
            length: 17,
            sum: 9,
            confirmed_at: 1,
            attempt_began: 2,
            attempt_ended: 4,
            next_at: 5,
            failures: 6,
            writer: 7,
            problem: "no answer".to_owned(),
            source: "https://idp.example.com/jwks.json".to_owned(),
            etag: "\"a\"".to_owned(),
        }
    }

    #[test]
    fn records_read_back_as_they_were_written() {
        assert_eq!(DocumentState::from_bytes(&state().to_bytes()), Some(state()));
        let lease = Lease { deadline: 1, holder: 2, paid_until: 3 };
        assert_eq!(Lease::from_bytes(&lease.to_bytes()), Some(lease));
    }

    #[test]
    fn a_record_that_is_cut_longer_or_another_is_none() {
        let (whole, lease) = (state().to_bytes(), Lease::default().to_bytes());
        for end in 0..whole.len() {
            assert_eq!(DocumentState::from_bytes(&whole[..end]), None, "{end}");
        }
        for end in 0..lease.len() {
            assert_eq!(Lease::from_bytes(&lease[..end]), None, "{end}");
        }
        assert_eq!(DocumentState::from_bytes(&[whole.as_slice(), b"x"].concat()), None);
        assert_eq!(DocumentState::from_bytes(&lease), None);
        assert_eq!(Lease::from_bytes(&whole), None);
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_and_the_record_still_reads() {
        let long = DocumentState { problem: "x".repeat(70_000), ..state() };
        assert_eq!(DocumentState::from_bytes(&long.to_bytes()).unwrap().problem.len(), MAX_TEXT);
    }

    #[test]
    fn a_sum_sees_every_byte_and_its_place() {
        let text = b"0123456789abcdefghijk";
        for at in 0..text.len() {
            let mut other = *text;
            other[at] ^= 1;
            assert_ne!(sum(text), sum(&other), "{at}");
        }
        assert_ne!(sum(b"ab"), sum(b"ba"));
        assert_ne!(sum(b""), sum(b"\0"));
        assert_ne!(sum(&[0; 8]), sum(&[0; 16]));
    }
}
