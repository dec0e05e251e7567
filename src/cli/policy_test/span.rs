//! Spans of time in cases.

/// A span relative to the clock of the cases, such as `+5m` or `-1h`, in seconds.
pub(super) fn span(text: &str) -> Option<i64> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (number, unit) = rest.split_at_checked(rest.len().checked_sub(1)?)?;
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    digits(number)?.checked_mul(factor * sign)
}

fn digits(text: &str) -> Option<i64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_a_sign_and_a_unit() {
        assert_eq!(span("+5m"), Some(300));
        assert_eq!(span("-1h"), Some(-3600));
        for text in ["", "+", "5m", "+5", "+-5m", "+m5", "-é"] {
            assert!(span(text).is_none_or(|seconds| seconds == 0), "{text}");
        }
        assert_eq!(span("+m"), None);
    }
}
