//! Envoy's `CookieMatcher`, as in 1.40.

use super::holds::Holds;
use super::lines::Lines;
use super::text::{self, member};
use crate::cli::source::{View, is_same};

/// Whether a cookie matcher takes a request.
pub(super) fn holds(matcher: &View<'_>, lines: &Lines<'_>) -> Holds {
    let name = matcher.get("name").and_then(|view| view.text()).unwrap_or_default();
    let cookies = match lines.cookies() {
        Ok(cookies) => cookies,
        Err(unresolved) => return unresolved.into(),
    };
    let is_known = |name: &str| ["name", "string_match", "invert_match"].iter().any(|known| is_same(name, known));
    let (Some(wanted), true) =
        (member(matcher, "string_match"), matcher.members().iter().all(|(name, _)| is_known(name)))
    else {
        return Holds::Unknown("a cookie matcher that is not known here".to_owned());
    };
    let invert = matcher.get("invert_match").is_some_and(|view| view.is_true());
    let found = cookie(&cookies, name).map_or(Holds::No, |value| text::holds(&wanted, value));
    match found.inverted_if(invert) {
        Holds::Unknown(why) => Holds::Unknown(format!("{why} on the cookie {name}")),
        known => known,
    }
}

/// The first cookie of a name, without quotation marks around it.
fn cookie<'c>(cookies: &'c str, name: &str) -> Option<&'c str> {
    let mut pairs = cookies.split(';').filter_map(|part| part.trim_start_matches(' ').split_once('='));
    let (_, value) = pairs.find(|(other, _)| *other == name)?;
    Some(value.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(value))
}
