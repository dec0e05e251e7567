//! One pass over a JSON text (RFC 8259): its grammar, its depth, members that are there twice, and what is looked at.

use super::judged::{Found, Level, Member};
use super::names::Names;
use crate::base::members::Raw;
use std::borrow::Cow;

/// How deep objects and arrays may be nested, the outermost included.
const DEPTH: usize = 64;

/// Reads the text of a message, which must be one JSON value with nothing but white space around it. Or what is wrong with
/// it.
pub(super) fn scan(text: &str) -> Result<Found<'_>, &'static str> {
    read(text, Level::Top)
}

/// Reads the text of an answer. Only objects that are looked at must not have a member twice, and only what is looked at must
/// be text that every reader reads alike.
pub(super) fn scan_answer(text: &str) -> Result<Found<'_>, &'static str> {
    read(text, Level::Answer)
}

fn read(text: &str, level: Level) -> Result<Found<'_>, &'static str> {
    let is_strict = level == Level::Top;
    let mut scanner =
        Scanner { text, at: 0, is_strict, flaw: "not JSON", names: Names::new(), found: Found::default() };
    scanner.space();
    scanner.found.is_object = scanner.peek() == Some(b'{');
    scanner.value(level, DEPTH).ok_or(scanner.flaw)?;
    scanner.space();
    if scanner.at == text.len() { Ok(scanner.found) } else { Err("more text after the message") }
}

/// Its methods give `None` when the text is refused: nothing is handed from call to call then.
struct Scanner<'b> {
    text: &'b str,
    /// The place of the next byte.
    at: usize,
    /// Whether what is not looked at is held to the same as what is.
    is_strict: bool,
    /// What is wrong with the text, if it is refused.
    flaw: &'static str,
    names: Names<'b>,
    found: Found<'b>,
}

impl<'b> Scanner<'b> {
    #[inline]
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    fn rest(&self) -> &'b [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    #[inline]
    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Option<()> {
        self.take(byte).then_some(())
    }

    #[inline]
    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    #[cold]
    fn refuse<T>(&mut self, flaw: &'static str) -> Option<T> {
        self.flaw = flaw;
        None
    }

