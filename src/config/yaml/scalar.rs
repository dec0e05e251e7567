//! How Envoy, Kubernetes and JSON read a scalar without a tag. Each row of the tests was seen in that reader.

use super::super::tree::Tree;
use super::super::wire::number_tree;

/// An unquoted scalar as Envoy reads it (yaml-cpp and Envoy's loader, 1.36 to 1.40).
pub(super) fn envoy(text: &str) -> Tree {
    if is_null(text) { Tree::Null } else { envoy_tagged(text) }
}

/// A scalar with a tag as Envoy reads it: it ignores the tag and quotes, and null is text.
pub(super) fn envoy_tagged(text: &str) -> Tree {
    if let Some(flag) = boolean(text) {
        return Tree::Bool(flag);
    }
    match envoy_whole(text) {
        Some(number) if i32::try_from(number).is_ok() => Tree::Whole(number),
        Some(number) => Tree::Text(number.to_string()),
        None => Tree::Text(text.to_owned()),
    }
}

/// An unquoted scalar as Kubernetes reads it (sigs.k8s.io/yaml, which is go-yaml's YAML 1.1); `None` for infinity and
/// NaN, which it refuses, since JSON does not have them.
pub(super) fn kubernetes(text: &str) -> Option<Tree> {
    if is_null(text) {
        return Some(Tree::Null);
    }
    if let Some(flag) = boolean(text) {
        return Some(Tree::Bool(flag));
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return None;
    }
    let number = match text.chars().next() {
        Some('.') => decimal(text),
        Some('+' | '-' | '0'..='9') => {
            let digits = text.replace('_', "");
            integer(&digits).or_else(|| decimal(&digits))
        }
        _ => None,
    };
    Some(number.map_or_else(|| Tree::Text(text.to_owned()), number_tree))
}

/// A bare word as JSON reads it; `None` if JSON does not have it.
pub(super) fn json(text: &str) -> Option<Tree> {
    match serde_json::from_str::<serde_json::Value>(text).ok()? {
        serde_json::Value::Null => Some(Tree::Null),
        serde_json::Value::Bool(flag) => Some(Tree::Bool(flag)),
        serde_json::Value::Number(number) => number.as_f64().map(number_tree),
        _ => None,
    }
}

/// Whether an unquoted word is null.
pub(super) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// The words for true and false in lower case, in upper case, or with a capital.
fn boolean(text: &str) -> Option<bool> {
    let lower = text.to_ascii_lowercase();
    let capital = text.get(1..) == lower.get(1..);
    if !(capital || text == text.to_ascii_uppercase()) {
        return None;
    }
    match lower.as_str() {
        "y" | "yes" | "true" | "on" => Some(true),
        "n" | "no" | "false" | "off" => Some(false),
        _ => None,
    }
}

/// A whole number in decimal, or in hexadecimal after `0x`, or in octal after `0`.
fn envoy_whole(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let (radix, digits) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hexadecimal) => (16, hexadecimal),
        None if digits.len() > 1 && digits.starts_with('0') => (8, digits),
        None => (10, digits),
    };
    if !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    let number = i64::from_str_radix(digits, radix).ok()?;
    Some(if negative { number.saturating_neg() } else { number })
}

/// A whole number as Go writes it: `0x`, `0o`, `0b`, and octal after a plain `0`. One that is too long is not exact.
fn integer(text: &str) -> Option<f64> {
    let (sign, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) if text.starts_with('-') => (-1.0, digits),
        Some(digits) => (1.0, digits),
        None => (1.0, text),
    };
    let prefixed = |small: &str, big: &str| digits.strip_prefix(small).or_else(|| digits.strip_prefix(big));
    let (radix, digits) = if let Some(rest) = prefixed("0x", "0X") {
        (16, rest)
    } else if let Some(rest) = prefixed("0o", "0O") {
        (8, rest)
    } else if let Some(rest) = prefixed("0b", "0B") {
        (2, rest)
    } else if digits.len() > 1 && digits.starts_with('0') {
        (8, digits)
    } else {
        return None;
    };
    if digits.is_empty() {
        return None;
    }
    let digits = digits.chars().map(|digit| digit.to_digit(radix)).collect::<Option<Vec<_>>>()?;
    Some(sign * digits.into_iter().fold(0.0, |sum, digit| sum * f64::from(radix) + f64::from(digit)))
}

