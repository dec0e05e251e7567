//! The manifest of a document: its pieces in shared data.

/// The first bytes of a manifest. Another form gets another number.
const FORM: [u8; 4] = *b"sgM1";
/// The bytes of the mark at the end of each piece.
const MARK_BYTES: usize = 8;

/// The pieces of one document: their names, their total length, and the mark at the end of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    /// A hash of the document, which tells its pieces from those of another document. It does not prove who wrote them.
    pub mark: u64,
    /// Two places in turn, so that a document is not replaced while others still read it.
    pub turn: u64,
    /// All bytes of the document.
    pub length: u64,
}

impl Manifest {
    /// Whether both describe the same document, at either place.
    pub(super) const fn is_of_the_same(&self, other: &Self) -> bool {
        self.mark == other.mark && self.length == other.length
    }

    pub(super) fn to_bytes(self) -> Vec<u8> {
        let mut out = FORM.to_vec();
        [self.mark, self.turn, self.length].into_iter().for_each(|number| out.extend(number.to_le_bytes()));
        out
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (numbers, rest) = bytes.strip_prefix(&FORM)?.as_chunks::<8>();
        let &[mark, turn, length] = numbers else { return None };
        let [mark, turn, length] = [mark, turn, length].map(u64::from_le_bytes);
        rest.is_empty().then_some(Self { mark, turn, length })
    }

    /// The name of the piece of that number.
    pub(super) fn name(&self, place: &str, piece: usize) -> String {
        format!("{place}/piece/{}/{piece}", self.turn % 2)
    }

    /// A piece with its mark at the end, so that removing the mark moves no bytes.
    pub(super) fn marked(&self, piece: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(piece.len().saturating_add(MARK_BYTES));
        out.extend_from_slice(piece);
        out.extend(self.mark.to_le_bytes());
        out
    }

    /// A piece without its mark; `None` if the mark is another one.
    pub(super) fn unmarked(&self, mut piece: Vec<u8>) -> Option<Vec<u8>> {
        let length = piece.len().checked_sub(MARK_BYTES)?;
        let mark = piece.get(length..)?;
        if mark != self.mark.to_le_bytes() {
            return None;
        }
        piece.truncate(length);
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: Manifest = Manifest { mark: 7, turn: 2, length: 9 };

    #[test]
    fn a_manifest_reads_back_whole_and_not_in_part() {
        let bytes = MANIFEST.to_bytes();
        assert_eq!(Manifest::from_bytes(&bytes), Some(MANIFEST));
        for end in 0..bytes.len() {
            assert_eq!(Manifest::from_bytes(&bytes[..end]), None, "{end}");
        }
        assert_eq!(Manifest::from_bytes(&[bytes.as_slice(), b"x"].concat()), None);
    }

    #[test]
    fn a_piece_of_another_document_is_none() {
        assert_eq!(MANIFEST.unmarked(MANIFEST.marked(b"abc")).as_deref(), Some(&b"abc"[..]));
        let other = Manifest { mark: 8, ..MANIFEST };
        assert_eq!(MANIFEST.unmarked(other.marked(b"abc")), None);
        assert_eq!(MANIFEST.unmarked(b"abc".to_vec()), None);
        assert_ne!(MANIFEST.name("a", 1), Manifest { turn: 3, ..MANIFEST }.name("a", 1));
    }
}
