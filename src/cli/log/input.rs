//! Reads the lines of a log: streaming, and none longer than memory bears.

use std::error::Error;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

/// The longest line that is read, in bytes. Envoy writes no record that long.
pub(in crate::cli) const MAX_LINE_BYTES: usize = 1 << 20;
/// How much is read at once.
const BUFFER_BYTES: usize = 256 << 10;

/// The lines of a log.
pub(in crate::cli) struct Lines<R> {
    input: R,
    line: Vec<u8>,
    /// How many bytes were read, without those of a last line that has no line feed yet.
    whole: u64,
}

/// A line without its line feed; `None` for one that is too long.
pub(in crate::cli) type Line<'l> = Option<&'l [u8]>;

/// Opens a log; `-` is standard input.
///
/// # Errors
/// When it cannot be opened.
pub(in crate::cli) fn open(file: &Path) -> Result<Lines<Box<dyn BufRead>>, Box<dyn Error>> {
    if file == Path::new("-") {
        return Ok(Lines::new(Box::new(BufReader::with_capacity(BUFFER_BYTES, io::stdin()))));
    }
    let opened = File::open(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    Ok(Lines::new(Box::new(BufReader::with_capacity(BUFFER_BYTES, opened))))
}

impl<R: BufRead> Lines<R> {
    /// The lines of this input.
    pub(in crate::cli) const fn new(input: R) -> Self {
        Self { input, line: Vec::new(), whole: 0 }
    }

    /// How many bytes the lines so far have that have ended.
    pub(in crate::cli) const fn whole_bytes(&self) -> u64 {
        self.whole
    }

    /// The next line; the last needs no line feed.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub(in crate::cli) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        let most = u64::try_from(MAX_LINE_BYTES).unwrap_or(u64::MAX);
        let read = length(self.input.by_ref().take(most).read_until(b'\n', &mut self.line)?);
        if self.line.is_empty() {
            return Ok(None);
        }
        if self.line.ends_with(b"\n") {
            self.line.pop();
            self.whole = self.whole.saturating_add(read);
        } else if self.line.len() >= MAX_LINE_BYTES {
            self.line.clear();
            self.whole = self.whole.saturating_add(read).saturating_add(skip_line(&mut self.input)?);
            return Ok(Some(None));
        }
        Ok(Some(Some(&self.line)))
    }
}

/// Reads to the next line feed, keeps nothing, and says how many bytes these were.
fn skip_line(input: &mut impl BufRead) -> io::Result<u64> {
    let mut skipped = 0_u64;
    loop {
        let part = input.fill_buf()?;
        let end = part.iter().position(|&byte| byte == b'\n');
        let read = end.map_or(part.len(), |end| end.saturating_add(1));
        skipped = skipped.saturating_add(length(read));
        input.consume(read);
        if end.is_some() || read == 0 {
            return Ok(skipped);
        }
    }
}

/// A number of bytes, as files count them.
fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_one_by_one_and_one_that_is_too_long_is_left_out() {
        let long = "x".repeat(MAX_LINE_BYTES);
        let text = format!("a\n\n{long}\nb\n{long}y\nlast");
        let mut lines = Lines::new(BufReader::with_capacity(7, text.as_bytes()));
        let mut read = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            read.push(line.map(|line| String::from_utf8(line.to_vec()).unwrap()));
        }
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read, [some("a"), some(""), None, some("b"), None, some("last")]);
        assert_eq!(lines.whole_bytes(), u64::try_from(text.len() - "last".len()).unwrap());
        assert!(lines.line.capacity() <= 2 * MAX_LINE_BYTES);
    }
}
