//! Envoy's `QueryParameterMatcher`: the first value of a name, both as they are written.

use super::holds::Holds;
use super::text::{self, member};
use crate::cli::source::View;

/// Whether a matcher takes the query of a target.
pub(super) fn holds(matcher: &View<'_>, target: &str) -> Holds {
    let name = matcher.get("name").and_then(|view| view.text()).unwrap_or_default();
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let mut parameters =
        query.split('&').filter(|part| !part.is_empty()).map(|part| part.split_once('=').unwrap_or((part, "")));
    let value = parameters.find(|(other, _)| *other == name).map(|(_, value)| value);
    if let Some(present) = member(matcher, "present_match") {
        return (value.is_some() == present.is_true()).into();
    }
    match (value, member(matcher, "string_match")) {
        (None, _) => Holds::No,
        (Some(_), None) => Holds::Yes,
        (Some(value), Some(wanted)) => match text::holds(&wanted, value) {
            Holds::Unknown(why) => Holds::Unknown(format!("{why} on the query parameter {name}")),
            known => known,
        },
    }
}
