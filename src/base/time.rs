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

#[cfg(test)]
mod tests {
    use super::*;

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
