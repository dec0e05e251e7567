//! What still reads what the old filters wrote: their metadata, and headers that the gate removes or sets.

use super::chain::{Chain, FilterKind};
use super::conditions::NAMESPACE;
use super::data::text_of_source;
use crate::cli::gates::beside::PER_FILTER;
use crate::cli::migrate::findings::{Finding, Findings, Kind};
use crate::cli::source::{View, is_same};
use crate::config::Node;
use std::path::Path;

/// The filters that write metadata: its name, and what they are called.
const WRITERS: [(FilterKind, &str, &str); 2] =
    [(FilterKind::Jwt, NAMESPACE, "jwt_authn"), (FilterKind::Rbac, "envoy.filters.http.rbac", "rbac")];
/// Filters that hand on what they read, and refuse nothing by it.
const TELLING: [&str; 3] = [
    "envoy.extensions.filters.http.router.v3.Router",
    "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
    "envoy.extensions.filters.http.tap.v3.Tap",
];
/// The type of the second of them beside a route.
const MUTATION: &str = "envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute";
/// Members of routes, and of what holds them, by which nothing is refused and no route is chosen.
const TOLD: [&str; 3] = ["request_headers_to_add", "response_headers_to_add", "tracing"];
/// The members of a connection manager of which the same holds.
const LOGS: [&str; 3] = ["access_log", "tracing", "local_reply_config"];

/// Tells of whatever else reads the metadata of the old filters. What refuses requests by it is not carried over.
pub(super) fn tell_of_metadata(chain: &Chain<'_>, findings: &mut Findings) {
    let writers: Vec<_> = WRITERS.iter().filter(|(kind, ..)| chain.of_kind(*kind).next().is_some()).collect();
    let mut see = |kind: Kind, file: &Path, view: &View<'_>| {
        for (writer, namespace, name) in &writers {
            if !reads(file, view, namespace) {
                continue;
            }
            let rest = match kind {
                Kind::Denied => ": what is refused or led elsewhere by it passes now",
                _ => "",
            };
            let found =
                Finding::new(kind, file, view, format!("reads metadata of `{name}`, which is no longer written{rest}"));
            findings.add(match writer {
                FilterKind::Jwt => found.restored_by("forward.headers, for a header to read in its place"),
                _ => found,
            });
        }
    };
    for (_, file, filter) in &chain.others {
        let own = filter.get("typed_config").and_then(|config| config.type_name());
        filter.visit(&mut |inner| see(kind_of(own), file, inner));
    }
    for (file, config) in &chain.route_configs {
        of_routes(config, chain, &mut |kind, inner| see(kind, file, inner));
    }
    for name in LOGS {
        if let Some(view) = chain.manager.get(name) {
            view.visit(&mut |inner| see(Kind::Changed, chain.file, inner));
        }
    }
}

/// Whether a text reads metadata of this name; it may be code in a file.
fn reads(file: &Path, view: &View<'_>, namespace: &str) -> bool {
    if view.get("filename").is_some() {
        return text_of_source(file, view, "").is_ok_and(|code| code.contains(namespace));
    }
    let is_name = || view.path.rsplit('.').next() == Some("name");
    view.text().is_some_and(|text| text.contains(namespace) && !text.starts_with("type.googleapis.com/")) && !is_name()
}

/// What is told of a reader in a filter of this type.
fn kind_of(type_name: Option<&str>) -> Kind {
    let is_telling = type_name.is_some_and(|own| own == MUTATION || TELLING.contains(&own));
    if is_telling { Kind::Changed } else { Kind::Denied }
}

