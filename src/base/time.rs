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
