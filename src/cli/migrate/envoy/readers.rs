//! What still reads what the old filters wrote or left in a request: their metadata, and headers that the gate removes or
//! sets.

mod filters;
mod headers;
mod lua;
mod metadata;
mod places;

use super::chain::{Chain, Filter};
use super::data::text_of_source;
use super::providers::{Provider, Providers};
use super::routes::Passing;
use crate::cli::migrate::findings::{Findings, Kind};
use crate::cli::source::{DocumentKind, Source, View};
use crate::config::Node;
use filters::Reader;
pub(in crate::cli::migrate) use filters::is_closed;
pub(in crate::cli::migrate) use headers::in_texts;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;

/// A chain with whatever may read behind its gate.
pub(super) struct Readers<'c, 's> {
    chain: &'c Chain<'s>,
    providers: &'c Providers<'s>,
    filters: Vec<Reader<'s>>,
    report_only: bool,
    passing: Passing,
    /// The places of the migrated filters that run on every route.
    always: Vec<usize>,
    /// Of those with keys, the places of those that remove the keys on every route.
    hiding: Vec<usize>,
    /// The headers by which routes are chosen, in lower case.
    choosing: BTreeSet<String>,
}

impl<'c, 's> Readers<'c, 's> {
    /// `clusters` are those with [options](clusters) of their own.
    pub(super) fn of(
        chain: &'c Chain<'s>,
        providers: &'c Providers<'s>,
        clusters: &[(&'s Path, View<'s>)],
        passing: Passing,
        report_only: bool,
    ) -> Self {
        let of = |is: fn(&Chain<'_>, &Filter<'_>) -> bool| -> Vec<usize> {
            chain.filters.iter().filter(|filter| is(chain, filter)).map(|filter| filter.index).collect()
        };
        let (always, hiding) = (of(headers::runs_always), of(headers::hides_keys));
        let mut choosing = BTreeSet::new();
        for (_, config) in &chain.route_configs {
            places::of_routes(config, &mut |at, view, _| {
                if matches!(at, places::At::Choice) {
                    choosing.extend(view.text().map(str::to_ascii_lowercase));
                }
            });
        }
        let filters = filters::all(chain, clusters);
        Self { chain, providers, filters, report_only, passing, always, hiding, choosing }
    }

    /// Tells of them. `plugin` is the configuration of the gate.
    pub(super) fn tell(&self, plugin: &Node, findings: &mut Findings) {
        self.tell_of_metadata(findings);
        self.tell_of_headers(plugin, findings);
    }

    /// What is told of a reader in a filter of this type at this place of the order.
    fn kind_of(&self, config: &View<'_>, order: usize) -> Kind {
        let is_telling = filters::is_telling(config)
            || filters::hands_on(config)
                && !self.filters.iter().any(|filter| filter.order > order && filters::may_refuse(&filter.view))
                && !filters::made_by(config).iter().any(|made| self.choosing.contains(&made.to_ascii_lowercase()));
        if is_telling { Kind::Changed } else { Kind::Denied }
    }

    /// The providers whose tokens are accepted.
    fn accepted(&self) -> impl Iterator<Item = &Provider<'s>> {
        self.passing.providers.iter().filter_map(|number| self.providers.0.get(*number))
    }

    /// The filter with this name, which a route configures.
    fn named(&self, name: &str) -> Option<&Reader<'s>> {
        self.filters.iter().find(|filter| filter.name == Some(name))
    }

    /// Whether filters behind the router may refuse requests.
    fn refuses_behind_router(&self) -> bool {
        self.filters.iter().any(|filter| filter.is_behind_router && filters::may_refuse(&filter.view))
    }
}

/// The clusters of all files that have options for a protocol, among which filters may be.
pub(super) fn clusters(sources: &[Source]) -> Vec<(&Path, View<'_>)> {
    let mut found = Vec::new();
    for source in sources {
        for document in source.documents.iter().filter(|document| document.kind == DocumentKind::Envoy) {
            let holders = document.root().holders("typed_extension_protocol_options").into_iter();
            found.extend(holders.map(|view| (source.file.as_path(), view)));
        }
    }
    found
}

/// What a value says.
enum Said<'s> {
    /// It is no text, or names what is not read.
    Nothing,
    Text(Cow<'s, str>),
    /// A program in Lua.
    Code(Cow<'s, str>),
    /// It is code that cannot be read here.
    Unread,
}

/// Members with Lua, as they are in the path of what is in them.
const CODE: [&str; 6] = ["source_code", "sourceCode", "SourceCode", "inline_code", "inlineCode", ".lua["];

/// What a value says, if it is a text or says where a text is.
fn said<'s>(file: &Path, view: &View<'s>) -> Said<'s> {
    let is_code = CODE.iter().any(|name| view.path.contains(name));
    if ["filename", "inline_bytes", "environment_variable"].iter().any(|name| view.get(name).is_some()) {
        return match text_of_source(file, view, "") {
            Ok(text) if is_code => Said::Code(Cow::Owned(text)),
            Ok(text) => Said::Text(Cow::Owned(text)),
            Err(_) if is_code => Said::Unread,
            Err(_) => Said::Nothing,
        };
    }
    match view.text() {
        Some(text) if is_code => Said::Code(Cow::Borrowed(text)),
        Some(text) if !text.starts_with("type.googleapis.com/") => Said::Text(Cow::Borrowed(text)),
        _ => Said::Nothing,
    }
}

/// The last name in the path of a value.
fn last<'v>(view: &'v View<'_>) -> &'v str {
    view.path.rsplit('.').next().unwrap_or_default()
}
