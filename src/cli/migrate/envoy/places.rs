//! Where the tokens of a provider are, and what becomes of the places that Scopegate does not read.
//!
//! `jwt_authn` refuses a request if one of the tokens that it finds is bad, so a good one in the place that is read is not
//! enough: the other places have to be empty.

use super::headers::{can_be_refused, can_be_removed};
use crate::cli::migrate::findings::{Finding, Findings, Kind};
use crate::cli::migrate::tree::{object_of, text};
use crate::cli::source::View;
use crate::config::Node;
use std::collections::BTreeSet;
use std::path::Path;

/// The query parameter that `jwt_authn` reads where no place is named.
const PARAMETER: &str = "access_token";
/// The header of bearer tokens.
const AUTHORIZATION: &str = "authorization";

/// Where tokens are.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// `token_header` of the issuer, if it is not `Authorization: Bearer`.
    pub(super) token_header: Option<Node>,
    /// The header, in lower case.
    pub(super) header: String,
    /// Query parameters, all of which are refused.
    pub(super) parameters: Vec<String>,
    /// Other headers, in lower case. A request with something in them is refused.
    pub(super) refused: BTreeSet<String>,
    /// Other headers in which Scopegate can read no token. They are removed.
    pub(super) removed: BTreeSet<String>,
    /// Places in which a bad token could be neither refused nor removed.
    pub(super) unseen: Vec<String>,
    /// Whether a token may stand behind another scheme in the header.
    pub(super) has_other_scheme: bool,
    /// Whether no place is left.
    pub(super) is_nowhere: bool,
}

/// A header of `from_headers`.
struct Header<'s> {
    view: View<'s>,
    /// As it is written.
    name: &'s str,
    /// In lower case.
    lower: String,
    prefix: &'s str,
}

impl<'s> Header<'s> {
    fn of(view: View<'s>) -> Self {
        let name = view.name().unwrap_or_default();
        let prefix = view.get("value_prefix").and_then(|view| view.text()).unwrap_or_default();
        Self { view, name, lower: name.to_ascii_lowercase(), prefix }
    }

    fn is_bearer(&self) -> bool {
        let scheme = self.prefix.strip_suffix(' ').unwrap_or(self.prefix);
        self.lower == AUTHORIZATION && scheme.eq_ignore_ascii_case("bearer")
    }

    /// Whether its prefix is in no value that begins with the prefix of `other` and goes on with a token.
    fn is_told_from(&self, other: &Self) -> bool {
        let word = self.prefix.strip_suffix(' ').unwrap_or_default();
        let is_word = !word.is_empty() && !word.ends_with(' ');
        is_word && !other.prefix.to_ascii_lowercase().contains(&self.prefix.to_ascii_lowercase())
    }
}

/// The places of a provider.
pub(super) fn places(file: &Path, provider: &View<'_>, findings: &mut Findings) -> Places {
    let headers: Vec<Header<'_>> = provider.list("from_headers").into_iter().map(Header::of).collect();
    let cookies = provider.list("from_cookies");
    let parameters: Vec<String> =
        provider.list("from_params").iter().filter_map(View::text).map(str::to_owned).collect();
    let is_default = headers.is_empty() && cookies.is_empty() && parameters.is_empty();
    let mut places = Places {
        header: AUTHORIZATION.to_owned(),
        parameters,
        is_nowhere: !is_default && headers.is_empty(),
        ..Places::default()
    };
    if is_default {
        let what = format!(
            "takes tokens from the query parameter `{PARAMETER}` too, where logs, histories and referrers show them: Scopegate \
             refuses them there, with 400 `token_in_query`"
        );
        findings.tell(Kind::LetThrough, file, provider, what);
    }
    if let Some(view) = provider.get("from_params").filter(|_| !places.parameters.is_empty()) {
        let names = places.parameters.join("`, `");
        let what = format!("takes tokens from the query (`{names}`): Scopegate refuses them there, on every route");
        findings.tell(Kind::LetThrough, file, &view, what);
    }
    if let Some(view) = provider.get("from_cookies").filter(|_| !cookies.is_empty()) {
        let what = "takes tokens from cookies: Scopegate does so with a set of `credentials` whose cookie begins with \
                    `__Host-`, and for the pages that it names";
        let field = "credentials: [{name: pages, cookie: {name: __Host-token, origins: [...]}}]";
        findings.add(Finding::new(Kind::Stricter, file, &view, what).restored_by(field));
    }
    let chosen = headers.iter().find(|header| header.is_bearer()).or_else(|| headers.first());
    let Some(chosen) = chosen else { return places };
    chosen.lower.clone_into(&mut places.header);
    if !chosen.is_bearer() {
        let prefix = Some(chosen.prefix).filter(|prefix| !prefix.is_empty()).map(text);
        places.token_header = Some(object_of(vec![("name", Some(text(chosen.name))), ("prefix", prefix)]));
    }
    let names = cookies.iter().filter_map(View::text).map(|name| format!("the cookie `{name}`"));
    places.unseen.extend(names);
    for other in headers.iter().filter(|other| (&other.lower, other.prefix) != (&chosen.lower, chosen.prefix)) {
        let fate = places.add_other(other, chosen);
        let what = format!(
            "takes tokens from `{}` too: Scopegate reads one header for each issuer, here `{}`{fate}",
            other.name, chosen.name
        );
        let finding = Finding::new(Kind::Stricter, file, &other.view, what);
        findings.add(finding.restored_by("token_header of the issuer, for one of them"));
    }
    places
}

impl Places {
    /// Adds a header that is not read; gives what becomes of it.
    fn add_other(&mut self, other: &Header<'_>, chosen: &Header<'_>) -> String {
        let Header { name, lower, prefix, .. } = other;
        if *lower == chosen.lower && other.is_told_from(chosen) {
            self.has_other_scheme = true;
            return format!(" after `{}`", chosen.prefix.trim_end());
        }
        if *lower != chosen.lower && can_be_refused(lower) {
            self.refused.insert(lower.clone());
            return format!(
                ". Where a token is needed, a request with `{name}` is refused: the issuer `nobody:{lower}` has that header, \
                 and no tokens"
            );
        }
        if *lower != chosen.lower && can_be_removed(lower) {
            self.removed.insert(lower.clone());
            return format!(", and removes `{name}` from every request: a bad token there is no longer refused");
        }
        let behind = if prefix.is_empty() { String::new() } else { format!(" after `{prefix}`") };
        self.unseen.push(format!("the header `{name}`{behind}"));
        String::new()
    }
}
