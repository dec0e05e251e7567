//! A body that goes on piece by piece, and has to be the one that was signed.
//!
//! With a `content-length` the upstream has all of the body when its last byte is there, before the host says that it has
//! ended. So the digest is compared before that byte goes on. Without one, the upstream waits for the end.

use crate::crypto::BodyHasher;
use crate::decision::{Denial, SignedBody};

/// How far a body has come.
#[derive(Debug)]
pub struct BodyCheck {
    /// `None`: it has been compared, and is the right one.
    hasher: Option<BodyHasher>,
    /// Its `content-length`, if it has one.
    length: Option<u64>,
    /// Whether it has to have no byte: then the first one is refused, since a request that is signed without a body can be
    /// sent again and again.
    is_empty: bool,
    counted: u64,
}

impl BodyCheck {
    /// Nothing of the body has come.
    pub fn new(wanted: &SignedBody, length: Option<u64>) -> Self {
        let hasher = || BodyHasher::new(wanted.sha256, wanted.sha512);
        Self { hasher: Some(hasher()), length, is_empty: hasher().matches(), counted: 0 }
    }

    /// Takes in bytes, which do not go on before [`Self::judge`] has let them.
    pub fn take(&mut self, bytes: &[u8]) {
        self.counted = self.counted.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
    }

    /// Whether what has come may go on; `ends` says that it is all of the body.
    ///
    /// # Errors
    /// [`Denial::DigestMismatch`] of another body, or of one that is longer or shorter than its `content-length`.
    pub fn judge(&mut self, ends: bool) -> Result<(), Denial> {
        let is_all = match self.length {
            _ if self.is_empty && self.counted > 0 => return Err(Denial::DigestMismatch),
            Some(length) if self.counted > length || ends && self.counted < length => {
                return Err(Denial::DigestMismatch);
            }
            Some(length) => self.counted == length,
            None => ends,
        };
        let is_right = if is_all { self.hasher.take().is_none_or(BodyHasher::matches) } else { true };
        if is_right { Ok(()) } else { Err(Denial::DigestMismatch) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::sha256;

    const BODY: &[u8] = b"{\"qty\":2}";

    fn check(length: Option<usize>) -> BodyCheck {
        let wanted = SignedBody { sha256: Some(sha256(BODY)), sha512: None, report_only: false };
        BodyCheck::new(&wanted, length.map(|length| u64::try_from(length).unwrap()))
    }

    /// Hands a body over in pieces of this size. Returns how many bytes went on, and whether the end did. The end comes with the
    /// last piece, or after it.
    fn gone_on(mut check: BodyCheck, body: &[u8], size: usize, by_itself: bool) -> (usize, bool) {
        let mut gone = 0;
        for piece in body.chunks(size) {
            let is_last = gone + piece.len() == body.len();
            check.take(piece);
            if check.judge(is_last && !by_itself).is_err() {
                return (gone, false);
            }
            gone += piece.len();
        }
        (gone, !by_itself && !body.is_empty() || check.judge(true).is_ok())
    }

    #[test]
    fn the_right_body_goes_on_however_it_comes() {
        for length in [None, Some(BODY.len())] {
            for (size, by_itself) in (1..=BODY.len()).flat_map(|size| [(size, false), (size, true)]) {
                assert_eq!(gone_on(check(length), BODY, size, by_itself), (BODY.len(), true), "{length:?} {size}");
            }
        }
    }

    /// Each byte, also the last one. Without a length the bytes go on, and never the end.
    #[test]
    fn a_body_with_one_other_byte_never_goes_on_whole() {
        for at in 0..BODY.len() {
            let mut other = BODY.to_vec();
            other[at] ^= 1;
            for (size, by_itself) in (1..=BODY.len()).flat_map(|size| [(size, false), (size, true)]) {
                let (gone, ended) = gone_on(check(Some(BODY.len())), &other, size, by_itself);
                assert!(gone < BODY.len() && !ended, "byte {at}, pieces of {size}: {gone}");
                let (gone, ended) = gone_on(check(None), &other, size, by_itself);
                assert!(!ended && (by_itself || gone < BODY.len()), "byte {at}, pieces of {size}: {gone}");
            }
        }
    }

    #[test]
    fn a_body_that_is_longer_or_shorter_than_its_length_is_refused_wherever_that_shows() {
        let mut longer = check(Some(BODY.len()));
        longer.take(BODY);
        assert_eq!(longer.judge(false), Ok(()));
        longer.take(b"x");
        assert_eq!(longer.judge(true), Err(Denial::DigestMismatch), "after it has been compared");
        let mut at_once = check(Some(BODY.len()));
        at_once.take(&[BODY, b"x"].concat());
        assert_eq!(at_once.judge(false), Err(Denial::DigestMismatch));
        let mut shorter = check(Some(BODY.len() + 1));
        shorter.take(BODY);
        assert_eq!(shorter.judge(false), Ok(()));
        assert_eq!(shorter.judge(true), Err(Denial::DigestMismatch), "though its digest is right");
    }

    /// An upstream takes such a request for whole as soon as it has the headers.
    #[test]
    fn a_body_of_no_bytes_is_compared_at_once() {
        assert_eq!(check(Some(0)).judge(false), Err(Denial::DigestMismatch));
        let wanted = SignedBody { sha256: Some(sha256(b"")), sha512: None, report_only: false };
        assert_eq!(BodyCheck::new(&wanted, Some(0)).judge(false), Ok(()));
        assert_eq!(BodyCheck::new(&wanted, None).judge(true), Ok(()));
        assert_eq!(check(None).judge(false), Ok(()), "it may be to come");
        let mut of_nothing = BodyCheck::new(&wanted, None);
        of_nothing.take(b"");
        assert_eq!(of_nothing.judge(false), Ok(()));
        of_nothing.take(b"x");
        assert_eq!(of_nothing.judge(false), Err(Denial::DigestMismatch), "no byte of it goes on");
    }
}
