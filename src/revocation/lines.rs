//! The text form: JSON Lines, one entry a line, read some at a time.

use super::build::Writer;
use super::chunks::Chunks;
use super::{Builder, Entry, ListError, Signature};
use crate::base::json::{self, Value};
use crate::base::time::UnixSeconds;
use serde_json::json;

/// The longest list in this form, in bytes.
pub const MAX_LINES_BYTES: usize = 16 << 20;
/// The most entries in this form.
pub const MAX_LINES_ENTRIES: usize = 100_000;
/// The longest line, in bytes.
pub const MAX_LINE_BYTES: usize = 16_384;

/// What an entry costs besides its bytes, in bytes: most of it is a SHA-256.
const ENTRY_COST: usize = 200;

/// The member of the line that says how many entries there are.
const AT_LEAST: &str = "entries_at_least";

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Something is revoked.
    Entry(Entry),
    /// The list has at least this many entries. If it has fewer, its end is missing. Only the first line may say that.
    AtLeast(u64),
}

impl Line {
    /// Reads a line.
    ///
    /// # Errors
    /// When it is neither.
    pub fn read(text: &[u8]) -> Result<Self, String> {
        if text.len() > MAX_LINE_BYTES {
            return Err(format!("is longer than {MAX_LINE_BYTES} bytes"));
        }
        let members = match json::parse(text) {
            Ok(Value::Object(members)) => members,
            Ok(_) => return Err("is not a JSON object".to_owned()),
            Err(error) => return Err(format!("is not JSON: {error}")),
        };
        match members.get(AT_LEAST) {
            None => Entry::from_members(&members).map(Self::Entry),
            Some(count) if members.len() == 1 => {
                count.as_u64().map(Self::AtLeast).ok_or_else(|| format!("`{AT_LEAST}` is not a count"))
            }
            Some(_) => Err(format!("`{AT_LEAST}` stands alone in a line")),
        }
    }

    /// The line as it is written, without its line feed.
    #[must_use]
    pub fn written(&self) -> String {
        match self {
            Self::Entry(entry) => Value::Object(entry.to_members()).to_string(),
            Self::AtLeast(count) => json!({ AT_LEAST: count }).to_string(),
        }
    }
}

/// Counts what is read, line by line.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    line: u64,
    entries: u64,
    at_least: Option<u64>,
}

impl Tally {
    /// Reads the next line. Blank ones count as lines and say nothing.
    ///
    /// # Errors
    /// With the number of the line, and what is wrong with it.
    pub fn read(&mut self, text: &[u8]) -> Result<Option<Entry>, ListError> {
        self.line = self.line.saturating_add(1);
        let text = text.trim_ascii();
        if text.is_empty() {
            return Ok(None);
        }
        match Line::read(text).map_err(|why| ListError::Line(self.line, why))? {
            Line::Entry(entry) => {
                self.entries = self.entries.saturating_add(1);
                Ok(Some(entry))
            }
            Line::AtLeast(count) if self.entries == 0 && self.at_least.is_none() => {
                self.at_least = Some(count);
                Ok(None)
            }
            Line::AtLeast(_) => Err(ListError::Line(self.line, format!("`{AT_LEAST}` is for the first line"))),
        }
    }

    /// Whether that were all lines.
    ///
    /// # Errors
    /// When there was nothing, or less than there should be.
    pub const fn finish(self) -> Result<(), ListError> {
        match self.at_least {
            Some(says) if self.entries < says => Err(ListError::Incomplete { has: self.entries, says }),
            None if self.entries == 0 => Err(ListError::Empty),
            _ => Ok(()),
        }
    }

    /// How many entries there were.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.entries
    }
}

/// Reads a list, some lines at a time.
#[derive(Debug)]
pub(super) struct LineReader {
    at: usize,
    tally: Tally,
    builder: Builder,
}

impl LineReader {
    /// A reader of what begins at `start`. Entries that are over at `now` are left out.
    pub(super) fn new(start: usize, now: UnixSeconds) -> Self {
        Self { at: start, tally: Tally::default(), builder: Builder::new(now) }
    }

