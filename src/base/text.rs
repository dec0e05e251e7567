//! Text from outside, made safe to print.

use std::borrow::Cow;

/// The most bytes of one outside value that are shown in a log line or an audit record (DESIGN: 128 bytes).
pub const SHOWN_BYTES: usize = 128;

/// `text` made safe for a log line: at most [`SHOWN_BYTES`] bytes of it, percent-encoded outside printable ASCII (and
/// `%`, `"` and `\` encoded too), so that it can neither forge a line nor break the quotes around it.
#[must_use]
pub fn shown(text: &[u8]) -> String {
    escaped(text).into_owned()
}

/// What [`shown`] gives, without a copy of text that needs no escape, as almost all.
#[must_use]
pub fn escaped(text: &[u8]) -> Cow<'_, str> {
    if text.len() <= SHOWN_BYTES
        && is_plain(text)
        && let Ok(plain) = std::str::from_utf8(text)
    {
        return plain.into();
    }
    let mut out = String::with_capacity(text.len().min(SHOWN_BYTES));
    for &byte in text.iter().take(SHOWN_BYTES) {
        if is_plain(&[byte]) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(hex_digit(byte >> 4));
            out.push(hex_digit(byte & 0x0f));
        }
    }
    if text.len() > SHOWN_BYTES {
        out.push_str("...");
    }
    out.into()
}

/// Whether a byte is in `text`: eight at a time, where the library's search for it looks at each for where it is. Every token
/// is searched.
#[must_use]
pub fn holds(text: &[u8], byte: u8) -> bool {
    let (words, rest) = text.as_chunks::<8>();
    let wanted = u64::from_le_bytes([byte; 8]);
    words.iter().fold(0, |found, word| found | has_zero(u64::from_le_bytes(*word) ^ wanted)) != 0
        || rest.contains(&byte)
}

/// Not 0 where one of the eight bytes of a word is 0.
const fn has_zero(word: u64) -> u64 {
    word.wrapping_sub(LOWEST_BITS) & !word & HIGHEST_BITS
}

/// The lowest bit of each byte.
const LOWEST_BITS: u64 = u64::from_le_bytes([0x01; 8]);
/// The highest bit of each byte.
const HIGHEST_BITS: u64 = u64::from_le_bytes([0x80; 8]);

/// Whether `text` can be printed, in quotes and in JSON too, as it is: printable ASCII without `%`, `"` and `\`.
#[must_use]
pub fn is_plain(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks::<8>();
    words.iter().all(|word| are_plain(u64::from_le_bytes(*word)))
        && rest.iter().all(|&byte| PLAIN.get(usize::from(byte)) == Some(&true))
}

/// Whether the eight bytes of a word are plain: a record looks at each of its bytes.
const fn are_plain(word: u64) -> bool {
    const fn all(byte: u8) -> u64 {
        u64::from_le_bytes([byte; 8])
    }
    let is_less = word.wrapping_sub(all(0x20)) & !word;
    let is_one_of = has_zero(word ^ all(0x22)) | has_zero(word ^ all(0x25)) | has_zero(word ^ all(0x5c));
    (word | is_less) & HIGHEST_BITS == 0 && is_one_of | has_zero(word ^ all(0x7f)) == 0
}

/// Which bytes are plain.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut place = 0x20;
    while place < 0x7f {
        #[expect(clippy::indexing_slicing, reason = "evaluated when it is compiled")]
        let entry = &mut plain[place];
        *entry = !matches!(place, 0x22 | 0x25 | 0x5c);
        place += 1;
    }
    plain
};

/// Appends a number in decimal digits, without a formatter: every record has some.
pub fn push_number(text: &mut String, number: i64) {
    let mut rest = number.unsigned_abs();
    let mut digits = [0; 20];
    let mut first = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0'.saturating_add(u8::try_from(rest % 10).unwrap_or_default());
        rest /= 10;
        first = first.saturating_sub(1);
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        text.push('-');
    }
    text.push_str(digits.get(first..).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default());
}

/// The upper-case hexadecimal digit of the low four bits.
#[must_use]
pub fn hex_digit(nibble: u8) -> char {
    char::from(digit(nibble))
}

const fn digit(nibble: u8) -> u8 {
    match nibble & 0x0f {
        value @ 0..=9 => b'0' + value,
        value => b'A' - 10 + value,
    }
}

/// The value of the percent-escape whose two digits are `high` and `low`, or `None` when they are not hexadecimal.
#[must_use]
pub fn escape_value(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    Some(digit(high?)? << 4 | digit(low?)?)
}