/// A decimal number with or without a fraction and an exponent, that a double can hold.
fn decimal(text: &str) -> Option<f64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) =
        digits.split_once(['e', 'E']).map_or((digits, None), |(left, right)| (left, Some(right)));
    let all = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let has_digits = !whole.is_empty() || !fraction.is_empty();
    let is_exponent = |text: &str| {
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        !digits.is_empty() && all(digits)
    };
    if !(has_digits && all(whole) && all(fraction) && exponent.is_none_or(is_exponent)) {
        return None;
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_what_envoy_makes_of_them() {
        for text in ["on", "On", "ON", "yes", "y", "Y", "true", "True"] {
            assert_eq!(envoy(text), Tree::Bool(true), "{text}");
        }
        for text in ["off", "no", "N", "FALSE"] {
            assert_eq!(envoy(text), Tree::Bool(false), "{text}");
        }
        for text in [
            "oN",
            "tRue",
            "0.5",
            "1.0",
            "1e3",
            "1e+06",
            "2026-11-21",
            "10:30",
            "08",
            "0x",
            "1_000",
            "0o17",
            "0b1",
            "30s",
        ] {
            assert_eq!(envoy(text), Tree::Text(text.to_owned()), "{text}");
        }
        for (text, number) in [("0", 0), ("5", 5), ("-5", -5), ("+5", 5), ("0x10", 16), ("010", 8)] {
            assert_eq!(envoy(text), Tree::Whole(number), "{text}");
        }
        assert_eq!(envoy("123456789012"), Tree::Text("123456789012".to_owned()));
        for text in ["~", "null", "", "NULL"] {
            assert_eq!(envoy(text), Tree::Null, "{text:?}");
            assert_eq!(envoy_tagged(text), Tree::Text(text.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn scalars_are_what_kubernetes_makes_of_them() {
        for (text, number) in [
            ("1e6", 1_000_000),
            ("1E+06", 1_000_000),
            ("0o17", 15),
            ("0O17", 15),
            ("017", 15),
            ("08", 8),
            ("0x10", 16),
            ("0b101", 5),
            ("-0b101", -5),
            ("1_000", 1000),
            ("1__0", 10),
            ("0x_1f", 31),
            ("1_", 1),
            ("1.", 1),
            ("1.0", 1),
            ("0.1e1", 1),
            ("12e03", 12_000),
            ("+5", 5),
            ("-0", 0),
            ("00", 0),
            ("123456789012", 123_456_789_012),
        ] {
            assert_eq!(kubernetes(text), Some(Tree::Whole(number)), "{text}");
        }
        for (text, number) in [
            (".5", 0.5),
            ("+.5", 0.5),
            ("-1.50", -1.5),
            ("1e-3", 0.001),
            ("685_230.15", 685_230.15),
            ("18446744073709551616", 2.0_f64.powi(64)),
            ("0x100000000000000000000", 2.0_f64.powi(80)),
        ] {
            assert_eq!(kubernetes(text), Some(Tree::Fraction(number)), "{text}");
        }
        for text in ["y", "Y", "yes", "on", "True"] {
            assert_eq!(kubernetes(text), Some(Tree::Bool(true)), "{text}");
        }
        for text in ["oN", "1e3x", "_1", "1e400", ".", "2026-11-21", "10:30", "=", "0x", "1,000", "-", "1e", "nan"] {
            assert_eq!(kubernetes(text), Some(Tree::Text(text.to_owned())), "{text}");
        }
        assert_eq!(kubernetes("~"), Some(Tree::Null));
        for text in [".nan", ".inf", "-.Inf"] {
            assert_eq!(kubernetes(text), None, "{text}");
        }
    }

    #[test]
    fn bare_words_are_what_json_makes_of_them() {
        assert_eq!(json("1e6"), Some(Tree::Whole(1_000_000)));
        assert_eq!(json("1.5"), Some(Tree::Fraction(1.5)));
        assert_eq!(json("true"), Some(Tree::Bool(true)));
        for text in ["yes", "010", "0x10", "+5", "", "~", "Null"] {
            assert_eq!(json(text), None, "{text}");
        }
    }
}
