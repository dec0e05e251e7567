//! Follows a file that is written to, also past the next one of the same name: a log is rotated.

use crate::cli::log::MAX_LINE_BYTES;
use std::fs::{File, Metadata};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// How much is read at once.
const BUFFER_BYTES: usize = 64 << 10;

/// A file that is followed.
pub(super) struct Follower {
    path: PathBuf,
    file: File,
    /// Which file it is, whatever its name becomes.
    id: (u64, u64),
    position: u64,
    /// The start of a line whose end has not been written.
    line: Vec<u8>,
    buffer: Vec<u8>,
}

/// What takes a line without its line feed; `None` for one that is too long.
type Take<'t> = &'t mut dyn FnMut(Option<&[u8]>) -> io::Result<()>;

impl Follower {
    /// Follows a file from a place in it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn from(path: &Path, mut file: File, position: u64) -> io::Result<Self> {
        file.seek(SeekFrom::Start(position))?;
        let id = id(&file.metadata()?);
        Ok(Self { path: path.to_owned(), file, id, position, line: Vec::new(), buffer: vec![0; BUFFER_BYTES] })
    }

    /// Hands over the lines that were written since, and goes on to the next file if the name now leads to another.
    ///
    /// # Errors
    /// When the file cannot be read, or a line not be taken.
    pub(super) fn poll(&mut self, take: Take<'_>) -> io::Result<()> {
        self.read(take)?;
        // While no file has the name, the next one is not there yet.
        let Ok(now) = std::fs::metadata(&self.path) else { return Ok(()) };
        if id(&now) != self.id {
            let Ok(next) = File::open(&self.path) else { return Ok(()) };
            // What was written to the old one meanwhile.
            self.read(take)?;
            self.end(take)?;
            *self = Self::from(&self.path, next, 0)?;
            self.read(take)?;
        } else if now.len() < self.position {
            // It was emptied and is written anew.
            self.end(take)?;
            self.position = self.file.seek(SeekFrom::Start(0))?;
            self.read(take)?;
        }
        Ok(())
    }

    /// Reads to the end of what has been written.
    fn read(&mut self, take: Take<'_>) -> io::Result<()> {
        loop {
            let count = self.file.read(&mut self.buffer)?;
            let Some(part) = self.buffer.get(..count).filter(|part| !part.is_empty()) else { return Ok(()) };
            self.position = self.position.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
            let mut lines = part.split_inclusive(|&byte| byte == b'\n').peekable();
            while let Some(piece) = lines.next() {
                // Of a line that is too long only that is kept.
                if self.line.len() <= MAX_LINE_BYTES {
                    self.line.extend_from_slice(piece);
                }
                if piece.ends_with(b"\n") || lines.peek().is_some() {
                    Self::give(&mut self.line, take)?;
                }
            }
        }
    }

    /// Hands over a last line without a line feed.
    fn end(&mut self, take: Take<'_>) -> io::Result<()> {
        if self.line.is_empty() { Ok(()) } else { Self::give(&mut self.line, take) }
    }

    fn give(line: &mut Vec<u8>, take: Take<'_>) -> io::Result<()> {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let given = take((line.len() <= MAX_LINE_BYTES).then_some(text));
        line.clear();
        given
    }
}

fn id(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}