    /// Reads on until about `budget` is spent: a byte costs one, and an entry [`ENTRY_COST`] besides. Returns whether
    /// that were all.
    pub(super) fn step(&mut self, bytes: &Chunks, budget: usize) -> Result<bool, ListError> {
        let mut spent = 0_usize;
        while self.at < bytes.len() {
            if spent >= budget {
                return Ok(false);
            }
            let (start, entries) = (self.at, self.tally.entries());
            self.line(bytes)?;
            let is_entry = self.tally.entries() > entries;
            spent = spent.saturating_add(self.at.saturating_sub(start));
            spent = spent.saturating_add(if is_entry { ENTRY_COST } else { 0 });
        }
        self.tally.finish().map(|()| true)
    }

    fn line(&mut self, bytes: &Chunks) -> Result<(), ListError> {
        // One more than a line may have, so that a longer one is seen to be longer.
        let longest = self.at.saturating_add(MAX_LINE_BYTES + 2);
        let mut parts = bytes.slices(self.at..longest);
        let first = parts.next().unwrap_or_default();
        let entry = if let Some(end) = first.iter().position(|&byte| byte == b'\n') {
            self.at = self.at.saturating_add(end + 1);
            self.tally.read(first.get(..end).unwrap_or_default())?
        } else {
            // Across pieces, or without a line feed at its end.
            let line: Vec<u8> =
                first.iter().chain(parts.flatten()).copied().take_while(|&byte| byte != b'\n').collect();
            self.at = self.at.saturating_add(line.len() + 1);
            self.tally.read(&line)?
        };
        if let Some(entry) = entry {
            if self.tally.entries() > u64::try_from(MAX_LINES_ENTRIES).unwrap_or(u64::MAX) {
                return Err(ListError::TooManyEntries(MAX_LINES_ENTRIES));
            }
            self.builder.add(&entry);
        }
        Ok(())
    }

