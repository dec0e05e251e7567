//! Which requests a `RouteMatch`, a `HeaderMatcher` or a `StringMatcher` of Envoy is about.

use super::regex::{Paths, paths, words};
use crate::cli::migrate::policy::{Overlap, PathIs, PathKind, Region};
use crate::cli::source::{View, is_same};
use crate::policy::{PathPolicy, is_unambiguous};
use std::collections::BTreeSet;

/// The requests that a matcher is about, or more.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Matched {
    /// All that it matches, and perhaps others.
    pub(super) region: Region,
    /// Why there may be others.
    pub(super) beyond: Option<String>,
}

impl Matched {
    fn exactly(region: Region) -> Self {
        Self { region, beyond: None }
    }

    fn some_of(region: Region, why: impl Into<String>) -> Self {
        Self { region, beyond: Some(why.into()) }
    }

    /// What both match.
    fn and(self, other: Self) -> Self {
        let (region, unclear) = match self.region.and(&other.region) {
            Overlap::Region(both) => (both, None),
            // Nothing is in both: an empty region is not written, so it stays what it was.
            Overlap::None => (self.region, Some("can match no request".to_owned())),
            Overlap::Unclear => (self.region, Some("has two conditions on the path".to_owned())),
        };
        Self { region, beyond: self.beyond.or(other.beyond).or(unclear) }
    }
}

/// The members of a `RouteMatch` that are read here.
const READ: [&str; 9] = [
    "prefix",
    "path",
    "path_separated_prefix",
    "safe_regex",
    "connect_matcher",
    "path_match_policy",
    "case_sensitive",
    "headers",
    "query_parameters",
];

/// The requests that a `RouteMatch` in a rule of `jwt_authn` is about.
pub(super) fn route_match(view: &View<'_>) -> Matched {
    matched(view, Region::method("CONNECT"))
}

/// The requests that may take a route with this `RouteMatch`, and perhaps others. `connect_matcher` of a route takes upgrades to
/// CONNECT-UDP too. They are GET to all filters, as an extended CONNECT (RFC 8441) is, and have a path.
pub(super) fn route_region(view: &View<'_>) -> Region {
    matched(view, Region::default()).region
}

/// The requests that a `RouteMatch` is about, if `connects` are those that `connect_matcher` takes.
fn matched(view: &View<'_>, connects: Region) -> Matched {
    let mut matched = path_of(view, connects);
    for header in view.list("headers") {
        matched = matched.and(header_of(&header));
    }
    if !view.list("query_parameters").is_empty() {
        matched = matched.and(Matched::some_of(Region::default(), "depends on a query parameter"));
    }
    let members = view.members();
    if let Some((name, _)) = members.iter().find(|(name, _)| !READ.iter().any(|known| is_same(name, known))) {
        matched = matched.and(Matched::some_of(Region::default(), format!("depends on `{name}`")));
    }
    matched
}

fn path_of(view: &View<'_>, connects: Region) -> Matched {
    let ignore_case = view.get("case_sensitive").is_some_and(|flag| !flag.is_true());
    let kinds =
        [("path", PathKind::Exact), ("prefix", PathKind::Prefix), ("path_separated_prefix", PathKind::Segments)];
    for (name, kind) in kinds {
        let Some(member) = view.get(name) else { continue };
        return match member.text() {
            Some(text) => path_is(PathIs { kind, text: text.to_owned(), ignore_case }),
            None => Matched::some_of(Region::default(), format!("has a `{name}` that is not text")),
        };
    }
    if let Some(regex) = view.get("safe_regex") {
        return match regex.get("regex").and_then(|regex| regex.text()) {
            Some(regex) => regex_is(regex, ignore_case),
            None => Matched::some_of(Region::default(), "has a regular expression that is not text"),
        };
    }
    if view.get("connect_matcher").is_some() {
        return Matched::exactly(connects);
    }
    let template = view.at(&["path_match_policy", "typed_config", "path_template"]);
    match template.and_then(|view| view.text()) {
        Some(text) => template_is(text),
        None => Matched::some_of(Region::default(), "has no path that can be read"),
    }
}

/// The requests with such a path.
fn path_is(path: PathIs) -> Matched {
    if path.kind == PathKind::Prefix && path.text.is_empty() {
        return Matched::exactly(Region::default());
    }
    if can_be_written(&path) {
        return Matched::exactly(Region::path(path));
    }
    // What it begins with up to a slash can be written, if anything of it can.
    let slashes = path.text.rmatch_indices('/').filter_map(|(at, _)| path.text.get(..=at));
    let mut wider = slashes.map(|text| PathIs { kind: PathKind::Prefix, text: text.to_owned(), ..path.clone() });
    let region = wider.find(can_be_written).map(Region::path).unwrap_or_default();
    Matched::some_of(region, format!("names the path `{}`, which not every reader reads alike", path.text))
}

/// The requests with a path of this kind.
pub(super) fn path_named(kind: PathKind, text: &str) -> Matched {
    path_is(PathIs::new(kind, text))
}

/// Whether a rule may have this path.
fn can_be_written(path: &PathIs) -> bool {
    let is_plain = is_unambiguous(path.text.as_bytes(), PathPolicy { encoded_slash: false, semicolon: false });
    is_plain && !path.text.contains(['?', '%']) && !(path.kind == PathKind::Segments && path.text.ends_with('/'))
}

fn regex_is(regex: &str, ignore_case: bool) -> Matched {
    let why = format!("has the regular expression `{regex}`");
    if ignore_case {
        return Matched::some_of(Region::default(), why);
    }
    match paths(regex) {
        Paths::These(path) => path_is(path),
        Paths::SomeOf(path) => Matched::some_of(path_is(path).region, why),
        Paths::Unknown => Matched::some_of(Region::default(), why),
    }
}

