//! A stream of server-sent events ([HTML Living Standard section 9.2](https://html.spec.whatwg.org/#server-sent-events)),
//! taken apart as it comes.
//!
//! Readers differ. To the standard, CR, LF and CRLF each end a line; to readers that split at LF, a lone CR is a part of
//! the line, and white space in JSON. So a block with a lone CR is no event here, nor is one with a field that only some
//! readers take for `data`. What remains, both read alike.

use std::borrow::Cow;

const TOO_LONG: &str = "an event or a comment that is longer than the limit";
const BOM: &[u8] = "\u{feff}".as_bytes();
/// The fields that readers know.
const FIELDS: [&str; 4] = ["data", "event", "id", "retry"];

/// A piece of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Comments and empty lines: no reader makes an event of them.
    Other(&'a [u8]),
    /// A block of fields that has ended.
    Event(Event<'a>),
    /// What readers could take for different events, or for one that is too long; the text says why. Its bytes are gone.
    Flawed(&'static str),
}

/// A block of fields, with the empty line that ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a>(&'a [u8]);

/// Splits a stream, however it comes. Holds an event back until it has ended.
#[derive(Debug)]
pub struct Splitter {
    /// The longest event, in bytes.
    limit: usize,
    /// What has come of an event that has not ended.
    held: Vec<u8>,
    /// Where its last line begins.
    line: usize,
    /// Up to where it has been looked at.
    at: usize,
    /// Whether it has a field.
    has_field: bool,
    /// Whether it is flawed: the rest of it is dropped.
    drops: bool,
    /// Whether the last line has bytes that were dropped.
    has_dropped: bool,
}

impl Splitter {
    /// At the beginning of a stream.
    #[must_use]
    pub const fn new(limit: usize) -> Self {
        Self { limit, held: Vec::new(), line: 0, at: 0, has_field: false, drops: false, has_dropped: false }
    }

    /// The next bytes of the stream. `take` gets the pieces that end in them, in their order.
    pub fn push(&mut self, bytes: &[u8], take: &mut dyn FnMut(Piece<'_>)) {
        let mut held = std::mem::take(&mut self.held);
        held.extend_from_slice(bytes);
        // Where the block begins that has not ended.
        let mut start = 0;
        while let Some(end) = rest(&held, self.at).iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let end = self.at + end;
            let is_cr = held.get(end) == Some(&b'\r');
            let next = match held.get(end + 1) {
                // It may be the first half of CRLF.
                None if is_cr => {
                    self.at = end;
                    break;
                }
                Some(b'\n') if is_cr => end + 2,
                _ => end + 1,
            };
            self.at = next;
            // That comes first, since it is known before it is known which byte follows a CR.
            if next - start > self.limit {
                self.flaw(TOO_LONG, take);
            }
            if is_cr && next == end + 1 {
                self.flaw("a line that only some readers end", take);
                continue;
            }
            let is_blank = self.line == end && !self.has_dropped;
            let is_comment = held.get(self.line) == Some(&b':');
            self.line = next;
            self.has_dropped = false;
            if is_blank {
                let block = held.get(start..next).unwrap_or_default();
                match (self.drops, self.has_field) {
                    (true, _) => {}
                    (false, true) => take(Piece::Event(Event(block))),
                    (false, false) => take(Piece::Other(block)),
                }
                (self.drops, self.has_field) = (false, false);
                start = next;
            } else if !self.drops && !self.has_field && is_comment {
                take(Piece::Other(held.get(start..next).unwrap_or_default()));
                start = next;
            } else {
                self.has_field = true;
            }
        }
        if held.len() - start > self.limit {
            self.flaw(TOO_LONG, take);
        }
        if self.drops {
            // Of what is dropped matters only whether the line has anything, and whether a CR is open.
            let line = rest(&held, self.line);
            let open = line.strip_suffix(b"\r");
            self.has_dropped |= !open.unwrap_or(line).is_empty();
            held = if open.is_some() { vec![b'\r'] } else { Vec::new() };
            (self.line, self.at) = (0, 0);
        } else {
            held.drain(..start);
            self.line -= start;
            self.at = if rest(&held, self.line).ends_with(b"\r") { held.len() - 1 } else { held.len() };
        }
        self.held = held;
    }

    /// The stream ends. To some readers that ends an event, too.
    pub fn finish(&mut self, take: &mut dyn FnMut(Piece<'_>)) {
        if !self.held.is_empty() && !self.held.starts_with(b":") {
            self.flaw("the stream ends in an event", take);
        }
        self.held = Vec::new();
    }

    fn flaw(&mut self, why: &'static str, take: &mut dyn FnMut(Piece<'_>)) {
        if !self.drops {
            take(Piece::Flawed(why));
            self.drops = true;
        }
    }
}

fn rest(held: &[u8], from: usize) -> &[u8] {
    held.get(from..).unwrap_or_default()
}

impl<'a> Event<'a> {
    /// Its bytes.
    #[must_use]
    pub const fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// Its data, the lines of it joined by LF. An event without a line of data has none.
    ///
    /// # Errors
    /// When the lines could be read in another way; the text says how.
    pub fn data(self) -> Result<Cow<'a, [u8]>, &'static str> {
        let mut data: Option<Cow<'a, [u8]>> = None;
        for line in self.lines() {
            if line.is_data() {
                match &mut data {
                    None => data = Some(Cow::Borrowed(line.value)),
                    Some(lines) => {
                        let lines = lines.to_mut();
                        lines.push(b'\n');
                        lines.extend_from_slice(line.value);
                    }
                }
            } else if line.is_like_a_field() {
                return Err("a field that only some readers know");
            }
        }
        Ok(data.unwrap_or_default())
    }

    /// Writes it with other data, and everything else as it is.
    pub fn write_with(self, data: &str, out: &mut Vec<u8>) {
        let mut is_written = false;
        for line in self.lines() {
            if !line.is_data() {
                [line.before, line.value, line.end].into_iter().for_each(|part| out.extend_from_slice(part));
            } else if !is_written {
                for text in data.split('\n') {
                    let before: &[u8] = if line.before.contains(&b':') { line.before } else { b"data: " };
                    [before, text.as_bytes(), line.end].into_iter().for_each(|part| out.extend_from_slice(part));
                }
                is_written = true;
            }
        }
    }

    fn lines(self) -> impl Iterator<Item = Line<'a>> {
        self.0.split_inclusive(|&byte| byte == b'\n').map(|line| {
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            let end = rest(line, text.len());
            let name = text.iter().position(|&byte| byte == b':');
            let value = name.map_or(text.len(), |colon| colon + 1);
            let value = value + usize::from(name.is_some() && text.get(value) == Some(&b' '));
            let name = text.get(..name.unwrap_or(text.len())).unwrap_or_default();
            Line { name, before: text.get(..value).unwrap_or_default(), value: rest(text, value), end }
        })
    }
}

/// A line of an event.
struct Line<'a> {
    /// The name of its field; nothing in a comment.
    name: &'a [u8],
    /// What is before the value: the name, the colon, and a space.
    before: &'a [u8],
    value: &'a [u8],
    /// CRLF or LF.
    end: &'a [u8],
}

impl Line<'_> {
    fn is_data(&self) -> bool {
        self.name == b"data"
    }

    /// Whether its name is not one that readers know, but for a byte order mark, white space or the case of its letters,
    /// which some readers ignore.
    fn is_like_a_field(&self) -> bool {
        let name = self.name.strip_prefix(BOM).unwrap_or(self.name);
        let is_known = |name: &[u8]| FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field.as_bytes()));
        let is_exact = FIELDS.iter().any(|field| self.name == field.as_bytes());
        !is_exact && is_known(name.trim_ascii())
    }
}

#[cfg(test)]
mod tests;
