//! Time as numbers with their unit in the type. Arithmetic saturates: no claim can wrap it around.

use serde_json::Number;

/// Seconds since 1970-01-01T00:00:00Z, without leap seconds (RFC 7519 section 2, "NumericDate").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixSeconds(pub i64);

/// A length of time in whole seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seconds(pub u32);

impl UnixSeconds {
    /// The instant `by` later.
    #[must_use]
    pub fn plus(self, by: Seconds) -> Self {
        Self(self.0.saturating_add(i64::from(by.0)))
    }

    /// The instant `by` earlier.
    #[must_use]
    pub fn minus(self, by: Seconds) -> Self {
        Self(self.0.saturating_sub(i64::from(by.0)))
    }

    /// In the form of entries in shared data: a time beyond its range is its end.
    #[must_use]
    pub fn to_entry(self) -> u32 {
        u32::try_from(self.0.max(0)).unwrap_or(u32::MAX)
    }

    /// Reads an instant in the basic format of ISO 8601, as AWS writes it: `20260131T090500Z`.
    #[must_use]
    pub fn from_basic_format(text: &[u8]) -> Option<Self> {
        let (date, time) = text.strip_suffix(b"Z")?.split_at_checked(8)?;
        let [century, year, month, day] = pairs(date)?;
        let [hour, minute, second] = pairs(time.strip_prefix(b"T")?)?;
        let year = 100 * century + year;
        let is_leap = year % 4 == 0 && year % 100 != 0 || year % 400 == 0;
        let is_long = u32::from(month < 8) ^ month & 1 == 0;
        let last = match month {
            2 => 28 + u32::from(is_leap),
            1..=12 => 30 + u32::from(is_long),
            _ => return None,
        };
        if !(1..=last).contains(&day) || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        // As in [`rfc3339`]: days from 1 March of a year 0, here of the one 400 years before.
        let (year, from_march) = if month > 2 { (year + 400, month - 3) } else { (year + 399, month + 9) };
        let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * from_march + 2) / 5 + day - 1;
        let of_day = 3_600 * hour + 60 * minute + second;
        // It fits: there are four digits of a year.
        let days = i64::from(days) - 146_097 - 719_468;
        Some(Self(days.wrapping_mul(86_400) + i64::from(of_day)))
    }

    /// Reads a NumericDate: a JSON number, with a fraction or an exponent if need be, rounded down.
    ///
    /// What lies beyond the range of `i64` becomes its nearest end, so a huge `nbf` stays in the future and a
    /// huge `exp` stays far away.
    #[must_use]
    pub fn from_numeric_date(number: &Number) -> Option<Self> {
        if let Some(whole) = number.as_i64() {
            return Some(Self(whole));
        }
        if number.as_u64().is_some() {
            return Some(Self(i64::MAX));
        }
        let fraction = number.as_f64()?.floor();
        #[expect(
            clippy::as_conversions,
            clippy::cast_possible_truncation,
            reason = "`as` from a double saturates, which is wanted"
        )]
        fraction.is_finite().then_some(Self(fraction as i64))
    }
}

/// The numbers that `N` pairs of decimal digits name.
fn pairs<const N: usize>(digits: &[u8]) -> Option<[u32; N]> {
    let mut numbers = [0; N];
    if digits.len() != 2 * N || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    for (number, pair) in numbers.iter_mut().zip(digits.chunks(2)) {
        *number = pair.iter().fold(0, |number, digit| 10 * number + u32::from(digit - b'0'));
    }
    Some(numbers)
}

