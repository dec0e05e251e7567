//! One pass over a JSON text (RFC 8259): its grammar, its depth, members that are there twice, and what is looked at.

use super::judged::{Found, Level, Member};
use super::names::Names;
use crate::base::members::Raw;
use std::borrow::Cow;

/// How deep objects and arrays may be nested, the outermost included.
const DEPTH: usize = 64;

/// What is wrong with the text.
type Flaw = &'static str;

const GRAMMAR: Flaw = "not JSON";
const SURROGATE: Flaw = "half of a surrogate pair in a string";

/// Reads `text`, which must be one JSON value with nothing but white space around it.
pub(super) fn scan(text: &str) -> Result<Found<'_>, Flaw> {
    let mut scanner = Scanner { text, at: 0, names: Names::default(), found: Found::default() };
    scanner.space();
    scanner.found.is_object = scanner.peek() == Some(b'{');
    scanner.value(Level::Top, DEPTH)?;
    scanner.space();
    if scanner.at == text.len() { Ok(scanner.found) } else { Err("more text after the message") }
}

struct Scanner<'b> {
    text: &'b str,
    /// The place of the next byte.
    at: usize,
    names: Names<'b>,
    found: Found<'b>,
}

impl<'b> Scanner<'b> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, byte: u8) -> Result<(), Flaw> {
        if self.take(byte) { Ok(()) } else { Err(GRAMMAR) }
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// A value; `depth` more levels may open in it.
    fn value(&mut self, level: Level, depth: usize) -> Result<(), Flaw> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'{') => self.object(level, depth),
            Some(b'[') => self.array(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            _ => Err(GRAMMAR),
        }
    }

    fn object(&mut self, level: Level, depth: usize) -> Result<(), Flaw> {
        let depth = self.open(depth)?;
        if self.take(b'}') {
            return Ok(());
        }
        let mark = self.names.mark();
        loop {
            let name = self.name()?;
            let member = self.found.look(level, &name);
            self.names.push(name);
            self.space();
            self.expect(b':')?;
            self.space();
            let start = self.at;
            self.value(member.map_or(Level::Other, Member::below), depth)?;
            if let Some(member) = member {
                self.found.note(member, self.text.get(start..self.at).ok_or(GRAMMAR)?);
            }
            if self.closes(b'}')? {
                break;
            }
        }
        if self.names.close(mark) { Ok(()) } else { Err("a member twice in one object") }
    }

    fn array(&mut self, depth: usize) -> Result<(), Flaw> {
        let depth = self.open(depth)?;
        if self.take(b']') {
            return Ok(());
        }
        loop {
            self.value(Level::Other, depth)?;
            if self.closes(b']')? {
                return Ok(());
            }
        }
    }

    /// Takes a bracket, and the white space after it. Returns how many levels may open inside.
    fn open(&mut self, depth: usize) -> Result<usize, Flaw> {
        self.at += 1;
        self.space();
        depth.checked_sub(1).ok_or("nested too deep")
    }

    /// Takes what follows a member or an item: the bracket `last`, or a comma. Whether it was the bracket.
    fn closes(&mut self, last: u8) -> Result<bool, Flaw> {
        self.space();
        if self.take(last) {
            return Ok(true);
        }
        self.expect(b',')?;
        self.space();
        Ok(false)
    }

    /// The name of a member, as it is after escapes are decoded.
    fn name(&mut self) -> Result<Cow<'b, [u8]>, Flaw> {
        let start = self.at;
        let has_escapes = self.string()?;
        if !has_escapes {
            // Without the quotes.
            return self.text.as_bytes().get(start + 1..self.at - 1).map(Cow::Borrowed).ok_or(GRAMMAR);
        }
        let quoted = Raw::checked(self.text.get(start..self.at).ok_or(GRAMMAR)?);
        quoted.as_text().map(|name| Cow::Owned(name.into_owned().into_bytes())).ok_or(GRAMMAR)
    }

    /// A string. Whether it has escapes.
    fn string(&mut self) -> Result<bool, Flaw> {
        self.expect(b'"')?;
        let mut has_escapes = false;
        loop {
            self.at += plain(self.text.as_bytes().get(self.at..).unwrap_or_default());
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(_) => return Err("a control character in a string"),
                None => return Err(GRAMMAR),
            }
            has_escapes = true;
        }
        self.at += 1;
        Ok(has_escapes)
    }

    fn escape(&mut self) -> Result<(), Flaw> {
        self.at += 1;
        let kind = self.peek();
        self.at += 1;
        match kind {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(()),
            Some(b'u') => match self.unit()? {
                0xd800..=0xdbff if self.take(b'\\') && self.take(b'u') => match self.unit()? {
                    0xdc00..=0xdfff => Ok(()),
                    _ => Err(SURROGATE),
                },
                0xd800..=0xdfff => Err(SURROGATE),
                _ => Ok(()),
            },
            _ => Err(GRAMMAR),
        }
    }

    /// The four hexadecimal digits of an escape.
    fn unit(&mut self) -> Result<u32, Flaw> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16)).ok_or(GRAMMAR)?;
            unit = unit << 4 | digit;
            self.at += 1;
        }
        Ok(unit)
    }

    fn number(&mut self) -> Result<(), Flaw> {
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Flaw> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(GRAMMAR) } else { Ok(()) }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Flaw> {
        let is_next = self.text.as_bytes().get(self.at..).is_some_and(|rest| rest.starts_with(word));
        self.at += word.len();
        if is_next { Ok(()) } else { Err(GRAMMAR) }
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
