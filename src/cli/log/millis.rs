//! Instants in a log, in milliseconds.

use crate::base::time::UnixSeconds;
use crate::cli::moment;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Numbers from here on, the year 5138 in seconds, are milliseconds, then microseconds, then nanoseconds.
const FIRST_MILLISECONDS: i64 = 100_000_000_000;
const FIRST_MICROSECONDS: i64 = FIRST_MILLISECONDS * 1000;
const FIRST_NANOSECONDS: i64 = FIRST_MICROSECONDS * 1000;
/// The characters of `2026-11-22T00:47:31`.
const SECONDS_LENGTH: usize = 19;

/// Milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cli) struct Millis(pub i64);

impl Millis {
    /// Reads RFC 3339, with a space for its `T` too; without an offset it is UTC. Reads a number too, as
    /// [`Millis::of_number`].
    pub(in crate::cli) fn read(text: &str) -> Option<Self> {
        let mut owned;
        let mut text = text.trim();
        if let Ok(number) = text.parse() {
            return Some(Self::of_number(number));
        }
        if text.as_bytes().get(10) == Some(&b' ') {
            owned = text.replacen(' ', "T", 1);
            text = &owned;
        }
        if !text.ends_with(['Z', 'z']) && !text.get(SECONDS_LENGTH..)?.contains(['+', '-']) {
            owned = format!("{text}Z");
            text = &owned;
        }
        let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        Some(Self(i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()?))
    }

    /// Reads a number: seconds, or what it must be where it is too large for them.
    pub(in crate::cli) const fn of_number(number: i64) -> Self {
        match number {
            FIRST_NANOSECONDS.. => Self(number / 1_000_000),
            FIRST_MICROSECONDS.. => Self(number / 1000),
            FIRST_MILLISECONDS.. => Self(number),
            _ => Self(number.saturating_mul(1000)),
        }
    }

    /// Finds the first instant in the text before a record, such as `[2026-11-22 00:47:31.123][12][info]`.
    pub(in crate::cli) fn find(text: &str) -> Option<Self> {
        const SHAPE: &[u8; SECONDS_LENGTH] = b"dddd-dd-ddTdd:dd:dd";
        let fits = |(&byte, &shape): (&u8, &u8)| match shape {
            b'd' => byte.is_ascii_digit(),
            b'T' => matches!(byte, b'T' | b' '),
            shape => byte == shape,
        };
        let start = text.as_bytes().windows(SECONDS_LENGTH).position(|part| part.iter().zip(SHAPE).all(fits))?;
        let rest = text.get(start..)?;
        let is_end = |(index, character): (usize, char)| {
            index >= SECONDS_LENGTH && !(character.is_ascii_digit() || ".+-:Zz".contains(character))
        };
        let end = rest.char_indices().find(|&at| is_end(at)).map_or(rest.len(), |(index, _)| index);
        Self::read(rest.get(..end)?)
    }

    /// The whole seconds.
    pub(in crate::cli) const fn seconds(self) -> UnixSeconds {
        UnixSeconds(self.0.div_euclid(1000))
    }

    /// RFC 3339, to the second.
    pub(in crate::cli) fn written(self) -> String {
        moment::written(self.seconds())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Millis = Millis(1_795_308_451_123);

    #[test]
    fn the_instants_of_logs_are_read() {
        for text in [
            "2026-11-22T00:47:31.123Z",
            "2026-11-22 00:47:31.123",
            "2026-11-22T01:47:31.123456+01:00",
            "2026-11-21T23:47:31.123-01:00",
        ] {
            assert_eq!(Millis::read(text), Some(AT), "{text}");
        }
        for text in ["", "2026-11-22", "now", "2026-11-22T25:00:00Z", "\u{e9}"] {
            assert_eq!(Millis::read(text), None, "{text}");
        }
        assert_eq!(Millis::of_number(1_795_308_451), Millis(1_795_308_451_000));
        for number in [1_795_308_451_123, 1_795_308_451_123_456, 1_795_308_451_123_456_789] {
            assert_eq!(Millis::of_number(number), AT, "{number}");
            assert_eq!(Millis::read(&number.to_string()), Some(AT), "{number}");
        }
    }

    #[test]
    fn an_instant_is_found_in_what_comes_before_a_record() {
        for text in [
            "[2026-11-22 00:47:31.123][12][info][wasm] [source/context.cc:1195] wasm log: ",
            "2026-11-22T00:47:31.123Z\tinfo\tenvoy wasm\twasm log: ",
            "envoy-1  | [2026-11-22 00:47:31.123][12][info]",
            "2026-11-22T00:47:31.123000Z stdout F ",
        ] {
            assert_eq!(Millis::find(text), Some(AT), "{text}");
        }
        assert_eq!(Millis::find("wasm log \u{e9}: "), None);
    }
}
