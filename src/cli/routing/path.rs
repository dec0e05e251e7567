//! The path of a route's matcher.

use super::holds::Holds;
use super::lines::Lines;
use super::text::member;
use crate::cli::source::View;
use crate::policy::Template;

/// The type of Envoy's template matcher.
const TEMPLATE: &str = "envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig";
/// The kinds of path conditions.
pub(super) const SPECIFIERS: [&str; 6] =
    ["prefix", "path", "path_separated_prefix", "safe_regex", "connect_matcher", "path_match_policy"];

/// Whether the path of a matcher takes a request. `without_parameters` leaves out what follows a `;`.
pub(super) fn holds(matching: &View<'_>, lines: &Lines<'_>, without_parameters: bool) -> Holds {
    let set: Vec<(&str, View<'_>)> =
        SPECIFIERS.iter().filter_map(|name| member(matching, name).map(|view| (*name, view))).collect();
    let [(kind, wanted)] = set.as_slice() else {
        return Holds::Unknown("not exactly one way to say a path, which Envoy refuses".to_owned());
    };
    if *kind == "connect_matcher" {
        return (lines.method() == "CONNECT").into();
    }
    let Some(target) = lines.target() else { return Holds::No };
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let ignore_case = member(matching, "case_sensitive").is_some_and(|view| !view.is_true());
    // A template sees the path as it is.
    let without_parameters = without_parameters && *kind != "path_match_policy";
    let mut answers = readings(path, without_parameters).into_iter().map(|path| test(kind, wanted, ignore_case, &path));
    let first = answers.next().unwrap_or(Holds::No);
    if answers.any(|other| other != first) {
        return Holds::Unknown("path parameters, which versions of Envoy leave out differently".to_owned());
    }
    first
}

/// The part of a path that is matched. Without parameters, 1.36 drops everything from the first `;` on, and 1.40 drops
/// the part after `;` of each segment.
fn readings(path: &str, without_parameters: bool) -> Vec<String> {
    if !without_parameters || !path.contains(';') {
        return vec![path.to_owned()];
    }
    let first = path.split(';').next().unwrap_or_default();
    let segments: Vec<&str> = path.split('/').map(|segment| segment.split(';').next().unwrap_or_default()).collect();
    vec![first.to_owned(), segments.join("/")]
}

/// Whether a path, without its query, is what the member `kind` of a matcher asks for.
fn test(kind: &str, wanted: &View<'_>, ignore_case: bool, path: &str) -> Holds {
    let fold = |text: &str| if ignore_case { text.to_ascii_lowercase() } else { text.to_owned() };
    let (plain, text) = (fold(path), fold(wanted.text().unwrap_or_default()));
    match kind {
        "prefix" => plain.starts_with(&text).into(),
        "path" => (plain == text).into(),
        "path_separated_prefix" => {
            plain.strip_prefix(&text).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')).into()
        }
        "path_match_policy" => template(wanted, path),
        _ => Holds::Unknown("safe_regex".to_owned()),
    }
}

fn template(policy: &View<'_>, path: &str) -> Holds {
    let config = policy.get("typed_config");
    if config.as_ref().and_then(View::type_name) != Some(TEMPLATE) {
        return Holds::Unknown("a path_match_policy that is not known here".to_owned());
    }
    let text = config.and_then(|view| view.get("path_template")).and_then(|view| view.text()).unwrap_or_default();
    match Template::parse(text) {
        Ok(template) => template.matches(path.as_bytes()).into(),
        Err(error) => Holds::Unknown(format!("the template {text}, which is not read here: {}", error.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_left_out_in_two_ways() {
        assert_eq!(readings("/a;v=1/b", false), ["/a;v=1/b"]);
        assert_eq!(readings("/a/b", true), ["/a/b"]);
        assert_eq!(readings("/a;v=1/b;w", true), ["/a", "/a/b"]);
    }
}
