//! Instants and spans of time, in the form for people.

use crate::base::time::UnixSeconds;
use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The instant that `--at` names: RFC 3339 in UTC, or Unix seconds; without it, now.
///
/// # Errors
/// When it is neither.
pub(in crate::cli) fn instant(at: Option<&str>) -> Result<UnixSeconds, Box<dyn Error>> {
    match at {
        None => {
            #[expect(clippy::disallowed_methods, reason = "the command has no host to ask for the time")]
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
            Ok(UnixSeconds(i64::try_from(now)?))
        }
        Some(text) => read(text).ok_or_else(|| {
            format!("--at {text}: write an instant in UTC such as 2026-11-21T10:00:00Z, or Unix seconds").into()
        }),
    }
}

/// An instant in RFC 3339, or Unix seconds.
pub(in crate::cli) fn read(text: &str) -> Option<UnixSeconds> {
    if let Ok(seconds) = text.parse() {
        return Some(UnixSeconds(seconds));
    }
    OffsetDateTime::parse(text, &Rfc3339).ok().map(|at| UnixSeconds(at.unix_timestamp()))
}

/// The instant in RFC 3339. A claim may be a number that no calendar has.
pub(in crate::cli) fn written(at: UnixSeconds) -> String {
    let date = OffsetDateTime::from_unix_timestamp(at.0).ok().filter(|date| (0..=9999).contains(&date.year()));
    date.and_then(|date| date.format(&Rfc3339).ok()).unwrap_or_else(|| format!("{} s after 1970", at.0))
}

/// The instant in the basic format of ISO 8601, as signatures have it: `20261121T100000Z`.
pub(in crate::cli) fn basic(at: UnixSeconds) -> String {
    written(at).chars().filter(|at| !matches!(at, '-' | ':')).collect()
}

/// A span in its two largest units: `1 hour 3 minutes`.
pub(in crate::cli) fn span(seconds: u64) -> String {
    let mut rest = seconds;
    let mut words = Vec::new();
    for (name, size) in [("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)] {
        let count = rest / size;
        rest %= size;
        if count > 0 {
            words.push(format!("{count} {name}{}", if count == 1 { "" } else { "s" }));
        } else if !words.is_empty() {
            break;
        }
        if words.len() == 2 {
            break;
        }
    }
    if words.is_empty() { "0 seconds".to_owned() } else { words.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_and_written() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59Z", 951_868_799),
            ("2026-11-21T10:00:00Z", 1_795_255_200),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(read(text), Some(UnixSeconds(seconds)), "{text}");
            assert_eq!(written(UnixSeconds(seconds)), text);
            assert_eq!(UnixSeconds::from_basic_format(basic(UnixSeconds(seconds)).as_bytes()), read(text), "{text}");
        }
        assert_eq!(read("1800000000"), Some(UnixSeconds(1_800_000_000)));
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for text in [
            "",
            "now",
            "2026-11-21",
            "2026-11-21T10:00:00",
            "2026-11-21T10:00:00+25:00",
            "2026-02-30T10:00:00Z",
            "2026-13-01T10:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T10:60:00Z",
            "2026-1-1T1:0:0Z",
            "2026-11-21T10:00:0\u{e9}Z",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn spans_have_two_units_at_most() {
        for (seconds, text) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (200, "3 minutes 20 seconds"),
            (3600, "1 hour"),
            (90_061, "1 day 1 hour"),
        ] {
            assert_eq!(span(seconds), text);
        }
    }
}
