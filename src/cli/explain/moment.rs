//! Instants and spans of time, as people write and read them.

use crate::base::time::UnixSeconds;
use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

const DAY: i64 = 86_400;
/// The days from 0000-03-01 to 1970-01-01.
const EPOCH_DAY: i64 = 719_468;
/// The days of four centuries.
const ERA: i64 = 146_097;

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

fn read(text: &str) -> Option<UnixSeconds> {
    if let Ok(seconds) = text.parse() {
        return Some(UnixSeconds(seconds));
    }
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let ([year, month, day], [hour, minute, second]) = (numbers(date, '-')?, numbers(time, ':')?);
    // The year begins in March here, so that the leap day is its last one.
    let (march_year, march_month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    let leap_days = march_year.div_euclid(4) - march_year.div_euclid(100) + march_year.div_euclid(400);
    let days = 365 * march_year + leap_days + day_of_year - EPOCH_DAY;
    let at = UnixSeconds(days * DAY + hour * 3600 + minute * 60 + second);
    // What is not a date, such as 30 February, comes back as another one.
    (written(at) == text).then_some(at)
}

/// Three numbers of digits alone.
fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let digits =
        |part: &str| (part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit())).then_some(part)?.parse().ok();
    let numbers: Option<Vec<i64>> = text.split(separator).map(digits).collect();
    numbers?.try_into().ok()
}

/// The instant as RFC 3339 writes it.
pub(in crate::cli) fn written(at: UnixSeconds) -> String {
    // Claims can be anything; a year of more digits than four is nothing that RFC 3339 can write.
    if !(0..=253_402_300_799).contains(&at.0) {
        return format!("{} s after 1970", at.0);
    }
    let (days, second) = (at.0.div_euclid(DAY) + EPOCH_DAY, at.0.rem_euclid(DAY));
    let (era, day) = (days.div_euclid(ERA), days.rem_euclid(ERA));
    let year_of_era = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
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
            "2026-11-21T10:00:00+01:00",
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
