//! Envoy's `StringMatcher`, and numbers in texts.

use super::holds::Holds;
use crate::cli::source::View;
use crate::config::Tree;

/// A way to compare a value with a text.
type Test = fn(&str, &str) -> bool;

/// Whether a `StringMatcher` takes a value.
pub(super) fn holds(matcher: &View<'_>, value: &str) -> Holds {
    let ignore_case = matcher.get("ignore_case").is_some_and(|view| view.is_true());
    let fold = |text: &str| if ignore_case { text.to_ascii_lowercase() } else { text.to_owned() };
    let value = fold(value);
    let tests: [(&str, Test); 4] = [
        ("exact", |value, text| value == text),
        ("prefix", |value, text| value.starts_with(text)),
        ("suffix", |value, text| value.ends_with(text)),
        ("contains", |value, text| value.contains(text)),
    ];
    for (name, test) in tests {
        if let Some(member) = member(matcher, name) {
            return match member.text() {
                Some(text) => test(&value, &fold(text)).into(),
                None => Holds::Unknown(format!("{name}, which is no text")),
            };
        }
    }
    if member(matcher, "safe_regex").is_some() {
        return Holds::Unknown("safe_regex".to_owned());
    }
    Holds::Unknown("a matcher that is not known here".to_owned())
}

/// Whether a range, with its end left out, has the number that a value is.
pub(super) fn in_range(range: &View<'_>, value: &str) -> Holds {
    let bound = |name: &str| match range.get(name).map(|view| &view.node.value) {
        None | Some(Tree::Null) => Some(0),
        Some(Tree::Whole(number)) => Some(*number),
        Some(Tree::Text(text)) => text.parse().ok(),
        Some(_) => None,
    };
    let (Some(start), Some(end)) = (bound("start"), bound("end")) else {
        return Holds::Unknown("a range that is none".to_owned());
    };
    number(value).is_some_and(|number| (start..end).contains(&number)).into()
}

/// A whole number as `absl::SimpleAtoi` reads it.
fn number(text: &str) -> Option<i64> {
    text.trim_matches(|character: char| character.is_ascii_whitespace()).parse().ok()
}

/// A member that is set.
pub(super) fn member<'n>(view: &View<'n>, name: &str) -> Option<View<'n>> {
    view.get(name).filter(|view| view.node.value != Tree::Null)
}