/// The requests whose path fits a `uri_template`.
pub(super) fn template_is(text: &str) -> Matched {
    // A name with a pattern of its own is not in the templates of rules.
    if text.contains('=') || crate::policy::Template::parse(text).is_err() {
        let start = text.split(['{', '*']).next().unwrap_or_default();
        let region = path_is(PathIs::new(PathKind::Prefix, start)).region;
        return Matched::some_of(region, format!("has the template `{text}`"));
    }
    Matched::exactly(Region::path(PathIs::new(PathKind::Template, text)))
}

/// The requests that a `HeaderMatcher` is about, of those headers that a rule knows.
pub(super) fn header_of(view: &View<'_>) -> Matched {
    let name = view.name().unwrap_or_default().to_ascii_lowercase();
    let unclear = || Matched::some_of(Region::default(), format!("depends on the header `{name}`"));
    if view.get("invert_match").is_some_and(|flag| flag.is_true()) {
        return unclear();
    }
    let Some(matcher) = string_of(view) else { return unclear() };
    match (name.as_str(), matcher) {
        (":method", Text::Exact(text, false)) if is_method(&text) => Matched::exactly(Region::method(text)),
        (":method", Text::Regex(regex)) => match words(&regex) {
            Some(words) if words.iter().all(|word| is_method(word)) => Matched::exactly(Region {
                methods: Some(words.into_iter().collect::<BTreeSet<_>>()),
                ..Region::default()
            }),
            _ => unclear(),
        },
        // The header has the query, too, which a prefix without `?` does not look at.
        (":path", Text::Prefix(text, ignore_case)) => {
            path_is(PathIs { ignore_case, ..PathIs::new(PathKind::Prefix, text) })
        }
        (":path", Text::Exact(text, ignore_case)) => {
            let path = text.split('?').next().unwrap_or_default();
            let region = path_is(PathIs { ignore_case, ..PathIs::new(PathKind::Exact, path) }).region;
            Matched::some_of(region, "compares the path together with the query")
        }
        (":authority" | "host", Text::Exact(text, _)) => host_is(&text),
        _ => unclear(),
    }
}

/// Whether a rule may name this method.
pub(super) fn is_method(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// The requests for a host. A rule compares it without its port and without regard to letter case, and Envoy does not.
fn host_is(text: &str) -> Matched {
    let lower = text.to_ascii_lowercase();
    let bare = lower.rsplit_once(':').map_or(lower.as_str(), |(host, port)| {
        if port.bytes().all(|byte| byte.is_ascii_digit()) { host } else { &lower }
    });
    let bare = bare.strip_suffix('.').unwrap_or(bare);
    let is_name = !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
    let region = if is_name { Region { host: Some(bare.to_owned()), ..Region::default() } } else { Region::default() };
    Matched::some_of(region, format!("compares the host with `{text}` by letter case and port, which a rule does not"))
}

/// How a text is compared; the flag is whether letter case does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Text {
    Exact(String, bool),
    Prefix(String, bool),
    Suffix(String, bool),
    Contains(String, bool),
    Regex(String),
}

/// The comparison in a `HeaderMatcher`: the present form or an older one.
fn string_of(view: &View<'_>) -> Option<Text> {
    if let Some(matcher) = view.get("string_match") {
        return text_of(&matcher);
    }
    let text = |name: &str| view.get(name).and_then(|view| view.text()).map(str::to_owned);
    let regex = view.at(&["safe_regex_match", "regex"]).and_then(|view| view.text()).map(str::to_owned);
    None.or_else(|| text("exact_match").map(|own| Text::Exact(own, false)))
        .or_else(|| text("prefix_match").map(|own| Text::Prefix(own, false)))
        .or_else(|| text("suffix_match").map(|own| Text::Suffix(own, false)))
        .or_else(|| text("contains_match").map(|own| Text::Contains(own, false)))
        .or_else(|| regex.map(Text::Regex))
}

/// The comparison of a `StringMatcher`.
pub(super) fn text_of(view: &View<'_>) -> Option<Text> {
    let ignore_case = view.get("ignore_case").is_some_and(|flag| flag.is_true());
    let text = |name: &str| view.get(name).and_then(|view| view.text()).map(str::to_owned);
    let regex = view.at(&["safe_regex", "regex"]).and_then(|view| view.text()).map(str::to_owned);
    None.or_else(|| text("exact").map(|own| Text::Exact(own, ignore_case)))
        .or_else(|| text("prefix").map(|own| Text::Prefix(own, ignore_case)))
        .or_else(|| text("suffix").map(|own| Text::Suffix(own, ignore_case)))
        .or_else(|| text("contains").map(|own| Text::Contains(own, ignore_case)))
        .or_else(|| regex.map(Text::Regex))
}

/// The requests whose path, without the query, a `StringMatcher` takes.
pub(super) fn path_text(view: &View<'_>) -> Matched {
    match text_of(view) {
        Some(Text::Exact(text, ignore_case)) => path_is(PathIs { ignore_case, ..PathIs::new(PathKind::Exact, text) }),
        Some(Text::Prefix(text, ignore_case)) => path_is(PathIs { ignore_case, ..PathIs::new(PathKind::Prefix, text) }),
        Some(Text::Regex(regex)) => regex_is(&regex, false),
        Some(Text::Suffix(text, _)) => {
            Matched::some_of(Region::default(), format!("compares how the path ends (`{text}`)"))
        }
        Some(Text::Contains(text, _)) => Matched::some_of(Region::default(), format!("looks for `{text}` in the path")),
        None => Matched::some_of(Region::default(), "has no comparison that can be read"),
    }
}