    /// A value; `depth` more levels may open in it.
    fn value(&mut self, level: Level, depth: usize) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(drop),
            b'{' => self.object(level, depth),
            b'[' => self.array(level, depth),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => None,
        }
    }

    fn object(&mut self, level: Level, depth: usize) -> Option<()> {
        let depth = self.open(depth)?;
        if self.take(b'}') {
            return Some(());
        }
        let mark = self.names.mark();
        loop {
            let mut member = None;
            if !self.is_strict && level == Level::Other {
                self.string()?;
            } else {
                let name = self.name()?;
                if level != Level::Other {
                    member = self.found.look(level, &name);
                }
                self.names.push(name);
            }
            self.space();
            self.expect(b':')?;
            self.space();
            let start = self.at;
            self.value(member.map_or(Level::Other, Member::below), depth)?;
            if let Some(member) = member {
                self.found.note(member, start, self.text.get(start..self.at)?);
            }
            if self.closes(b'}')? {
                break;
            }
        }
        if self.names.close(mark) { Some(()) } else { self.refuse("a member twice in one object") }
    }

    fn array(&mut self, level: Level, depth: usize) -> Option<()> {
        let depth = self.open(depth)?;
        if self.take(b']') {
            return Some(());
        }
        loop {
            if level == Level::List {
                let start = self.at;
                self.value(Level::Item, depth)?;
                self.found.note(Member::Item, start, self.text.get(start..self.at)?);
            } else {
                self.value(Level::Other, depth)?;
            }
            if self.closes(b']')? {
                return Some(());
            }
        }
    }

    /// Takes a bracket, and the white space after it. Returns how many levels may open inside.
    fn open(&mut self, depth: usize) -> Option<usize> {
        self.at += 1;
        self.space();
        if depth == 0 { self.refuse("nested too deep") } else { Some(depth - 1) }
    }

    /// Takes what follows a member or an item: the bracket `last`, or a comma. Whether it was the bracket.
    fn closes(&mut self, last: u8) -> Option<bool> {
        self.space();
        let byte = self.peek()?;
        self.at += 1;
        if byte == b',' {
            self.space();
            Some(false)
        } else {
            (byte == last).then_some(true)
        }
    }

    /// The name of a member, as it is after escapes are decoded.
    fn name(&mut self) -> Option<Cow<'b, [u8]>> {
        let start = self.at;
        if self.string()? {
            let name = Raw::checked(self.text.get(start..self.at)?).as_text()?;
            return Some(Cow::Owned(name.into_owned().into_bytes()));
        }
        // Without the quotes.
        self.text.as_bytes().get(start + 1..self.at - 1).map(Cow::Borrowed)
    }

    /// A string. Whether it has escapes.
    fn string(&mut self) -> Option<bool> {
        self.expect(b'"')?;
        let mut has_escapes = false;
        loop {
            self.at += plain(self.rest());
            match self.peek()? {
                b'"' => break,
                b'\\' => self.escape()?,
                _ => return self.refuse("a control character in a string"),
            }
            has_escapes = true;
        }
        self.at += 1;
        Some(has_escapes)
    }

    fn escape(&mut self) -> Option<()> {
        self.at += 1;
        let kind = self.peek()?;
        self.at += 1;
        match kind {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => {
                let unit = self.unit()?;
                if !self.is_strict {
                    return Some(());
                }
                let has_its_half = match unit {
                    0xd800..=0xdbff => self.take(b'\\') && self.take(b'u') && matches!(self.unit()?, 0xdc00..=0xdfff),
                    unit => !matches!(unit, 0xdc00..=0xdfff),
                };
                if has_its_half { Some(()) } else { self.refuse("half of a surrogate pair in a string") }
            }
            _ => None,
        }
    }

    /// The four hexadecimal digits of an escape.
    fn unit(&mut self) -> Option<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            unit = unit << 4 | char::from(self.peek()?).to_digit(16)?;
            self.at += 1;
        }
        Some(unit)
    }

    fn number(&mut self) -> Option<()> {
        self.take(b'-');
        let is_zero = self.peek()? == b'0';
        let digits = self.digits()?;
        if is_zero && digits > 1 {
            return None;
        }
        if matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            if self.take(b'.') {
                self.digits()?;
            }
            if self.take(b'e') || self.take(b'E') {
                let _ = self.take(b'+') || self.take(b'-');
                self.digits()?;
            }
        }
        Some(())
    }

    /// One digit or more. How many there are.
    fn digits(&mut self) -> Option<usize> {
        let count = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        (count > 0).then_some(count)
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        let is_next = self.rest().starts_with(word);
        self.at += word.len();
        is_next.then_some(())
    }
}

/// How many bytes come before the first `"`, `\` or control character. Eight are looked at in one step.
fn plain(text: &[u8]) -> usize {
    let (words, rest) = text.as_chunks();
    let mut at = 0;
    for word in words {
        let hits = special(u64::from_le_bytes(*word));
        if hits != 0 {
            // The first byte is the lowest one.
            return at + usize::try_from(hits.trailing_zeros() / 8).unwrap_or_default();
        }
        at += 8;
    }
    at + rest.iter().take_while(|&&byte| byte >= 0x20 && byte != b'"' && byte != b'\\').count()
}

/// Sets the highest bit of the lowest byte that is `"`, `\` or a control character, and perhaps bits above that one.
const fn special(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let quotes = (word ^ (ONES * 0x22)).wrapping_sub(ONES);
    let escapes = (word ^ (ONES * 0x5c)).wrapping_sub(ONES);
    let controls = word.wrapping_sub(ONES * 0x20);
    (quotes | escapes | controls) & !word & (ONES * 0x80)
}