/// An instant, in milliseconds since 1970, as RFC 3339 writes it: `2026-01-31T09:05:00.042Z`.
#[must_use]
pub fn rfc3339(milliseconds: u64) -> String {
    const MILLIS_PER_DAY: u64 = 86_400_000;
    let (days, of_day) = (milliseconds / MILLIS_PER_DAY, milliseconds % MILLIS_PER_DAY);
    // Days are counted from 1 March of year 0, so that a leap day ends its year: in eras of 400 years (H. Hinnant,
    // "chrono-Compatible Low-Level Date Algorithms").
    let days = days.saturating_add(719_468);
    let (era, of_era) = (days / 146_097, days % 146_097);
    let of_era_years = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * of_era_years + of_era_years / 4 - of_era_years / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era.saturating_mul(400).saturating_add(of_era_years) + u64::from(month <= 2);
    let mut text = String::with_capacity(24);
    let parts = [
        (year, 4, '-'),
        (month, 2, '-'),
        (day, 2, 'T'),
        (of_day / 3_600_000, 2, ':'),
        (of_day / 60_000 % 60, 2, ':'),
        (of_day / 1_000 % 60, 2, '.'),
        (of_day % 1_000, 3, 'Z'),
    ];
    for (number, width, end) in parts {
        let digits = number.to_string();
        text.extend(std::iter::repeat_n('0', usize::saturating_sub(width, digits.len())));
        text.push_str(&digits);
        text.push(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_written_as_rfc_3339_has_it() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(951_827_696_007), "2000-02-29T12:34:56.007Z");
        assert_eq!(rfc3339(1_795_971_599_999), "2026-11-29T16:59:59.999Z");
        assert_eq!(rfc3339(4_107_542_400_000), "2100-03-01T00:00:00.000Z");
        assert!(rfc3339(u64::MAX).ends_with('Z'));
    }

    fn basic(text: &str) -> Option<i64> {
        UnixSeconds::from_basic_format(text.as_bytes()).map(|at| at.0)
    }

    #[test]
    fn the_basic_format_is_read_as_the_calendar_has_it() {
        assert_eq!(basic("19700101T000000Z"), Some(0));
        assert_eq!(basic("20000229T123456Z"), Some(951_827_696));
        assert_eq!(basic("20261129T165959Z"), Some(1_795_971_599));
        assert_eq!(basic("21000301T000000Z"), Some(4_107_542_400));
        assert_eq!(basic("00000101T000000Z"), Some(-62_167_219_200));
        // Every day of 400 years follows the day before it.
        let mut last = basic("19991231T235959Z").expect("a day");
        for (year, month, day) in
            (2_000..2_400).flat_map(|year| (1..=12).flat_map(move |month| (1..=31).map(move |day| (year, month, day))))
        {
            let Some(at) = basic(&format!("{year}{month:02}{day:02}T235959Z")) else {
                let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
                assert!(day > [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]);
                continue;
            };
            assert_eq!(at, last + 86_400, "{year}-{month}-{day}");
            let milliseconds = u64::try_from(at).expect("after 1970") * 1_000;
            assert!(rfc3339(milliseconds).starts_with(&format!("{year}-{month:02}-{day:02}T23:59:59")));
            last = at;
        }
    }

    #[test]
    fn what_is_no_instant_in_the_basic_format_is_refused() {
        for text in [
            "",
            "20261128T120000",
            "20261128T120000z",
            "20261128t120000Z",
            "2026-11-28T12:00:00Z",
            "20261128T12000Z",
            "20261128T1200000Z",
            "20261128T240000Z",
            "20261128T126000Z",
            "20261128T120060Z",
            "20260229T000000Z",
            "21000229T000000Z",
            "20261131T000000Z",
            "20261301T000000Z",
            "20260001T000000Z",
            "20260100T000000Z",
            "+2261128T120000Z",
            "20261128T 20000Z",
            " 0261128T120000Z",
            "20261128T120000Z ",
            "2026112\u{e9}T120000Z",
        ] {
            assert_eq!(basic(text), None, "{text}");
        }
    }

    fn date(text: &str) -> Option<i64> {
        let number: Number = serde_json::from_str(text).ok()?;
        UnixSeconds::from_numeric_date(&number).map(|at| at.0)
    }

    #[test]
    fn numeric_dates_round_down_and_never_wrap() {
        assert_eq!(date("300"), Some(300));
        assert_eq!(date("300.9"), Some(300));
        assert_eq!(date("-0.5"), Some(-1));
        assert_eq!(date("3e2"), Some(300));
        assert_eq!(date("9223372036854775808"), Some(i64::MAX));
        assert_eq!(date("18446744073709551616"), Some(i64::MAX));
        assert_eq!(date("1e300"), Some(i64::MAX));
        assert_eq!(date("-1e300"), Some(i64::MIN));
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(UnixSeconds(i64::MAX).plus(Seconds(1)), UnixSeconds(i64::MAX));
        assert_eq!(UnixSeconds(i64::MIN).minus(Seconds(1)), UnixSeconds(i64::MIN));
    }
}
