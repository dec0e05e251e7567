//! Durations, as protobuf's JSON form has them, and as Scopegate's configuration does.

use crate::cli::source::View;
use crate::config::Tree;

/// A duration in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Duration(pub(super) u64);

impl Duration {
    /// The duration in a file, such as `5s` or `0.25s`.
    pub(super) fn of(view: &View<'_>) -> Option<Self> {
        if let Some(text) = view.text() {
            let (whole, part) = text.strip_suffix('s')?.split_once('.').unwrap_or((text.strip_suffix('s')?, ""));
            if !part.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            let thousandths: String = part.chars().chain("000".chars()).take(3).collect();
            let seconds: u64 = whole.parse().ok()?;
            return Some(Self(seconds.checked_mul(1000)?.checked_add(thousandths.parse().ok()?)?));
        }
        let seconds = whole(&view.get("seconds")?)?;
        let nanos = view.get("nanos").map_or(Some(0), |view| whole(&view))?;
        Some(Self(seconds.checked_mul(1000)?.checked_add(nanos.div_euclid(1_000_000))?))
    }
}

/// A whole number, which may be text, as Envoy reads large ones, or have a fraction of zero.
pub(super) fn whole(view: &View<'_>) -> Option<u64> {
    let of_fraction = |number: f64| (number.fract() == 0.0).then(|| format!("{number:.0}").parse().ok())?;
    match &view.node.value {
        Tree::Whole(number) => u64::try_from(*number).ok(),
        Tree::Fraction(number) => of_fraction(*number),
        Tree::Text(text) => text.parse().ok().or_else(|| of_fraction(text.parse().ok()?)),
        _ => None,
    }
}

/// Milliseconds, as a field of Scopegate's configuration has them.
pub(super) fn written(milliseconds: u64) -> String {
    match milliseconds {
        some if some.is_multiple_of(3_600_000) && some > 0 => format!("{}h", some.div_euclid(3_600_000)),
        some if some.is_multiple_of(60_000) && some > 0 => format!("{}m", some.div_euclid(60_000)),
        some if some.is_multiple_of(1000) => format!("{}s", some.div_euclid(1000)),
        some => format!("{some}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Node;

    #[test]
    fn a_whole_number_has_no_fraction_and_no_sign() {
        for (value, wanted) in [
            (Tree::Whole(3), Some(3)),
            (Tree::Fraction(3.0), Some(3)),
            (Tree::Text("3".to_owned()), Some(3)),
            (Tree::Text("3.0".to_owned()), Some(3)),
            (Tree::Text("3e2".to_owned()), Some(300)),
            (Tree::Whole(-3), None),
            (Tree::Fraction(-3.0), None),
            (Tree::Fraction(3.5), None),
            (Tree::Fraction(f64::INFINITY), None),
            (Tree::Text("NaN".to_owned()), None),
            (Tree::Bool(true), None),
        ] {
            assert_eq!(whole(&View::root(&Node::from(value.clone()))), wanted, "{value:?}");
        }
    }

    #[test]
    fn durations_of_protobuf_are_read_to_the_millisecond() {
        for (text, wanted) in [
            ("5s", Some(5000)),
            ("0.25s", Some(250)),
            ("1.0005s", Some(1000)),
            ("5", None),
            ("-5s", None),
            (".s", None),
            ("5.xs", None),
            ("99999999999999999999s", None),
        ] {
            let node = Node::from(Tree::Text(text.to_owned()));
            assert_eq!(Duration::of(&View::root(&node)).map(|own| own.0), wanted, "{text}");
        }
        assert_eq!([90_000, 60_000, 7_200_000, 250, 0].map(written), ["90s", "1m", "2h", "250ms", "0s"]);
    }
}
