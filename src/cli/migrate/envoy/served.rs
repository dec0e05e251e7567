//! The connection managers of all files, and the routes that several of them serve.

use super::chain::Chain;
use crate::cli::gates::{CONNECTION_MANAGER, NATIVE_FILTER, WASM_FILTER, configured, fetched, route_configs};
use crate::cli::source::{DocumentKind, Source, View};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Whatever has a chain of HTTP filters.
pub(super) struct Manager<'s> {
    pub(super) file: &'s Path,
    pub(super) view: View<'s>,
    /// The Scopegate in its chain.
    pub(super) gate: Option<View<'s>>,
    filters: Vec<View<'s>>,
    /// The filters in its chains for upgrades.
    of_upgrades: Vec<View<'s>>,
    route_configs: Vec<View<'s>>,
    /// Whether a filter of it is a Scopegate, or may be one that is fetched.
    reads_requirements: bool,
}

impl<'s> Manager<'s> {
    /// Those of all files.
    pub(super) fn all(sources: &'s [Source]) -> Vec<Self> {
        let mut all = Vec::new();
        for source in sources {
            for document in source.documents.iter().filter(|document| document.kind == DocumentKind::Envoy) {
                let found = document.root().holders("http_filters").into_iter();
                all.extend(found.map(|view| Self::of(sources, source, view)));
            }
        }
        all
    }

    fn of(sources: &'s [Source], source: &'s Source, view: View<'s>) -> Self {
        let filters = view.list("http_filters");
        let of_upgrades: Vec<View<'s>> =
            view.list("upgrade_configs").iter().flat_map(|upgrade| upgrade.list("filters")).collect();
        let is_gate = |filter: &View<'s>| configured(sources, source, filter).is_some();
        let may_be_gate = |filter: &View<'s>| {
            let Some(discovery) = filter.get("config_discovery") else { return false };
            let urls = discovery.list("type_urls");
            let mut types = urls.iter().filter_map(View::text).filter_map(|url| url.rsplit('/').next());
            fetched(sources, filter).is_none() && types.any(|own| [WASM_FILTER, NATIVE_FILTER].contains(&own))
        };
        Self {
            file: &source.file,
            gate: filters.iter().find(|filter| is_gate(filter)).cloned(),
            reads_requirements: filters.iter().chain(&of_upgrades).any(|own| is_gate(own) || may_be_gate(own)),
            route_configs: route_configs(sources, &source.file, &view).into_iter().map(|(_, config)| config).collect(),
            filters,
            of_upgrades,
            view,
        }
    }

    /// Whether it is Envoy's connection manager.
    pub(super) fn is_of_envoy(&self) -> bool {
        self.view.type_name() == Some(CONNECTION_MANAGER)
    }

    fn serves(&self, config: &View<'_>) -> bool {
        self.route_configs.iter().any(|own| std::ptr::eq(own.node, config.node))
    }
}

/// Whether another Scopegate reads, or may read, what stands beside the routes of a chain.
pub(super) fn is_read_by_another(chain: &Chain<'_>, managers: &[Manager<'_>]) -> bool {
    let mut readers = managers.iter().filter(|manager| manager.reads_requirements);
    readers.any(|manager| chain.route_configs.iter().any(|(_, config)| manager.serves(config)))
}

/// The names of the filters that stay, and that these routes may configure. `migrated` are the chains that get a gate.
pub(super) fn kept<'s>(config: &View<'_>, managers: &[Manager<'s>], migrated: &[&Chain<'s>]) -> BTreeSet<&'s str> {
    let mut names = BTreeSet::new();
    for manager in managers.iter().filter(|manager| manager.serves(config)) {
        let chain = migrated.iter().find(|chain| std::ptr::eq(chain.manager.node, manager.view.node));
        let stays = |index: usize| !chain.is_some_and(|chain| chain.is_migrated(index));
        let filters = manager.filters.iter().enumerate().filter(|(index, _)| stays(*index)).map(|(_, filter)| filter);
        for filter in filters.chain(&manager.of_upgrades) {
            // A filter may hold others, which routes configure by their own names.
            filter.visit(&mut |inner| names.extend(inner.name()));
        }
    }
    names
}

/// How the names begin that routes get.
const PREFIX: &str = "migrated-";

/// The names of routes that had none. A route has one name, however many chains serve it, and no other has it.
pub(super) struct Names {
    taken: Vec<String>,
    given: BTreeMap<usize, String>,
}

impl Names {
    /// None is given yet.
    pub(super) fn new(sources: &[Source]) -> Self {
        let mut taken = Vec::new();
        for document in sources.iter().flat_map(|source| &source.documents) {
            document
                .root()
                .visit(&mut |inner| taken.extend(inner.text().filter(|own| own.contains(PREFIX)).map(str::to_owned)));
        }
        Self { taken, given: BTreeMap::new() }
    }

    /// That of a route, with this number if it is free.
    pub(super) fn of(&mut self, route: &View<'_>, mut number: usize) -> String {
        let identity = std::ptr::from_ref(route.node).addr();
        if let Some(name) = self.given.get(&identity) {
            return name.clone();
        }
        let mut name = format!("{PREFIX}{number}");
        while self.taken.iter().any(|text| text.contains(&name)) {
            number = number.saturating_add(1);
            name = format!("{PREFIX}{number}");
        }
        self.taken.push(name.clone());
        self.given.insert(identity, name.clone());
        name
    }
}
