//! Where the tokens of a provider are, and what goes upstream of them.

use crate::cli::migrate::findings::{Finding, Findings, Kind};
use crate::cli::migrate::tree::{object_of, text};
use crate::cli::source::View;
use crate::config::Node;
use std::path::Path;

/// The query parameter that `jwt_authn` reads where no place is named.
const PARAMETER: &str = "access_token";

/// Where tokens are.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// `token_header` of the issuer, if it is not `Authorization: Bearer`.
    pub(super) token_header: Option<Node>,
    /// The header, in lower case.
    pub(super) header: String,
    /// Query parameters, all of which are refused.
    pub(super) parameters: Vec<String>,
    /// Whether there are places that Scopegate does not read.
    pub(super) has_unseen: bool,
    /// Whether no place is left.
    pub(super) is_nowhere: bool,
}

/// The places of a provider.
pub(super) fn places(file: &Path, provider: &View<'_>, findings: &mut Findings) -> Places {
    let (headers, cookies) = (provider.list("from_headers"), provider.list("from_cookies"));
    let parameters: Vec<String> =
        provider.list("from_params").iter().filter_map(View::text).map(str::to_owned).collect();
    let is_default = headers.is_empty() && cookies.is_empty() && parameters.is_empty();
    let mut places = Places {
        token_header: None,
        header: "authorization".to_owned(),
        parameters,
        has_unseen: headers.len() > 1 || !cookies.is_empty(),
        is_nowhere: !is_default && headers.is_empty(),
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
    let is_bearer = |header: &View<'_>| {
        let name = header.name().unwrap_or_default();
        let prefix = header.get("value_prefix").and_then(|view| view.text()).unwrap_or_default();
        name.eq_ignore_ascii_case("authorization") && prefix.trim_end().eq_ignore_ascii_case("bearer")
    };
    let chosen = headers.iter().find(|header| is_bearer(header)).or_else(|| headers.first());
    let Some(chosen) = chosen else { return places };
    let name = chosen.name().unwrap_or_default();
    name.to_ascii_lowercase().clone_into(&mut places.header);
    if !is_bearer(chosen) {
        let prefix = chosen.get("value_prefix").and_then(|view| view.text()).filter(|prefix| !prefix.is_empty());
        places.token_header = Some(object_of(vec![("name", Some(text(name))), ("prefix", prefix.map(text))]));
    }
    for other in headers.iter().filter(|other| !std::ptr::eq(other.node, chosen.node)) {
        let what = format!(
            "takes tokens from `{}` too: Scopegate reads one header for each issuer, here `{name}`",
            other.name().unwrap_or_default()
        );
        findings.add(
            Finding::new(Kind::Stricter, file, other, what).restored_by("token_header of the issuer, for one of them"),
        );
    }
    places
}