/// A value of `application/x-www-form-urlencoded` (the URL Standard): a space is `+`, and what is not a letter, a digit or
/// one of `*-._` is percent-encoded.
#[must_use]
pub fn form_encode(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for &byte in text {
        match byte {
            b' ' => out.push('+'),
            _ if byte.is_ascii_alphanumeric() || b"*-._".contains(&byte) => out.push(char::from(byte)),
            _ => out.extend(['%', hex_digit(byte >> 4), hex_digit(byte & 0x0f)]),
        }
    }
    out
}

/// Percent-encodes `text` (RFC 3986 section 2.1) to the end of `out`: what is not unreserved and not in `stays`.
pub fn percent_encode(text: &[u8], stays: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || stays.contains(&byte) {
            out.push(byte);
        } else {
            out.push(b'%');
            out.extend([byte >> 4, byte].map(digit));
        }
    }
}

/// Percent-decodes `text` once, leaving invalid escapes as they are (the URL Standard's reading).
#[must_use]
pub fn percent_decode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match escape_value(text.get(at + 1).copied(), text.get(at + 2).copied()) {
            Some(value) if byte == b'%' => {
                out.push(value);
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

/// The lower-case hexadecimal digits of `bytes`.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|&byte| [byte >> 4, byte]);
    digits.map(|nibble| hex_digit(nibble).to_ascii_lowercase()).collect()
}

/// The bytes that pairs of hexadecimal digits name; `None` for anything else.
#[must_use]
pub fn from_hex(text: &[u8]) -> Option<Vec<u8>> {
    text.chunks(2)
        .map(|pair| match pair {
            [high, low] => escape_value(Some(*high), Some(*low)),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_is_found_wherever_it_is() {
        for byte in [b',', 0, 0x80, 0xff, 1] {
            for length in 0..40 {
                for near in [byte ^ 1, byte ^ 0x80, byte.wrapping_add(1), byte.wrapping_sub(1)] {
                    let mut text = vec![near; length];
                    assert!(!holds(&text, byte), "{byte} in {text:?}");
                    for at in 0..length {
                        text[at] = byte;
                        assert!(holds(&text, byte), "{byte} in {text:?}");
                        text[at] = near;
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_plain_is_so_byte_by_byte_at_every_place() {
        for byte in 0..=u8::MAX {
            let is_one = (0x20..0x7f).contains(&byte) && !b"%\"\\".contains(&byte);
            for length in 1..20 {
                for (at, other) in (0..length).flat_map(|at| [(at, b'a'), (at, b' '), (at, b'~')]) {
                    let mut text = vec![other; length];
                    text[at] = byte;
                    assert_eq!(is_plain(&text), is_one, "{text:?}");
                }
            }
        }
    }

    #[test]
    fn numbers_are_written_as_the_formatter_writes_them() {
        for number in [0, 1, 9, 10, 99, 100, -1, -10, 1_799_880, i64::from(i32::MIN), i64::MAX, i64::MIN] {
            let mut text = "=".to_owned();
            push_number(&mut text, number);
            assert_eq!(text, format!("={number}"));
        }
    }

    #[test]
    fn what_is_shown_is_one_line_of_printable_ascii() {
        assert_eq!(shown(b"alice"), "alice");
        assert_eq!(shown(b"a\nb\"c\\d%\xff"), "a%0Ab%22c%5Cd%25%FF");
        assert_eq!(shown("é".as_bytes()), "%C3%A9");
    }

    #[test]
    fn what_is_shown_is_capped() {
        let text = shown(&[b'a'; 500]);
        assert_eq!(text.len(), SHOWN_BYTES + 3);
        assert!(text.ends_with("a..."));
    }

    #[test]
    fn hexadecimal_digits_come_in_pairs() {
        assert_eq!(from_hex(b"00ffA9"), Some(vec![0, 0xff, 0xa9]));
        assert_eq!(from_hex(b""), Some(vec![]));
        for text in ["0", "0g", "+1", "00 ", "0x00", "é"] {
            assert_eq!(from_hex(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn hexadecimal_digits_are_written_in_lower_case() {
        assert_eq!(to_hex(&[0, 0xff, 0xa9, 0x5b]), "00ffa95b");
        assert_eq!((0..16).map(hex_digit).collect::<String>(), "0123456789ABCDEF");
    }

    #[test]
    fn percent_encoding_keeps_what_is_unreserved() {
        let encoded = |text: &[u8], stays: &[u8]| {
            let mut out = b"before ".to_vec();
            percent_encode(text, stays, &mut out);
            String::from_utf8(out).expect("ASCII")
        };
        assert_eq!(encoded(b"aZ09-._~ /%*\xff", b""), "before aZ09-._~%20%2F%25%2A%FF");
        assert_eq!(encoded(b"/a%20b", b"/"), "before /a%2520b");
    }

    #[test]
    fn percent_decoding_is_done_once() {
        assert_eq!(percent_decode(b"%61%2541%zz%4"), b"a%41%zz%4");
    }
}