    /// What was read, to be written as a list.
    pub(super) fn finish(self, signature: Option<Signature>) -> Writer {
        self.builder.write(signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revocation::CHUNK_BYTES;

    fn read(text: &str, budget: usize) -> Result<usize, ListError> {
        let chunks = Chunks::from(text.as_bytes());
        let mut reader = LineReader::new(0, UnixSeconds(1000));
        while !reader.step(&chunks, budget)? {}
        Ok(reader.finish(None).step(usize::MAX).expect("a list").entries())
    }

    const A: &str = r#"{"iss":"i","jti":"a"}"#;
    const B: &str = r#"{"iss":"i","jti":"b"}"#;

    #[test]
    fn lines_are_read_in_steps_of_any_size() {
        let text = format!("{A}\n\r\n  {B}\r\n{{\"iss\":\"i\",\"jti\":\"c\",\"until\":999}}\n{A}");
        for budget in [1, 7, 30, 10_000] {
            assert_eq!(read(&text, budget), Ok(2), "{budget}");
        }
    }

    #[test]
    fn a_line_may_lie_across_pieces() {
        for end in 1..A.len() {
            let blank = CHUNK_BYTES - end;
            let line = format!("{}\n", " ".repeat(10_000));
            let last = format!("{}\n", " ".repeat(blank % line.len() - 1));
            let text = format!("{}{last}{A}\n{B}", line.repeat(blank / line.len()));
            assert_eq!(text.find('{'), Some(blank));
            assert_eq!(read(&text, 200_000), Ok(2), "{end}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_ends_it_and_is_named() {
        for (text, number, why) in [
            (format!("{A}\n{{\"iss\""), 2, "is not JSON: EOF"),
            (format!("{A}\n\n[]"), 3, "is not a JSON object"),
            (format!("{A}\n{A}{B}"), 2, "is not JSON: trailing characters"),
            (format!("{A}\n{{\"iss\":\"i\",\"jti\":\"a\",\"jti\":\"b\"}}"), 2, "is not JSON: duplicate member"),
            (format!("{A}\n{{\"iss\":\"i\",\"jit\":\"a\"}}"), 2, "names nothing"),
            ("<html>".to_owned(), 1, "is not JSON"),
            (format!("{A}\n{{\"entries_at_least\":1}}"), 2, "`entries_at_least` is for the first line"),
            ("{\"entries_at_least\":1}\n{\"entries_at_least\":1}".to_owned(), 2, "`entries_at_least` is for the first"),
            ("{\"entries_at_least\":-1}".to_owned(), 1, "`entries_at_least` is not a count"),
            ("{\"entries_at_least\":1,\"iss\":\"i\"}".to_owned(), 1, "`entries_at_least` stands alone"),
            (format!("{A}\n{{\"iss\":\"i\",\"jti\":\"{}\"}}", "a".repeat(MAX_LINE_BYTES)), 2, "is longer than 16384"),
        ] {
            let Err(ListError::Line(line, told)) = read(&text, 50) else { panic!("{text}") };
            assert_eq!(line, number, "{text}");
            assert!(told.starts_with(why), "{text}: {told}");
        }
    }

    #[test]
    fn the_longest_line_is_read() {
        let line = |length: usize| format!("{{\"iss\":\"i\",\"jti\":\"{}\"}}", "a".repeat(length - 20));
        assert_eq!(line(100).len(), 100);
        assert_eq!(read(&format!("{}\n{B}", line(MAX_LINE_BYTES)), 50), Ok(2));
        assert!(read(&line(MAX_LINE_BYTES + 1), 50).is_err());
    }

    #[test]
    fn a_list_says_how_many_entries_it_has_so_that_a_missing_end_shows() {
        assert_eq!(read(&format!("{{\"entries_at_least\":2}}\n{A}\n{B}\n"), 50), Ok(2));
        assert_eq!(read(&format!("{{\"entries_at_least\":1}}\n{A}\n{B}\n"), 50), Ok(2), "more were added by hand");
        assert_eq!(
            read(&format!("{{\"entries_at_least\":3}}\n{A}\n{B}\n"), 50),
            Err(ListError::Incomplete { has: 2, says: 3 })
        );
        assert_eq!(read("{\"entries_at_least\":0}", 50), Ok(0));
        for text in ["", "\n", " \r\n\n"] {
            assert_eq!(read(text, 50), Err(ListError::Empty), "{text:?}");
        }
    }

    #[test]
    fn blank_lines_cost_their_bytes_and_entries_more() {
        let steps = |text: &str| {
            let chunks = Chunks::from(text.as_bytes());
            let mut reader = LineReader::new(0, UnixSeconds(1000));
            let mut steps = 1;
            while !reader.step(&chunks, 10_000).expect("lines") {
                steps += 1;
            }
            steps
        };
        assert_eq!(steps(&format!("{A}{}", "\n".repeat(19_000))), 2);
        let cost = A.len() + 1 + ENTRY_COST;
        assert_eq!(
            steps(&format!("{A}\n").repeat(1000)),
            1000_usize.div_ceil(10_000_usize.div_ceil(cost)),
            "the last line of a step may go over"
        );
    }

    #[test]
    fn the_most_entries_are_read_and_not_one_more() {
        let lines: Vec<String> =
            (0..MAX_LINES_ENTRIES).map(|id| format!("{{\"iss\":\"i\",\"jti\":\"{id}\"}}\n")).collect();
        let text = lines.concat();
        assert_eq!(read(&text, 1 << 20), Ok(MAX_LINES_ENTRIES));
        assert_eq!(read(&format!("{text}{A}"), 1 << 20), Err(ListError::TooManyEntries(MAX_LINES_ENTRIES)));
    }

    #[test]
    fn what_is_written_is_read() {
        for text in [A, r#"{"entries_at_least":7}"#] {
            assert_eq!(Line::read(text.as_bytes()).expect("a line").written(), text);
        }
    }
}