/// Sees everything in routes but the configuration of migrated filters, with what is told of a reader there.
fn of_routes(view: &View<'_>, chain: &Chain<'_>, see: &mut impl FnMut(Kind, &View<'_>)) {
    see(Kind::Denied, view);
    for (name, member) in view.members() {
        if is_same(name, PER_FILTER) {
            let is_migrated = |name: &str| chain.filters.iter().any(|filter| filter.name == name);
            for (_, entry) in member.members().into_iter().filter(|(name, _)| !is_migrated(name)) {
                let config = entry.get("config").unwrap_or_else(|| entry.clone());
                entry.visit(&mut |inner| see(kind_of(config.type_name()), inner));
            }
        } else if TOLD.iter().any(|told| is_same(name, told)) {
            member.visit(&mut |inner| see(Kind::Changed, inner));
        } else {
            of_routes(&member, chain, see);
        }
    }
    for item in view.items() {
        of_routes(&item, chain, see);
    }
}

/// Tells of filters and routes that look at a header which the gate before them removes or sets.
pub(super) fn tell_of_headers(chain: &Chain<'_>, plugin: &Node, report_only: bool, findings: &mut Findings) {
    let plugin = View::root(plugin);
    let set = plugin.at(&["forward", "headers"]).map(|headers| headers.members()).unwrap_or_default();
    let removed = plugin.at(&["forward", "remove"]).map(|headers| headers.items()).unwrap_or_default();
    let set = set.into_iter().map(|(name, _)| (name, true));
    let headers: Vec<(&str, bool)> =
        set.chain(removed.iter().filter_map(View::text).map(|name| (name, false))).collect();
    if headers.is_empty() {
        return;
    }
    let mut tell = |kind, file: &Path, view: &View<'_>, header: &str| {
        let what = format!(
            "looks at the header `{header}`, which the gate before it removes from every request of a client: what is refused \
             or led elsewhere by it passes"
        );
        findings.tell(kind, file, view, what);
    };
    let first = chain.filters.first().map_or(0, |filter| filter.index);
    for (index, file, filter) in chain.others.iter().filter(|(index, ..)| *index > first) {
        for (header, is_set) in &headers {
            // What the old filter wrote there is what the gate writes.
            let kind = match (is_after_maker(chain, header, *index), *is_set) {
                (true, true) if !report_only => continue,
                (true, _) if report_only => Kind::Changed,
                _ => Kind::Denied,
            };
            filter.visit(&mut |inner| {
                if inner.text().is_some_and(|text| names(text, header)) {
                    tell(kind, file, inner, header);
                }
            });
        }
    }
    for filter in chain.filters.iter().filter(|_| report_only) {
        let Some((file, config)) = &filter.config else { continue };
        for (header, _) in &headers {
            let kind = if is_after_maker(chain, header, filter.index) { Kind::Changed } else { Kind::Denied };
            config.visit(&mut |inner| {
                if is_looked_at(inner, header) {
                    tell(kind, file, inner, header);
                }
            });
        }
    }
    for (file, config) in chain.route_configs.iter().filter(|_| !clears_route(chain)) {
        let conditions = config.holders("match").into_iter().filter_map(|route| route.get("match"));
        for matcher in conditions.flat_map(|conditions| conditions.list("headers")) {
            for (header, _) in &headers {
                if matcher.name().is_some_and(|name| name.eq_ignore_ascii_case(header)) {
                    tell(Kind::Denied, file, &matcher, header);
                }
            }
        }
    }
}

/// The members with headers that an old filter writes.
const MADE: [&str; 3] = ["header_name", "forward_payload_header", "forward_username_header"];

/// Whether a value is a header that an old filter writes.
fn is_made(view: &View<'_>) -> bool {
    let last = view.path.rsplit('.').next().unwrap_or_default();
    MADE.iter().any(|made| is_same(last, made)) || view.path.ends_with(".forwarding.header")
}

/// Whether a filter stands after one that writes the header, so that it never saw that of a client.
fn is_after_maker(chain: &Chain<'_>, header: &str, index: usize) -> bool {
    chain.filters.iter().filter(|filter| filter.index < index).any(|filter| {
        let mut makes = false;
        if let Some((_, config)) = &filter.config {
            config.visit(&mut |inner| {
                makes |= is_made(inner) && inner.text().is_some_and(|own| own.eq_ignore_ascii_case(header));
            });
        }
        makes
    })
}

/// Whether an old filter compares the header, or takes a credential from it.
fn is_looked_at(view: &View<'_>, header: &str) -> bool {
    let last = view.path.rsplit('.').next().unwrap_or_default();
    let is_place = ["name", "header", "string_value"].iter().any(|own| is_same(last, own));
    is_place && !is_made(view) && view.text().is_some_and(|own| own.eq_ignore_ascii_case(header))
}

/// Whether a text has the header as a word.
fn names(text: &str, header: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '-' || character == '_';
    text.match_indices(header).any(|(at, _)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let after = text.get(at.saturating_add(header.len())..).and_then(|after| after.chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

/// Whether the route is chosen again once the header is made.
fn clears_route(chain: &Chain<'_>) -> bool {
    chain.jwts().any(|(_, _, view)| {
        let providers = view.get("providers").map(|view| view.members()).unwrap_or_default();
        providers.iter().any(|(_, provider)| provider.get("clear_route_cache").is_some_and(|flag| flag.is_true()))
    })
}
