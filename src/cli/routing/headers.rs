//! Envoy's `HeaderMatcher`.

use super::holds::Holds;
use super::lines::{Lines, joined};
use super::text::{self, member};
use crate::cli::source::View;

/// Whether a header matcher takes a request.
pub(super) fn holds(matcher: &View<'_>, lines: &Lines<'_>) -> Holds {
    let name = matcher.get("name").and_then(|view| view.text()).unwrap_or_default();
    let values = match lines.values(name) {
        Ok(values) => values,
        Err(unresolved) => return unresolved.into(),
    };
    let is_true = |name: &str| matcher.get(name).is_some_and(|view| view.is_true());
    let invert = is_true("invert_match");
    let specifiers = [
        "exact_match",
        "safe_regex_match",
        "range_match",
        "prefix_match",
        "suffix_match",
        "contains_match",
        "string_match",
    ];
    let set = specifiers.iter().find_map(|name| member(matcher, name).map(|view| (*name, view)));
    let is_empty = values.is_empty() && is_true("treat_missing_header_as_empty");
    let Some((kind, wanted)) = set else {
        let present = member(matcher, "present_match").is_none_or(|view| view.is_true());
        return Holds::from((!values.is_empty() || is_empty) == present).inverted_if(invert);
    };
    // A missing header matches nothing, inverted or not.
    if values.is_empty() && !is_empty {
        return Holds::No;
    }
    let test = |value: &str| test(kind, &wanted, value);
    let as_one = test(&joined(name, &values));
    let name = name.to_ascii_lowercase();
    if values.len() > 1 && values.iter().fold(Holds::No, |found, value| found.or(test(value))) != as_one {
        return Holds::Unknown(format!("the lines of the header {name}, which Envoy 1.36 reads as one and 1.40 each"));
    }
    match as_one.inverted_if(invert) {
        Holds::Unknown(why) => Holds::Unknown(format!("{why} on the header {name}")),
        known => known,
    }
}

/// Whether a value is what the member `kind` of a matcher asks for.
fn test(kind: &str, wanted: &View<'_>, value: &str) -> Holds {
    let text = wanted.text().unwrap_or_default();
    match kind {
        "exact_match" => Holds::from(text.is_empty() || value == text),
        "prefix_match" => value.starts_with(text).into(),
        "suffix_match" => value.ends_with(text).into(),
        "contains_match" => value.contains(text).into(),
        "range_match" => text::in_range(wanted, value),
        "string_match" => text::holds(wanted, value),
        _ => Holds::Unknown("safe_regex_match".to_owned()),
    }
}
