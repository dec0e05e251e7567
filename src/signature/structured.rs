//! Structured Field Values as far as signatures and digests have them: dictionaries of byte sequences and of inner lists of
//! strings ([RFC 8941](https://www.rfc-editor.org/rfc/rfc8941), with the types of RFC 9651).
//!
//! Stricter than these: a name twice is refused, where others take the last one; and no member goes over two lines.

use super::MAX_COVERED;
use crate::request::RequestView;

/// The most members that a dictionary has.
const MAX_MEMBERS: usize = 16;
/// The most parameters of a member or of one of its strings.
const MAX_PARAMETERS: usize = 32;

/// A member of a dictionary.
pub(super) struct Member<'r> {
    pub(super) name: &'r str,
    pub(super) value: Value<'r>,
    pub(super) parameters: Vec<(&'r str, Item<'r>)>,
    /// Value and parameters as they came.
    pub(super) text: &'r str,
}

/// The value of a member.
pub(super) enum Value<'r> {
    /// An inner list of strings, each with the name of its first parameter.
    Strings(Vec<(&'r str, Option<&'r str>)>),
    Item(Item<'r>),
}

/// An item without its parameters.
#[derive(Clone, Copy)]
pub(super) enum Item<'r> {
    Integer(i64),
    /// A string, as it is between its quotes: escapes are left in it.
    Text(&'r str),
    /// In base64.
    Bytes(&'r str),
    /// Of a type that is not looked at.
    Other,
}

/// The dictionary in all lines of a header; `None` if one of them is none, or a name is there twice.
pub(super) fn dictionary<'r>(request: &RequestView<'r>, header: &str) -> Option<Vec<Member<'r>>> {
    let mut members: Vec<Member<'r>> = Vec::new();
    for line in request.values(header) {
        let mut reader = Reader { rest: std::str::from_utf8(line).ok()?.trim_matches([' ', '\t']) };
        loop {
            let member = reader.member()?;
            if members.len() == MAX_MEMBERS || members.iter().any(|other| other.name == member.name) {
                return None;
            }
            members.push(member);
            if reader.rest.is_empty() {
                break;
            }
            reader.skip(|byte| matches!(byte, b' ' | b'\t'));
            reader.take(",")?;
            reader.skip(|byte| matches!(byte, b' ' | b'\t'));
        }
    }
    Some(members)
}

struct Reader<'r> {
    rest: &'r str,
}

impl<'r> Reader<'r> {
    /// Goes over `text`; `None` where another follows.
    fn take(&mut self, text: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(text)?;
        Some(())
    }

    /// Goes over the bytes that `fits` takes.
    fn skip(&mut self, fits: fn(u8) -> bool) -> &'r str {
        let end = self.rest.bytes().position(|byte| !fits(byte)).unwrap_or(self.rest.len());
        // A byte of a longer character fits nothing.
        let (skipped, rest) = self.rest.split_at_checked(end).unwrap_or_default();
        self.rest = rest;
        skipped
    }

    fn skip_spaces(&mut self) {
        self.skip(|byte| byte == b' ');
    }

    /// A name (`key`).
    fn name(&mut self) -> Option<&'r str> {
        let name = self.skip(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'*'));
        name.starts_with(|first: char| first.is_ascii_lowercase() || first == '*').then_some(name)
    }

    fn member(&mut self) -> Option<Member<'r>> {
        let name = self.name()?;
        let has_value = self.take("=").is_some();
        let before = self.rest;
        let value = match has_value {
            true if self.rest.starts_with('(') => Value::Strings(self.strings()?),
            true => Value::Item(self.item()?),
            // A name alone is true.
            false => Value::Item(Item::Other),
        };
        let parameters = self.parameters()?;
        let text = before.get(..before.len() - self.rest.len())?;
        Some(Member { name, value, parameters, text })
    }

    fn strings(&mut self) -> Option<Vec<(&'r str, Option<&'r str>)>> {
        self.take("(")?;
        let mut strings = Vec::new();
        loop {
            let before = self.rest;
            self.skip_spaces();
            if self.take(")").is_some() {
                return Some(strings);
            }
            // Of two items, a space is between.
            let is_apart = strings.is_empty() || self.rest.len() < before.len();
            let Item::Text(text) = self.item()? else { return None };
            if !is_apart || strings.len() > MAX_COVERED {
                return None;
            }
            strings.push((text, self.parameters()?.first().map(|(name, _)| *name)));
        }
    }

    fn parameters(&mut self) -> Option<Vec<(&'r str, Item<'r>)>> {
        let mut parameters = Vec::new();
        while self.take(";").is_some() {
            self.skip_spaces();
            let name = self.name()?;
            let item = if self.take("=").is_some() { self.item()? } else { Item::Other };
            if parameters.len() == MAX_PARAMETERS {
                return None;
            }
            parameters.push((name, item));
        }
        Some(parameters)
    }

    fn item(&mut self) -> Option<Item<'r>> {
        match *self.rest.as_bytes().first()? {
            b'"' => self.string().map(Item::Text),
            b':' => {
                self.take(":")?;
                let text = self.skip(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='));
                self.take(":").map(|()| Item::Bytes(text))
            }
            b'?' => {
                self.take("?")?;
                self.take("0").or_else(|| self.take("1")).map(|()| Item::Other)
            }
            b'@' => {
                self.take("@")?;
                matches!(self.number()?, Item::Integer(_)).then_some(Item::Other)
            }
            b'-' | b'0'..=b'9' => self.number(),
            b'*' | b'A'..=b'Z' | b'a'..=b'z' => {
                self.skip(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte));
                Some(Item::Other)
            }
            // Display strings too: no signer has one.
            _ => None,
        }
    }

    fn string(&mut self) -> Option<&'r str> {
        self.take("\"")?;
        let mut escaped = false;
        let mut end = None;
        for (at, byte) in self.rest.bytes().enumerate() {
            match byte {
                b'"' | b'\\' if escaped => escaped = false,
                _ if escaped => return None,
                b'"' => {
                    end = Some(at);
                    break;
                }
                b'\\' => escaped = true,
                b' '..=b'~' => {}
                _ => return None,
            }
        }
        let (text, rest) = self.rest.split_at_checked(end?)?;
        self.rest = rest;
        self.take("\"").map(|()| text)
    }

    /// An integer of at most 15 digits, or a decimal of at most 12 and 3.
    fn number(&mut self) -> Option<Item<'r>> {
        let is_negative = self.take("-").is_some();
        let digits = self.skip(|byte| byte.is_ascii_digit());
        if self.take(".").is_some() {
            let fraction = self.skip(|byte| byte.is_ascii_digit());
            let is_decimal = (1..=12).contains(&digits.len()) && (1..=3).contains(&fraction.len());
            return is_decimal.then_some(Item::Other);
        }
        if digits.len() > 15 {
            return None;
        }
        let number: i64 = digits.parse().ok()?;
        Some(Item::Integer(if is_negative { -number } else { number }))
    }
}

#[cfg(test)]
mod tests;
